"""Members of the engine's own objects: error records, exceptions, property views, commands, modules, host, script blocks."""

from __future__ import annotations

import contextlib
from typing import Any

from s2slib.lab.powershell import values as v
from s2slib.lab.powershell.convert import convert, custom_object
from s2slib.lab.powershell.convert_scalars import truth
from s2slib.lab.powershell.engine import Frame, InformationRecord, Invocation, ScriptBlock
from s2slib.lab.powershell.enums import enum_value
from s2slib.lab.powershell.errors import (
    DotNetError,
    ErrorRecord,
    ExceptionObject,
    Position,
    PsError,
    ReturnFlow,
    TerminatingInFunction,
    Unsupported,
    runtime_error,
)
from s2slib.lab.powershell.errorview import Category, Details, RecordInvocation, position_message
from s2slib.lab.powershell.objectview import (
    add_property,
    base_object,
    copy_object,
    properties_of,
    remove_property,
    set_property,
    type_name_list,
)
from s2slib.lab.powershell.tables import Table
from s2slib.lab.powershell.text import to_text
from s2slib.lab.powershell.typemembers import Method, TypeMembers
from s2slib.lab.powershell.types import SMA, PsType, named, type_of

NON_INTERACTIVE = "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available."


def _get_inner(f: Frame, e: ExceptionObject) -> Any:
    if e.properties.get("unknown_inner") and e.inner is None:
        raise Unsupported("the exception behind a failed conversion")
    return e.inner


def _base_exception(f: Frame, e: ExceptionObject) -> ExceptionObject:
    while e.inner is not None:
        e = e.inner
    return e


def _exception_text(f: Frame, e: ExceptionObject) -> str:
    if e.inner is not None:
        raise Unsupported("an exception with an inner one as text")
    return f"{e.type_name}: {e.message}"


def _own_property(name: str) -> Any:
    return lambda f, e: e.properties.get(name)


def _new_record(f: Frame, exc: ExceptionObject, id: str, category: v.PsEnum, target: Any) -> ErrorRecord:
    return ErrorRecord(exc, id, category.name, target)


def _stack(f: Frame, e: Any) -> Any:
    raise Unsupported("a stack trace")


def _set_details(f: Frame, r: ErrorRecord, value: Any) -> None:
    r.details = value.message if isinstance(value, Details) else None if value is None else to_text(value)


# -- $PSCmdlet, $MyInvocation


class ScriptCmdlet:
    """$PSCmdlet of an advanced function."""

    ps_type = SMA + "PSScriptCmdlet"

    def __init__(self, call: Any) -> None:
        self.call = call

    def ps_text(self) -> str:
        """Its type."""
        return self.ps_type


def _should(f: Frame, c: ScriptCmdlet, target: str, action: str = "") -> bool:
    found = f.scope.find("whatifpreference")
    if found is not None and truth(found.value):
        name = action or c.call.invocation.name
        f.engine.console.write_line(f'What if: Performing the operation "{name}" on target "{target}".')
        return False
    if "Confirm" in c.call.binder.values and truth(c.call.binder.values["Confirm"]):
        raise runtime_error(
            NON_INTERACTIVE, "InvalidOperation", "InvalidOperation", type_name=SMA + "PSInvalidOperationException"
        )
    return True


def _throw_terminating(f: Frame, c: ScriptCmdlet, record: ErrorRecord) -> Any:
    record.suffix = record.suffix or c.call.invocation.name
    record.activity = record.activity or c.call.invocation.name
    record.command = c.call.invocation.name
    raise TerminatingInFunction(record)


def _cmdlet_error(f: Frame, c: ScriptCmdlet, record: ErrorRecord) -> Any:
    record.suffix = record.suffix or c.call.invocation.name
    record.activity = record.activity or c.call.invocation.name
    record.command = c.call.invocation.name
    c.call.failed = True
    action = f.preference("ErrorActionPreference")
    if action == "Stop":
        raise PsError(record, thrown=True)
    f.engine.remember(record)
    if action == "Continue":
        f.streams.write(2, record)
    return v.NOTHING


