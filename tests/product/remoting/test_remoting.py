"""The constant script, end to end: links over real sockets to the lab's powershell.exe and back."""

from __future__ import annotations

import base64
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from helpers.remoting_double import PASSWORD, USER, Accounts, Hidden, make_tls
from helpers.remoting_machine import NOW, SCRIPT, SCRIPT_TEXT, TELL, Desk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from s2slab.service import Lab
from s2slab.winrm import Launch, WinRmServer, launch_windows
from s2slab.winrm.launch import Engine
from s2slib.remoting.link import Endpoint, Limits, Link, Target, Timeouts
from s2slib.remoting.shell.process import BOOTSTRAP, script_text
from s2slib.remoting.values import errors
from s2slib.remoting.values.command import Cmdlet, CredentialRef, Program, Script, SecretRef
from s2slib.remoting.values.reply import Reply

EXCHANGE = Endpoint(uri="http://ex-01/PowerShell/", configuration="Microsoft.Exchange")
HOSTILE = 'a’; Remove-Everything; ‘b $(1) `n "x" \U0001f600\r\n\x1b[31m</S>&_x0041_ ‚‛\''


def good(reply: Reply) -> Reply:
    """A reply that has to be a success."""
    assert reply.succeeded, reply
    return reply


class Server:
    """A WinRM service in front of a desk."""

    def __init__(self, desk: Desk, certificates: tuple[Path, ssl.SSLContext], engine: Engine) -> None:
        self.desk, self.engine = desk, engine
        self.processes: list[Any] = []
        self.server = WinRmServer(name=desk.name, authenticate=Accounts(), launcher=self._launch)
        self.http, self.https = self.server.listen_http(), self.server.listen_https(certificates[1])
        self.ca_file = certificates[0]

    def _launch(self, launch: Launch) -> Any:
        self.processes.append(
            launch_windows(launch, machine=self.desk, session_of=lambda _: launch.logon, engine=self.engine)
        )
        return self.processes[-1]

    def link(self, transport: Any = "ntlm", *, tls: bool = False, ceiling: Any = "write", **changes: Any) -> Link:
        port = self.https if tls else self.http
        fields: dict[str, Any] = {
            "user": USER,
            "secret": Hidden(PASSWORD),
            "ca_file": self.ca_file,
            "timeouts": Timeouts(connect_s=2.0, operation_s=3, load_s=30.0, grace_s=3.0),
            **changes,
        }
        url = f"http{'s' if tls else ''}://127.0.0.1:{port}/wsman"
        return Link(Target(self.desk.fqdn, url, transport, **fields), ceiling=ceiling)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def server(desk: Desk, certificates: tuple[Path, ssl.SSLContext], engine: Engine) -> Iterator[Server]:
    started = Server(desk, certificates, engine)
    yield started
    started.server.close()


@pytest.fixture
def link(server: Server) -> Iterator[Link]:
    with server.link() as opened:
        yield opened


def test_the_bootstrap_is_short_and_the_script_mentions_no_trap() -> None:
    assert len(BOOTSTRAP) < 600
    assert len(base64.b64encode(BOOTSTRAP.encode("utf-16-le"))) < 1600
    text = script_text()
    assert "$input" not in (text + BOOTSTRAP).lower()  # the host would take standard input for itself
    assert "::new(" not in text  # PowerShell 5.0
    assert text.isascii()
    assert "\r" not in text


@pytest.mark.parametrize(("transport", "tls"), [("basic", True), ("ntlm", False), ("credssp", False)])
def test_a_registered_cmdlet_answers_over_every_way_in(server: Server, transport: str, tls: bool) -> None:
    with server.link(transport, tls=tls) as link:
        reply = link.run(Cmdlet("Show-Given", {"Text": HOSTILE, "Number": 7}))
        assert reply.succeeded
        assert reply.output == ({"$type": "Selected.Given", "Text": HOSTILE, "Number": 7},)
        about = link.about
    assert about.ps_version == getattr(server.engine, "version", "5.1.14393.4530")
    assert (about.language_mode, about.culture) == ("FullLanguage", "en-US")
    assert about.opened == ("local",)


