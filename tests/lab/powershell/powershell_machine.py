"""A machine with a few cmdlets, files and one remote endpoint, and what came out of a process on it."""

from __future__ import annotations

import base64
import json
import queue
import re
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from s2slib.lab.powershell import (
    BindError,
    Call,
    CmdletSpec,
    EndpointError,
    Parameter,
    ProgramCall,
    ProgramSpec,
    PsEnum,
    Registry,
    ps_object,
    run_process,
)

APPLICATION = "Microsoft.Rtc.Management.WritableConfig.Settings.SSAuth.PartnerApplication"
TRUST = "Microsoft.Rtc.Management.WritableConfig.Settings.SSAuth.ApplicationTrustLevel"


def new_partner_application(call: Call) -> Iterable[object]:
    if not call.should_process(str(call.parameters["Identity"])):
        return
    level = call.parameters["ApplicationTrustLevel"]
    yield ps_object(
        APPLICATION,
        Identity=call.parameters["Identity"],
        Enabled=call.parameters.get("Enabled", True),
        Level=PsEnum(TRUST, str(level), 1),
        AuthTokens=["a", "b"],
        Nested=ps_object("Some.Nested", Inner=1),
    )


def metadata_url(call: Call, value: object) -> object:
    if "unreachable" in str(value):
        raise BindError("The remote name could not be resolved.")
    return value


def get_partner_application(call: Call) -> Iterable[object]:
    identity = call.parameters.get("Identity")
    if identity == "Missing":
        call.throw(
            f"The object '{identity}' couldn't be found.",
            id="ManagementObjectNotFoundException",
            category="ObjectNotFound",
            target=identity,
            exception="Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException",
        )
    if identity == "Soft":
        call.write_error("soft failure", id="SoftId", category="InvalidData")
        call.warning("be careful")
        call.verbose("looking")
        return [ps_object(APPLICATION, Identity="after")]
    return [ps_object(APPLICATION, Identity=identity or "Exchange", Url="https://x/1")]


def wait_long(call: Call) -> Iterable[object]:
    yield "started"
    call.stopping.wait(30)


def deaf(call: Call) -> None:
    time.sleep(1.5)


def throw_remotely(call: Call) -> None:
    call.throw("remote boom", id="BoomId", category="InvalidOperation", exception="System.InvalidOperationException")


def who(call: Call) -> Iterable[object]:
    return [f"{call.machine.name}:{call.session}:{len(call.command_id)}"]


NEW_APPLICATION = CmdletSpec(
    "New-CsPartnerApplication",
    new_partner_application,
    (
        Parameter("Identity", "string", position=0, mandatory=True),
        Parameter("ApplicationTrustLevel", "string", mandatory=True, values=("Full", "Restricted")),
        Parameter("MetadataUrl", "uri", mandatory=True, sets=("MetadataUrl",), transform=metadata_url),
        Parameter("UseOAuthServer", "switch", mandatory=True, sets=("OAuth",)),
        Parameter("Enabled", "bool"),
        Parameter("Since", "datetime"),
        Parameter("Tags", "string[]", aliases=("Label",)),
    ),
    module="Lync",
    default_set="MetadataUrl",
    should_process=True,
)
GET_APPLICATION = CmdletSpec(
    "Get-CsPartnerApplication",
    get_partner_application,
    (Parameter("Identity", "string", position=0, from_pipeline=True, from_pipeline_by_property_name=True),),
    module="Lync",
)


class LabEndpoint:
    def __init__(self, machine: LabMachine, session: object, computer: str) -> None:
        self.registry, self.machine, self.session, self.computer_name = Registry(), machine, session, computer
        self.language_mode = "NoLanguage"
        self.up = True
        self.closed = False
        for spec in (NEW_APPLICATION, GET_APPLICATION, WAIT, DEAF, THROW, WHO):
            self.registry.add(spec)

    def alive(self) -> bool:
        return self.up and not self.closed

    def close(self) -> None:
        self.closed = True


WAIT = CmdletSpec("Wait-Long", wait_long)
DEAF = CmdletSpec("Invoke-Deaf", deaf)
THROW = CmdletSpec("Invoke-Boom", throw_remotely)
WHO = CmdletSpec("Get-Who", who)


