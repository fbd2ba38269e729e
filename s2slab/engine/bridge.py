"""The lab's end of the bridge: real processes ask here for what a simulated server's commands do.

One TCP port on loopback. A connection begins with the token of a side (one process, or one endpoint's far side) and is closed
without one. Then come requests, one line of JSON each, answered by lines as it goes; the last is {"e":"end"}, or `thrown`:

    call, program     a command of the side's registry: out, warning, verbose, debug, host, error, thrown, code
    open, opened      an inner session: where its far side finds its commands; which process became it
    console           with the lab's own token only: a side for somebody at a server, for as long as the connection lasts

A connection that ends while its command runs stops the command. A fault of the lab itself is an event of its own, `fault`.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
import select
import socketserver
import threading
from collections.abc import Callable
from typing import Any

from s2slab.engine.direct import crashed
from s2slab.engine.records import ErrorRecord, Failed, Stopped, not_recognized
from s2slab.engine.registry import Endpoint, EndpointError, Machine, Opening, Registry
from s2slab.engine.running import Place, run_cmdlet, run_program
from s2slab.engine.shell import TRANSPORT
from s2slab.engine.wire import DEPTH, from_wire, record_to_wire, to_wire

Event = dict[str, Any]
MAX_LINE = 16 * 1024 * 1024
_POLL_S = 0.1


class Side:
    """Where a process's commands run, and on whose behalf."""

    def __init__(self, registry: Registry, machine: Machine, session: Any, endpoint: Endpoint | None = None) -> None:
        self.token = secrets.token_hex(16)
        self.registry, self.machine, self.session, self.endpoint = registry, machine, session, endpoint
        self.owner: Side | None = None


class Bridge:
    """Serves the processes of one lab. `prepare` says what a far side's process needs; `console` opens one."""

    def __init__(
        self,
        prepare: Callable[[Side], Event],
        end: Callable[[int], None],
        console: Callable[[Event], tuple[Event, Side | None]],
    ) -> None:
        self.token = secrets.token_hex(16)
        self._prepare, self._end, self.console = prepare, end, console
        self._sides: dict[str, Side] = {}
        self._processes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        self.port: int = self._server.server_address[1]
        for work in (lambda: self._server.serve_forever(_POLL_S), self._reap):
            threading.Thread(target=work, name="bridge", daemon=True).start()

    def close(self) -> None:
        """Stop serving; far sides are ended."""
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        for token in list(self._processes):
            self._end_far(token)

    def admit(self, side: Side) -> Side:
        """Let a process with the side's token ask."""
        with self._lock:
            self._sides[side.token] = side
        return side

    def dismiss(self, side: Side) -> None:
        """The process is over, and with it the far sides that it opened."""
        with self._lock:
            gone = [held for held in self._sides.values() if held is side or held.owner is side]
            for held in gone:
                del self._sides[held.token]
        for held in gone:
            self._end_far(held.token)
            if held.endpoint is not None:
                held.endpoint.close()

    def side(self, token: str) -> Side | None:
        """The side of a token."""
        with self._lock:
            return next((held for key, held in self._sides.items() if hmac.compare_digest(key, token)), None)

    # -- requests

    def answer(self, side: Side, request: Event, put: Callable[[Event], None], stopping: threading.Event) -> None:
        """Answer one request, all but its last line."""
        operation = request.get("op")
        try:
            if operation == "call":
                self._call(side, request, put, stopping)
            elif operation == "program":
                self._program(side, request, put, stopping)
            elif operation == "open":
                put(self._open(side, request))
            elif operation == "opened":
                self._processes[str(request["token"])] = int(request["pid"])
            else:
                put(_fault(f"there is no operation {operation!r}"))
        except Stopped:
            pass
        except Failed as failure:
            put({"e": "thrown", **record_to_wire(failure.record)})
        except Exception as error:  # a fault of the lab must not pass for an answer of a command
            put(_fault(crashed(error).message))

    def _call(self, side: Side, request: Event, put: Callable[[Event], None], stopping: threading.Event) -> None:
        # an endpoint hands on objects one level deep: what is inside them comes as type and text
        depth = DEPTH if side.endpoint is None or side.endpoint.language_mode == "FullLanguage" else 1

        def write(kind: str, what: Any) -> None:
            if stopping.is_set():
                raise Stopped
            put(_event(kind, what, depth))

        spec = side.registry.find(request["name"])
        known = {parameter.name.lower(): parameter.name for parameter in spec.parameters}
        given = {known.get(name.lower(), name): from_wire(held) for name, held in request["given"]}
        run_cmdlet(spec, given, request["set"], Place(side.machine, side.session), write, stopping)

    def _program(self, side: Side, request: Event, put: Callable[[Event], None], stopping: threading.Event) -> None:
        name = from_wire(request["name"])
        program = side.registry.program(name)
        if program is None:
            raise not_recognized(name)
        argv = [from_wire(word) for word in request["argv"]]
        at = Place(side.machine, side.session)
        code = run_program(program, argv, at, lambda kind, what: put(_event(kind, what)), stopping)
        put({"e": "code", "v": code})

    def _open(self, side: Side, request: Event) -> Event:
        names = ("uri", "computer", "configuration", "authentication", "user", "password")
        given = {name: from_wire(request.get(name)) or None for name in names}
        wanted = Opening(
            given["uri"],
            given["computer"],
            given["configuration"] or "Microsoft.PowerShell",
            given["authentication"] or "Default",
            None if given["user"] is None else (given["user"], given["password"] or ""),
        )
        try:
            endpoint = side.machine.open_endpoint(side.session, wanted)
        except EndpointError as refusal:
            record = ErrorRecord(refusal.message, refusal.id, refusal.category, TRANSPORT)
            return {"e": "error", **record_to_wire(record)}
        far = Side(endpoint.registry, endpoint.machine, endpoint.session, endpoint)
        far.owner = side
        answer = {"e": "opened", "token": far.token, "computer": endpoint.computer_name, **self._prepare(far)}
        self.admit(far)
        return answer

    # -- far sides

    def _reap(self) -> None:
        """End the far processes of sessions that the lab ended."""
        while not self._closed.wait(_POLL_S):
            with self._lock:
                held = list(self._sides.values())
            for side in held:
                if side.endpoint is not None and not side.endpoint.alive():
                    self._end_far(side.token)

    def _end_far(self, token: str) -> None:
        process = self._processes.pop(token, None)
        if process is not None:
            self._end(process)


