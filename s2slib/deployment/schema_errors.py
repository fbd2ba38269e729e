"""pydantic's findings, said in the operator's terms: field, value as written, what is allowed, a way there."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from s2slib.deployment.problems import NOT_SHOWN, Place, Problem, did_you_mean, field_name, shown
from s2slib.deployment.secrets_refused import REMOVED
from s2slib.deployment.source import Source
from s2slib.deployment.values import PROBLEM

_WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "tuple_type": "a list",
    "model_type": "a section with keys of its own",
    "model_attributes_type": "a section with keys of its own",
    "dict_type": "a section with keys of its own",
}
_QUOTE = "if it is text, put it in quotes"


def problems_of(error: ValidationError, schema: type[BaseModel], source: Source) -> Iterator[tuple[Place, Problem]]:
    """Every finding as a problem with its path. Findings about values already refused as secrets are left out."""
    for detail in error.errors(include_url=False):
        if detail["input"] is REMOVED and detail["type"] != "extra_forbidden":
            continue
        path: Place = detail["loc"]
        yield path, _problem(detail, path, schema, source)


def _problem(detail: ErrorDetails, path: Place, schema: type[BaseModel], source: Source) -> Problem:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    name = field_name(path)
    written = source.written.get(path)
    value_shown = NOT_SHOWN if _may_be_secret(path) else shown(value, written)
    if kind == "extra_forbidden":
        keys = keys_at(schema, path[:-1])
        return Problem(
            name, "is not a key of this section", "", ", ".join(keys), _other_place(str(path[-1]), keys, schema)
        )
    if kind == "missing":
        field = field_at(schema, path)
        return Problem(name, "is missing", "", (field.description or "") if field else "")
    if kind == PROBLEM:
        whole = isinstance(value, dict)
        return Problem(name, context["problem"], "" if whole else value_shown, context["allowed"], context["hint"])
    if kind == "literal_error":
        field = field_at(schema, path)
        values = literals_of(field.annotation) if field else ()
        text = value if isinstance(value, str) else written or ""
        hint = _quotes(value, written) if written in values else did_you_mean(text, values)
        return Problem(name, "is not one of the allowed values", value_shown, ", ".join(values), hint)
    if kind in _WANTED:
        problem = "is of the wrong kind" if value is not None else "is empty"
        hint = _quotes(value, written) if kind == "string_type" else _unquoted(value, kind)
        return Problem(name, problem, value_shown, _WANTED[kind], hint)
    limits = [f"{word} {context[key]}" for key, word in (("ge", "at least"), ("le", "at most")) if key in context]
    if limits:
        return Problem(name, "is out of range", value_shown, ", ".join(limits))
    if kind in ("too_short", "string_too_short"):
        return Problem(name, "is empty", value_shown, "at least one entry" if kind == "too_short" else "some text")
    return Problem(name, detail["msg"].lower(), value_shown)


def _may_be_secret(path: Place) -> bool:
    return bool(path) and path[0] == "credentials" and path[-1] not in ("server",)


def _quotes(value: object, written: str | None) -> str:
    """The advice when YAML has read text as something else."""
    if value is None or isinstance(value, dict | list | tuple):
        return ""
    if written is not None:
        return f'YAML reads {written} as {_read_as(value)}; put it in quotes: "{written}"'
    return f"YAML changes words such as no and numbers such as 0123; {_QUOTE}"


def _read_as(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    return f"a {type(value).__name__}"


def _unquoted(value: object, kind: str) -> str:
    if isinstance(value, str) and kind in ("bool_type", "int_type"):
        return "write it without quotes"
    if isinstance(value, str) and kind == "tuple_type":
        return "write one entry a line after '- ', or [entry]"
    return ""


def _other_place(key: str, keys: tuple[str, ...], schema: type[BaseModel]) -> str:
    """Where an unknown key probably belongs: a near name here, else the same name in another section."""
    near = did_you_mean(key, keys)
    if near:
        return near
    places = [field_name((*path, key)) for path, model in sections(schema) if key in model.model_fields]
    return f"did you mean {places[0]}?" if places else ""


def sections(schema: type[BaseModel], path: Place = ()) -> Iterator[tuple[Place, type[BaseModel]]]:
    """The schema and every section below it, with where it stands (list positions left out), in the file's order."""
    yield path, schema
    for name, field in schema.model_fields.items():
        model = model_of(field.annotation)
        if model is not None:
            yield from sections(model, (*path, name))


def keys_at(schema: type[BaseModel], path: Place) -> tuple[str, ...]:
    """The keys that the section at this place may have."""
    for step in path:
        if isinstance(step, str):
            field = schema.model_fields.get(step)
            model = model_of(field.annotation) if field else None
            if model is None:
                return ()
            schema = model
    return tuple(schema.model_fields)


def field_at(schema: type[BaseModel], path: Place) -> FieldInfo | None:
    """The field at this place; None where the schema has none."""
    names = [step for step in path if isinstance(step, str)]
    if not names:
        return None
    *_, last = names
    for step in names[:-1]:
        field = schema.model_fields.get(step)
        model = model_of(field.annotation) if field else None
        if model is None:
            return None
        schema = model
    return schema.model_fields.get(last)


def literals_of(annotation: object) -> tuple[str, ...]:
    """The words that a Literal somewhere in this annotation allows."""
    if typing.get_origin(annotation) is typing.Literal:
        return tuple(str(word) for word in typing.get_args(annotation))
    return tuple(word for part in typing.get_args(annotation) for word in literals_of(part))


def model_of(annotation: object) -> type[BaseModel] | None:
    """The section inside an annotation such as `Annotated[tuple[Pool, ...], ...]` or `X | None`."""
    if (
        isinstance(annotation, type)
        and not isinstance(annotation, types.GenericAlias)
        and issubclass(annotation, BaseModel)
    ):
        return annotation
    for part in typing.get_args(annotation):
        model = model_of(part)
        if model is not None:
            return model
    return None