def _write_object(f: Frame, c: ScriptCmdlet, value: Any, enumerate: bool = False) -> Any:
    from s2slib.lab.powershell.expressions import emit

    if enumerate:
        emit(value, c.call.out)
    else:
        c.call.out(value)
    return v.NOTHING


class CommandView:
    """$MyInvocation.MyCommand."""

    def __init__(self, invocation: Invocation) -> None:
        self.invocation = invocation
        kind = {"Function": "FunctionInfo", "ExternalScript": "ExternalScriptInfo"}.get(
            invocation.command_type, "ScriptInfo"
        )
        self.ps_type = SMA + kind

    def ps_text(self) -> str:
        """The name."""
        return self.invocation.name


# -- blocks, commands, host


def _invoke_block(f: Frame, b: ScriptBlock, *args: Any) -> v.Collection:
    items: list[Any] = []
    b.engine.call_block(b, f, items.append, list(args))
    return v.Collection("System.Collections.ObjectModel.Collection", items)


def _return_as_is(f: Frame, b: ScriptBlock, *args: Any) -> Any:
    from s2slib.lab.powershell.expressions import shape

    items: list[Any] = []
    b.engine.call_block(b, f, items.append, list(args))
    return shape(items)


def where_foreach(f: Frame, low: str, items: list[Any], args: list[Any]) -> Any:
    """.Where({}) and .ForEach({})."""
    engine = f.engine
    made = v.Collection("System.Collections.ObjectModel.Collection")
    if len(args) != 1 or not isinstance(args[0], (ScriptBlock, PsType) if low == "foreach" else ScriptBlock):
        raise Unsupported(f".{low}() with these arguments")
    engine.members.guard(named(SMA + "ScriptBlock"))
    if isinstance(args[0], PsType):
        made.items = [convert(i, args[0]) for i in items]
        return made
    body = args[0].ast.body
    if args[0].ast.has_blocks or args[0].ast.parameters:
        raise Unsupported(f".{low}() with a block that has parameters or named blocks")
    with engine.underscore(f) as place:
        for item in items:
            place(item)
            found: list[Any] = []
            with contextlib.suppress(ReturnFlow):
                engine.run_statements(body, f, made.items.append if low == "foreach" else found.append)
            if low == "foreach":
                continue
            if truth(found if len(found) > 1 else found[0] if found else None):
                made.items.append(item)
    return made


class ParameterView:
    """ParameterMetadata."""

    ps_type = SMA + "ParameterMetadata"

    def __init__(self, param: Any) -> None:
        self.param = param


def _command_parameters(f: Frame, c: Any) -> Table:
    info = c.found.info
    signature = getattr(info, "signature", None)
    if signature is None:
        from s2slib.lab.powershell.registry import CmdletSpec
        from s2slib.lab.powershell.signatures import signature_of_spec

        if not isinstance(info, CmdletSpec):
            raise Unsupported("the parameters of this command")
        signature = signature_of_spec(info)
    made = Table("System.Collections.Generic.Dictionary", ordered=True, type_arguments=("string", "object"))
    for param in signature.params:
        made.set(param.name, ParameterView(param))
    return made


class ModuleView:
    """PSModuleInfo."""

    ps_type = SMA + "PSModuleInfo"

    def __init__(self, module: Any) -> None:
        self.module = module

    def ps_text(self) -> str:
        """The name."""
        return str(self.module.name)


class SessionState:
    """$ExecutionContext.SessionState."""

    ps_type = SMA + "SessionState"

    def __init__(self, engine: Any) -> None:
        self.engine = engine


class HostView:
    """$Host and its user interface."""

    def __init__(self, console: Any, *, ui: bool = False) -> None:
        self.console = console
        self.ps_type = SMA + ("Internal.Host.InternalHostUserInterface" if ui else "Internal.Host.InternalHost")


def _no_prompt(f: Frame, h: HostView, *_: Any) -> Any:
    if not h.console.non_interactive:
        raise Unsupported("asking the user")
    raise DotNetError(SMA + "PSInvalidOperationException", NON_INTERACTIVE)


def _host_write(end: bool) -> Any:
    def run(f: Frame, h: HostView, *a: Any) -> Any:
        h.console.write(to_text(a[-1]) if a else "")
        if end:
            h.console.write("\r\n")
        return v.NOTHING

    return run