def test_every_kind_of_value_arrives_as_its_type(link: Link, desk: Desk) -> None:
    when = datetime(2026, 3, 1, 12, 0, 0, 500000, tzinfo=UTC)
    parameters = {
        "Text": HOSTILE,
        "Texts": ("one", "it’s two", ""),
        "Number": -5,
        "Big": 2**40,
        "Flag": False,
        "Force": True,
        "When": when,
        "Raw": b"\x00\xff",
        "Secret": SecretRef("pfx"),
        "Credential": CredentialRef("LITWAREINC\\kenmyer", "pfx"),
    }
    command = Cmdlet("Show-Given", parameters, "write")
    reply = good(link.run(command, secrets={"pfx": Hidden("“p’w\U0001f600")}))
    ((_, given),) = desk.given
    assert given["Text"] == HOSTILE
    assert list(given["Texts"]) == ["one", "it’s two", ""]
    assert (given["Number"], given["Big"]) == (-5, 2**40)
    assert given["When"] == when
    assert bytes(given["Raw"]) == b"\x00\xff"
    assert given["Secret"].reveal() == "“p’w\U0001f600"
    assert given["Credential"].user_name == "LITWAREINC\\kenmyer"
    assert given["Credential"].password.reveal() == "“p’w\U0001f600"
    assert "p’w" not in repr(reply)


def test_every_kind_of_output_is_read_back(link: Link) -> None:
    (row,) = good(link.run(Cmdlet("Get-Zoo"))).output
    assert row == {
        "$type": "A.Zoo",
        "Text": "it's “quoted” \U0001f600\n\x1b[31m<b>",
        "Empty": "",
        "Nothing": None,
        "Yes": True,
        "Int": 7,
        "Big": 2**40,
        "Float": Decimal("1.5"),
        "When": NOW,
        "Raw": b"\x00\xff",
        "List": ("a", 1, ("b",)),
        "None": (),
        "One": ("x",),
        "Mode": "Full",
        "Span": "00:01:30",
        "Uri": "https://a/b",
        "Version": "15.1.2",
        "Secret": "(hidden)",
        "Inner": {"$type": "Deep.Thing", "Name": "inner", "Deeper": {"$type": "Deeper.Thing", "Name": "x"}},
        "/Date(1234)/": "2026-11-23",
    }


def test_only_the_wanted_properties_come_and_a_missing_one_stays_missing(link: Link) -> None:
    (row,) = good(link.run(Cmdlet("Get-Zoo", properties=("Int", "nothing", "NoSuch")))).output
    assert row == {"$type": "A.Zoo", "Nothing": None, "Int": 7}


def test_streams_are_kept_apart_and_what_came_before_a_failure_stays(link: Link) -> None:
    soft = link.run(Cmdlet("Invoke-Trouble", {"Verbose": True}, "write"))
    assert (soft.state, soft.output, soft.warnings) == ("completed", ("first", "second"), ("careful",))
    assert soft.verbose == ("talkative",)
    assert [(e.message, e.id, e.category, e.thrown) for e in soft.errors] == [
        ("soft “error”", "Soft,Invoke-Trouble", "ObjectNotFound", False)
    ]
    assert not soft.succeeded
    hard = link.run(Cmdlet("Invoke-Trouble", {"Hard": True}, "write"))
    assert (hard.state, hard.output) == ("failed", ("first", "second"))
    thrown = [e for e in hard.errors if e.thrown]
    assert [(e.message, e.id) for e in thrown] == [("hard error", "Hard,Invoke-Trouble")]
    assert not hard.succeeded


def test_a_command_that_is_not_there_fails_by_name(link: Link) -> None:
    reply = link.run(Cmdlet("Get-NoSuch"))
    assert reply.state == "failed"
    assert reply.errors[0].id == "CommandNotFoundException"
    assert "Get-NoSuch" in reply.errors[0].message


