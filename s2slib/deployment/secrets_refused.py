"""Secrets written into a params file: found by the names of keys and by the looks of values, and refused unseen."""

from __future__ import annotations

from collections.abc import Iterator

from s2slib.credentials.reference import FORMS
from s2slib.deployment.problems import NOT_SHOWN, Place, Problem, field_name
from s2slib.records.shapes import is_secret_name, redact_shapes

_ALLOWED = f"a reference in the section credentials: {', '.join(FORMS)}"
_DEPTH = 32


def without_secrets(data: object) -> tuple[object, tuple[tuple[Place, Problem], ...]]:
    """The data without what looks like a secret, and one problem for each; no problem repeats the value."""
    found: list[tuple[Place, Problem]] = []
    return _clean(data, (), found), tuple(found)


def _clean(value: object, path: Place, found: list[tuple[Place, Problem]]) -> object:
    if len(path) > _DEPTH:
        return None
    if isinstance(value, dict):
        return dict(_members(value, path, found))
    if isinstance(value, list | tuple):
        return [_clean(member, (*path, index), found) for index, member in enumerate(value)]
    if isinstance(value, str) and redact_shapes(value) != value:
        found.append((path, Problem(field_name(path), "looks like a secret", NOT_SHOWN, _ALLOWED)))
        return REMOVED
    return value


def _members(
    mapping: dict[object, object], path: Place, found: list[tuple[Place, Problem]]
) -> Iterator[tuple[object, object]]:
    for key, member in mapping.items():
        here = (*path, str(key))
        if is_secret_name(str(key)):
            found.append(
                (here, Problem(field_name(here), "is a secret, and a params file holds none", NOT_SHOWN, _ALLOWED))
            )
            continue
        yield key, _clean(member, here, found)


class _Removed:
    """Stands where a secret stood, so that the schema's own complaint about the place can be recognised."""

    def __repr__(self) -> str:
        return NOT_SHOWN


REMOVED = _Removed()
