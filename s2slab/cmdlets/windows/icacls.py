r"""icacls.exe: shows a file's access list and changes it.

`icacls <path> [/inheritance:r|e] [/grant:r <sid>:<right> ...] [/q]`

    what happens                            standard output or error                                    exit code
    --------------------------------------  ----------------------------------------------------------  ---------
    changed                                 processed file: <path>                                      0
    no such file, no such folder            (error) <path>: The system cannot find the ... specified.   2, 3
    not an administrator                    (error) <path>: Access is denied.                           5
    a name that nobody has                  (error) <name>: No mapping between account names and ...    1332

Each of them is followed by how many files were processed. The texts are documented by examples; the exit codes beside 0 (the
Win32 error's number) are UNCONFIRMED. Whatever else icacls can do, the lab says that it does not simulate it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from s2slab.cmdlets.shared.base import place
from s2slab.cmdlets.windows.files import MASKS
from s2slab.engine.registry import ProgramCall, ProgramSpec
from s2slab.estate import disk
from s2slab.estate.disk import Grant, StoredFile
from s2slab.estate.paths import Paths
from s2slab.estate.transitions import Cause

_NAMES = {
    disk.ADMINISTRATORS: "BUILTIN\\Administrators",
    disk.SYSTEM: "NT AUTHORITY\\SYSTEM",
    disk.USERS: "BUILTIN\\Users",
    "S-1-1-0": "Everyone",
    "S-1-5-11": "NT AUTHORITY\\Authenticated Users",
}
_GRANT = re.compile(r"(?P<who>[^:]+):\(?(?P<right>[A-Z]+)\)?")
_SID = re.compile(r"\*(S-1(?:-\d+)+)", re.IGNORECASE)
_REFUSED = 87


@dataclass
class _Wanted:
    """What a command line asks for."""

    path: str
    inheritance: str = ""  # r | e
    grants: tuple[tuple[str, str], ...] = ()  # who, right


def specs() -> list[ProgramSpec]:
    """The program."""
    return [ProgramSpec("icacls.exe", _icacls)]


def _icacls(call: ProgramCall) -> int:
    wanted = _read(call.argv)
    if wanted is None:
        call.write_stderr(f"The lab's icacls.exe does not simulate: {' '.join(call.argv)}\r\n")
        return _REFUSED
    at = place(call)
    line = " ".join(["icacls.exe", *call.argv])
    with at.estate.acting(Cause("command", call.command_id, line, at.server.fqdn, at.session.account.name)):
        paths = Paths(at.server)
        found = paths.file(wanted.path)
        if found is None:
            what, code = ("file", 2) if paths.is_folder(wanted.path.rpartition("\\")[0]) else ("path", 3)
            return _failed(call, f"{wanted.path}: The system cannot find the {what} specified.", code)
        if not at.session.may_administer(at.server.fqdn):
            return _failed(call, f"{wanted.path}: Access is denied.", 5)
        grants: list[Grant] = []
        for who, right in wanted.grants:
            sid = _sid(who)
            if sid is None:
                return _failed(call, f"{who}: No mapping between account names and security IDs was done.", 1332)
            grants.append((sid, right))
        if not wanted.grants and not wanted.inheritance:
            return _list(call, wanted.path, found[1])
        given = tuple({**dict(found[1].grants), **dict(grants)}.items())
        inherits = {"r": False, "e": True}.get(wanted.inheritance, found[1].inherits)
        disk.protect(at.estate, at.server, found[0], grants=given, inherits=inherits)
    call.write_stdout(f"processed file: {wanted.path}\r\n")
    return _count(call, 1, 0)


def _read(argv: list[str]) -> _Wanted | None:
    """A command line; None for one that the lab does not simulate."""
    if not argv or argv[0][1:2] != ":":
        return None
    wanted, granting = _Wanted(argv[0]), False
    for argument in argv[1:]:
        low = argument.lower()
        if low in ("/inheritance:r", "/inheritance:e"):
            wanted.inheritance, granting = low[-1], False
        elif low == "/grant:r":
            granting = True
        elif low == "/q":
            granting = False
        else:
            grant = _GRANT.fullmatch(argument) if granting else None
            if grant is None or grant["right"] not in MASKS:
                return None
            wanted.grants = (*wanted.grants, (grant["who"], grant["right"]))
    return wanted


def _sid(who: str) -> str | None:
    numeric = _SID.fullmatch(who)
    if numeric:
        return numeric[1].upper()
    low = who.lower()
    return next((sid for sid, name in _NAMES.items() if low in (name.lower(), name.lower().rpartition("\\")[2])), None)


def _list(call: ProgramCall, path: str, file: StoredFile) -> int:
    entries = [f"{_NAMES.get(sid, sid)}:({right})" for sid, right in file.grants]
    if file.inherits:
        entries += [f"{_NAMES[sid]}:(I)({right})" for sid, right in disk.HANDED_DOWN]
    for number, entry in enumerate(entries or [""]):
        call.write_stdout(f"{path if number == 0 else ' ' * len(path)} {entry}\r\n")
    call.write_stdout("\r\n")
    return _count(call, 1, 0)


def _failed(call: ProgramCall, message: str, code: int) -> int:
    call.write_stderr(f"{message}\r\n")
    _count(call, 0, 1)
    return code


def _count(call: ProgramCall, done: int, failed: int) -> int:
    call.write_stdout(f"Successfully processed {done} files; Failed processing {failed} files\r\n")
    return 0
