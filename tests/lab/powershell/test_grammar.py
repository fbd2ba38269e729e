"""A second opinion on the parser: tree-sitter's PowerShell grammar finds the same statements, commands, arguments and texts.

The grammar was written by other people from other sources, so the two do not share mistakes. Where they differ, the
recorded engine decides; every difference is named below with what the grammar does, and none of them is ours.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tree_sitter
import tree_sitter_pwsh

from s2slib.lab.powershell import syntax
from s2slib.lab.powershell.corpus import Case, read_cases
from s2slib.lab.powershell.errors import PsParseError, Unsupported
from s2slib.lab.powershell.parse import parse_script

ROOT = Path(__file__).parents[3]
CASES = ROOT / "tests" / "cases" / "powershell"
SCRIPTS = sorted([*(ROOT / "s2slib").rglob("*.ps1"), *CASES.glob("*.ps1")])
RECORDED = {case.id: case for case in read_cases(CASES / "corpus.jsonl")}
HABITS = read_cases(CASES / "habits.jsonl")

COMMANDS_FROM_NUMBERS = "reads arithmetic or a range of two numbers without blanks as the name of a command"
BODY_BESIDE_PARAM = "takes no statement on the line of its param(...)"
CLAUSES_ON_A_LINE = "takes no switch whose clauses stand on one line"
TYPOGRAPHIC = "does not know typographic quotes and dashes"
END_OF_PARAMETERS = "does not know -- as the end of parameters"
PARENTHESIS_AFTER_A_WORD = "reads a parenthesis that touches the word in front of it as the arguments of a method"
OF_7 = "is the grammar of PowerShell 7, whose operators 5.1 refuses"
TRY_ALONE = "takes a try without catch and finally"

SEEN_OTHERWISE = {  # the engine ran these, or refused what stands in the last two lines
    COMMANDS_FROM_NUMBERS: "number-002 number-003 number-005 number-015 number-032 number-034 array-023 array-027 array-030 "
    "catch-005 flow-010 parse-016",
    BODY_BESIDE_PARAM: "hash-011 flow-005 article-003 article-004 article-005 article-006 article-007",
    CLAUSES_ON_A_LINE: "flow-006",
    TYPOGRAPHIC: "quote-naive-028 quote-naive-029 parse-012 parse-013 parse-014",
    END_OF_PARAMETERS: "parse-025",
    PARENTHESIS_AFTER_A_WORD: "supervisor-001 supervisor-002 supervisor-003 supervisor-004 supervisor-005 supervisor-006",
    OF_7: "parse-017 parse-020",
    TRY_ALONE: "parse-010",
}
REASONS = {id: reason for reason, ids in SEEN_OTHERWISE.items() for id in ids.split()}

QUOTES = "'\u2018\u2019\u201a\u201b\"\u201c\u201d\u201e"
STATEMENTS = {
    syntax.If: "if",
    syntax.For: "for",
    syntax.ForEach: "foreach",
    syntax.Switch: "switch",
    syntax.Try: "try",
    syntax.FunctionDefinition: "function",
}
TEXTS = (
    "expandable_string_literal",
    "verbatim_string_characters",
    "expandable_here_string_literal",
    "verbatim_here_string_characters",
)

PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_pwsh.language()))
Fact = tuple[Any, ...]


def facts_of_ours(text: str) -> set[Fact]:
    """What stands where, by our parser: (offset, kind, details)."""
    return set(_ours(text, parse_script(text)))


def _ours(text: str, node: Any) -> Iterator[Fact]:
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list | tuple):
        for item in node:
            yield from _ours(text, item)
    if not isinstance(node, syntax.Node):
        return
    match node:
        case syntax.Command():
            name = node.operator + text[node.name.pos : node.name.end]
            yield node.pos, "command", name, tuple(_elements(node.elements)), len(node.redirections)
        case syntax.Pipeline():
            yield node.pos, "pipeline", len(node.elements)
        case syntax.Assign():
            yield node.pos, "assignment", node.op
        case syntax.While():
            yield node.pos, "do" if node.after else "while"
        case syntax.ArrayLiteral() if len(node.items) > 1:
            yield node.pos, "list", len(node.items)
        case syntax.Jump():
            yield node.pos, "jump", node.kind
        case syntax.Variable():
            yield node.pos, "variable", node.name.lower()
        case syntax.ParameterAst():
            yield text.index("$" + node.name, node.pos), "variable", node.name.lower()
        case syntax.Const() | syntax.Expandable():
            if text[node.pos :].lstrip("@")[:1] in QUOTES:
                yield node.pos, "text", node.end
        case _ if type(node) in STATEMENTS:
            yield node.pos, STATEMENTS[type(node)]
    for field in dataclasses.fields(node):
        if field.name != "cache":
            yield from _ours(text, getattr(node, field.name))


def _elements(elements: list[syntax.Node]) -> Iterator[Fact]:
    for element in elements:
        if isinstance(element, syntax.ParameterName):
            yield element.pos, "parameter"
            if element.value is not None:
                yield element.value.pos, "argument"
        else:
            yield element.pos, "argument"


def facts_of_the_grammar(text: str) -> set[Fact] | None:
    """The same from the grammar's tree, or None when it has found an error."""
    root = PARSER.parse(text.encode()).root_node
    if root.has_error:
        return None
    offsets, count = {}, 0
    for i, c in enumerate(text):
        offsets[count] = i
        count += len(c.encode())
    offsets[count] = len(text)
    return set(_theirs(root, offsets))


