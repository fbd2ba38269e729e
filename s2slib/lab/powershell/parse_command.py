"""Pipelines and command lines of the grammar: words, arguments, parameters, redirections."""

from __future__ import annotations

import re

from s2slib.lab.powershell.errors import Unsupported
from s2slib.lab.powershell.parse_expression import ExpressionParser
from s2slib.lab.powershell.scan import BREAK, DASHES, DOUBLE, SINGLE, number_value
from s2slib.lab.powershell.syntax import (
    Argument,
    ArrayLiteral,
    BlockExpression,
    Command,
    Const,
    Expandable,
    Node,
    ParameterName,
    Pipeline,
    Redirection,
    Splat,
    Variable,
)
from s2slib.lab.powershell.values import NumberToken, RealToken

_REDIRECT = re.compile(r"([1-6*])?(>>|>)(&([12]))?")


class CommandParser(ExpressionParser):
    """Everything a command line is made of."""

    # -- pipelines

    def pipeline(self, start: int, first: Node | None) -> Node:
        """The rest of a pipeline; `first` is its expression, if it began with one."""
        elements: list[Node] = [first if first is not None else self.command()]
        while True:
            self.skip_blanks()
            if self.s[self.i] != "|" or self.s[self.i + 1] == "|":
                break
            pipe = self.i
            self.i += 1
            self.skip_lines()
            if self.end_of_text() or self.s[self.i] in "|;)}":
                raise self.fail("An empty pipe element is not allowed.", "EmptyPipeElement", pipe)
            if self.expression_starts():
                raise self.fail(
                    "Expressions are only allowed as the first element of a pipeline.",
                    "ExpressionsMustBeFirstInPipeline",
                )
            elements.append(self.command())
        return Pipeline(start, self.i, elements)

    def redirections(self) -> list[Redirection]:
        """Every redirection that stands here."""
        found: list[Redirection] = []
        while True:
            self.skip_blanks()
            match = _REDIRECT.match(self.s, self.i)
            if match is None:
                if self.s[self.i] == "<":
                    raise self.fail("The '<' operator is reserved for future use.", "RedirectionNotSupported")
                return found
            start = self.i
            self.i = match.end()
            source = match[1] or "1"
            if match[3]:
                if match[4] != "1" or match[2] == ">>":
                    raise Unsupported(f"the redirection {match[0]}")
                found.append(Redirection(start, self.i, source, True, False, None))
                continue
            if self.s[self.i] == "&":
                raise Unsupported("this redirection")
            self.skip_blanks()
            if self.end_of_text() or self.s[self.i] in "\r\n;|)}":
                raise self.fail("Missing file specification after redirection operator.", "MissingFileSpecification")
            target = self.command_argument()
            found.append(Redirection(start, self.i, source, False, match[2] == ">>", target))

    # -- command lines

    def command(self) -> Node:
        """A command with its arguments."""
        self.skip_blanks()
        start = self.i
        s = self.s
        operator = ""
        if s[start] == "&":
            if s[start + 1] == "&":
                raise self.fail("Unexpected token '&&' in expression or statement.", "UnexpectedToken")
            operator = "&"
        elif s[start] == "." and not (s[start + 1] in "\\/." and s[start + 1] != "."):
            if s[start + 1] in " \t$({" or s[start + 1] in SINGLE or s[start + 1] in DOUBLE:
                operator = "."
            elif s[start + 1] == ".":
                pass
            else:
                raise Unsupported("a command that starts with a dot")
        if operator:
            self.i += 1
            self.skip_blanks()
            if self.end_of_text() or s[self.i] in "\r\n;|)}":
                raise self.fail(f"Missing expression after '{operator}'.", "MissingExpression")
            name = self.command_argument()
        else:
            if self.end_of_text():
                raise self.fail("An expression was expected.", "ExpectedExpression")
            if s[start] in "|":
                raise self.fail("An empty pipe element is not allowed.", "EmptyPipeElement")
            if s[start] in "})];,<>=?" and s[start] != "?":
                raise self._unexpected()
            if s[start] in DASHES:
                raise Unsupported(f"a command that starts with a dash: {s[start : start + 10]!r}")
            name = self.word()
        command = Command(start, self.i, operator, name, [], [])
        self._elements(command)
        command.end = self.i
        return command

    def _elements(self, command: Command) -> None:
        s = self.s
        only_arguments = False
        while True:
            end = self.i
            self.skip_blanks()
            start = self.i
            c = s[start]
            if self.end_of_text() or c in "\r\n;|)}":
                self.i = end
                return
            if c == "&":
                token = "&&" if s[start + 1] == "&" else "&"
                raise self.fail(
                    f"The token '{token}' is not a valid statement separator in this version.", "InvalidEndOfLine"
                )
            if _REDIRECT.match(s, start) and (c in ">*" or s[start + 1] == ">"):
                command.redirections.extend(self.redirections())
                continue
            if c == "<":
                raise self.fail("The '<' operator is reserved for future use.", "RedirectionNotSupported")
            if c in DASHES and not only_arguments:
                nxt = s[start + 1]
                if nxt in DASHES and s[start + 2] == "%" and s[start + 3] in BREAK:
                    self._verbatim(command, start)
                    continue
                if nxt in DASHES and s[start + 2] in BREAK:
                    self.i = start + 2
                    only_arguments = True
                    continue
                if nxt.isalpha() or nxt == "_" or nxt == "?":
                    command.elements.append(self._parameter_name())
                    continue
            if c == "@" and (s[start + 1].isalpha() or s[start + 1] == "_"):
                self.i += 1
                found = re.compile(r"\w+").match(s, self.i)
                assert found is not None
                self.i = found.end()
                if s[self.i] not in BREAK:
                    raise Unsupported("this splatted expression")
                command.elements.append(Splat(start, self.i, Variable(start, self.i, found[0], "")))
                continue
            value = self._argument_list()
            command.elements.append(Argument(start, self.i, value))

    def _verbatim(self, command: Command, start: int) -> None:
        self.i = start + 3
        command.elements.append(Argument(start, self.i, Const(start, self.i, "--%")))
        while self.s[self.i] in " \t":
            self.i += 1
        begin = self.i
        while not self.end_of_text() and self.s[self.i] not in "\r\n|":
            if self.s[self.i] in DOUBLE or self.s[self.i] == "&":
                raise Unsupported("quotes or & after --%")
            self.i += 1
        text = self.s[begin : self.i].rstrip(" \t")
        if text:
            command.elements.append(Argument(begin, self.i, Const(begin, self.i, text)))

    def _parameter_name(self) -> Node:
        start = self.i
        j = start + 1
        while self.s[j] not in BREAK and self.s[j] not in ".[:":
            if self.s[j] in SINGLE or self.s[j] in DOUBLE or self.s[j] in "`$=+":
                raise Unsupported(f"the argument {self.s[start : j + 1]}...")
            j += 1
        name = self.s[start + 1 : j]
        self.i = j
        if self.s[j] != ":":
            if self.s[j] in ".[":
                raise Unsupported(f"the argument -{name}{self.s[j]}...")
            return ParameterName(start, self.i, name, None)
        self.i += 1
        self.skip_blanks()
        if self.end_of_text() or self.s[self.i] in "\r\n;|)}":
            raise self.fail(f"Missing argument in parameter list for '-{name}:'.", "ParameterRequiresArgument", start)
        value = self._argument_list()
        return ParameterName(start, self.i, name, value)

    def _argument_list(self) -> Node:
        """One argument, or several joined by commas."""
        start = self.i
        if self.s[start] == ",":
            self.i += 1
            self.skip_blanks()
            inner = self.command_argument()
            return ArrayLiteral(start, self.i, [inner])
        items = [self.command_argument()]
        while True:
            save = self.i
            self.skip_blanks()
            if self.s[self.i] != ",":
                self.i = save
                break
            self.i += 1
            self.skip_lines()
            if self.end_of_text() or self.s[self.i] in ";|)},":
                raise self.fail("Missing argument in parameter list.", "MissingArgument")
            items.append(self.command_argument())
        return items[0] if len(items) == 1 else ArrayLiteral(start, self.i, items)

    def command_argument(self, *, in_switch: bool = False) -> Node:
        """One argument of a command line."""
        s, start = self.s, self.i
        c = s[start]
        node: Node
        if c == "$" and s[start + 1] != "(":
            variable = self.variable()
            if variable is not None:
                nxt = s[self.i]
                if nxt in ".[" or s.startswith("::", self.i):
                    if nxt == "." and not (s[self.i + 1].isalnum() or s[self.i + 1] in "_($'\""):
                        raise Unsupported("a variable followed by a dot in an argument")
                    return self._delimited(self._postfix(variable))
                if nxt in BREAK or self.end_of_text():
                    return variable
                self.i = start
            return self._word_argument(start)
        if c == "$":
            node = self._postfix(self.sub_expression())
            if s[self.i] not in BREAK:
                raise Unsupported("text directly after $( ) in an argument")
            return node
        if c in SINGLE:
            return self._postfix(self.single_quoted())
        if c in DOUBLE:
            return self._postfix(self.double_quoted())
        if c == "(":
            return self._postfix(self._paren())
        if c == "{":
            block = self.block_expression()
            return BlockExpression(start, self.i, block)
        if c == "@" and (s[start + 1] in "({" or s[start + 1] in SINGLE or s[start + 1] in DOUBLE):
            return self._postfix(self._at())
        if c == "@":
            raise Unsupported("this use of @ in an argument")
        if self.end_of_text() or c in "\r\n;|)}":
            raise self.fail("Missing argument.", "MissingArgument")
        return self._word_argument(start)

    def _delimited(self, node: Node) -> Node:
        if self.s[self.i] not in BREAK:
            raise Unsupported("text directly after a member in an argument")
        return node

    def _word_argument(self, start: int) -> Node:
        node = self.word()
        if isinstance(node, Expandable):
            return node
        assert isinstance(node, Const)
        written = self.s[start : self.i]
        if written and written == node.value:
            number = number_value(written) if (written[0].isdigit() or written[0] in "+." + DASHES) else None
            if number is not None:
                if isinstance(number, int) and not isinstance(number, bool):
                    if str(int(number)) != written:
                        return Const(start, self.i, NumberToken(int(number), written))
                elif isinstance(number, float):
                    return Const(start, self.i, RealToken(number, written))
                elif not isinstance(number, int):
                    raise Unsupported(f"the number {written} as an argument, which keeps its text")
                return Const(start, self.i, number)
        return node
