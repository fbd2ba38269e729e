"""Read one JSON object from a stranger: bounded, without duplicate names, without numbers that are none."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping
from typing import Final, Never, TypeAlias

from s2slib.trust.errors import MetadataError, MetadataErrorKind
from s2slib.trust.quoting import shown

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

SIZE_CAP: Final = 256 * 1024
DEPTH_CAP: Final = 16
_DIGITS_CAP: Final = 20
_UTF8_BOM: Final = b"\xef\xbb\xbf"
# Possessive and atomic: none of these may backtrack on a hostile body.
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKETS: Final = re.compile(r"[\[\]{}]")
_HTML_START: Final = re.compile(
    r"\s*+(?:<\?xml[^>]{0,200}>\s*+)?(?:<!--(?>.{0,2000}?-->)\s*+)*+<(?:!doctype\s+html|html|head|body|title|meta)\b",
    re.IGNORECASE | re.DOTALL,
)
_TITLE: Final = re.compile(r"<title\b[^>]{0,200}>(.{0,2000}?)</title", re.IGNORECASE | re.DOTALL)
_TITLE_WITHIN: Final = 16 * 1024


class _Refused(Exception):
    """Leaves the decoder's hooks; never leaves this module."""

    def __init__(self, kind: MetadataErrorKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


def read_object(body: bytes, *, content_type: str | None, source: str) -> dict[str, Json]:
    """The object in `body`, its names in lower case (ASCII letters only), at every depth.

    UTF-8 with or without a byte order mark. Refused as MetadataError: more than 256 KiB, more than 16 levels, a name
    twice in one object (compared without case), NaN, infinities, numbers beyond a double or of more than 20 digits,
    lone surrogates, anything but one object. An HTML page is named as such, with its title.
    """
    failure: MetadataError | None = None
    value: Json = None
    try:
        text = _text(body)
        _refuse_html(text, content_type)
        _refuse_depth(text)
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_int,
        )
    except _Refused as refused:
        failure = MetadataError(refused.kind, refused.detail, source=source)
    except json.JSONDecodeError as error:
        # `error.msg` is one of the decoder's own constants; `error.doc` is the whole body and stays behind.
        detail = f"not JSON: {error.msg} (line {error.lineno}, column {error.colno}){_declared(content_type)}"
        failure = MetadataError(MetadataErrorKind.NOT_JSON, detail, source=source)
    if failure is not None:
        raise failure
    if not isinstance(value, dict):
        raise MetadataError(MetadataErrorKind.WRONG_TYPE, f"expected an object, got {type_name(value)}", source=source)
    return value


def type_name(value: Json) -> str:
    """What JSON calls the type of `value`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, int | float):
        return "a number"
    return "an array" if isinstance(value, list) else "an object"


def _text(body: bytes) -> str:
    if len(body) > SIZE_CAP:
        raise _Refused(MetadataErrorKind.TOO_LARGE, f"{len(body)} bytes, more than the {SIZE_CAP} allowed")
    if not body.removeprefix(_UTF8_BOM).strip():
        raise _Refused(MetadataErrorKind.EMPTY, "the answer is empty")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _Refused(MetadataErrorKind.BAD_ENCODING, f"not UTF-8 (byte {error.start})") from None


def _refuse_html(text: str, content_type: str | None) -> None:
    declared_html = media_type(content_type) in {"text/html", "application/xhtml+xml"}
    if not _HTML_START.match(text) and not (declared_html and text.lstrip().startswith("<")):
        return
    title = _TITLE.search(text, 0, _TITLE_WITHIN)
    words = " ".join(html.unescape(title.group(1)).split()) if title else ""
    named = f"title {shown(words, 80)}" if words else "without a title"
    raise _Refused(MetadataErrorKind.HTML, f"not JSON: an HTML page ({named})")


def media_type(content_type: str | None) -> str:
    """The media type in a Content-Type header, lower case, without parameters; empty when there is none."""
    return (content_type or "").partition(";")[0].strip().lower()


def _declared(content_type: str | None) -> str:
    return f", declared as {shown(content_type, 80)}" if content_type else ""


def _refuse_depth(text: str) -> None:
    depth = 0
    for bracket in _BRACKETS.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > DEPTH_CAP:
            raise _Refused(MetadataErrorKind.TOO_DEEP, f"nested deeper than {DEPTH_CAP} levels")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    value: dict[str, Json] = {}
    for name, item in pairs:
        _refuse_surrogates(name)
        folded = fold(name)
        if folded in value:
            raise _Refused(MetadataErrorKind.DUPLICATE_KEY, f"the name {shown(name, 60)} appears twice in one object")
        for text in item if isinstance(item, list) else [item]:
            if isinstance(text, str):
                _refuse_surrogates(text)
        value[folded] = item
    return value


def fold(text: str) -> str:
    """`text` for comparison without case. Only ASCII letters fold, so that no other letter can pose as one."""
    return text.lower() if text.isascii() else text


def _refuse_surrogates(text: str) -> None:
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _Refused(MetadataErrorKind.BAD_ENCODING, "a string holds half a surrogate pair")


def _constant(_name: str) -> Never:
    raise _Refused(MetadataErrorKind.BAD_NUMBER, "NaN and Infinity are not JSON numbers")


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _Refused(MetadataErrorKind.BAD_NUMBER, "a number too large for a double")
    return value


def _int(digits: str) -> int:
    if len(digits) > _DIGITS_CAP:
        raise _Refused(MetadataErrorKind.BAD_NUMBER, f"a number of {len(digits)} digits")
    return int(digits)


def strings(mapping: Mapping[str, Json], name: str, *, source: str) -> tuple[str, ...]:
    """The array of strings under `name`; absent and null are empty. Raises MetadataError(wrong_type)."""
    value = mapping.get(name)
    if value is None:
        return ()
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(str(item) for item in value)
    raise MetadataError(
        MetadataErrorKind.WRONG_TYPE, f"{name} must be an array of strings, not {type_name(value)}", source=source
    )


def string(mapping: Mapping[str, Json], name: str, *, source: str) -> str | None:
    """The string under `name`, without surrounding blanks; absent, null and blank are None. Raises MetadataError."""
    value = mapping.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    raise MetadataError(MetadataErrorKind.WRONG_TYPE, f"{name} must be a string, not {type_name(value)}", source=source)


def label(mapping: Mapping[str, Json], name: str, *, source: str) -> str | None:
    """Like `string`, for fields that only inform: a number is taken as its text."""
    value = mapping.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return json.dumps(value)
    return string(mapping, name, source=source)


def objects(mapping: Mapping[str, Json], name: str, *, source: str) -> tuple[dict[str, Json], ...]:
    """The array of objects under `name`; absent and null are empty. Raises MetadataError(wrong_type)."""
    value = mapping.get(name)
    if value is None:
        return ()
    if isinstance(value, list):
        found = tuple(item for item in value if isinstance(item, dict))
        if len(found) == len(value):
            return found
    raise MetadataError(
        MetadataErrorKind.WRONG_TYPE, f"{name} must be an array of objects, not {type_name(value)}", source=source
    )
