"""`lab:` and credential references are resolved when they are needed, and say clearly when they cannot be."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from helpers.paths import PARAMS

from s2slib.credentials import CredentialError, LabState, LabStateError, Resolver, Secret
from s2slib.credentials.lab_state import LabAccount
from s2slib.deployment import Deployment, DeploymentError, from_parameters, load
from s2slib.deployment.reach import NetworkPath, network_path, resolved_credentials
from s2slib.records.redaction import MARK, Redactor


def lab_with(ca_file: Path) -> LabState:
    accounts = {name: LabAccount(f"LITWAREINC\\{name}", Secret(f"{name}-hunter2")) for name in ("lync", "exchange")}
    return LabState("http://127.0.0.1:1", ca_file, MappingProxyType(accounts), {}, 1, "2026-11-23T23:05:01Z")


def no_lab() -> LabState:
    raise LabStateError("no lab is running: start it with `s2s lab`")


def with_network(folder: Path, **network: object) -> Deployment:
    raw = yaml.safe_load((PARAMS / "litware.yaml").read_text(encoding="utf-8"))
    return from_parameters({**raw, "deployment": "here", "network": network}, folder)


def test_the_lab_s_proxy_and_ca_are_those_of_the_lab_that_runs(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.touch()
    assert network_path(load(PARAMS / "lab.yaml"), lambda: lab_with(ca_file)) == NetworkPath(
        "http://127.0.0.1:1", ca_file
    )


def test_without_a_running_lab_the_error_says_to_start_it() -> None:
    with pytest.raises(LabStateError, match="s2s lab"):
        network_path(load(PARAMS / "lab.yaml"), no_lab)


def test_a_deployment_that_names_no_lab_does_not_look_for_one(tmp_path: Path) -> None:
    assert network_path(with_network(tmp_path), no_lab) == NetworkPath(None, None)


def test_a_ca_file_is_found_beside_the_params_file_or_reported(tmp_path: Path) -> None:
    deployment = with_network(tmp_path, ca_file="ca/root.pem", proxy="http://proxy.litwareinc.com:8080")
    with pytest.raises(DeploymentError, match=r"network\.ca_file.*ca/root\.pem.*not there"):
        network_path(deployment, no_lab)
    (tmp_path / "ca").mkdir()
    (tmp_path / "ca" / "root.pem").touch()
    assert network_path(deployment, no_lab) == NetworkPath("http://proxy.litwareinc.com:8080", tmp_path / "ca/root.pem")


def test_each_active_server_gets_the_credential_of_its_product(tmp_path: Path) -> None:
    redactor = Redactor()
    resolver = Resolver(redactor, lab=lambda: lab_with(tmp_path))
    found = resolved_credentials(load(PARAMS / "lab.yaml"), resolver)
    assert {name: credential.user for name, credential in found.items()} == {
        "atl-fe-001.litwareinc.com": "LITWAREINC\\lync",
        "atl-fe-002.litwareinc.com": "LITWAREINC\\lync",
        "atl-exchange-001.litwareinc.com": "LITWAREINC\\exchange",
        "atl-exchange-002.litwareinc.com": "LITWAREINC\\exchange",
    }
    assert redactor.text("lync-hunter2 exchange-hunter2") == f"{MARK} {MARK}"


def test_a_product_s_prompt_is_asked_once_and_names_the_product() -> None:
    asked: list[str] = []

    def asker(prompt: str, *, hidden: bool) -> str:
        asked.append(prompt)
        return "LITWAREINC\\admin" if not hidden else "hunter2"

    deployment = load(PARAMS / "litware.yaml")
    assert len(resolved_credentials(deployment, Resolver(Redactor(), asker=asker))) == 2
    assert asked == [
        "User for the servers of Lync Server 2013 (litware): ",
        "Password of LITWAREINC\\admin for the servers of Lync Server 2013 (litware): ",
        "User for the servers of Exchange Server 2013 (litware): ",
        "Password of LITWAREINC\\admin for the servers of Exchange Server 2013 (litware): ",
    ]


def test_an_excluded_server_s_credential_is_not_asked_for() -> None:
    def runner(arguments: object, timeout_s: float) -> bytes:
        return b"hunter2\n"

    class Store:
        def get_password(self, service_name: str, username: str, /) -> str | None:
            return "hunter3"

    resolver = Resolver(Redactor(), environ={"S2S_SFB_PASSWORD": "hunter4"}, key_store=Store, runner=runner)
    found = resolved_credentials(load(PARAMS / "contoso-se.yaml"), resolver)
    assert "ex-mbx-03.contoso.com" not in found
    assert found["sfb-fe-022.contoso.com"].secret == Secret("hunter2")
    assert found["ex-mbx-01.contoso.com"].user == "CONTOSO\\svc-exchange-change"


def test_a_credential_that_cannot_be_resolved_stops_with_its_reference() -> None:
    with pytest.raises(CredentialError, match="S2S_SFB_PASSWORD is not set"):
        resolved_credentials(load(PARAMS / "contoso-se.yaml"), Resolver(Redactor(), environ={}))
