"""References to secrets: what a params file says in place of a password.

| form | where the secret is | user |
| --- | --- | --- |
| `env:NAME` | environment variable NAME | `user` beside it |
| `keyring:SERVICE/USER` | this machine's key store (on Windows the Credential Manager) | in the reference |
| `prompt:` | asked for once a run, hidden | `user` beside it, else asked for |
| `command:["PROGRAM", "ARG"]` | printed by a program (a vault's client), started without a shell | `user` beside it |
| `ticket:` | the Kerberos ticket cache: no password | `user` beside it picks a principal; optional |
| `current:` | the Windows logon of this process: no password | none |
| `lab:ACCOUNT` | the running lab's state file; made anew at each start | in the state file |
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal, get_args

Scheme = Literal["env", "keyring", "prompt", "command", "ticket", "current", "lab"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
FORMS: tuple[str, ...] = (
    "env:NAME",
    "keyring:SERVICE/USER",
    "prompt:",
    'command:["PROGRAM", "ARG"]',
    "ticket:",
    "current:",
    "lab:ACCOUNT",
)
"""Every allowed form, for messages and documentation."""

UserRule = Literal["required", "optional", "none"]

_USER: dict[str, UserRule] = {"env": "required", "command": "required", "prompt": "optional", "ticket": "optional"}
_DETAIL = {
    "env": (re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}"), "the name of an environment variable after env:"),
    "keyring": (re.compile(r"[^/\s\x00-\x1f][^/\x00-\x1f]*/[^\s\x00-\x1f][^\x00-\x1f]*"), "keyring:SERVICE/USER"),
    "prompt": (re.compile(""), "nothing after prompt:"),
    "ticket": (re.compile(""), "nothing after ticket:"),
    "current": (re.compile(""), "nothing after current:"),
    "lab": (re.compile(r"[a-z][a-z0-9_-]{0,39}"), "the name of a lab account after lab:, for example lab:lync"),
}
_SECRET_ARGUMENT = re.compile(
    r"(?i)[-/]{1,2}(?:password|passwd|pwd|passphrase|secret|token|api-?key)(?:[=:].*)?", re.DOTALL
)


class ReferenceFormatError(ValueError):
    """A text is not a credential reference. `allowed` says what would be; the text itself is never repeated."""

    def __init__(self, problem: str, allowed: str) -> None:
        super().__init__(f"{problem}; allowed: {allowed}")
        self.problem = problem
        self.allowed = allowed


@dataclass(frozen=True)
class Reference:
    """Where a secret is to be found. Holds none itself, so it may be shown, recorded and hashed."""

    scheme: Scheme
    detail: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """The reference that a text spells; ReferenceFormatError (which does not repeat the text) if it spells none."""
        name, colon, detail = text.partition(":")
        if not colon or name not in SCHEMES:
            raise ReferenceFormatError("not a credential reference (is a secret written here?)", ", ".join(FORMS))
        scheme: Scheme = name
        if scheme == "command":
            return cls(scheme, json.dumps(list(_arguments(detail)), ensure_ascii=False))
        pattern, allowed = _DETAIL[scheme]
        if not pattern.fullmatch(detail):
            raise ReferenceFormatError(f"a wrong {scheme}: reference", allowed)
        return cls(scheme, detail)

    def __str__(self) -> str:
        return f"{self.scheme}:{self.detail}"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The argument list of a `command:` reference, program first; empty for the others."""
        return _arguments(self.detail) if self.scheme == "command" else ()

    @property
    def gives_password(self) -> bool:
        """Whether it ends in a password that can be handed on, as opposed to a ticket or the Windows logon."""
        return self.scheme not in ("ticket", "current")

    @property
    def user_rule(self) -> UserRule:
        """Whether `user` beside the reference is required, optional or refused (the reference says it)."""
        return _USER.get(self.scheme, "none")


def _arguments(detail: str) -> tuple[str, ...]:
    allowed = 'a JSON list of texts, for example command:["vault-client", "get", "lync-admin"]'
    try:
        parsed: object = json.loads(detail)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, list) or not parsed or not all(isinstance(part, str) for part in parsed):
        raise ReferenceFormatError("a wrong command: reference", allowed)
    arguments = tuple(str(part) for part in parsed)
    if not arguments[0].strip() or any("\0" in part for part in arguments):
        raise ReferenceFormatError("a wrong command: reference", allowed)
    if any(_SECRET_ARGUMENT.fullmatch(part) for part in arguments[1:]):
        raise ReferenceFormatError(
            "a command: reference hands over a secret as an argument",
            "a program that is already logged on to its vault",
        )
    return arguments
