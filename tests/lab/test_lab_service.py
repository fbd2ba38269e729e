"""The lab as a whole: up in seconds, reachable by unmodified clients, gone without a trace."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import winrm

from s2slab.estate.clock import LabClock
from s2slab.estate.transitions import Cause
from s2slab.scenario import Scenario
from s2slab.service import Lab, LabInUse, ServerAccounts, read_log

FRONT_END = "atl-fe-001.litwareinc.com"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab") / "lab.json"


@pytest.fixture(scope="module")
def lab(state: Path) -> Iterator[Lab]:
    with Lab(scenario=Scenario(lync_certificate_assigned=True), state=state) as lab:
        yield lab


def published(state: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(state.read_text(encoding="utf-8"))
    return content


def session_to(state: Path, url: str, transport: str, account: str = "lync") -> winrm.Session:
    """An unmodified pywinrm session by what the state file says."""
    content = published(state)
    login = content["accounts"][account]
    return winrm.Session(
        url,
        auth=(login["user"], login["password"]),
        transport=transport,
        proxy=content["proxy"],
        ca_trust_path=content["ca_file"],
    )


def test_the_state_file_says_how_to_reach_the_lab(lab: Lab, state: Path) -> None:
    content = published(state)
    assert set(content) == {"proxy", "ca_file", "accounts", "addresses", "log", "pid", "started", "seed", "bridge"}
    assert content["accounts"]["lync"]["user"] == "LITWAREINC\\s2s-lync"
    assert content["pid"] == os.getpid()
    assert datetime.fromisoformat(content["started"]).tzinfo is not None
    assert f"{FRONT_END}:5986" in content["addresses"]
    host, port = content["addresses"][f"{FRONT_END}:443"].split(":")
    answer = requests.get(f"https://{host}:{port}/metadata/json/1", verify=content["ca_file"], timeout=5)
    assert answer.json()["realm"] == "litwareinc.com"


@pytest.mark.parametrize(
    ("scheme", "port", "transport"),
    [("http", 5985, "ntlm"), ("http", 5985, "credssp"), ("https", 5986, "ntlm"), ("https", 5986, "basic")],
)
def test_unmodified_pywinrm_runs_a_command_through_the_proxy(
    lab: Lab, state: Path, scheme: str, port: int, transport: str
) -> None:
    session = session_to(state, f"{scheme}://{FRONT_END}:{port}/wsman", transport)
    answer = session.run_cmd("hostname")
    assert (answer.status_code, answer.std_out.strip()) == (0, b"atl-fe-001")


def test_an_account_gets_no_shell_where_it_is_no_administrator(lab: Lab, state: Path) -> None:
    session = session_to(state, "http://atl-exchange-001.litwareinc.com:5985/wsman", "ntlm", "lync")
    with pytest.raises(winrm.exceptions.WSManFaultError, match=r"(?i)access is denied"):
        session.run_cmd("hostname")


def test_accounts_are_known_by_the_domains_names_and_by_no_other(lab: Lab) -> None:
    accounts = ServerAccounts(lab.estate, lab.estate.server(FRONT_END))
    secret = lab.estate.accounts["s2s-lync"].password
    assert {accounts.password(domain, "S2S-Lync") for domain in ("", "LitwareInc", "litwareinc.com")} == {secret}
    assert accounts.password("contoso", "s2s-lync") is None
    assert accounts.password("", "nobody") is None


def test_transitions_can_be_read_beside_the_running_lab(lab: Lab, state: Path) -> None:
    with lab.estate.acting(Cause("command", id="c-1", command="Set-CsOAuthConfiguration")):
        lab.estate.record("configuration", "cms:OAuthConfiguration", None, {"Realm": "litwareinc.com"})
    row = list(read_log(state))[-1]
    assert row["cause"]["command"] == "Set-CsOAuthConfiguration"
    assert row["after"] == {"Realm": "litwareinc.com"}


def test_a_live_lab_is_not_pushed_aside(lab: Lab, state: Path) -> None:
    before = state.read_bytes()
    with pytest.raises(LabInUse):
        Lab(state=state).start()
    assert state.read_bytes() == before


def test_no_password_of_the_lab_is_anywhere_but_in_its_state_file(lab: Lab, state: Path) -> None:
    session_to(state, f"http://{FRONT_END}:5985/wsman", "ntlm").run_cmd("hostname")
    passwords = [account.password for account in lab.estate.accounts.values()]
    assert not any(password in repr(account) for account in lab.estate.accounts.values() for password in passwords)
    for path in state.parent.iterdir():
        if path != state:
            content = path.read_text(encoding="utf-8", errors="replace")
            assert not any(password in content for password in passwords)


def test_starting_is_quick_and_closing_leaves_no_thread_no_port_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before = set(threading.enumerate())
    state = tmp_path / "runs" / "lab.json"
    began = time.monotonic()
    lab = Lab(state=state).start()
    assert time.monotonic() - began < 3
    ports = [int(address.split(":")[1]) for address in lab.network.ports().values()] + [lab.proxy_port]
    session_to(state, f"http://{FRONT_END}:5985/wsman", "ntlm").run_cmd("hostname")
    held = socket.create_connection(("127.0.0.1", lab.proxy_port), timeout=5)
    lab.close()
    lab.close()
    assert held.recv(1) == b""
    held.close()
    assert [path.name for path in state.parent.iterdir()] == ["lab.log.jsonl"]
    assert list(temporary.iterdir()) == []
    _until(lambda: set(threading.enumerate()) <= before)
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_start_that_fails_takes_everything_down_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(threading.enumerate())
    monkeypatch.setattr("s2slab.state.os.fsync", _fail)
    with pytest.raises(OSError, match="no space"):
        Lab(state=tmp_path / "lab.json").start()
    assert [path.name for path in tmp_path.iterdir()] == ["lab.log.jsonl"]
    _until(lambda: set(threading.enumerate()) <= before)


def test_the_estate_can_begin_at_another_time() -> None:
    begin = datetime.now(UTC) + timedelta(days=100)
    with Lab(clock=LabClock(begin)) as lab:
        assert timedelta(0) <= lab.estate.now() - begin < timedelta(minutes=1)


@pytest.mark.slow
def test_the_process_says_when_it_is_ready_refuses_a_second_and_ends_on_request(tmp_path: Path) -> None:
    state = tmp_path / "lab.json"
    command = [sys.executable, "-m", "s2slab", "--state", str(state)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "lab ready\n"
        assert published(state)["pid"] == child.pid
        second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert (second.returncode, second.stdout) == (1, "")
        assert "already running with lab.json" in second.stderr
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 0
    finally:
        child.kill()
        child.communicate()
    assert [path.name for path in tmp_path.iterdir()] == ["lab.log.jsonl"]


def _fail(*_: object) -> None:
    raise OSError("no space left")


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
