"""The real engine: every powershell.exe of a simulated server is a PowerShell process of this machine.

Its commands are modules made from the lab's registry; an endpoint's far side is a second process. What the lab does not
replace is the real thing, run with the rights of whoever started the lab. Processes, and the folder that they keep their files
in, end with the lab.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

from s2slab.engine import made
from s2slab.engine.bridge import Bridge, Event, Side
from s2slab.engine.direct import STOPPED
from s2slab.engine.registry import CommandLine, Machine, Registry
from s2slab.errors import LabError

OLDEST: Final = (7, 4)
_LEFT_OUT = frozenset(("path", "temp", "tmp", "psmodulepath", "home", "userprofile"))
_LAST_WORDS_S = 2.0
_PIECE = 65536
_POLL_S = 0.05
Write = Callable[[bytes], None]


class EngineUnavailable(LabError):
    """There is no PowerShell that the real engine can use; the text says what was looked for."""


def find_pwsh() -> Path:
    """The PowerShell to use: `S2S_PWSH`, else `pwsh` on the PATH. Raises EngineUnavailable."""
    named = os.environ.get("S2S_PWSH")
    found = shutil.which(named or "pwsh")
    if found is None:
        looked = f"S2S_PWSH names {named}, which is no program" if named else "there is no pwsh on the PATH"
        raise EngineUnavailable(
            f"{looked}. Install PowerShell 7.4 or later (https://aka.ms/powershell) or name one in S2S_PWSH; without one the "
            "lab's direct engine serves s2slib itself (--engine direct)."
        )
    return Path(found)


def version_of(program: Path) -> str:
    """What a PowerShell says its version is. Raises EngineUnavailable for one that does not run or is too old."""
    ask = [str(program), "-NoLogo", "-NoProfile", "-NonInteractive", "-Command", "$PSVersionTable.PSVersion.ToString()"]
    try:
        ran = subprocess.run(ask, capture_output=True, timeout=60, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineUnavailable(f"{program} does not start: {error}") from None
    said = ran.stdout.decode("utf-8", "replace").strip()
    numbers = re.fullmatch(r"(\d+)\.(\d+)[\w.+-]*", said)
    if ran.returncode != 0 or numbers is None:
        why = (ran.stderr.decode("utf-8", "replace").strip() or said)[:300]
        raise EngineUnavailable(f"{program} ended with exit code {ran.returncode} and said no version: {why}")
    version = (int(numbers[1]), int(numbers[2]))
    if version < OLDEST and not (sys.platform == "win32" and version == (5, 1)):
        raise EngineUnavailable(
            f"{program} is PowerShell {said}; the real engine needs 7.4 or later (or Windows PowerShell 5.1, on Windows)."
        )
    return said


class RealEngine:
    """Starts real processes for simulated servers. Raises EngineUnavailable when there is no PowerShell for it."""

    name = "pwsh"

    def __init__(self, program: Path | None = None) -> None:
        self.pwsh = program or find_pwsh()
        self.version = version_of(self.pwsh)
        self.workshop = Workshop(self.pwsh)

    def program(
        self, line: CommandLine, machine: Machine, session: Any, environment: Mapping[str, str]
    ) -> Callable[[BinaryIO, Write, Write, threading.Event], int]:
        """What a powershell.exe with this command line does with its streams."""

        def run(stdin: BinaryIO, stdout: Write, stderr: Write, stop: threading.Event) -> int:
            command = self._command(line)
            side = self.workshop.bridge.admit(Side(machine.registry, machine, session))
            try:
                surroundings = {**self.workshop.environment(side), **environment}
                return _pump(command, surroundings, self.workshop.folder, stdin, stdout, stderr, stop)
            finally:
                self.workshop.bridge.dismiss(side)

        return run

    def close(self) -> None:
        """End every process; leave nothing in the temporary folder."""
        self.workshop.close()

    def _command(self, line: CommandLine) -> list[str]:
        """The line as this PowerShell takes it: the lab's set-up first, bare words as a command."""
        text, main = line.text, self.workshop.folder / "main.ps1"
        command = [str(self.pwsh), *line.options]
        if not self.version.startswith("5."):
            command[1:1] = ["-ConfigurationFile", str(self.workshop.folder / "lab.pssc")]
        elif line.how in ("command", "encodedcommand"):  # UNCONFIRMED: Windows PowerShell 5.1 has no such option
            text = f". {made.quoted(str(main))}\n{text}"
        if line.how == "encodedcommand":
            return [*command, "-EncodedCommand", base64.b64encode(text.encode("utf-16-le", "surrogatepass")).decode()]
        return [*command, "-File" if line.how == "file" else "-Command", text or "-", *line.rest]


