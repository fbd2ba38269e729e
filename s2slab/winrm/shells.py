"""The Windows Remote Shell service of one server: shells, commands, quotas, and the answer to every operation."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from s2slab.winrm import envelope, faults, replies
from s2slab.winrm import namespaces as ns
from s2slab.winrm.auth import Logon
from s2slab.winrm.envelope import Request
from s2slab.winrm.launching import Launch, Launcher, LaunchError
from s2slab.winrm.process import Process
from s2slab.winrm.settings import WinRmSettings

_STREAMS: Final = ("stdout", "stderr")
_VARIABLE_CHARACTERS: Final = 32767
_CONTROL_C_EXIT: Final = -1073741510  # STATUS_CONTROL_C_EXIT
_MOST_RAW_BYTES: Final = 100_000  # in one Receive, however large an envelope the client takes
_ENVELOPE_COST: Final = 2048  # header and state of a reply
_REPLAYS_KEPT: Final = 8


@dataclass(eq=False)
class _Command:
    command_id: str
    process: Process
    receiving: threading.Lock = field(default_factory=threading.Lock)  # one Receive at a time
    input_ended: bool = False
    interrupted: bool = False
    over: bool = False  # Done was answered, or it was terminated


@dataclass(eq=False)
class _Shell:
    shell_id: str
    owner: Logon
    address: str
    process_id: int
    body: envelope.ShellBody
    codepage: int
    idle_timeout_s: float
    opened: float
    last_used: float
    in_flight: int = 0
    operations: int = 0  # commands ever started: Windows gives none back before the shell closes
    closed: bool = False
    commands: dict[str, _Command] = field(default_factory=dict)
    answered: OrderedDict[str, str] = field(default_factory=OrderedDict)  # last Receives: message id -> reply body


class ShellService:
    """Answers WS-Management requests of authenticated clients. Thread-safe.

    A shell belongs to the user who opened it, over any connection; nobody else can see it. It ends by Delete, when idle
    for its idle timeout, or at the longest run time; its commands end with it. `clock` counts seconds.
    """

    def __init__(
        self,
        *,
        machine: str,
        launcher: Launcher,
        allowed: Callable[[Logon], bool],
        settings: WinRmSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._machine = machine
        self._launcher = launcher
        self._allowed = allowed
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._shells: dict[str, _Shell] = {}
        self._next_process_id = 4000

    def handle(self, request: Request, logon: Logon, *, client_ip: str, address: str) -> tuple[int, bytes]:
        """HTTP status (200, or 500 for a SOAP fault) and envelope. `address` is the URL the client used."""
        try:
            if request.operation == "Identify":
                return 200, replies.identity(self._settings.os_version)
            if not self._allowed(logon):
                raise faults.access_denied()
            timeout_s = request.timeout_s(self._settings.max_timeout_s)
            body = self._dispatch(request, logon, timeout_s, client_ip, address)
        except faults.WsManFault as fault:
            return 500, replies.fault(fault, request.message_id, self._machine)
        return 200, replies.reply(request.action, request.message_id, body)

    def fault(self, request: Request, code: int) -> tuple[int, bytes]:
        """The answer to a request that fails with this code for a reason outside the service."""
        limits = self._settings
        fault = faults.by_code(code, shells=limits.max_shells_per_user, operations=limits.max_operations)
        return 500, replies.fault(fault, request.message_id, self._machine)

    def reap(self) -> None:
        """Close the shells whose time is over."""
        now = self._clock()
        with self._lock:
            longest = self._settings.max_shell_run_time_s
            gone = [
                shell
                for shell in self._shells.values()
                if now - shell.opened >= longest
                or (not shell.in_flight and now - shell.last_used >= shell.idle_timeout_s)
            ]
        for shell in gone:
            self._close(shell)

    def close(self) -> None:
        """Close every shell."""
        with self._lock:
            shells = list(self._shells.values())
        for shell in shells:
            self._close(shell)

    def open_shells(self, user: str | None = None) -> int:
        """How many shells there are, of one user or of all."""
        with self._lock:
            return sum(1 for shell in self._shells.values() if user in (None, shell.owner.user))

    def _dispatch(self, request: Request, logon: Logon, timeout_s: float, client_ip: str, address: str) -> str:
        if request.operation == "Get":
            return self._get(request, logon)
        if request.resource_uri != ns.CMD_SHELL:
            raise faults.no_such_resource(request.resource_uri)
        if request.action == f"{ns.TRANSFER}/Create":
            return self._create(request, logon, client_ip, address)
        handlers: dict[str, Callable[[_Shell, Request, float], str]] = {
            f"{ns.SHELL}/Command": self._command,
            f"{ns.SHELL}/Send": self._send,
            f"{ns.SHELL}/Receive": self._receive,
            f"{ns.SHELL}/Signal": self._signal,
            f"{ns.TRANSFER}/Delete": self._delete,
        }
        handler = handlers.get(request.action)
        if handler is None:
            raise faults.action_not_supported()
        with self._using(request, logon) as shell:
            return handler(shell, request, timeout_s)

    def _create(self, request: Request, logon: Logon, client_ip: str, address: str) -> str:
        body = envelope.shell_body(request)
        if not set(body.output_streams) <= set(_STREAMS) or not set(body.input_streams) <= {"stdin"}:
            raise faults.invalid_parameter()
        if any(len(value) > _VARIABLE_CHARACTERS for value in body.environment.values()):
            raise faults.invalid_parameter()  # which fault Windows gives here is UNCONFIRMED
        idle_s: float | None = self._settings.idle_timeout_s
        if body.idle_timeout:
            idle_s = envelope.duration_s(body.idle_timeout)
        codepage = request.options.get("WINRS_CODEPAGE", "437").strip()
        if idle_s is None or idle_s <= 0 or not codepage.isdecimal():
            raise faults.schema_invalid()
        self.reap()
        now = self._clock()
        with self._lock:
            mine = sum(1 for shell in self._shells.values() if shell.owner.user == logon.user)
            if mine >= self._settings.max_shells_per_user:
                raise faults.shell_quota(self._settings.max_shells_per_user)
            shell_id = body.shell_id or replies.new_id()
            if shell_id in self._shells:
                raise faults.invalid_parameter()
            self._next_process_id += 4
            shell = _Shell(
                shell_id,
                logon,
                client_ip,
                self._next_process_id,
                body,
                int(codepage),
                idle_s,
                opened=now,
                last_used=now,
            )
            self._shells[shell_id] = shell
        return replies.created(self._view(shell), address)

    def _command(self, shell: _Shell, request: Request, timeout_s: float) -> str:
        body = envelope.command_body(request)
        command_id = body.command_id or replies.new_id()
        with self._lock:
            mine = sum(s.operations for s in self._shells.values() if s.owner.user == shell.owner.user)
            if mine >= self._settings.max_operations:
                raise faults.operation_quota(self._settings.max_operations)
            if command_id in shell.commands:
                raise faults.invalid_parameter()
            shell.operations += 1
        launch = Launch(
            command_line=_command_line(body, request.flag("WINRS_SKIP_CMD_SHELL")),
            logon=shell.owner,
            environment=shell.body.environment,
            codepage=shell.codepage,
            skip_cmd_shell=request.flag("WINRS_SKIP_CMD_SHELL"),
            console_mode_stdin=request.flag("WINRS_CONSOLEMODE_STDIN"),
            working_directory=shell.body.working_directory,
            shell_id=shell.shell_id,
        )
        try:
            process = self._launcher(launch)
        except LaunchError as error:
            raise faults.system_error(error.code) from None
        with self._lock:
            shell.commands[command_id] = _Command(command_id, process)
            if shell.closed:  # deleted while the process started
                process.terminate()
        return replies.command_started(command_id)

    def _send(self, shell: _Shell, request: Request, timeout_s: float) -> str:
        for piece in envelope.send_body(request):
            command = self._find(shell, piece.command_id)
            if piece.stream != "stdin":
                raise faults.invalid_parameter()
            if command.input_ended:
                raise faults.system_error(faults.PIPE_CLOSING)
            command.input_ended = piece.end
            command.process.feed(piece.data, piece.end)
        return replies.sent()

    def _receive(self, shell: _Shell, request: Request, timeout_s: float) -> str:
        body = envelope.receive_body(request)
        if not body.command_id or not set(body.streams) <= set(_STREAMS):
            raise faults.invalid_parameter()
        deadline = time.monotonic() + timeout_s
        replay = shell.answered.get(request.message_id)
        if replay is not None:  # its answer was lost on the way: the same again
            return replay
        command = self._find(shell, body.command_id)
        if not command.receiving.acquire(timeout=timeout_s):
            raise faults.timed_out()
        try:
            replay = shell.answered.get(request.message_id)
            if replay is not None:
                return replay
            if command.over:
                raise faults.unknown_command()
            return self._output(shell, command, request, max(deadline - time.monotonic(), 0.0))
        finally:
            command.receiving.release()

    def _output(self, shell: _Shell, command: _Command, request: Request, wait_s: float) -> str:
        room = (request.max_envelope_bytes - _ENVELOPE_COST) * 3 // 4
        chunks, exit_code = command.process.output(wait_s, max(min(room, _MOST_RAW_BYTES), 1024))
        if command.over or shell.closed:  # terminated while this Receive waited
            raise faults.system_error(faults.ABORTED)
        if not chunks and exit_code is None:
            raise faults.timed_out()
        if exit_code is not None:
            command.over = True
            if command.interrupted:
                exit_code = _CONTROL_C_EXIT
        reply = replies.received(command.command_id, chunks, shell.body.output_streams or _STREAMS, exit_code)
        if request.message_id:
            with self._lock:
                shell.answered[request.message_id] = reply
                while len(shell.answered) > _REPLAYS_KEPT:
                    shell.answered.popitem(last=False)
        return reply

    def _signal(self, shell: _Shell, request: Request, timeout_s: float) -> str:
        body = envelope.signal_body(request)
        with self._lock:
            command = shell.commands.get(body.command_id)
        if command is None:
            raise faults.unknown_command()
        if body.code == "terminate":
            with self._lock:
                shell.commands.pop(body.command_id, None)
            command.over = True
            command.process.terminate()
        elif body.code in ("ctrl_c", "ctrl_break"):
            command.interrupted = not command.over
            command.process.terminate()
        else:
            raise faults.invalid_parameter()
        return replies.signalled()

    def _delete(self, shell: _Shell, request: Request, timeout_s: float) -> str:
        self._close(shell)
        return ""

    def _get(self, request: Request, logon: Logon) -> str:
        if request.resource_uri == ns.CONFIG:
            return replies.configuration(self._settings.max_envelope_kb, self._settings.max_timeout_s)
        if request.resource_uri not in (ns.SHELL, ns.CMD_SHELL):
            raise faults.no_such_resource(request.resource_uri)
        with self._lock:
            shell = self._shells.get(request.shell_id)
        if shell is None or shell.owner.user != logon.user:
            raise faults.unknown_shell(request.shell_id)
        return replies.shell_state(self._view(shell))  # does not count as use

    @contextmanager
    def _using(self, request: Request, logon: Logon) -> Iterator[_Shell]:
        self.reap()
        with self._lock:
            shell = self._shells.get(request.shell_id)
            if shell is None or shell.owner.user != logon.user:
                raise faults.unknown_shell(request.shell_id)
            shell.in_flight += 1
            shell.last_used = self._clock()
        try:
            yield shell
        finally:
            with self._lock:
                shell.in_flight -= 1
                shell.last_used = self._clock()

    def _find(self, shell: _Shell, command_id: str) -> _Command:
        with self._lock:
            command = shell.commands.get(command_id)
        if command is None or command.over:
            raise faults.unknown_command()
        return command

    def _close(self, shell: _Shell) -> None:
        with self._lock:
            self._shells.pop(shell.shell_id, None)
            shell.closed = True
            commands = list(shell.commands.values())
        for command in commands:
            command.process.terminate()

    def _view(self, shell: _Shell) -> replies.ShellView:
        now = self._clock()
        owner = f"{shell.owner.domain}\\{shell.owner.user}" if shell.owner.domain else shell.owner.user
        return replies.ShellView(
            shell_id=shell.shell_id,
            resource_uri=ns.CMD_SHELL,
            owner=owner,
            client_ip=shell.address,
            process_id=shell.process_id,
            idle_timeout_s=shell.idle_timeout_s,
            input_streams=shell.body.input_streams,
            output_streams=shell.body.output_streams,
            run_time_s=now - shell.opened,
            inactivity_s=now - shell.last_used,
        )


def _command_line(body: envelope.CommandBody, skip_cmd_shell: bool) -> str:
    """The line to run. Without cmd.exe the command is the program's whole path, spaces and all."""
    command = body.command
    if skip_cmd_shell and " " in command and not command.startswith('"'):
        command = f'"{command}"'
    return f"{command} {body.arguments}" if body.arguments else command
