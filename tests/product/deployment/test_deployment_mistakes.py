"""A mistake in a params file names field, line, value, what is allowed and a way there; a secret is never repeated."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from helpers.paths import PARAMS

from s2slib.deployment import DeploymentError, Problem, load

Problems = Callable[[str | bytes], tuple[Problem, ...]]

MINIMAL = """\
deployment: litware
lync:
  product: Lync Server 2013
  pools:
    - fqdn: atl-cs-001.litwareinc.com
      front_ends: [atl-fe-001.litwareinc.com, atl-fe-002.litwareinc.com]
  default_sip_domain: litwareinc.com
exchange:
  product: Exchange Server 2013
  servers:
    - fqdn: atl-exchange-001.litwareinc.com
      roles: [Mailbox]
    - fqdn: atl-exchange-002.litwareinc.com
      roles: [ClientAccess]
  accepted_domain: litwareinc.com
"""


@pytest.fixture
def problems(tmp_path: Path) -> Problems:
    """Loads a text as a params file and returns the problems it has."""

    def of(text: str | bytes) -> tuple[Problem, ...]:
        file = tmp_path / "litware.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(DeploymentError) as caught:
            load(file)
        return caught.value.problems

    return of


def only(problems: tuple[Problem, ...]) -> Problem:
    assert len(problems) == 1, [str(problem) for problem in problems]
    return problems[0]


def with_line(section: str, line: str) -> str:
    """The minimal file with one line put in as the first of a section, or as a new section."""
    if f"{section}:\n" in MINIMAL:
        return MINIMAL.replace(f"{section}:\n", f"{section}:\n  {line}\n")
    return f"{MINIMAL}{section}:\n  {line}\n"


def test_the_minimal_file_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "litware.yaml"
    file.write_text(MINIMAL, encoding="utf-8")
    assert load(file).deployment == "litware"


@pytest.mark.parametrize(
    ("section", "line", "field", "value", "allowed", "hint"),
    [
        ("lync", "relm: x", "lync.relm", "", "realm", "did you mean realm?"),
        ("network", "approval: required", "network.approval", "", "proxy", "did you mean policy.approval?"),
        ("lync", "realm: no", "lync.realm", "no", "text", 'YAML reads no as false; put it in quotes: "no"'),
        ("lync", "realm: on", "lync.realm", "on", "text", 'put it in quotes: "on"'),
        ("lync", "realm: 0123", "lync.realm", "0123", "text", 'the number 83; put it in quotes: "0123"'),
        ("lync", "realm: 15.01", "lync.realm", "15.01", "text", 'put it in quotes: "15.01"'),
        ("lync", "realm: 1.5e+3", "lync.realm", "1.5e+3", "text", 'put it in quotes: "1.5e+3"'),
        ("lync", "realm: 2026-11-23", "lync.realm", "2026-11-23", "text", 'put it in quotes: "2026-11-23"'),
        ("lync", "realm: 1_000", "lync.realm", "1_000", "text", 'the number 1000; put it in quotes: "1_000"'),
        ("lync", "realm: [a]", "lync.realm", "a list of 1", "text", ""),
        (
            "lync",
            "oauth_certificate: {thumbprint: 12345678E90}",
            "lync.oauth_certificate.thumbprint",
            '"12345678E90"',
            "40 hexadecimal digits",
            "",
        ),
        ("policy", "approval: nun", "policy.approval", '"nun"', "required, not_required", ""),
        ("policy", "approval: not-required", "policy.approval", '"not-required"', "required", "did you mean not_required?"),
        ("policy", "approval: no", "policy.approval", "no", "required, not_required", ""),
        ("policy", 'two_persons: "yes"', "policy.two_persons", '"yes"', "true or false", "without quotes"),
        ("policy", "two_persons: 1", "policy.two_persons", "1", "true or false", ""),
        ("network", 'endpoint: {port: "443"}', "network.endpoint.port", '"443"', "a whole number", "without quotes"),
        ("network", "endpoint: {port: 70000}", "network.endpoint.port", "70000", "at most 65535", ""),
        ("network", "endpoint: {port: 010000}", "network.endpoint.port", "010000", "", "write 4096"),
        ("network", "timeouts_s: {run: 0}", "network.timeouts_s.run", "0", "at least 1", ""),
        ("network", "timeouts_s: {run: 1:30}", "network.timeouts_s.run", "1:30", "", "write 90"),
        ("network", "timeouts_s: {run: 1.5}", "network.timeouts_s.run", "1.5", "a whole number", ""),
        ("network", "endpoint: ntlm", "network.endpoint", '"ntlm"', "a section", ""),
        ("network", "proxy: https://proxy:8080", "network.proxy", '"https://proxy:8080"', "http://proxy", ""),
        ("network", "proxy: http://proxy", "network.proxy", '"http://proxy"', "8080", ""),
        ("exchange", "excluded: atl-x", "exchange.excluded", '"atl-x"', "a list", "- "),
        ("exchange", "autodiscover_host: 10.0.0.5", "exchange.autodiscover_host", '"10.0.0.5"', "host name", "no IP"),
        ("exchange", "autodiscover_host: mail", "exchange.autodiscover_host", '"mail"', "qualified", "mail.litwareinc.com"),
        (
            "exchange",
            "autodiscover_url: https://autodiscover.litwareinc.com/autodiscover/autodiscover.xml",
            "exchange.autodiscover_url",
            "autodiscover.xml",
            "autodiscover.svc",
            "Lync needs the .svc address",
        ),
        (
            "exchange",
            "metadata_url: https://autodiscover.litwareinc.com/metadata/json/1",
            "exchange.metadata_url",
            "/metadata/json/1",
            "/autodiscover/metadata/json/1",
            "below /autodiscover/",
        ),
        (
            "lync",
            "metadata_url: http://atl-cs-001.litwareinc.com/metadata/json/1",
            "lync.metadata_url",
            "http://",
            "https://",
            "",
        ),
        ("lync", "metadata_url: https://atl-cs-001/metadata/json/1", "lync.metadata_url", "atl-cs-001", "https://", "need names"),
        (
            "exchange",
            "scripts_path: '\\\\server\\share'",
            "exchange.scripts_path",
            "share",
            "C:\\Program Files",
            "single quotes",
        ),
        ("exchange", 'scripts_path: "C:\\new"', "exchange.scripts_path", "<U+000A>", "one line", "single quotes"),
        ("lync", "partner_application_identity: Exch*", "lync.partner_application_identity", "Exch*", "Exchange", "no wild"),
        ("lync", "excluded: [{server: a.b.com}]", "lync.excluded[0].reason", "", "Why", ""),
        ("policy", "overrides: [{setting: lync.exchangeautodiscoverurl, existing: x, reason: why}]",
         "policy.overrides[0].setting",
         "lync.exchangeautodiscoverurl", "lync.ExchangeAutodiscoverUrl", "did you mean lync.ExchangeAutodiscoverUrl?"),
    ],
)  # fmt: skip
def test_a_mistake_names_field_value_what_is_allowed_and_a_way_there(
    problems: Problems, section: str, line: str, field: str, value: str, allowed: str, hint: str
) -> None:
    text = with_line(section, line)
    problem = only(problems(text))
    assert problem.field == field
    assert value in problem.value_shown
    assert bool(value) == bool(problem.value_shown)
    assert allowed in problem.allowed
    assert hint in problem.hint
    assert bool(hint) == bool(problem.hint)
    assert problem.line == text.splitlines().index(f"  {line}") + 1


@pytest.mark.parametrize("key", ["lync", "exchange", "deployment"])
def test_a_missing_section_is_named(problems: Problems, key: str) -> None:
    raw = yaml.safe_load(MINIMAL)
    del raw[key]
    problem = only(problems(yaml.safe_dump(raw)))
    assert (problem.field, problem.problem) == (key, "is missing")


def test_an_empty_section_is_said_to_be_empty(problems: Problems) -> None:
    problem = only(problems(MINIMAL + "network:\n"))
    assert (problem.field, problem.problem, problem.allowed) == (
        "network",
        "is empty",
        "a section with keys of its own",
    )


def test_an_empty_file_names_what_is_missing(problems: Problems) -> None:
    assert [problem.field for problem in problems("")] == ["deployment", "lync", "exchange"]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(problems: Problems) -> None:
    text = (
        MINIMAL.replace("Lync Server 2013", "Lync").replace("[Mailbox]", "[Mailbx]") + "policy: {ucs: x}\nnewtork: {}\n"
    )
    found = problems(text)
    assert [problem.field for problem in found] == [
        "lync.product",
        "exchange.servers[0].roles[0]",
        "policy.ucs",
        "newtork",
    ]
    assert [problem.line for problem in found] == [3, 12, 16, 17]
    assert found[1].hint == "did you mean Mailbox?"
    assert found[3].hint == "did you mean network?"


def test_the_message_is_readable_and_says_how_many(tmp_path: Path) -> None:
    file = tmp_path / "litware.yaml"
    file.write_text(MINIMAL.replace("Lync Server 2013", "Lync 2013"), encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        load(file)
    assert str(caught.value) == (
        f"{file} cannot be used, 1 problem:\n"
        '  line 3, lync.product = "Lync 2013": is not one of the allowed values; allowed: Lync Server 2013, '
        "Skype for Business Server 2015, Skype for Business Server 2019, Skype for Business Server SE; "
        "did you mean Lync Server 2013?"
    )


@pytest.mark.parametrize(
    ("old", "new", "field", "problem"),
    [
        ("atl-fe-002.", "atl-fe-001.", "lync.pools[0].front_ends[1]", "declared twice"),
        ("atl-exchange-002.", "atl-fe-001.", "exchange.servers[1].fqdn", "declared twice"),
        ("[Mailbox]", "[Mailbox, Mailbox]", "exchange.servers[0]", "role twice"),
        ("[Mailbox]", "[ClientAccess]", "exchange", "no Mailbox server"),
        ("Exchange Server 2013", "Exchange Server SE", "exchange", "does not have"),
        ("front_ends: [atl-fe-001.litwareinc.com, atl-fe-002.litwareinc.com]", "front_ends: []",
         "lync.pools[0].front_ends", "is empty"),
    ],
)  # fmt: skip
def test_estates_that_cannot_be_are_refused(problems: Problems, old: str, new: str, field: str, problem: str) -> None:
    found = only(problems(MINIMAL.replace(old, new)))
    assert found.field == field
    assert problem in found.problem
    assert found.line


EXCLUDE = "excluded: [{server: %s, reason: It is dead.}]"


@pytest.mark.parametrize(
    ("section", "line", "field", "problem"),
    [
        ("lync", EXCLUDE % "atl-fe-003.litwareinc.com", "lync.excluded[0].server", "not declared"),
        ("lync", EXCLUDE % "atl-exchange-001.litwareinc.com", "lync.excluded[0].server", "not declared"),
        ("exchange", EXCLUDE % "atl-exchange-001.litwareinc.com", "exchange.excluded", "no Mailbox server"),
        (
            "network",
            "winrm_urls: [{server: x.litwareinc.com, url: 'https://x.litwareinc.com/wsman'}]",
            "network.winrm_urls[0].server",
            "not declared",
        ),
        (
            "credentials",
            "servers: [{server: x.litwareinc.com, reference: 'prompt:'}]",
            "credentials.servers[0].server",
            "not",
        ),
        ("policy", "{approval: not_required, two_persons: true}", "policy", "two persons"),
    ],
)
def test_sections_that_contradict_each_other_are_refused(
    problems: Problems, section: str, line: str, field: str, problem: str
) -> None:
    found = only(problems(with_line(section, line)))
    assert found.field == field
    assert problem in found.problem


def test_excluding_every_server_of_a_product_is_refused(problems: Problems) -> None:
    both = ", ".join(f"{{server: atl-fe-00{n}.litwareinc.com, reason: It is dead.}}" for n in (1, 2))
    assert "leaves no server" in only(problems(with_line("lync", f"excluded: [{both}]"))).problem


def test_a_test_user_of_an_unknown_pool_is_refused_with_a_suggestion(problems: Problems) -> None:
    user = "test_users: [{sip_uri: 'sip:kenmyer@litwareinc.com', pool: atl-cs-01.litwareinc.com}]\n"
    problem = only(problems(MINIMAL + user))
    assert (problem.field, problem.hint) == ("test_users[0].pool", "did you mean atl-cs-001.litwareinc.com?")


def test_a_mail_address_as_test_user_is_answered_with_the_sip_uri(problems: Problems) -> None:
    problem = only(problems(MINIMAL + "test_users: [{sip_uri: kenmyer@litwareinc.com}]\n"))
    assert problem.hint == "did you mean sip:kenmyer@litwareinc.com?"


@pytest.mark.parametrize(
    ("endpoint", "account", "field", "problem"),
    [
        ("{scheme: http, transport: basic}", "prompt:", "network.endpoint.transport", "in clear"),
        ("{second_hop: credssp}", "prompt:", "network.endpoint.second_hop", "needs transport credssp"),
        (
            "{transport: ntlm, second_hop: delegation}",
            "prompt:",
            "network.endpoint.second_hop",
            "needs transport kerberos",
        ),
        ("{transport: ntlm}", "ticket:", "credentials.lync", "transport ntlm needs"),
        ("{transport: kerberos}", "current:", "credentials.lync", "second_hop explicit needs"),
    ],
)
def test_ways_of_logging_on_that_cannot_work_are_refused(
    problems: Problems, endpoint: str, account: str, field: str, problem: str
) -> None:
    text = f"{MINIMAL}network: {{endpoint: {endpoint}}}\ncredentials: {{lync: '{account}'}}\n"
    found = only(problems(text))
    assert found.field == field
    assert problem in found.problem


def test_a_ticket_with_delegation_is_accepted(tmp_path: Path) -> None:
    file = tmp_path / "litware.yaml"
    accounts = "credentials: {lync: 'ticket:', exchange: {reference: 'ticket:', user: admin@LITWAREINC.COM}}\n"
    file.write_text(f"{MINIMAL}network: {{endpoint: {{second_hop: delegation}}}}\n{accounts}", encoding="utf-8")
    assert load(file).account("atl-exchange-001.litwareinc.com").user == "admin@LITWAREINC.COM"


@pytest.mark.parametrize(
    "text",
    [
        with_line("exchange", "password: hunter2"),
        with_line("exchange", "Client_Secret: hunter2"),
        with_line("exchange", "scripts_path: {token: hunter2}"),
        with_line("credentials", "lync: hunter2"),
        with_line("credentials", "lync: {user: u, reference: hunter2}"),
        with_line("credentials", "lync: {user: u, reference: 'env:hunter2!'}"),
        with_line("credentials", "lync: {user: u, password: hunter2}"),
        with_line("credentials", "lync: [hunter2]"),
        with_line("credentials", "servers: hunter2"),
        with_line("credentials", 'lync: {user: u, reference: \'command:["vault", "--password=hunter2"]\'}'),
        f"{MINIMAL}credentials: hunter2\n",
        with_line("network", "proxy: http://u:hunter2@proxy.litwareinc.com:8080"),
        with_line("lync", "metadata_url: https://u:hunter2@atl-cs-001.litwareinc.com/metadata/json/1"),
        with_line("lync", "metadata_url: https://hunter2@atl-cs-001.litwareinc.com/metadata/json/1").replace(
            "hunter2@", "@"
        ),
        with_line("network", "ca_file: |\n    -----BEGIN PRIVATE KEY-----\n    hunter2"),
        with_line("lync", "realm: 'password=hunter2'"),
    ],
)
def test_a_secret_in_a_params_file_is_refused_unseen(problems: Problems, text: str) -> None:
    for problem in problems(text):
        assert "hunter2" not in str(problem)
        assert problem.allowed


@pytest.mark.parametrize(
    "text",
    [
        "credentials: {lync: *hunter2}\n",
        'credentials: {lync: "hunter2\\q"}\n',
        "credentials: {lync: hunter2: x}\n",
        "credentials: {lync: @hunter2}\n",
        "credentials: {lync: !hunter2 x}\n",
        "credentials: {lync: hunter2\n",
        "credentials: {lync: hunter2}\x00\n",
        "credentials: {lync: %hunter2}\n",
    ],
)
def test_a_file_that_is_no_yaml_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "litware.yaml"
    file.write_text(MINIMAL + text, encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        load(file)
    error = caught.value
    assert "hunter2" not in "".join(traceback.format_exception(error)).replace("metadata", "")
    assert error.__context__ is None
    assert error.__cause__ is None


def test_a_key_that_stands_twice_is_refused_with_both_lines(problems: Problems) -> None:
    problem = only(problems(MINIMAL + "lync:\n  product: x\n"))
    assert (problem.field, problem.problem, problem.line) == ("lync", "stands twice (first in line 2)", 16)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("network: &n {proxy: null}\npolicy: *n\n", "write the value out"),
        ("policy: {<<: {approval: required}}\n", "merge keys"),
        ("policy: {no: x}\n", "put the key in quotes"),
        ("policy: !!python/object:os.system x\n", "plain value"),
        ("policy: {ucs: !local staged}\n", "plain value"),
        ("policy: {ucs: 2026-13-45}\n", "put it in quotes"),
        ("policy:\n\tucs: staged\n", "blanks"),
        ('exchange_path: "C:\\Scripts"\n', "single quotes"),
        ("reason: a: b\n", "in quotes"),
    ],
)
def test_yaml_that_reads_otherwise_than_it_looks_is_refused_with_advice(
    problems: Problems, text: str, hint: str
) -> None:
    assert any(hint in problem.hint for problem in problems(MINIMAL + text))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\x00\xfe", "not UTF-8"),
        (b"a: \x00", "not UTF-8"),
        (b"- a\n", "not a list of keys"),
        (b"just text\n", "not a list of keys"),
        (b"a: " + b"[" * 1200, "nested too deeply"),
        (b"a: b\n---\nc: d\n", "not YAML"),
        (b"#" * (1 << 20) + b"\n", "larger than 1 MiB"),
    ],
)
def test_what_is_no_params_file_at_all_is_refused(problems: Problems, content: bytes, problem: str) -> None:
    assert problem in only(problems(content)).problem


def test_a_file_saved_as_utf_16_by_a_windows_editor_is_read(tmp_path: Path) -> None:
    file = tmp_path / "litware.yaml"
    file.write_bytes(MINIMAL.replace("\n", "\r\n").encode("utf-16"))
    assert load(file).deployment == "litware"


def test_a_file_that_is_not_there_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(DeploymentError, match=r"did you mean litware\.yaml"):
        load(PARAMS / "litwar.yaml")


def test_hostile_text_is_shown_escaped_and_capped(problems: Problems) -> None:
    found = problems(with_line("lync", 'realm: "\\e[2J\\u202e' + "x" * 500 + '"'))
    shown = only(found).value_shown
    assert shown.startswith('"<U+001B>[2J<U+202E>')
    assert "cut" in shown
    assert len(shown) < 200
    assert re.fullmatch(r"[\x20-\x7e]+", shown)
