"""What run.py does with its arguments: sees to the environment, says so first, and hands over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.console import Console
from bootstrap.environment import LOCK, PACKAGE, SETS, Environment, Runner, SetupError, Step, pins, run_program
from bootstrap.lock import exclusive

USAGE = """\
run.py [--offline DIR] VERB ...

  demo             the whole runbook against the embedded lab
  lab              the embedded lab alone
  notebook [...]   JupyterLab on the runbooks
  test [...]       the tests; what follows goes to pytest
  check, plan, approve, apply, resume, verify, back-out, status, runs, close, stop, unlock, journal, init, ...
                   every other verb goes to s2s, with what follows it: run.py check params/lab.yaml

  setup [SET ...]  install now what is otherwise installed when first needed (run, test, ui, dev; all of them)
  wheelhouse DIR   download everything into DIR, for machines without internet
  --offline DIR    install from such a folder only; every file has to have the pinned SHA-256"""
EXIT_ERROR, EXIT_USAGE, EXIT_INTERRUPTED = 1, 64, 130
SET_UP_S = "S2S_SET_UP_S"  # tells the demo how long the set-up took, in seconds
_HELP, _OWN = {"-h", "--help"}, ("setup", "wheelhouse", "notebook")  # verbs whose help is this page
_SETS = {"test": ("test",), "notebook": ("ui",)}
FIRST_NOTEBOOK = "notebooks/00_start.ipynb"
_S2S = "import sys; from s2slib.cli.main import main; sys.argv[0] = 's2s'; sys.exit(main())"

HandOver = Callable[[Sequence[str], Mapping[str, str], Path | None], int]


class UsageError(Exception):
    """run.py was asked for something that it does not know."""


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
            return self.rest or tuple(SETS)
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
    if rest and (rest[0] in _HELP or (rest[0] in _OWN and not _HELP.isdisjoint(rest))):
        return None
    if not rest or rest[0].startswith("-"):
        raise UsageError(f"{rest[0]} is not known here" if rest else "what shall it do?")
    request = Request(rest[0], tuple(rest[1:]), offline)
    if request.verb == "wheelhouse" and (len(request.rest) != 1 or offline):
        raise UsageError("wheelhouse takes one folder, which must be new or empty, and needs the internet")
    unknown = [name for name in request.sets if name not in SETS]
    if unknown:
        raise UsageError(f"there is no set {unknown[0]!r}; the sets are {', '.join(SETS)}")
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
    began = time.monotonic()
    console = console or Console(sys.stderr)
    environ = dict(os.environ if environ is None else environ)
    environ.pop("__PYVENV_LAUNCHER__", None)  # macOS: would make the new environment believe it is the old one
    environment = Environment(Path(root), {**environ, "PYTHONIOENCODING": "utf-8"}, run, console)
    try:
        request = parse(arguments)
        if request is None:
            console.say(USAGE)
            return 0
        prepare(environment, request)
        if request.verb == "wheelhouse":
            fill_wheelhouse(environment, Path(request.rest[0]).expanduser().absolute())
        elif request.verb == "setup":
            console.say("run.py: everything asked for is installed")
        else:
            argv, folder = command(environment, request)
            took = f"{time.monotonic() - began:.1f}"
            safe = {"PYTHONSAFEPATH": "1"} if request.verb == "notebook" else {}  # for its kernels too
            return (hand_over or become)(argv, {**environ, **safe, "PYTHONUTF8": "1", SET_UP_S: took}, folder)
        return 0
    except UsageError as error:
        console.say(f"run.py: {error}\n\n{USAGE}")
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
    if environment.step(request.sets).do == "nothing":
        return
    waiting = "run.py: another start is setting up .venv; waiting for it (Ctrl-C gives up)"
    with exclusive(environment.root / LOCK, lambda: environment.console.say(waiting)):
        step = environment.step(request.sets)
        if step.do != "nothing":
            environment.console.say(announcement(environment, step, request))
            environment.carry_out(step, request.offline)


def announcement(environment: Environment, step: Step, request: Request) -> str:
    """What will be done, for the operator to read before it is."""
    todo = {"replace": ["delete .venv"], "set aside": ["set .venv aside"]}.get(step.do, [])
    if step.do != "install":
        todo.append(f"make .venv with {environment.base}")
    if step.sets:
        lines = {line for name in step.sets for line in pins(environment.root, name) if not line.startswith("--")}
        files = ", ".join(SETS[name] for name in step.sets)
        origin = f"from {request.offline}" if request.offline else "with pip, as pip is configured here"
        todo.append(f"install up to {len(lines)} packages, pinned in {files}, {origin}; half a minute and the download")
    if PACKAGE in step.missing:
        todo.append("make s2s available in .venv")
    if request.verb != "setup":
        todo.append(f"then: {' '.join((request.verb, *request.rest))}")
    head = [f"run.py: {step.why}"] if step.why else []
    return "\n".join([*head, f"run.py will, in {environment.root}:", *(f"  - {each}" for each in todo)])


def command(environment: Environment, request: Request) -> tuple[list[str], Path | None]:
    """What is started for a request, and in which folder (None: the current one)."""
    python, root = str(environment.python), environment.root
    if request.verb == "test":
        return [python, "-m", "pytest", *(request.rest or ("-n", "2"))], root  # the fast ones side by side
    if request.verb == "notebook":
        return [python, *jupyterlab(root), *request.rest], root
    # -P: a module that happens to lie in the current folder is not taken for one of ours
    return [python, "-P", "-c", _S2S, request.verb, *request.rest], None


def jupyterlab(root: Path) -> list[str]:
    """The interpreter's arguments that start JupyterLab on the checkout, which asks nobody outside for extensions."""
    first = [f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK}"] if (root / FIRST_NOTEBOOK).is_file() else []
    return ["-m", "jupyterlab", f"--ServerApp.root_dir={root}", "--LabApp.extension_manager=readonly", *first]


def become(argv: Sequence[str], environ: Mapping[str, str], folder: Path | None) -> int:
    """Starts the program in place of this process; on Windows, which cannot, waits for it and returns its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name != "nt":
        if folder is not None:
            os.chdir(folder)
        os.execve(argv[0], list(argv), dict(environ))
    process = subprocess.Popen(argv, env=dict(environ), cwd=folder)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the program too, which decides what it means
    try:
        return process.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def fill_wheelhouse(environment: Environment, folder: Path) -> None:
    """Downloads all sets into a folder, which appears when it is complete. SetupError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SetupError(f"{folder} is there already and not empty: name a new folder")
    environment.console.say(f"run.py will download the wheels of every set into {folder}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, ignore_cleanup_errors=True) as scratch:
        environment.download(part := Path(scratch, "wheels"))
        if folder.exists():
            folder.rmdir()
        os.replace(part, folder)
    done = f"run.py: {folder} is complete; copy it with this checkout, then: run.py --offline DIR demo"
    environment.console.say(done)
