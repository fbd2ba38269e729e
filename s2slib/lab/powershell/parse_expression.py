"""Expressions, command lines and pipelines of the grammar."""

from __future__ import annotations

import re

from s2slib.lab.powershell.errors import PsParseError, Unsupported
from s2slib.lab.powershell.scan import BREAK, DASHES, DOUBLE, SINGLE, Scanner, number_value
from s2slib.lab.powershell.syntax import (
    ArrayLiteral,
    ArraySub,
    Binary,
    BlockExpression,
    Cast,
    CommandExpression,
    Const,
    HashLiteral,
    Index,
    Invoke,
    Member,
    Node,
    Paren,
    Pipeline,
    ScriptBlockAst,
    Step,
    SubExpression,
    TypeLiteral,
    Unary,
    Variable,
)
from s2slib.lab.powershell.values import words

_COMPARE = words("eq ne gt ge lt le like notlike match notmatch contains notcontains in notin replace split join")
WORD_OPERATORS: dict[str, int] = {
    **dict.fromkeys(("and", "or", "xor"), 1),
    **dict.fromkeys(("band", "bor", "bxor"), 2),
    **dict.fromkeys(("is", "isnot", "as", "shl", "shr", "join"), 3),
    **{p + name: 3 for name in _COMPARE if name != "join" for p in ("", "i", "c")},
    "f": 6,
}
PREFIX_WORDS = ("not", "bnot", "split", "isplit", "csplit", "join")
MISSING = "You must provide a value expression following the '{}' operator."
_TYPE_CHARS = re.compile(r"[\w.+`]+")
_REDIRECT = re.compile(r"([1-6*])?(>>|>)(&([12]))?")