def _theirs(node: Any, at: dict[int, int]) -> Iterator[Fact]:
    start, kind, word = at[node.start_byte], node.type, node.text.decode()
    if kind == "command":
        parts = {child.type: child for child in node.children}
        name = "".join(c.text.decode() for c in node.children if c.type.startswith("command_") and c.type in NAMING)
        elements = parts["command_elements"].children if "command_elements" in parts else []
        redirections = sum(e.type == "redirection" for e in elements)
        yield start, "command", name, tuple(_their_elements(elements, at)), redirections
    elif kind == "pipeline_chain":
        yield start, "pipeline", sum(c.type not in ("|", "redirections", "redirection") for c in node.children)
    elif kind == "assignment_expression":
        yield start, "assignment", next(c.text.decode() for c in node.children if c.type == "assignment_operator")
    elif kind in ("array_literal_expression", "bareword_argument_list"):
        yield start, "list", sum(child.type != "," for child in node.children)
    elif kind == "flow_control_statement":
        yield start, "jump", node.children[0].text.decode().lower()
    elif kind in ("variable", "braced_variable"):
        yield start, "variable", re.sub(r"[@$]\{?(?:\w+:)?([^}]*)\}?", r"\1", word).lower()
    elif kind in TEXTS:
        yield start, "text", at[node.end_byte]
    elif kind.endswith("_statement") and kind[:-10] in (*STATEMENTS.values(), "while", "do"):
        yield start, kind[:-10]
    for child in node.children:
        for fact in _theirs(child, at):
            if fact[1] != "list" or kind not in ("attribute", "script_parameter_default"):
                yield fact  # values of an attribute look like a list, and a default value goes on to the next parameter


NAMING = ("command_invocation_operator", "command_name", "command_name_expr")


def _their_elements(elements: list[Any], at: dict[int, int]) -> Iterator[Fact]:
    for element in elements:
        if element.type == "command_parameter":
            yield at[element.start_byte], "parameter"
        elif element.type == "stop_parsing":  # one node there, the mark and the rest of the line here
            yield at[element.start_byte], "argument"
            rest = element.text.decode()[len("--%") :]
            if rest.strip():
                yield at[element.end_byte] - len(rest.lstrip()), "argument"
        elif element.type not in ("command_argument_sep", "redirection", "argument_list"):
            yield at[element.start_byte], "argument"  # a method's argument list belongs to the argument before it


def disagreement(text: str) -> str:
    """How the two readings of a script differ; empty when they do not."""
    try:
        ours: set[Fact] | None = facts_of_ours(text)
    except PsParseError:
        ours = None
    theirs = facts_of_the_grammar(text)
    if ours is None or theirs is None:
        return "" if ours is theirs else f"{'ours' if ours is None else 'the grammar'} refuses it"
    return "" if ours == theirs else f"only ours {sorted(ours - theirs)}, only theirs {sorted(theirs - ours)}"


