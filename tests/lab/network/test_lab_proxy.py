"""The forward proxy: production names over loopback, one upstream connection for each of the client's."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from helpers.lab_world import World

from s2slab.network.http1 import body_length, read_body, read_head, response
from s2slab.network.listener import Listener
from s2slab.network.proxy import ForwardProxy

TARGET = "http://atl-fe-001.litwareinc.com:5985"


class Echo:
    """A plain http server that tells which of its connections a request came on, and what it got."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[str] = []
        self.replies_wait: list[bool] = []  # for each connection: is Nagle's algorithm on?
        self._numbers = itertools.count(1)
        self._listener = Listener(self._serve, name="echo")
        self.port = self._listener.port
        self.ends_after: int | None = None  # requests per connection, then it closes without notice
        self.release = threading.Event()

    def close(self) -> None:
        self._listener.close()

    def _serve(self, connection: socket.socket) -> None:
        number = next(self._numbers)
        self.connections += 1
        self.replies_wait.append(not connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        served = 0
        with connection.makefile("rb") as stream:
            while (head := read_head(stream)) is not None:
                body = b"".join(read_body(stream, body_length(head)))
                self.requests.append(head.encode().decode())
                served += 1
                if "/slow" in head.start:
                    self.release.wait(10)
                fields = [("X-Connection", str(number)), ("X-Start", head.start)]
                connection.sendall(response(200, fields, body, close=False, bodiless=False))
                if served == self.ends_after:
                    return


@pytest.fixture
def echo(steady_world: World) -> Iterator[Echo]:
    server = Echo()
    steady_world.network.register("atl-fe-001.litwareinc.com", 5985, server.port)
    with closing(server):
        yield server


@pytest.fixture
def proxy(steady_world: World) -> Iterator[str]:
    server = ForwardProxy(steady_world.network)
    yield f"http://127.0.0.1:{server.start()}"
    server.close()


@pytest.fixture
def session(steady_world: World, proxy: str, tmp_path: Path) -> Iterator[requests.Session]:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(steady_world.estate.authority.certificate_pem)
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": proxy, "https": proxy}
        session.verify = str(ca)
        yield session


def test_an_unmodified_client_reaches_a_production_url_with_verified_tls(session: requests.Session) -> None:
    answer = session.get("https://autodiscover.litwareinc.com/autodiscover/metadata/json/1", timeout=5)
    assert answer.status_code == 200
    assert answer.json()["realm"] == "litwareinc.com"


def test_no_small_reply_waits_for_an_acknowledgement(session: requests.Session, echo: Echo) -> None:
    # a delayed acknowledgement holds back whatever Nagle's algorithm keeps, by 40 ms and more for each exchange
    session.post(f"{TARGET}/wsman", data=b"body", timeout=5)
    assert echo.replies_wait == [False]


@pytest.mark.parametrize(
    ("url", "status", "token"),
    [
        ("http://nowhere.litwareinc.com/", 502, "dns_error"),
        ("http://www.example.com/", 502, "dns_error"),
        ("http://atl-fe-001.litwareinc.com:8080/", 502, "connection_refused"),
        ("http://atl-dc-001.litwareinc.com/", 502, "connection_refused"),
    ],
)
def test_what_the_lab_does_not_serve_is_refused_with_a_reason(
    session: requests.Session, url: str, status: int, token: str
) -> None:
    answer = session.get(url, timeout=5)
    assert answer.status_code == status
    assert answer.headers["Proxy-Status"].endswith(f"error={token}")


def test_a_server_that_is_down_times_out_at_the_gateway(
    steady_world: World, session: requests.Session, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steady_world.server("atl-fe-001"), "reachable", False)
    assert session.get(f"{TARGET}/", timeout=5).status_code == 504


def test_a_tunnel_to_an_unknown_host_is_refused(session: requests.Session) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="502"):
        session.get("https://nowhere.litwareinc.com/", timeout=5)


