"""The constant script's protocol, answered by the lab itself: requests in, one framed answer each, as invoke.ps1 gives them.

    open     a local runspace
    run      a command in a runspace; `keep` names the session that it made
    again    the last answer once more, and the highest id seen before
    ping     an answer

A line that starts with ! is a secret for the next request. While a command runs an `alive` frame goes out each second; at its
deadline, or when it puts out too much, it is stopped. What the script refuses is refused here with the same record. A request
whose id is not above all before it is not run: it came twice, or after a question about it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from s2slab.engine import rows
from s2slab.engine import values as v
from s2slab.engine.convert import convert
from s2slab.engine.records import SMA, ErrorRecord, Failed, Stopped
from s2slab.engine.registry import Machine
from s2slab.engine.remote import RemoteSession
from s2slab.engine.rows import Room
from s2slab.engine.shell import Runspace

_PIDS = itertools.count(4100, 4)
_POLL_S = 0.05
_LET_GO_S = 2.0  # a command that does not notice that it was stopped is left behind after this
_ERRORS = 200


class Supervisor:
    """One process's protocol, from `ready` to the end of its input."""

    def __init__(
        self, nonce: str, write: Callable[[bytes], None], machine: Machine, session: object, stop: threading.Event
    ) -> None:
        self._nonce, self._write, self._machine, self._session, self._stop = nonce, write, machine, session, stop
        self._runspaces: dict[str, Runspace | RemoteSession] = {}
        self._sessions: dict[str, RemoteSession] = {}
        self._secrets: dict[str, v.SecureString] = {}
        self._last = ""
        self._seen = 0

    def serve(self, lines: Iterable[bytes]) -> None:
        """Answer requests until the input ends. Raises Stopped when the process is ended from outside."""
        version, mode = rows.text(self._machine.powershell_version), rows.text(self._machine.language_mode)
        culture = rows.text("en-US")
        self._send(
            f'{{"id":0,"state":"ready","version":{version},"language":{mode},"culture":{culture},"pid":{next(_PIDS)}}}'
        )
        try:
            for line in lines:
                if self._stop.is_set():
                    raise Stopped
                self._line(line.decode("utf-8", "replace").rstrip("\r\n"))
        finally:
            for session in self._sessions.values():
                session.close()

    def _line(self, line: str) -> None:
        number = -1
        if not line:
            return
        try:
            if line.startswith("!"):
                self._secret(line)
                return
            request = _request(line)
            number = int(request.get("id") or 0)
            seen, self._seen = self._seen, max(self._seen, number)
            if number == 0 or number > seen:
                self._answer(number, request, seen)
        except Failed as failure:
            refusal = rows.fault(failure.record, Room(4000), thrown=True)
            self._last = f'{{"id":{number},"state":"refused","errors":[{refusal}]}}'
            self._send(self._last)
        self._secrets.clear()

    def _answer(self, number: int, request: dict[str, Any], seen: int) -> None:
        match request.get("op"):
            case "run":
                self._run(number, request)
            case "open":
                self._runspaces[str(request.get("runspace"))] = Runspace(self._machine, self._session)
                self._completed(number)
            case "again":
                if self._last:
                    self._send(self._last)
                self._send(f'{{"id":{number},"state":"completed","seen":{seen}}}')
            case "ping":
                self._completed(number)
            case other:
                raise _thrown(f"no such operation: '{v.to_text(other)}'")

    def _completed(self, number: int) -> None:
        self._send(f'{{"id":{number},"state":"completed"}}')

    def _send(self, payload: str) -> None:
        data = payload.encode()
        mark = hashlib.sha256(data).digest()[:8].hex("-").upper()
        self._write(f"<{self._nonce} {len(data)} {mark} ".encode() + data + b">\n")

    def _secret(self, line: str) -> None:
        name, _, rest = line[1:].partition(" ")
        self._secrets[name] = v.SecureString(_decoded(rest.split(" ")[0]).decode("utf-8", "replace"))

    # -- values of a request

    def _value(self, given: dict[str, Any]) -> Any:
        kind, held = given.get("k"), given.get("v")
        if kind == "text":
            return _text(held)
        if kind == "plain":
            return held
        if kind == "date":
            return convert(_text(held), "datetime")
        if kind == "bytes":
            return _decoded(held)
        if kind == "list":
            return [self._value(item) for item in held or ()]
        if kind == "secret" and held in self._secrets:
            return self._secrets[held]
        if kind == "credential" and held in self._secrets:
            return v.PSCredential(_text(given.get("user")), self._secrets[held])
        if kind == "session" and held in self._sessions:
            return self._sessions[held]
        raise _thrown(f"a value of kind '{v.to_text(kind)}' that is not known here")

    # -- one command

    def _run(self, number: int, request: dict[str, Any]) -> None:
        name = v.to_text(request.get("runspace"))
        command = _text(request.get("command") or "")
        runspace = self._runspaces.get(name)
        if not command or runspace is None:
            raise _thrown(f"no such runspace: '{name}'")
        if isinstance(runspace, RemoteSession) and runspace.state != "Opened":
            self._last = f'{{"id":{number},"state":"gone"}}'
            self._send(self._last)
            return
        named = [(given["n"], self._value(given)) for given in request.get("parameters") or ()]
        positional = [self._value(given) for given in request.get("arguments") or ()]
        if request.get("exit") and isinstance(runspace, Runspace):
            runspace.exit_code = None
        work = _Work(runspace, command, named, positional)
        began = time.monotonic()
        state = self._watch(number, work, request)
        self._report(number, request, runspace, work, state, int(1000 * (time.monotonic() - began)))

    def _watch(self, number: int, work: _Work, request: dict[str, Any]) -> str:
        """Wait for a command; say each second that it is alive; how it ended."""
        limit, room = int(request["limit"]), int(request["room"])
        began, told, cut = time.monotonic(), 1, work.links()
        work.start()
        while not work.done.wait(_POLL_S):
            elapsed = time.monotonic() - began
            if self._stop.is_set():
                work.stopping.set()
                raise Stopped
            if any(session.lost() for session in cut):
                work.abandon(cut)
                return "Failed"
            if elapsed >= request["deadline_s"]:
                work.stop()
                return "TimedOut"
            if work.too_much(limit, room):
                work.stop()
                return "Cut"
            if elapsed >= told:
                self._send(f'{{"id":{number},"alive_s":{told}}}')
                told += 1
        if work.crash is not None:
            raise work.crash
        if work.failure is None and any(session.lost() for session in cut):
            work.abandon(cut)
        return "Completed" if work.failure is None else "Failed"

    def _report(
        self,
        number: int,
        request: dict[str, Any],
        runspace: Runspace | RemoteSession,
        work: _Work,
        state: str,
        milliseconds: int,
    ) -> None:
        limit, room, streams = int(request["limit"]), Room(int(request["room"])), Room(int(request["room"]))
        errors = [] if work.failure is None else [rows.fault(work.failure, streams, thrown=True)]
        for record in work.of("error"):
            if len(errors) < _ERRORS:
                errors.append(rows.fault(record, streams, thrown=False))
            else:
                streams.cut = True
        warnings, verbose = rows.lines(work.of("warning"), streams), rows.lines(work.of("verbose"), streams)
        information = rows.lines(work.of("host"), streams)
        code = runspace.exit_code if request.get("exit") and isinstance(runspace, Runspace) else None
        output = self._kept(request["keep"], work) if request.get("keep") else self._shown(request, work, limit, room)
        broken = [rows.text(key) for key, session in self._sessions.items() if session.state != "Opened"]
        truncated = state == "Cut" or room.cut or streams.cut
        self._last = (
            f'{{"id":{number},"state":"{state.lower()}","output":[{",".join(output)}],"errors":[{",".join(errors)}],'
            f'"warnings":{warnings},"verbose":{verbose},"information":{information},'
            f'"exit":{"null" if code is None else code},"ms":{milliseconds},"broken":[{",".join(broken)}],'
            f'"truncated":{"true" if truncated else "false"}}}'
        )
        self._send(self._last)

    def _kept(self, name: str, work: _Work) -> list[str]:
        found = work.of("out")
        if len(found) != 1 or not isinstance(found[0], RemoteSession) or found[0].state != "Opened":
            return []
        self._sessions[name] = self._runspaces[name] = found[0]
        return ["true"]

    def _shown(self, request: dict[str, Any], work: _Work, limit: int, room: Room) -> list[str]:
        depth, wanted = int(request["depth"]), request.get("properties")
        shown: list[str] = []
        for index, item in enumerate(work.of("out")):
            if index >= limit or room.left <= 0:
                room.cut = True
                break
            if wanted is not None and item is not None:
                shown.append(rows.row(item, wanted, depth, room))
            else:
                shown.append(rows.to_json(item, depth, room))
        return shown


