"""The grammar: from a script's text to its syntax tree, with the parser errors of Windows PowerShell 5.1.

What is certainly not 5.1 raises PsParseError; what this reader is not sure about raises Unsupported.
"""

from __future__ import annotations

import functools

from s2slib.lab.powershell.errors import PsParseError, Unsupported
from s2slib.lab.powershell.parse_parameters import ParameterParser
from s2slib.lab.powershell.scan import DASHES, DOUBLE, SINGLE
from s2slib.lab.powershell.syntax import (
    Assign,
    Attribute,
    CommandExpression,
    Const,
    For,
    ForEach,
    FunctionDefinition,
    If,
    Jump,
    Node,
    ParameterAst,
    ScriptBlockAst,
    Switch,
    Try,
    While,
)
from s2slib.lab.powershell.values import words

LOOPS = ("foreach", "for", "while", "do", "switch")
REFUSED = frozenset(
    words("trap data class enum using workflow parallel sequence inlinescript dynamicparam configuration")
)


class Parser(ParameterParser):
    """Statements and script blocks."""

    # -- script blocks

    def script(self) -> ScriptBlockAst:
        """The whole text."""
        block = self.block_body(0)
        if not self.end_of_text():
            raise self.fail(f"Unexpected token '{self.s[self.i]}' in expression or statement.", "UnexpectedToken")
        return block

    def block_body(self, start: int) -> ScriptBlockAst:
        """What stands between the braces of a script block, or in a file."""
        outer, self.input_used = self.input_used, False
        attributes, parameters = self._param_block()
        named: dict[str, list[Node]] = {}
        body: list[Node] = []
        self.skip_separators()
        while self.peek_word() in ("begin", "process", "end") and self._opens_block():
            word = self.peek_word()
            self.i += len(word)
            self.skip_lines()
            if word in named:
                raise self.fail(
                    f"Script command clause '{word}' has already been defined.", "DuplicateScriptCommandClause"
                )
            named[word] = self.braced()
            self.skip_separators()
        if not named:
            body = self.statements()
        elif not self.end_of_text() and self.s[self.i] not in "})":
            raise Unsupported("statements beside begin, process or end blocks")
        block = ScriptBlockAst(
            start,
            self.i,
            self.s[start : self.i],
            parameters,
            attributes,
            body,
            named.get("begin"),
            named.get("process"),
            named.get("end"),
            self.text,
            self.file,
            self.input_used,
        )
        self.input_used = outer
        return block

    def _opens_block(self) -> bool:
        save = self.i
        self.i += len(self.peek_word())
        self.skip_lines()
        found = self.s[self.i] == "{"
        self.i = save
        return found

    def block_expression(self) -> ScriptBlockAst:
        """`{ ... }`; the cursor is on the brace."""
        start = self.i
        self.i += 1
        block = self.block_body(self.i)
        if self.s[self.i] != "}":
            raise self.fail("Missing closing '}' in statement block or type definition.", "MissingEndCurlyBrace", start)
        self.i += 1
        return block

    def braced(self) -> list[Node]:
        """A statement block."""
        start = self.i
        if self.s[start] != "{":
            raise self.fail("Missing statement block.", "MissingStatementBlock")
        self.i += 1
        body = self.statements()
        if self.s[self.i] != "}":
            raise self.fail("Missing closing '}' in statement block or type definition.", "MissingEndCurlyBrace", start)
        self.i += 1
        return body

    # -- parameters

    def _param_block(self) -> tuple[list[Attribute], list[ParameterAst]]:
        self.skip_separators()
        save = self.i
        attributes: list[Attribute] = []
        while self.s[self.i] == "[":
            found = self.attribute()
            if not isinstance(found, Attribute):
                self.i = save
                return [], []
            attributes.append(found)
            self.skip_lines()
        if self.peek_word() != "param":
            self.i = save
            return [], []
        self.i += 5
        self.skip_lines()
        if self.s[self.i] != "(":
            raise Unsupported("param without a parenthesis")
        return attributes, self.parameter_list()

    # -- statements

    def statements(self) -> list[Node]:
        """Statements up to a closing brace, parenthesis or the end."""
        found: list[Node] = []
        while True:
            self.skip_separators()
            if self.end_of_text() or self.s[self.i] in "})":
                return found
            found.append(self.statement())
            self._statement_end()

    def _statement_end(self) -> None:
        self.skip_blanks()
        c = self.s[self.i]
        if c in ";\r\n})" or self.end_of_text():
            return
        if c == "&" or (c == "|" and self.s[self.i + 1] == "|"):
            token = self.s[self.i : self.i + 2] if self.s[self.i + 1] == c else "&"
            raise self.fail(
                f"The token '{token}' is not a valid statement separator in this version.", "InvalidEndOfLine"
            )
        if self._after_block():
            return
        rest = self.s[self.i : self.n].split("\n", 1)[0].split(" ", 1)[0]
        raise PsParseError(
            f"Unexpected token '{rest}' in expression or statement.", "UnexpectedToken", self.i, self.i + len(rest)
        )

    def _after_block(self) -> bool:
        """A statement that ended with a block needs no separator before the next one."""
        j = self.i - 1
        while j >= 0 and self.s[j] in " \t":
            j -= 1
        return self._ended_with_block and self.s[j] == "}"

    def statement(self) -> Node:
        """One statement."""
        self.skip_blanks()
        self._ended_with_block = False
        label = ""
        if self.s[self.i] == ":" and self.s[self.i + 1].isalpha():
            self.i += 1
            label = self.peek_word()
            self.i += len(label)
            self.skip_lines()
            if self.peek_word() not in LOOPS:
                raise Unsupported(f"the label :{label} on something that is no loop")
        word = self.peek_word()
        if word and self.s[self.i].isalpha():
            after = self.s[self.i + len(word)]
            handler = getattr(self, f"_do_{word}", None)
            if handler is not None and after not in "-.\\/:=":
                start = self.i
                self.i += len(word)
                node: Node = handler(start, label) if word in LOOPS else handler(start)
                return node
            if word in REFUSED and after not in "-.\\/:=":
                raise Unsupported(f"the keyword {word}")
        return self.pipeline_or_assignment()

    def _condition(self) -> Node:
        self.skip_lines()
        if self.s[self.i] != "(":
            raise self.fail("Missing '(' after the keyword.", "MissingOpenParenthesisAfterKeyword")
        start = self.i
        self.i += 1
        self.skip_lines()
        if self.s[self.i] == ")":
            raise self.fail("Missing condition in if statement after 'if ('.", "IfStatementMissingCondition")
        node = self.pipeline_or_assignment()
        self.skip_lines()
        if self.s[self.i] != ")":
            raise self.fail("Missing ')' after expression.", "MissingEndParenthesisAfterStatement", start)
        self.i += 1
        return node

    def _block(self) -> list[Node]:
        self.skip_lines()
        return self.braced()

    def _done(self) -> None:
        self._ended_with_block = True

    def _do_if(self, start: int) -> Node:
        clauses = [(self._condition(), self._block())]
        otherwise: list[Node] | None = None
        while True:
            save = self.i
            self.skip_lines()
            word = self.peek_word()
            if word == "elseif":
                self.i += 6
                clauses.append((self._condition(), self._block()))
            elif word == "else":
                self.i += 4
                otherwise = self._block()
                break
            else:
                self.i = save
                break
        self._done()
        return If(start, self.i, clauses, otherwise)

    def _do_while(self, start: int, label: str) -> Node:
        node = While(start, start, label, self._condition(), self._block(), False, False)
        node.end = self.i
        self._done()
        return node

    def _do_do(self, start: int, label: str) -> Node:
        body = self._block()
        self.skip_lines()
        word = self.peek_word()
        if word not in ("while", "until"):
            raise self.fail("Missing while or until keyword in do loop.", "MissingWhileOrUntilInDoWhile")
        self.i += 5
        node = While(start, start, label, self._condition(), body, True, word == "until")
        node.end = self.i
        return node

    def _do_for(self, start: int, label: str) -> Node:
        self.skip_lines()
        if self.s[self.i] != "(":
            raise self.fail("Missing opening '(' after keyword 'for'.", "MissingOpenParenthesisAfterKeyword")
        self.i += 1
        parts: list[Node | None] = []
        for closing in (";", ";", ")"):
            self.skip_lines()
            parts.append(None if self.s[self.i] in ";)" else self.pipeline_or_assignment())
            self.skip_lines()
            if self.s[self.i] == closing and closing == ";":
                self.i += 1
            elif self.s[self.i] != closing:
                raise Unsupported("a for loop without its two semicolons")
        self.i += 1
        node = For(start, start, label, parts[0], parts[1], parts[2], self._block())
        node.end = self.i
        self._done()
        return node

    def _do_foreach(self, start: int, label: str) -> Node:
        self.skip_lines()
        if self.s[self.i] != "(":
            raise Unsupported("foreach with a flag, or as a command")
        self.i += 1
        self.skip_lines()
        variable = self.variable() if self.s[self.i] == "$" else None
        if variable is None:
            raise self.fail("Missing variable name after foreach.", "MissingVariableNameAfterForeach")
        self.skip_lines()
        if self.peek_word() != "in":
            raise self.fail("Missing 'in' after variable in foreach loop.", "MissingInInForeach")
        self.i += 2
        self.skip_lines()
        if self.s[self.i] == ")":
            raise self.fail(
                "Missing expression in foreach loop. The correct form is: foreach ($a in $b) {...}",
                "MissingForeachExpression",
            )
        source = self.pipeline_or_assignment()
        self.skip_lines()
        if self.s[self.i] != ")":
            raise self.fail(
                "Missing closing ')' after expression in foreach loop.", "MissingEndParenthesisAfterForeach"
            )
        self.i += 1
        node = ForEach(start, start, label, variable, source, self._block())
        node.end = self.i
        self._done()
        return node

    def _do_switch(self, start: int, label: str) -> Node:
        mode, sensitive = "exact", False
        self.skip_lines()
        while self.s[self.i] in DASHES:
            self.i += 1
            word = self.peek_word()
            self.i += len(word)
            if word in ("regex", "wildcard", "exact"):
                mode = word
            elif word == "casesensitive":
                sensitive = True
            else:
                raise Unsupported(f"switch -{word}")
            self.skip_lines()
        source = self._condition()
        self.skip_lines()
        if self.s[self.i] != "{":
            raise self.fail("Missing opening '{' in switch statement.", "MissingCurlyBraceInSwitchStatement")
        self.i += 1
        clauses: list[tuple[Node | None, list[Node]]] = []
        while True:
            self.skip_separators()
            if self.s[self.i] == "}":
                break
            if self.end_of_text():
                raise self.fail("Missing '}' in switch statement.", "MissingCurlyBraceInSwitchStatement")
            pattern: Node | None = self.command_argument(in_switch=True)
            if isinstance(pattern, Const) and pattern.value == "default" and self.s[pattern.pos] not in SINGLE + DOUBLE:
                pattern = None
            clauses.append((pattern, self._block()))
        self.i += 1
        self._done()
        return Switch(start, self.i, label, mode, sensitive, source, clauses)

    def _do_try(self, start: int) -> Node:
        body = self._block()
        catches: list[tuple[tuple[str, ...], list[Node]]] = []
        final: list[Node] | None = None
        while True:
            save = self.i
            self.skip_lines()
            word = self.peek_word()
            if word == "catch" and final is None:
                self.i += 5
                types: list[str] = []
                self.skip_lines()
                while self.s[self.i] == "[":
                    self.i += 1
                    types.append(self.type_name_text())
                    if self.s[self.i] != "]":
                        raise Unsupported("this catch")
                    self.i += 1
                    self.skip_lines()
                    if self.s[self.i] == ",":
                        self.i += 1
                        self.skip_lines()
                catches.append((tuple(types), self._block()))
            elif word == "finally" and final is None:
                self.i += 7
                final = self._block()
            else:
                self.i = save
                break
        if not catches and final is None:
            raise self.fail("The Try statement is missing its Catch or Finally block.", "MissingCatchOrFinally")
        self._done()
        return Try(start, self.i, body, catches, final)

    def _operand(self) -> Node | None:
        self.skip_blanks()
        if self.end_of_text() or self.s[self.i] in ";\r\n})|":
            return None
        return self.pipeline_or_assignment()

    def _do_throw(self, start: int) -> Node:
        value = self._operand()
        return Jump(start, self.i, "throw", value)

    def _do_return(self, start: int) -> Node:
        value = self._operand()
        return Jump(start, self.i, "return", value)

    def _do_exit(self, start: int) -> Node:
        value = self._operand()
        return Jump(start, self.i, "exit", value)

    def _loop_jump(self, start: int, kind: str) -> Node:
        self.skip_blanks()
        label = ""
        if self.s[self.i].isalpha():
            label = self.peek_word()
            self.i += len(label)
        elif not self.end_of_text() and self.s[self.i] not in ";\r\n})":
            raise Unsupported(f"{kind} with an expression as its label")
        return Jump(start, self.i, kind, None, label)

    def _do_break(self, start: int) -> Node:
        return self._loop_jump(start, "break")

    def _do_continue(self, start: int) -> Node:
        return self._loop_jump(start, "continue")

    def _do_filter(self, start: int) -> Node:
        node = self._do_function(start)
        assert isinstance(node, FunctionDefinition)
        block = node.block
        if block.has_blocks:
            raise Unsupported("a filter with named blocks")
        block.process, block.body = block.body, []
        return node

    def _do_function(self, start: int) -> Node:
        self.skip_lines()
        name = self.word()
        if not isinstance(name, Const) or not name.value:
            raise self.fail("Missing name after function keyword.", "MissingNameAfterKeyword")
        self.skip_lines()
        parameters: list[ParameterAst] | None = None
        if self.s[self.i] == "(":
            parameters = self.parameter_list()
            self.skip_lines()
        if self.s[self.i] != "{":
            raise self.fail("Missing function body in function declaration.", "MissingFunctionBody")
        block = self.block_expression()
        if parameters is not None:
            if block.parameters or block.attributes:
                raise Unsupported("a function with two parameter lists")
            block.parameters = parameters
        self._done()
        return FunctionDefinition(start, self.i, name.value, block, False)

    # -- pipelines and assignments

    def pipeline_or_assignment(self) -> Node:
        """A pipeline, or an assignment whose right side is any statement."""
        self.skip_blanks()
        start = self.i
        if not self.expression_starts():
            node = self.pipeline(start, None)
            self._ended_with_block = False
            return node
        left = self.expression()
        self.skip_blanks()
        op = next((o for o in ("+=", "-=", "*=", "/=", "%=", "=") if self.s.startswith(o, self.i)), None)
        if op is None and self.s[self.i] in DASHES and self.s[self.i + 1] == "=":
            op = "-="
        if op is not None:
            left = self.without_parentheses(left)
            if not self.assignable(left):
                raise self.fail(
                    "The assignment expression is not valid. The input to an assignment operator must be an object that is "
                    "able to accept assignments, such as a variable or a property.",
                    "InvalidLeftHandSide",
                    start,
                )
            self.i += len(op)
            self.skip_lines()
            if self.end_of_text() or self.s[self.i] in ";)}|":
                raise self.fail(
                    "You must provide a value expression following the '=' operator.", "ExpectedValueExpression"
                )
            value = self.statement()
            self._ended_with_block = False
            return Assign(start, self.i, left, op, value)
        element = CommandExpression(start, self.i, left, self.redirections())
        element.end = self.i
        node = self.pipeline(start, element)
        self._ended_with_block = False
        return node


@functools.lru_cache(maxsize=256)
def parse_script(text: str, file: str = "") -> ScriptBlockAst:
    """The syntax tree of a script; the same text is read once. Raises PsParseError or Unsupported."""
    try:
        return Parser(text, file).script()
    except RecursionError:
        raise Unsupported("a script nested this deeply") from None
