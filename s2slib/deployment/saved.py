"""The declaration that a run was made with, kept in its folder: apply, resume and back-out need no params file again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from s2slib.deployment.load import from_parameters
from s2slib.deployment.model import Deployment
from s2slib.deployment.problems import DeploymentError, Problem
from s2slib.deployment.reach import LAB
from s2slib.records.files import read_json, write_json

FILE = "deployment.json"


def portable(deployment: Deployment) -> dict[str, Any]:
    """The declaration as parameters that mean the same from any folder: relative files become absolute ones."""
    parameters: dict[str, Any] = deployment.parameters()
    ca_file = deployment.network.ca_file
    if ca_file and ca_file != LAB:
        parameters["network"]["ca_file"] = str((deployment.folder / ca_file).resolve())
    if deployment.network.other_side:
        parameters["network"]["other_side"] = str((deployment.folder / deployment.network.other_side).resolve())
    return parameters


def save(deployment: Deployment, run: Path) -> None:
    """Keep the declaration in a run folder, whole or not at all. It holds references to secrets, never secrets."""
    write_json(run / FILE, portable(deployment))


def of_run(run: Path) -> Deployment:
    """The deployment of a run folder. Raises DeploymentError when there is none, or it cannot be used."""
    try:
        data = read_json(run / FILE)
    except FileNotFoundError:
        raise DeploymentError([Problem("", "is not there: this folder holds no run of this version")], FILE) from None
    except (OSError, ValueError) as error:
        raise DeploymentError([Problem("", f"cannot be read ({type(error).__name__})")], FILE) from None
    if not isinstance(data, dict):
        raise DeploymentError([Problem("", "is not a declaration")], FILE)
    return from_parameters(data, run)
