"""Files on the drives of a simulated server: their bytes, who may open them, and how they come to be there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Protocol

from s2slab.estate.world import World

ADMINISTRATORS, SYSTEM, USERS = "S-1-5-32-544", "S-1-5-18", "S-1-5-32-545"
Grant = tuple[str, str]  # SID, right as icacls writes it (F, M, RX, R, W)
HANDED_DOWN: tuple[Grant, ...] = ((SYSTEM, "F"), (ADMINISTRATORS, "F"), (USERS, "RX"))  # by every folder of the lab


class HasDrives(Protocol):
    """A server with drives."""

    fqdn: str
    files: dict[str, StoredFile]
    folders: list[str]


@dataclass(frozen=True)
class StoredFile:
    """A file: its content, and its access list, `grants` first and then, while it `inherits`, what its folder hands down."""

    content: bytes
    grants: tuple[Grant, ...] = ()
    inherits: bool = True

    @property
    def text(self) -> str:
        """The content read as text: UTF-8, else one character for each byte."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return self.content.decode("latin-1")

    @property
    def sha256(self) -> str:
        """SHA-256 of the content, lower-case hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def access(self) -> tuple[Grant, ...]:
        """Everybody who is granted something, in the order of the list."""
        return (*self.grants, *(HANDED_DOWN if self.inherits else ()))


def text_file(text: str) -> StoredFile:
    """A text file."""
    return StoredFile(text.encode("utf-8"))


def write(world: World, server: HasDrives, path: str, content: bytes) -> None:
    """Put a new file on a server, with a transition; the caller has seen to it that its folder is there."""
    _put(world, server, path, StoredFile(content))


def protect(world: World, server: HasDrives, path: str, *, grants: tuple[Grant, ...], inherits: bool) -> None:
    """Give a file another access list, with a transition. KeyError when there is no such file."""
    _put(world, server, path, replace(server.files[path], grants=grants, inherits=inherits))


def make_folder(world: World, server: HasDrives, path: str) -> None:
    """Make a folder on a server, with a transition."""
    server.folders.append(path)
    world.record("file", f"folder@{server.fqdn}:{path}", None, "made")


def _put(world: World, server: HasDrives, path: str, file: StoredFile) -> None:
    before = server.files.get(path)
    server.files[path] = file
    world.record("file", f"file@{server.fqdn}:{path}", None if before is None else shown(before), shown(file))


def shown(file: StoredFile) -> dict[str, object]:
    """A file for the log: what it holds by its hash, and its access list."""
    return {
        "sha256": file.sha256,
        "length": len(file.content),
        "inherits": file.inherits,
        "grants": [f"{sid}:{right}" for sid, right in file.grants],
    }