class ExpressionParser(Scanner):
    """Everything below statements. `braced`, `statements` and `block_expression` come from the statement grammar."""

    _ended_with_block = False

    def statement(self) -> Node:
        """One statement."""
        raise NotImplementedError

    def statements(self) -> list[Node]:
        """Statements up to a closing bracket."""
        raise NotImplementedError

    def block_expression(self) -> ScriptBlockAst:
        """A script block."""
        raise NotImplementedError

    def pipeline_or_assignment(self) -> Node:
        """A pipeline or an assignment."""
        raise NotImplementedError

    # -- what stands here?

    def expression_starts(self) -> bool:
        """Whether the statement here begins with an expression, not with a command's name."""
        s, i = self.s, self.i
        c = s[i]
        if c in "$([{!,+" or c in SINGLE or c in DOUBLE:
            return not (c == "$" and self._dollar_is_word())
        if c == "@":
            return True
        if c in DASHES:
            if s[i + 1].isdigit() or s[i + 1] in ".($" or s[i + 1] in DASHES:
                return True
            return self._prefix_word() is not None
        if c.isdigit() or (c == "." and s[i + 1].isdigit()):
            save = self.i
            found = self.number() is not None
            self.i = save
            return found
        return False

    def _dollar_is_word(self) -> bool:
        nxt = self.s[self.i + 1]
        if not (nxt.isalnum() or nxt in "_?({^$:"):
            raise Unsupported(f"a command that starts with ${nxt}")
        return False

    def _prefix_word(self) -> str | None:
        found = re.compile(r"[A-Za-z]+").match(self.s, self.i + 1)
        if found and found[0].lower() in PREFIX_WORDS and not self.s[found.end()].isalnum():
            return found[0].lower()
        return None

    @staticmethod
    def assignable(node: Node) -> bool:
        """Whether a value can be assigned to it."""
        if isinstance(node, Cast):
            return ExpressionParser.assignable(node.operand)
        if isinstance(node, ArrayLiteral):
            if any(isinstance(i, Paren) for i in node.items):
                raise Unsupported("parentheses inside a list that is assigned to")
            return all(ExpressionParser.assignable(i) for i in node.items)
        return isinstance(node, (Variable, Member, Index))

    @staticmethod
    def without_parentheses(node: Node) -> Node:
        """`($a)` as the left side of an assignment is `$a`."""
        while isinstance(node, Paren) and isinstance(node.inner, Pipeline) and len(node.inner.elements) == 1:
            only = node.inner.elements[0]
            if not isinstance(only, CommandExpression) or only.redirections:
                break
            node = only.expression
        return node

    # -- operators, loosest first: logical 1, bitwise 2, comparison 3, additive 4, multiplicative 5, format 6, range 7

    def expression(self) -> Node:
        """An expression with every operator."""
        return self._binary(1)

    def attribute_value(self) -> Node:
        """An argument of an attribute: no comma operator."""
        return self._binary(1, commas=False)

    def _binary(self, level: int, *, commas: bool = True) -> Node:
        left = self._comma_list() if commas else self._unary()
        while True:
            self.skip_blanks()
            found = self._operator()
            if found is None or found[1] < level:
                return left
            op, own, width = found
            pos = self.i
            self.i += width
            self.skip_lines()
            if self.end_of_text() or self.s[self.i] in ")};|":
                raise self.fail(MISSING.format(self.s[pos : pos + width]), "ExpectedValueExpression", pos)
            right = self._binary(own + 1, commas=commas)
            left = Binary(left.pos, right.end, op, left, right)

    def _operator(self) -> tuple[str, int, int] | None:
        """The infix operator here: name, precedence, width."""
        s, i = self.s, self.i
        c = s[i]
        if c == "." and s[i + 1] == ".":
            return "..", 7, 2
        if c in "*/%" and s[i + 1] != "=":
            return c, 5, 1
        if c == "+" and s[i + 1] not in "+=":
            return "+", 4, 1
        if c == "?":
            raise self.fail("Unexpected token '?' in expression or statement.", "UnexpectedToken")
        if c not in DASHES or s[i + 1] == "=":
            return None
        if s[i + 1] in DASHES:
            raise Unsupported("two dashes between values")
        if s[i + 1].isalpha():
            found = re.compile(r"[A-Za-z]+").match(s, i + 1)
            assert found is not None
            word = found[0].lower()
            if word not in WORD_OPERATORS or s[found.end()].isalnum() or s[found.end()] == "_":
                raise PsParseError(
                    f"Unexpected token '-{found[0]}' in expression or statement.", "UnexpectedToken", i, found.end()
                )
            return word, WORD_OPERATORS[word], 1 + len(word)
        return "-", 4, 1

    def _comma_list(self) -> Node:
        first = self._unary()
        items = [first]
        while True:
            save = self.i
            self.skip_blanks()
            if self.s[self.i] != ",":
                self.i = save
                break
            comma = self.i
            self.i += 1
            self.skip_lines()
            if self.end_of_text() or self.s[self.i] in ")};|":
                raise self.fail("Missing expression after ','.", "MissingExpressionAfterToken", comma)
            items.append(self._unary())
        return first if len(items) == 1 else ArrayLiteral(first.pos, items[-1].end, items)

    def _unary(self) -> Node:
        self.skip_blanks()
        s, start = self.s, self.i
        c = s[start]
        if c == ",":
            self.i += 1
            self.skip_lines()
            inner = self._unary()
            return ArrayLiteral(start, inner.end, [inner])
        if c == "!":
            self.i += 1
            inner = self._unary()
            return Unary(start, inner.end, "not", inner)
        if c == "+" or c in DASHES:
            return self._signed(start)
        if c == "[":
            return self._bracket(start)
        return self._steps(self._postfix(self._primary()))

    def _steps(self, node: Node) -> Node:
        save = self.i
        self.skip_blanks()
        for sign, delta in (("++", 1), ("--", -1)):
            if self.s.startswith(sign, self.i) and self.assignable(node):
                self.i += 2
                return Step(node.pos, self.i, node, delta, False)
        self.i = save
        return node

    def _signed(self, start: int) -> Node:
        s = self.s
        word = self._prefix_word() if s[start] in DASHES else None
        if word is not None:
            self.i += 1 + len(word)
            self.skip_lines()
            if self.end_of_text():
                raise self.fail(MISSING.format("-" + word), "MissingExpressionAfterOperator")
            inner = self._unary()
            return Unary(start, inner.end, word, inner)
        double = s[start] == s[start + 1] == "+" or (s[start] in DASHES and s[start + 1] in DASHES)
        if double:
            self.i += 2
            self.skip_blanks()
            inner = self._postfix(self._primary())
            if not self.assignable(inner):
                raise Unsupported("++ or -- on something that is no variable")
            return Step(start, inner.end, inner, 1 if s[start] == "+" else -1, True)
        if s[start] in DASHES and s[start + 1].isalpha():
            raise Unsupported(f"an expression that starts with {s[start : start + 8]!r}")
        self.i += 1
        if self.s[self.i].isdigit() or self.s[self.i] == ".":
            literal = self.number()
            if literal is not None:
                text = ("-" if s[start] != "+" else "") + s[literal.pos : literal.end]
                value = number_value(text)
                literal.pos, literal.value = start, value
                return self._postfix(literal)
        inner = self._unary()
        return Unary(start, inner.end, "+" if s[start] == "+" else "-", inner)

    def _bracket(self, start: int) -> Node:
        """`[type]`, `[type]operand` or `[type]::member`."""
        self.i += 1
        name = self.type_name_text()
        if self.s[self.i] == "(":
            raise Unsupported(f"the attribute [{name}(...)] outside a param block")
        if self.s[self.i] != "]":
            raise self.fail("Missing ] at end of type token.", "EndSquareBracketExpectedAtEndOfType")
        self.i += 1
        literal = TypeLiteral(start, self.i, name)
        if self.s.startswith("::", self.i) or (self.s[self.i] == "." and self.s[self.i + 1] not in ". "):
            return self._steps(self._postfix(literal))
        save = self.i
        self.skip_blanks()
        if self._operand_starts():
            operand = self._unary()
            return Cast(start, operand.end, name, operand)
        self.i = save
        return literal

    def _operand_starts(self) -> bool:
        s, i = self.s, self.i
        c = s[i]
        if self.i >= self.n or c in "\r\n":
            return False
        if c in "$(@[{!" or c in SINGLE or c in DOUBLE or c.isdigit():
            return True
        if c == "+" or c in DASHES:
            if self._prefix_word() is not None and c in DASHES:
                return self._prefix_word() not in ("split", "isplit", "csplit", "join") or self._refuse_cast_word()
            return s[i + 1].isdigit() or s[i + 1] in "($."
        return c == "." and s[i + 1].isdigit()

    def _refuse_cast_word(self) -> bool:
        raise Unsupported("an operator directly after a type, which can be read in two ways")

    def type_name_text(self) -> str:
        """A type's name up to its closing bracket or an attribute's parenthesis."""
        self.skip_lines()
        found = _TYPE_CHARS.match(self.s, self.i)
        if found is None:
            raise Unsupported(f"a type name at {self.s[self.i : self.i + 12]!r}")
        name = found[0]
        self.i = found.end()
        self.skip_lines()
        while self.s[self.i] == "[":
            self.i += 1
            self.skip_lines()
            if self.s[self.i] == "]":
                self.i += 1
                name += "[]"
            elif self.s[self.i] == ",":
                raise Unsupported("arrays of more than one dimension")
            else:
                inner = [self.type_name_text()]
                while self.s[self.i] == ",":
                    self.i += 1
                    inner.append(self.type_name_text())
                if self.s[self.i] != "]":
                    raise self.fail("Missing ] at end of type token.", "EndSquareBracketExpectedAtEndOfType")
                self.i += 1
                name += "[" + ",".join(inner) + "]"
            self.skip_lines()
        return name

    # -- operands

    def _primary(self) -> Node:
        s, start = self.s, self.i
        c = s[start]
        if c == "$":
            if s[start + 1] == "(":
                return self.sub_expression()
            variable = self.variable()
            if variable is None:
                raise self.fail("Unexpected token '$' in expression or statement.", "UnexpectedToken")
            return variable
        if c in SINGLE:
            return self.single_quoted()
        if c in DOUBLE:
            return self.double_quoted()
        if c == "(":
            return self._paren()
        if c == "@":
            return self._at()
        if c == "{":
            block = self.block_expression()
            return BlockExpression(start, self.i, block)
        if c == "[":
            return self._bracket(start)
        number = self.number()
        if number is not None:
            return number
        raise self._unexpected()

    def _unexpected(self) -> PsParseError:
        rest = self.s[self.i : self.n].split("\n", 1)[0].split(" ", 1)[0]
        if not rest:
            return self.fail(MISSING.format(""), "ExpectedValueExpression")
        return self.fail(f"Unexpected token '{rest}' in expression or statement.", "UnexpectedToken")

    def _paren(self) -> Node:
        start = self.i
        self.i += 1
        self.skip_lines()
        if self.s[self.i] == ")":
            raise self.fail("An expression was expected after '('.", "ExpectedExpression", start)
        inner = self.pipeline_or_assignment()
        self.skip_lines()
        if self.s[self.i] != ")":
            raise self.fail("Missing closing ')' in expression.", "MissingEndParenthesisInExpression", start)
        self.i += 1
        return Paren(start, self.i, inner)

    def sub_expression(self) -> Node:
        """`$( ... )`."""
        start = self.i
        body = self._parenthesised(start, "MissingEndParenthesisInSubexpression")
        return SubExpression(start, self.i, body)

    def _parenthesised(self, start: int, id: str) -> list[Node]:
        self.i += 2
        body = self.statements()
        if self.s[self.i] != ")":
            raise self.fail("Missing closing ')' in subexpression.", id, start)
        self.i += 1
        return body

    def _at(self) -> Node:
        start = self.i
        c = self.s[start + 1]
        if c == "(":
            body = self._parenthesised(start, "MissingEndParenthesisInExpression")
            return ArraySub(start, self.i, body)
        if c == "{":
            return self._hash()
        if c in SINGLE or c in DOUBLE:
            return self.here_string()
        raise self.fail(
            "The splatting operator '@' cannot be used to reference variables in an expression.",
            "SplattingNotPermitted",
        )

    def _hash(self) -> Node:
        start = self.i
        self.i += 2
        pairs: list[tuple[Node, Node]] = []
        while True:
            self.skip_separators()
            if self.s[self.i] == "}":
                self.i += 1
                return HashLiteral(start, self.i, pairs)
            if self.end_of_text():
                raise self.fail("The hash literal was incomplete.", "IncompleteHashLiteral", start)
            key = self._hash_key()
            self.skip_blanks()
            if self.s[self.i] != "=":
                raise self.fail("Missing '=' operator after key in hash literal.", "MissingEqualsInHashLiteral")
            self.i += 1
            self.skip_lines()
            if self.end_of_text() or self.s[self.i] in ";})":
                raise self.fail("Missing statement after '=' in hash literal.", "MissingStatementInHashLiteral")
            pairs.append((key, self.statement()))
            self.skip_blanks()
            if self.s[self.i] not in ";\r\n}" and not self.end_of_text():
                raise self._unexpected()

    def _hash_key(self) -> Node:
        c = self.s[self.i]
        if c.isalpha() or c == "_":
            start = self.i
            found = re.compile(r"[\w.\-]+").match(self.s, start)
            assert found is not None
            self.i = found.end()
            return Const(start, self.i, found[0])
        return self._unary()

    def _postfix(self, node: Node) -> Node:
        s = self.s
        while True:
            c = s[self.i]
            if c == "[":
                self.i += 1
                self.skip_lines()
                index = self.expression()
                self.skip_lines()
                if s[self.i] != "]":
                    raise self.fail("Missing ']' after array index expression.", "MissingEndSquareBracket")
                self.i += 1
                node = Index(node.pos, self.i, node, index)
            elif c == ":" and s[self.i + 1] == ":":
                self.i += 2
                node = self._member(node, static=True)
            elif c == "." and s[self.i + 1] != ".":
                self.i += 1
                node = self._member(node, static=False)
            elif c == "?" and s[self.i + 1] in ".[":
                raise self.fail("Unexpected token '?' in expression or statement.", "UnexpectedToken")
            else:
                return node

    def _member(self, target: Node, *, static: bool) -> Node:
        s = self.s
        if s[self.i] in "\r\n":
            self.skip_lines()
        start = self.i
        name: str | Node
        c = s[start]
        if c.isalpha() or c == "_":
            name = re.compile(r"\w+").match(s, start)[0]  # type: ignore[index]
            self.i = start + len(name)
        elif c in SINGLE:
            name = self.single_quoted()
        elif c in DOUBLE:
            name = self.double_quoted()
        elif c == "$":
            found = self.variable()
            if found is None:
                raise Unsupported("this member name")
            name = found
        elif c == "(":
            name = self._paren()
        else:
            if self.end_of_text() or c in BREAK:
                raise self.fail("Missing property name after reference operator.", "MissingPropertyName")
            raise Unsupported(f"a member name that starts with {c!r}")
        if isinstance(name, Const) and isinstance(name.value, str):
            name = name.value
        if s[self.i] != "(":
            return Member(target.pos, self.i, target, name, static)
        return Invoke(target.pos, self.i, target, name, self._arguments(), static)

    def _arguments(self) -> list[Node]:
        start = self.i
        self.i += 1
        args: list[Node] = []
        self.skip_lines()
        if self.s[self.i] == ")":
            self.i += 1
            return args
        while True:
            args.append(self._binary(1, commas=False))
            self.skip_lines()
            if self.s[self.i] == ",":
                self.i += 1
                self.skip_lines()
            elif self.s[self.i] == ")":
                self.i += 1
                return args
            else:
                raise self.fail("Missing ')' in method call.", "MissingEndParenthesisInMethodCall", start)
