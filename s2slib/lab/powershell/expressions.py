"""Evaluation of expressions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from s2slib.lab.powershell import operators as ops
from s2slib.lab.powershell import syntax as ast
from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert import convert
from s2slib.lab.powershell.convert_scalars import truth
from s2slib.lab.powershell.engine import Frame, Out, ScriptBlock
from s2slib.lab.powershell.errors import Unsupported, runtime_error
from s2slib.lab.powershell.tables import Table, ordered_table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA, PsType, named, resolve_type, type_name_of

if TYPE_CHECKING:
    from s2slib.lab.powershell.interpreter import Engine

_DRIVES = frozenset(("env", "function", "variable", "alias", "using", "workflow"))
_UNKNOWN_AUTOMATICS = frozenset(
    v.words(
        "profile consolefilename stacktrace foreach switch this sender event eventargs eventsubscriber sourceeventargs "
        "psdefaultparametervalues maximumerrorcount pssenderinfo ^ $ pwd outputencoding maximumaliascount "
        "maximumdrivecount maximumfunctioncount maximumvariablecount logenginehealthevent "
        "pssessionoption psscriptroot pscommandpath"
    )
)
_GOVERNING = frozenset(("psdefaultparametervalues", "confirmpreference", "outputencoding", "executioncontext"))


def shape(items: list[Any]) -> Any:
    """What a pipeline's output is as one value: nothing, the single object, or an array."""
    if not items:
        return v.NOTHING
    return items[0] if len(items) == 1 else items


def emit(value: Any, out: Out) -> None:
    """Put a value out as a pipeline's source does: arrays element by element."""
    if value is v.NOTHING:
        return
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        out(value)
        return
    items = ops.items_of(value)
    if items is None or isinstance(value, v.PsObject):
        iterate = getattr(value, "ps_iterate", None)
        if iterate is None:
            out(value)
            return
        items = iterate()
    for item in list(items):
        out(item)


