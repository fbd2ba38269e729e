"""A deployment answers what follows from its declaration, and survives the way to YAML and back."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import yaml
from helpers.paths import PARAMS
from pydantic import ValidationError

from s2slib.deployment import PARAMETERS, Deployment, Server, load
from s2slib.deployment.lync import LyncProduct

SHIPPED = ("lab", "litware", "contoso-se")


@pytest.fixture(scope="module")
def lab() -> Deployment:
    return load(PARAMS / "lab.yaml")


@pytest.fixture(scope="module")
def litware() -> Deployment:
    return load(PARAMS / "litware.yaml")


@pytest.fixture(scope="module")
def contoso() -> Deployment:
    return load(PARAMS / "contoso-se.yaml")


def test_every_shipped_params_file_declares_the_deployment_it_is_named_for() -> None:
    files = sorted(PARAMS.glob("*.yaml"))
    assert {file.stem for file in files} >= set(SHIPPED)
    assert [load(file).deployment for file in files] == [file.stem for file in files]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_deployment_written_as_yaml_loads_to_an_equal_one(name: str, tmp_path: Path) -> None:
    original = load(PARAMS / f"{name}.yaml")
    for written in (original.to_yaml(), load_text(tmp_path, original.to_yaml()).to_yaml()):
        copy = load_text(tmp_path, written)
        assert copy.parameters() == original.parameters()
        assert copy.fingerprint() == original.fingerprint()


def test_text_that_yaml_would_change_comes_back_as_text(tmp_path: Path) -> None:
    raw = yaml.safe_load((PARAMS / "litware.yaml").read_text(encoding="utf-8"))
    raw["lync"]["oauth_certificate"]["thumbprint"] = "1234567890" * 4
    raw["lync"]["partner_application_identity"] = "0123"
    raw["deployment"] = "no"
    first = load_text(tmp_path, yaml.safe_dump(raw))
    second = load_text(tmp_path, first.to_yaml())
    assert second == first
    assert (second.deployment, second.lync.partner_application_identity) == ("no", "0123")


def load_text(folder: Path, text: str) -> Deployment:
    file = folder / "deployment.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file)


def test_the_article_s_names_urls_and_paths_follow_from_litware(litware: Deployment) -> None:
    assert litware.lync_metadata_url == "https://atl-cs-001.litwareinc.com/metadata/json/1"
    assert litware.exchange_metadata_url == "https://autodiscover.litwareinc.com/autodiscover/metadata/json/1"
    assert litware.autodiscover_svc_url == "https://autodiscover.litwareinc.com/autodiscover/autodiscover.svc"
    assert litware.partner_script == (
        r"C:\Program Files\Microsoft\Exchange Server\V15\Scripts\Configure-EnterprisePartnerApplication.ps1"
    )
    assert litware.sip_uris_for("atl-cs-001.litwareinc.com") == ("sip:kenmyer@litwareinc.com",)
    assert litware.policy.approval == "required"


def test_the_urls_that_are_not_declared_follow_from_the_names(lab: Deployment) -> None:
    assert lab.lync.metadata_url is None
    assert lab.exchange.metadata_url is None
    assert lab.lync_metadata_url == "https://atl-cs-001.litwareinc.com/metadata/json/1"
    assert lab.exchange_metadata_url == "https://autodiscover.litwareinc.com/autodiscover/metadata/json/1"
    assert lab.lync_metadata_url_of("atl-fe-002.litwareinc.com") == "https://atl-fe-002.litwareinc.com/metadata/json/1"
    assert lab.exchange_metadata_url_of("atl-exchange-001.litwareinc.com") == (
        "https://atl-exchange-001.litwareinc.com/autodiscover/metadata/json/1"
    )
    assert (lab.lync_realm, lab.exchange_realm) == ("litwareinc.com", "litwareinc.com")


def test_the_lab_needs_no_approval_and_takes_everything_else_from_the_running_lab(lab: Deployment) -> None:
    assert lab.policy.approval == "not_required"
    assert (lab.network.proxy, lab.network.ca_file) == ("lab:", "lab:")
    assert [str(lab.account(server.fqdn).parsed) for server in lab.servers()] == ["lab:lync"] * 2 + ["lab:exchange"] * 2


def test_servers_are_listed_with_product_roles_and_pool(lab: Deployment) -> None:
    assert lab.servers("lync")[0] == Server(
        "atl-fe-001.litwareinc.com", "lync", ("FrontEnd",), "atl-cs-001.litwareinc.com"
    )
    assert [server.roles for server in lab.servers("exchange")] == [("Mailbox",), ("ClientAccess",)]
    assert lab.servers() == lab.servers("lync") + lab.servers("exchange")


def test_an_excluded_server_keeps_its_reason_and_is_not_active(contoso: Deployment) -> None:
    excluded = contoso.server("ex-mbx-03.contoso.com")
    assert excluded.is_excluded
    assert "disk failure" in (excluded.excluded_reason or "")
    assert excluded in contoso.servers("exchange")
    assert [server.fqdn for server in contoso.active_servers("exchange")] == [
        "ex-mbx-01.contoso.com",
        "ex-mbx-02.contoso.com",
    ]


def test_a_server_is_found_without_regard_to_case_and_an_unknown_one_gets_a_suggestion(lab: Deployment) -> None:
    assert lab.server("ATL-FE-001.LitwareInc.com").fqdn == "atl-fe-001.litwareinc.com"
    with pytest.raises(LookupError, match=r"did you mean atl-fe-00[12]\.litwareinc\.com"):
        lab.server("atl-fe-01.litwareinc.com")


def test_only_front_ends_have_a_pool(lab: Deployment) -> None:
    assert lab.pool("atl-fe-002.litwareinc.com").fqdn == "atl-cs-001.litwareinc.com"
    with pytest.raises(LookupError):
        lab.pool("atl-exchange-001.litwareinc.com")


def test_the_metadata_url_uses_the_web_services_of_the_first_pool(contoso: Deployment) -> None:
    assert contoso.lync_metadata_url == "https://sfb-web-01.contoso.com/metadata/json/1"


def test_test_users_belong_to_their_pool(contoso: Deployment) -> None:
    assert contoso.sip_uris_for("sfb-fe-012.contoso.com") == ("sip:s2s-test-a@contoso.com",)
    assert contoso.sip_uris_for("sfb-fe-021.contoso.com") == ("sip:s2s-test-b@contoso.com",)


def test_a_server_s_own_credential_comes_before_its_product_s(contoso: Deployment) -> None:
    assert contoso.account("sfb-fe-022.contoso.com").user == "CONTOSO\\svc-sfb-site-b"
    assert contoso.account("sfb-fe-022.contoso.com").parsed.arguments[0] == "vault-client"
    assert contoso.account("sfb-fe-021.contoso.com").reference == "env:S2S_SFB_PASSWORD"
    assert contoso.account("ex-mbx-01.contoso.com").parsed.scheme == "keyring"


def test_an_override_permits_replacing_exactly_the_named_value(contoso: Deployment) -> None:
    old = "https://autodiscover-old.contoso.com/autodiscover/autodiscover.svc"
    assert contoso.override_reason("lync.ExchangeAutodiscoverUrl", old.upper())
    assert contoso.override_reason("lync.ExchangeAutodiscoverUrl", f"{old}x") is None
    assert contoso.override_reason("lync.Realm", old) is None


def changed(name: str, **sections: dict[str, object]) -> Deployment:
    """A shipped deployment with keys of its sections replaced."""
    raw = yaml.safe_load((PARAMS / f"{name}.yaml").read_text(encoding="utf-8"))
    for section, keys in sections.items():
        raw.setdefault(section, {}).update(keys)
    return Deployment.model_validate(raw)


@pytest.mark.parametrize(
    ("network", "own", "url", "transport"),
    [
        ({}, {}, "https://{}:5986/wsman", "kerberos"),
        ({"scheme": "http"}, {}, "http://{}:5985/wsman", "kerberos"),
        ({"scheme": "http", "port": 8080, "transport": "ntlm"}, {}, "http://{}:8080/wsman", "ntlm"),
        ({"scheme": "http", "port": 8080}, {"scheme": "https"}, "https://{}:5986/wsman", "kerberos"),
        ({"port": 8443}, {"transport": "credssp"}, "https://{}:8443/wsman", "credssp"),
        ({"port": 8443}, {"port": 9443}, "https://{}:9443/wsman", "kerberos"),
    ],
)
def test_winrm_addresses_follow_from_product_then_network_then_defaults(
    network: dict[str, object], own: dict[str, object], url: str, transport: str
) -> None:
    deployment = changed("litware", network={"endpoint": network}, lync={"endpoint": own})
    endpoint = deployment.endpoint("atl-cs-001.litwareinc.com")
    assert endpoint.url == url.format("atl-cs-001.litwareinc.com")
    assert endpoint.transport == transport
    assert endpoint.is_https == url.startswith("https")


def test_one_server_s_winrm_address_can_be_given() -> None:
    given = [{"server": "ATL-CS-001.litwareinc.com", "url": "https://jump.litwareinc.com:443/cs1/wsman"}]
    deployment = changed("litware", network={"winrm_urls": given})
    assert deployment.endpoint("atl-cs-001.litwareinc.com").url == "https://jump.litwareinc.com:443/cs1/wsman"
    assert deployment.endpoint("atl-exchange-001.litwareinc.com").url.startswith("http://atl-exchange-001.")


def test_product_endpoints_are_those_of_the_server_unless_given(lab: Deployment) -> None:
    assert lab.powershell_uri("atl-exchange-001.litwareinc.com") == "http://atl-exchange-001.litwareinc.com/PowerShell/"
    assert lab.powershell_uri("atl-fe-001.litwareinc.com") == "https://atl-fe-001.litwareinc.com/OcsPowershell"
    other = changed("litware", exchange={"powershell_uri": "https://mail.litwareinc.com/PowerShell/"})
    assert other.powershell_uri("atl-exchange-001.litwareinc.com") == "https://mail.litwareinc.com/PowerShell/"


def test_names_are_compared_and_written_in_lower_case() -> None:
    deployment = changed("litware", lync={"default_sip_domain": "LitwareInc.COM", "realm": "LITWAREINC.com"})
    assert (deployment.lync.default_sip_domain, deployment.lync_realm) == ("litwareinc.com", "litwareinc.com")


def test_a_thumbprint_is_taken_as_the_certificate_snap_in_shows_it() -> None:
    spaced = "8b f8 33 e6 a7 d8 a7 96 0f 58 02 b5 ff fd 18 85 99 e2 a4 b2"
    deployment = changed("litware", lync={"oauth_certificate": {"thumbprint": spaced}})
    assert deployment.lync.oauth_certificate.thumbprint == "8BF833E6A7D8A7960F5802B5FFFD188599E2A4B2"


def test_the_fingerprint_follows_what_a_plan_depends_on() -> None:
    base = changed("litware").fingerprint()
    assert len(base) == 64
    assert changed("litware", policy={"ucs": "migrate_now"}).fingerprint() != base
    assert changed("litware", lync={"realm": "other.litwareinc.com"}).fingerprint() != base
    assert changed("litware", exchange={"domain_controller": "atl-dc-001.litwareinc.com"}).fingerprint() != base


def test_the_fingerprint_ignores_how_servers_are_reached_and_by_whom() -> None:
    base = changed("litware").fingerprint()
    reached = changed(
        "litware",
        network={"proxy": "http://proxy.litwareinc.com:8080", "timeouts_s": {"run": 60}},
        credentials={"lync": {"reference": "env:X", "user": "u"}},
        lync={"endpoint": {"scheme": "https"}},
        exchange={"powershell_uri": "https://mail.litwareinc.com/PowerShell/"},
    )
    assert reached.fingerprint() == base


def test_optional_sections_have_safe_defaults() -> None:
    raw = yaml.safe_load((PARAMS / "litware.yaml").read_text(encoding="utf-8"))
    deployment = Deployment.model_validate({key: raw[key] for key in ("deployment", "lync", "exchange")})
    assert (deployment.policy.approval, deployment.policy.ucs, deployment.policy.restart) == (
        "required",
        "block",
        "hold",
    )
    assert deployment.policy.hybrid == "protect"
    assert deployment.endpoint("atl-cs-001.litwareinc.com").is_https
    assert deployment.account("atl-cs-001.litwareinc.com").reference == "prompt:"
    assert deployment.test_users == ()


def test_a_deployment_does_not_change(lab: Deployment) -> None:
    with pytest.raises(ValidationError):
        lab.policy.approval = "required"
    assert isinstance(lab.lync.pools, tuple)
    assert hash(lab.lync) == hash(load(PARAMS / "lab.yaml").lync)


def test_the_parameters_are_the_top_level_keys() -> None:
    assert PARAMETERS == ("deployment", "lync", "exchange", "network", "credentials", "policy", "test_users")


@pytest.mark.parametrize("product", get_args(LyncProduct))
def test_every_product_name_is_accepted(product: str) -> None:
    assert changed("litware", lync={"product": product}).lync.product == product
