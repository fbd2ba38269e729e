"""A secret that does not show itself, and the credential that holds one."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import NoReturn

HIDDEN = "(hidden)"


class Secret:
    """Text that no repr, format, log, pickle, copy or JSON encoder gives away; only `reveal()` does."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not text:
            raise ValueError("a secret cannot be empty")
        self._text = text

    def reveal(self) -> str:
        """The text itself. Hand it to the client that needs it and keep no other reference."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __str__(self) -> str:
        return HIDDEN

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._text.encode("utf-8", "surrogatepass"), other._text.encode("utf-8", "surrogatepass")
        )

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not serialised")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self


@dataclass(frozen=True)
class Credential:
    """Who to be on a server, and what proves it.

    `secret` is None where Windows or a Kerberos ticket proves it (`current:`, `ticket:`); `user` is None where the
    ticket or the logon says who it is. `reference` is what the params file said; it may be shown and recorded.
    """

    user: str | None
    secret: Secret | None
    reference: str

    @property
    def is_ambient(self) -> bool:
        """Whether the proof is the logon or ticket of this process, so that nothing can be handed on."""
        return self.secret is None
