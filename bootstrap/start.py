"""What run.py does with its arguments: sees to the environment, says so first, and hands over."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap import jupyter, lock, sets
from bootstrap.console import Console
from bootstrap.errors import SetupError, UsageError
from bootstrap.programs import Runner, run_program
from bootstrap.venv import LOCK, Environment, Step
from bootstrap.wheelhouse import LIST, Wheelhouse, checked, seal

USAGE = """\
run.py [--offline DIR] VERB ...

  demo             the whole runbook against the embedded lab
  lab              the embedded lab alone
  notebook [...]   JupyterLab on the runbooks
  test [...]       the tests; what follows goes to pytest
  check, plan ...  every other verb goes to s2s, with what follows it: run.py check params/lab.yaml

  setup [SET ...]  install now what is otherwise installed when first needed (run, test, ui, dev; all of them)
  wheelhouse DIR   download everything into DIR, for machines without internet
  --offline DIR    install from such a folder only, each file checked against its SHA-256
"""
EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED = 1, 64, 130
SET_UP_S = "S2S_SET_UP_S"  # tells the demo how long the set-up took, in seconds
_SETS = {"test": ("test",), "notebook": ("ui",)}
_S2S = "import sys; from s2slib.cli.main import main; sys.argv[0] = 's2s'; sys.exit(main())"

HandOver = Callable[[Sequence[str], Mapping[str, str], Path | None], int]


@dataclass(frozen=True)
class Request:
    """A command line of run.py: the verb, what follows it, and the wheelhouse to install from."""

    verb: str
    rest: tuple[str, ...]
    offline: Path | None

    @property
    def sets(self) -> tuple[str, ...]:
        """The names of the sets that the verb needs."""
        if self.verb == "setup":
            return self.rest or tuple(sets.FILES)
        return () if self.verb == "wheelhouse" else _SETS.get(self.verb, ("run",))


def parse(arguments: Sequence[str]) -> Request | None:
    """The request in a command line; None if help is asked for. UsageError."""
    rest: list[str] = []
    offline: Path | None = None
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            rest += [argument, *waiting]
            break
        name, equals, value = argument.partition("=")
        if name == "--offline":
            if not equals and not waiting:
                raise UsageError("--offline needs the folder of wheels")
            offline = Path(value if equals else waiting.pop(0)).expanduser().absolute()
        else:
            rest.append(argument)
    if rest and rest[0] in ("-h", "--help"):
        return None
    if not rest or rest[0].startswith("-"):
        raise UsageError(f"{rest[0]} is not known here" if rest else "what shall it do?")
    request = Request(rest[0], tuple(rest[1:]), offline)
    if request.verb == "wheelhouse" and (len(request.rest) != 1 or offline):
        raise UsageError("wheelhouse takes one folder, which must be new or empty, and needs the internet")
    unknown = [name for name in request.sets if name not in sets.FILES]
    if unknown:
        raise UsageError(f"there is no set {unknown[0]!r}; the sets are {', '.join(sets.FILES)}")
    return request


def start(
    root: str | os.PathLike[str],
    arguments: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    run: Runner = run_program,
    hand_over: HandOver | None = None,
    console: Console | None = None,
) -> int:
    """run.py: returns the exit code, unless the process has become the program that was asked for."""
    console = console or Console(sys.stderr)
    environ = dict(os.environ if environ is None else environ)
    environ.pop("__PYVENV_LAUNCHER__", None)  # macOS: would make the new environment believe it is the old one
    environment = Environment(Path(root), {**environ, "PYTHONIOENCODING": "utf-8"}, run, console)
    began = time.monotonic()
    try:
        request = parse(arguments)
        if request is None:
            console.say(USAGE.rstrip())
            return 0
        prepare(environment, request)
        if request.verb == "wheelhouse":
            fill_wheelhouse(environment, Path(request.rest[0]).expanduser().absolute())
            return 0
        if request.verb == "setup":
            console.say("run.py: everything asked for is installed")
            return 0
        argv, folder = command(environment, request)
        took = f"{time.monotonic() - began:.1f}"
        return (hand_over or become)(argv, {**environ, "PYTHONUTF8": "1", SET_UP_S: took}, folder)
    except UsageError as error:
        console.say(f"run.py: {error}\n\n{USAGE.rstrip()}")
        return EXIT_USAGE
    except SetupError as error:
        console.say(f"run.py: {error}")
        return EXIT_ERROR
    except OSError as error:
        console.say(f"run.py: {error.filename or root}: {error.strerror}")
        return EXIT_ERROR
    except KeyboardInterrupt:
        console.say("run.py: interrupted; the next start takes it up again")
        return EXIT_INTERRUPTED


def prepare(environment: Environment, request: Request) -> None:
    """Afterwards the environment has what the request needs. Says first what it will do; one process at a time."""
    wanted = sets.load_all(environment.root, request.sets)
    if environment.step(wanted).do == "nothing":
        return

    def on_wait() -> None:
        environment.console.say("run.py: another start is setting up .venv; waiting for it (Ctrl-C gives up)")

    with lock.exclusive(environment.root / LOCK, on_wait):
        step = environment.step(wanted)
        if step.do == "nothing":
            return
        source = checked(request.offline) if request.offline and step.missing else None
        environment.console.say(announcement(environment, step, source, request))
        environment.carry_out(step, source)


def announcement(environment: Environment, step: Step, source: Wheelhouse | None, request: Request) -> str:
    """What will be done, for the operator to read before it is."""
    todo = []
    if step.do == "replace":
        todo.append("delete .venv")
    elif step.do == "set aside":
        todo.append("set .venv aside")
    if step.do != "install":
        todo.append(f"make .venv with {environment.base}")
    if step.missing:
        pins = len({pin for each in step.missing for pin in each.pins})
        files = ", ".join(each.file.name for each in step.missing)
        origin = (
            f"from {source.folder} ({source.files} files checked)" if source else "with pip, as pip is configured here"
        )
        todo.append(f"install up to {pins} packages, pinned in {files}, {origin}; half a minute and the download")
    todo.append("make s2s available in .venv")
    if request.verb != "setup":
        todo.append(f"then: {' '.join((request.verb, *request.rest))}")
    lines = [f"run.py: {step.why}" if step.why else "", f"run.py will, in {environment.root}:"]
    lines += [f"  - {each}" for each in todo]
    if source:
        lines.append(f"SHA-256 of {LIST}: {source.digest}")
    return "\n".join(line for line in lines if line)


def command(environment: Environment, request: Request) -> tuple[list[str], Path | None]:
    """What is started for a request, and in which folder (None: the current one)."""
    python = str(environment.python)
    if request.verb == "test":
        return [python, "-m", "pytest", *(request.rest or ("-n", "2"))], environment.root  # the fast ones side by side
    if request.verb == "notebook":
        return [python, *jupyter.command(environment.root), *request.rest], environment.root
    # -P: a module that happens to lie in the current folder is not taken for one of ours
    return [python, "-P", "-c", _S2S, request.verb, *request.rest], None


def become(argv: Sequence[str], environ: Mapping[str, str], folder: Path | None) -> int:
    """Starts the program in place of this process; on Windows, which cannot, waits for it and returns its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        if folder is not None:
            os.chdir(folder)
        os.execve(argv[0], list(argv), dict(environ))
    process = subprocess.Popen(argv, env=dict(environ), cwd=folder)
    # Ctrl-C reaches the program as well, through the console; it decides what that means.
    with _interrupts_ignored():
        return process.wait()


def fill_wheelhouse(environment: Environment, folder: Path) -> None:
    """Downloads all sets into a folder, which appears when it is complete, with the list of what is in it."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SetupError(f"{folder} is there already and not empty: name a new folder")
    everything = sets.load_all(environment.root, sets.FILES)
    pins = len({pin for each in everything for pin in each.pins})
    environment.console.say(f"run.py will download up to {pins} wheels into {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
    ) as scratch:
        part = Path(scratch) / "wheels"
        part.mkdir()
        environment.pip.download([each.file for each in everything], pins, part)
        digest = seal(part)
        if folder.exists():
            folder.rmdir()
        os.replace(part, folder)
    environment.console.say(
        f"run.py: {folder} is complete; copy it, then: run.py --offline DIR demo\nSHA-256 of {LIST}: {digest}"
    )


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
