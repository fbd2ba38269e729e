"""Files and folders of a server: hashes, access lists, new folders."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from s2slab.cmdlets.shared.base import changing, flag, reading, text
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import PsObject, ps_object
from s2slab.estate import disk
from s2slab.estate.disk import StoredFile
from s2slab.estate.paths import Paths

ALGORITHMS = ("SHA1", "SHA256", "SHA384", "SHA512", "MD5")  # 5.1 knows MACTripleDES and RIPEMD160 too
NAMES = {disk.ADMINISTRATORS: "BA", disk.SYSTEM: "SY", disk.USERS: "BU", "S-1-1-0": "WD", "S-1-5-11": "AU"}
MASKS = {"F": "FA", "M": "0x1301bf", "RX": "0x1200a9", "R": "FR", "W": "0x100116"}
_COMMANDS = "Microsoft.PowerShell.Commands."
_BY_PATH, _LITERALLY = ("Path",), ("LiteralPath",)


def specs() -> list[CmdletSpec]:
    """Cmdlets of files and folders."""
    literally = Parameter(
        "LiteralPath",
        "string[]",
        mandatory=True,
        sets=_LITERALLY,
        aliases=("PSPath",),
        from_pipeline_by_property_name=True,
    )
    return [
        CmdletSpec(
            "Get-FileHash",
            _hash,
            (
                Parameter("Path", "string[]", mandatory=True, position=0, sets=_BY_PATH),
                literally,
                Parameter("Algorithm", "string", values=ALGORITHMS),
            ),
            default_set="Path",
            # a function that calls Resolve-Path: what it cannot find is that cmdlet's error
            type_name=_COMMANDS + "ResolvePathCommand",
        ),
        CmdletSpec(
            "Get-Acl",
            _access,
            (Parameter("Path", "string[]", position=0, sets=_BY_PATH), literally),
            default_set="Path",
            type_name=_COMMANDS + "GetAclCommand",
        ),
        CmdletSpec(
            "New-Item",
            _new,
            (
                Parameter("Path", "string[]", mandatory=True, position=0, not_empty=True),
                Parameter("ItemType", "string", mandatory=True, aliases=("Type",), values=("Directory",)),
                Parameter("Force", "switch"),
            ),
            should_process=True,
            type_name=_COMMANDS + "NewItemCommand",
        ),
    ]


def _paths(call: Call) -> list[str]:
    given: Any = call.parameters.get("LiteralPath") or call.parameters.get("Path") or []
    return [given] if isinstance(given, str) else [text(one) for one in given]


def _hash(call: Call) -> Iterator[PsObject]:
    algorithm = (text(call.parameters.get("Algorithm")) or "SHA256").upper()
    for path in _paths(call):
        with reading(call) as at:
            found, is_folder = Paths(at.server).file(path), Paths(at.server).is_folder(path)
        if found is not None:
            digest = hashlib.new(algorithm.lower(), found[1].content, usedforsecurity=False).hexdigest().upper()
            names = ("Microsoft.Powershell.Utility.FileHash", "System.Management.Automation.PSCustomObject")
            yield ps_object(names, Algorithm=algorithm, Hash=digest, Path=path)
        elif not is_folder:  # folders are passed over in silence
            _missing(call, path, "PathNotFound")


def _access(call: Call) -> Iterator[PsObject]:
    for path in _paths(call):
        with reading(call) as at:
            found = Paths(at.server).file(path)
        if found is None:
            _missing(call, path, "GetAcl_PathNotFound_Exception")
        else:
            yield ps_object(
                "System.Security.AccessControl.FileSecurity",
                Path=f"Microsoft.PowerShell.Core\\FileSystem::{found[0]}",
                Owner="BUILTIN\\Administrators",
                Sddl=sddl(found[1]),
                AreAccessRulesProtected=not found[1].inherits,
            )


def sddl(file: StoredFile) -> str:
    """A file's owner, group and access list as Windows writes a security descriptor."""
    own = "".join(f"(A;;{MASKS[right]};;;{NAMES.get(sid, sid)})" for sid, right in file.grants)
    handed = (
        "".join(f"(A;ID;{MASKS[right]};;;{NAMES[sid]})" for sid, right in disk.HANDED_DOWN) if file.inherits else ""
    )
    return f"O:BAG:DUD:{'AI' if file.inherits else 'PAI'}{own}{handed}"


def _missing(call: Call, path: str, id: str) -> None:
    call.write_error(
        f"Cannot find path '{path}' because it does not exist.",
        id=id,
        category="ObjectNotFound",
        exception="System.Management.Automation.ItemNotFoundException",
    )


def _new(call: Call) -> Iterator[PsObject]:
    for path in _paths(call):
        with reading(call) as at:
            paths = Paths(at.server)
            exists, is_folder = paths.exists(path), paths.is_folder(path)
        if path[:2].lower() != "c:":
            _refuse(
                call,
                path,
                f"Cannot find drive. A drive with the name '{path.partition(':')[0]}' does not exist.",
                "DriveNotFound",
                "ObjectNotFound",
                "System.Management.Automation.DriveNotFoundException",
            )
        elif exists and not (is_folder and flag(call, "Force")):
            kind = "DirectoryExist" if is_folder else "NewItemIOError"
            message = f"An item with the specified name {path} already exists."
            _refuse(call, path, message, kind, "ResourceExists" if is_folder else "WriteError", "System.IO.IOException")
        elif not at.session.may_administer(at.server.fqdn):
            _refuse(
                call,
                path,
                f"Access to the path '{path.rpartition(chr(92))[2]}' is denied.",
                "CreateDirectoryUnauthorizedAccessError",
                "PermissionDenied",
                "System.UnauthorizedAccessException",
            )
        elif call.should_process(f"Destination: {path}", "Create Directory"):
            if not exists:
                with changing(call) as at:
                    disk.make_folder(at.estate, at.server, path.rstrip("\\"))
            yield _folder(path.rstrip("\\"))


def _refuse(call: Call, path: str, message: str, id: str, category: str, exception: str) -> None:
    call.write_error(message, id=id, category=category, exception=exception)


def _folder(path: str) -> PsObject:
    shown = ps_object(
        ("System.IO.DirectoryInfo", "System.IO.FileSystemInfo", "System.MarshalByRefObject"),
        Name=path.rpartition("\\")[2],
        FullName=path,
    )
    shown.text = path
    return shown