def test_a_wrong_parameter_fails_in_binding(link: Link, desk: Desk) -> None:
    reply = link.run(Cmdlet("Show-Given", {"NoSuch": 1}))
    assert reply.state == "failed"
    assert reply.errors[0].id.startswith("NamedParameterNotFound")
    assert desk.given == []


def test_a_command_is_stopped_on_the_server_at_its_deadline_and_the_process_stays_usable(
    link: Link, desk: Desk, server: Server
) -> None:
    assert link.about.opened == ()
    started = time.monotonic()
    reply = link.run(Cmdlet("Wait-Long", {}, "write"), timeout_s=1)
    assert time.monotonic() - started < 3
    assert (reply.state, reply.output) == ("timed_out", ("begun",))
    assert desk.stopped.wait(2)
    assert link.run(Cmdlet("Get-Many")).succeeded
    assert len(server.processes) == 1


def test_output_beyond_its_limit_is_cut_and_marked(server: Server) -> None:
    with server.link(limits=Limits(objects=50, characters=10_000)) as link:
        assert not link.run(Cmdlet("Get-Many", {"Count": 50, "Size": 20})).truncated
        for many in ({"Count": 60}, {"Count": 3, "Size": 9_000}, {"Count": 1, "Size": 90_000}):
            reply = link.run(Cmdlet("Get-Many", many))
            assert reply.truncated
            assert reply.output
            assert sum(len(item) for item in reply.output) <= 10_000
            assert len(reply.output) <= 50


@pytest.mark.slow
def test_endless_output_is_stopped_on_the_server(server: Server, desk: Desk) -> None:
    with server.link(limits=Limits(objects=100, characters=10_000)) as link:
        reply = link.run(Cmdlet("Get-Many", {"Count": 10**9, "Size": 1}, "write"), timeout_s=20)
    assert reply.truncated
    assert reply.state == "failed"
    assert reply.seconds < 10


def test_a_program_gets_its_arguments_and_its_exit_code_comes_back(link: Link) -> None:
    reply = link.run(Program(TELL, ("/noforce", "it’s a $test", "x;y"), "write"))
    assert reply.exit_code == 3
    assert reply.output == ("told: /noforce|it’s a $test|x;y",)
    assert "complaint" in reply.errors[0].message
    assert link.run(Cmdlet("Get-Many")).exit_code is None


def test_a_batch_of_reads_is_answered_in_order_each_with_its_own_errors(link: Link) -> None:
    commands = [Cmdlet("Get-Many"), Cmdlet("Invoke-Trouble"), Cmdlet("Get-NoSuch"), Cmdlet("Get-Zoo")]
    replies = link.run_batch(commands)
    assert [len(reply.output) for reply in replies] == [3, 2, 0, 1]
    assert [reply.state for reply in replies] == ["completed", "completed", "failed", "completed"]


def test_the_module_of_the_local_runspace_is_imported_once(server: Server) -> None:
    with server.link(modules=("Lync", "SkypeForBusiness")) as link:
        assert link.run(Cmdlet("Get-CsPool")).succeeded
        assert link.about.module == "SkypeForBusiness"


# -- endpoints --------------------------------------------------------------------------------------------------------


@pytest.fixture
def exchange(server: Server, desk: Desk) -> Iterator[Link]:
    class Inner:
        user = "LITWAREINC\\exadmin"
        secret = Hidden(desk.password)

    endpoint = Endpoint(uri=EXCHANGE.uri, configuration=EXCHANGE.configuration, credential=Inner())
    with server.link(endpoints={"exchange": endpoint}) as opened:
        yield opened


