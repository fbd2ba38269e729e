"""Execution of statements: control flow, errors that end a statement and errors that end a script."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from s2slib.lab.powershell import operators as ops
from s2slib.lab.powershell import syntax as ast
from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert import convert
from s2slib.lab.powershell.convert_scalars import truth
from s2slib.lab.powershell.engine import Frame, Out, Variable
from s2slib.lab.powershell.errors import (
    RUNTIME_EXCEPTION,
    BreakFlow,
    ContinueFlow,
    ErrorRecord,
    ExceptionObject,
    ExitFlow,
    Position,
    PsError,
    ReturnFlow,
    Unsupported,
    exception_types,
    runtime_error,
)
from s2slib.lab.powershell.expressions import Expressions, emit
from s2slib.lab.powershell.regex import like
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import named, resolve_type

MAX_STEPS = 20_000_000
_GROUPS = (ast.Paren, ast.SubExpression, ast.ArraySub)


class Statements(Expressions):
    """The statement half of the engine."""

    def __init__(self) -> None:
        super().__init__()
        self._steps = 0
        self._executors: dict[type, Callable[[Any, Frame, Out], None]] = {
            ast.Pipeline: self._pipeline,
            ast.Assign: self._assign,
            ast.If: self._if,
            ast.While: self._while,
            ast.For: self._for,
            ast.ForEach: self._foreach,
            ast.Switch: self._switch,
            ast.Try: self._try,
            ast.Jump: self._jump,
            ast.FunctionDefinition: self._function,
        }

    def run_pipeline(self, node: ast.Pipeline, f: Frame, out: Out) -> None:
        """Run a pipeline with commands in it."""
        raise NotImplementedError

    # -- the rule of errors

    def run_statements(self, nodes: list[ast.Node], f: Frame, out: Out) -> None:
        """Run statements one after the other.

        An error that ends a statement is reported and the next statement runs; inside a try, under ErrorActionPreference
        Stop, and for `throw`, it goes on to whoever catches it.
        """
        executors = self._executors
        for node in nodes:
            self._steps += 1
            if self._steps > MAX_STEPS:
                raise Unsupported(f"a script of more than {MAX_STEPS} steps")
            if f.stop.is_set():
                f.check()
            try:
                executors[type(node)](node, f, out)
            except PsError as e:
                self.statement_failed(e, node, f)
            except RecursionError:
                raise Unsupported("a call stack this deep") from None

    def run_node(self, node: ast.Node, f: Frame, out: Out) -> None:
        """Run one statement; its errors are raised."""
        self._executors[type(node)](node, f, out)

    def locate(self, e: PsError, node: ast.Node, f: Frame) -> None:
        """Say where in the script the error happened, unless that is known."""
        if e.record.position is None:
            start, end = e.extent or (node.pos, node.end)
            e.record.position = Position(f.invocation.source, start, end, f.invocation.path)
            e.record.invocation = f.invocation

    def statement_failed(self, e: PsError, node: ast.Node, f: Frame) -> None:
        """Report the error and go on, or raise it again."""
        self.engine.success = False
        self.locate(e, node, f)
        if not e.recorded:
            e.recorded = True
            self.engine.remember(e.record)
        if f.trying:
            raise e
        if e.thrown and not e.from_throw:
            raise e
        preference = f.preference("ErrorActionPreference")
        if preference in ("SilentlyContinue", "Ignore"):
            return
        if e.from_throw:
            raise e
        if preference == "Stop":
            e.thrown = True
            raise e
        if preference == "Inquire":
            raise Unsupported("ErrorActionPreference Inquire")
        f.streams.write(2, e.record)

    # -- simple statements

    def _pipeline(self, n: ast.Pipeline, f: Frame, out: Out) -> None:
        if len(n.elements) == 1:
            only = n.elements[0]
            if isinstance(only, ast.CommandExpression) and not only.redirections:
                expression = only.expression
                before = self.engine.pipelines_run
                value = self.raw(expression, f)
                ran = self.engine.pipelines_run > before
                self.engine.doubtful = ran and not self.engine.success and isinstance(expression, _GROUPS)
                self.engine.success = True
                if not isinstance(expression, ast.Step):
                    emit(value, out)
                return
        self.run_pipeline(n, f, out)

    def _assign(self, n: ast.Assign, f: Frame, out: Out) -> None:
        self.engine.success = True
        self.assign(n, f)

    def _if(self, n: ast.If, f: Frame, out: Out) -> None:
        for condition, body in n.clauses:
            if truth(
                self.pipeline_value(condition, f)
                if not isinstance(condition, ast.Assign)
                else self.assign(condition, f)
            ):
                self.run_statements(body, f, out)
                return
        if n.otherwise is not None:
            self.run_statements(n.otherwise, f, out)

    def _condition(self, node: ast.Node, f: Frame) -> bool:
        return truth(self.assign(node, f) if isinstance(node, ast.Assign) else self.pipeline_value(node, f))

    # -- loops

    def _body(self, body: list[ast.Node], f: Frame, out: Out, label: str) -> bool:
        """Run a loop's body once; False when the loop shall end."""
        f.check()
        self._steps += 1
        try:
            self.run_statements(body, f, out)
        except BreakFlow as e:
            if e.label and e.label != label:
                raise
            return False
        except ContinueFlow as e:
            if e.label and e.label != label:
                raise
        return True

    def _while(self, n: ast.While, f: Frame, out: Out) -> None:
        if n.after:
            while self._body(n.body, f, out, n.label):
                if self._condition(n.condition, f) == n.until:
                    return
            return
        while self._condition(n.condition, f):
            if not self._body(n.body, f, out, n.label):
                return

    def _for(self, n: ast.For, f: Frame, out: Out) -> None:
        def nothing(_: Any) -> None:
            return

        if n.init is not None:
            self.run_node(n.init, f, nothing)
        while n.condition is None or self._condition(n.condition, f):
            if not self._body(n.body, f, out, n.label):
                return
            if n.step is not None:
                self.run_node(n.step, f, nothing)

    def iterate(self, value: Any) -> list[Any]:
        """What a loop sees of a value: elements of arrays, the value itself, nothing of nothing and of $null."""
        if value is None or value is v.NOTHING:
            return []
        items = ops.items_of(value)
        if items is None:
            own = getattr(value, "ps_iterate", None)
            return [value] if own is None else list(own())
        return list(items)

    def _foreach(self, n: ast.ForEach, f: Frame, out: Out) -> None:
        source = self.assign(n.source, f) if isinstance(n.source, ast.Assign) else self.pipeline_value(n.source, f)
        for item in self.iterate(source):
            self.store(n.variable, item, f)
            if not self._body(n.body, f, out, n.label):
                return

    def _switch(self, n: ast.Switch, f: Frame, out: Out) -> None:
        value = self.pipeline_value(n.source, f)
        items = self.iterate(value) if value is not None else [None]
        with self.underscore(f) as place:
            for item in items:
                place(item)
                try:
                    self._switch_one(n, item, f, out)
                except ContinueFlow as e:
                    if e.label and e.label != n.label:
                        raise
                except BreakFlow as e:
                    if e.label and e.label != n.label:
                        raise
                    return

    def _switch_one(self, n: ast.Switch, item: Any, f: Frame, out: Out) -> None:
        matched = False
        for pattern, body in n.clauses:
            if pattern is not None and self._clause_matches(n, pattern, item, f):
                matched = True
                self.run_statements(body, f, out)
        if not matched:
            for pattern, body in n.clauses:
                if pattern is None:
                    self.run_statements(body, f, out)

    def _clause_matches(self, n: ast.Switch, pattern: ast.Node, item: Any, f: Frame) -> bool:
        if isinstance(pattern, ast.BlockExpression):
            return truth(self.collect_block(pattern, f))
        wanted = self.ev(pattern, f)
        if n.mode == "wildcard":
            return like(to_text(item), to_text(wanted), ignore_case=not n.case_sensitive)
        if n.mode == "regex":
            return truth(self._match("cmatch" if n.case_sensitive else "match", item, wanted, f))
        return ops.equal(item, wanted, not n.case_sensitive)

    def collect_block(self, node: ast.BlockExpression, f: Frame) -> Any:
        """A block run in this scope, as one value."""
        items: list[Any] = []
        with contextlib.suppress(ReturnFlow):
            self.run_statements(node.block.body, f, items.append)
        return items if len(items) > 1 else (items[0] if items else None)

    def underscore(self, f: Frame) -> Underscore:
        """$_ for a while: restored when left."""
        return Underscore(f)

    # -- errors

    def _try(self, n: ast.Try, f: Frame, out: Out) -> None:
        finals = n.final
        try:
            try:
                self.run_statements(n.body, f.with_(trying=bool(n.catches) or f.trying), out)
            except PsError as e:
                handler = self._handler(n, e)
                if handler is None:
                    raise
                self._catch(e, handler, f, out)
        except Unsupported:
            finals = None
            raise
        finally:
            if finals is not None:
                success = self.engine.success
                self.run_statements(finals, f, out)
                self.engine.success = success

    def _handler(self, n: ast.Try, e: PsError) -> list[ast.Node] | None:
        types = exception_types(e.record.exception.type_name)
        inner = e.record.exception.inner
        for names, body in n.catches:
            if not names:
                return body
            for name in names:
                wanted = resolve_type(name).name
                if wanted in types or (inner is not None and wanted in exception_types(inner.type_name)):
                    return body
                if e.record.exception.properties.get("unknown_inner"):
                    raise Unsupported("a typed catch of a failed conversion")
        return None

    def _catch(self, e: PsError, body: list[ast.Node], f: Frame, out: Out) -> None:
        if not e.recorded:
            e.recorded = True
            self.engine.remember(e.record)
        with self.underscore(f) as place:
            place(e.record)
            self.engine.caught.append(e)
            try:
                self.run_statements(body, f, out)
            finally:
                self.engine.caught.pop()

    def _jump(self, n: ast.Jump, f: Frame, out: Out) -> None:
        kind = n.kind
        if kind == "return":
            if n.value is not None:
                self.engine.success = True
                self._put(n.value, f, out)
            raise ReturnFlow
        if kind == "break":
            raise BreakFlow(n.label)
        if kind == "continue":
            raise ContinueFlow(n.label)
        if kind == "exit":
            code = 0
            if n.value is not None:
                value = self.pipeline_value(n.value, f)
                code = convert(None if value is v.NOTHING else value, named("System.Int32"))
            raise ExitFlow(code)
        raise self._thrown(n, f)

    def _put(self, node: ast.Node, f: Frame, out: Out) -> None:
        if isinstance(node, ast.Assign):
            emit(self.assign(node, f), out)
        else:
            self.run_node(node, f, out)

    def _thrown(self, n: ast.Jump, f: Frame) -> PsError:
        if n.value is None:
            if self.engine.caught:
                again = self.engine.caught[-1]
                again.thrown = again.from_throw = True
                return again
            error = runtime_error("ScriptHalted", "ScriptHalted", "OperationStopped")
            error.thrown = error.from_throw = True
            return error
        value = self.pipeline_value(n.value, f)
        value = None if value is v.NOTHING else value
        if isinstance(value, ErrorRecord):
            error = PsError(value, thrown=True)
        elif isinstance(value, ExceptionObject):
            error = PsError(ErrorRecord(value, value.message, "OperationStopped"), thrown=True)
        elif value is None:
            error = runtime_error("ScriptHalted", "ScriptHalted", "OperationStopped")
        else:
            text = to_text(value)
            exc = ExceptionObject(RUNTIME_EXCEPTION, text)
            exc.record = ErrorRecord(exc, text, "OperationStopped", value)
            error = PsError(ErrorRecord(exc, text, "OperationStopped", value), thrown=True)
        error.thrown = error.from_throw = True
        return error

    def _function(self, n: ast.FunctionDefinition, f: Frame, out: Out) -> None:
        self.define_function(n, f)
        self.engine.success = True

    def define_function(self, n: ast.FunctionDefinition, f: Frame) -> None:
        """Make a function known."""
        raise NotImplementedError


class Underscore:
    """$_ in a scope for the time of a with block."""

    __slots__ = ("_old", "_scope")

    def __init__(self, f: Frame) -> None:
        self._scope = f.scope
        self._old: Variable | None = None

    def __enter__(self) -> Callable[[Any], None]:
        self._old = self._scope.variables.get("_")
        return self._place

    def _place(self, value: Any) -> None:
        self._scope.variables["_"] = Variable("_", value)
        self._scope.variables["psitem"] = self._scope.variables["_"]

    def __exit__(self, *_: object) -> None:
        for low in ("_", "psitem"):
            if self._old is None:
                self._scope.variables.pop(low, None)
            else:
                self._scope.variables[low] = self._old
