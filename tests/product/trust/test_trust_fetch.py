"""Fetching metadata: what is accepted, and that every fault ends in time under its own name."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from s2slib.trust.fetch import Fetched, FetchError, fetch_metadata

Behaviour = Callable[[socket.socket, bytes, threading.Event], None]
Listen = Callable[..., Any]
Fetch = Callable[..., Fetched]


def answer(body: bytes = b"{}", *headers: str, status: str = "200 OK", length: int | None = None) -> Behaviour:
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body) if length is None else length}", "", ""]
    message = "\r\n".join(lines).encode("latin-1") + body
    return lambda connection, _head, _stop: connection.sendall(message)


def raw(message: bytes) -> Behaviour:
    return lambda connection, _head, _stop: connection.sendall(message)


def drip(start: bytes, piece: bytes) -> Behaviour:
    """Sends `start` at once and then `piece` every 50 ms, for ever."""

    def behave(connection: socket.socket, _head: bytes, stop: threading.Event) -> None:
        connection.sendall(start)
        while not stop.wait(0.05):
            connection.sendall(piece)

    return behave


def silence(_connection: socket.socket, _head: bytes, stop: threading.Event) -> None:
    stop.wait(10)


def hang_up(connection: socket.socket, _head: bytes, _stop: threading.Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def fetch(tls: dict[str, Path]) -> Fetch:
    """`fetch(listener)` or `fetch(url)` with the test's CA and a deadline that no healthy answer needs."""

    def run(where: Any, **options: Any) -> Fetched:
        url = where if isinstance(where, str) else f"https://localhost:{where.port}/metadata/json/1"
        return fetch_metadata(url, **{"ca_file": tls["ca"], "proxy": None, "deadline_s": 5.0} | options)

    return run


@pytest.fixture
def refused(fetch: Fetch) -> Callable[..., FetchError]:
    """The error that a fetch must end with; it carries no exception of a library along."""

    def run(where: Any, **options: Any) -> FetchError:
        with pytest.raises(FetchError) as caught:
            fetch(where, **options)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        return caught.value

    return run


@pytest.fixture
def no_thread_left_behind() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 3
    while any(thread.name == "s2slib-fetch" for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "the fetching thread outlived its deadline"
        time.sleep(0.02)


# what is accepted -----------------------------------------------------------------------------------------------------


def test_a_200_answer_comes_back_as_sent(listen: Listen, fetch: Fetch) -> None:
    server = listen(answer(b'{"id":1}\xff', "Content-Type: application/json; charset=utf-8"), "good")
    fetched = fetch(server)
    assert fetched.body == b'{"id":1}\xff'
    assert (fetched.status, fetched.host) == (200, "localhost")
    assert fetched.content_type == "application/json; charset=utf-8"


def test_the_servers_tls_certificate_is_described(listen: Listen, fetch: Fetch) -> None:
    certificate = fetch(listen(answer(), "good")).certificate
    assert certificate is not None
    assert certificate.subject == "CN=localhost"
    assert certificate.issuer == "CN=Test CA"


def test_a_chunked_body_is_put_together(listen: Listen, fetch: Fetch) -> None:
    chunks = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n'
    assert fetch(listen(raw(chunks), "good")).body == b'{"a":1}'


def test_a_body_that_ends_with_the_connection_is_read(listen: Listen, fetch: Fetch) -> None:
    assert fetch(listen(raw(b"HTTP/1.1 200 OK\r\n\r\n{}"), "good")).body == b"{}"


def test_a_body_of_exactly_the_cap_is_accepted(listen: Listen, fetch: Fetch) -> None:
    assert len(fetch(listen(answer(b"x" * 1000), "good"), size_cap=1000).body) == 1000


def test_compression_is_not_asked_for_and_no_credentials_are_sent(
    listen: Listen, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login kenmyer password hidden\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = listen(answer(), "good")
    fetch(server)
    head = server.heads[0].lower()
    assert b"accept-encoding: identity" in head
    assert b"authorization" not in head


def test_the_environments_proxies_and_bundles_are_ignored(
    listen: Listen, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = f"http://127.0.0.1:{unused_port()}"
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, dead)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    assert fetch(listen(answer(), "good")).status == 200


# URLs -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://localhost/metadata/json/1", "not_https"),
        ("ftp://localhost/x", "not_https"),
        ("https:///metadata/json/1", "bad_url"),
        ("https://localhost:0/", "bad_url"),
        ("https://localhost:99999/", "bad_url"),
        ("https://[::1/", "bad_url"),
        ("https://local host/", "bad_url"),
        ("https://localhost/\r\nX-Evil: 1", "bad_url"),
        ("https://good.litwareinc.com\\@localhost/", "bad_url"),
        ("metadata/json/1", "bad_url"),
        ("", "bad_url"),
    ],
)
def test_a_url_that_must_not_be_used_is_refused_before_any_connection(
    refused: Callable[..., FetchError], url: str, kind: str
) -> None:
    assert refused(url).kind == kind