def test_an_endpoint_is_called_directly_although_it_runs_no_scripts(exchange: Link, desk: Desk) -> None:
    names = ("Realm", "Mode", "Since")
    (row,) = good(exchange.run(Cmdlet("Get-AuthConfig", {}, "read", "exchange", names))).output
    assert {name: row[name] for name in names} == {"Realm": "", "Mode": "Full", "Since": NOW}
    reply = exchange.run(Cmdlet("Set-AuthConfig", {"Realm": HOSTILE}, "write", "exchange"))
    assert reply.succeeded
    assert desk.given == [("Set-AuthConfig", {"Realm": HOSTILE})]
    assert desk.opened == [("Microsoft.Exchange", ("LITWAREINC\\exadmin", desk.password))]


def test_objects_of_an_endpoint_lose_what_the_session_added(exchange: Link) -> None:
    (row,) = good(exchange.run(Cmdlet("Get-AuthConfig", {}, "read", "exchange"))).output
    assert set(row) == {"$type", "Realm", "Mode", "Since"}


def test_warnings_and_errors_of_an_endpoint_are_collected(exchange: Link) -> None:
    assert exchange.run(Cmdlet("Get-AuthConfig", {}, "read", "exchange")).warnings == ("from afar",)
    reply = exchange.run(Cmdlet("Fail-Always", {}, "write", "exchange"))
    assert reply.state == "failed"
    assert reply.errors[0].message == "it always fails"
    assert reply.errors[0].id.startswith("Always")


@pytest.mark.slow
def test_a_command_in_an_endpoint_is_stopped_at_its_deadline(exchange: Link, desk: Desk) -> None:
    reply = exchange.run(Cmdlet("Wait-Long", {}, "write", "exchange"), timeout_s=1)
    assert reply.state == "timed_out"
    assert desk.stopped.wait(2)
    assert exchange.run(Cmdlet("Get-AuthConfig", {}, "read", "exchange")).succeeded


def test_a_session_that_the_server_dropped_is_opened_anew_for_the_next_command(
    exchange: Link, desk: Desk, server: Server
) -> None:
    exchange.run(Cmdlet("Get-AuthConfig", {}, "read", "exchange"))
    desk.generation += 1
    time.sleep(0.5)  # until the far side is really gone
    assert exchange.run(Cmdlet("Set-AuthConfig", {"Realm": "x"}, "write", "exchange")).succeeded
    assert len(desk.given) == 1
    assert len(server.processes) == 2


def test_a_session_that_breaks_under_a_write_leaves_it_uncertain(exchange: Link, desk: Desk) -> None:
    exchange.run(Cmdlet("Get-AuthConfig", {}, "read", "exchange"))
    threading.Timer(0.3, lambda: setattr(desk, "generation", 1)).start()
    with pytest.raises(errors.OutcomeUncertain):
        exchange.run(Cmdlet("Wait-Long", {}, "write", "exchange"), timeout_s=8)


def test_a_wrong_credential_for_an_endpoint_is_named_and_not_shown(server: Server) -> None:
    class Wrong:
        user = "LITWAREINC\\exadmin"
        secret = Hidden("not the one")

    endpoint = Endpoint(uri="http://ex-01/PowerShell/", configuration="Microsoft.Exchange", credential=Wrong())
    with server.link(endpoints={"exchange": endpoint}) as link, pytest.raises(errors.AuthenticationFailed) as failed:
        link.run(Cmdlet("Get-AuthConfig", {}, "read", "exchange"))
    assert "not the one" not in str(failed.value)


def test_a_missing_second_hop_is_named(server: Server) -> None:
    with (
        server.link("ntlm", second_hop="delegation", endpoints={"exchange": EXCHANGE}) as link,
        pytest.raises(errors.SecondHopMissing),
    ):
        link.run(Cmdlet("Get-AuthConfig", {}, "read", "exchange"))