def _serialize(f: Frame, value: Any, depth: int = 1) -> str:
    from s2slib.lab.powershell.clixml import serialize

    return serialize(value, depth)


def members() -> dict[str, TypeMembers]:
    """Tables of this file."""
    record = TypeMembers(
        props={
            "Exception": lambda f, r: r.exception, "FullyQualifiedErrorId": lambda f, r: r.id,
            "CategoryInfo": lambda f, r: Category(r), "TargetObject": lambda f, r: r.target,
            "InvocationInfo": lambda f, r: None if r.position is None else RecordInvocation(r),
            "ErrorDetails": lambda f, r: None if r.details is None else Details(r.details), "ScriptStackTrace": _stack,
        },
        setters={"ErrorDetails": _set_details},
        methods=[Method("ToString", lambda f, r: r.message, "")],
        new=Method("new", _new_record, f"=System.Exception string {SMA}ErrorCategory *",
                   f"System.Exception string {SMA}ErrorCategory *"),
        exists="PipelineIterationInfo PSMessageDetails GetObjectData", closed=True,
    )  # fmt: skip
    category = TypeMembers(
        props={
            "Category": lambda f, c: enum_value(SMA + "ErrorCategory", c.record.category),
            "Activity": lambda f, c: c.record.activity, "Reason": lambda f, c: c.record.reason,
            "TargetName": lambda f, c: c.target_name, "TargetType": lambda f, c: c.target_type,
        },
        setters={"Activity": lambda f, c, x: setattr(c.record, "activity", to_text(x))},
        methods=[Method("ToString", lambda f, c: c.ps_text(), ""), Method("GetMessage", lambda f, c: c.ps_text(), "")],
        closed=True,
    )  # fmt: skip
    exception = TypeMembers(
        props={
            "Message": lambda f, e: e.message, "InnerException": _get_inner, "ErrorRecord": lambda f, e: e.record,
            "StackTrace": _stack, "CommandName": _own_property("CommandName"),
            "ParameterName": _own_property("ParameterName"), "Line": _own_property("Line"),
            "SerializedRemoteException": _own_property("SerializedRemoteException"),
            "ErrorCode": _own_property("ErrorCode"),
        },
        methods=[Method("ToString", _exception_text, ""), Method("GetBaseException", _base_exception, "")],
        exists="Data HResult HelpLink Source TargetSite GetObjectData WasThrownFromThrowStatement ErrorId Offset Errors "
        "CommandInvocation ParameterType TypeSpecified StatusCode Status Response NativeErrorCode ParamName OriginInfo "
        "ActualValue FileName SerializedRemoteInvocationInfo TransportMessage CurrentState ExpectedState ExitCode",
        closed=True,
    )  # fmt: skip
    invocation = TypeMembers(
        props={
            "MyCommand": _my_command, "InvocationName": _invocation_name, "BoundParameters": _bound,
            "ScriptLineNumber": _at("line", 0), "OffsetInLine": _at("column", 0), "Line": _at("text", ""),
            "PositionMessage": lambda f, i: position_message(_position(i)), "ScriptName": _script_name,
        },
        exists="UnboundArguments HistoryId PSScriptRoot PSCommandPath PipelineLength PipelinePosition ExpectingInput "
        "CommandOrigin DisplayScriptPosition",
        closed=True,
    )  # fmt: skip
    command = TypeMembers(
        props={
            "Name": lambda f, c: c.found.name, "CommandType": lambda f, c: enum_value(SMA + "CommandTypes", c.found.command_type),
            "ModuleName": lambda f, c: c.found.module, "Source": lambda f, c: c.found.module,
            "Parameters": _command_parameters, "Definition": _definition,
        }
    )  # fmt: skip
    own_command = TypeMembers(
        props={
            "Name": lambda f, c: c.invocation.name or None,
            "CommandType": lambda f, c: enum_value(SMA + "CommandTypes", c.invocation.command_type),
            "Path": lambda f, c: c.invocation.path or None, "Definition": lambda f, c: c.invocation.script_text,
        }
    )  # fmt: skip
    block = TypeMembers(
        methods=[
            Method("Invoke", _invoke_block, "", "*..."), Method("InvokeReturnAsIs", _return_as_is, "", "*..."),
            Method("ToString", lambda f, b: b.ps_text(), ""),
        ],
        static_methods=[Method("Create", lambda f, t: f.engine.make_block(t), "string")],
    )  # fmt: skip
    host = TypeMembers(
        props={
            "Name": lambda f, h: "ConsoleHost", "Version": _host_version,
            "UI": lambda f, h: HostView(h.console, ui=True), "CurrentCulture": lambda f, h: f.engine.culture,
            "InstanceId": lambda f, h: h.console.instance_id,
        },
        methods=[Method("SetShouldExit", _should_exit, "int")],
    )  # fmt: skip
    ui = TypeMembers(
        methods=[
            Method("PromptForChoice", _no_prompt, "* * * *"), Method("ReadLine", _no_prompt, ""),
            Method("ReadLineAsSecureString", _no_prompt, ""), Method("PromptForCredential", _no_prompt, "* * * *"),
            Method("Prompt", _no_prompt, "* * *"), Method("Write", _host_write(False), "*"),
            Method("WriteLine", _host_write(True), "", "*"),
        ],
        exists="RawUI",
    )  # fmt: skip
    cmdlet = TypeMembers(
        props={
            "ParameterSetName": lambda f, c: c.call.invocation.parameter_set, "MyInvocation": lambda f, c: c.call.invocation,
        },
        methods=[
            Method("ShouldProcess", _should, "string", "string string"), Method("ShouldContinue", lambda f, c, *a: True, "* *"),
            Method("ThrowTerminatingError", _throw_terminating, "*"), Method("WriteError", _cmdlet_error, "*"),
            Method("WriteObject", _write_object, "*", "* bool"),
        ],
    )  # fmt: skip
    informational = TypeMembers(
        props={"Message": lambda f, r: r.message}, methods=[Method("ToString", lambda f, r: r.message, "")],
        exists="InvocationInfo PipelineIterationInfo FullyQualifiedWarningId", closed=True,
    )  # fmt: skip
    return {
        SMA + "PSObject": TypeMembers(
            props={
                "Properties": properties_of, "BaseObject": base_object, "ImmediateBaseObject": base_object,
                "TypeNames": lambda f, o: type_name_list(o.target),
            },
            methods=[Method("Copy", copy_object, "")],
            new=Method("new", lambda f: custom_object([]), ""),
        ),
        SMA + "PSMemberInfoIntegratingCollection": TypeMembers(
            methods=[Method("Add", add_property, "*"), Method("Remove", remove_property, "string"),
                     Method("Item", lambda f, p, n: p.ps_index(f, n), "string")],
            exists="Count Match",
        ),
        SMA + "PSNoteProperty": _property_members(),
        SMA + "PSProperty": _property_members(),
        SMA + "ErrorRecord": record, SMA + "ErrorCategoryInfo": category, "System.Exception": exception,
        SMA + "InvocationInfo": invocation, SMA + "ScriptBlock": block, SMA + "PSScriptCmdlet": cmdlet,
        SMA + "ErrorDetails": TypeMembers(
            props={"Message": lambda f, d: d.message}, new=Method("new", lambda f, m: Details(m), "string")
        ),
        SMA + "FunctionInfo": _either(command, own_command), SMA + "CmdletInfo": command, SMA + "AliasInfo": command,
        SMA + "ApplicationInfo": command, SMA + "ExternalScriptInfo": _either(command, own_command),
        SMA + "ScriptInfo": own_command,
        SMA + "ParameterMetadata": TypeMembers(
            props={
                "Name": lambda f, p: p.param.name, "ParameterType": lambda f, p: p.param.type,
                "SwitchParameter": lambda f, p: p.param.is_switch,
                "Aliases": lambda f, p: v.Collection("System.Collections.ObjectModel.Collection", p.param.aliases),
            }
        ),
        SMA + "PSModuleInfo": TypeMembers(
            props={
                "Name": lambda f, m: m.module.name, "Version": lambda f, m: v.PsVersion(m.module.version),
                "Path": lambda f, m: m.module.path or None,
                "ExportedCommands": lambda f, m: _exported(m.module),
            }
        ),
        SMA + "WarningRecord": informational, SMA + "VerboseRecord": informational, SMA + "DebugRecord": informational,
        SMA + "InformationRecord": TypeMembers(
            props={
                "MessageData": _message_data, "Source": lambda f, r: r.source, "TimeGenerated": lambda f, r: r.time,
                "Tags": lambda f, r: v.Collection("System.Collections.Generic.List", r.tags, "System.String"),
            },
            methods=[Method("ToString", lambda f, r: r.ps_text(), "")],
            exists="User Computer ProcessId NativeThreadId ManagedThreadId", closed=True,
        ),
        SMA + "Internal.Host.InternalHost": host, SMA + "Internal.Host.InternalHostUserInterface": ui,
        SMA + "EngineIntrinsics": TypeMembers(
            props={"SessionState": lambda f, e: SessionState(e.engine), "Host": lambda f, e: e.engine.console.host}
        ),
        SMA + "SessionState": TypeMembers(
            props={"LanguageMode": lambda f, s: enum_value(SMA + "PSLanguageMode", s.engine.language_mode)}
        ),
        SMA + "PSSerializer": TypeMembers(static_methods=[Method("Serialize", _serialize, "*", "* int")]),
    }  # fmt: skip


