"""How Windows reads a command line: CommandLineToArgvW, and the part of cmd.exe's syntax that the lab runs. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_VARIABLE = re.compile(r"%([^%:\r\n]+)%")
_SPECIAL = "&|<>"


class CmdRefused(Exception):
    """Syntax of cmd.exe that the lab does not simulate; the text names it."""


@dataclass(frozen=True)
class CmdLine:
    """One simple command as cmd.exe sees it after expansion: the command's name and the rest, verbatim."""

    name: str  # without quotes
    rest: str  # with the separator in front
    text: str  # both, as the program will be given it


def split_arguments(line: str) -> list[str]:
    """The arguments of a command line by the rules of CommandLineToArgvW; the first one is the program."""
    if not line.strip(" \t"):
        return []
    line = line.lstrip(" \t")
    if line.startswith('"'):  # the program's name knows quotes but no escapes
        name, _, rest = line[1:].partition('"')
    else:
        end = next((i for i, char in enumerate(line) if char in " \t"), len(line))
        name, rest = line[:end], line[end:]
    return [name, *_arguments(rest)]


def read_cmd(line: str, environment: Mapping[str, str]) -> CmdLine:
    """What cmd.exe makes of a line: variables expanded, carets removed, one simple command.

    An undefined variable stays as it is written, as at the prompt. CmdRefused for operators, redirections, groups,
    substring expansion and several lines.
    """
    expanded = _expand(line, environment)
    if "\n" in expanded or "\r" in expanded:
        raise CmdRefused("several lines")
    text = _plain(expanded).lstrip(" \t,;=").removeprefix("@").lstrip(" \t")
    if text.startswith("("):
        raise CmdRefused("a group in parentheses")
    if text.startswith('"'):
        name, closed, rest = text[1:].partition('"')
        if not closed:
            raise CmdRefused("an open quote")
    else:
        end = next((i for i, char in enumerate(text) if char in ' \t,;=/"'), len(text))
        name, rest = text[:end], text[end:]
    return CmdLine(name, rest, text)


def _arguments(text: str) -> list[str]:
    """Three quotes in a row, the opening one included, are a literal quote; 2n backslashes before a quote are n."""
    found: list[str] = []
    current: list[str] = []
    started = quotes = slashes = at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char in " \t" and quotes == 0:
            if started:
                found.append("".join(current))
            current, started, slashes = [], 0, 0
            continue
        started = 1
        if char == "\\":
            current.append(char)
            slashes += 1
        elif char == '"':
            escaped = slashes % 2 == 1
            del current[len(current) - (slashes + 1) // 2 :]
            slashes = 0
            if escaped:
                current.append('"')
            else:
                quotes += 1
            while at < len(text) and text[at] == '"':
                at += 1
                quotes += 1
                if quotes == 3:
                    current.append('"')
                    quotes = 0
            if quotes == 2:
                quotes = 0
        else:
            current.append(char)
            slashes = 0
    if started:
        found.append("".join(current))
    return found


def _expand(line: str, environment: Mapping[str, str]) -> str:
    values = {name.upper(): value for name, value in environment.items()}
    if re.search(r"%[^%\s:]+:[^%]*%", line):
        raise CmdRefused("substring expansion of a variable")
    return _VARIABLE.sub(lambda match: values.get(match.group(1).upper(), match.group(0)), line)


def _plain(line: str) -> str:
    """The line without carets; CmdRefused at an operator outside quotes."""
    out: list[str] = []
    quoted = False
    at = 0
    while at < len(line):
        char = line[at]
        if char == '"':
            quoted = not quoted
        elif not quoted and char == "^":
            at += 1
            out.append(line[at] if at < len(line) else "")
            at += 1
            continue
        elif not quoted and char in _SPECIAL:
            raise CmdRefused(f"the operator {line[at : at + 2] if line[at : at + 2] in ('&&', '||', '>>') else char}")
        out.append(char)
        at += 1
    return "".join(out)
