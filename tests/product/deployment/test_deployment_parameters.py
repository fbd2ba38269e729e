"""A notebook's parameters mean the same deployment as the params file they come from, section by section."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from helpers.paths import PARAMS

from s2slib.deployment import PARAMETERS, DeploymentError, from_parameters, load

NOTHING_GIVEN: dict[str, object] = dict.fromkeys(PARAMETERS)


def from_file(name: str) -> dict[str, object]:
    """What stock papermill hands over with `-f params/<name>.yaml`."""
    loaded = yaml.safe_load((PARAMS / f"{name}.yaml").read_text(encoding="utf-8"))
    assert isinstance(loaded, dict)
    return loaded


@pytest.fixture
def params(tmp_path: Path) -> Path:
    """A params folder of its own with litware.yaml."""
    shutil.copy(PARAMS / "litware.yaml", tmp_path / "litware.yaml")
    return tmp_path


@pytest.mark.parametrize("name", ["lab", "litware", "contoso-se"])
def test_the_name_alone_takes_everything_from_the_params_file(name: str) -> None:
    assert from_parameters({**NOTHING_GIVEN, "deployment": name}, PARAMS) == load(PARAMS / f"{name}.yaml")


@pytest.mark.parametrize("name", ["lab", "litware", "contoso-se"])
def test_what_papermill_reads_from_the_file_means_the_same_deployment(name: str) -> None:
    assert from_parameters({**NOTHING_GIVEN, **from_file(name)}, PARAMS) == load(PARAMS / f"{name}.yaml")


def test_the_workspace_s_params_folder_is_the_default(monkeypatch: pytest.MonkeyPatch, params: Path) -> None:
    workspace = params / "workspace"
    (workspace / "params").mkdir(parents=True)
    shutil.copy(params / "litware.yaml", workspace / "params" / "litware.yaml")
    monkeypatch.setenv("S2S_WORKSPACE", str(workspace))
    assert from_parameters({"deployment": "litware"}) == load(workspace / "params" / "litware.yaml")


def test_a_given_section_replaces_the_whole_section_and_never_merges(params: Path) -> None:
    base = load(params / "litware.yaml")
    assert base.network.endpoint.scheme == "http"
    replaced = from_parameters(
        {"deployment": "litware", "network": {"proxy": "http://proxy.litwareinc.com:8080"}}, params
    )
    assert replaced.network.endpoint.scheme is None
    assert replaced.lync == base.lync


def test_a_given_section_that_lacks_required_keys_is_refused_naming_them(params: Path) -> None:
    with pytest.raises(DeploymentError) as caught:
        from_parameters({"deployment": "litware", "lync": {"realm": "litwareinc.com"}}, params)
    missing = [problem.field for problem in caught.value.problems if problem.problem == "is missing"]
    assert missing == ["lync.product", "lync.pools", "lync.default_sip_domain"]
    assert "with lync from the parameters" in str(caught.value)


def test_a_given_section_is_not_blamed_on_a_line_of_the_file(params: Path) -> None:
    with pytest.raises(DeploymentError) as caught:
        from_parameters({"deployment": "litware", "policy": {"approval": False}}, params)
    (problem,) = caught.value.problems
    assert problem.line is None
    assert problem.value_shown == "false"


def test_text_that_papermill_s_yaml_has_changed_is_answered_with_quotes(params: Path) -> None:
    lync = load(params / "litware.yaml").parameters()["lync"]
    assert isinstance(lync, dict)
    with pytest.raises(DeploymentError) as caught:
        from_parameters({"deployment": "litware", "lync": {**lync, "realm": False}}, params)
    (problem,) = caught.value.problems
    assert problem.field == "lync.realm"
    assert "put it in quotes" in problem.hint


def test_mistakes_in_a_section_of_the_file_that_is_replaced_do_not_matter(params: Path) -> None:
    file = params / "litware.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("approval: required", "approval: 010"), encoding="utf-8")
    with pytest.raises(DeploymentError):
        from_parameters({"deployment": "litware"}, params)
    assert from_parameters({"deployment": "litware", "policy": {"ucs": "staged"}}, params).policy.ucs == "staged"


def test_without_a_params_file_complete_parameters_are_enough(params: Path) -> None:
    given = {**from_file("litware"), "deployment": "elsewhere"}
    assert from_parameters(given, params).deployment == "elsewhere"
    del given["exchange"]
    with pytest.raises(DeploymentError, match=r"there is no params/elsewhere\.yaml") as caught:
        from_parameters(given, params)
    assert [problem.field for problem in caught.value.problems] == ["exchange"]


def test_a_file_that_declares_another_deployment_than_its_name_is_refused(params: Path) -> None:
    shutil.copy(params / "litware.yaml", params / "other.yaml")
    with pytest.raises(DeploymentError, match="does not declare the deployment other"):
        from_parameters({"deployment": "other"}, params)


@pytest.mark.parametrize("name", ["../litware", "", "Litware", 7, None, "lit ware"])
def test_a_deployment_that_can_be_no_file_name_is_refused(params: Path, name: object) -> None:
    with pytest.raises(DeploymentError) as caught:
        from_parameters({"deployment": name}, params)
    assert caught.value.problems[0].field == "deployment"


def test_an_unknown_parameter_is_refused_with_a_suggestion(params: Path) -> None:
    with pytest.raises(DeploymentError, match="did you mean policy"):
        from_parameters({"deployment": "litware", "polcy": {}}, params)


def test_a_secret_among_the_parameters_is_refused_unseen(params: Path) -> None:
    with pytest.raises(DeploymentError) as caught:
        from_parameters({"deployment": "litware", "credentials": {"lync": {"password": "hunter2"}}}, params)
    assert "is a secret" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_relative_paths_start_at_the_params_folder(params: Path) -> None:
    assert from_parameters({"deployment": "litware"}, params).folder == params
    assert load(params / "litware.yaml").folder == params
