"""Pipelines: finding commands, evaluating their arguments, streaming objects through them, redirections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2slib.lab.powershell import operators as ops
from s2slib.lab.powershell import syntax as ast
from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.builtins import ALIASES, builtin_named, unsupported_command
from s2slib.lab.powershell.engine import Frame, Out, ScriptBlock, Streams
from s2slib.lab.powershell.errors import (
    EnoughFlow,
    ErrorRecord,
    ExceptionObject,
    PsError,
    PsParseError,
    Unsupported,
    runtime_error,
)
from s2slib.lab.powershell.expressions import emit
from s2slib.lab.powershell.functions import FunctionCall
from s2slib.lab.powershell.parameters import RawArgument
from s2slib.lab.powershell.parse import parse_script
from s2slib.lab.powershell.processors import ExpressionSource, Processor, ProgramRun, SpecCmdlet, ignore
from s2slib.lab.powershell.registry import CmdletSpec, ProgramSpec
from s2slib.lab.powershell.signatures import FunctionInfo
from s2slib.lab.powershell.statements import Statements
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA

Maker = Callable[[Frame, Out, list[RawArgument], tuple[int, int]], Processor]


class Found:
    """A command that was found: what Get-Command shows of it, and how to start it."""

    __slots__ = ("command_type", "definition", "info", "make", "module", "name", "spec")

    def __init__(
        self, name: str, command_type: str, make: Maker, *, module: str = "", definition: str = "", info: Any = None
    ) -> None:
        self.name, self.command_type, self.make, self.module = name, command_type, make, module
        self.definition, self.info = definition, info


def command_not_found(name: str) -> PsError:
    """The error of a name that is no command."""
    exc = ExceptionObject(
        SMA + "CommandNotFoundException",
        f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check "
        "the spelling of the name, or if a path was included, verify that the path is correct and try again.",
    )
    exc.properties["CommandName"] = name
    exc.record = ErrorRecord(
        exc, "CommandNotFoundException", "ObjectNotFound", name, reason="ParentContainsErrorRecordException"
    )
    record = ErrorRecord(exc, "CommandNotFoundException", "ObjectNotFound", name)
    record.command = name
    return PsError(record)


class Pipelines(Statements):
    """The command half of the engine."""

    # -- finding

    def find_command(self, name: str, f: Frame, *, load: bool = True) -> Found | None:
        """Alias, function, cmdlet, program, script file: in that order."""
        low = name.lower()
        engine = self.engine
        target = engine.aliases.get(low) or ALIASES.get(low)
        if target is not None and target.lower() != low:
            return self.find_command(target, f, load=load)
        scope = f.scope
        if ":" in name and name.split(":", 1)[0].lower() in ("global", "script", "local", "private"):
            prefix, name = name.split(":", 1)
            scope, low = scope.named(prefix), name.lower()
        walk: Any = scope
        while walk is not None:
            found = walk.functions.get(low)
            if found is not None:
                return self._function_found(found)
            walk = walk.parent
        return self._cmdlet(name, load=load) or self._external(name)

    def _function_found(self, info: Any) -> Found:
        if isinstance(info, FunctionInfo):
            return Found(info.name, "Function", _call(info), info=info, definition=info.block.ast.text)
        return Found(info.name, "Function", info.make, module=info.module, info=info)

    def _cmdlet(self, name: str, *, load: bool) -> Found | None:
        engine = self.engine
        bare = name.rsplit("\\", 1)[-1]
        in_module = name.rsplit("\\", 1)[0].lower() if "\\" in name else ""
        if not in_module or in_module.startswith("microsoft.powershell."):
            made = builtin_named(bare)
            if made is not None:
                return Found(made.name, "Cmdlet", made.make, module=made.module, info=made)
        spec = engine.machine.registry.cmdlet(bare) if not in_module else None
        if spec is not None:
            return self._spec(spec)
        found = engine.machine.registry.in_modules(bare)
        if found is not None:
            module, spec = found
            if in_module and in_module != module.name.lower():
                return None
            loaded = module.name.lower() in engine.modules
            if not loaded and (not module.auto_load or engine.auto_loading_off()):
                return None
            if not loaded and load:
                engine.modules[module.name.lower()] = module
            return self._spec(spec, module.name)
        return None

    def _spec(self, spec: CmdletSpec, module: str = "") -> Found:
        def make(f: Frame, out: Out, raw: list[RawArgument], extent: tuple[int, int]) -> Processor:
            return SpecCmdlet(f, out, spec, raw, extent)

        return Found(spec.name, "Cmdlet", make, module=module or spec.module, info=spec)

    def _external(self, name: str) -> Found | None:
        engine = self.engine
        low = name.lower()
        if low.endswith(".ps1"):
            text = engine.machine.read_file(name)
            if text is None:
                return None
            return self._script(name, text)
        program = engine.machine.registry.program(name)
        if program is not None:
            return self._program(program)
        if any(c in name for c in "\\/") and engine.machine.exists(name):
            raise Unsupported(f"running the file {name}")
        return None

    def _script(self, path: str, text: str) -> Found:
        engine = self.engine
        try:
            block = parse_script(text.removeprefix("\ufeff"), path)
        except PsParseError as e:
            raise Unsupported(f"the script {path}, which does not parse ({e.message})") from None
        info = FunctionInfo.of(
            path.replace("/", "\\").rsplit("\\", 1)[-1], ScriptBlock(block, engine), "ExternalScript", path
        )
        return Found(info.name, "ExternalScript", _call(info), definition=path, info=info)

    def _program(self, spec: ProgramSpec) -> Found:
        def make(f: Frame, out: Out, raw: list[RawArgument], extent: tuple[int, int]) -> Processor:
            return ProgramRun(f, out, spec, native_arguments(raw), True)

        return Found(spec.name, "Application", make, definition=spec.name, info=spec)

    def require_command(self, name: str, f: Frame) -> Found:
        """The command, or CommandNotFoundException; a cmdlet of Windows the evaluator lacks is refused."""
        found = self.find_command(name, f)
        if found is not None:
            return found
        unsupported_command(name)
        error = command_not_found(name)
        raise error

    # -- arguments

    def arguments(self, elements: list[ast.Node], f: Frame) -> list[RawArgument]:
        """A command line's elements, evaluated."""
        raw: list[RawArgument] = []
        for n in elements:
            if isinstance(n, ast.Argument):
                raw.append(RawArgument(None, self.ev(n.value, f), True, n.pos, n.end))
            elif isinstance(n, ast.ParameterName):
                if n.value is None:
                    raw.append(RawArgument(n.name, None, False, n.pos, n.end))
                else:
                    raw.append(RawArgument(n.name, self.ev(n.value, f), True, n.pos, n.end))
            elif isinstance(n, ast.Splat):
                self._splat(n, f, raw)
            else:
                raise Unsupported("this element of a command line")
        return raw

    def _splat(self, n: ast.Splat, f: Frame, raw: list[RawArgument]) -> None:
        value = self.ev(n.variable, f)
        if isinstance(value, Table):
            for key, item in value.items():
                raw.append(RawArgument(to_text(key), item, True, n.pos, n.end))
            return
        items = ops.items_of(value)
        if items is None:
            if value is None:
                raise Unsupported(f"@{n.variable.name} without a value")
            items = [value]
        for item in items:
            if isinstance(item, str) and item[:1] == "-" and n.variable.name.lower() == "args":
                raise Unsupported("@args with parameter names")
            raw.append(RawArgument(None, item, True, n.pos, n.end))

    # -- running

    def run_pipeline(self, node: ast.Pipeline, f: Frame, out: Out) -> None:
        """Evaluate a pipeline's source and arguments, start its commands from the left, feed them."""
        elements = node.elements
        first = elements[0]
        source: Any = _NO_SOURCE
        if isinstance(first, ast.CommandExpression) and not first.redirections and len(elements) > 1:
            source = self.raw(first.expression, f)
            elements = elements[1:]
        last = len(elements) - 1
        stages: list[Processor] = []
        placed: list[list[Out]] = [[out] for _ in elements]
        for i, element in enumerate(elements):
            slot = placed[i]
            stages.append(self.make_stage(element, f, _relay(slot)))
        for i in range(last):
            following = stages[i + 1]
            placed[i][0] = following.process
        try:
            self.feed(stages, source)
        except PsError as e:
            self._locate_command(e, elements, f)
            raise
        self.engine.success = not any(s.failed for s in stages)
        self.engine.doubtful = False
        self.engine.pipelines_run += 1

    def _locate_command(self, e: PsError, elements: list[ast.Node], f: Frame) -> None:
        if e.record.position is None and e.record.command and e.extent is None:
            for element in elements:
                name = element.name if isinstance(element, ast.Command) else None
                if isinstance(name, ast.Const) and to_text(name.value).lower() == e.record.command.lower():
                    e.extent = (element.pos, element.end)
                    return

    def feed(self, stages: list[Processor], source: Any) -> None:
        """Begin, input, end. A stage that wants no more ends those in front of it."""
        has_source = source is not _NO_SOURCE
        done = 0
        try:
            for i, stage in enumerate(stages):
                stage.begin(expects_input=has_source or i > 0)
            try:
                if has_source:
                    emit(source, stages[0].process)
                else:
                    stages[0].no_input()
            except EnoughFlow as e:
                done = self._stopped_at(e, stages)
            for i in range(done, len(stages)):
                try:
                    stages[i].end()
                except EnoughFlow as e:
                    at = self._stopped_at(e, stages)
                    for later in stages[max(at, i + 1) :]:
                        later.end()
                    return
        finally:
            for stage in stages:
                dispose = getattr(stage, "dispose", None)
                if dispose is not None:
                    dispose()

    def _stopped_at(self, e: EnoughFlow, stages: list[Processor]) -> int:
        for i, stage in enumerate(stages):
            if stage is e.owner:
                return i
        raise e

    def make_stage(self, element: ast.Node, f: Frame, out: Out) -> Processor:
        """One element of a pipeline as a processor."""
        if isinstance(element, ast.CommandExpression):
            expression = element.expression
            frame, sink = self.redirect(element.redirections, f, out)
            return ExpressionSource(frame, sink, lambda fr, o: emit(self.raw(expression, fr), o))
        assert isinstance(element, ast.Command)
        frame, sink = self.redirect(element.redirections, f, out)
        name_node = element.name
        name = name_node.value if isinstance(name_node, ast.Const) else self.ev(name_node, f)
        extent = (element.pos, element.end)
        if isinstance(name, ScriptBlock):
            raw = self.arguments(element.elements, f)
            return self.block_stage(name, frame, sink, raw, extent, dotted=element.operator == ".")
        found: Found
        if isinstance(name, CommandValue):
            found = name.found
        else:
            if name is None or (element.operator and (not isinstance(name, str) or not name)):
                raise runtime_error(
                    "The expression after '"
                    + element.operator
                    + "' in a pipeline element produced an object that was not "
                    "valid. It must result in a command name, a script block, or a CommandInfo object.",
                    "BadExpression",
                    "InvalidOperation",
                )
            text = to_text(name)
            try:
                found = self.require_command(text, f)
            except PsError as e:
                e.extent = (name_node.pos, name_node.end)
                raise
        raw = self.arguments(element.elements, f)
        if found.command_type in ("Function", "ExternalScript") and isinstance(found.info, FunctionInfo):
            return FunctionCall(
                frame, sink, found.info, raw, extent, dotted=element.operator == ".", invocation_name=to_text(name)
            )
        return found.make(frame, sink, raw, extent)

    def block_stage(
        self,
        block: ScriptBlock,
        f: Frame,
        out: Out,
        raw: list[RawArgument],
        extent: tuple[int, int],
        *,
        dotted: bool = False,
    ) -> Processor:
        """A script block as a command."""
        return FunctionCall(f, out, FunctionInfo.of("", block, "Script"), raw, extent, dotted=dotted)

    def call_block(self, block: ScriptBlock, f: Frame, out: Out, args: list[Any] | None = None) -> None:
        """Run a block as `& $block args`."""
        raw = [RawArgument(None, a, True) for a in args or []]
        self.feed([self.block_stage(block, f, out, raw, (0, 0))], _NO_SOURCE)

    # -- redirection

    def redirect(self, redirections: list[ast.Redirection], f: Frame, out: Out) -> tuple[Frame, Out]:
        """The frame and output after redirections."""
        if not redirections:
            return f, out
        changes: dict[int, Out] = {}
        sink = out
        for r in redirections:
            numbers = [1, 2, 3, 4, 5, 6] if r.source == "*" else [int(r.source)]
            if r.merge:
                if r.source == "1":
                    raise Unsupported("1>&1")
                changes.update({n: out for n in numbers if n != 1})
                continue
            assert r.target is not None
            target = self.ev(r.target, f)
            if target is not None:
                raise Unsupported("a redirection to a file")
            for n in numbers:
                if n == 1:
                    sink = ignore
                else:
                    changes[n] = ignore
        streams: Streams = f.streams.redirected(changes) if changes else f.streams
        return f.with_(streams=streams), sink


