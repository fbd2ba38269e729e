"""Requests of every kind to the constant script, and the server that they are asked of."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

from helpers.recorded import Driven
from helpers.remoting_machine import SCRIPT, SCRIPT_TEXT, TELL, Desk
from s2slab.engine.registry import BindError, Call, CmdletSpec, Parameter
from s2slab.engine.values import Table, ps_object
from s2slab.winrm.launch import Engine
from s2slab.winrm.powershell_line import read_command_line
from s2slib.remoting.shell.process import BOOTSTRAP, script_text

TYPES = (
    "string", "string[]", "int", "int[]", "long", "bool", "switch", "datetime", "guid", "uri", "hashtable", "object", "byte[]",
    "securestring",
)  # fmt: skip
GUID = "11111111-2222-3333-4444-555555555555"
TEXTS = {"text": "abc", "empty": "", "blank": " ", "number": "12", "hex": "0x10", "fraction": "1.5", "word": "true",
         "date": "2026-01-02", "instant": "2026-01-02T03:04:05.0000000Z", "guid": GUID, "url": "https://a/b c"}  # fmt: skip
Json = dict[str, Any]


def b64(text: str | bytes) -> str:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def of_text(text: str) -> Json:
    return {"k": "text", "v": b64(text)}


def plain(value: object) -> Json:
    return {"k": "plain", "v": value}


def of_list(*items: Json) -> Json:
    return {"k": "list", "v": list(items)}


VALUES: dict[str, Json] = {
    **{name: of_text(text) for name, text in TEXTS.items()},
    "null": plain(None), "yes": plain(True), "no": plain(False), "seven": plain(7), "zero": plain(0), "big": plain(2**40),
    "negative": plain(-1), "when": {"k": "date", "v": b64("2026-01-02T03:04:05.0000000Z")},
    "bytes": {"k": "bytes", "v": b64(b"\x01\x02")}, "no items": of_list(), "one item": of_list(of_text("a")),
    "two items": of_list(of_text("a"), of_text("b")), "numbers": of_list(plain(1), plain(2)), "a null": of_list(plain(None)),
    "nested": of_list(of_list(of_text("a"), of_text("b"))), "secret": {"k": "secret", "v": "s"},
    "credential": {"k": "credential", "v": "s", "user": b64("LITWAREINC\\kenmyer")},
}  # fmt: skip


class Quiz(Desk):
    """The desk with commands for each way that binding can go."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.files[SCRIPT] = SCRIPT_TEXT
        here = self.registry
        for kind in TYPES:
            here.add(CmdletSpec(f"Show-{_word(kind)}", self._shown, (Parameter("X", kind),)))
            here.add(CmdletSpec(f"Need-{_word(kind)}", self._shown, (Parameter("X", kind, mandatory=True),)))
        first, second = ("First",), ("Second",)
        sets = (
            Parameter("Identity", "string", mandatory=True, position=0),
            Parameter("Level", "string", values=("Full", "User"), aliases=("Lev", "Rank")),
            Parameter("Url", "string", mandatory=True, sets=first, position=1),
            Parameter("Raw", "string", mandatory=True, sets=second),
            Parameter("Only", "switch", sets=second),
            Parameter("Tags", "string[]", not_empty=True),
            Parameter("Target", "object", transform=self._refuse),
            Parameter("Maybe", "string", mandatory=True, allow_null=True, sets=second),
        )
        for name, default in (("Set-Thing", "First"), ("Set-Other", "")):
            for place in (here, self.far):
                place.add(CmdletSpec(name, self._shown, sets, default_set=default, should_process=True))
        here.not_simulated = self.far.not_simulated = frozenset(("Get-CsTopology",))
        here.add(CmdletSpec("Get-Deep", self._deep))
        self.far.add(CmdletSpec("Get-Deep", self._deep))
        self.far.add(CmdletSpec("Invoke-Trouble", self._trouble, (Parameter("Hard", "switch"),)))

    def _shown(self, call: Call) -> Iterable[object]:
        rows = {name: _described(value) for name, value in call.parameters.items()}
        if call.name.startswith("Set-") and not call.should_process(str(call.parameters["Identity"])):
            return []
        return [ps_object("Bound", {**rows, "set": call.parameter_set})]

    def _refuse(self, call: Call, value: object) -> object:
        if value == "bad":
            raise BindError("it is bad")
        return value

    def _deep(self, call: Call) -> Iterator[object]:
        inner = ps_object("Inner.Thing", Name="in", More=ps_object("Inmost.Thing", Name="x"))
        named = ps_object("Named.Thing", Name="n")
        named.text = "its text"
        custom = ps_object("System.Management.Automation.PSCustomObject", A=1, B="two")
        yield ps_object(
            "Outer.Thing", Inner=inner, Named=named, Custom=custom, List=[inner, "a"], Map=Table([("k", [1, inner])])
        )
        yield None
        yield [1, "two", None]
        yield "text"
        yield 7