def test_a_password_in_the_url_is_refused_and_not_repeated(refused: Callable[..., FetchError]) -> None:
    for url in ("https://kenmyer:hidden@localhost/", "http://kenmyer:hidden@localhost/", "https://u:hidden@[::1/"):
        error = refused(url)
        assert "hidden" not in str(error) + error.url


# TLS ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("certificate", "kind", "words"),
    [
        ("wrong-name", "tls_name", "another name"),
        ("expired", "tls_validity", "has expired"),
        ("future", "tls_validity", "not valid yet"),
    ],
)
def test_a_certificate_fault_is_told_apart(
    listen: Listen, refused: Callable[..., FetchError], certificate: str, kind: str, words: str
) -> None:
    server = listen(answer(), certificate)
    error = refused(server)
    assert error.kind == kind
    assert words in error.detail
    assert server.heads == [], "the request was sent to a server that was not verified"


def test_a_certificate_for_the_name_does_not_pass_for_another_address(
    listen: Listen, refused: Callable[..., FetchError]
) -> None:
    server = listen(answer(), "wrong-name")
    assert refused(f"https://127.0.0.1:{server.port}/").kind == "tls_name"


def test_a_ca_that_is_not_the_deployments_is_not_trusted(
    listen: Listen, refused: Callable[..., FetchError], tls: dict[str, Path]
) -> None:
    assert refused(listen(answer(), "good"), ca_file=tls["other-ca"]).kind == "tls_untrusted"


def test_without_a_ca_file_the_systems_authorities_decide(listen: Listen, refused: Callable[..., FetchError]) -> None:
    assert refused(listen(answer(), "good"), ca_file=None).kind == "tls_untrusted"


def test_the_systems_authorities_are_enough_without_a_ca_file(
    listen: Listen, fetch: Fetch, tls: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls["ca"]))
    assert fetch(listen(answer(), "good"), ca_file=None).status == 200


def test_with_a_ca_file_neither_the_systems_nor_bundled_authorities_are_trusted(
    listen: Listen, refused: Callable[..., FetchError], tls: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tls["ca"]))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(tls["ca"]))
    assert refused(listen(answer(), "good"), ca_file=tls["other-ca"]).kind == "tls_untrusted"


def test_a_server_that_does_not_speak_tls_is_named_so(listen: Listen, refused: Callable[..., FetchError]) -> None:
    assert refused(listen(raw(b"HTTP/1.1 400 Bad Request\r\n\r\n"), read_head=False)).kind == "tls_other"


