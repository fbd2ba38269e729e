"""HTTP below pywinrm against peers that do not behave: slow, endless, elsewhere, compressed."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from s2slib.remoting.values import errors
from s2slib.remoting.values.target import Target, Timeouts
from s2slib.remoting.winrm import wsman
from s2slib.remoting.winrm.boundary import Broken
from s2slib.remoting.winrm.deadline import Deadline
from s2slib.remoting.winrm.ledger import AttemptLedger
from s2slib.remoting.winrm.transport import MAX_BODY
from s2slib.remoting.winrm.winrs import Connection

Behaviour = Callable[[socket.socket], None]


class Secret:
    def reveal(self) -> str:
        return "open sesame"


@pytest.fixture
def peer() -> Iterator[Callable[[Behaviour], int]]:
    """Starts a listener on loopback that treats every connection in the given way."""
    listeners: list[socket.socket] = []
    stop = threading.Event()

    def start(behaviour: Behaviour) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def treat(connection: socket.socket) -> None:
            with connection:
                # the client hangs up, which is what most of these tests want
                with contextlib.suppress(OSError):
                    behaviour(connection)

        def accept() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=treat, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        return int(listener.getsockname()[1])

    yield start
    stop.set()
    for listener in listeners:
        listener.close()


def connection(port: int, *, proxy: str | None = None, transport: str = "ntlm") -> Connection:
    target = Target(
        "atl-cs-001",
        f"http://127.0.0.1:{port}/wsman",
        transport,  # type: ignore[arg-type]
        user="D\\kenmyer",
        secret=Secret(),
        proxy=proxy,
        timeouts=Timeouts(connect_s=1.0, operation_s=1, grace_s=0.1),
    )
    return Connection(target, ledger=AttemptLedger(), redact=str, sleep=lambda _: None)


def outcome(connection: Connection, seconds: float = 5.0) -> errors.NotSent:
    with pytest.raises(Broken) as broken:
        connection.exchange(wsman.DELETE, {}, Deadline.after(seconds))
    return broken.value.error


def answering(head: str, body: bytes = b"") -> Behaviour:
    def behave(client: socket.socket) -> None:
        while client.recv(65536):
            client.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)

    return behave


def dripping(data: bytes) -> Behaviour:
    def behave(client: socket.socket) -> None:
        client.recv(65536)
        for value in data:
            client.sendall(bytes([value]))
            time.sleep(0.05)

    return behave


@pytest.mark.parametrize(
    "data",
    [b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000, b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b"z" * 9999],
)
def test_a_peer_that_sends_one_byte_at_a_time_cannot_hold_a_call_past_its_deadline(
    peer: Callable[[Behaviour], int], data: bytes
) -> None:
    started = time.monotonic()
    error = outcome(connection(peer(dripping(data))), seconds=0.3)
    assert isinstance(error, errors.Stalled)
    assert time.monotonic() - started < 4


def test_a_peer_that_accepts_and_says_nothing_is_given_up(peer: Callable[[Behaviour], int]) -> None:
    started = time.monotonic()
    assert isinstance(outcome(connection(peer(lambda client: time.sleep(9))), seconds=0.2), errors.Stalled)
    assert time.monotonic() - started < 4


def test_an_endless_body_is_not_read_to_the_end(peer: Callable[[Behaviour], int]) -> None:
    sent = [0]

    def endless(client: socket.socket) -> None:
        client.recv(65536)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")
        while True:
            sent[0] += client.send(b"x" * 65536)

    assert isinstance(outcome(connection(peer(endless))), errors.ServiceUnavailable)
    assert sent[0] < 4 * MAX_BODY


@pytest.mark.parametrize(
    ("head", "expected", "words"),
    [
        ("HTTP/1.1 302 Found\nLocation: http://127.0.0.1:9/\nContent-Length: 0", errors.ServiceUnavailable, "HTTP 302"),
        ("HTTP/1.1 307 Moved\nLocation: /wsman2\nContent-Length: 0", errors.ServiceUnavailable, "HTTP 307"),
        ("HTTP/1.1 404 No\nContent-Length: 0", errors.ServiceUnavailable, "HTTP 404"),
        ("HTTP/1.1 200 OK\nContent-Encoding: gzip\nContent-Length: 3", errors.ServiceUnavailable, "compressed"),
        ("HTTP/1.1 407 Proxy\nProxy-Authenticate: NTLM\nContent-Length: 0", errors.ProxyFailed, "407"),
        ("HTTP/1.1 401 No\nWWW-Authenticate: Kerberos\nContent-Length: 0", errors.LogonNotTried, "Kerberos"),
        ("HTTP/1.1 401 No\nWWW-Authenticate: Negotiate\nContent-Length: 0", errors.LogonNotTried, "NTLM"),
        ("SSH-2.0-OpenSSH\n", errors.ConnectionCut, "cut"),
    ],
)
def test_answers_from_something_else_are_named(
    peer: Callable[[Behaviour], int], head: str, expected: type[errors.NotSent], words: str
) -> None:
    error = outcome(connection(peer(answering(head, b"abc" if "gzip" in head else b""))))
    assert type(error) is expected
    assert words in str(error)
    assert "open sesame" not in str(error)


def test_a_proxy_that_does_not_answer_is_told_from_the_server(peer: Callable[[Behaviour], int]) -> None:
    error = outcome(connection(5985, proxy="http://127.0.0.1:9"))
    assert type(error) is errors.ProxyFailed
    gateway = peer(answering("HTTP/1.1 502 Bad Gateway\nContent-Length: 0"))
    assert type(outcome(connection(5985, proxy=f"http://127.0.0.1:{gateway}"))) is errors.ProxyFailed


def test_kerberos_without_its_library_says_which_one() -> None:
    pytest.importorskip("winrm")
    try:
        import winrm.vendor.requests_kerberos  # noqa: F401
    except ImportError:
        error = outcome(connection(9, transport="kerberos"))
        assert type(error) is errors.LogonNotTried
        assert "pywinrm[kerberos]" in str(error)
    else:
        pytest.skip("the Kerberos library is installed")
