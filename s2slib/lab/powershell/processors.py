"""Running commands: what every kind of command does when a pipeline begins, feeds and ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.bind import Binder
from s2slib.lab.powershell.convert_scalars import truth
from s2slib.lab.powershell.engine import (
    Frame,
    InformationalRecord,
    InformationRecord,
    Out,
    ProgressRecord,
    stop_exception,
)
from s2slib.lab.powershell.errors import (
    ErrorRecord,
    ExceptionObject,
    PsError,
    Unsupported,
)
from s2slib.lab.powershell.parameters import RawArgument, Signature
from s2slib.lab.powershell.registry import Call, CmdletSpec, ProgramCall, ProgramSpec
from s2slib.lab.powershell.signatures import signature_of_spec
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.types import SMA
from s2slib.lab.powershell.values import Collection

if TYPE_CHECKING:
    pass

PREFERENCES = {"ErrorAction": "ErrorActionPreference", "WarningAction": "WarningPreference",
               "InformationAction": "InformationPreference"}  # fmt: skip


class Processor:
    """A command in a running pipeline. `out` takes its output; `failed` says it wrote an error ($? becomes False)."""

    def __init__(self, f: Frame, out: Out) -> None:
        self.f, self.out = f, out
        self.failed = False

    def begin(self, *, expects_input: bool) -> None:
        """Before the first input object."""

    def process(self, item: Any) -> None:
        """One input object."""

    def no_input(self) -> None:
        """In the place of input, for the first command of a pipeline."""

    def end(self) -> None:
        """After the last input object."""


class Cmdlet(Processor):
    """A compiled command: common parameters, records and errors. Subclasses implement `start`, `record` and `finish`."""

    def __init__(
        self, f: Frame, out: Out, signature: Signature, raw: list[RawArgument], extent: tuple[int, int]
    ) -> None:
        super().__init__(f, out)
        self.signature, self.raw, self.extent = signature, raw, extent
        self.binder = Binder(signature)
        self._variables: dict[str, Collection] = {}
        self._has_input = False

    # what subclasses do

    def start(self) -> None:
        """BeginProcessing."""

    def record(self) -> None:
        """ProcessRecord: parameters from the pipeline are bound."""

    def finish(self) -> None:
        """EndProcessing."""

    # the pipeline's side

    @property
    def p(self) -> dict[str, Any]:
        """Bound parameters."""
        return self.binder.values

    def begin(self, *, expects_input: bool) -> None:
        self._has_input = expects_input
        self.binder.bind(self.raw, expects_input=expects_input)
        self._collect_variables()
        self.start()

    def process(self, item: Any) -> None:
        self.f.check()
        if not self.binder.bind_input(item):
            self.fail_input(item)
            return
        self.record()

    def fail_input(self, item: Any) -> None:
        """An input object that no parameter takes."""
        self.write_error(
            "The input object cannot be bound to any parameters for the command either because the command does not take "
            "pipeline input or the input and its properties do not match any of the parameters that take pipeline input.",
            "InputObjectNotBound",
            "InvalidArgument",
            item,
            SMA + "ParameterBindingException",
        )

    def no_input(self) -> None:
        self.record()

    def end(self) -> None:
        self.finish()

    def _collect_variables(self) -> None:
        for parameter in ("ErrorVariable", "WarningVariable", "InformationVariable", "OutVariable"):
            name = self.p.get(parameter)
            if name is None:
                continue
            append = name.startswith("+")
            name = name.lstrip("+")
            found = self.f.scope.find(name.lower())
            old = found.value if append and found is not None else None
            items = old.items if isinstance(old, Collection) else []
            collection = Collection("System.Collections.ArrayList", items)
            self.f.scope.set(name, collection)
            self._variables[parameter] = collection
        if self.p.get("OutVariable") is not None:
            inner = self.out

            def both(value: Any) -> None:
                self._variables["OutVariable"].items.append(value)
                inner(value)

            self.out = both
        if self.p.get("PipelineVariable") is not None or self.p.get("OutBuffer") is not None:
            raise Unsupported("-PipelineVariable and -OutBuffer")

    def switch(self, name: str) -> bool:
        """A switch's value."""
        return truth(self.p.get(name))

    def enumerate(self, value: Any) -> None:
        """Write a value, arrays element by element."""
        from s2slib.lab.powershell.expressions import emit

        emit(value, self.out)

    # records

    def action(self, parameter: str) -> str:
        """The effective ActionPreference for errors, warnings or information."""
        given = self.p.get(parameter)
        return given.name if given is not None else self.f.preference(PREFERENCES[parameter])

    def make_record(
        self, message: str, id: str, category: str, target: Any, exception: str | ExceptionObject
    ) -> ErrorRecord:
        """An error record of this command."""
        exc = exception if isinstance(exception, ExceptionObject) else ExceptionObject(exception, message)
        record = ErrorRecord(exc, id, category, target, suffix=self.signature.suffix, activity=self.signature.name)
        record.command = self.signature.name
        self._place(record)
        return record

    def _place(self, record: ErrorRecord) -> None:
        from s2slib.lab.powershell.errors import Position

        record.position = Position(self.f.invocation.source, *self.extent, self.f.invocation.path)
        record.invocation = self.f.invocation

    def write_error(
        self,
        message: str,
        id: str,
        category: str,
        target: Any = None,
        exception: str = "System.InvalidOperationException",
    ) -> None:
        """A non-terminating error."""
        self.report(self.make_record(message, id, category, target, exception))

    def report(self, record: ErrorRecord) -> None:
        """Write a record the way -ErrorAction or the preference says."""
        action = self.action("ErrorAction")
        if action == "Ignore":
            self.failed = True
            return
        variable = self._variables.get("ErrorVariable")
        if action == "Stop":
            if variable is not None:
                variable.items.append(record)
            error = PsError(record, thrown=True, exception=stop_exception(record))
            raise error
        self.failed = True
        if variable is not None:
            variable.items.append(record)
        self.f.engine.remember(record)
        if action == "Inquire":
            raise Unsupported("ErrorAction Inquire")
        if action == "Continue":
            self.f.streams.write(2, record)

    def throw(
        self,
        message: str,
        id: str,
        category: str,
        target: Any = None,
        exception: str = "System.InvalidOperationException",
    ) -> NoReturn:
        """A terminating error."""
        record = self.make_record(message, id, category, target, exception)
        self.fail(record)

    def fail(self, record: ErrorRecord) -> NoReturn:
        """End with this record: a script's catch sees its exception, a host one around it."""
        variable = self._variables.get("ErrorVariable")
        if variable is not None:
            variable.items.append(record)
        around = ExceptionObject(
            SMA + "CmdletInvocationException", record.message, inner=record.exception, record=record
        )
        raise PsError(record, exception=around)

    def warning(self, text: str) -> None:
        """A warning record."""
        action = self.action("WarningAction")
        record = InformationalRecord("Warning", text)
        if action != "Ignore" and "WarningVariable" in self._variables:
            self._variables["WarningVariable"].items.append(record)
        if action == "Continue":
            self.f.streams.write(3, record)
        elif action == "Stop":
            self._stop_at("WarningPreference", text)
        elif action == "Inquire":
            raise Unsupported("WarningAction Inquire")

    def _stop_at(self, variable: str, text: str) -> None:
        exc = ExceptionObject(
            SMA + "ActionPreferenceStopException",
            f'The running command stopped because the preference variable "{variable}" or common parameter is set to Stop: '
            f"{text}",
        )
        raise PsError(ErrorRecord(exc, "ActionPreferenceStop", "OperationStopped"), thrown=True)

    def _shown(self, switch: str, preference: str) -> bool:
        if switch in self.p:
            return self.switch(switch)
        action = self.f.preference(preference)
        if action in ("Stop", "Inquire"):
            raise Unsupported(f"${preference} {action}")
        return action == "Continue"

    def verbose(self, text: str) -> None:
        """A verbose record."""
        if self._shown("Verbose", "VerbosePreference"):
            self.f.streams.write(4, InformationalRecord("Verbose", text))

    def debug(self, text: str) -> None:
        """A debug record."""
        if "Debug" in self.p and self.switch("Debug"):
            raise Unsupported("-Debug, which asks the user")
        if self._shown("Debug", "DebugPreference"):
            self.f.streams.write(5, InformationalRecord("Debug", text))

    def information(self, record: InformationRecord) -> None:
        """An information record."""
        action = self.action("InformationAction")
        if record.to_host and "InformationAction" not in self.p and action == "SilentlyContinue":
            action = "Continue"  # Write-Host is shown unless it is told not to
        if action == "Ignore":
            return
        if "InformationVariable" in self._variables:
            self._variables["InformationVariable"].items.append(record)
        if action == "Stop":
            self._stop_at("InformationPreference", to_text(record.data))
        if action == "Inquire":
            raise Unsupported("InformationAction Inquire")
        record.shown = action == "Continue"
        self.f.streams.write(6, record)

    def host(self, text: str) -> None:
        """A line on the host."""
        self.information(
            InformationRecord(
                text, self.signature.name, ["PSHOST"], self.f.engine.machine.now(), to_host=True, no_newline=False
            )
        )

    def progress(self, activity: str, status: str, percent: int, *, completed: bool = False) -> None:
        """A progress record."""
        if self.f.preference("ProgressPreference") == "Continue":
            self.f.streams.progress(ProgressRecord(activity, status, percent, completed))

    def should_process(self, target: str, action: str | None = None) -> bool:
        """False under -WhatIf; -Confirm cannot be answered without a user."""
        if "WhatIf" in self.p:
            what_if = self.switch("WhatIf")
        else:
            found = self.f.scope.find("whatifpreference")
            what_if = found is not None and truth(found.value)
        if what_if:
            self.f.engine.console.write_line(
                f'What if: Performing the operation "{action or self.signature.name}" on target "{target}".'
            )
            return False
        if "Confirm" in self.p and self.switch("Confirm"):
            self.throw(
                "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.",
                "InvalidOperation",
                "InvalidOperation",
                exception=SMA + "PSInvalidOperationException",
            )
        return True