class Expressions:
    """The expression half of the engine."""

    def __init__(self) -> None:
        self._evaluators: dict[type, Callable[[Any, Frame], Any]] = {
            ast.Const: lambda n, f: n.value,
            ast.Expandable: self._expandable,
            ast.Variable: self._variable,
            ast.ArrayLiteral: self._array_literal,
            ast.ArraySub: self._array_sub,
            ast.SubExpression: self._sub_expression,
            ast.Paren: self._paren,
            ast.HashLiteral: self._hash_literal,
            ast.BlockExpression: lambda n, f: ScriptBlock(n.block, self.engine),
            ast.TypeLiteral: lambda n, f: self.type_named(n.name),
            ast.Cast: self._cast,
            ast.Unary: self._unary,
            ast.Step: self._step,
            ast.Binary: self._binary,
            ast.Member: self._member,
            ast.Invoke: self._invoke,
            ast.Index: self._index,
        }

    @property
    def engine(self) -> Engine:
        """The whole engine."""
        return self  # type: ignore[return-value]

    def raw(self, node: ast.Node, f: Frame) -> Any:
        """The value; NOTHING where a pipeline put nothing out."""
        return self._evaluators[type(node)](node, f)

    def ev(self, node: ast.Node, f: Frame) -> Any:
        """The value; None for nothing."""
        value = self._evaluators[type(node)](node, f)
        return None if value is v.NOTHING else value

    # -- provided by the other halves

    def run_statements(self, nodes: list[ast.Node], f: Frame, out: Out) -> None:
        """Run statements."""
        raise NotImplementedError

    def run_node(self, node: ast.Node, f: Frame, out: Out) -> None:
        """Run one statement, its errors raised."""
        raise NotImplementedError

    # -- simple nodes

    def type_named(self, name: str) -> PsType:
        """`[name]`."""
        found = resolve_type(name)
        if found.name == "ordered":
            raise Unsupported("[ordered] as a type")
        return found

    def _expandable(self, n: ast.Expandable, f: Frame) -> str:
        separator = " "
        ofs = f.scope.find("ofs")
        if ofs is not None:
            separator = to_text(ofs.value)
        return v.join_surrogates(
            "".join(p if isinstance(p, str) else self._in_text(self.ev(p, f), separator) for p in n.parts)
        )

    def _in_text(self, value: Any, separator: str) -> str:
        if isinstance(value, (list, bytes)) and not isinstance(value, v.PsObject):
            return separator.join(to_text(i) if not isinstance(i, (list, bytes)) else _type_text(i) for i in value)
        return to_text(value, separator)

    def _variable(self, n: ast.Variable, f: Frame) -> Any:
        if n.scope:
            return self._scoped_variable(n, f)
        low = n.name.lower()
        found = f.scope.find(low)
        if found is not None:
            return found.value
        if low == "?":
            return self.engine.succeeded()
        if low in _UNKNOWN_AUTOMATICS:
            raise Unsupported(f"the variable ${n.name}")
        return None

    def _scoped_variable(self, n: ast.Variable, f: Frame) -> Any:
        low = n.name.lower()
        if n.scope in _DRIVES:
            if n.scope == "env":
                return self.engine.console.environment.get(low, (None, None))[1]
            raise Unsupported(f"${{{n.scope}:{n.name}}}")
        if n.scope in ("global", "script"):
            scope = f.scope.named(n.scope)
            found = scope.variables.get(low)
            if found is None and n.scope == "script":
                found = scope.find(low)
        else:
            found = f.scope.named(n.scope).variables.get(low)
        return None if found is None else found.value

    def _array_literal(self, n: ast.ArrayLiteral, f: Frame) -> list[Any]:
        return [self.ev(i, f) for i in n.items]

    def collect(self, body: list[ast.Node], f: Frame) -> list[Any]:
        """Everything the statements put out."""
        items: list[Any] = []
        self.run_statements(body, f, items.append)
        return items

    def _array_sub(self, n: ast.ArraySub, f: Frame) -> list[Any]:
        return self.collect(n.body, f)

    def _sub_expression(self, n: ast.SubExpression, f: Frame) -> Any:
        return shape(self.collect(n.body, f))

    def _paren(self, n: ast.Paren, f: Frame) -> Any:
        inner = n.inner
        if isinstance(inner, ast.Assign):
            return self.assign(inner, f)
        return self.pipeline_value(inner, f)

    def pipeline_value(self, node: ast.Node, f: Frame) -> Any:
        """The value of a statement in the place of an expression: a lone expression keeps its array."""
        if isinstance(node, ast.Pipeline) and len(node.elements) == 1:
            only = node.elements[0]
            if isinstance(only, ast.CommandExpression) and not only.redirections:
                value = self.raw(only.expression, f)
                self.engine.success = True
                return value
        items: list[Any] = []
        self.run_node(node, f, items.append)
        return shape(items)

    def _hash_items(self, n: ast.HashLiteral, f: Frame) -> list[tuple[Any, Any]]:
        made: list[tuple[Any, Any]] = []
        seen = Table(ordered=True)
        for key_node, value_node in n.pairs:
            key = self.ev(key_node, f)
            if key is None:
                raise runtime_error(
                    "A null key is not allowed in a hash literal.", "InvalidNullKey", "InvalidOperation"
                )
            value = self.pipeline_value(value_node, f)
            if seen.has(key):
                raise Unsupported(f"the key {to_text(key)!r} twice in a hash literal")
            seen.set(key, True)
            made.append((key, None if value is v.NOTHING else value))
        return made

    def _hash_literal(self, n: ast.HashLiteral, f: Frame) -> Table:
        return Table(items=self._hash_items(n, f))

    def _cast(self, n: ast.Cast, f: Frame) -> Any:
        low = n.name.lower()
        operand = n.operand
        if isinstance(operand, ast.HashLiteral):
            if low == "ordered":
                return ordered_table(self._hash_items(operand, f))
            if low in ("pscustomobject", "system.management.automation.pscustomobject"):
                return v.PsObject(v.CUSTOM_OBJECT, {to_text(k): x for k, x in self._hash_items(operand, f)})
        if low == "pscustomobject":
            value = self.ev(operand, f)
            if isinstance(value, Table):
                return v.PsObject(v.CUSTOM_OBJECT, {to_text(k): x for k, x in value.items()})
            if isinstance(value, v.PsObject):
                return value
            raise Unsupported(f"[pscustomobject] of a {type_name_of(value)}")
        if low in ("ordered", "ref"):
            raise Unsupported(f"[{n.name}] of this")
        value = self.ev(operand, f)
        kind = self.type_named(n.name)
        self.engine.check_cast(kind)
        if kind.name == SMA + "ScriptBlock" and isinstance(value, str):
            return self.engine.make_block(value)
        return convert(value, kind)

    # -- operators

    def _unary(self, n: ast.Unary, f: Frame) -> Any:
        value = self.ev(n.operand, f)
        op = n.op
        if op == "not":
            return not truth(value)
        if op == "-":
            return ops.negate(value)
        if op == "+":
            return ops.arithmetic("+", 0, value)
        if op == "join":
            items = ops.items_of(value)
            return to_text(value) if items is None else ops.join_operator(items, "")
        if op in ("split", "isplit", "csplit"):
            return ops.split_blanks(value)
        raise Unsupported(f"the operator -{op}")

    def _step(self, n: ast.Step, f: Frame) -> Any:
        old = self.ev(n.target, f)
        if old is not None and not ops.is_number(old):
            raise runtime_error(
                f"The '{'++' if n.delta > 0 else '--'}' operator works only on numbers. The operand is a "
                f"'{type_name_of(old)}'.",
                "OperatorRequiresNumber",
                "InvalidOperation",
            )
        new = ops.arithmetic("+", 0 if old is None else old, n.delta)
        self.store(n.target, new, f)
        return new if n.prefix else (0 if old is None else old)

    def _binary(self, n: ast.Binary, f: Frame) -> Any:
        op = n.op
        if op == "and":
            return truth(self.ev(n.left, f)) and truth(self.ev(n.right, f))
        if op == "or":
            return truth(self.ev(n.left, f)) or truth(self.ev(n.right, f))
        left, right = self.ev(n.left, f), self.ev(n.right, f)
        if op in "+-*/%":
            return ops.arithmetic(op, left, right)
        if op in ("match", "imatch", "cmatch", "notmatch", "inotmatch", "cnotmatch"):
            return self._match(op, left, right, f)
        if op in ("is", "isnot", "as"):
            if op == "as":
                self.engine.check_cast(ops.as_type(right))
            return ops.type_test(op, left, right)
        if op == "f":
            return ops.format_operator(left, right, self.engine.culture)
        if op == "..":
            return ops.number_range(left, right)
        if op == "join":
            return ops.join_operator(left, right)
        if op == "xor":
            return truth(left) != truth(right)
        if op in ("band", "bor", "bxor"):
            return ops.bitwise(op, left, right)
        if op in ("shl", "shr"):
            raise Unsupported(f"-{op}")
        return ops.compare(op, left, right)

    def _match(self, op: str, left: Any, right: Any, f: Frame) -> Any:
        negate = "not" in op
        regex = ops.as_regex(right, not op.startswith("c"))
        items = ops.items_of(left)
        if items is not None:
            return [i for i in items if (regex.search(to_text(i)) is not None) != negate]
        found = regex.search(to_text(left))
        if found is not None:
            table = Table()
            table.set(0, found[0])
            names = {number: name for name, number in found.re.groupindex.items()}
            for number in range(1, found.re.groups + 1):
                if found[number] is not None:
                    table.set(names.get(number, number), found[number])
            f.scope.set("Matches", table)
        return (found is not None) != negate

    # -- members and elements

    def _target(self, node: ast.Node, f: Frame) -> Any:
        return self.raw(node, f) if isinstance(node, (ast.Variable, ast.Paren, ast.SubExpression)) else self.ev(node, f)

    def _name(self, name: str | ast.Node, f: Frame) -> str:
        return name if isinstance(name, str) else to_text(self.ev(name, f))

    def _member(self, n: ast.Member, f: Frame) -> Any:
        target = self._target(n.target, f)
        name = self._name(n.name, f)
        if n.static:
            return self.engine.members.get_static(f, target, name)
        return self.engine.members.get(f, target, name)

    def _invoke(self, n: ast.Invoke, f: Frame) -> Any:
        target = self._target(n.target, f)
        name = self._name(n.name, f)
        args = [self.ev(a, f) for a in n.args]
        if n.static:
            return self.engine.members.invoke_static(f, target, name, args)
        return self.engine.members.invoke(f, target, name, args)

    def _index(self, n: ast.Index, f: Frame) -> Any:
        target = self.ev(n.target, f)
        return self.engine.members.index(f, target, self.ev(n.index, f))

    # -- assignment

    def assign(self, n: ast.Assign, f: Frame) -> Any:
        """Carry out an assignment; its value is what was assigned."""
        value = self.assign_value(n.value, f)
        if n.op != "=":
            if isinstance(n.target, ast.Index) and isinstance(n.target.index, (ast.Step, ast.Paren, ast.SubExpression)):
                raise Unsupported(f"{n.op} on an element whose index is a calculation in parentheses")
            old = self.ev(n.target, f)
            if value is v.NOTHING:
                raise Unsupported(f"{n.op} with a pipeline that put nothing out")
            value = ops.arithmetic(n.op[0], old, value)
        self.store(n.target, value, f)
        return value

    def assign_value(self, node: ast.Node, f: Frame) -> Any:
        """The right side of an assignment."""
        if isinstance(node, ast.Assign):
            return self.assign(node, f)
        return self.pipeline_value(node, f)

    def store(self, target: ast.Node, value: Any, f: Frame, kind: PsType | None = None) -> None:
        """Assign a value to a variable, member, element or list of them."""
        if isinstance(target, ast.Variable):
            self._store_variable(target, value, f, kind)
        elif isinstance(target, ast.Cast):
            if not isinstance(target.operand, ast.Variable):
                raise Unsupported("an assignment to a cast")
            wanted = self.type_named(target.name)
            self.store(target.operand, convert(None if value is v.NOTHING else value, wanted), f, wanted)
        elif isinstance(target, ast.Member):
            owner = self._target(target.target, f)
            name = self._name(target.name, f)
            value = None if value is v.NOTHING else value
            if target.static:
                self.engine.members.set_static(f, owner, name, value)
            else:
                self.engine.members.set(f, owner, name, value)
        elif isinstance(target, ast.Index):
            owner = self.ev(target.target, f)
            index = self.ev(target.index, f)
            self.engine.members.set_index(f, owner, index, None if value is v.NOTHING else value)
        elif isinstance(target, ast.ArrayLiteral):
            items = ops.items_of(value)
            items = [None if value is v.NOTHING else value] if items is None else items
            for i, part in enumerate(target.items):
                if i == len(target.items) - 1 and len(items) > len(target.items):
                    self.store(part, items[i:], f)
                else:
                    self.store(part, items[i] if i < len(items) else None, f)
        else:
            raise Unsupported("an assignment to this")

    def _check_governing(self, low: str, value: Any) -> None:
        """Variables that change how commands behave in ways that are not implemented."""
        harmless = low == "confirmpreference" and to_text(value).lower() in ("none", "high")
        harmless = harmless or (low == "outputencoding" and getattr(value, "codec", "") == "utf-8")
        if not harmless:
            raise Unsupported(f"an assignment to ${low}")

    def _store_variable(self, target: ast.Variable, value: Any, f: Frame, kind: PsType | None) -> None:
        low = target.name.lower()
        if target.scope in _DRIVES:
            if target.scope != "env":
                raise Unsupported(f"an assignment to ${{{target.scope}:{target.name}}}")
            if value is None or value is v.NOTHING or value == "":
                self.engine.console.environment.pop(low, None)
            else:
                self.engine.console.environment[low] = (target.name, to_text(value))
            return
        if low == "null":
            return
        if low in _GOVERNING:
            self._check_governing(low, value)
        if low in ("true", "false", "?"):
            raise runtime_error(
                f"Cannot overwrite variable {target.name} because it is read-only or constant.",
                "VariableNotWritable",
                "WriteError",
                type_name=SMA + "SessionStateUnauthorizedAccessException",
            )
        if isinstance(value, (v.NumberToken, v.RealToken)):
            value = int(value) if isinstance(value, int) else float(value)
        f.scope.named(target.scope).set(target.name, value, kind)


def _type_text(value: Any) -> str:
    return named("System.Byte[]").name if isinstance(value, bytes) else type_name_of(value)