def _position(i: Any) -> Position | None:
    return i.position if isinstance(i, RecordInvocation) else None


def _at(name: str, missing: Any) -> Any:
    def get(f: Frame, i: Any) -> Any:
        where = _position(i)
        return missing if where is None else getattr(where, name)

    return get


def _script_name(f: Frame, i: Any) -> Any:
    where = _position(i)
    return (i.path if where is None and not isinstance(i, RecordInvocation) else where.file if where else "") or None


def _host_version(f: Frame, h: HostView) -> v.PsVersion:
    return v.PsVersion(f.engine.machine.powershell_version)


def _exported(module: Any) -> Table:
    made = Table("System.Collections.Generic.Dictionary", ordered=True, ignore_case=True)
    for spec in module.commands.values():
        made.set(spec.name, spec.name)
    return made


def _message_data(f: Frame, r: InformationRecord) -> Any:
    return r.data


def _should_exit(f: Frame, h: HostView, code: int) -> Any:
    raise Unsupported("$Host.SetShouldExit")


def _property_members() -> TypeMembers:
    return TypeMembers(
        props={
            "Name": lambda f, p: p.name, "Value": lambda f, p: p.bag.properties.get(p.name),
            "MemberType": lambda f, p: enum_value(SMA + "PSMemberTypes", p.member_type),
            "TypeNameOfValue": lambda f, p: "System.Object"
            if p.bag.properties.get(p.name) is None
            else type_of(p.bag.properties[p.name]).display,
            "IsSettable": lambda f, p: True, "IsGettable": lambda f, p: True,
        },
        setters={"Value": set_property},
    )  # fmt: skip


def _either(command: TypeMembers, own: TypeMembers) -> TypeMembers:
    """Members of a CommandInfo that is either found by Get-Command or the running command's own."""

    def pick(name: str) -> Any:
        def get(f: Frame, c: Any) -> Any:
            table = own if isinstance(c, CommandView) else command
            if name not in table.props:
                raise Unsupported(f"the property {name} of this command")
            return table.props[name](f, c)

        return get

    return TypeMembers(props={n: pick(n) for n in {*command.props, *own.props}})


def _definition(f: Frame, c: Any) -> Any:
    if c.found.definition:
        return c.found.definition
    raise Unsupported("the definition of this command")


def _my_command(f: Frame, i: Any) -> Any:
    if isinstance(i, RecordInvocation):
        if not i.record.command:
            return None
        raise Unsupported("MyCommand of an error record")
    return CommandView(i)


def _invocation_name(f: Frame, i: Any) -> str:
    return i.record.command if isinstance(i, RecordInvocation) else i.invocation_name


def _bound(f: Frame, i: Any) -> Any:
    if isinstance(i, RecordInvocation):
        raise Unsupported("BoundParameters of an error record")
    return i.bound if i.bound is not None else Table("System.Collections.Generic.Dictionary", ordered=True)
