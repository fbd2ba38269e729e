"""A remote shell over pywinrm: open, start, send, receive, end; every exchange bounded, every failure typed.

What may be repeated after a failure, and how:

| exchange | on a stale context (HTTP 400) | after a cut or a timeout |
| --- | --- | --- |
| Create | once more, new connection | no: the failure is reported, a shell left behind ends by its idle timeout |
| Command | once more | no |
| Send of requests | no: it may have arrived; whoever sent them asks the process | no |
| Send of what may come twice | once more; fault 170 (busy) up to three times | again, up to three times |
| Receive | once more | again with the same MessageID, up to three times: Windows answers with the same data |
| Signal, Delete | once more | best effort, never reported |
"""

from __future__ import annotations

import base64
import contextlib
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import winrm.protocol
import winrm.transport
import xmltodict

from s2slib.remoting.values import errors
from s2slib.remoting.values.target import Target
from s2slib.remoting.winrm import wsman
from s2slib.remoting.winrm.boundary import BUSY, Boundary, Broken
from s2slib.remoting.winrm.deadline import Clock, Deadline, bounded
from s2slib.remoting.winrm.ledger import AttemptLedger
from s2slib.remoting.winrm.transport import Transport

SEND_LIMIT = 100_000
"""Raw bytes of one Send: with base64 and headers below the 153,600 bytes of an envelope."""

_IDLE_DROP_S = 100.0  # HTTP.sys drops idle connections after about 120 s
_SHELL_IDLE_S = 600
_MARGIN_S = 2.0
_REPEATS = 3
_BACKOFF_S = 0.25
_BUSY_S = 5.0
_POWERSHELL = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"
_ARGUMENTS = "-NoLogo -NoProfile -NonInteractive -InputFormat None -ExecutionPolicy Bypass -EncodedCommand "
_PASSWORD_TRANSPORTS = ("basic", "ntlm", "credssp")


class Wire(Protocol):
    """What carries one envelope there and back: pywinrm's transport, or a stand-in for it."""

    session: Any
    encryption: Any
    offered: tuple[str, ...]
    left: bool  # whether anything of a message went out since this was set to False

    def send_message(self, message: str | bytes) -> bytes: ...
    def close_session(self) -> None: ...
    def abort(self) -> None: ...


