"""A folder of wheels for machines without internet, with a list of SHA-256 that is checked before any use.

    SHA256SUMS     one line a file, as sha256sum writes and checks it
    made-for.txt   the system and Python that the wheels were chosen for

The list guards against damage and exchange of single files. Against exchange of the whole folder there is the SHA-256
of the list itself: shown when the folder is made and when it is used, to be compared by whoever carried it.
"""

from __future__ import annotations

import hashlib
import platform
import re
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from bootstrap.errors import SetupError

LIST = "SHA256SUMS"
MADE_FOR = "made-for.txt"
_LINE = re.compile(r"(?P<digest>[0-9a-f]{64}) [ *](?P<name>[^/\\]+)")


@dataclass(frozen=True)
class Wheelhouse:
    """A checked folder. `digest` is the SHA-256 of its list."""

    folder: Path
    made_for: str
    digest: str
    files: int


def here() -> str:
    """The system and Python that wheels are chosen for, e.g. `cpython 3.12 win-amd64`."""
    major, minor, _ = platform.python_version_tuple()
    return f"{platform.python_implementation().lower()} {major}.{minor} {sysconfig.get_platform()}"


def seal(folder: Path, made_for: str | None = None) -> str:
    """Writes `made-for.txt` (for what runs here) and the list of all files. Returns the SHA-256 of the list."""
    (folder / MADE_FOR).write_text((made_for or here()) + "\n", encoding="utf-8", newline="\n")
    names = sorted(file.name for file in folder.iterdir() if file.name != LIST)
    text = "".join(f"{_sha256(folder / name)}  {name}\n" for name in names)
    (folder / LIST).write_text(text, encoding="utf-8", newline="\n")
    return _sha256(folder / LIST)


def checked(folder: Path) -> Wheelhouse:
    """The folder as a wheelhouse, every file of it compared with the list.

    SetupError if a file is changed, missing or not listed, if there is no list, or if it was made for another Python.
    """
    try:
        lines = (folder / LIST).read_text(encoding="utf-8").splitlines()
        found = {file.name for file in folder.iterdir()} - {LIST}
    except (OSError, UnicodeDecodeError):
        raise SetupError(
            f"{folder} is no wheelhouse: it has no readable {LIST} (`run.py wheelhouse DIR` writes it)"
        ) from None
    listed: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is None or match["name"] in listed:
            raise SetupError(f"line {number} of {folder / LIST} is not `<SHA-256>  <file name>`: nothing was installed")
        listed[match["name"]] = match["digest"]
    faults = [
        *(f"{name} is missing" for name in sorted(listed.keys() - found)),
        *(f"{name} is not in {LIST}" for name in sorted(found - listed.keys())),
        *(f"{name} is changed" for name in sorted(listed.keys() & found) if _sha256(folder / name) != listed[name]),
    ]
    if faults:
        shown = "; ".join(faults[:5]) + (f"; and {len(faults) - 5} more" if len(faults) > 5 else "")
        raise SetupError(f"{folder} is not as it was made: {shown}. Nothing was installed")
    if MADE_FOR not in listed:
        raise SetupError(f"{folder} does not say what it was made for ({MADE_FOR} is not in {LIST})")
    made_for = (folder / MADE_FOR).read_text(encoding="utf-8").strip()
    if made_for != here():
        raise SetupError(f"{folder} was made for {made_for}, and this is {here()}: make one on a machine like this one")
    return Wheelhouse(folder, made_for, _sha256(folder / LIST), len(listed))


def _sha256(file: Path) -> str:
    if not file.is_file():
        return "not a file"
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