def test_a_script_sees_the_endpoint_s_commands_and_stops_at_its_first_failing_one(exchange: Link, desk: Desk) -> None:
    desk.files[SCRIPT] = SCRIPT_TEXT
    imports = ("Get-AuthConfig", "Set-AuthConfig", "Fail-Always")
    good = exchange.run(Script(SCRIPT, {"Realm": HOSTILE}, "write", imports=imports))
    assert good.state == "completed", good
    assert good.output[-1] == "went on"
    assert good.exit_code == 5
    bad = exchange.run(Script(SCRIPT, {"Realm": "x", "Break": True}, "write", imports=imports))
    assert bad.state == "failed"
    assert "went on" not in bad.output
    assert [given["Realm"] for _, given in desk.given] == [HOSTILE, "x"]


# -- the server's own mood --------------------------------------------------------------------------------------------


def test_constrained_language_is_a_finding_of_its_own(server: Server, desk: Desk) -> None:
    desk.language_mode = "ConstrainedLanguage"
    with server.link() as link, pytest.raises(errors.ConstrainedLanguage):
        link.run(Cmdlet("Get-Many"))
    assert all(process.join(2) for process in server.processes)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(["Text", "Any", "Texts"]),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
        min_size=1,
    )
)
def test_any_text_comes_back_as_it_was_sent(link: Link, parameters: dict[str, Any]) -> None:
    (row,) = good(link.run(Cmdlet("Show-Given", parameters))).output
    expected = {name: (value,) if name == "Texts" else value for name, value in parameters.items()}
    assert {name: row[name] for name in parameters} == expected


def test_nothing_is_left_on_the_server_after_a_link_closed(server: Server) -> None:
    with server.link() as link:
        link.run(Cmdlet("Get-Many"))
    assert all(process.join(2) for process in server.processes)


# -- the whole lab ----------------------------------------------------------------------------------------------------


def test_every_product_server_of_the_lab_is_reached_by_its_name_through_the_proxy(tmp_path: Path) -> None:
    with Lab() as lab:
        ca_file = tmp_path / "ca.pem"
        ca_file.write_bytes(lab.estate.authority.certificate_pem)
        front_end, mailbox = "atl-fe-001.litwareinc.com", "atl-exchange-001.litwareinc.com"
        account = lab.estate.accounts["s2s-lync"]
        lync = Target(
            front_end,
            f"https://{front_end}:5986/wsman",
            "credssp",
            user=lab.user(account),
            secret=Hidden(account.password),
            ca_file=ca_file,
            proxy=lab.proxy,
            second_hop="credssp",
            modules=("Lync", "SkypeForBusiness"),
        )
        with Link(lync) as link:
            pools = good(link.run(Cmdlet("Get-CsPool", {}, "read", "lync", ("Fqdn",)))).output
            (now,) = good(link.run(Cmdlet("Get-Date"))).output
            assert now > NOW
        assert "atl-cs-001.litwareinc.com" in {pool["Fqdn"] for pool in pools}
        account = lab.estate.accounts["s2s-exchange"]

        class Same:
            user = lab.user(account)
            secret = Hidden(account.password)

        endpoint = Endpoint(uri=f"http://{mailbox}/PowerShell/", configuration="Microsoft.Exchange", credential=Same())
        exchange = Target(
            mailbox,
            f"http://{mailbox}:5985/wsman",
            "ntlm",
            user=Same.user,
            secret=Same.secret,
            proxy=lab.proxy,
            endpoints={"exchange": endpoint},
        )
        with Link(exchange) as link:
            command = Cmdlet("Get-AuthConfig", {}, "read", "exchange", ("CurrentCertificateThumbprint",))
            (row,) = good(link.run(command)).output
            with pytest.raises(errors.EffectRefused):
                link.run(Program(r"C:\Windows\System32\iisreset.exe", ("/noforce",), "write"))
        assert len(row["CurrentCertificateThumbprint"]) == 40
        nowhere = Target("nowhere.litwareinc.com", "http://nowhere.litwareinc.com:5985/wsman", "ntlm", "u", Same.secret)
        with pytest.raises(errors.ProxyFailed), Link(replace(nowhere, proxy=lab.proxy)) as link:
            link.run(Cmdlet("Get-Date"))