def iisreset(call: ProgramCall) -> int:
    call.write_stdout("Attempting stop...\r\nInternet services successfully restarted\r\n")
    if "/fail" in call.argv:
        call.write_stderr("Access denied\r\n")
        return 5
    call.write_stdout(" ".join(call.argv))
    return 0


class LabMachine:
    name = "atl-cs-001"
    fqdn = "atl-cs-001.litwareinc.com"
    language_mode = "FullLanguage"
    powershell_version = "5.1.14393.4530"

    def __init__(self) -> None:
        self.registry = Registry()
        self.files: dict[str, str] = {}
        self.endpoints: list[LabEndpoint] = []
        self.opened: list[dict[str, Any]] = []
        self.refuse: EndpointError | None = None
        for spec in (NEW_APPLICATION, GET_APPLICATION, WAIT, DEAF, WHO):
            self.registry.add(spec)
        self.registry.add(ProgramSpec("iisreset.exe", iisreset))

    def environment(self, session: object) -> dict[str, str]:
        return {"COMPUTERNAME": self.name.upper(), "USERNAME": "kenmyer"}

    def read_file(self, path: str) -> str | None:
        return self.files.get(path.lower())

    def exists(self, path: str) -> bool:
        return path.lower() in self.files

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)

    def sleep(self, seconds: float, stopping: threading.Event) -> bool:
        return False

    def open_endpoint(self, session: object, **how: Any) -> LabEndpoint:
        self.opened.append(how)
        if self.refuse is not None:
            raise self.refuse
        endpoint = LabEndpoint(self, f"remote of {session}", how["computer"] or "exch.litwareinc.com")
        self.endpoints.append(endpoint)
        return endpoint


@dataclass
class Ended:
    rc: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def error_text(self) -> str:
        """The error stream's records as one text, wrapping undone."""
        parts = re.findall(r'<S S="Error">(.*?)</S>', self.err, re.S)
        text = "".join(p.replace("_x000D__x000A_", "\n") for p in parts) if parts else self.err
        return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def encoded(script: str) -> list[str]:
    text = base64.b64encode(script.encode("utf-16-le", "surrogatepass")).decode("ascii")
    return ["-NoProfile", "-NonInteractive", "-EncodedCommand", text]


class Pipe:
    """Standard input that is written while the process runs."""

    def __init__(self) -> None:
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._ended = False

    def feed(self, text: str) -> None:
        self._lines.put(text.encode("utf-8"))

    def close(self) -> None:
        self._lines.put(b"")

    def readline(self, *_: int) -> bytes:
        if self._ended:
            return b""
        line = self._lines.get(timeout=20)
        self._ended = not line
        return line

    def read(self, *_: int) -> bytes:
        return b"".join(iter(self.readline, b""))


class Running:
    """A process in a thread of its own, answering in frames."""

    FRAME = re.compile(r"<(\S+) (\d+) (\S+) (\S+)>")

    def __init__(self, machine: LabMachine, script: str) -> None:
        self.stdin, self.stop, self.rc = Pipe(), threading.Event(), -1
        self.frames: queue.Queue[Any] = queue.Queue()
        self.text = ""
        self.err = bytearray()
        self._rest = b""
        self._thread = threading.Thread(target=self._work, args=(machine, encoded(script)), daemon=True)
        self._thread.start()

    def _work(self, machine: LabMachine, argv: list[str]) -> None:
        self.rc = run_process(
            argv, stdin=self.stdin, stdout=self._out, stderr=self.err.extend, machine=machine, session="ken",
            stop=self.stop,
        )  # type: ignore[arg-type]  # fmt: skip
        self.frames.put(None)

    def _out(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            text = line.decode("utf-8").rstrip("\r")
            found = self.FRAME.fullmatch(text)
            if found:
                self.frames.put(json.loads(base64.b64decode(found[4])))
            else:
                self.text += text + "\n"

    def send(self, **request: Any) -> None:
        self.stdin.feed(base64.b64encode(json.dumps(request).encode("utf-8")).decode("ascii") + "\n")

    def answer(self, *, skip_alive: bool = True) -> Any:
        while True:
            frame = self.frames.get(timeout=20)
            if frame is None:
                raise AssertionError(f"ended with {self.rc}: {self.err.decode('utf-8')}")
            if not skip_alive or "alive_s" not in frame:
                return frame

    def ask(self, **request: Any) -> Any:
        self.send(**request)
        return self.answer()

    def end(self) -> int:
        self.stdin.close()
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.rc