def _relay(slot: list[Out]) -> Out:
    return lambda item: slot[0](item)


_NO_SOURCE: Any = object()
NO_SOURCE = _NO_SOURCE


def _call(info: FunctionInfo) -> Maker:
    def make(f: Frame, out: Out, raw: list[RawArgument], extent: tuple[int, int]) -> Processor:
        return FunctionCall(f, out, info, raw, extent)

    return make


class CommandValue:
    """A CommandInfo, as Get-Command gives it."""

    __slots__ = ("found", "ps_type")

    def __init__(self, found: Found) -> None:
        self.found = found
        self.ps_type = f"{SMA}{found.command_type}Info"

    def ps_text(self) -> str:
        """The command's name."""
        return self.found.name


def native_arguments(raw: list[RawArgument]) -> list[str]:
    """A native program's arguments: `-name` and `-name:value` as they were written."""
    argv: list[str] = []
    for arg in raw:
        if arg.name is not None:
            argv.append(f"-{arg.name}" + (":" + to_text(arg.value) if arg.given else ""))
            continue
        items = ops.items_of(arg.value)
        for item in [arg.value] if items is None else items:
            text = item.text if isinstance(item, (v.NumberToken, v.RealToken)) else to_text(item)
            if text == "" or '"' in text:
                raise Unsupported(f"the native argument {text!r}, which Windows PowerShell passes on in its own way")
            argv.append(text)
    return argv