class SpecCmdlet(Cmdlet):
    """A cmdlet of a registry."""

    def __init__(self, f: Frame, out: Out, spec: CmdletSpec, raw: list[RawArgument], extent: tuple[int, int],
                 machine: Any = None, session: Any = None) -> None:  # fmt: skip
        super().__init__(f, out, signature_of_spec(spec), raw, extent)
        self.spec = spec
        self.machine = machine or f.engine.machine
        self.session = session if machine is not None else f.engine.session
        self.binder = Binder(self.signature, self._call({}))

    def _call(self, parameters: dict[str, Any]) -> Call:
        return Call(
            self.spec.name, parameters, self.binder.parameter_set, machine=self.machine, session=self.session,
            stopping=self.f.stop, host=_Host(self),
        )  # fmt: skip

    def process(self, item: Any) -> None:
        if not self.signature.takes_pipeline:
            self.fail_input(item)
            return
        super().process(item)

    def record(self) -> None:
        common = {q.name for q in self.signature.params if q.common}
        call = self._call({k: _plain_argument(x) for k, x in self.p.items() if k not in common})
        result = self.spec.run(call)
        if result is not None:
            for item in result:
                self.f.check()
                self.out(item)
        self.f.check()


def _plain_argument(value: Any) -> Any:
    """A bound value as cmdlets are handed it."""
    if isinstance(value, v.SwitchParameter):
        return value.present
    if isinstance(value, (v.NumberToken, v.RealToken)):
        return int(value) if isinstance(value, int) else float(value)
    return value