def test_the_grammar_reads_the_recorded_scripts_as_we_do_but_for_the_named_ones() -> None:
    found = {case.id: disagreement(case.script) for case in RECORDED.values()}
    assert {id: how for id, how in found.items() if how and id not in REASONS} == {}
    assert [id for id in REASONS if not found[id]] == []  # agrees by now: take it off the list


@pytest.mark.parametrize("path", SCRIPTS, ids=[p.name for p in SCRIPTS])
def test_the_grammar_reads_a_script_file_as_we_do(path: Path) -> None:
    assert disagreement(path.read_text(encoding="utf-8")) == ""


NUMBERS = re.compile(r"[-\d.]+(KB|MB)?((\.\.|[*/%])[\d.]+(KB|MB)?)+", re.IGNORECASE)
A_NAME_IN_QUOTES = re.compile(r"(?<!\.)\.['\"]")  # a text to the grammar, a member's name to the parser
HABITS_SEEN_OTHERWISE = {
    "sees texts inside a word, and one word where a quoted one ends": (
        """Write-Output a"b"c""",
        """Write-Output a'b'c""",
        """Write-Output 'a'b""",
        """Write-Output "$(1)a"b""",
        """Write-Output x" "y""",
    ),
    PARENTHESIS_AFTER_A_WORD: ("Write-Output a(1)",),
    "takes an operator for an argument, and two dashes for a parameter": (
        "Write-Output a,b,c -join '-'",
        "Write-Output 'x' -join ','",
        "Write-Output --x",
        """function F { "$args" }; F -a:1 --b /c=d e.f $null 1,2""",
    ),
    TYPOGRAPHIC: (
        "Write-Output –x",
        "Write-Output –InputObject x",
        "Write-Output —InputObject x",
        "Write-Output ‘a’ “b” ‚c‛",
        "Write-Output ‘it''s’",
    ),
    "does not know the no-break space as a blank": ("Write-Output a\u00a0b", "Write-Output\u00a0x"),
    "sees no redirection that touches the word in front of it": ("Write-Output a>$null; 'x'",),
    "sees a pipeline in parentheses that are assigned to": ("($a,$b)=1,2; $b", "($a)=5; $a"),
}


def habit_disagreement(case: Case) -> str:
    """How the readings of a script differ where the grammar reads it; its common errors are named above."""
    theirs = facts_of_the_grammar(case.script)
    if theirs is None:
        return ""
    try:
        ours = facts_of_ours(case.script)
    except PsParseError:
        return "" if case.rc == 1 else "ours refuses it"
    names = {at.start() + 1 for at in A_NAME_IN_QUOTES.finditer(case.script)}
    misread = {
        f for f in theirs if (f[1] == "command" and NUMBERS.fullmatch(f[2])) or (f[1] == "text" and f[0] in names)
    }
    theirs -= misread
    return "" if theirs == ours else f"only ours {sorted(ours - theirs)}, only theirs {sorted(theirs - ours)}"


def test_the_grammar_reads_habits_as_we_do_where_it_reads_them() -> None:
    otherwise = {script for scripts in HABITS_SEEN_OTHERWISE.values() for script in scripts}
    found = {case.script: habit_disagreement(case) for case in HABITS}
    assert {script: how for script, how in found.items() if how and script not in otherwise} == {}
    assert [script for script in otherwise if not found[script]] == []


def test_the_recorded_engine_decides_for_us_where_the_two_differ() -> None:
    for id, reason in REASONS.items():
        case = RECORDED[id]
        refused = case.rc != 0 or "is a parser error in 5.1" in (case.differs51 or "")
        try:
            parse_script(case.script)
        except PsParseError:
            assert refused, (id, reason)
        else:
            assert not refused, (id, reason)


def test_no_recorded_script_that_ran_is_beyond_the_parser() -> None:
    beyond = []
    for case in RECORDED.values():
        try:
            parse_script(case.script)
        except Unsupported as unsupported:
            beyond.append((case.id, str(unsupported)))
        except PsParseError:
            continue
    assert beyond == []
