"""A params file as YAML that remembers what was written: the text of every scalar and the line it stands on.

YAML turns 0123 into 83, no into false and 2026-11-23 into a date. That is found out by keeping the written text beside
the value. Duplicate keys, keys that are no text, anchors, tags and merge keys are refused: each value is to be read
where it stands, by the product and by stock papermill alike.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import yaml

from s2slib.deployment.problems import DeploymentError, Place, Problem, field_name

MAX_DEPTH = 40
MAX_BYTES: Final = 1 << 20
_PLAIN_TAGS: Final = {"null", "bool", "int", "float", "timestamp", "str"}
_PREFIX: Final = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Source:
    """A parsed params file. `written` has the text of scalars that YAML took for something else than text."""

    data: object
    lines: dict[Place, int] = field(default_factory=dict)
    written: dict[Place, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def line(self, path: Place) -> int | None:
        """The line of a value, or of the nearest thing around it that has one; counts from 1."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.lines:
                return self.lines[path[:end]]
        return None


def parse(content: bytes, name: str) -> Source:
    """The content of a params file. DeploymentError when it is no YAML at all; other findings are in `problems`."""
    if len(content) > MAX_BYTES:
        raise DeploymentError([Problem("", "is larger than 1 MiB", allowed="a params file of a few KiB")], name)
    failure: Problem
    try:
        node = yaml.compose(content, Loader=_Loader)
        if node is None:
            return Source({}, {(): 1})
        reader = _Reader()
        data = reader.value(node, ())
        return Source(data, reader.lines, reader.written, tuple(reader.problems))
    except yaml.reader.ReaderError:
        failure = Problem("", "is not UTF-8 text, or has control characters", hint="save it as UTF-8")
    except yaml.MarkedYAMLError as error:
        failure = _syntax(error)
    except yaml.YAMLError:
        failure = Problem("", "is not YAML")
    except RecursionError:
        failure = Problem("", "is nested too deeply", allowed="the sections of the params schema")
    # Raised outside the handler: the parser's exception quotes the file, which may hold a secret by mistake.
    raise DeploymentError([failure], name)


class _Loader(yaml.SafeLoader):
    """Stops at what is nested deeper than a params file can be, whatever limit of recursion this process has."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:  # a scalar inside the deepest collection is none itself
            raise RecursionError
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _syntax(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = re.sub(r"'[^']{2,}'", "'...'", error.problem or "is not YAML")
    hint = ""
    if "'\\t'" in (error.problem or ""):
        hint = "indent with blanks, not with tabs"
    elif "escape" in what:
        hint = "put Windows paths in 'single quotes'"
    elif "alias" in what or "anchor" in what or "found character" in what:
        hint = "put text that begins with a special character in quotes"
    elif "mapping values are not allowed" in what:
        hint = "put text that contains ': ' in quotes"
    return Problem("", f"is not YAML: {what}", hint=hint, line=mark.line + 1 if mark else None)


class _Reader:
    """Walks the node graph once; values come from PyYAML's own safe constructor."""

    def __init__(self) -> None:
        self.lines: dict[Place, int] = {}
        self.written: dict[Place, str] = {}
        self.problems: list[Problem] = []
        self._seen: set[int] = set()
        self._construct = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, path: Place) -> object:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:
            self._refuse(path, "is an alias (*name)", "write the value out")
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_PREFIX}map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_PREFIX}seq":
            return [self.value(member, (*path, index)) for index, member in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag.removeprefix(_PREFIX) in _PLAIN_TAGS:
            return self._scalar(node, path)
        self._refuse(path, "has a YAML tag (!name)", "write the plain value")
        return None

    def _mapping(self, node: yaml.MappingNode, path: Place) -> dict[str, object]:
        result: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != f"{_PREFIX}str":
                written = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
                hint = "merge keys are not supported" if written == "<<" else "put the key in quotes"
                self.problems.append(
                    Problem(field_name((*path, str(written))), "is no text as a key", hint=hint, line=line)
                )
                continue
            key = key_node.value
            if key in result:
                first = self.lines[(*path, key)]
                self.problems.append(
                    Problem(field_name((*path, key)), f"stands twice (first in line {first})", line=line)
                )
                continue
            self.lines[(*path, key)] = line
            result[key] = self.value(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Place) -> object:
        kind = node.tag.removeprefix(_PREFIX)
        if kind == "str":
            return str(node.value)
        if node.style is None:
            self.written[path] = node.value
        try:
            value: object = self._construct.construct_object(node)
        except (ValueError, OverflowError, yaml.YAMLError):
            self._refuse(path, f"is no valid {kind}", "if it is text, put it in quotes")
            return None
        return value

    def _refuse(self, path: Place, problem: str, hint: str) -> None:
        self.problems.append(Problem(field_name(path), problem, hint=hint, line=self.lines.get(path)))
