"""The syntax tree: what a script is once it has been read. Offsets count characters of the script's text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Node:
    """Where something stands in the text: [pos, end)."""

    pos: int
    end: int


@dataclass(slots=True, eq=False)
class Const(Node):
    """A number, a text without variables, or a bare word."""

    value: Any


@dataclass(slots=True, eq=False)
class Expandable(Node):
    """A text with variables and sub-expressions in it; literal parts are str."""

    parts: list[str | Node]


@dataclass(slots=True, eq=False)
class Variable(Node):
    """`$name`; `scope` is '', 'global', 'script', 'local', 'private', 'using' or a drive such as 'env'."""

    name: str
    scope: str


@dataclass(slots=True, eq=False)
class ArrayLiteral(Node):
    """`a, b`."""

    items: list[Node]


@dataclass(slots=True, eq=False)
class ArraySub(Node):
    """`@( ... )`."""

    body: list[Node]


@dataclass(slots=True, eq=False)
class SubExpression(Node):
    """`$( ... )`."""

    body: list[Node]


@dataclass(slots=True, eq=False)
class Paren(Node):
    """`( ... )`: one pipeline or assignment."""

    inner: Node


@dataclass(slots=True, eq=False)
class HashLiteral(Node):
    """`@{ key = value }`: keys are expressions, values statements."""

    pairs: list[tuple[Node, Node]]


@dataclass(slots=True, eq=False)
class BlockExpression(Node):
    """`{ ... }`."""

    block: ScriptBlockAst


@dataclass(slots=True, eq=False)
class TypeLiteral(Node):
    """`[name]`, the text between the brackets without blanks."""

    name: str


@dataclass(slots=True, eq=False)
class Cast(Node):
    """`[name] operand`."""

    name: str
    operand: Node


@dataclass(slots=True, eq=False)
class Unary(Node):
    """A prefix operator: '-', '+', 'not', 'bnot', 'split', 'isplit', 'csplit', 'join'."""

    op: str
    operand: Node


@dataclass(slots=True, eq=False)
class Step(Node):
    """`++` and `--`, before or after."""

    target: Node
    delta: int
    prefix: bool


@dataclass(slots=True, eq=False)
class Binary(Node):
    """An infix operator; words without their dash, lower case."""

    op: str
    left: Node
    right: Node


@dataclass(slots=True, eq=False)
class Member(Node):
    """`target.name` or `target::name`."""

    target: Node
    name: str | Node
    static: bool


@dataclass(slots=True, eq=False)
class Invoke(Node):
    """`target.name(args)` or `target::name(args)`."""

    target: Node
    name: str | Node
    args: list[Node]
    static: bool


@dataclass(slots=True, eq=False)
class Index(Node):
    """`target[index]`."""

    target: Node
    index: Node


# -- commands and pipelines


@dataclass(slots=True, eq=False)
class Argument(Node):
    """A positional argument, or the value of the parameter in front of it."""

    value: Node


@dataclass(slots=True, eq=False)
class ParameterName(Node):
    """`-Name`, or `-Name:value` when `value` is set."""

    name: str
    value: Node | None


@dataclass(slots=True, eq=False)
class Splat(Node):
    """`@name`."""

    variable: Variable


@dataclass(slots=True, eq=False)
class Redirection(Node):
    """`from`>target: '*' or a number; `merge` for >&1; `append` for >>."""

    source: str
    merge: bool
    append: bool
    target: Node | None


@dataclass(slots=True, eq=False)
class Command(Node):
    """A command with its elements; `operator` is '', '&' or '.'."""

    operator: str
    name: Node
    elements: list[Node]
    redirections: list[Redirection]


@dataclass(slots=True, eq=False)
class CommandExpression(Node):
    """An expression as the first element of a pipeline."""

    expression: Node
    redirections: list[Redirection]


@dataclass(slots=True, eq=False)
class Pipeline(Node):
    """Commands joined by |."""

    elements: list[Node]


# -- statements


@dataclass(slots=True, eq=False)
class Assign(Node):
    """`target op value`; op is '=', '+=', ..."""

    target: Node
    op: str
    value: Node


@dataclass(slots=True, eq=False)
class If(Node):
    """if / elseif / else."""

    clauses: list[tuple[Node, list[Node]]]
    otherwise: list[Node] | None


@dataclass(slots=True, eq=False)
class While(Node):
    """while, do-while, do-until."""

    label: str
    condition: Node
    body: list[Node]
    after: bool
    until: bool


@dataclass(slots=True, eq=False)
class For(Node):
    """for (init; condition; step)."""

    label: str
    init: Node | None
    condition: Node | None
    step: Node | None
    body: list[Node]


@dataclass(slots=True, eq=False)
class ForEach(Node):
    """foreach ($variable in pipeline)."""

    label: str
    variable: Variable
    source: Node
    body: list[Node]


@dataclass(slots=True, eq=False)
class Switch(Node):
    """switch; a clause's pattern is None for default."""

    label: str
    mode: str
    case_sensitive: bool
    source: Node
    clauses: list[tuple[Node | None, list[Node]]]


@dataclass(slots=True, eq=False)
class Try(Node):
    """try / catch / finally; a catch without types has ()."""

    body: list[Node]
    catches: list[tuple[tuple[str, ...], list[Node]]]
    final: list[Node] | None


@dataclass(slots=True, eq=False)
class Jump(Node):
    """throw, return, exit (with `value`), break, continue (with `label`)."""

    kind: str
    value: Node | None
    label: str = ""


@dataclass(slots=True, eq=False)
class FunctionDefinition(Node):
    """function name { ... }."""

    name: str
    block: ScriptBlockAst
    is_filter: bool


@dataclass(slots=True, eq=False)
class Attribute(Node):
    """`[Name(positional, key = value)]` on a parameter or a param block."""

    name: str
    positional: list[Node]
    named: dict[str, Node | None]


@dataclass(slots=True, eq=False)
class ParameterAst(Node):
    """One parameter of a param block."""

    name: str
    type_name: str | None
    attributes: list[Attribute]
    default: Node | None


@dataclass(slots=True, eq=False)
class ScriptBlockAst(Node):
    """A script, a function body or a `{ }`."""

    text: str
    parameters: list[ParameterAst]
    attributes: list[Attribute]
    body: list[Node]
    begin: list[Node] | None = None
    process: list[Node] | None = None
    finish: list[Node] | None = None
    source: str = ""  # the whole text that `pos` counts in
    file: str = ""
    uses_input: bool = False
    cache: dict[str, Any] = field(default_factory=dict)

    @property
    def has_blocks(self) -> bool:
        """Whether begin, process or end blocks are written out."""
        return self.begin is not None or self.process is not None or self.finish is not None
