"""The HTTP layer and the logon on it: status codes, offers, channel binding, the user file, hostile bytes."""

from __future__ import annotations

import base64
import http.client
import os
import socket
import stat
import struct
import subprocess
import sys
import threading
from typing import Any, BinaryIO

import pytest
import requests
import spnego
from helpers.winrm_host import PASSWORD, Host, People, Start
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from spnego.exceptions import InvalidTokenError
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError

from s2slab.winrm import framing
from s2slab.winrm import namespaces as ns
from s2slab.winrm.ntlm import UserFile, normalise, read_identity
from s2slab.winrm.process import Writer

IDENTIFY = (
    f'<s:Envelope xmlns:s="{ns.SOAP}"><s:Header/><s:Body><i:Identify xmlns:i="{ns.IDENTITY}"/></s:Body></s:Envelope>'
)


def nothing(stdin: BinaryIO, stdout: Writer, stderr: Writer, stop: threading.Event) -> int:
    return 0


@pytest.fixture
def host(start: Start) -> Host:
    return start(nothing)


def post(host: Host, path: str = "/wsman", data: bytes | str = b"", **options: Any) -> requests.Response:
    session = requests.Session()
    session.trust_env = False
    return session.post(f"http://127.0.0.1:{host.http}{path}", data=data, timeout=5, **options)


def test_an_unauthenticated_request_is_told_the_schemes_one_header_each(host: Host) -> None:
    reply = post(host, data="<x/>")
    assert (reply.status_code, reply.content, reply.headers["Server"]) == (401, b"", "Microsoft-HTTPAPI/2.0")
    assert reply.raw.headers.getlist("WWW-Authenticate") == ["Negotiate", "CredSSP"]
    with requests.Session() as session:
        session.trust_env = False
        secure = session.post(f"https://127.0.0.1:{host.https}/wsman", verify=str(host.ca_file), timeout=5)
    assert secure.raw.headers.getlist("WWW-Authenticate") == ["Negotiate", 'Basic realm="WSMAN"', "CredSSP"]


@pytest.mark.parametrize(
    ("path", "headers"), [("/wsman", {"WSMANIDENTIFY": "unauthenticated"}), ("/wsman-anon/identify", {})]
)
def test_identify_is_answered_without_a_logon_and_tells_nothing_of_the_system(
    host: Host, path: str, headers: dict[str, str]
) -> None:
    reply = post(host, path, IDENTIFY, headers=headers)
    assert reply.status_code == 200
    assert "OS: 0.0.0 SP: 0.0 Stack: 3.0" in reply.text
    assert post(host, path, "<x", headers=headers).status_code == 400


def test_nothing_else_is_answered_without_a_logon(host: Host) -> None:
    header = f'<s:Header><a:Action xmlns:a="{ns.ADDRESSING}">x/Create</a:Action></s:Header>'
    envelope = f'<s:Envelope xmlns:s="{ns.SOAP}">{header}<s:Body/></s:Envelope>'
    assert post(host, data=envelope, headers={"WSMANIDENTIFY": "unauthenticated"}).status_code == 401


def test_wrong_paths_and_methods_have_their_status(host: Host) -> None:
    assert post(host, "/powershell").status_code == 404
    assert requests.get(f"http://127.0.0.1:{host.http}/wsman", timeout=5, proxies={"http": ""}).status_code == 405