class _Work:
    """One command in a thread of its own, and what it has left so far."""

    def __init__(
        self, runspace: Runspace | RemoteSession, command: str, named: list[tuple[str, Any]], positional: list[Any]
    ) -> None:
        self._runspace, self._call = runspace, (command, named, positional)
        self._left: list[tuple[str, Any]] = []
        self._lock = threading.Lock()
        self._closed = False
        self.stopping, self.done = threading.Event(), threading.Event()
        self.failure: ErrorRecord | None = None
        self.crash: BaseException | None = None

    def links(self) -> list[RemoteSession]:
        """The sessions that it hangs on."""
        return [self._runspace] if isinstance(self._runspace, RemoteSession) else self._runspace.sessions()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._work, name=f"command {self._call[0]}", daemon=True).start()

    def stop(self) -> None:
        """Stop it and wait until it noticed, or not much longer."""
        self.stopping.set()
        self.done.wait(_LET_GO_S)
        with self._lock:
            self._closed = True

    def abandon(self, links: list[RemoteSession]) -> None:
        """The far side is gone: whatever it goes on doing, its link was cut."""
        self.stopping.set()
        with self._lock:
            self._closed = True
            self.failure = next(session.cut() for session in links if session.state != "Opened")

    def too_much(self, limit: int, room: int) -> bool:
        """Whether it has put out more than the answer can hold."""
        found = self.of("out")
        return len(found) > limit or sum(len(item) for item in found if isinstance(item, str)) > room

    def of(self, kind: str) -> list[Any]:
        """What it has left on one stream so far."""
        with self._lock:
            return [what for held, what in self._left if held == kind]

    def _put(self, kind: str, what: Any) -> None:
        if self.stopping.is_set():
            raise Stopped
        with self._lock:
            if not self._closed:
                self._left.append((kind, what))

    def _work(self) -> None:
        failure: ErrorRecord | None = None
        try:
            command, named, positional = self._call
            self._runspace.run(command, named, positional, self._put, self.stopping)
        except Failed as error:
            failure = error.record
        except Stopped:
            pass
        except BaseException as error:  # a fault of the lab must not pass for an answer: it ends the process
            self.crash = error
        with self._lock:
            if not self._closed:
                self.failure = failure
        self.done.set()


def _thrown(text: str) -> Failed:
    """What `throw 'text'` of the script gives."""
    return Failed(ErrorRecord(text, text, "OperationStopped", SMA + "RuntimeException"))


def _request(line: str) -> dict[str, Any]:
    text = _decoded(line).decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Failed(
            ErrorRecord(
                "Conversion from JSON failed.",
                "System.ArgumentException,Microsoft.PowerShell.Commands.ConvertFromJsonCommand",
                "NotSpecified",
                "System.ArgumentException",
            )
        )
    return found


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode("".join(str(text).split()), validate=True)
    except binascii.Error:
        raise Failed(
            ErrorRecord(
                'Exception calling "FromBase64String" with "1" argument(s): "The input is not a valid Base-64 string as it '
                "contains a non-base 64 character, more than two padding characters, or an illegal character among the "
                'padding characters."',
                "FormatException",
                "NotSpecified",
                SMA + "MethodInvocationException",
                "MethodInvocationException",
            )
        ) from None


def _text(held: Any) -> str:
    return _decoded(held).decode("utf-8", "replace")
