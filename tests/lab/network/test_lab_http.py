"""HTTP as the lab's sites speak it: framing, errors, and connections that end when they should."""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
from helpers.lab_world import World

from s2slab.estate.pki import Authority, client_context
from s2slab.network.http1 import ProtocolError, RequestLine, body_length, read_body, read_head
from s2slab.network.network import WebFailure
from s2slab.network.site import Reply, Request, Site

NAME = "atl-fe-001.litwareinc.com"


@pytest.fixture
def connection(steady_world: World) -> Iterator[ssl.SSLSocket]:
    plain = socket.create_connection(steady_world.network.address(NAME, 443), timeout=5)
    with client_context([steady_world.estate.authority.certificate_pem]).wrap_socket(
        plain, server_hostname=NAME
    ) as tls:
        yield tls


def reply_to(connection: ssl.SSLSocket, sent: bytes) -> str:
    connection.sendall(sent)
    head = read_head(connection.makefile("rb"))
    assert head is not None
    return head.start


@pytest.mark.parametrize(
    ("sent", "start"),
    [
        (b"GET /metadata/json/1 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK"),
        (b"\r\nGET /metadata/json/1?x=1 HTTP/1.0\nHost: a\n\n", "HTTP/1.1 200 OK"),
        (b"GET /metadata/json/1 HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET /metadata/json/1\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505 HTTP Version Not Supported"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nbroken\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400 Bad Request"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 413"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 Not Implemented"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70000 + b"\r\n\r\n", "HTTP/1.1 431"),
    ],
)
def test_a_request_is_answered_by_its_form(connection: ssl.SSLSocket, sent: bytes, start: str) -> None:
    assert reply_to(connection, sent).startswith(start)


def test_head_announces_the_length_without_sending_the_body(connection: ssl.SSLSocket) -> None:
    connection.sendall(b"HEAD /metadata/json/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    stream = connection.makefile("rb")
    head = read_head(stream)
    assert head is not None
    assert int(head.get("content-length")) > 1000
    assert stream.read() == b""


def test_a_connection_that_is_kept_serves_one_request_after_another(connection: ssl.SSLSocket) -> None:
    request = b"POST /metadata/json/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    connection.sendall(request * 2)
    stream = connection.makefile("rb")
    for _ in range(2):
        head = read_head(stream)
        assert head is not None
        assert head.start == "HTTP/1.1 405 Method Not Allowed"


def test_the_document_names_the_url_that_was_asked_for(steady_world: World) -> None:
    near, port = steady_world.network.address("atl-exchange-002.litwareinc.com", 443)
    trusted = client_context([steady_world.estate.authority.certificate_pem])
    with trusted.wrap_socket(socket.create_connection((near, port), timeout=5), server_hostname=near) as tls:
        tls.sendall(f"GET /autodiscover/metadata/json/1 HTTP/1.0\r\nHost: {near}:{port}\r\n\r\n".encode())
        assert f"https://{near}:{port}/autodiscover/metadata/json/1".encode() in tls.makefile("rb").read()


def test_a_replaced_certificate_is_shown_from_the_next_handshake_on(world: World) -> None:
    server = world.server(NAME)
    server.tls = world.estate.authority.issue("other.litwareinc.com")
    with pytest.raises(WebFailure, match="Could not establish trust relationship"):
        world.get(f"https://{NAME}/metadata/json/1", of="atl-exchange-002")
    server.tls = Authority("Another Root CA").issue(NAME)
    with pytest.raises(WebFailure, match="Could not establish trust relationship"):
        world.get(f"https://{NAME}/metadata/json/1", of="atl-exchange-002")
    server.tls = world.estate.authority.issue(NAME)
    assert world.get(f"https://{NAME}/metadata/json/1", of="atl-exchange-002").status == 200


def test_a_certificate_is_judged_by_the_clock_of_the_server_that_looks_at_it(world: World) -> None:
    world.server("atl-exchange-002").clock_skew_s = 10 * 365 * 86400
    with pytest.raises(WebFailure, match="Could not establish trust relationship"):
        world.get(f"https://{NAME}/metadata/json/1", of="atl-exchange-002")
    assert world.get(f"https://{NAME}/metadata/json/1", of="atl-exchange-001").status == 200


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://nowhere.litwareinc.com/", "The remote name could not be resolved: 'nowhere.litwareinc.com'"),
        ("https://atl-dc-001.litwareinc.com/", "Unable to connect to the remote server"),
        (f"https://{NAME}:444/", "Unable to connect to the remote server"),
        ("ftp://atl-fe-001.litwareinc.com/", "Invalid URI: The URI scheme is not valid."),
        ("/metadata/json/1", "Invalid URI: The URI scheme is not valid."),
        ("https://atl-fe-001.litwareinc.com:port/", "Invalid URI: Invalid port specified."),
    ],
)
def test_a_failed_request_reads_as_dotnet_says_it(steady_world: World, url: str, message: str) -> None:
    with pytest.raises(WebFailure) as caught:
        steady_world.get(url)
    assert (str(caught.value), caught.value.status) == (message, None)