def raw(host: Host, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", host.http), timeout=5) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_request_without_a_length_is_refused(host: Host) -> None:
    assert raw(host, b"POST /wsman HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 411 ")
    assert raw(host, b"POST /wsman HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_the_whole_url_is_taken_for_its_path(host: Host) -> None:
    head = b"Host: x\r\nWSMANIDENTIFY: unauthenticated\r\n"
    body = IDENTIFY.encode()
    request = b"POST http://atl-cs-001:5985/wsman?PSVersion=5.1 HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n" % (
        head,
        len(body),
    )
    assert raw(host, request + body).startswith(b"HTTP/1.1 200 ")


def test_a_refusal_keeps_the_connection(host: Host) -> None:
    once = b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
    large = b"POST /wsman HTTP/1.1\r\nHost: x\r\nContent-Length: 700000\r\n\r\n" + b"x" * 700_000
    answer = raw(host, once + large + once)
    assert [line.split()[1] for line in answer.splitlines() if line.startswith(b"HTTP/1.1")] == [b"404", b"413", b"404"]


def test_a_message_above_the_envelope_limit_is_413_and_an_unreadable_one_400(host: Host) -> None:
    host.settings.max_envelope_kb = 2
    protocol = host.session().protocol
    with pytest.raises(WinRMTransportError) as caught:
        protocol.send_message("x" * 5000)
    assert caught.value.code == 413
    with pytest.raises(WinRMTransportError) as caught:
        protocol.send_message("<no envelope/>")
    assert caught.value.code == 400
    assert protocol.open_shell()


@pytest.mark.parametrize(
    "header",
    [
        "Negotiate",
        "Negotiate !!!",
        "Negotiate TlRMTVNTUAADAAAA",
        "Negotiate TlRMTVNTUAABAAAA",
        "Negotiate YIIBhgYGKwYBBQUC",
        "CredSSP AAAA",
        "CredSSP FgMBAgABAAH8AwM=",
        "Basic eA==",
        "Kerberos YII=",
        "NTLM TlRMTVNTUAABAAAA",
        "Bearer x",
    ],
)
def test_an_authorization_that_leads_nowhere_is_a_401(host: Host, header: str) -> None:
    assert post(host, headers={"Authorization": header}).status_code == 401
    assert host.session().protocol.open_shell()


def test_a_sealed_body_without_its_context_is_a_400(host: Host) -> None:
    host.settings.allow_unencrypted = True
    content_type, _ = framing.encode(framing.SPNEGO, [framing.Part(0, b"", b"")])
    reply = post(host, data=b"sealed", auth=("kenmyer", PASSWORD), headers={"Content-Type": content_type})
    assert (reply.status_code, reply.content) == (400, b"")


class Wire:
    """One connection and an NTLM client on it, step by step."""

    def __init__(self, host: Host) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", host.http, timeout=5)
        self.restart()

    def restart(self) -> None:
        self.ntlm = spnego.client("kenmyer", PASSWORD, protocol="ntlm")

    def step(self, token: bytes | None) -> tuple[int, bytes | None]:
        sent = base64.b64encode(self.ntlm.step(token) or b"").decode()
        self.connection.request("POST", "/wsman", headers={"Authorization": f"Negotiate {sent}", "Content-Length": "0"})
        reply = self.connection.getresponse()
        reply.read()
        answer = (reply.getheader("WWW-Authenticate") or "").removeprefix("Negotiate ")
        return reply.status, base64.b64decode(answer) if "," not in answer else None

    def log_on(self) -> int:
        _, challenge = self.step(None)
        return self.step(challenge)[0]

    def seal(self, plain: bytes, *, claims: int) -> tuple[int, str]:
        header, data, _ = self.ntlm.wrap_winrm(plain)
        content_type, body = framing.encode(framing.SPNEGO, [framing.Part(claims, header, data)])
        self.connection.request("POST", "/wsman", body, {"Content-Type": content_type})
        reply = self.connection.getresponse()
        reply.read()
        return reply.status, reply.getheader("Content-Type") or ""


def test_a_logon_can_start_over_on_its_connection(host: Host) -> None:
    wire = Wire(host)
    assert wire.step(None)[0] == 401
    wire.restart()
    assert wire.log_on() == 200
    wire.restart()
    assert wire.log_on() == 200


def test_a_connection_stays_logged_on_until_a_sealed_message_does_not_open(host: Host) -> None:
    wire = Wire(host)
    wire.log_on()
    plain = IDENTIFY.encode()
    for _ in range(2):
        status, content_type = wire.seal(plain, claims=len(plain))
        assert status == 200
        assert content_type.startswith("multipart/encrypted;")
    assert wire.seal(plain, claims=len(plain) + 1) == (400, "")
    assert wire.seal(plain, claims=len(plain))[0] == 401


@pytest.mark.parametrize(
    ("policy", "send_cbt", "accepted"),
    [
        ("none", True, True),
        ("none", False, True),
        ("accepted", True, True),
        ("accepted", False, True),
        ("required", True, True),
        ("required", False, False),
    ],
)
def test_channel_binding_is_judged_by_the_service_s_hardening_level(
    host: Host, policy: Any, send_cbt: bool, accepted: bool
) -> None:
    host.settings.channel_binding = policy
    session = host.session("ntlm", tls=True, send_cbt=send_cbt)
    if accepted:
        assert session.run_cmd("x").status_code == 0
    else:
        with pytest.raises(InvalidCredentialsError):
            session.run_cmd("x")


def test_a_binding_to_another_channel_is_refused_even_where_none_is_needed(
    host: Host, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_ntlm.requests_ntlm._get_certificate_hash", lambda der: b"\x01" * 32)
    with pytest.raises(InvalidCredentialsError):
        host.session("ntlm", tls=True).run_cmd("x")


@pytest.mark.parametrize("password", ["a:b:c", "", "x" * 300, "пароль ключ", "tab\tand \U0001f511", "trailing "])
def test_any_password_works(host: Host, people: People, password: str) -> None:
    people.passwords["kenmyer"] = password
    if password:
        assert host.session("ntlm", password=password).run_cmd("x").status_code == 0
    with pytest.raises(InvalidCredentialsError):
        host.session("ntlm", password=password + "!").run_cmd("x")


def test_a_changed_password_is_seen_by_the_next_logon(host: Host, people: People) -> None:
    assert host.session().run_cmd("x").status_code == 0
    people.passwords["kenmyer"] = "changed"
    with pytest.raises(InvalidCredentialsError):
        host.session().run_cmd("x")
    assert host.session(password="changed").run_cmd("x").status_code == 0


def test_a_name_that_would_break_the_user_file_is_nobody(host: Host, people: People) -> None:
    people.passwords = dict.fromkeys(("a:b", "a\nb"), PASSWORD)
    for user in people.passwords:
        with pytest.raises(InvalidCredentialsError):
            host.session(user=user).run_cmd("x")


def test_the_user_file_is_private_and_filled_only_during_a_logon() -> None:
    users = UserFile()
    with users.naming("LITWAREINC", "kenmyer", PASSWORD):
        path = os.environ["NTLM_USER_FILE"]
        with open(path, encoding="utf-8") as file:
            line = file.read()
        assert line.startswith("LITWAREINC\\kenmyer:0:")
        assert PASSWORD not in line
        if sys.platform != "win32":
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
            assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    assert os.path.getsize(path) == 0


def test_the_user_file_is_named_once_for_all_and_gone_with_the_process() -> None:
    script = (
        "import os\nfrom s2slab.winrm.ntlm import UserFile\nseen = set()\n"
        "for _ in range(3):\n    with UserFile().naming('', 'u', 'p'):\n        seen.add(os.environ['NTLM_USER_FILE'])\n"
        "assert len(seen) == 1 and os.environ['NTLM_USER_FILE'] in seen\nprint(*seen)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not os.path.exists(os.path.dirname(done.stdout.strip()))


@pytest.mark.parametrize(
    ("domain", "user", "expected"),
    [
        ("LITWAREINC", "KenMyer", ("LITWAREINC", "kenmyer")),
        ("", "LITWAREINC\\kenmyer", ("LITWAREINC", "kenmyer")),
        ("", "kenmyer@litwareinc.com", ("litwareinc.com", "kenmyer")),
        ("", "kenmyer", ("", "kenmyer")),
        (socket.gethostname().upper(), "kenmyer", ("", "kenmyer")),
    ],
)
def test_names_are_normalised(domain: str, user: str, expected: tuple[str, str]) -> None:
    assert normalise(domain, user) == expected


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_a_hostile_authenticate_message_is_refused_or_read_and_nothing_else(tail: bytes) -> None:
    token = b"\x60\x05" + b"NTLMSSP\x00\x03\x00\x00\x00" + tail
    try:
        identity = read_identity(token)
    except InvalidTokenError:
        return
    assert identity is not None


def test_an_authenticate_message_names_user_and_domain_in_either_encoding() -> None:
    for flags, encoding in ((1, "utf-16-le"), (0, "latin-1")):
        domain, user = "LITWAREINC".encode(encoding), "kenmyér".encode(encoding)
        header = b"NTLMSSP\x00\x03\x00\x00\x00"
        fields = [b"", b"", domain, user, b"", b""]
        at, table = 64, b""
        for value in fields:
            table += struct.pack("<HHI", len(value), len(value), at)
            at += len(value)
        message = header + table + struct.pack("<I", flags) + b"".join(fields)
        identity = read_identity(message)
        assert identity is not None
        assert (identity.domain, identity.user, identity.bound) == ("LITWAREINC", "kenmyér", False)
