"""Windows as the runbook meets it on a server: web requests, certificate store, registry, files, processes."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta

import pytest
from helpers.estate_direct import Ended, on
from helpers.estate_steps import assign

from s2slab import faults
from s2slab.engine.records import Stopped
from s2slab.engine.values import Table
from s2slab.estate.estate import Estate
from s2slab.estate.files import INSTALL_PATH
from s2slab.machine.machine import LabMachine

LYNC_URL = "https://atl-cs-001.litwareinc.com/metadata/json/1"


def test_a_web_request_gives_status_content_and_headers(web: Estate) -> None:
    thumbprint = assign(web)
    answer = (
        on(web, "atl-exchange-001", "s2s-exchange").run("Invoke-WebRequest", Uri=LYNC_URL, UseBasicParsing=True).one
    )
    assert answer.get("StatusCode") == 200
    assert json.loads(answer.get("Content"))["issuer"].endswith("@litwareinc.com")
    headers = answer.get("Headers")
    assert isinstance(headers, Table)
    assert headers.get("Content-Type").startswith("application/json")
    assert thumbprint


def test_without_basic_parsing_a_server_has_no_browser_engine(web: Estate) -> None:
    with pytest.raises(Ended, match="UseBasicParsing") as caught:
        on(web, "atl-exchange-001", "s2s-exchange").run("Invoke-WebRequest", Uri=LYNC_URL)
    assert caught.value.id == "WebCmdletIEDomNotSupportedException"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://nowhere.litwareinc.com/", "The remote name could not be resolved: 'nowhere.litwareinc.com'"),
        ("https://atl-exchange-002.litwareinc.com/nope", r"The remote server returned an error: \(404\)"),
        ("https://atl-sql-001.litwareinc.com/", "Unable to connect to the remote server"),
    ],
)
def test_a_failed_web_request_says_what_dotnet_says(web: Estate, url: str, said: str) -> None:
    with pytest.raises(Ended, match=said) as caught:
        on(web, "atl-fe-001").run("Invoke-WebRequest", Uri=url, UseBasicParsing=True, TimeoutSec=5)
    assert caught.value.id == "WebCmdletWebResponseException"


def test_tls_is_verified_with_the_servers_own_roots(web: Estate) -> None:
    faults.authority_not_trusted(web, "atl-exchange-001")
    url = "https://atl-exchange-002.litwareinc.com/EWS/healthcheck.htm"
    with pytest.raises(Ended, match="trust relationship"):
        on(web, "atl-exchange-001", "s2s-exchange").run("Invoke-WebRequest", Uri=url, UseBasicParsing=True)
    assert on(web, "atl-exchange-002", "s2s-exchange").run("Invoke-WebRequest", Uri=url, UseBasicParsing=True).output


def test_the_certificate_store_shows_what_is_in_it(estate: Estate) -> None:
    shell = on(estate, "atl-exchange-001", "s2s-exchange")
    rows = shell.run("Get-ChildItem", Path="Cert:\\LocalMachine\\My").output
    auth = next(row for row in rows if "Auth Certificate" in row.get("Subject"))
    assert auth.get("HasPrivateKey") is True
    assert hashlib.sha1(auth.get("RawData"), usedforsecurity=False).hexdigest().upper() == auth.get("Thumbprint")
    again = shell.run("Get-Item", Path=f"cert:/localmachine/my/{auth.get('Thumbprint').lower()}").one
    assert again.get("Thumbprint") == auth.get("Thumbprint")
    with pytest.raises(Ended, match="Cannot find path"):
        shell.run("Get-Item", Path="Cert:\\LocalMachine\\My\\" + "0" * 40)


def test_the_install_path_is_in_the_registry_and_in_the_environment(estate: Estate) -> None:
    shell = on(estate, "atl-exchange-001", "s2s-exchange")
    key = "HKLM:\\SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup"
    assert shell.run("Get-ItemProperty", Path=key, Name=["MsiInstallPath"]).one.get("MsiInstallPath") == INSTALL_PATH
    assert shell.machine.environment(shell.session)["ExchangeInstallPath"] == INSTALL_PATH
    with pytest.raises(Ended, match="Cannot find path"):
        on(estate, "atl-fe-001").run("Get-ItemProperty", Path=key)


def test_paths_are_found_in_any_case_and_with_doubled_separators(estate: Estate) -> None:
    machine = LabMachine(estate, estate.server("atl-exchange-001"))
    doubled = INSTALL_PATH + "\\scripts\\CONFIGURE-EnterprisePartnerApplication.ps1"
    assert machine.exists(doubled)
    assert "THE CONFIGURATION HAS SUCCEEDED." in (machine.read_file(doubled) or "")
    assert machine.exists("C:\\Program Files\\Microsoft\\Exchange Server\\V15\\Scripts")
    assert not machine.exists("C:\\Program Files\\Microsoft\\Exchange Server\\V15\\Script")
    assert machine.read_file("C:\\nowhere.ps1") is None
    assert not LabMachine(estate, estate.server("atl-fe-001")).exists(doubled)


def test_a_skewed_clock_shows_in_every_time_the_server_says(estate: Estate) -> None:
    faults.clock_skewed(estate, "atl-exchange-001", 900)
    shell = on(estate, "atl-exchange-001", "s2s-exchange")
    [shown] = shell.run("Get-Date").output
    assert shown - estate.now() == timedelta(seconds=900)
    shell.program("iisreset")
    rows = shell.run("Get-CimInstance", ClassName="Win32_Process", Filter="Name = 'w3wp.exe'").output
    started: datetime = rows[0].get("CreationDate")
    assert abs(started - shell.run("Get-Date").output[0]) < timedelta(seconds=1)


def test_a_wait_on_a_server_passes_lab_time_and_a_stop_ends_it(estate: Estate) -> None:
    shell, begin = on(estate, "atl-fe-001"), estate.now()
    shell.run("Start-Sleep", Seconds=30)
    assert estate.now() - begin == timedelta(seconds=30)
    shell.stopping.set()
    with pytest.raises(Stopped):
        shell.run("Start-Sleep", Seconds=3600)
    assert estate.now() - begin == timedelta(seconds=30)


def test_wmi_refuses_what_it_does_not_know(estate: Estate) -> None:
    shell = on(estate, "atl-exchange-001", "s2s-exchange")
    row = shell.run("Get-CimInstance", ClassName="Win32_Process", Filter="Name LIKE 'w3%'").output[0]
    assert row.get("CreationDate").year == estate.now().year
    with pytest.raises(Ended, match="Invalid query"):
        shell.run("Get-CimInstance", ClassName="Win32_Process", Filter="Name='a' OR Name='b'")
    with pytest.raises(Ended, match="Invalid class"):
        shell.run("Get-CimInstance", ClassName="Win32_Nope")


def test_whoami_answers_in_the_forms_it_knows(estate: Estate) -> None:
    shell = on(estate, "atl-fe-001")
    assert shell.program("whoami") == (0, "litwareinc\\s2s-lync\r\n")
    code, text = shell.program("whoami", "/user", "/fo", "csv")
    assert code == 0
    assert text.startswith('"User Name","SID"\r\n"litwareinc\\s2s-lync","S-1-5-21-')
    assert shell.program("whoami", "/nope")[0] == 1
    assert "============" in shell.program("whoami", "/groups")[1]
