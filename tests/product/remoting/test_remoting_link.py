"""A link against the lab's WinRM service: logons, lost connections, deadlines, secrets. The process is a double in Python."""

from __future__ import annotations

import base64
import logging
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.remoting_double import (
    EXCHANGE,
    PASSWORD,
    USER,
    Clock,
    Double,
    Hidden,
    Host,
    Reader,
    make_tls,
    start_host,
    text,
    words,
)

from s2slab.winrm import Fault
from s2slib.remoting.link import AttemptLedger, Link, Timeouts
from s2slib.remoting.shell.process import RemoteProcess
from s2slib.remoting.shell.runspaces import Runspaces
from s2slib.remoting.values import errors
from s2slib.remoting.values.command import Cmdlet, CredentialRef, InvalidCommand, Program, Script, SecretRef
from s2slib.remoting.winrm.deadline import Deadline

READ = Cmdlet("Get-CsPool")
PROBE = Cmdlet("Test-CsExStorageConnectivity", {"SipUri": "sip:kenmyer@litwareinc.com"}, "probe")
WRITE = Cmdlet("Set-CsOAuthConfiguration", {"Realm": "litwareinc.com"}, "write")


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def host(reader: Reader, certificates: tuple[Path, ssl.SSLContext]) -> Iterator[Host]:
    started = start_host(reader, certificates)
    yield started
    started.server.close()


# -- getting in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transport", "tls"), [("ntlm", False), ("credssp", False), ("basic", True), ("ntlm", True), ("credssp", True)]
)
def test_every_offered_logon_reaches_the_process_and_leaves_no_shell_behind(
    host: Host, transport: str, tls: bool
) -> None:
    with host.link(transport, tls=tls) as link:
        assert link.run(READ).output == ("Get-CsPool",)
        assert link.about.ps_version == "5.1"
        assert link.about.pid == 4242
    assert host.shells_left() == 0
    assert len(host.processes) == 1


def test_the_process_is_started_directly_with_utf_8_and_a_short_line(host: Host) -> None:
    with host.link() as link:
        link.run(READ)
    (launch,) = host.launches
    assert launch.skip_cmd_shell
    assert launch.codepage == 65001
    assert not launch.console_mode_stdin
    assert len(launch.command_line) < 2000


def test_basic_over_plain_http_is_refused_before_anything_is_sent(host: Host) -> None:
    with pytest.raises(errors.PlaintextRefused), host.link("basic") as link:
        link.run(READ)
    assert host.accounts.asked == 0


def test_a_wrong_password_is_tried_once_for_all_links_of_a_run(host: Host) -> None:
    ledger = AttemptLedger()
    target = host.target(secret=Hidden("not the one"))
    with pytest.raises(errors.AuthenticationFailed) as failed, Link(target, ledger=ledger) as link:
        link.run(READ)
    assert failed.value.offered == ("Negotiate", "CredSSP")
    asked = host.accounts.asked
    with pytest.raises(errors.AttemptWithheld), Link(target, ledger=ledger) as link:
        link.run(READ)
    assert host.accounts.asked == asked
    assert "not the one" not in str(failed.value)


def test_a_wrong_basic_password_is_not_sent_again_by_the_same_link(host: Host) -> None:
    with Link(host.target("basic", tls=True, secret=Hidden("not the one"))) as link:
        with pytest.raises(errors.AuthenticationFailed):
            link.run(READ)
        asked = host.accounts.asked
        with pytest.raises(errors.AttemptWithheld):
            link.run(READ)
    assert host.accounts.asked == asked


def test_parallel_links_with_one_wrong_password_make_one_attempt(host: Host) -> None:
    ledger = AttemptLedger()
    target = host.target("basic", tls=True, secret=Hidden("not the one"))
    outcomes: list[type[BaseException]] = []

    def work() -> None:
        try:
            Link(target, ledger=ledger).run(READ)
        except errors.RemotingError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kind.__name__ for kind in outcomes) == ["AttemptWithheld"] * 4 + ["AuthenticationFailed"]


