"""Why a reference did not lead to a secret."""

from __future__ import annotations

from s2slib.errors import S2SError


class CredentialError(S2SError):
    """A reference cannot be resolved here and now. Names the reference and what to do; never a secret."""

    def __init__(self, reference: str, problem: str, remedy: str = "") -> None:
        self.reference = reference
        self.problem = problem
        self.remedy = remedy
        colon = "" if reference.endswith(":") else ":"
        super().__init__(f"{reference}{colon} {problem}" + (f"; {remedy}" if remedy else ""))