class Workshop:
    """A lab's bridge, and the folder of what its processes load: modules, drives, their own temporary files."""

    def __init__(self, pwsh: Path | None = None) -> None:
        self._pwsh = pwsh
        self.folder = Path(tempfile.mkdtemp(prefix="s2s-lab-"))
        self.console: Callable[[Event], tuple[Event, Side]] | None = None  # who may sit down at a server, and where
        self.bridge = Bridge(self._prepare, _end_process, self._sit_down)
        self._machines: dict[int, tuple[Registry, Path]] = {}  # holding a registry keeps its id its own
        self._lock = threading.Lock()
        scripts = files("s2slab.engine") / "pwsh"
        for name in ("S2SLab.psm1", "prelude.ps1", "main.ps1", "far.ps1", "console.ps1"):
            (self.folder / name).write_bytes(scripts.joinpath(name).read_bytes())
        (self.folder / "lab.pssc").write_text(
            "@{ SchemaVersion = '2.0.0.0'; GUID = '4e0f2a54-8f1f-4f0c-9d4b-6d5a1f0f6b11'; SessionType = 'Default'; "
            f"ScriptsToProcess = @({made.quoted(str(self.folder / 'main.ps1'))}) }}\n",
            encoding="utf-8",
        )
        for name in ("temporary", "home"):
            (self.folder / name).mkdir()

    def close(self) -> None:
        """Stop serving and remove the folder."""
        self.bridge.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, side: Side) -> dict[str, str]:
        """The environment of a process of a side."""
        machine = self._machine(side.machine)
        own = side.machine.environment(side.session)
        home, temporary = str(self.folder / "home"), str(self.folder / "temporary")
        inherited = dict(os.environ) if sys.platform == "win32" else {"PATH": os.environ.get("PATH", os.defpath)}
        return {
            **inherited,
            **{name: value for name, value in own.items() if name.lower() not in _LEFT_OUT},
            **dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"), home),
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temporary),
            "LANG": "en_US.UTF-8",
            "TZ": "UTC",
            "NO_COLOR": "1",
            "POWERSHELL_TELEMETRY_OPTOUT": "1",
            "POWERSHELL_UPDATECHECK": "Off",
            "DOTNET_EnableDiagnostics": "0",  # and none of the work that pays off in long-lived processes only
            "DOTNET_TieredPGO": "0",
            "DOTNET_gcConcurrent": "0",
            "S2S_LAB_BRIDGE": str(self.bridge.port),
            "S2S_LAB_FOLDER": str(self.folder),
            "S2S_LAB_DRIVE": str(machine / "drive"),
            "S2S_LAB_LANGUAGE": side.machine.language_mode,
            **self._places(side, machine),
        }

    def _places(self, side: Side, machine: Path) -> dict[str, str]:
        shipped = [] if self._pwsh is None else [str(self._pwsh.resolve().parent / "Modules")]
        return {
            "S2S_LAB_TOKEN": side.token,
            "S2S_LAB_MACHINE": str(machine),
            "PSModulePath": os.pathsep.join([str(machine / "modules"), *shipped]),
        }

    def _machine(self, machine: Machine) -> Path:
        """The folder of a machine's modules and drive, made at first use."""
        with self._lock:
            _, found = self._machines.get(id(machine.registry), (None, None))
            if found is None:
                found = self.folder / f"machine{len(self._machines) + 1}"
                scripts = {script.path for script in machine.registry.scripts()} | set(machine.script_files())
                made.write_modules(found, machine.registry, sorted(scripts))
                (found / "drive" / "Windows" / "System32").mkdir(parents=True)
                self._machines[id(machine.registry)] = machine.registry, found
            for path in machine.script_files():
                text = machine.read_file(path)
                file = found / "drive" / made.on_drive(path)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text or "", encoding="utf-8", newline="")
            return found

    def door(self) -> dict[str, Any]:
        """How a console reaches this lab."""
        return {"port": self.bridge.port, "token": self.bridge.token}

    def _sit_down(self, request: Event) -> tuple[Event, Side | None]:
        try:
            assert self.console is not None
            extra, side = self.console(request)
        except KeyError as unknown:
            return {"e": "refused", "v": f"=the lab has no server or account {unknown}"}, None
        surroundings = {**self.environment(self.bridge.admit(side)), **extra}
        del surroundings["NO_COLOR"]
        script = str(self.folder / "console.ps1")
        return {"e": "console", "environment": sorted(surroundings.items()), "script": script}, side

    def _prepare(self, far: Side) -> Event:
        """What the process of an endpoint's far side needs."""
        full = far.endpoint is not None and far.endpoint.language_mode == "FullLanguage"
        places = self._places(far, self._machine(far.machine))
        if not full:
            names = " ".join(sorted(spec.name for spec in far.registry.cmdlets()))
            folder = self.folder / "far" / hashlib.sha256(names.encode()).hexdigest()[:16]
            if not folder.exists():
                made.write_far(folder, far.registry)
            places |= {"S2S_LAB_FAR": str(folder), "PSModulePath": ""}
        return {"full": full, "environment": sorted(places.items())}


def _end_process(number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError, OSError):
        os.kill(number, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def _pump(
    command: list[str],
    environment: Mapping[str, str],
    folder: Path,
    stdin: BinaryIO,
    stdout: Write,
    stderr: Write,
    stop: threading.Event,
) -> int:
    """Run a process with its streams led here; its exit code, or STOPPED once it was ended from outside."""
    child = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        cwd=folder / "home",
        start_new_session=True,
    )
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None

    def feed(pipe: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := stdin.read1(_PIECE):  # type: ignore[attr-defined]
                pipe.write(data)
                pipe.flush()
            pipe.close()

    def drain(pipe: IO[bytes], write: Write) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := pipe.read1(_PIECE):  # type: ignore[attr-defined]
                write(data)

    threading.Thread(target=feed, args=(child.stdin,), daemon=True).start()
    readers = [
        threading.Thread(target=drain, args=(child.stdout, stdout), daemon=True),
        threading.Thread(target=drain, args=(child.stderr, stderr), daemon=True),
    ]
    for reader in readers:
        reader.start()
    while child.poll() is None:
        if stop.wait(_POLL_S):
            _end_group(child)
            child.wait()
            return STOPPED
    for reader in readers:
        reader.join(_LAST_WORDS_S)
    _end_group(child)  # far sides that it left behind
    return child.returncode


def _end_group(child: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        child.kill()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
