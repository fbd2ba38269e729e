"""Items behind PowerShell drives: the certificate store, registry values, files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from s2slab.cmdlets.shared.base import Place, like, reading, text
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.engine.values import LOCAL, PsObject, ps_object
from s2slab.estate.disk import StoredFile
from s2slab.estate.paths import Paths, normal
from s2slab.estate.pki import KeyPair

STORE = "cert:\\localmachine\\my"


def specs() -> list[CmdletSpec]:
    """Cmdlets that read items."""
    path = Parameter(
        "Path", "string", position=0, aliases=("PSPath", "LiteralPath"), from_pipeline_by_property_name=True
    )
    named = Parameter("Name", "string[]", position=1)
    commands = "Microsoft.PowerShell.Commands."
    return [
        CmdletSpec(
            "Get-ChildItem",
            _children,
            (path, Parameter("Filter", "string", position=1), Parameter("File", "switch")),
            aliases=("gci", "dir", "ls"),
            type_name=commands + "GetChildItemCommand",
        ),
        CmdletSpec("Get-Item", _item, (path,), aliases=("gi",), type_name=commands + "GetItemCommand"),
        CmdletSpec(
            "Get-ItemProperty",
            _properties,
            (path, named),
            aliases=("gp",),
            type_name=commands + "GetItemPropertyCommand",
        ),
    ]


def _children(call: Call) -> Iterator[PsObject]:
    path = text(call.parameters.get("Path")) or "C:\\"
    pattern = text(call.parameters.get("Filter")) or "*"
    with reading(call) as at:
        wanted = normal(path)
        if wanted == STORE:
            found = [_certificate(pair) for pair in at.server.certificates.values()]
        elif wanted.startswith("cert:\\localmachine\\my\\"):
            found = [_held(call, at, path)]
        elif wanted.startswith("cert:") or not Paths(at.server).exists(path):
            _missing(call, path)
        else:
            found = [
                _file(name, file)
                for name, file in at.server.files.items()
                if normal(name).rsplit("\\", 1)[0] == wanted and like(pattern, name.rsplit("\\", 1)[-1])
            ]
    return iter(found)


def _item(call: Call) -> Iterator[PsObject]:
    path = text(call.parameters.get("Path"))
    with reading(call) as at:
        if normal(path).startswith("cert:"):
            return iter([_held(call, at, path)])
        found = Paths(at.server).file(path)
        if found is None:
            _missing(call, path)
        return iter([_file(*found)])


def _held(call: Call, at: Place, path: str) -> PsObject:
    pair = at.server.certificates.get(normal(path).rsplit("\\", 1)[-1].upper())
    if pair is None:
        _missing(call, path)
    return _certificate(pair)


def _certificate(pair: KeyPair) -> PsObject:
    shown = ps_object(
        "System.Security.Cryptography.X509Certificates.X509Certificate2",
        PSPath=f"Microsoft.PowerShell.Security\\Certificate::LocalMachine\\My\\{pair.thumbprint}",
        PSChildName=pair.thumbprint,
        DnsNameList=list(pair.names),
        FriendlyName=pair.friendly_name,
        HasPrivateKey=True,
        Issuer=pair.issuer,
        NotAfter=pair.not_after.astimezone(LOCAL),
        NotBefore=pair.not_before.astimezone(LOCAL),
        RawData=pair.der,
        SerialNumber=pair.serial,
        Subject=pair.subject,
        Thumbprint=pair.thumbprint,
        Version=3,
    )
    shown.text = f"[Subject]\r\n  {pair.subject}\r\n\r\n[Issuer]\r\n  {pair.issuer}\r\n"
    return shown


def _file(name: str, file: StoredFile) -> PsObject:
    shown = ps_object(
        "System.IO.FileInfo",
        Name=name.rsplit("\\", 1)[-1],
        FullName=name,
        DirectoryName=name.rsplit("\\", 1)[0],
        Length=len(file.content),
    )
    shown.text = name
    return shown


def _properties(call: Call) -> Iterator[PsObject]:
    path = text(call.parameters.get("Path"))
    with reading(call) as at:
        values = Paths(at.server).registry_values(path)
    if values is None:
        _missing(call, path)
    names = [text(name) for name in call.parameters.get("Name") or ()]
    chosen = {key: value for key, value in values.items() if not names or any(like(name, key) for name in names)}
    for name in names:
        if not any(like(name, key) for key in values):
            call.write_error(
                f"Property {name} does not exist at path {path}.",
                id="System.Management.Automation.PSArgumentException",
                category="InvalidArgument",
                exception="System.Management.Automation.PSArgumentException",
            )
    if not chosen:
        return iter(())
    location = f"Microsoft.PowerShell.Core\\Registry::HKEY_LOCAL_MACHINE\\{path.split(chr(92), 1)[-1]}"
    return iter([ps_object("System.Management.Automation.PSCustomObject", {**chosen, "PSPath": location})])


def _missing(call: Call, path: str) -> NoReturn:
    call.throw(
        f"Cannot find path '{path}' because it does not exist.",
        id="PathNotFound",
        category="ObjectNotFound",
        exception="System.Management.Automation.ItemNotFoundException",
    )
