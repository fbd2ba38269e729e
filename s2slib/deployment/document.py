"""The documentation of the params schema, made from the schema: docs/parameters.md."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from s2slib.credentials.reference import FORMS
from s2slib.deployment.model import Deployment
from s2slib.deployment.problems import Place
from s2slib.deployment.schema_errors import literals_of, model_of, sections

_HEAD = """\
# Parameters

Made from the schema by `python -m s2slib.deployment --document`; a test holds it.

A deployment is declared in one YAML file, `params/<deployment>.yaml`. Its top-level keys are also the parameters of
every notebook, so `papermill notebooks/NN.ipynb out.ipynb -f params/<deployment>.yaml` works. A section given as a
notebook parameter replaces the whole section; `None` takes it from the file.

Types are strict. Text that YAML would read as something else (`0123`, `no`, a thumbprint of digits only) belongs in
quotes; Windows paths belong in single quotes. A key may stand once; anchors, aliases and tags are not used. Relative
paths start at the folder of the params file.

A secret never stands in the file. Credentials are references:

"""
_CREDENTIAL_MEANINGS = {
    "env:NAME": "environment variable NAME holds the password; `user` beside it",
    "keyring:SERVICE/USER": "this machine's key store (extra `keyring`)",
    "prompt:": "asked for once a run, hidden; not with stock papermill",
    'command:["PROGRAM", "ARG"]': "a program prints the password (a vault's client), started without a shell; "
    "`user` beside it",
    "ticket:": "the Kerberos ticket cache, no password; needs transport kerberos and second_hop delegation",
    "current:": "the Windows logon of this process, no password; needs the same",
    "lab:ACCOUNT": "an account of the running lab",
}
_KINDS: dict[object, str] = {str: "text", int: "whole number", bool: "true or false"}


def document() -> str:
    """The documentation as Markdown: the rules, the forms of references, one table for each section."""
    parts = [_HEAD, "| reference | where the secret is |\n| --- | --- |\n"]
    parts += [f"| `{form}` | {_CREDENTIAL_MEANINGS[form]} |\n" for form in FORMS]
    seen: dict[type[BaseModel], str] = {}
    for path, model in sections(Deployment):
        parts += _section(path, model, seen)
    return "".join(parts)


def _section(path: Place, model: type[BaseModel], seen: dict[type[BaseModel], str]) -> Iterator[str]:
    title = _title(path)
    yield f"\n## {title}\n\n" if len(path) < 2 else f"\n### {title}\n\n"
    if model in seen:
        yield f"As [{seen[model]}](#{_anchor(seen[model])}).\n"
        return
    seen[model] = title
    yield f"{_first_line(model)}\n\n| key | type | default | meaning |\n| --- | --- | --- | --- |\n"
    for name, field in model.model_fields.items():
        yield f"| `{name}` | {_kind(field)} | {_default(field)} | {_cell(field.description or '')} |\n"


def _title(path: Place) -> str:
    """`lync.pools[]`: a section that stands in a list carries the brackets."""
    model: type[BaseModel] = Deployment
    title = ""
    for step in path:
        field = model.model_fields[str(step)]
        title += ("." if title else "") + str(step) + ("[]" if _is_list(field.annotation) else "")
        model = model_of(field.annotation) or model
    return title or "The file"


def _anchor(title: str) -> str:
    return "".join(letter for letter in title.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def _first_line(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _kind(field: FieldInfo) -> str:
    words = literals_of(field.annotation)
    model = model_of(field.annotation)
    if words:
        kind = ", ".join(f"`{word}`" for word in words)
    elif model is not None:
        kind = "sections" if _is_list(field.annotation) else "section"
    else:
        kind = _plain_kind(field.annotation)
    if _is_list(field.annotation):
        return f"list of {kind}"
    kind += _range(field)
    return f"{kind} or null" if _may_be_null(field.annotation) else kind


def _range(field: FieldInfo) -> str:
    low = [item.ge for item in field.metadata if isinstance(item, annotated_types.Ge)]
    high = [item.le for item in field.metadata if isinstance(item, annotated_types.Le)]
    return f", {low[0]} to {high[0]}" if low and high else ""


def _plain_kind(annotation: object) -> str:
    if annotation in _KINDS:
        return _KINDS[annotation]
    for part in typing.get_args(annotation):
        kind = _plain_kind(part)
        if kind:
            return kind
    return ""


def _is_list(annotation: object) -> bool:
    if typing.get_origin(annotation) is tuple:
        return True
    return typing.get_origin(annotation) is typing.Annotated and _is_list(typing.get_args(annotation)[0])


def _may_be_null(annotation: object) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType) and type(None) in typing.get_args(
        annotation
    )


def _default(field: FieldInfo) -> str:
    default: object = field.default
    if default is PydanticUndefined:
        return "required"
    if isinstance(default, BaseModel):
        return "its defaults"
    if isinstance(default, tuple):
        return f"`[{', '.join(str(item) for item in default)}]`"
    if default is None or isinstance(default, bool):
        return f"`{'null' if default is None else str(default).lower()}`"
    return f"`{default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
