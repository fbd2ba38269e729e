"""What is wrong with a declaration: field, value, what is allowed, a way there. Never the text of a secret."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from s2slib.errors import EXIT_USAGE, S2SError
from s2slib.records.redaction import Redactor

Place = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the top of the file."""

NOT_SHOWN = "(not shown)"
_SHOWN = 80
_TOLD = 100
"""Problems of one kind that are told; whoever has more has made one mistake many times."""
_NAMED = 20
_COMPARED = 1_000


@dataclass(frozen=True)
class Problem:
    """One mistake. `value_shown` is escaped, capped, and "" where there is no value; `line` counts from 1."""

    field: str
    problem: str
    value_shown: str = ""
    allowed: str = ""
    hint: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = f"line {self.line}, " if self.line else ""
        value = f" = {self.value_shown}" if self.value_shown else ""
        parts = [f"{where}{self.field or 'the file'}{value}: {self.problem}"]
        if self.allowed:
            parts.append(f"allowed: {self.allowed}")
        if self.hint:
            parts.append(self.hint)
        return "; ".join(parts)


class DeploymentError(S2SError):
    """A declaration cannot be used. `problems` has every mistake that was found, in the order of the file."""

    exit_code = EXIT_USAGE

    def __init__(self, problems: Iterable[Problem], source: str = "the parameters") -> None:
        self.problems = tuple(problems)
        self.source = source
        super().__init__(self.problems, source)

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{self.source} cannot be used, {count} problem{'' if count == 1 else 's'}:"
        return "\n".join((head, *(f"  {problem}" for problem in self.problems)))


def field_name(path: Place) -> str:
    """The path as one writes it: `lync.pools[0].front_ends[1]`."""
    name = ""
    for step in path:
        name += f"[{step}]" if isinstance(step, int) else f"{'.' if name else ''}{step}"
    return Redactor().safe(name, 200, multiline=False)


def shown(value: object, raw: str | None = None) -> str:
    """A value as it stands in the file (or as Python sees it), capped, without what looks like a secret."""
    if raw is not None:
        text = raw
    elif isinstance(value, str):
        text = value
    elif value is None or isinstance(value, bool):
        text = "null" if value is None else str(value).lower()
    elif isinstance(value, int | float):
        text = str(value)
    elif isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    elif isinstance(value, dict):
        return "a section"
    else:
        text = f"a {type(value).__name__}"
    quote = '"' if raw is None and isinstance(value, str) else ""
    return f"{quote}{Redactor().safe(text, _SHOWN, multiline=False)}{quote}"


def first_told(found: Iterable[tuple[Place, Problem]]) -> Iterator[tuple[Place, Problem]]:
    """The first problems of what may be very many, and one that says that there are more; the rest is not worked out."""
    for number, (path, problem) in enumerate(found):
        if number == _TOLD:
            yield (), Problem("", f"has more such problems; the first {_TOLD} are told")
            return
        yield path, problem


def listed(names: Sequence[str]) -> str:
    """Names one after the other; of very many the first, and how many more."""
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`did you mean X?` for the nearest known word, or "" when none is near among the first of them."""
    words = {word.lower(): word for word in itertools.islice(known, _COMPARED)}
    near = difflib.get_close_matches(given.lower(), words, n=1, cutoff=0.6)
    return f"did you mean {words[near[0]]}?" if near else ""
