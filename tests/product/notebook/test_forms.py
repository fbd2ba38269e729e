"""The form: it says what the params file says, what is set in it, and names what cannot be read."""

from __future__ import annotations

import pytest
from helpers.paths import PARAMS

from s2slib.deployment import Deployment, DeploymentError, from_parameters, load
from s2slib.notebook.forms import DeploymentForm


@pytest.mark.parametrize("name", ["lab", "litware", "contoso-se"])
def test_an_untouched_form_says_what_the_file_says(name: str) -> None:
    deployment = load(PARAMS / f"{name}.yaml")
    assert from_parameters(DeploymentForm(deployment).parameters(), PARAMS) == deployment


def test_what_is_set_is_what_the_next_cell_gets(lab_deployment: Deployment) -> None:
    form = DeploymentForm(lab_deployment)
    form.set("policy", "restart", "hold")
    form.set("lync", "default_sip_domain", "example.com")
    form.set("test_users", "", "- sip_uri: sip:ann@example.com")
    stated = from_parameters(form.parameters(), PARAMS)
    assert stated.policy.restart == "hold"
    assert stated.lync.default_sip_domain == "example.com"
    assert [user.sip_uri for user in stated.test_users] == ["sip:ann@example.com"]


def test_yaml_that_cannot_be_read_names_its_field(lab_deployment: Deployment) -> None:
    form = DeploymentForm(lab_deployment)
    form.set("lync", "pools", "- fqdn: [")
    with pytest.raises(ValueError, match=r"lync\.pools: not readable as YAML"):
        form.parameters()


def test_a_mistake_names_its_field(lab_deployment: Deployment) -> None:
    form = DeploymentForm(lab_deployment)
    form.set("lync", "default_sip_domain", "not a domain")
    with pytest.raises(DeploymentError, match=r"lync\.default_sip_domain"):
        from_parameters(form.parameters(), PARAMS)


def test_a_reader_without_a_kernel_sees_what_the_controls_showed(lab_deployment: Deployment) -> None:
    shown = DeploymentForm(lab_deployment)._repr_mimebundle_()
    assert set(shown) >= {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    for form in ("text/plain", "text/html"):
        assert "atl-fe-001.litwareinc.com" in shown[form]
        assert "Tab(" not in shown[form]