def test_a_stopped_iis_refuses_web_ports_and_nothing_else(
    steady_world: World, session: requests.Session, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    iis = steady_world.server("atl-fe-001").iis
    assert iis is not None
    monkeypatch.setitem(iis.services, "W3SVC", "Stopped")
    with pytest.raises(requests.exceptions.ProxyError, match="502"):
        session.get("https://atl-fe-001.litwareinc.com/metadata/json/1", timeout=5)
    assert session.post(f"{TARGET}/wsman", data=b"x", timeout=5).status_code == 200


def test_a_kept_connection_ends_when_iis_stops(
    steady_world: World, session: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "https://atl-fe-001.litwareinc.com/metadata/json/1"
    assert session.get(url, timeout=5).status_code == 200
    iis = steady_world.server("atl-fe-001").iis
    assert iis is not None
    monkeypatch.setitem(iis.services, "W3SVC", "Stopped")
    with pytest.raises(requests.exceptions.ConnectionError):
        session.get(url, timeout=5)


def test_a_kept_connection_does_not_outlive_a_restart_of_iis(world: World, tmp_path: Path) -> None:
    url, ca = "https://atl-exchange-002.litwareinc.com/EWS/healthcheck.htm", tmp_path / "ca.pem"
    ca.write_bytes(world.estate.authority.certificate_pem)
    server = ForwardProxy(world.network)
    proxies = {"https": f"http://127.0.0.1:{server.start()}"}
    with closing(server), requests.Session() as session:
        assert session.get(url, proxies=proxies, verify=str(ca), timeout=5).status_code == 200
        world.restart("atl-exchange-002")
        with pytest.raises(requests.exceptions.ConnectionError):
            session.get(url, proxies=proxies, verify=str(ca), timeout=5)
        assert session.get(url, proxies=proxies, verify=str(ca), timeout=5).status_code == 200


def test_requests_of_one_connection_share_one_upstream_connection(session: requests.Session, echo: Echo) -> None:
    answers = [session.post(f"{TARGET}/wsman", data=b"%d" % n, timeout=5) for n in range(3)]
    assert [answer.headers["X-Connection"] for answer in answers] == ["1", "1", "1"]
    assert [answer.content for answer in answers] == [b"0", b"1", b"2"]
    assert answers[0].headers["X-Start"] == "POST /wsman HTTP/1.1"


def test_another_client_connection_gets_an_upstream_connection_of_its_own(
    session: requests.Session, echo: Echo
) -> None:
    first = session.post(f"{TARGET}/wsman", data=b"", timeout=5)
    second = requests.post(f"{TARGET}/wsman", data=b"", timeout=5, proxies=dict(session.proxies))
    assert (first.headers["X-Connection"], second.headers["X-Connection"]) == ("1", "2")


def test_chunked_bodies_and_the_callers_headers_arrive_and_the_proxys_do_not(
    session: requests.Session, echo: Echo
) -> None:
    headers = {"Authorization": "Negotiate abc", "Proxy-Connection": "keep-alive"}
    answer = session.post(f"{TARGET}/wsman?a=1", data=iter([b"one", b"two"]), headers=headers, timeout=5)
    assert answer.content == b"onetwo"
    assert answer.headers["X-Start"] == "POST /wsman?a=1 HTTP/1.1"
    assert "Authorization: Negotiate abc" in echo.requests[0]
    assert "Proxy-Connection" not in echo.requests[0]


def test_a_large_body_passes_both_ways(session: requests.Session, echo: Echo) -> None:
    body = bytes(range(256)) * 4096
    assert session.post(f"{TARGET}/wsman", data=body, timeout=5).content == body


def test_a_client_that_waits_for_100_continue_gets_it_before_its_body_is_sent(proxy: str, echo: Echo) -> None:
    with socket.create_connection(("127.0.0.1", int(proxy.rsplit(":", 1)[1])), timeout=5) as client:
        client.sendall(
            f"POST {TARGET}/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n".encode()
        )
        stream = client.makefile("rb")
        assert stream.readline() == b"HTTP/1.1 100 Continue\r\n"
        stream.readline()
        client.sendall(b"hi")
        assert stream.readline() == b"HTTP/1.1 200 OK\r\n"
    assert "Expect" not in echo.requests[0]


def test_the_client_is_cut_off_when_the_server_ends_a_kept_connection(proxy: str, echo: Echo) -> None:
    echo.ends_after = 1
    with socket.create_connection(("127.0.0.1", int(proxy.rsplit(":", 1)[1])), timeout=5) as client:
        stream = client.makefile("rb")
        client.sendall(f"GET {TARGET}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        head = read_head(stream)
        assert head is not None
        assert head.start == "HTTP/1.1 200 OK"
        assert stream.read(1) == b""


@pytest.mark.parametrize(
    "reply",
    [b"", b"HTTP/1.1 200 OK\r\nContent-", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"not http\r\n\r\n"],
    ids=["nothing", "half a head", "half a body", "no http"],
)
def test_the_client_gets_what_the_server_sent_and_not_a_byte_more_when_that_breaks_off(
    steady_world: World, proxy: str, reply: bytes
) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(reply)

    server = Listener(serve, name="broken")
    steady_world.network.register("atl-fe-001.litwareinc.com", 5985, server.port)
    with closing(server), socket.create_connection(("127.0.0.1", int(proxy.rsplit(":", 1)[1])), timeout=5) as client:
        client.sendall(f"GET {TARGET}/ HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        got = client.makefile("rb").read()
    assert got == (reply if b"half" in reply else b"")


def test_the_server_loses_its_connection_when_the_client_leaves_half_way(proxy: str, echo: Echo) -> None:
    with socket.create_connection(("127.0.0.1", int(proxy.rsplit(":", 1)[1])), timeout=5) as client:
        client.sendall(f"GET {TARGET}/slow HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        _until(lambda: len(echo.requests) == 1)
    _until(lambda: not any(thread.name == "lab proxy" for thread in threading.enumerate()))
    echo.release.set()


def test_requests_that_come_together_are_answered_in_order(proxy: str, echo: Echo) -> None:
    with socket.create_connection(("127.0.0.1", int(proxy.rsplit(":", 1)[1])), timeout=5) as client:
        client.sendall(b"".join(f"GET {TARGET}/{n} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for n in range(3)))
        stream = client.makefile("rb")
        starts = []
        for _ in range(3):
            head = read_head(stream)
            assert head is not None
            starts.append(head.get("x-start"))
    assert starts == [f"GET /{n} HTTP/1.1" for n in range(3)]


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense\r\n\r\n",
        b"GET /origin-form HTTP/1.1\r\n\r\n",
        b"GET http://atl-fe-001.litwareinc.com:port/ HTTP/1.1\r\n\r\n",
        b"GET http://[atl/ HTTP/1.1\r\n\r\n",
        b"CONNECT noport HTTP/1.1\r\n\r\n",
        b"CONNECT atl-fe-001.litwareinc.com:\xb2 HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_proxy_request_is_a_bad_request(proxy: str, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", int(proxy.rsplit(":", 1)[1])), timeout=5) as client:
        client.sendall(sent)
        assert client.makefile("rb").readline() == b"HTTP/1.1 400 Bad Request\r\n"


def test_closing_ends_connections_and_threads_at_once(steady_world: World, echo: Echo) -> None:
    server = ForwardProxy(steady_world.network)
    port = server.start()
    client = socket.create_connection(("127.0.0.1", port), timeout=5)
    client.sendall(f"GET {TARGET}/slow HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    _until(lambda: len(echo.requests) == 1)
    start = time.monotonic()
    server.close()
    assert time.monotonic() - start < 2
    assert client.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    client.close()
    echo.release.set()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
