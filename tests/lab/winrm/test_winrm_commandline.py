"""How Windows reads command lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2slab.winrm.commandline import CmdRefused, read_cmd, split_arguments

ENVIRONMENT = {"SystemRoot": r"C:\Windows", "A": "1"}


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        ("", []),
        ("a b  c\td", ["a", "b", "c", "d"]),
        (r'"C:\Program Files\x.exe" -a', [r"C:\Program Files\x.exe", "-a"]),
        (r'"C:\x\" y', ["C:\\x\\", "y"]),  # the program's name knows no escapes
        ('x "a b" c', ["x", "a b", "c"]),
        (r'x "a\"b"', ["x", 'a"b']),
        (r'x "a\\" b', ["x", "a\\", "b"]),
        (r"x a\\b \\server\share", ["x", r"a\\b", r"\\server\share"]),
        (r"x a\\\"b", ["x", r"a\"b"]),
        ('x "" y', ["x", "", "y"]),
        ('x "a""b"', ["x", 'a"b']),
        ('x a"b c"d', ["x", "ab cd"]),
    ],
)
def test_arguments_are_split_as_windows_does(line: str, arguments: list[str]) -> None:
    assert split_arguments(line) == arguments


def quoted(argument: str) -> str:
    """The inverse, by the rule for programs that write command lines."""
    out, slashes = '"', 0
    for char in argument:
        if char == '"':
            out += "\\" * (slashes + 1)
        slashes = slashes + 1 if char == "\\" else 0
        out += char
    return out + "\\" * slashes + '"'


@given(st.lists(st.text(alphabet='ab\\" \t', max_size=12), max_size=5))
def test_what_is_quoted_by_the_rule_comes_back(arguments: list[str]) -> None:
    line = " ".join(["x", *map(quoted, arguments)])
    assert split_arguments(line) == ["x", *arguments]


@pytest.mark.parametrize(
    ("line", "name", "rest"),
    [
        ("whoami /groups", "whoami", " /groups"),
        ("  @echo hello", "echo", " hello"),
        (r"%systemroot%\System32\whoami.exe", r"C:\Windows\System32\whoami.exe", ""),
        ("echo %A% %B% 100%", "echo", " 1 %B% 100%"),
        ('echo "a & b" ^& c ^^', "echo", ' "a & b" & c ^'),
        (r'"C:\Program Files\x.exe" /a', r"C:\Program Files\x.exe", " /a"),
        ('powershell -Command "1..3 | % { $_ }"', "powershell", ' -Command "1..3 | % { $_ }"'),
        ("echo/x", "echo", "/x"),
    ],
)
def test_cmd_finds_the_command_and_leaves_the_rest(line: str, name: str, rest: str) -> None:
    found = read_cmd(line, ENVIRONMENT)
    assert (found.name, found.rest) == (name, rest)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("a && b", "&&"),
        ("a & b", "&"),
        ("a || b", "||"),
        ("a | b", "|"),
        ("a > b", ">"),
        ("a 2>&1", ">"),
        ("a < b", "<"),
        ("(a)", "group"),
        ("echo %A:~0,1%", "substring"),
        ("a\nb", "several lines"),
        ('"a', "open quote"),
    ],
)
def test_what_the_lab_does_not_do_is_refused_by_name(line: str, named: str) -> None:
    with pytest.raises(CmdRefused) as caught:
        read_cmd(line, ENVIRONMENT)
    assert named in str(caught.value)