def test_a_scheme_that_is_not_offered_is_not_counted_as_a_rejected_password(host: Host) -> None:
    host.settings.transports = frozenset({"ntlm"})
    ledger = AttemptLedger()
    with pytest.raises(errors.LogonNotTried) as failed, Link(host.target("credssp"), ledger=ledger) as link:
        link.run(READ)
    assert failed.value.offered == ("Negotiate",)
    with Link(host.target("ntlm"), ledger=ledger) as link:
        assert link.run(READ).succeeded


def test_an_account_without_rights_is_told_from_a_wrong_password(host: Host) -> None:
    target = host.target(user="LITWAREINC\\reader", secret=Hidden("only reads"))
    with pytest.raises(errors.AccessDenied) as denied, Link(target) as link:
        link.run(READ)
    assert "Administrators" in denied.value.next_step


def test_a_used_up_shell_quota_says_so(host: Host) -> None:
    host.settings.max_shells_per_user = 1
    with host.link() as first:
        first.run(READ)
        with pytest.raises(errors.QuotaExceeded) as full, host.link() as second:
            second.run(READ)
    assert full.value.what == "shells"


def test_proxies_and_ca_files_of_the_environment_are_ignored(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "no-such-file.pem")
    with host.link("basic", tls=True) as link:
        assert link.run(READ).succeeded


def test_an_untrusted_certificate_is_refused(host: Host, tmp_path: Path) -> None:
    ca_file, _ = make_tls(tmp_path)
    with pytest.raises(errors.TlsUntrusted), host.link("ntlm", tls=True, ca_file=ca_file) as link:
        link.run(READ)
    assert host.accounts.asked == 0


def test_a_certificate_for_another_name_is_refused(host: Host) -> None:
    url = f"https://localhost:{host.https}/wsman"
    with pytest.raises(errors.TlsWrongName), host.link("ntlm", url=url) as link:
        link.run(READ)


def test_nothing_listening_is_a_refused_connection(host: Host) -> None:
    host.server.close()
    with pytest.raises(errors.ConnectionRefused) as refused, host.link() as link:
        link.run(WRITE)
    assert refused.value.server == "atl-cs-001.litwareinc.com"


# -- answers ----------------------------------------------------------------------------------------------------------


def test_a_command_above_the_ceiling_is_refused_before_anything_is_sent(host: Host) -> None:
    for ceiling, command in (("read", PROBE), ("read", WRITE), ("probe", WRITE)):
        with pytest.raises(errors.EffectRefused), host.link(ceiling=ceiling) as link:
            link.run(command)
    assert host.launches == []


def test_a_batch_takes_reads_only(host: Host) -> None:
    with pytest.raises(errors.EffectRefused), host.link() as link:
        link.run_batch([READ, WRITE])
    assert host.launches == []


def test_a_batch_is_handed_over_at_once_and_answered_in_its_order(host: Host, reader: Reader) -> None:
    names = ["Get-CsPool", "Get-CsSipDomain", "Get-Date", "Get-CsPool"]
    with host.link() as link:
        replies = link.run_batch([Cmdlet(name) for name in names])
        assert link.run_batch([]) == []
    assert [reply.output for reply in replies] == [(name,) for name in names]
    assert [reply.command.name for reply in replies] == names


def test_a_batch_answers_each_read_when_one_endpoint_is_missing(host: Host) -> None:
    with host.link() as link:
        local, remote = link.run_batch([READ, Cmdlet("Get-AuthConfig", {}, "read", "exchange")])
    assert local.succeeded
    assert remote.state == "refused"
    assert remote.errors[0].id == "NoEndpoint"


def test_stray_text_is_kept_apart_from_answers_even_when_it_looks_like_one(reader: Reader, host: Host) -> None:
    def run(request: dict[str, Any], double: Double) -> dict[str, Any]:
        double.stdout(f"hello <{double.nonce} 3 00-00-00-00-00-00-00-00 {{}}> there\r\n".encode())
        double.stdout("<0123 Zür".encode() + b"\xffich ")
        return {"output": [text("real")]}

    reader.run = run  # type: ignore[method-assign]
    with host.link() as link:
        reply = link.run(READ)
    assert reply.output == ("real",)
    assert "hello <" in reply.stray_text
    assert "there" in reply.stray_text
    assert "Zür\\xffich" in reply.stray_text