class Connection:
    """Exchanges with one server's WinRM service. Not thread-safe: its owner holds a lock.

    `ledger` sees every logon; `redact` is applied to every foreign text; `wire`, `clock` and `sleep` are injected.
    """

    def __init__(
        self,
        target: Target,
        *,
        ledger: AttemptLedger,
        redact: Callable[[str], str],
        wire: Callable[[Target], Wire] = Transport,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        _refuse_plaintext(target)
        self._target = target
        self._ledger = ledger
        self._boundary = Boundary(target, redact)
        self._make_wire = wire
        self._clock = clock
        self._sleep = sleep
        self._wire: Wire | None = None
        self._used_at = clock()
        self._offered: tuple[str, ...] = ()  # as the last failed exchange left them
        self._encrypted = self._left = False
        # Only its header builder is used; its own transport is replaced before anything is sent.
        self._protocol = winrm.protocol.Protocol(target.url, transport="kerberos", proxy=None)

    def exchange(
        self,
        action: str,
        body: dict[str, Any],
        deadline: Deadline,
        *,
        options: dict[str, str] | None = None,
        shell_id: str | None = None,
        repeatable: bool = False,
        once: bool = False,
    ) -> ET.Element:
        """The answer to one message. Raises Broken; repeats only by the table above: never with `once`."""
        message_id = uuid.uuid4()
        wait_s = int(max(1, min(self._target.timeouts.operation_s, deadline.left())))
        message = self._envelope(message_id, action, body, options or {}, shell_id, wait_s)
        repeats = _REPEATS if repeatable else 0
        fresh = once
        while True:
            try:
                return wsman.parse(self._once(message, deadline, wait_s), message_id)
            except Exception as error:
                broken = self._translated(error)
            if broken.stale and not fresh:
                fresh = True
            elif broken.passing and repeats > 0 and not _reported(broken):
                repeats -= 1
                self._sleep(min(_BACKOFF_S * (_REPEATS - repeats), deadline.left()))
            else:
                raise broken
            if deadline.passed():
                raise broken
            self.drop()

    def drop(self) -> None:
        """Drop the HTTP connection and its security context. Shells on the server stay."""
        if self._wire is not None:
            with contextlib.suppress(Exception):
                self._wire.close_session()

    def open_shell(self, deadline: Deadline) -> Shell:
        """A new shell. Raises Broken."""
        body, options = wsman.create_body(_SHELL_IDLE_S)
        root = self.exchange(wsman.CREATE, body, deadline, options=options)
        try:
            return Shell(self, wsman.shell_id(root), self._sleep)
        except wsman.BadEnvelope as error:
            raise self._translated(error) from error

    def broken(self, error: Exception) -> Broken:
        """A failure of reading an answer, translated."""
        return self._translated(error)

    def _once(self, message: str, deadline: Deadline, wait_s: int) -> bytes:
        """One message over the wire, given up at the deadline or when the server overstays the time it was given."""
        if self._wire is not None and self._clock() - self._used_at > _IDLE_DROP_S:
            self.drop()
        if self._wire is None:
            self._wire = self._make_wire(self._target)
        wire = self._wire
        self._protocol.transport = cast(winrm.transport.Transport, wire)
        wire.left = False
        # A little past the deadline, so that the server's own time-out arrives and the connection stays in step.
        margin_s = min(_MARGIN_S, self._target.timeouts.grace_s)
        limit = deadline.later(margin_s).sooner(self._target.timeouts.connect_s + wait_s + 10)
        try:
            with self._logon(wire, deadline):
                return bounded(lambda: self._protocol.send_message(message), limit, wire.abort)
        except BaseException as error:
            if not isinstance(error, Exception) or not _is_answer(error):
                self._abandon(wire)
            raise
        finally:
            self._note(wire)
            self._used_at = self._clock()

    @contextlib.contextmanager
    def _logon(self, wire: Wire, deadline: Deadline) -> Iterator[None]:
        """Around an exchange that logs on, for accounts that a wrong password could lock."""
        if wire.session is not None or self._target.transport not in _PASSWORD_TRANSPORTS or not self._target.user:
            yield
            return
        target = self._target
        with self._ledger.attempt(target.server, str(target.user), timeout_s=deadline.left(), secret=target.secret):
            try:
                yield
            except Exception as error:
                self._note(wire)
                broken = self._translated(error)
                if isinstance(broken.error, errors.AuthenticationFailed):
                    raise broken.error from error
                raise

    def _abandon(self, wire: Wire) -> None:
        """A thread may still hang in it: never use it again."""
        with contextlib.suppress(Exception):
            wire.close_session()
        self._wire = None

    def _note(self, wire: Wire) -> None:
        """How far the exchange came."""
        self._offered, self._encrypted, self._left = wire.offered, wire.encryption is not None, wire.left

    def _translated(self, error: Exception) -> Broken:
        broken = self._boundary.translate(error, offered=self._offered, encrypted=self._encrypted)
        if broken is not error:
            broken.left = self._left
            broken.error.__cause__ = error
        return broken

    def _envelope(
        self,
        message_id: uuid.UUID,
        action: str,
        body: dict[str, Any],
        options: dict[str, str],
        shell_id: str | None,
        wait_s: int,
    ) -> str:
        self._protocol.operation_timeout_sec = wait_s
        envelope = self._protocol.build_wsman_header(action, wsman.RESOURCE, shell_id, message_id)
        if options:
            named = [{"@Name": name, "#text": value} for name, value in options.items()]
            envelope["env:Header"]["w:OptionSet"] = {"w:Option": named}
        envelope["env:Body"] = body
        return str(xmltodict.unparse({"env:Envelope": envelope}))


class Shell:
    """One remote shell with one process in it. `close` is best effort and may be called any number of times."""

    def __init__(self, connection: Connection, shell_id: str, sleep: Callable[[float], None]) -> None:
        self._connection = connection
        self._sleep = sleep
        self._command_id = ""
        self.shell_id = shell_id

    def start(self, script: str, deadline: Deadline) -> None:
        """Start powershell.exe with a short script on its command line. Raises Broken."""
        encoded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
        body, options = wsman.command_body(_POWERSHELL, _ARGUMENTS + encoded)
        root = self._connection.exchange(wsman.COMMAND, body, deadline, options=options, shell_id=self.shell_id)
        try:
            self._command_id = wsman.command_id(root)
        except wsman.BadEnvelope as error:
            raise self._connection.broken(error) from error

    def send(self, data: bytes, deadline: Deadline, *, once: bool = False) -> None:
        """Bytes for standard input, in pieces that fit an envelope. Raises Broken.

        `once`: what may not come twice. `left` counts all pieces.
        """
        sent = False
        for start in range(0, len(data), SEND_LIMIT):
            try:
                self._send(data[start : start + SEND_LIMIT], deadline, once)
            except Broken as broken:
                broken.left = broken.left or sent
                raise
            sent = True

    def receive(self, deadline: Deadline) -> wsman.Received:
        """The next output; nothing when the server had none in its time limit. Raises Broken."""
        body = wsman.receive_body(self._command_id)
        try:
            root = self._connection.exchange(wsman.RECEIVE, body, deadline, shell_id=self.shell_id, repeatable=True)
            return wsman.received(root, self._command_id)
        except wsman.BadEnvelope as error:
            raise self._connection.broken(error) from error
        except Broken as broken:
            if _is_operation_timeout(broken):
                return wsman.Received(b"", b"", False, None)
            raise

    def close(self, deadline: Deadline) -> None:
        """End the process and the shell. Never raises: what is left ends by its idle timeout."""
        if self._command_id:
            self._try(wsman.SIGNAL, wsman.signal_body(self._command_id), deadline.sooner(deadline.left() / 2))
            self._command_id = ""
        if self.shell_id:
            self._try(wsman.DELETE, {}, deadline)
            self.shell_id = ""

    def _send(self, piece: bytes, deadline: Deadline, once: bool) -> None:
        body = wsman.send_body(self._command_id, piece)
        for attempt in range(_REPEATS + 1):
            try:
                self._connection.exchange(
                    wsman.SEND, body, deadline, shell_id=self.shell_id, repeatable=not once, once=once
                )
                return
            except Broken as broken:
                if _is_operation_timeout(broken):
                    return  # the input is usually processed: its answer will tell
                if once or broken.code != BUSY or attempt == _REPEATS or deadline.left() <= _BUSY_S:
                    raise
            self._sleep(_BUSY_S)

    def _try(self, action: str, body: dict[str, Any], deadline: Deadline) -> None:
        with contextlib.suppress(Broken):
            self._connection.exchange(action, body, deadline, shell_id=self.shell_id)


def _refuse_plaintext(target: Target) -> None:
    if target.transport in ("basic", "certificate") and urlsplit(target.url).scheme.lower() != "https":
        raise errors.PlaintextRefused(
            target.server,
            f"transport {target.transport} over plain http would send everything in the open",
            "use https, or a transport that encrypts its messages (kerberos, ntlm, credssp)",
        )


def _is_operation_timeout(broken: Broken) -> bool:
    return isinstance(broken.error.__cause__, winrm.exceptions.WinRMOperationTimeoutError)


def _reported(broken: Broken) -> bool:
    """Whether the server itself said why: repeating the question would only repeat the answer."""
    return _is_operation_timeout(broken) or isinstance(broken.error, errors.ServiceFault)


def _is_answer(error: Exception) -> bool:
    """Whether the connection is still in step: the server answered, if only with a fault."""
    return isinstance(
        error, winrm.exceptions.WSManFaultError | winrm.exceptions.WinRMOperationTimeoutError | wsman.BadEnvelope
    )