def _word(kind: str) -> str:
    return kind.replace("[]", "s").capitalize()


def _described(value: Any) -> str:
    if isinstance(value, list):
        return f"list({', '.join(map(_described, value))})"
    return f"{type(value).__name__}({value!r})"


def run(command: str, named: Json | None = None, *positional: Json, runspace: str = "local", **changes: Any) -> Json:
    """A `run` request."""
    return {
        "op": "run", "runspace": runspace, "command": b64(command),
        "parameters": [{"n": name, **value} for name, value in (named or {}).items()], "arguments": list(positional),
        "properties": None, "depth": 4, "deadline_s": 20, "limit": 100, "room": 100_000, "exit": False, "keep": None, **changes,
    }  # fmt: skip


def questions() -> Iterator[tuple[str, Json | str]]:
    """(what it is about, the request, or a line as it stands)."""
    yield "open", {"op": "open", "runspace": "local"}
    yield "open another", {"op": "open", "runspace": "script"}
    for kind in TYPES:
        for what, value in VALUES.items():
            if (kind, what) == ("datetime", "fraction"):
                continue  # the first of May of the year that it is
            yield f"{kind} from {what}", run(f"Show-{_word(kind)}", {"X": value})
    for kind in ("string", "string[]", "int[]", "uri", "hashtable", "object", "byte[]", "securestring"):
        for what in ("empty", "null", "no items", "a null", "one item", "bytes"):
            yield f"mandatory {kind} from {what}", run(f"Need-{_word(kind)}", {"X": VALUES[what]})
    one, url, raw = of_text("x"), of_text("https://x"), of_text("raw")
    for name in ("Set-Thing", "Set-Other"):
        for what, named, positional in (
            ("whole", {"Identity": one, "Url": url}, ()),
            ("by position", {}, (one, url)),
            ("too many positions", {}, (one, url, raw)),
            ("by an alias", {"Identity": one, "Url": url, "Rank": of_text("full")}, ()),
            ("by a beginning", {"Ident": one, "U": url, "Le": of_text("USER")}, ()),
            ("an ambiguous beginning", {"Identity": one, "T": url}, ()),
            ("an unknown name", {"Identity": one, "Url": url, "Bogus": one}, ()),
            ("another set", {"Identity": one, "Raw": raw, "Maybe": plain(None)}, ()),
            ("two sets", {"Identity": one, "Url": url, "Raw": raw}, ()),
            ("no set", {"Identity": one}, ()),
            ("a set by its switch", {"Identity": one, "Only": plain(True)}, ()),
            ("a value outside its set", {"Identity": one, "Url": url, "Level": of_text("Nope")}, ()),
            ("an empty list", {"Identity": one, "Url": url, "Tags": of_list()}, ()),
            ("a transformation that refuses", {"Identity": one, "Url": url, "Target": of_text("bad")}, ()),
            ("WhatIf", {"Identity": one, "Url": url, "WhatIf": plain(True)}, ()),
            ("Verbose", {"Identity": one, "Url": url, "Verbose": plain(True)}, ()),
        ):
            yield f"{name}: {what}", run(name, named, *positional)
    for name in ("Get-NoSuch", "Get-CsTopology", "get-zoo", "Get-Zoo"):
        yield name, run(name)
    yield "not simulated, with parameters", run("Get-CsTopology", {"Identity": one})
    yield "wanted properties", run("Get-Zoo", properties=["int", "Nothing", "NoSuch"])
    yield "wanted properties of a text", run("Get-Many", properties=["Length", "Nope"])
    for depth in (1, 2, 4):
        yield f"depth {depth}", run("Get-Deep", depth=depth)
    yield "streams", run("Invoke-Trouble", {"Verbose": plain(True)})
    yield "a terminating error", run("Invoke-Trouble", {"Hard": plain(True)})
    yield "silenced errors", run("Invoke-Trouble", {"ErrorAction": of_text("SilentlyContinue")})
    yield "errors that stop", run("Invoke-Trouble", {"ErrorAction": of_text("Stop")})
    yield "too many objects", run("Get-Many", {"Count": plain(60)}, limit=50)
    yield "too much text", run("Get-Many", {"Count": plain(3), "Size": plain(9_000)}, room=10_000)
    yield "too little room", run("Get-Zoo", room=40)
    yield "a deadline", run("Wait-Long", deadline_s=1)
    yield "a program", run(TELL, None, of_text("/a"), of_text("it’s a $test"), exit=True)
    yield "a program by its name", run("tell", None, of_text("/a"), exit=True)
    yield "a module", run("Import-Module", {"Name": of_text("SkypeForBusiness"), "DisableNameChecking": plain(True)})
    yield (
        "a module that is not there",
        run("Import-Module", {"Name": of_text("Lync"), "DisableNameChecking": plain(True)}),
    )
    yield "a command of a module", run("Get-CsPool")
    opening = {"ConfigurationName": of_text("Microsoft.Exchange"), "ConnectionUri": of_text("http://ex-01/PowerShell/"),
               "Authentication": of_text("Kerberos")}  # fmt: skip
    yield "an endpoint without a credential", run("New-PSSession", opening, keep="refused")
    yield "an endpoint", run("New-PSSession", {**opening, "Credential": VALUES["credential"]}, keep="exchange")
    for name in ("Get-AuthConfig", "Fail-Always", "Get-NoSuch", "Get-CsTopology", "Get-Deep", "Invoke-Trouble"):
        yield f"far {name}", run(name, runspace="exchange")
    yield "far, wanted properties", run("Get-AuthConfig", runspace="exchange", properties=["Mode", "Since"])
    yield "far, a terminating error", run("Invoke-Trouble", {"Hard": plain(True)}, runspace="exchange")
    for what, named in (
        ("whole", {"Realm": one}),
        ("an unknown name", {"Realm": one, "Bogus": one}),
        ("nothing", {}),
        ("a list", {"Realm": of_list(one)}),
        ("nothing in it", {"Realm": plain(None)}),
    ):
        yield f"far Set-AuthConfig: {what}", run("Set-AuthConfig", named, runspace="exchange")
    yield (
        "far, a value outside its set",
        run("Set-Thing", {"Identity": one, "Url": url, "Level": one}, runspace="exchange"),
    )
    yield (
        "far, a refusing transformation",
        run("Set-Thing", {"Identity": one, "Url": url, "Target": of_text("bad")}, runspace="exchange"),
    )
    imports = of_list(*map(of_text, ("Get-AuthConfig", "Set-AuthConfig", "Fail-Always")))
    importing = {"Session": {"k": "session", "v": "exchange"}, "CommandName": imports, "AllowClobber": plain(True),
                 "DisableNameChecking": plain(True)}  # fmt: skip
    yield "importing", run("Import-PSSession", importing, runspace="script")
    yield "an imported command", run("Get-AuthConfig", runspace="script", properties=["Realm"])
    yield "an imported command that fails", run("Fail-Always", runspace="script")
    yield "a script", run(SCRIPT, {"Realm": one}, runspace="script", exit=True)
    yield (
        "stop at errors",
        run(
            "Set-Variable",
            {"Name": of_text("ErrorActionPreference"), "Value": of_text("Stop"), "Scope": of_text("Global")},
            runspace="script",
        ),
    )
    yield "a script that fails", run(SCRIPT, {"Realm": one, "Break": plain(True)}, runspace="script", exit=True)
    yield "a script that is not there", run(r"C:\Scripts\Nope.ps1")
    yield "again", {"op": "again"}
    yield "ping", {"op": "ping"}
    yield "no such operation", {"op": "dance"}
    yield "no such runspace", run("Get-Zoo", runspace="nowhere")
    yield "no command", run("")
    yield "an unknown kind", run("Show-String", {"X": {"k": "moon", "v": 1}})
    yield "a secret that is not there", run("Show-Securestring", {"X": {"k": "secret", "v": "other"}})
    yield "no base64", "this is no request"
    yield "closing", run("Remove-PSSession", {"Session": {"k": "session", "v": "exchange"}})


def answers(engine: Engine, *, progress: Any = None) -> dict[str, Json]:
    """What an engine answers, by what the question is about."""
    desk = Quiz()
    started = ["-NoProfile", "-NonInteractive", "-EncodedCommand", b64(BOOTSTRAP.encode("utf-16-le"))]
    process = Driven(engine.program(read_command_line(started), desk, None, {}))
    found: dict[str, Json] = {}
    try:
        opening = f"{b64(script_text())}\n{'0' * 32}\n".encode()
        found["ready"] = process.ask(opening, 0) or {"missing": process.said()}
        for number, (what, question) in enumerate(questions(), 1):
            line = question if isinstance(question, str) else b64(json.dumps({**question, "id": number}))
            secret = (
                f"!s {b64(desk.password)}\n"
                if isinstance(question, dict) and '"v": "s"' in json.dumps(question)
                else ""
            )
            answer = process.ask(f"{secret}{line}\n".encode(), number if isinstance(question, dict) else -1)
            found[what] = answer or {"missing": process.said()}
    finally:
        process.end()
    return found
