"""Where the engine that recorded the corpus (PowerShell 7.6) is documented to answer otherwise than Windows PowerShell 5.1.

Each difference is a rule that rewrites a recorded answer into the one that 5.1 gives. A case whose rewritten answer is what the
evaluator said is explained: not a case that it answers alike, and not one that it answers wrongly. Any other answer stays wrong.

| PowerShell 7.6 | Windows PowerShell 5.1 | source |
| --- | --- | --- |
| JSON strings hold ' < > & as they are | \\u0027 \\u003c \\u003e \\u0026 | HttpUtility.JavaScriptStringEncode |
| unknown command: "executable program.", line end | "operable program.", blank | about_Command_Precedence |
| The input string 'x' was not in a ... | Input string was not in a ... | .NET Framework, Format_InvalidString |
| Base-64 message without a blank at its end | with one | .NET Framework, Format_BadBase64Char |
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass

FRAME = re.compile(r"<(?P<head>(?:\S+ \d+ \S+ )?)(?P<payload>[A-Za-z0-9+/]{4,}={0,2})>")


@dataclass(frozen=True)
class Difference:
    """What 5.1 does otherwise, where that is written, and the rule that turns a recorded text into 5.1's."""

    says: str
    source: str
    rewrite: Callable[[str], str]


def _json_strings(text: str) -> str:
    return "\n".join(_escaped(line) if _is_json(line) else line for line in text.split("\n"))


def _escaped(line: str) -> str:
    """In a line that is JSON these characters stand nowhere but in strings."""
    return re.sub("['<>&]", lambda found: f"\\u{ord(found[0]):04x}", line)


def _is_json(line: str) -> bool:
    if line[:1] not in ("{", "[", '"'):
        return False
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


_UNKNOWN_COMMAND = re.compile(
    r"(?P<head>is not recognized as )(?:a|the)(?P<middle> name of a cmdlet, function, script file, or )"
    r"executable program\.(?:\\n|\n)Check"
)


def _unknown_command(text: str) -> str:
    return _UNKNOWN_COMMAND.sub(r"\g<head>the\g<middle>operable program. Check", text)


def _number_format(text: str) -> str:
    return re.sub(r"The input string '[^'\n]*' was not", "Input string was not", text)


def _bad_base64(text: str) -> str:
    return re.sub(r"(illegal character among the padding characters\.)(?! )", r"\1 ", text)


DIFFERENCES = (  # wording first: JSON is escaped around it
    Difference(
        "5.1 words an unknown command otherwise", "about_Command_Precedence, example of an error", _unknown_command
    ),
    Difference(
        "5.1 does not repeat the text that is no number", ".NET Framework, Format_InvalidString", _number_format
    ),
    Difference("5.1 ends the Base-64 message with a blank", ".NET Framework, Format_BadBase64Char", _bad_base64),
    Difference("5.1 writes ' < > & in JSON as \\u00XX", "HttpUtility.JavaScriptStringEncode", _json_strings),
)


def as_windows_powershell(recorded: str) -> tuple[str, tuple[Difference, ...]]:
    """A recorded answer as 5.1 would have given it, also inside Base64 frames, and which differences that took."""
    used: list[Difference] = []

    def rewritten(text: str) -> str:
        for difference in DIFFERENCES:
            changed = difference.rewrite(text)
            if changed != text and difference not in used:
                used.append(difference)
            text = changed
        return text

    def reframed(line: str) -> str:
        found = FRAME.fullmatch(line)
        payload = _decoded(found["payload"]) if found else None
        if found is None or payload is None:
            return line
        return f"<{found['head']}{base64.b64encode(rewritten(payload).encode()).decode('ascii')}>"

    framed = "\n".join(reframed(line) for line in recorded.split("\n"))
    return rewritten(framed), tuple(used)


def _decoded(payload: str) -> str | None:
    try:
        return base64.b64decode(payload, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
