"""`s2s lab shell`: the article typed by hand into management shells of a running lab; the product finds the trust proven."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.paths import ROOT

S2S = (sys.executable, "-m", "s2slib")
SCRIPT = r"C:\Program Files\Microsoft\Exchange Server\V15\Scripts\Configure-EnterprisePartnerApplication.ps1"
ARGUMENTS = "-AuthMetaDataUrl 'https://atl-cs-001.litwareinc.com/metadata/json/1' -ApplicationType Lync"
EXCHANGE_URL = "https://autodiscover.litwareinc.com/autodiscover/metadata/json/1"
LYNC_FIRST = (
    "$default = (Get-CsCertificate -Type Default).Thumbprint",
    "Set-CsCertificate -Type OAuthTokenIssuer -Identity Global -Thumbprint $default",
    "Set-CsOAuthConfiguration -ExchangeAutodiscoverUrl https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc",
    "Start-Sleep -Seconds 90",
)
EXCHANGE = (
    f"& '{SCRIPT}' {ARGUMENTS}",
    "Start-Sleep -Seconds 60",
    "iisreset atl-exchange-001",
    "iisreset atl-exchange-002",
)
LYNC_THEN = (
    f'New-CsPartnerApplication -Identity Exchange -ApplicationTrustLevel Full -MetadataUrl "{EXCHANGE_URL}"',
    "Start-Sleep -Seconds 90",
    'Test-CsExStorageConnectivity -SipUri "sip:kenmyer@litwareinc.com"',
)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of somebody beside a running lab."""
    state = tmp_path / "lab.json"
    command = [sys.executable, "-m", "s2slab", "--state", str(state)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "lab ready"
        runs = {"S2S_LAB_STATE": str(state), "S2S_RUNS": str(tmp_path / "runs"), "S2S_WORKSPACE": str(ROOT)}
        yield {**os.environ, **runs, "TERM": "dumb"}
    finally:
        child.terminate()
        child.wait(20)


def typed(shell: dict[str, str], server: str, *lines: str) -> str:
    """Type lines into a server's management shell; everything that the terminal showed."""
    pexpect = pytest.importorskip("pexpect")
    console = pexpect.spawn(
        S2S[0], [*S2S[1:], "lab", "shell", server], env=shell, cwd=str(ROOT), encoding="utf-8", timeout=90
    )
    console.setwinsize(50, 200)

    def until(what: object) -> str:
        seen = ""
        while console.expect([what, r"\x1b\[6n"]):  # it asks where the cursor is, as of any terminal
            seen += console.before
            console.send("\x1b[1;1R")
        return seen + str(console.before)

    shown = ""
    try:
        for line in (*lines, "exit"):
            shown += until(r"> ?\s*$") + console.after
            console.sendline(line)
        return shown + until(pexpect.EOF)
    finally:
        console.close(force=True)


def s2s(shell: dict[str, str], *arguments: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [*S2S, *arguments, "--json"], env=shell, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=240
    )
    return done.returncode, json.loads(done.stdout)


@pytest.mark.pwsh
@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.usefixtures("pwsh")
def test_the_article_can_be_typed_and_the_product_finds_the_trust_proven(shell: dict[str, str]) -> None:
    typed(shell, "atl-fe-001", *LYNC_FIRST)
    on_exchange = typed(shell, "atl-exchange-001", f'"{SCRIPT} {ARGUMENTS}"', *EXCHANGE)
    assert "Welcome to the Exchange Management Shell!" in on_exchange
    assert "THE CONFIGURATION HAS SUCCEEDED." in on_exchange
    assert on_exchange.count("Internet services successfully restarted") == 2
    on_lync = typed(shell, "atl-fe-001", *LYNC_THEN)
    assert "Test Passed" in on_lync
    code, looked = s2s(shell, "check", "params/lab.yaml")
    assert (code, looked["outcome"]) == (0, "nothing_pending"), looked
    code, proven = s2s(shell, "verify", "params/lab.yaml")
    assert (code, proven["outcome"]) == (0, "trusted"), proven


@pytest.mark.pwsh
@pytest.mark.usefixtures("pwsh")
def test_help_and_completion_come_from_the_made_modules(shell: dict[str, str]) -> None:
    shown = typed(
        shell,
        "atl-fe-001",
        "(Get-Help New-CsPartnerApplication).Synopsis",
        "(Get-Help New-CsPartnerApplication).relatedLinks.navigationLink.uri",
        "(Get-Command New-CsPartnerApplication -Syntax).Trim()",
        "(TabExpansion2 'New-CsPartnerApplication -ApplicationTrustLevel F' 46).CompletionMatches.CompletionText",
        "Get-CsTopology",
    )
    assert "https://learn.microsoft.com/powershell/module/" in shown
    assert "-MetadataUrl <Object>" in shown
    assert "Full" in shown
    assert "The lab does not simulate Get-CsTopology" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nowhere",), "no server or account"),
        (("atl-fe-001", "--as", "nobody"), "no server or account"),
    ],
)
@pytest.mark.pwsh
@pytest.mark.usefixtures("pwsh")
def test_a_server_or_account_that_the_lab_does_not_have_is_named(
    shell: dict[str, str], arguments: tuple[str, ...], words: str
) -> None:
    done = subprocess.run(
        [*S2S, "lab", "shell", *arguments], env=shell, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_powershell_there_is_one_sentence(shell: dict[str, str], tmp_path: Path) -> None:
    bare = {**shell, "S2S_PWSH": str(tmp_path / "none")}
    for arguments in (
        ("lab", "shell", "atl-fe-001"),
        ("lab", "--engine", "pwsh", "--state", str(tmp_path / "other.json")),
    ):
        done = subprocess.run([*S2S, *arguments], env=bare, cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "Install PowerShell 7.4 or later" in done.stderr
