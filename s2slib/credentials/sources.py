"""The places a secret can come from: a person, the machine's key store, a program. Each can be substituted."""

from __future__ import annotations

import contextlib
import getpass
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from typing import IO, Protocol, cast

from s2slib.credentials.errors import CredentialError

NOBODY_TO_ASK = (
    "nobody can be asked here: the notebook runs without input (stock papermill), or there is no terminal; "
    "use env: or keyring: in the params file"
)
_MAX_OUTPUT = 65_536
_REAP_S = 1.0


class Asker(Protocol):
    """Asks a person for one line. Raises NobodyToAsk where there is nobody."""

    def __call__(self, prompt: str, *, hidden: bool) -> str: ...


class KeyStore(Protocol):
    """This machine's key store, as the package keyring offers it."""

    def get_password(self, service_name: str, username: str, /) -> str | None: ...


Runner = Callable[[Sequence[str], float], bytes]
"""Runs an argument list within so many seconds and returns what it printed; raises CredentialError."""


class NobodyToAsk(Exception):
    """No terminal and no notebook front end is there to answer a question."""


def ask_person(prompt: str, *, hidden: bool) -> str:
    """One line typed by a person: in a terminal, or in the notebook front end (which masks it)."""
    try:
        if not hidden:
            return input(prompt)
        in_kernel = getpass.getpass.__module__ != "getpass"  # ipykernel puts its own function there
        if os.name == "nt" and not in_kernel and not (sys.stdin and sys.stdin.isatty()):
            raise NobodyToAsk  # without a console the Windows way of reading keys never ends
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(prompt)
    except (EOFError, OSError, NotImplementedError, getpass.GetPassWarning) as error:
        # NotImplementedError is what ipykernel raises when the front end takes no input.
        raise NobodyToAsk from error


def machine_key_store() -> KeyStore:
    """The key store through the package keyring; CredentialError names the extra where it is not installed."""
    try:
        import keyring
    except ImportError:
        raise CredentialError("keyring:", "the package keyring is not installed", "install the extra keyring") from None
    return keyring


def run_program(arguments: Sequence[str], timeout_s: float) -> bytes:
    """What a program printed, up to 65,536 bytes. No shell, no input; its error output is not read, it might hold the secret.

    It has a process group of its own, which is ended with it: nothing that it started goes on.
    """
    name = f"command: {arguments[0]}"
    advice = "run it by hand to see why"
    try:
        process = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            shell=False,
            start_new_session=os.name == "posix",
        )
    except FileNotFoundError:
        raise CredentialError(
            name, "there is no such program", "name the file in full, with its ending (.exe, .cmd)"
        ) from None
    except OSError as error:
        raise CredentialError(name, f"cannot be started ({type(error).__name__})", advice) from None
    printed: list[bytes] = []
    stream = cast(IO[bytes], process.stdout)
    reader = threading.Thread(target=lambda: printed.append(stream.read(_MAX_OUTPUT + 1)), daemon=True)
    ends = time.monotonic() + timeout_s
    try:
        reader.start()
        reader.join(timeout_s)
        if printed and len(printed[0]) > _MAX_OUTPUT:
            raise CredentialError(name, f"printed more than {_MAX_OUTPUT} bytes and was stopped", advice)
        try:
            code = process.wait(max(0.0, ends - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise CredentialError(name, f"did not end within {timeout_s:g} s and was stopped", advice) from None
        reader.join(_REAP_S)  # what it started may still hold the pipe
        if code != 0:
            raise CredentialError(name, f"ended with exit code {code}", advice)
        if not printed:
            raise CredentialError(name, "left something running that holds its output", advice)
        return printed[0]
    finally:
        _stop(process)
        reader.join(_REAP_S)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a program and everything in its group, and wait a moment for it."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        kill = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(kill, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_REAP_S * 5, check=False)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_REAP_S)
