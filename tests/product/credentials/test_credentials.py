"""A params file says where a secret is; resolving it is clear when it fails and silent about the secret."""

from __future__ import annotations

import builtins
import copy
import getpass
import io
import json
import os
import pickle
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.paths import ROOT

from s2slib.credentials import (
    Credential,
    CredentialError,
    LabState,
    LabStateError,
    Reference,
    ReferenceFormatError,
    Resolver,
    Secret,
    resolve,
    running_lab,
)
from s2slib.credentials import sources as credential_sources
from s2slib.credentials.lab_state import LabAccount, lab_state_file, read_lab_state
from s2slib.credentials.sources import NobodyToAsk, ask_person
from s2slib.records.redaction import MARK, Redactor


class Typist:
    """Answers prompts from a list and remembers what was asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, bool]] = []

    def __call__(self, prompt: str, *, hidden: bool) -> str:
        self.asked.append((prompt, hidden))
        return self.answers.pop(0)


class Store:
    """A key store with one entry."""

    def get_password(self, service_name: str, username: str, /) -> str | None:
        return "hunter2" if (service_name, username) == ("s2slib", "LITWAREINC\\a/b") else None


def nobody(prompt: str, *, hidden: bool) -> str:
    raise NobodyToAsk


def program(source: str) -> str:
    """A command: reference that runs a line of Python."""
    return f"command:{json.dumps([sys.executable, '-c', source])}"


@pytest.mark.parametrize(
    "text",
    ["env:S2S_PASSWORD", "keyring:s2slib/LITWAREINC\\admin", "prompt:", "ticket:", "current:", "lab:exchange"],
)
def test_a_reference_is_read_and_written_alike(text: str) -> None:
    assert str(Reference.parse(text)) == text


def test_a_command_reference_is_an_argument_list() -> None:
    reference = Reference.parse('command:["vault-client",  "get", "a b"]')
    assert reference.arguments == ("vault-client", "get", "a b")
    assert Reference.parse(str(reference)) == reference


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "",
        "Env:NAME",
        "env:",
        "env:hunter2!",
        "keyring:hunter2",
        "keyring:/hunter2",
        "prompt:hunter2",
        "ticket:hunter2",
        "lab:Hunter2",
        "lab:",
        "command:hunter2",
        "command:[]",
        'command:["a", 2]',
        'command:[" "]',
        'command:{"a": "hunter2"}',
        "vault:hunter2",
    ],
)
def test_what_is_no_reference_is_refused_with_the_forms_and_without_repeating_it(text: str) -> None:
    with pytest.raises(ReferenceFormatError) as caught:
        Reference.parse(text)
    assert "allowed" in str(caught.value)
    assert "hunter2" not in str(caught.value).lower()


@pytest.mark.parametrize("argument", ["--password=hunter2", "-Password:hunter2", "/pwd:hunter2", "--token", "-secret"])
def test_a_command_that_would_carry_a_secret_as_an_argument_is_refused(argument: str) -> None:
    with pytest.raises(ReferenceFormatError, match="as an argument"):
        Reference.parse(f"command:{json.dumps(['vault', argument, 'hunter2'])}")


def test_a_secret_shows_itself_to_nobody_who_does_not_ask() -> None:
    secret = Secret("hunter2")
    for text in (str(secret), repr(secret), f"{secret}", f"{secret:>20}", repr(Credential("u", secret, "env:X"))):
        assert "hunter2" not in text
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert copy.deepcopy(secret) is secret
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2")
    assert secret != Secret("hunter3")
    assert secret != "hunter2"
    assert not hasattr(secret, "__dict__")


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Secret("")


def test_an_environment_variable_gives_the_password_of_the_user_beside_it() -> None:
    redactor = Redactor()
    credential = Resolver(redactor, environ={"PW": "hunter2"}).resolve("env:PW", user="LITWAREINC\\admin")
    assert (credential.user, credential.secret) == ("LITWAREINC\\admin", Secret("hunter2"))
    assert credential.reference == "env:PW"
    assert redactor.text("hunter2") == MARK


@pytest.mark.parametrize(("environ", "state"), [({}, "is not set"), ({"PW": ""}, "is empty")])
def test_a_missing_or_empty_environment_variable_is_named(environ: dict[str, str], state: str) -> None:
    with pytest.raises(CredentialError, match=f"environment variable PW {state}"):
        Resolver(Redactor(), environ=environ).resolve("env:PW", user="u")


def test_an_environment_variable_without_a_user_beside_it_is_refused() -> None:
    with pytest.raises(CredentialError, match="no user"):
        Resolver(Redactor(), environ={"PW": "hunter2"}).resolve("env:PW")


def test_the_key_store_gives_the_password_and_the_reference_names_the_user() -> None:
    credential = Resolver(Redactor(), key_store=Store).resolve("keyring:s2slib/LITWAREINC\\a/b")
    assert (credential.user, credential.secret) == ("LITWAREINC\\a/b", Secret("hunter2"))


def test_an_entry_missing_in_the_key_store_says_how_to_store_it() -> None:
    with pytest.raises(CredentialError, match="keyring set s2slib someone"):
        Resolver(Redactor(), key_store=Store).resolve("keyring:s2slib/someone")


def test_a_key_store_that_fails_is_reported_by_kind_only() -> None:
    class Broken:
        def get_password(self, service_name: str, username: str, /) -> str | None:
            raise RuntimeError("hunter2 in a backend's own words")

    with pytest.raises(CredentialError, match="RuntimeError") as caught:
        Resolver(Redactor(), key_store=Broken).resolve("keyring:s2slib/someone")
    assert "hunter2" not in str(caught.value)


def test_without_the_package_keyring_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(CredentialError, match="install the extra keyring"):
        Resolver(Redactor()).resolve("keyring:s2slib/someone")


def test_a_prompt_is_hidden_names_its_purpose_and_is_asked_once() -> None:
    typist = Typist("LITWAREINC\\admin", "hunter2")
    resolver = Resolver(Redactor(), asker=typist)
    first = resolver.resolve("prompt:", account_hint="the Exchange servers")
    second = resolver.resolve("prompt:", account_hint="the Exchange servers")
    assert first is second
    assert typist.asked == [
        ("User for the Exchange servers: ", False),
        ("Password of LITWAREINC\\admin for the Exchange servers: ", True),
    ]


def test_prompts_with_different_purposes_are_different_questions() -> None:
    resolver = Resolver(Redactor(), asker=Typist("one", "two"))
    lync = resolver.resolve("prompt:", user="a", account_hint="Lync")
    exchange = resolver.resolve("prompt:", user="a", account_hint="Exchange")
    assert (lync.secret, exchange.secret) == (Secret("one"), Secret("two"))


def test_threads_that_need_the_same_prompt_share_one_answer() -> None:
    typist = Typist("hunter2")
    resolver = Resolver(Redactor(), asker=typist)
    found: list[Credential] = []
    threads = [threading.Thread(target=lambda: found.append(resolver.resolve("prompt:", user="a"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(found) == 8
    assert len(typist.asked) == 1


def test_forgotten_answers_are_asked_for_again_and_stay_redacted() -> None:
    redactor = Redactor()
    resolver = Resolver(redactor, asker=Typist("hunter2", "hunter3"))
    resolver.resolve("prompt:", user="a")
    resolver.forget()
    assert resolver.resolve("prompt:", user="a").secret == Secret("hunter3")
    assert redactor.text("hunter2 hunter3") == f"{MARK} {MARK}"


def test_nothing_typed_is_an_error() -> None:
    with pytest.raises(CredentialError, match="nothing was typed"):
        Resolver(Redactor(), asker=Typist("")).resolve("prompt:", user="a")


def test_where_nobody_can_be_asked_the_error_names_env_and_keyring() -> None:
    with pytest.raises(CredentialError, match=r"stock papermill.*env: or keyring:"):
        resolve("prompt:", user="a", asker=nobody)


def test_a_kernel_without_input_counts_as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class StdinNotImplementedError(NotImplementedError):
        pass

    def kernel_getpass(prompt: str = "", stream: object = None) -> str:
        raise StdinNotImplementedError("getpass was called, but this frontend does not support input requests.")

    monkeypatch.setattr(getpass, "getpass", kernel_getpass)
    with pytest.raises(NobodyToAsk):
        ask_person("Password: ", hidden=True)


def test_a_password_is_never_read_where_it_would_be_echoed(monkeypatch: pytest.MonkeyPatch) -> None:
    def echoing(prompt: str = "", stream: object = None) -> str:
        return getpass.fallback_getpass(prompt)  # type: ignore[attr-defined,no-any-return]

    monkeypatch.setattr(getpass, "getpass", echoing)
    monkeypatch.setattr(sys, "stdin", io.StringIO("hunter2\n"))
    with pytest.raises(NobodyToAsk):
        ask_person("Password: ", hidden=True)


def test_an_ended_input_counts_as_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(prompt: str = "") -> str:
        raise EOFError

    monkeypatch.setattr(builtins, "input", ended)
    with pytest.raises(NobodyToAsk):
        ask_person("User: ", hidden=False)


def test_a_command_gives_what_it_prints_without_the_line_end() -> None:
    source = "import sys; sys.stdout.buffer.write('\\ufeffhünter2 \\r\\n'.encode())"
    assert Resolver(Redactor()).resolve(program(source), user="u").secret == Secret("hünter2 ")


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("print('hunter2'); print('x')", "more than one line"),
        ("pass", "printed nothing"),
        ("import sys; sys.stdout.buffer.write(b'\\xff\\xfehunter2')", "not UTF-8"),
        ("import sys; print('hunter2'); sys.exit(3)", "exit code 3"),
        ("import sys; print('hunter2', file=sys.stderr); sys.exit(1)", "exit code 1"),
    ],
)
def test_a_command_that_does_not_give_one_secret_is_refused_without_its_output(source: str, problem: str) -> None:
    with pytest.raises(CredentialError, match=problem) as caught:
        Resolver(Redactor()).resolve(program(source), user="u")
    error: BaseException | None = caught.value
    while error is not None:
        assert "hunter2" not in f"{error} {error.args} {vars(error)}".replace(source, "")
        error = error.__context__


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(CredentialError, match=r"no-such-vault.*no such program"):
        Resolver(Redactor()).resolve('command:["no-such-vault-client"]', user="u")


def test_a_command_is_stopped_at_its_deadline_even_with_grandchildren() -> None:
    child = "import time; time.sleep(5)"
    source = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(5)"
    start = time.monotonic()
    with pytest.raises(CredentialError, match=r"did not end within 0\.4 s"):
        credential_sources.run_program([sys.executable, "-c", source], 0.4)
    assert time.monotonic() - start < 3


def test_a_command_gets_no_input_and_no_shell() -> None:
    source = "import sys; print(repr(sys.stdin.read()) + sys.argv[1])"
    reference = f"command:{json.dumps([sys.executable, '-c', source, '$HOME; %PATH% *'])}"
    reading, writing = os.pipe()
    os.write(writing, b"typed by somebody")
    os.close(writing)
    saved = os.dup(0)
    try:
        os.dup2(reading, 0)
        secret = Resolver(Redactor()).resolve(reference, user="u").secret
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        os.close(reading)
    assert secret == Secret("''$HOME; %PATH% *")


def test_a_ticket_needs_no_password_and_may_name_a_principal() -> None:
    assert resolve("ticket:", user="admin@LITWAREINC.COM") == Credential("admin@LITWAREINC.COM", None, "ticket:")
    assert resolve("ticket:").is_ambient


def test_the_current_logon_exists_on_windows_only() -> None:
    assert Resolver(Redactor(), platform="win32").resolve("current:") == Credential(None, None, "current:")
    with pytest.raises(CredentialError, match="ticket:"):
        Resolver(Redactor(), platform="linux").resolve("current:")


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of a socket that listens on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.fixture
def state_file(tmp_path: Path, listening: int) -> Callable[..., Path]:
    """Writes a lab's state file, with keys changed or (None) left out."""

    def write(**changes: object) -> Path:
        (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----", encoding="ascii")
        state: dict[str, object] = {
            "proxy": f"http://127.0.0.1:{listening}",
            "ca_file": str(tmp_path / "ca.pem"),
            "accounts": {"lync": {"user": "LITWAREINC\\lync-admin", "password": "hunter2"}},
            "addresses": {"atl-fe-001.litwareinc.com:5986": "127.0.0.1:1"},
            "pid": 4711,
            "started": "2026-11-23T23:05:01Z",
        }
        state.update(changes)
        file = tmp_path / "lab.json"
        file.write_text(json.dumps({key: value for key, value in state.items() if value is not None}), encoding="utf-8")
        return file

    return write


def test_the_state_of_a_running_lab_is_read(state_file: Callable[..., Path]) -> None:
    state = read_lab_state(state_file())
    assert state.account("lync") == LabAccount("LITWAREINC\\lync-admin", Secret("hunter2"))
    assert state.ca_file.name == "ca.pem"
    assert state.addresses == {"atl-fe-001.litwareinc.com:5986": "127.0.0.1:1"}
    assert "hunter2" not in repr(state)


def test_a_missing_state_file_says_to_start_the_lab(tmp_path: Path) -> None:
    with pytest.raises(LabStateError, match="s2s lab"):
        read_lab_state(tmp_path / "lab.json")


def test_a_state_file_left_by_a_lab_that_ended_is_recognised(state_file: Callable[..., Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with pytest.raises(LabStateError, match=r"4711.*no longer answers.*s2s lab"):
        read_lab_state(state_file(proxy=f"http://127.0.0.1:{free}"))


@pytest.mark.parametrize(
    "changes",
    [
        {"proxy": None},
        {"proxy": "ftp://x"},
        {"proxy": "http://127.0.0.1:port"},
        {"accounts": []},
        {"accounts": {"lync": "hunter2"}},
        {"accounts": {"lync": {"user": "hunter2"}}},
        {"pid": "x"},
        {"ca_file": 3},
    ],
)
def test_a_malformed_state_file_says_what_is_wrong_and_no_secret(
    state_file: Callable[..., Path], changes: dict[str, object]
) -> None:
    with pytest.raises(LabStateError, match="s2s lab") as caught:
        read_lab_state(state_file(**changes))
    assert "hunter2" not in str(caught.value)


def test_a_broken_state_file_leaves_no_document_in_the_exception(tmp_path: Path) -> None:
    file = tmp_path / "lab.json"
    file.write_text('{"accounts": {"lync": {"password": "hunter2"', encoding="utf-8")
    with pytest.raises(LabStateError) as caught:
        read_lab_state(file)
    assert caught.value.__context__ is None


def test_a_lost_ca_file_is_reported(state_file: Callable[..., Path], tmp_path: Path) -> None:
    file = state_file(ca_file=str(tmp_path / "gone.pem"))
    with pytest.raises(LabStateError, match=r"gone\.pem"):
        read_lab_state(file)


def test_the_state_file_is_named_by_the_environment_or_lies_in_runs(tmp_path: Path) -> None:
    assert lab_state_file(lambda: tmp_path, {"S2S_LAB_STATE": "elsewhere.json"}) == Path("elsewhere.json")
    assert lab_state_file(lambda: tmp_path, {}) == tmp_path / "lab.json"


def test_a_lab_reference_takes_user_and_password_of_the_lab_that_runs_now(state_file: Callable[..., Path]) -> None:
    redactor = Redactor()
    environ = {"S2S_LAB_STATE": str(state_file())}
    resolver = Resolver(redactor, lab=lambda: running_lab(environ))
    assert resolver.resolve("lab:lync").user == "LITWAREINC\\lync-admin"
    state_file(accounts={"lync": {"user": "LITWAREINC\\other", "password": "hunter3"}})
    assert resolver.resolve("lab:lync").user == "LITWAREINC\\other"
    assert redactor.text("hunter2 hunter3") == f"{MARK} {MARK}"


def test_an_unknown_lab_account_names_those_there_are(state_file: Callable[..., Path]) -> None:
    def lab() -> LabState:
        return read_lab_state(state_file())

    with pytest.raises(CredentialError, match="no account 'admin'; it has: lync"):
        Resolver(Redactor(), lab=lab).resolve("lab:admin")


@pytest.mark.slow
def test_in_a_kernel_without_input_a_prompt_ends_with_the_sentence_that_names_env_and_keyring() -> None:
    import nbformat.v4  # slow to import, and needed here only
    from nbclient import NotebookClient

    source = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from s2slib.credentials import CredentialError, resolve
for user in ("u", None):
    try:
        resolve("prompt:", user=user)
    except CredentialError as error:
        print(error)
"""
    cell = nbformat.v4.new_code_cell(source)  # type: ignore[no-untyped-call]
    notebook = nbformat.v4.new_notebook(cells=[cell])  # type: ignore[no-untyped-call]
    done = NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    assert done.cells[0].outputs[0]["text"].count("use env: or keyring:") == 2
