"""From a params file, or from a notebook's parameters, to a deployment; every mistake is reported at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from s2slib import workspace
from s2slib.deployment.checks import disagreements
from s2slib.deployment.model import PARAMETERS, Deployment
from s2slib.deployment.problems import DeploymentError, Place, Problem, did_you_mean, field_name, first_told, shown
from s2slib.deployment.schema_errors import problems_of
from s2slib.deployment.secrets_refused import without_secrets
from s2slib.deployment.source import Source, parse

_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")


def load(path: str | Path) -> Deployment:
    """The deployment that a params file declares. Raises DeploymentError with every mistake found."""
    file = Path(path)
    source = _read(file)
    return _validated(source.data, source, str(path), file.parent)


def from_parameters(parameters: Mapping[str, object], base: Path | None = None) -> Deployment:
    """The deployment that a notebook's parameters mean.

    `parameters` has the keys of a params file (see `PARAMETERS`). A section that is None or left out is taken from
    `<base>/<deployment>.yaml`; one that is given replaces that section as a whole. `base` is the folder of the params
    files and of relative paths: the workspace's `params/` unless given. Raises DeploymentError.
    """
    unknown = [key for key in parameters if key not in PARAMETERS]
    if unknown:
        raise DeploymentError(
            Problem(field_name((key,)), "is not a parameter", "", ", ".join(PARAMETERS), did_you_mean(key, PARAMETERS))
            for key in unknown
        )
    given = {key: value for key, value in parameters.items() if value is not None}
    name = given.get("deployment")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9-]+", name):
        allowed = "the name of a params file, for example lab"
        raise DeploymentError([Problem("deployment", "names no params file", shown(name), allowed)])
    folder = base if base is not None else workspace.find().params
    file = folder / f"{name}.yaml"
    if not file.is_file():
        if set(given) == {"deployment"}:
            known = ", ".join(sorted(found.stem for found in folder.glob("*.yaml"))) or "none"
            raise DeploymentError([Problem("deployment", f"there is no params/{name}.yaml", shown(name), known)])
        return _validated(given, Source(given), f"the parameters of {name} (there is no params/{name}.yaml)", folder)
    source = _read(file)
    data = source.data if isinstance(source.data, dict) else {}
    declared = data.get("deployment")
    if declared != name:
        problem = f"does not declare the deployment {name}"
        raise DeploymentError(
            [Problem("deployment", problem, shown(declared), name, line=source.line(("deployment",)))], file.name
        )
    merged = Source(
        {**data, **given},
        {path: line for path, line in source.lines.items() if path and path[0] not in given},
        {path: text for path, text in source.written.items() if path[0] not in given},
        tuple(problem for problem in source.problems if re.split(r"[.\[]", problem.field)[0] not in given),
    )
    replaced = [key for key in given if key != "deployment"]
    label = f"params/{file.name}" + (f" with {', '.join(replaced)} from the parameters" if replaced else "")
    return _validated(merged.data, merged, label, folder)


def _read(file: Path) -> Source:
    try:
        content = file.read_bytes()
    except FileNotFoundError:
        failure = Problem("", "is not there", hint=_similar(file))
    except OSError as error:
        failure = Problem("", f"cannot be read ({type(error).__name__})")
    else:
        return parse(content, str(file))
    raise DeploymentError([failure], str(file))


def _similar(file: Path) -> str:
    names = [found.name for found in file.parent.glob("*.yaml")] if file.parent.is_dir() else []
    return did_you_mean(file.name, names) or (f"in that folder: {', '.join(sorted(names))}" if names else "")


def _validated(raw: object, source: Source, name: str, folder: Path) -> Deployment:
    data, secrets = without_secrets(raw)
    problems = [*first_told(((), problem) for problem in source.problems), *first_told(secrets)]
    if not isinstance(data, dict):
        raise DeploymentError([Problem("", "is not a list of keys", shown(raw), ", ".join(PARAMETERS))], name)
    deployment: Deployment | None = None
    try:
        deployment = Deployment.model_validate(data, context={"folder": folder.absolute()})
    except ValidationError as error:
        problems += first_told(problems_of(error, Deployment, source))
    else:
        problems += disagreements(deployment)
    problems += first_told(_odd_numbers(source, {field for _, found in problems if (field := found.field)}))
    if deployment is None or problems:
        raise DeploymentError(_in_order(problems, source), name)
    return deployment


def _odd_numbers(source: Source, reported: set[str]) -> Iterator[tuple[Place, Problem]]:
    """Numbers that YAML reads otherwise than a person does: 010 is 8, 1:30 is 90, 0x1F is 31."""
    for path, text in source.written.items():
        value: object = source.data
        for step in path:
            value = value[step] if isinstance(value, dict | list) else None  # type: ignore[index]
        odd = isinstance(value, int) and not isinstance(value, bool) and not _DECIMAL.fullmatch(text)
        if odd and field_name(path) not in reported:
            hint = f'a number: write {value}; text: put it in quotes: "{text}"'
            yield path, Problem(field_name(path), f"YAML reads it as {value}", shown(value, text), hint=hint)


def _in_order(found: list[tuple[Place, Problem]], source: Source) -> list[Problem]:
    problems = [
        Problem(p.field, p.problem, p.value_shown, p.allowed, p.hint, p.line or source.line(path)) for path, p in found
    ]
    return sorted(dict.fromkeys(problems), key=lambda problem: problem.line or 0)
