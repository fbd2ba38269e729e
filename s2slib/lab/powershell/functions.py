"""Running script functions, script blocks and script files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from s2slib.lab.powershell.bind import Binder
from s2slib.lab.powershell.convert import convert
from s2slib.lab.powershell.convert_scalars import truth
from s2slib.lab.powershell.engine import (
    Frame,
    Invocation,
    Out,
    Scope,
    Streams,
)
from s2slib.lab.powershell.errors import (
    ExitFlow,
    ExitProcess,
    PsError,
    ReturnFlow,
    TerminatingInFunction,
    Unsupported,
)
from s2slib.lab.powershell.parameters import RawArgument
from s2slib.lab.powershell.signatures import FunctionInfo, default_value
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.values import Collection, Enumerated

if TYPE_CHECKING:
    pass
from s2slib.lab.powershell.processors import PREFERENCES, Processor


class FunctionCall(Processor):
    """A script function, a script block or a script file."""

    def __init__(self, f: Frame, out: Out, info: FunctionInfo, raw: list[RawArgument], extent: tuple[int, int],
                 *, dotted: bool = False, invocation_name: str = "") -> None:  # fmt: skip
        super().__init__(f, out)
        self.info, self.raw, self.extent, self.dotted = info, raw, extent, dotted
        self.inputs: list[Any] = []
        ast = info.block.ast
        invocation = Invocation(info.name, info.command_type, invocation_name or info.name)
        invocation.source, invocation.path = ast.source, info.path
        invocation.script_text = ast.text
        invocation.is_advanced = info.signature.advanced
        self.invocation = invocation
        self._streamed = ast.process is not None
        self._returned = False
        self.exit_code: int | None = None
        self.binder = Binder(info.signature)
        self.frame = f

    def begin(self, *, expects_input: bool) -> None:
        engine = self.f.engine
        engine.depth += 1
        try:
            if engine.depth > 90:
                raise Unsupported("calls nested more than 90 deep")
            self.binder.bind(self.raw, expects_input=expects_input)
            self._enter()
            if self.info.block.ast.begin is not None:
                self._run(self.info.block.ast.begin)
        finally:
            engine.depth -= 1

    def _enter(self) -> None:
        engine, info = self.f.engine, self.info
        if info.block.ast.uses_input and info.block.ast.has_blocks:
            raise Unsupported("$input beside begin, process and end blocks")
        scope = self.f.scope if self.dotted else Scope(self.f.scope, is_script=info.command_type == "ExternalScript")
        streams = self._streams(scope)
        self.frame = Frame(
            engine, scope, streams, self.invocation, self.f.stop, trying=self.f.trying, args=self.binder.args
        )
        bound = Table("System.Collections.Generic.Dictionary", ordered=True, type_arguments=("string", "object"))
        for name, value in self.binder.values.items():
            bound.set(name, value)
        self.invocation.bound = bound
        self.invocation.parameter_set = self.binder.parameter_set
        self.invocation.should_process = info.should_process
        self.invocation.what_if = truth(self.binder.values.get("WhatIf"))
        scope.set("args", list(self.binder.args))
        scope.set("MyInvocation", self.invocation)
        scope.set("PSBoundParameters", bound)
        if info.signature.advanced:
            scope.set("PSCmdlet", engine.script_cmdlet(self))
        if info.path:
            scope.set("PSCommandPath", info.path)
            scope.set("PSScriptRoot", info.path.replace("/", "\\").rpartition("\\")[0])
        self._preferences(scope)
        for parameter in info.block.ast.parameters:
            kind = info.kinds.get(parameter.name)
            if parameter.name in self.binder.values:
                value = self.binder.values[parameter.name]
            elif parameter.default is not None:
                value = engine.ev(parameter.default, self.frame)
                if kind is not None:
                    value = convert(value, kind, parameter=False)
            else:
                value = default_value(kind)
            scope.variables.pop(parameter.name.lower(), None)
            scope.set(parameter.name, value, kind)
            scope.variables[parameter.name.lower()].checks = info.signature.by_name[parameter.name.lower()].validators

    def _streams(self, scope: Scope) -> Streams:
        changes: dict[int, Out] = {}
        for parameter, number in (("ErrorVariable", 2), ("WarningVariable", 3), ("InformationVariable", 6)):
            name = self.binder.values.get(parameter)
            if name is None:
                continue
            collection = Collection("System.Collections.ArrayList")
            self.f.scope.set(name.lstrip("+"), collection)
            changes[number] = _tee(collection, self.f.streams.sinks[number])
        if self.binder.values.get("OutVariable") is not None or self.binder.values.get("PipelineVariable") is not None:
            raise Unsupported("-OutVariable and -PipelineVariable of a function")
        return self.f.streams.redirected(changes) if changes else self.f.streams

    def _preferences(self, scope: Scope) -> None:
        for parameter, variable in PREFERENCES.items():
            if parameter in self.binder.values:
                scope.set(variable, self.binder.values[parameter])
        for parameter, variable in (("Verbose", "VerbosePreference"), ("Debug", "DebugPreference")):
            if parameter in self.binder.values:
                shown = truth(self.binder.values[parameter])
                scope.set(variable, self.f.engine.action("Continue" if shown else "SilentlyContinue"))
        if "WhatIf" in self.binder.values:
            scope.set("WhatIfPreference", truth(self.binder.values["WhatIf"]))

    def _run(self, body: list[Any]) -> None:
        engine = self.f.engine
        engine.depth += 1
        try:
            engine.run_statements(body, self.frame, self.out)
        except ReturnFlow:
            pass
        except TerminatingInFunction as e:
            raise PsError(e.record) from None
        except ExitFlow as e:
            if isinstance(e, ExitProcess) or self.info.command_type != "ExternalScript":
                raise
            engine.global_scope.set("LASTEXITCODE", e.code)
            self.exit_code = e.code
            self.failed = e.code != 0
            self._returned = True
        finally:
            engine.depth -= 1

    def process(self, item: Any) -> None:
        if self._returned:
            return
        ast = self.info.block.ast
        takes = self.info.signature.takes_pipeline
        if takes:
            if not self.binder.bind_input(item):
                raise Unsupported("pipeline input that does not bind to a function's parameters")
            for name in self.binder.pipeline_bound:
                self.frame.scope.set(name, self.binder.values[name])
                self.invocation.bound.set(name, self.binder.values[name])
        elif self.info.signature.advanced:
            raise Unsupported("pipeline input to an advanced function that takes none")
        if ast.process is not None:
            with self.f.engine.underscore(self.frame) as place:
                place(item)
                self._run(ast.process)
        else:
            self.inputs.append(item)

    def no_input(self) -> None:
        if self.info.block.ast.process is not None and not self._returned:
            self._run(self.info.block.ast.process)

    def end(self) -> None:
        if self._returned:
            return
        ast = self.info.block.ast
        body = ast.finish if ast.has_blocks else ast.body
        if not ast.has_blocks:
            self.frame.scope.set(
                "input", Enumerated("System.Collections.ArrayList+ArrayListEnumeratorSimple", self.inputs, once=True)
            )
        if body is not None:
            if not ast.has_blocks and self.inputs and self.info.signature.takes_pipeline:
                with self.f.engine.underscore(self.frame) as place:
                    place(self.inputs[-1])
                    self._run(body)
            else:
                self._run(body)


def _tee(collection: Collection, sink: Out) -> Out:
    def both(record: Any) -> None:
        collection.items.append(record)
        sink(record)

    return both
