"""Secrets taken out of text before it is kept or shown.

Two nets. By value: every secret that was resolved in this process, in the forms in which it travels (plain, base64 of
UTF-8 and UTF-16LE at any alignment, URL, XML, CLIXML, JSON, Python and PowerShell quoting). By shape: what is a secret
wherever it came from (tokens, Authorization headers, cookies, private keys, `password=...`).

    text --by value--> overlapping hits merged --> [redacted] --by shape--> text that may be kept

Redact first, then cap or escape (`display.safe_text`): half a secret is not recognised.
"""

from __future__ import annotations

import logging
import re
import threading
import traceback
from collections.abc import Iterable, Mapping
from typing import Protocol

from s2slib.records.display import DEFAULT_LIMIT, safe_text
from s2slib.records.encodings import encoded_forms
from s2slib.records.shapes import MARK, is_secret_name, redact_shapes

__all__ = ["MARK", "RedactingFilter", "Redactor", "Revealable", "format_exception", "safe_text"]

_SHORT = 4
_LOGGED = 20_000
_STANDARD_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class Revealable(Protocol):
    """Something that hides a secret and gives it up on request."""

    def reveal(self) -> str: ...


class Redactor:
    """Takes known secrets, and what looks like one, out of text and JSON values. Thread-safe.

    Secrets are added while a run resolves them; what was redacted earlier is not touched again. A secret shorter than
    four characters is only recognised where it stands alone, or ordinary words would vanish.
    """

    def __init__(self, secrets: Iterable[str | Revealable] = ()) -> None:
        self._lock = threading.Lock()
        self._forms: tuple[str, ...] = ()
        self._words: tuple[re.Pattern[str], ...] = ()
        for secret in secrets:
            self.add(secret)

    def __repr__(self) -> str:
        return "Redactor(...)"

    def __reduce__(self) -> str:
        raise TypeError("a Redactor knows secrets and is not serialised")

    def add(self, secret: str | Revealable) -> None:
        """Redact this secret from now on, in all its forms. Empty text is refused."""
        value = secret if isinstance(secret, str) else secret.reveal()
        if not value:
            raise ValueError("an empty secret cannot be redacted")
        with self._lock:
            if len(value) < _SHORT:
                word = re.compile(rf"(?<!\w){re.escape(value)}(?!\w)")
                self._words = (*self._words, word)
            forms = {form for form in encoded_forms(value) if len(form) >= _SHORT}
            self._forms = tuple(sorted(forms.union(self._forms), key=lambda form: (-len(form), form)))

    def text(self, text: str) -> str:
        """The text without secrets; each hit becomes `[redacted]`. Applying it twice changes nothing more."""
        return redact_shapes(self._by_value(text))

    def safe(self, text: str, limit: int = DEFAULT_LIMIT, *, multiline: bool = True) -> str:
        """The text redacted, then escaped and capped for display."""
        return safe_text(self.text(text), limit, multiline=multiline)

    def json(self, value: object) -> object:
        """A JSON value without secrets: strings and keys redacted, values of keys such as `password` replaced.

        Mappings become dicts, lists and tuples lists. A number whose digits are a secret becomes the mark. Other
        types raise TypeError: they must be turned into JSON by someone who knows them.
        """
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int | float):
            return value if self._by_value(str(value)) == str(value) else MARK
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._member(str(key), member) for key, member in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(member) for member in value]
        raise TypeError(f"not a JSON value: {type(value).__name__}")

    def _member(self, key: str, member: object) -> object:
        if is_secret_name(key) and isinstance(member, str | int | float) and not isinstance(member, bool):
            return MARK if member != "" else ""
        return self.json(member)

    def _by_value(self, text: str) -> str:
        hits = _merged(_occurrences(text, self._forms, self._words))
        if not hits:
            return text
        pieces: list[str] = []
        end = 0
        for start, stop in hits:
            pieces += (text[end:start], MARK)
            end = stop
        return "".join((*pieces, text[end:]))


def _occurrences(text: str, forms: Iterable[str], words: Iterable[re.Pattern[str]]) -> list[tuple[int, int]]:
    hits: list[tuple[int, int]] = []
    for form in forms:
        start = text.find(form)
        while start >= 0:
            hits.append((start, start + len(form)))
            start = text.find(form, start + 1)
    for word in words:
        hits += (match.span() for match in word.finditer(text))
    return hits


def _merged(hits: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Overlapping hits as one, so that two secrets that share characters leave nothing of either."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(hits):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


class RedactingFilter(logging.Filter):
    """A logging filter that lets no secret and no control character past: message, arguments, traceback, stack, extra fields."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites the record in place; always True. The exception object is dropped, its redacted text is kept."""
        redact = self._safe
        try:
            message = record.getMessage()
        except Exception as error:  # a wrong format string must not let the raw arguments through
            message = f"{record.msg} (arguments left out: {type(error).__name__})"
        record.msg, record.args = redact(message), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info))
        record.exc_text = redact(record.exc_text) if record.exc_text else None
        record.exc_info = None
        record.stack_info = redact(record.stack_info) if record.stack_info else None
        for name in set(vars(record)) - _STANDARD_RECORD:
            setattr(record, name, self._extra(name, getattr(record, name)))
        return True

    def _extra(self, name: str, value: object) -> object:
        try:
            redacted = self._redactor.json({name: value})
        except TypeError:
            return self._safe(str(value))
        return _escaped(next(iter(redacted.values())) if isinstance(redacted, dict) else redacted)

    def _safe(self, text: str) -> str:
        return self._redactor.safe(text, _LOGGED)


def _escaped(value: object) -> object:
    """A JSON value whose texts are safe to show."""
    if isinstance(value, str):
        return safe_text(value, _LOGGED)
    if isinstance(value, dict):
        return {safe_text(str(key), _LOGGED): _escaped(member) for key, member in value.items()}
    return [_escaped(member) for member in value] if isinstance(value, list) else value


def format_exception(error: BaseException, redactor: Redactor, limit: int = 20_000) -> str:
    """The traceback of an exception and of those behind it, redacted and made safe to show. No local variables."""
    return redactor.safe("".join(traceback.format_exception(error)), limit)