def _event(kind: str, what: Any, depth: int = DEPTH) -> Event:
    return {"e": kind, **record_to_wire(what)} if kind == "error" else {"e": kind, "v": to_wire(what, depth)}


def _fault(text: str) -> Event:
    return {"e": "fault", "v": f"={text}"}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False


def _handler_of(bridge: Bridge) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        """One connection."""

        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):  # gone, or it does not speak as the module does
                self._serve()

        def _serve(self) -> None:
            first = json.loads(self.rfile.readline(1024) or b"{}")
            token = str(first.get("token", "")) if isinstance(first, dict) else ""
            side = bridge.side(token)
            if side is None and not hmac.compare_digest(token, bridge.token):
                self._put({"e": "refused", "v": "the token is not one of this lab's"})
                return
            self._put({"e": "welcome"})
            if side is None:
                self._sit_down()
                return
            while line := self.rfile.readline(MAX_LINE):
                self._answer(side, json.loads(line))

        def _sit_down(self) -> None:
            """A console for as long as the connection lasts."""
            answer, side = bridge.console(json.loads(self.rfile.readline(MAX_LINE) or b"{}"))
            try:
                self._put(answer)
                self.rfile.read(1)
            finally:
                if side is not None:
                    bridge.dismiss(side)

        def _answer(self, side: Side, request: Event) -> None:
            self._thrown = False
            stopping, done = threading.Event(), threading.Event()
            threading.Thread(target=self._watch, args=(stopping, done), daemon=True).start()
            try:
                bridge.answer(side, request, self._put, stopping)
            finally:
                done.set()
            if not self._thrown:
                self._put({"e": "end"})

        def _watch(self, stopping: threading.Event, done: threading.Event) -> None:
            """Nothing is asked while a command runs: what can be read then is the end of the connection."""
            with contextlib.suppress(OSError, ValueError):
                while not done.is_set():
                    if select.select([self.connection], [], [], _POLL_S)[0] and not done.is_set():
                        stopping.set()
                        return

        def _put(self, event: Event) -> None:
            self._thrown = event["e"] == "thrown"
            self.wfile.write(json.dumps(event, separators=(",", ":")).encode("ascii") + b"\n")

    return Handler
