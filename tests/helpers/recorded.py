"""What passes between clients and powershell.exe, kept and asked again of another engine; and how two answers compare.

A recording is a list of steps in the order in which they ended: a process started, a request with the secrets before it and its
answer, a process's end, something done to the estate. Another lab of the same seed is led through the same steps, one by one.
What each lab drew by itself (GUIDs, keys, passwords) is renamed on the way there, and held one to one on the way back.
"""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from s2slab.engine.registry import CommandLine, Machine
from s2slab.estate.estate import Estate
from s2slab.machine.machine import LabMachine, LabSession
from s2slab.network.network import Network
from s2slab.winrm.launch import Engine
from s2slab.winrm.process import Program, ThreadProcess

# A GUID; a thumbprint, a GUID without dashes; a certificate, a token; a key's name; the last part of an Exchange error's id.
TOKEN = re.compile(
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|\b[0-9A-Fa-f]{32,40}\b|[A-Za-z0-9+/_=-]{60,}|(?<=\"x5t\":\")[\w-]+"
    r"|(?<=\] )[0-9A-F]{1,8}(?=,)|\btmp_\w{8}\.\w{3}\b"
)
# 7.6 puts a narrow space between time and AM where Windows has a plain one.
WALL_CLOCK = re.compile(r"(?<=Date: )[^\r\n]+GMT")  # web servers keep the time of the machine that they run on
FREE = ("ms", "pid", "version")  # milliseconds; the process's own number; the engine's version
WAIT_S = 90.0


@dataclass
class Step:
    """One step. `ask` is one request line and the secret lines in front of it, `answer` the frame's payload."""

    kind: str  # start | ask | end | estate
    process: int = 0
    line: CommandLine | None = None
    server: str = ""
    session: Any = None
    ask: Sequence[bytes] = ()
    answer: Mapping[str, Any] = field(default_factory=dict)
    change: Callable[[Estate], None] | None = None


class Recording:
    """An engine that hands everything on to another one and keeps it."""

    name = "recording"

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._processes = 0
        self.steps: list[Step] = []

    def program(self, line: CommandLine, machine: Machine, session: Any, environment: Mapping[str, str]) -> Program:
        with self._lock:
            self._processes += 1
            number = self._processes
            self.steps.append(Step("start", number, line, machine.fqdn, session))
        inner = self._inner.program(line, machine, session, environment)

        def run(stdin: BinaryIO, stdout: Any, stderr: Any, stop: threading.Event) -> int:
            asked = _Asked()
            frames = Frames()

            def out(data: bytes) -> None:
                for payload in frames.feed(data):
                    if "alive_s" not in payload:
                        self._keep(Step("ask", number, ask=asked.take(payload), answer=payload))
                stdout(data)

            try:
                return inner(_Tee(stdin, asked.line), out, stderr, stop)
            finally:
                self._keep(Step("end", number))

        return run

    def change(self, estate: Estate, change: Callable[[Estate], None]) -> None:
        """Do something to the estate, here and at the same place of every repetition."""
        change(estate)
        self._keep(Step("estate", change=change))

    def close(self) -> None:
        self._inner.close()

    def _keep(self, step: Step) -> None:
        with self._lock:
            self.steps.append(step)


class _Asked:
    """The request lines of one process that are not answered yet, in their order."""

    def __init__(self) -> None:
        self._waiting: list[list[bytes]] = []
        self._secrets: list[bytes] = []
        self._lines = 0

    def line(self, line: bytes) -> None:
        self._lines += 1
        if self._lines <= 2:  # the script and the nonce, answered by `ready`
            self._secrets.append(line)
            if self._lines == 2:
                self._flush()
        elif line.startswith(b"!"):
            self._secrets.append(line)
        else:
            self._secrets.append(line)
            self._flush()

    def _flush(self) -> None:
        self._waiting.append(self._secrets)
        self._secrets = []

    def take(self, payload: Mapping[str, Any]) -> list[bytes]:
        return self._waiting.pop(0)


class _Tee(io.RawIOBase):
    """Standard input, each line told on its way."""

    def __init__(self, source: BinaryIO, tell: Callable[[bytes], None]) -> None:
        super().__init__()
        self._source, self._tell, self._begun = source, tell, b""

    def readable(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._told(self._source.readline(-1 if size is None else size))

    def read1(self, size: int = -1, /) -> bytes:
        return self._told(self._source.read1(size))  # type: ignore[attr-defined]

    def _told(self, data: bytes) -> bytes:
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            self._tell(line + b"\n")
        return data


class Frames:
    """Frames out of a process's standard output."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        found = [re.fullmatch(rb"<[0-9a-f]+ \d+ [0-9A-F-]+ (.*)>", line.strip()) for line in lines]
        return [json.loads(one[1]) for one in found if one is not None]


class Renaming:
    """What one lab drew against what the other did: one to one, for the whole recording."""

    def __init__(self) -> None:
        self._there: dict[str, str] = {}
        self._back: dict[str, str] = {}

    def same(self, ours: str, theirs: str) -> bool:
        """Whether the texts agree but for what each lab drew by itself."""
        ours, theirs = (WALL_CLOCK.sub("", text.replace("\u202f", " ")) for text in (ours, theirs))
        if ours == theirs:
            return True
        if TOKEN.split(ours) != TOKEN.split(theirs):
            return False
        pairs = list(zip(TOKEN.findall(ours), TOKEN.findall(theirs), strict=True))
        return all(self._pair(left, right) for left, right in pairs)

    def know(self, ours: str, theirs: str) -> None:
        """Say a pair."""
        self._there[ours], self._back[theirs] = theirs, ours

    def there(self, text: str) -> str:
        """A text of ours as the other lab has it."""
        return self._there.get(text) or TOKEN.sub(lambda found: self._there.get(found[0], found[0]), text)

    def _pair(self, left: str, right: str) -> bool:
        known, back = self._there.get(left), self._back.get(right)
        if known is None and back is None:
            self.know(left, right)
            return True
        return known == right and back == left


def differences(ours: Any, theirs: Any, renaming: Renaming, at: str = "") -> list[str]:
    """Where two payloads differ, as `path: ours | theirs`; texts are decoded."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        found = [f"{at}.{key}: missing in one" for key in sorted(set(ours) ^ set(theirs))]
        for key in ours:
            if key in theirs and not (at == "" and key in FREE):
                found += differences(ours[key], theirs[key], renaming, f"{at}.{key}")
        return found
    if isinstance(ours, list) and isinstance(theirs, list):
        if at.endswith("[]]") or len(ours) != len(theirs):
            return [f"{at}: {len(ours)} | {len(theirs)} items: {_shown(ours)} | {_shown(theirs)}"]
        left, right = _in_order(ours, at), _in_order(theirs, at)
        return [
            line
            for number, (one, other) in enumerate(zip(left, right, strict=True))
            for line in differences(one, other, renaming, f"{at}[{number}]")
        ]
    if isinstance(ours, str) and isinstance(theirs, str) and at != ".state":
        left_text, right_text = _text(ours), _text(theirs)
        return [] if renaming.same(left_text, right_text) else [f"{at}: {left_text!r} | {right_text!r}"]
    return [] if ours == theirs and type(ours) is type(theirs) else [f"{at}: {ours!r} | {theirs!r}"]


def _in_order(items: list[Any], at: str) -> list[Any]:
    """An object's properties by name: their order is the engine's own where types carry members."""
    pairs = all(isinstance(item, list) and len(item) == 2 and isinstance(item[0], str) for item in items)
    return sorted(items, key=lambda pair: _text(pair[0])) if items and pairs and at.endswith("[1]") else items


def _shown(value: Any) -> str:
    return repr(readable(value))[:300]


def readable(value: Any) -> Any:
    """A payload with its texts decoded."""
    if isinstance(value, Mapping):
        return {key: readable(held) for key, held in value.items()}
    if isinstance(value, list):
        return [readable(item) for item in value]
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("utf-8")
    except ValueError:
        return value


class Repetition:
    """Leads another lab through a recording's steps and compares its answers."""

    def __init__(self, engine: Engine, estate: Estate, network: Network, renaming: Renaming) -> None:
        self._engine, self._estate, self._renaming = engine, estate, renaming
        self._machines = {name: LabMachine(estate, server, network) for name, server in estate.servers.items()}
        self._processes: dict[int, Driven] = {}
        self.compared = 0
        self.found: list[str] = []

    def run(self, steps: Sequence[Step]) -> None:
        """Every step in turn."""
        for step in steps:
            if step.kind == "start":
                self._processes[step.process] = self._start(step)
            elif step.kind == "end":
                self._processes.pop(step.process).end()
            elif step.kind == "estate":
                assert step.change is not None
                step.change(self._estate)
            else:
                self._ask(step)
        for left in self._processes.values():
            left.end()

    def _start(self, step: Step) -> Driven:
        account = self._estate.accounts[step.session.account.name]
        session = LabSession(account, step.session.method, step.session.delegated)
        machine = next(m for m in self._machines.values() if m.fqdn == step.server)
        assert step.line is not None
        return Driven(self._engine.program(step.line, machine, session, {}))

    def _ask(self, step: Step) -> None:
        lines = list(step.ask)
        if step.answer.get("state") != "ready":
            lines = [self._renamed(line) for line in lines]
        answer = self._processes[step.process].ask(b"".join(lines), step.answer.get("id"))
        self.compared += 1
        what = f"{_command(step)}:"
        if answer is None:
            self.found.append(f"{what}: no answer in {WAIT_S:.0f} s: {self._processes[step.process].said()}")
            return
        self.found += [f"{what} {line}" for line in differences(step.answer, answer, self._renaming)]

    def _renamed(self, line: bytes) -> bytes:
        if line.startswith(b"!"):
            name, _, secret = line.strip().partition(b" ")
            return name + b" " + base64.b64encode(self._renaming.there(_text(secret.decode())).encode()) + b"\n"
        request = json.loads(base64.b64decode(line))
        return base64.b64encode(json.dumps(self._inside(request)).encode()) + b"\n"

    def _inside(self, value: Any) -> Any:
        if isinstance(value, dict):
            inner = {key: self._inside(held) for key, held in value.items()}
            if value.get("k") == "text":
                inner["v"] = base64.b64encode(self._renaming.there(_text(value["v"])).encode()).decode()
            return inner
        return [self._inside(item) for item in value] if isinstance(value, list) else value


def _command(step: Step) -> str:
    request = step.ask[-1]
    try:
        found = json.loads(base64.b64decode(request))
        given = " ".join(f"-{one['n']} {readable(one.get('v'))}" for one in found.get("parameters") or ())
        return f"{_text(found.get('command') or found.get('op'))} {given}".strip()[:160]
    except (ValueError, TypeError):
        return "ready"


class Driven:
    """A process whose requests come from a recording."""

    def __init__(self, program: Program) -> None:
        self._process = ThreadProcess(program)
        self._frames = Frames()
        self._said = b""
        self.heard: list[dict[str, Any]] = []  # every answer so far

    def ask(self, lines: bytes, number: Any) -> dict[str, Any] | None:
        self._process.feed(lines, False)
        waited = 0.0
        while waited < WAIT_S:
            chunks, code = self._process.output(1.0, 1 << 20)
            waited += 0.0 if chunks else 1.0
            for stream, data in chunks:
                if stream == "stderr":
                    self._said += data
                new = [one for one in self._frames.feed(data) if "alive_s" not in one] if stream == "stdout" else []
                self.heard += new
                found = [one for one in new if one.get("id") == number]
                if found:
                    return found[0]
            if code is not None:
                return None
        return None

    def said(self) -> str:
        return self._said[-600:].decode("utf-8", "replace")

    def end(self) -> None:
        self._process.feed(b"", True)
        if not self._process.join(10):
            self.terminate()

    def terminate(self) -> None:
        self._process.terminate()
        self._process.join(5)

    @property
    def ended(self) -> bool:
        return self._process.join(0)