class _Host:
    """The evaluator's side of a Call."""

    def __init__(self, cmdlet: Cmdlet) -> None:
        self._c = cmdlet
        self.warning, self.verbose, self.debug, self.host = cmdlet.warning, cmdlet.verbose, cmdlet.debug, cmdlet.host

    def progress(self, activity: str, status: str, percent: int) -> None:
        self._c.progress(activity, status, percent)

    def write_error(self, message: str, id: str, category: str, target: object, exception: str) -> None:
        self._c.write_error(message, id, category, target, exception)

    def throw(self, message: str, id: str, category: str, target: object, exception: str) -> NoReturn:
        self._c.throw(message, id, category, target, exception)

    def should_process(self, target: str, action: str | None) -> bool:
        return self._c.should_process(target, action)


class ProgramRun(Processor):
    """A native program: its text lines are the output, its exit code becomes $LASTEXITCODE."""

    def __init__(self, f: Frame, out: Out, spec: ProgramSpec, argv: list[str], captured: bool) -> None:
        super().__init__(f, out)
        self.spec, self.argv, self.captured = spec, argv, captured

    def process(self, item: Any) -> None:
        raise Unsupported("pipeline input to a native program")

    def no_input(self) -> None:
        import uuid

        engine = self.f.engine
        pending = {"stdout": "", "stderr": ""}

        def line(stream: str, text: str) -> None:
            if stream == "stdout":
                self.out(text)
            else:
                engine.native_error(self.f, self.spec.name, text)

        def writer(stream: str) -> Callable[[str], None]:
            def write(text: str) -> None:
                whole = pending[stream] + text.replace("\r\n", "\n")
                *lines, pending[stream] = whole.split("\n")
                for one in lines:
                    line(stream, one)

            return write

        call = ProgramCall(
            self.argv, writer("stdout"), writer("stderr"), engine.machine, engine.session, uuid.uuid4().hex, self.f.stop
        )
        code = self.spec.run(call)
        for stream, rest in pending.items():
            if rest:
                line(stream, rest)
        self.f.check()
        engine.global_scope.set("LASTEXITCODE", code)
        self.failed = code != 0


class ExpressionSource(Processor):
    """An expression in the place of a command, with redirections."""

    def __init__(self, f: Frame, out: Out, run: Callable[[Frame, Out], None]) -> None:
        super().__init__(f, out)
        self.run = run

    def no_input(self) -> None:
        self.run(self.f, self.out)


def ignore(_: Any) -> None:
    """A sink."""