def test_a_path_with_any_character_reaches_the_server(steady_world: World) -> None:
    assert steady_world.get(f"https://{NAME}/Übersicht und mehr\r\nX: y?q=é").status == 404


def test_a_header_that_cannot_be_sent_fails_without_a_connection_left_open(steady_world: World) -> None:
    with pytest.raises(WebFailure, match="invalid characters"):
        steady_world.get(f"https://{NAME}/metadata/json/1", Accept="a\r\nb")


def test_an_error_status_is_a_failure_that_carries_the_answer(steady_world: World) -> None:
    with pytest.raises(WebFailure) as caught:
        steady_world.network.request(steady_world.server(NAME), "GET", f"https://{NAME}/nothing")
    assert str(caught.value) == "The remote server returned an error: (404) Not Found."
    assert caught.value.answer is not None
    assert b"404" in caught.value.answer.body


def test_a_server_that_is_cut_off_reaches_nobody_and_is_reached_by_nobody(world: World) -> None:
    world.server(NAME).reachable = False
    with pytest.raises(WebFailure, match="Unable to connect"):
        world.get("https://autodiscover.litwareinc.com/autodiscover/metadata/json/1", of=NAME)
    with pytest.raises(WebFailure, match="timed out"):
        world.get(f"https://{NAME}/metadata/json/1", of="atl-exchange-002")


def test_a_direct_connection_to_a_stopped_site_ends_without_tls(world: World) -> None:
    address = world.network.address(NAME, 443)
    iis = world.server(NAME).iis
    assert iis is not None
    iis.services["WAS"] = "Stopped"
    trusted = client_context([world.estate.authority.certificate_pem])
    with socket.create_connection(address, timeout=5) as plain, pytest.raises(OSError, match=r"EOF|reset|[Bb]roken"):
        trusted.wrap_socket(plain, server_hostname=NAME)


@pytest.mark.parametrize("when", ["before the request", "during the request"])
@pytest.mark.parametrize("life", [None, 2], ids=["stopped", "restarted"])
def test_a_kept_connection_ends_without_an_answer_when_the_server_is_stopped_or_restarted(
    when: str, life: int | None
) -> None:
    authority = Authority()
    pair = authority.issue(NAME)
    lives: list[int | None] = [1]
    asked: list[str] = []

    def handler(request: Request) -> Reply:
        asked.append(request.path)
        if when == "during the request" and len(asked) == 2:
            lives[0] = life
        return Reply(200, b"served", "text/plain")

    site = Site(handler, name="test", certificate=lambda: pair, life=lambda: lives[0])
    with closing(site), socket.create_connection(("127.0.0.1", site.port), timeout=5) as plain:
        with client_context([authority.certificate_pem]).wrap_socket(plain, server_hostname=NAME) as tls:
            assert reply_to(tls, b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n") == "HTTP/1.1 200 OK"
            if when == "before the request":
                lives[0] = life
            tls.sendall(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
            with suppress(ConnectionError):
                assert tls.recv(100) == b""
    assert asked == (["/1"] if when == "before the request" else ["/1", "/2"])


def test_a_handler_that_fails_is_an_internal_server_error_and_the_site_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    authority = Authority()
    pair = authority.issue(NAME)

    def handler(request: Request) -> Reply:
        raise KeyError(request.path)

    site = Site(handler, name="test", certificate=lambda: pair, life=lambda: 1)
    with closing(site), socket.create_connection(("127.0.0.1", site.port), timeout=5) as plain:
        with client_context([authority.certificate_pem]).wrap_socket(plain, server_hostname=NAME) as tls:
            for _ in range(2):
                tls.sendall(b"GET /1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n\r\n")
                assert b"500 Internal Server Error" in tls.recv(1000)
    assert "secret" not in caplog.text


def test_two_lengths_for_one_body_are_refused() -> None:
    head = read_head(
        io.BufferedReader(io.BytesIO(b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"))
    )
    assert head is not None
    with pytest.raises(ProtocolError, match="two lengths"):
        body_length(head)


@pytest.mark.parametrize("body", [b"zz\r\n", b"5\r\nab", b"", b"-1\r\n"])
def test_a_broken_chunk_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        list(read_body(io.BufferedReader(io.BytesIO(body)), None))


@pytest.mark.parametrize("line", ["GET  / HTTP/1.1", "GET / HTTP/1.1 x", " / HTTP/1.1", "G3T / HTTP/1.1"])
def test_a_malformed_request_line_is_refused(line: str) -> None:
    with pytest.raises(ProtocolError):
        RequestLine.parse(line)
