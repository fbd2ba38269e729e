"""One PowerShell process on a server, supervised by the constant script: requests out, answers in, deadlines on both ends.

The process is started with a bootstrap below 600 characters that reads the script from standard input. A request is
answered by one frame; `alive` frames come each second while it works. The script stops a command at its deadline and says
so; if it cannot even say so within the grace time, the process is ended from here.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from s2slib.remoting.shell.clixml import readable
from s2slib.remoting.shell.frames import FrameReader, request_line, secret_line
from s2slib.remoting.shell.wire import BadAnswer, Decoder
from s2slib.remoting.values import errors
from s2slib.remoting.values.target import Secret
from s2slib.remoting.winrm.boundary import Broken
from s2slib.remoting.winrm.deadline import Deadline
from s2slib.remoting.winrm.winrs import Connection, Shell

BOOTSTRAP = (
    "$ProgressPreference='SilentlyContinue';"
    "$i=New-Object IO.StreamReader([Console]::OpenStandardInput(),(New-Object Text.UTF8Encoding $false));"
    "& ([scriptblock]::Create([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($i.ReadLine())))) $i $i.ReadLine()"
)
_CONSTRAINED = ("MethodInvocationNotSupportedInConstrainedLanguage", "CannotCreateTypeConstrainedLanguage")
_MAX_STDERR = 64 * 1024
_RECOVERIES = 3
_TRIES = 2  # of handing requests over, where the process says that they did not come
_CLOSE_S = 5.0


@dataclass(frozen=True)
class Ready:
    """What the process said of itself when it was ready."""

    ps_version: str
    language_mode: str
    culture: str
    pid: int


class _NotReceived(Exception):
    """The process never got the requests, and does not run them if they come now."""


class Interrupted(Exception):
    """No answer to a request that was handed over. `sent` is False where the server certainly did not get it."""

    def __init__(self, error: errors.NotSent, sent: bool) -> None:
        super().__init__(str(error))
        self.error = error
        self.sent = sent


def script_text() -> str:
    """The constant script, invoke.ps1, as it is sent."""
    return _script_bytes().decode("utf-8")


def script_digest() -> str:
    """SHA-256 of the constant script, lower-case hexadecimal: what a security team can hold it against."""
    return hashlib.sha256(_script_bytes()).hexdigest()


@cache
def _script_bytes() -> bytes:
    return files("s2slib.remoting.shell").joinpath("invoke.ps1").read_bytes().replace(b"\r\n", b"\n")


class RemoteProcess:
    """A started process. Not thread-safe. After Interrupted it is to be closed; its state is unknown."""

    def __init__(self, server: str, shell: Shell, nonce: str, redact: Callable[[str], str]) -> None:
        self._server = server
        self._shell = shell
        self._frames = FrameReader(nonce)
        self._decoder = Decoder(redact)
        self._redact = redact
        self._stderr = bytearray()
        self._inbox: list[dict[str, Any]] = []
        self._next_id = 1
        self._again: set[int] = set()
        self.ready = Ready("", "", "", 0)

    @classmethod
    def start(
        cls, connection: Connection, server: str, deadline: Deadline, redact: Callable[[str], str]
    ) -> RemoteProcess:
        """A process that is ready for requests. Raises a NotSent error; leaves nothing behind when it does."""
        nonce = secrets.token_hex(16)
        try:
            shell = connection.open_shell(deadline)
        except Broken as broken:
            raise broken.error from broken.error.__cause__
        process = cls(server, shell, nonce, redact)
        try:
            shell.start(BOOTSTRAP, deadline)
            shell.send(base64.b64encode(_script_bytes()) + b"\n" + nonce.encode("ascii") + b"\n", deadline)
            process._await_ready(deadline)
        except Broken as broken:
            process.close()
            raise broken.error from broken.error.__cause__
        except BaseException:
            process.close()
            raise
        return process

    def ask(
        self,
        requests: Iterable[Mapping[str, Any]],
        deadline: Deadline,
        given: Mapping[str, Secret] | None = None,
    ) -> list[dict[str, Any]]:
        """The answers to requests that are handed over together and run one after the other, in their order.

        Handed over once; once more where the process says that they did not come. Raises Interrupted when an answer is
        missing at the deadline or the process is gone.
        """
        listed = list(requests)
        secret_lines = [secret_line(name, secret.reveal()) for name, secret in (given or {}).items()]
        for _ in range(_TRIES):
            numbered = [{**request, "id": self._next_id + place} for place, request in enumerate(listed)]
            self._next_id += len(numbered)
            data = b"".join([*secret_lines, *map(request_line, numbered)])
            try:
                return self._handed_over(data, [request["id"] for request in numbered], deadline)
            except _NotReceived:
                continue
        seen = "requests do not reach the process, though it answers"
        raise Interrupted(
            errors.ProtocolBroken(self._server, seen, "look at what stands between here and there"), False
        )

    def _handed_over(self, data: bytes, ids: list[int], deadline: Deadline) -> list[dict[str, Any]]:
        try:
            self._shell.send(data, deadline, once=True)
        except Broken as broken:
            if not broken.left:
                raise Interrupted(broken.error, sent=False) from broken
            self._recover(broken, deadline)
        return self._answers(ids, deadline)

    def check_alive(self, deadline: Deadline) -> None:
        """Make sure that the process still answers, before it is handed something. Raises Interrupted."""
        self.ask([{"op": "ping"}], deadline)

    def stray_text(self) -> str:
        """What reached standard output and standard error besides answers since the last call; redacted."""
        pieces = [self._frames.stray_text(), readable(bytes(self._stderr))]
        self._stderr.clear()
        return self._redact("\n".join(piece for piece in pieces if piece))

    @property
    def decoder(self) -> Decoder:
        """Decodes this process's answers."""
        return self._decoder

    def close(self) -> None:
        """End the process and its shell; best effort, never raises."""
        self._shell.close(Deadline.after(_CLOSE_S))

    def _await_ready(self, deadline: Deadline) -> None:
        while not self._inbox:
            if deadline.passed():
                raise errors.StartFailed(
                    self._server,
                    f"powershell.exe was not ready in time{_quoted(self.stray_text())}",
                    "look at the server's load, or allow more time (load_s)",
                )
            self._read(deadline, starting=True)
        first = self._inbox.pop(0)
        try:
            self.ready = Ready(
                ps_version=self._decoder.text(first.get("version")),
                language_mode=self._decoder.text(first.get("language")),
                culture=self._decoder.text(first.get("culture")),
                pid=int(first.get("pid", 0)),
            )
        except (BadAnswer, TypeError, ValueError):
            raise errors.ProtocolBroken(
                self._server, "the constant script began with something else", "report it, with the server's versions"
            ) from None

    def _answers(self, ids: list[int], deadline: Deadline) -> list[dict[str, Any]]:
        answers: dict[int, dict[str, Any]] = {}
        recoveries = 0
        while True:
            asked: list[dict[str, Any]] = []
            for frame in self._inbox:
                number = frame.get("id")
                if not isinstance(number, int) or "alive_s" in frame:
                    continue
                if number in self._again:
                    asked.append(frame)
                elif number in ids:
                    answers.setdefault(number, frame)
            self._inbox.clear()
            if len(answers) == len(ids):
                return [answers[number] for number in ids]
            if asked:  # requests are answered in their order: what is missing now will not come
                known = asked[-1].get("seen")
                if isinstance(known, int) and known < ids[0]:
                    raise _NotReceived
                seen = "the connection was lost, and the process does not know the command's answer"
                raise Interrupted(errors.ConnectionCut(self._server, seen, "check the network"), sent=True)
            if deadline.passed():
                raise Interrupted(
                    errors.Stalled(
                        self._server,
                        "the server did not even report that it stopped the command at its deadline",
                        "look at the server: the process was ended from here",
                    ),
                    sent=True,
                )
            try:
                self._read(deadline)
            except Broken as broken:
                recoveries += 1
                if recoveries > _RECOVERIES:
                    raise Interrupted(broken.error, sent=True) from broken
                self._recover(broken, deadline)

    def _recover(self, broken: Broken, deadline: Deadline) -> None:
        """Ask the process, on a new connection, what came before and for its last answer once more.

        What comes behind this question with a lower id is not run, so `seen` in its answer is certain. The line begins with
        a line break: half a request may stand before it.
        """
        if deadline.passed():
            raise Interrupted(broken.error, sent=True) from broken
        again = {"id": self._next_id, "op": "again"}
        self._again.add(self._next_id)
        self._next_id += 1
        try:
            self._shell.send(b"\n" + request_line(again), deadline)
        except Broken as second:
            raise Interrupted(broken.error, sent=True) from second

    def _read(self, deadline: Deadline, *, starting: bool = False) -> None:
        received = self._shell.receive(deadline)
        self._stderr += received.stderr[: max(0, _MAX_STDERR - len(self._stderr))]
        self._inbox += self._frames.feed(received.stdout)
        if received.done and not (starting and self._inbox):
            self._ended(received.exit_code, starting)

    def _ended(self, exit_code: int | None, starting: bool) -> None:
        """The process is over: why."""
        text = self.stray_text()
        said = _quoted(text)
        squeezed = "".join(text.split())  # PowerShell wraps its errors at the width of a window, within words too
        if starting and any(mark in squeezed for mark in _CONSTRAINED):
            raise errors.ConstrainedLanguage(
                self._server,
                "PowerShell runs in Constrained Language Mode here (AppLocker or WDAC)",
                "have the constant script allowed by its SHA-256, or use a server without that policy for this work",
            )
        if starting:
            raise errors.StartFailed(
                self._server,
                f"powershell.exe ended with exit code {exit_code} before it was ready{said}",
                "run the bootstrap by hand on the server to see what it says",
            )
        gone = errors.ShellGone(
            self._server, f"powershell.exe ended with exit code {exit_code}{said}", "it is started anew on next use"
        )
        raise Interrupted(gone, sent=True)


def _quoted(text: str) -> str:
    shown = errors.shown(text, 300)
    return f"; it said: {shown}" if shown else ""
