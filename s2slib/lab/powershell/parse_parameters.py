"""Parameter lists and attributes of the grammar."""

from __future__ import annotations

from s2slib.lab.powershell.errors import Unsupported
from s2slib.lab.powershell.parse_command import CommandParser
from s2slib.lab.powershell.syntax import (
    Attribute,
    Node,
    ParameterAst,
)


class ParameterParser(CommandParser):
    """What stands between the parentheses of param and function."""

    def parameter_list(self) -> list[ParameterAst]:
        """`(` parameters `)`."""
        start = self.i
        self.i += 1
        found: list[ParameterAst] = []
        self.skip_lines()
        while self.s[self.i] != ")":
            found.append(self._parameter())
            self.skip_lines()
            if self.s[self.i] == ",":
                self.i += 1
                self.skip_lines()
                if self.s[self.i] == ")":
                    raise self.fail("Missing expression after ','.", "MissingExpressionAfterToken")
            elif self.s[self.i] != ")":
                raise self.fail(
                    "Missing ')' in function parameter list.", "MissingEndParenthesisInFunctionParameterList", start
                )
        self.i += 1
        return found

    def _parameter(self) -> ParameterAst:
        start = self.i
        attributes: list[Attribute] = []
        type_name: str | None = None
        while self.s[self.i] == "[":
            found = self.attribute()
            if isinstance(found, Attribute):
                attributes.append(found)
            elif type_name is not None:
                raise Unsupported("a parameter with two types")
            else:
                type_name = found
            self.skip_lines()
        variable = self.variable() if self.s[self.i] == "$" else None
        if variable is None or variable.scope:
            raise self.fail("Missing variable name in a parameter list.", "MissingVariableNameInParameterList")
        self.skip_lines()
        default: Node | None = None
        if self.s[self.i] == "=":
            self.i += 1
            self.skip_lines()
            default = self.attribute_value()
        return ParameterAst(start, self.i, variable.name, type_name, attributes, default)

    def attribute(self) -> Attribute | str:
        """`[Name(...)]` as an attribute, or `[type]` as its name."""
        start = self.i
        self.i += 1
        name = self.type_name_text()
        if self.s[self.i] == "]":
            self.i += 1
            return name
        if self.s[self.i] != "(":
            raise Unsupported(f"the attribute [{name}{self.s[self.i]}")
        self.i += 1
        positional: list[Node] = []
        named: dict[str, Node | None] = {}
        self.skip_lines()
        while self.s[self.i] != ")":
            word = self.peek_word()
            after = self.i + len(word)
            while self.s[after] in " \t":
                after += 1
            if word[:1].isalpha() and self.s[after] in "=,)":
                key = self.s[self.i : self.i + len(word)]
                self.i = after
                named[key.lower()] = None
                if self.s[self.i] == "=":
                    self.i += 1
                    self.skip_lines()
                    named[key.lower()] = self.attribute_value()
            else:
                positional.append(self.attribute_value())
            self.skip_lines()
            if self.s[self.i] == ",":
                self.i += 1
                self.skip_lines()
            elif self.s[self.i] != ")":
                raise self.fail("Missing ')' in method call.", "MissingEndParenthesisInMethodCall", start)
        self.i += 1
        self.skip_lines()
        if self.s[self.i] != "]":
            raise self.fail(
                "Missing ] at end of attribute or type literal.", "EndSquareBracketExpectedAtEndOfAttribute"
            )
        self.i += 1
        return Attribute(start, self.i, name, positional, named)
