"""A small simulated server for the constant script: cmdlets that show what arrived, a program, a script, an endpoint."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from s2slab.engine.registry import (
    Call,
    CmdletSpec,
    EndpointError,
    Opening,
    Parameter,
    ProgramCall,
    ProgramSpec,
    Registry,
    ScriptCall,
    ScriptSpec,
)
from s2slab.engine.values import PSCredential, PsEnum, PsObject, PsUri, PsVersion, SecureString, ps_object

SCRIPT = r"C:\Scripts\Configure.ps1"
SCRIPT_TEXT = (
    "param($Realm, [switch]$Break)\nSet-AuthConfig -Realm $Realm\nif ($Break) { Fail-Always }\n'went on'\nexit 5\n"
)
TELL = r"C:\Tools\tell.exe"
NOW = datetime(2026, 11, 23, 10, 20, 30, 123456, tzinfo=UTC)


def object_parameter(name: str, kind: str) -> Parameter:
    return Parameter(name, kind)


@dataclass
class Desk:
    """A server, and what its commands were given."""

    name: str = "atl-cs-001"
    fqdn: str = "atl-cs-001.litwareinc.com"
    language_mode: str = "FullLanguage"
    powershell_version: str = "5.1.14393.4530"
    registry: Registry = field(default_factory=Registry)
    far: Registry = field(default_factory=Registry)
    given: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    opened: list[tuple[str, tuple[str, str] | None]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    generation: int = 0  # sessions opened in an earlier one are gone
    password: str = "inner pass"
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kinds = {
            "Text": "string",
            "Texts": "string[]",
            "Number": "int",
            "Big": "long",
            "Flag": "bool",
            "Force": "switch",
            "When": "datetime",
            "Raw": "byte[]",
            "Secret": "securestring",
            "Credential": "pscredential",
            "Any": "object",
        }
        echo = tuple(object_parameter(name, kind) for name, kind in kinds.items())
        here, far = self.registry, self.far
        here.add(CmdletSpec("Show-Given", self._given, echo))
        here.add(CmdletSpec("Set-Given", self._silent, echo))
        here.add(CmdletSpec("Get-Zoo", self._zoo))
        here.add(CmdletSpec("Get-Many", self._many, (Parameter("Count", "int"), Parameter("Size", "int"))))
        here.add(CmdletSpec("Wait-Long", self._wait))
        here.add(CmdletSpec("Invoke-Trouble", self._trouble, (Parameter("Hard", "switch"),)))
        here.add(CmdletSpec("Get-CsPool", self._given, module="SkypeForBusiness"))
        here.add(ProgramSpec("tell.exe", self._tell, r"C:\Tools"))
        digest = hashlib.sha256(SCRIPT_TEXT.encode()).hexdigest()
        given = (Parameter("Realm", position=0), Parameter("Break", "switch"))
        here.add(ScriptSpec(SCRIPT, digest, self._configure, given))
        far.add(CmdletSpec("Get-AuthConfig", self._far_read))
        far.add(CmdletSpec("Set-AuthConfig", self._given, (Parameter("Realm", "string", mandatory=True),)))
        far.add(CmdletSpec("Fail-Always", self._fail))
        far.add(CmdletSpec("Wait-Long", self._wait))

    def environment(self, session: Any) -> dict[str, str]:
        return {"COMPUTERNAME": self.name}

    def read_file(self, path: str) -> str | None:
        return {key.lower(): text for key, text in self.files.items()}.get(path.lower())

    def script_files(self) -> list[str]:
        return list(self.files)

    def exists(self, path: str) -> bool:
        return self.read_file(path) is not None or path.lower() == TELL.lower()

    def open_endpoint(self, session: Any, wanted: Opening) -> FarSide:
        self.opened.append((wanted.configuration, wanted.credential))
        if wanted.credential is None:
            raise EndpointError("Access is denied.", "AccessDenied,PSSessionOpenFailed")
        if wanted.credential[1] != self.password:
            raise EndpointError("The user name or password is incorrect.", "LogonFailure,PSSessionOpenFailed")
        return FarSide(self, self.generation)

    def _given(self, call: Call) -> Iterable[object]:
        self.given.append((call.name, dict(call.parameters)))
        rows: dict[str, object] = {}
        for name, value in call.parameters.items():
            if isinstance(value, SecureString):
                value = f"secure {len(value)}"
            elif isinstance(value, PSCredential):
                value = f"{value.user_name} {len(value.password)}"
            rows[name] = value
        return [ps_object("Selected.Given", rows)]

    def _silent(self, call: Call) -> Iterable[object]:
        self.given.append((call.name, dict(call.parameters)))
        return []

    def _zoo(self, call: Call) -> Iterable[object]:
        inner = ps_object("Deep.Thing", {"Name": "inner", "Deeper": ps_object("Deeper.Thing", {"Name": "x"})})
        return [
            ps_object(
                "A.Zoo",
                {
                    "Text": "it's “quoted” \U0001f600\n\x1b[31m<b>",
                    "Empty": "",
                    "Nothing": None,
                    "Yes": True,
                    "Int": 7,
                    "Big": 2**40,
                    "Float": 1.5,
                    "When": NOW,
                    "Raw": b"\x00\xff",
                    "List": ["a", 1, ["b"]],
                    "None": [],
                    "One": ["x"],
                    "Mode": PsEnum("A.Mode", "Full", 1),
                    "Span": timedelta(seconds=90),
                    "Uri": PsUri("https://a/b"),
                    "Version": PsVersion("15.1.2"),
                    "Secret": SecureString("hidden away"),
                    "Inner": inner,
                    "/Date(1234)/": "2026-11-23",
                },
            )
        ]

    def _many(self, call: Call) -> Iterable[object]:
        for _ in range(int(call.parameters.get("Count", 3))):
            if call.stopping.is_set():
                return
            yield "x" * int(call.parameters.get("Size", 1))

    def _wait(self, call: Call) -> Iterable[object]:
        yield "begun"
        if call.stopping.wait(20):
            self.stopped.set()

    def _trouble(self, call: Call) -> Iterable[object]:
        yield "first"
        call.warning("careful")
        call.verbose("talkative")
        call.host("on the host")
        call.write_error("soft “error”", id="Soft", category="ObjectNotFound")
        yield "second"
        if call.parameters.get("Hard"):
            call.throw("hard error", id="Hard", category="InvalidOperation", exception="System.IO.IOException")

    def _configure(self, call: ScriptCall) -> int:
        """What SCRIPT_TEXT does."""
        for row in call.command("Set-AuthConfig", Realm=call.parameters.get("Realm")):
            call.put(row)
        if call.parameters.get("Break"):
            call.command("Fail-Always")
        call.put("went on")
        return 5

    def _tell(self, call: ProgramCall) -> int:
        call.write_stdout("told: " + "|".join(call.argv) + "\r\n")
        call.write_stderr("complaint\r\n")
        return 3

    def _far_read(self, call: Call) -> Iterable[object]:
        call.warning("from afar")
        return [ps_object("Far.AuthConfig", {"Realm": "", "Mode": PsEnum("Far.Mode", "Full", 1), "Since": NOW})]

    def _fail(self, call: Call) -> Iterable[object]:
        call.throw("it always fails", id="Always", category="InvalidOperation")


@dataclass
class FarSide:
    """The product's endpoint behind a desk."""

    machine: Desk
    generation: int
    session: object = None
    computer_name: str = "ex-01"
    language_mode: str = "NoLanguage"

    @property
    def registry(self) -> Registry:
        return self.machine.far

    def alive(self) -> bool:
        return self.machine.generation == self.generation

    def close(self) -> None:
        """Nothing is held."""


__all__ = ["NOW", "SCRIPT", "TELL", "Desk", "FarSide", "PsObject"]