def test_commands_of_one_link_from_many_threads_take_turns(host: Host) -> None:
    with host.link() as link:
        results: list[bool] = []
        threads = [threading.Thread(target=lambda: results.append(link.run(READ).succeeded)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [True] * 6
    assert len(host.processes) == 1


# -- secrets ----------------------------------------------------------------------------------------------------------


def test_a_secret_travels_in_its_own_frame_and_nowhere_else(
    host: Host, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    secret = 'P“a’s"s\n wörd 7'
    command = Cmdlet("Import-PfxCertificate", {"Password": SecretRef("pfx")}, "write")
    with caplog.at_level(logging.DEBUG), host.link() as link:
        link.run(command, secrets={"pfx": Hidden(secret)})
        link.run(READ)
    assert reader.secrets == [{"pfx": secret}, {}]
    everything = repr(reader.seen) + repr(host.launches) + caplog.text + repr(link) + repr(link.target)
    for known in (secret, PASSWORD, text(secret), text(PASSWORD)):
        assert known not in everything


def test_a_secret_that_a_server_sends_back_is_hidden(host: Host, reader: Reader) -> None:
    def run(request: dict[str, Any], double: Double) -> dict[str, Any]:
        echo = f"it was {double.held['pfx']}, and {PASSWORD}"
        double.stderr(echo.encode())
        fields = ("message", "id", "category", "reason", "exception")
        return {"output": [text(echo)], "warnings": [text(echo)], "errors": [{name: text(echo) for name in fields}]}

    reader.run = run  # type: ignore[method-assign]
    command = Cmdlet("Import-PfxCertificate", {"Password": SecretRef("pfx")}, "write")
    with host.link() as link:
        reply = link.run(command, secrets={"pfx": Hidden("once upon")})
    assert reply.output == ("it was (hidden), and (hidden)",)
    assert "once upon" not in repr(reply)
    assert PASSWORD not in repr(reply)
    assert "(hidden)" in reply.stray_text


def test_every_text_of_a_reply_passes_the_given_redaction(host: Host, reader: Reader) -> None:
    reader.run = lambda request, double: {"output": [text("token abc")], "verbose": [text("abc")]}  # type: ignore[method-assign]
    with Link(host.target(), redact=lambda value: value.replace("abc", "[gone]")) as link:
        reply = link.run(READ)
    assert reply.output == ("token [gone]",)
    assert reply.verbose == ("[gone]",)


def test_a_secret_that_is_named_and_not_given_is_refused(host: Host) -> None:
    with host.link() as link, pytest.raises(InvalidCommand):
        link.run(Cmdlet("Import-PfxCertificate", {"Password": SecretRef("pfx")}, "write"))
    assert host.launches == []


# -- lost connections -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["ntlm", "credssp"])
@pytest.mark.parametrize("when", ["before", "after", "mid_reply"])
def test_a_connection_cut_at_receive_is_taken_up_again_without_repeating_the_command(
    host: Host, reader: Reader, transport: str, when: Any
) -> None:
    with host.link(transport) as link:
        link.run(READ)
        host.settings.faults.append(Fault("Receive", "cut", when))
        assert link.run(WRITE).succeeded
    assert reader.names().count(WRITE.name) == 1
    assert len(host.processes) == 1


@pytest.mark.parametrize("when", ["after", "mid_reply"])
def test_a_command_that_arrived_although_its_send_was_cut_is_answered_and_not_repeated(
    host: Host, reader: Reader, when: Any
) -> None:
    with host.link() as link:
        link.run(READ)
        host.settings.faults.append(Fault("Send", "cut", when))
        assert link.run(WRITE).succeeded
    assert reader.names().count(WRITE.name) == 1


def test_a_write_that_the_process_says_it_never_got_is_handed_over_once_more(host: Host, reader: Reader) -> None:
    with host.link() as link:
        link.run(READ)
        host.settings.faults.append(Fault("Send", "cut", "before"))
        assert link.run(WRITE).succeeded
    assert reader.names().count(WRITE.name) == 1
    assert len(host.processes) == 1


def test_a_write_that_never_gets_through_is_known_not_to_have_come(host: Host, reader: Reader) -> None:
    with host.link() as link:
        link.run(READ)
        host.settings.faults += [Fault("Send", "cut", "before"), Fault("Send", "cut", "before", skip=1)]
        with pytest.raises(errors.NotSent):
            link.run(WRITE)
        assert WRITE.name not in reader.names()
        assert link.run(READ).succeeded


def test_a_write_of_which_the_process_cannot_be_asked_is_uncertain_and_not_repeated(host: Host, reader: Reader) -> None:
    with host.link() as link:
        link.run(READ)
        host.settings.faults.append(Fault("Send", "cut", "before", count=99))
        with pytest.raises(errors.OutcomeUncertain) as uncertain:
            link.run(WRITE)
        host.settings.faults.clear()
        assert uncertain.value.command == WRITE
        assert WRITE.name not in reader.names()
        assert link.run(READ).succeeded
    assert host.shells_left() == 0


def test_idle_connections_that_the_server_dropped_do_not_disturb_the_next_command(host: Host, reader: Reader) -> None:
    with host.link() as link:
        link.run(READ)
        host.server.drop_connections()
        assert link.run(WRITE).succeeded
    assert reader.names().count(WRITE.name) == 1


def test_a_process_that_ended_between_commands_is_started_anew(host: Host, reader: Reader) -> None:
    clock = Clock()
    with host.link(clock=clock) as link:
        link.run(READ)
        host.processes[0].terminate()
        assert host.processes[0].join(2)
        clock.ahead_s += 10
        reply = link.run(WRITE)
    assert reply.succeeded
    assert reader.names().count(WRITE.name) == 1
    assert len(host.processes) == 2


@pytest.mark.parametrize(
    ("command", "expected"),
    [(READ, errors.AnswerLost), (PROBE, errors.OutcomeUncertain), (WRITE, errors.OutcomeUncertain)],
)
def test_a_process_that_ends_under_a_command_leaves_writes_uncertain(
    host: Host, reader: Reader, command: Cmdlet, expected: type[errors.RemotingError]
) -> None:
    reader.run = lambda request, double: {"end_with": 7}  # type: ignore[method-assign]
    with host.link() as link:
        with pytest.raises(expected) as lost:
            link.run(command)
        assert isinstance(lost.value.__cause__, errors.ShellGone)
        del reader.run
        assert link.run(READ).succeeded
    assert reader.names().count(command.name) <= 2


@pytest.mark.slow
def test_no_command_outlives_its_deadline_when_the_server_says_nothing(host: Host, reader: Reader) -> None:
    reader.run = lambda request, double: None  # type: ignore[method-assign]
    with host.link() as link:
        started = time.monotonic()
        with pytest.raises(errors.OutcomeUncertain) as uncertain:
            link.run(WRITE, timeout_s=1)
        assert time.monotonic() - started < 5
        assert isinstance(uncertain.value.__cause__, errors.Stalled)
    assert host.shells_left() == 0


def test_a_stop_that_the_server_confirms_is_a_reply(host: Host, reader: Reader) -> None:
    reader.run = lambda request, double: {"state": "timedout", "output": [text("half")]}  # type: ignore[method-assign]
    with host.link() as link:
        reply = link.run(WRITE, timeout_s=1)
        assert (reply.state, reply.output) == ("timed_out", ("half",))
        assert not reply.succeeded
    assert reader.seen[-1]["deadline_s"] == 1


@pytest.mark.parametrize(
    ("kind", "expected"), [("http_503", errors.ServiceUnavailable), ("http_500", errors.ServiceUnavailable)]
)
def test_a_web_page_in_place_of_the_service_is_not_echoed(
    host: Host, kind: Any, expected: type[errors.RemotingError]
) -> None:
    host.settings.faults.append(Fault("Create", kind, body=b"<html><script>alert('x')</script></html>"))
    with pytest.raises(expected) as failed, host.link("basic", tls=True) as link:
        link.run(READ)
    assert "script" not in str(failed.value)


BOMB = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'


@pytest.mark.parametrize(
    "body",
    [
        BOMB,
        b"not xml",
        b"<a/>",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
        b"<a:RelatesTo xmlns:a='http://schemas.xmlsoap.org/ws/2004/08/addressing'>uuid:x</a:RelatesTo>",
    ],
)
@pytest.mark.parametrize("action", ["Create", "Command"])
def test_an_answer_that_is_no_answer_breaks_the_call_and_nothing_else(host: Host, action: str, body: bytes) -> None:
    host.settings.faults.append(Fault(action, "http_200", body=body))
    with host.link() as link:
        with pytest.raises(errors.ProtocolBroken):
            link.run(WRITE)
        assert link.run(READ).succeeded
    assert host.shells_left() == 0


def test_a_busy_service_gets_the_input_a_moment_later(host: Host, reader: Reader) -> None:
    with host.link() as link:
        link.run(READ)
        host.settings.faults.append(Fault("Send", "fault_code", code=170))
        assert link.run(WRITE, timeout_s=10).succeeded
    assert reader.names().count(WRITE.name) == 1


def test_a_person_s_interrupt_ends_the_process_and_the_link_goes_on_with_a_new_one(host: Host) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with Link(host.target(), sleep=interrupted) as link:
        link.run(READ)
        host.settings.faults.append(Fault("Send", "fault_code", code=170, count=2))
        with pytest.raises(KeyboardInterrupt):
            link.run(READ, timeout_s=10)
        assert host.processes[0].join(2)
        assert link.run(READ).succeeded


def test_a_failed_start_leaves_no_shell_behind(host: Host) -> None:
    host.settings.faults.append(Fault("Send", "fault_code", code=87))
    with host.link() as link, pytest.raises(errors.ServiceFault) as fault:
        link.run(READ)
    assert fault.value.code == 87
    assert host.shells_left() == 0


# -- endpoints --------------------------------------------------------------------------------------------------------

EX_READ = Cmdlet("Get-AuthConfig", {}, "read", "exchange")
EX_WRITE = Cmdlet("Set-PartnerApplication", {"Identity": "x"}, "write", "exchange")


def in_runspaces(reader: Reader) -> list[tuple[str, str]]:
    return [(words(request["command"]), request["runspace"]) for request in reader.seen if request["op"] == "run"]


def test_an_endpoint_is_opened_once_with_the_explicit_credential_and_closed_with_the_link(
    host: Host, reader: Reader
) -> None:
    with host.link(endpoints={"exchange": EXCHANGE}) as link:
        link.run(EX_READ)
        link.run(EX_READ)
        assert link.about.opened == ("opener", "exchange")
    assert in_runspaces(reader) == [
        ("New-PSSession", "opener"),
        ("Get-AuthConfig", "exchange"),
        ("Get-AuthConfig", "exchange"),
        ("Remove-PSSession", "opener"),
    ]
    assert list(reader.secrets[0].values()) == [PASSWORD]
    opening = next(request for request in reader.seen if request["op"] == "run")
    given = {p["n"]: p for p in opening["parameters"]}
    assert words(given["Credential"]["user"]) == USER
    assert words(given["ConnectionUri"]["v"]) == "http://ex/PowerShell/"
    assert opening["keep"] == "exchange"


def test_a_delegated_logon_opens_the_endpoint_without_a_credential(host: Host, reader: Reader) -> None:
    with host.link("credssp", second_hop="credssp", endpoints={"exchange": EXCHANGE}) as link:
        link.run(EX_READ)
        link.run(Cmdlet("Get-CsPool", {}, "read", "lync"))
    opening = next(request for request in reader.seen if request["op"] == "run")
    assert "Credential" not in {p["n"] for p in opening["parameters"]}
    assert ("Get-CsPool", "local") in in_runspaces(reader)


def error(message: str, identity: str) -> dict[str, Any]:
    names = {"message": message, "id": identity, "category": "OpenError", "reason": "x", "exception": "y"}
    return {name: text(value) for name, value in names.items()}


@pytest.mark.parametrize(
    ("changes", "message", "identity", "expected"),
    [
        ({"second_hop": "credssp"}, "Access is denied.", "AccessDenied,PSSessionOpenFailed", errors.SecondHopMissing),
        (
            {},
            "The user name or password is incorrect.",
            "LogonFailure,PSSessionOpenFailed",
            errors.AuthenticationFailed,
        ),
        ({}, "Access is denied.", "AccessDenied,PSSessionOpenFailed", errors.EndpointFailed),
        ({}, "no such host", "CannotConnect,PSSessionOpenFailed", errors.EndpointFailed),
    ],
)
def test_an_endpoint_that_does_not_open_says_which_hop_failed(
    host: Host,
    reader: Reader,
    changes: dict[str, Any],
    message: str,
    identity: str,
    expected: type[errors.RemotingError],
) -> None:
    reader.run = lambda request, double: {"errors": [error(message, identity)]}  # type: ignore[method-assign]
    fields = {"transport": "credssp" if changes.get("second_hop") else "ntlm", **changes}
    with host.link(endpoints={"exchange": EXCHANGE}, **fields) as link, pytest.raises(errors.NotSent) as failed:
        link.run(EX_WRITE)
    assert type(failed.value) is expected
    assert EX_WRITE.name not in reader.names()


def test_an_explicit_endpoint_without_any_credential_is_told_before_it_is_opened(reader: Reader, host: Host) -> None:
    process, shell = RemoteProcess.__new__(RemoteProcess), host.target("credssp", secret=None, user=None)
    runspaces = Runspaces(process, replace(shell, endpoints={"exchange": EXCHANGE}), AttemptLedger())
    runspaces._open.append("opener")
    with pytest.raises(errors.SecondHopMissing):
        runspaces.ready_for(EX_READ, Deadline.after(5))


def test_a_session_that_ended_is_opened_anew_before_the_command(host: Host, reader: Reader) -> None:
    gone = [True]

    def run(request: dict[str, Any], double: Double) -> dict[str, Any]:
        if words(request["command"]) == EX_WRITE.name and gone.pop() if gone else False:
            return {"state": "gone"}
        return {"output": [True]}

    reader.run = run  # type: ignore[method-assign]
    with host.link(endpoints={"exchange": EXCHANGE}) as link:
        link.run(EX_READ)
        assert link.run(EX_WRITE).succeeded
    assert len(host.processes) == 2


@pytest.mark.parametrize(("command", "expected"), [(EX_READ, errors.AnswerLost), (EX_WRITE, errors.OutcomeUncertain)])
def test_a_session_that_breaks_under_a_command_leaves_a_write_uncertain(
    host: Host, reader: Reader, command: Cmdlet, expected: type[errors.RemotingError]
) -> None:
    def run(request: dict[str, Any], double: Double) -> dict[str, Any]:
        if words(request["command"]) == "New-PSSession":
            return {"output": [True]}
        broken = [error("The I/O operation has been aborted", "PSSessionStateBroken")]
        return {"state": "failed", "errors": broken, "broken": [text("exchange")]}

    reader.run = run  # type: ignore[method-assign]
    with host.link(endpoints={"exchange": EXCHANGE}) as link, pytest.raises(expected):
        link.run(command)


def test_an_iis_restart_that_breaks_another_session_of_the_process_is_still_a_success(
    host: Host, reader: Reader
) -> None:
    reader.run = lambda request, double: {"output": [True], "exit": 0, "broken": [text("exchange")]}  # type: ignore[method-assign]
    program = Program(r"C:\Windows\System32\iisreset.exe", ("/noforce",), effect="write")
    with host.link(endpoints={"exchange": EXCHANGE}) as link:
        reply = link.run(program)
    assert reply.succeeded
    assert reply.exit_code == 0


def test_a_script_gets_a_runspace_that_stops_at_errors_with_the_commands_it_needs(host: Host, reader: Reader) -> None:
    script = Script(r"C:\Scripts\x.ps1", {"Type": "Lync"}, "write", imports=("Get-Mailbox", "New-MailUser"))
    with host.link(endpoints={"exchange": EXCHANGE}) as link:
        link.run(script)
        link.run(script)
    steps = in_runspaces(reader)
    assert steps[0] == ("New-PSSession", "opener")
    assert steps[1:4] == [("Import-PSSession", "script1"), ("Set-Variable", "script1"), (script.path, "script1")]
    assert steps[4] == ("Get-Command", "exchange")  # before a write goes through it again: does it live?
    assert steps[5:8] == [("Import-PSSession", "script2"), ("Set-Variable", "script2"), (script.path, "script2")]


def test_a_read_that_finds_its_session_gone_is_asked_once_more_in_a_new_one(host: Host, reader: Reader) -> None:
    answers = iter(
        [{"output": [text("old")]}, {"state": "failed", "broken": [text("exchange")]}, {"output": [text("new")]}]
    )
    opened: list[str] = []

    def run(request: dict[str, Any], double: Double) -> dict[str, Any]:
        if request["runspace"] == "opener":
            opened.append(base64.b64decode(request["command"]).decode())
            return {"output": [True]}
        return next(answers)

    reader.run = run  # type: ignore[method-assign]
    command = Cmdlet("Get-Mailbox", {}, "read", "exchange")
    with host.link(endpoints={"exchange": EXCHANGE}) as link:
        assert link.run(command).output == ("old",)
        assert link.run(command).output == ("new",)
    assert opened.count("New-PSSession") == 2


@pytest.mark.parametrize("hangs", [False, True])
def test_a_write_does_not_go_through_a_session_that_does_not_answer_a_look(
    host: Host, reader: Reader, hangs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2slib.remoting.shell.runspaces._LOOK_S", 1.0)
    monkeypatch.setattr("s2slib.remoting.shell.runspaces._STOP_S", 0.2)
    asked: list[str] = []

    def run(request: dict[str, Any], double: Double) -> dict[str, Any] | None:
        name = base64.b64decode(request["command"]).decode()
        asked.append(name)
        if name == "Get-Command":
            return None if hangs else {"state": "timedout"}
        return {"output": [True]}

    reader.run = run  # type: ignore[method-assign]
    with host.link(endpoints={"exchange": EXCHANGE}) as link:
        assert link.run(Cmdlet("Set-Mailbox", {}, "write", "exchange")).succeeded
        assert link.run(Cmdlet("Set-Mailbox", {}, "write", "exchange")).succeeded
    assert asked[:5] == ["New-PSSession", "Set-Mailbox", "Get-Command", "New-PSSession", "Set-Mailbox"]


def test_the_first_module_that_is_there_is_imported_before_the_first_local_cmdlet_only(
    host: Host, reader: Reader
) -> None:
    def run(request: dict[str, Any], double: Double) -> dict[str, Any]:
        named = {p["n"]: p.get("v") for p in request["parameters"]}
        if words(request["command"]) == "Import-Module" and words(named["Name"]) == "SkypeForBusiness":
            return {"errors": [error("not found", "Modules_ModuleNotFound,ImportModuleCommand")]}
        return {"output": []}

    reader.run = run  # type: ignore[method-assign]
    with host.link(modules=("SkypeForBusiness", "Lync", "Third")) as link:
        link.run(Program(r"C:\Windows\System32\whoami.exe"))
        assert reader.names() == [r"C:\Windows\System32\whoami.exe"]
        link.run(READ)
        link.run(READ)
        assert link.about.module == "Lync"
    assert reader.names()[1:] == ["Import-Module", "Import-Module", "Get-CsPool", "Get-CsPool"]


def test_a_credential_parameter_arrives_as_user_and_named_secret(host: Host, reader: Reader) -> None:
    command = Cmdlet("Add-Thing", {"Credential": CredentialRef("LITWAREINC\\kenmyer", "one")}, "write")
    with host.link() as link:
        link.run(command, secrets={"one": Hidden("open sesame")})
    (parameter,) = reader.seen[-1]["parameters"]
    assert (parameter["k"], parameter["v"], words(parameter["user"])) == ("credential", "one", "LITWAREINC\\kenmyer")
    assert reader.secrets[-1] == {"one": "open sesame"}


def test_timeouts_are_taken_from_the_target() -> None:
    assert Timeouts().operation_s < Timeouts().load_s