def test_a_server_that_offers_only_old_tls_is_refused(
    listen: Listen, refused: Callable[..., FetchError], tls: dict[str, Path]
) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.set_ciphers("DEFAULT@SECLEVEL=0")
    old.load_cert_chain(tls["good"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1

    def behave(connection: socket.socket, _head: bytes, _stop: threading.Event) -> None:
        old.wrap_socket(connection, server_side=True)

    assert refused(listen(behave, read_head=False)).kind == "tls_other"


@pytest.mark.parametrize("content", [None, "", "no certificate here"])
def test_a_ca_file_that_cannot_be_used_is_named(
    refused: Callable[..., FetchError], tmp_path: Path, content: str | None
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    error = refused("https://localhost/", ca_file=ca_file)
    assert error.kind == "ca_file"
    assert "ca.pem" in error.detail


# answers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_to_another_host_is_refused_and_stands_out(
    listen: Listen, refused: Callable[..., FetchError], status: str
) -> None:
    location = "https://login.contoso.com/signin\x1b[2J"
    error = refused(listen(answer(b"", f"Location: {location}", status=status), "good"))
    assert error.kind == "redirect"
    assert error.host_changed
    assert error.location == location
    assert "ANOTHER HOST, 'login.contoso.com'" in error.detail
    assert "\x1b" not in str(error)


def test_a_redirect_on_the_same_host_is_refused_too(listen: Listen, refused: Callable[..., FetchError]) -> None:
    server = listen(answer(b"", "Location: /owa/", status="302 Found"), "good")
    error = refused(server)
    assert (error.kind, error.host_changed, error.status) == ("redirect", False, 302)
    assert len(server.heads) == 1, "the redirect was followed"


@pytest.mark.parametrize(
    "status", ["201 Created", "204 No Content", "302 Found", "304 Not Modified", "401 x", "403 x", "404 x", "503 x"]
)
def test_any_status_but_200_is_an_error_with_its_number(
    listen: Listen, refused: Callable[..., FetchError], status: str
) -> None:
    body = b"" if status[:3] in {"204", "304"} else b"<html>\x1b[31mhidden</html>"
    error = refused(listen(answer(body, status=status), "good"))
    assert error.kind == "http_status"
    assert error.status == int(status[:3])
    assert "hidden" not in str(error)


def test_html_with_status_200_is_handed_on_for_parsing(listen: Listen, fetch: Fetch) -> None:
    fetched = fetch(listen(answer(b"<html><title>Sign in</title>", "Content-Type: text/html"), "good"))
    assert fetched.content_type == "text/html"


@pytest.mark.parametrize(
    "header", ["Content-Encoding: gzip", "Content-Encoding: br", "Transfer-Encoding: gzip, chunked"]
)
def test_a_compressed_answer_is_refused_unread(listen: Listen, refused: Callable[..., FetchError], header: str) -> None:
    bomb = gzip.compress(b"0" * 5_000_000)
    assert refused(listen(answer(bomb, header), "good")).kind == "encoding"


def test_a_body_that_announces_too_much_is_refused_at_once(listen: Listen, refused: Callable[..., FetchError]) -> None:
    error = refused(listen(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n", b"x"), "good"))
    assert error.kind == "too_large"


@pytest.mark.parametrize("head", [b"", b"Transfer-Encoding: chunked\r\n"])
def test_a_body_without_end_is_cut_off_at_the_cap(
    listen: Listen, refused: Callable[..., FetchError], head: bytes
) -> None:
    piece = b"x" * 65536
    if head:
        piece = b"10000\r\n" + piece + b"\r\n"

    def behave(connection: socket.socket, _head: bytes, stop: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        while not stop.is_set():
            connection.sendall(piece)

    assert refused(listen(behave, "good")).kind == "too_large"


@pytest.mark.parametrize(
    "message",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhidden\r\n",
        b"hidden\x1b[2J\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n{}",
        b"",
    ],
    ids=["short", "short chunk", "no chunk", "no http", "long header", "many headers", "nothing"],
)
def test_a_broken_answer_is_named_so_and_not_repeated(
    listen: Listen, refused: Callable[..., FetchError], message: bytes
) -> None:
    error = refused(listen(raw(message), "good"))
    assert error.kind == "broken"
    assert "hidden" not in str(error)


def test_a_connection_that_is_reset_is_broken(listen: Listen, refused: Callable[..., FetchError]) -> None:
    assert refused(listen(hang_up, "good")).kind == "broken"


def test_a_connection_that_is_reset_during_the_handshake_is_broken(
    listen: Listen, refused: Callable[..., FetchError]
) -> None:
    assert refused(listen(hang_up, read_head=False)).kind == "broken"


# reach and time -------------------------------------------------------------------------------------------------------


def test_a_port_where_nobody_listens_is_refused(refused: Callable[..., FetchError]) -> None:
    assert refused(f"https://localhost:{unused_port()}/").kind == "refused"


def test_a_name_that_does_not_resolve_is_dns(
    refused: Callable[..., FetchError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert refused("https://atl-cs-001.litwareinc.com/").kind == "dns"


def test_a_name_server_that_does_not_answer_ends_at_the_deadline(
    refused: Callable[..., FetchError], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(*_: object, **__: object) -> None:
        released.wait(5)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    started = time.monotonic()
    assert refused("https://atl-cs-001.litwareinc.com/", deadline_s=0.2).kind == "timeout"
    assert time.monotonic() - started < 3
    released.set()


@pytest.mark.parametrize(
    ("behaviour", "certificate"),
    [
        (silence, "good"),
        (silence, None),
        (drip(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"), "good"),
        (drip(b"", b"H"), "good"),
        (drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" "), "good"),
        (drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"), "good"),
        (drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "good"),
    ],
    ids=["silent", "silent handshake", "slow headers", "slow status line", "slow body", "slow chunks", "only 100s"],
)
def test_a_server_that_drips_ends_at_the_deadline(
    listen: Listen,
    refused: Callable[..., FetchError],
    no_thread_left_behind: None,
    behaviour: Behaviour,
    certificate: str | None,
) -> None:
    server = listen(behaviour, certificate, read_head=certificate is not None)
    started = time.monotonic()
    assert refused(server, deadline_s=0.25).kind == "timeout"
    assert 0.2 < time.monotonic() - started < 3


def test_no_time_left_is_a_timeout_without_a_connection(listen: Listen, refused: Callable[..., FetchError]) -> None:
    server = listen(answer(), "good")
    assert refused(server, deadline_s=0.0).kind == "timeout"
    assert server.heads == []


def test_the_deadline_is_kept_by_the_given_clock(listen: Listen, refused: Callable[..., FetchError]) -> None:
    ticks = iter(range(0, 10_000, 30))
    started = time.monotonic()
    error = refused(listen(silence, "good"), deadline_s=100.0, clock=lambda: float(next(ticks)))
    assert error.kind == "timeout"
    assert time.monotonic() - started < 3


# proxies --------------------------------------------------------------------------------------------------------------


def relay(connection: socket.socket, head: bytes, _stop: threading.Event) -> None:
    """A proxy that does as asked: CONNECT host:port, then bytes both ways."""
    host, _, port = head.split()[1].decode("ascii").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as onward:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=pump, args=(onward, connection), daemon=True)
        back.start()
        pump(connection, onward)
        back.join(timeout=5)


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def test_a_proxy_is_asked_to_connect_and_tls_is_verified_through_it(
    listen: Listen, fetch: Fetch, refused: Callable[..., FetchError], tls: dict[str, Path]
) -> None:
    proxy = listen(relay)
    server = listen(answer(b"{}"), "good")
    options = {"proxy": f"http://127.0.0.1:{proxy.port}"}
    assert fetch(server, **options).body == b"{}"
    assert proxy.heads[0].startswith(f"CONNECT localhost:{server.port} ".encode())
    assert refused(server, ca_file=tls["other-ca"], **options).kind == "tls_untrusted"
    assert refused(listen(answer(), "wrong-name"), **options).kind == "tls_name"


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (raw(b"HTTP/1.1 407 hidden\x1b[2J\r\nProxy-Authenticate: Basic\r\n\r\n"), "HTTP 407 (it asks for credentials)"),
        (raw(b"HTTP/1.1 403 hidden\r\n\r\n"), "HTTP 403"),
        (raw(b"hidden\r\n\r\n"), "did not open"),
        (hang_up, "did not open"),
    ],
    ids=["407", "403", "no http", "hangs up"],
)
def test_a_proxy_that_refuses_is_named_and_not_repeated(
    listen: Listen, refused: Callable[..., FetchError], behaviour: Behaviour, words: str
) -> None:
    proxy = listen(behaviour)
    error = refused("https://atl-cs-001.litwareinc.com/", proxy=f"http://kenmyer:hidden@127.0.0.1:{proxy.port}")
    assert error.kind == "proxy"
    assert words in error.detail
    assert "hidden" not in str(error)


def test_a_proxy_that_is_not_there_is_named(refused: Callable[..., FetchError]) -> None:
    error = refused("https://atl-cs-001.litwareinc.com/", proxy=f"http://127.0.0.1:{unused_port()}")
    assert error.kind == "proxy"
    assert "refused" in error.detail


def test_a_proxy_that_drips_ends_at_the_deadline(
    listen: Listen, refused: Callable[..., FetchError], no_thread_left_behind: None
) -> None:
    proxy = listen(drip(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"))
    started = time.monotonic()
    error = refused("https://atl-cs-001.litwareinc.com/", proxy=f"http://127.0.0.1:{proxy.port}", deadline_s=0.25)
    assert error.kind == "timeout"
    assert time.monotonic() - started < 3


@pytest.mark.parametrize("proxy", ["https://u:hidden@proxy:8080", "socks5://proxy:1080", "proxy:8080", "http://", ""])
def test_a_proxy_url_of_another_kind_is_refused(refused: Callable[..., FetchError], proxy: str) -> None:
    error = refused("https://localhost/", proxy=proxy)
    assert error.kind == "proxy"
    assert "hidden" not in str(error)
