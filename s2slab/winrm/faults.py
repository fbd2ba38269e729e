"""Every SOAP fault the service answers with, as values and as the XML that Windows sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from s2slab.winrm import namespaces as ns

TIMED_OUT: Final = 2150858793
INVALID_SELECTORS: Final = 2150858843
INVALID_HEADER: Final = 2150858767
ACTION_NOT_SUPPORTED: Final = 2150858771
SCHEMA_INVALID: Final = 2150858817
NO_SUCH_RESOURCE: Final = 2150858811
SHELL_QUOTA: Final = 2150859173
OPERATION_QUOTA: Final = 2150859174
ACCESS_DENIED: Final = 5
INVALID_PARAMETER: Final = 87
BUSY: Final = 170
PIPE_CLOSING: Final = 232
ABORTED: Final = 995
FILE_NOT_FOUND: Final = 2147942402
NAME_TOO_LONG: Final = 2147942606

_CANNOT_PROCESS: Final = "The WS-Management service cannot process the request"
_BAD_SELECTORS: Final = f"{_CANNOT_PROCESS} because the request contained invalid selectors for the resource. "


@dataclass(frozen=True)
class ProviderFault:
    """The plugin that refused, as `f:ProviderFault` names it."""

    provider: str
    path: str
    text: str


class WsManFault(Exception):
    """A request that ends in a SOAP fault. `reason` is `s:Text`, `message` is `f:Message` (the same if not given)."""

    def __init__(
        self,
        code: int,
        value: str,
        subcode: str,
        reason: str,
        *,
        message: str | None = None,
        fault_detail: str | None = None,
        provider: ProviderFault | None = None,
        wmi: bool = False,
    ) -> None:
        super().__init__(f"{code}: {reason.strip()}")
        self.code = code
        self.value = value
        self.subcode = subcode
        self.reason = reason
        self.message = reason if message is None else message
        self.fault_detail = fault_detail
        self.provider = provider
        self.wmi = wmi  # quota faults of 2012 and later carry MSFT_WmiError and no WSManFault

    def body(self, machine: str) -> str:
        """The `s:Fault` element. `machine` names the server in it (on real hosts the name the client used [K])."""
        fault_detail = f"<w:FaultDetail>{escape(self.fault_detail)}</w:FaultDetail>" if self.fault_detail else ""
        detail = self._wmi_detail() if self.wmi else self._detail(machine)
        return (
            f"<s:Fault><s:Code><s:Value>{self.value}</s:Value><s:Subcode><s:Value>{self.subcode}</s:Value></s:Subcode>"
            f'</s:Code><s:Reason><s:Text xml:lang="en-US">{escape(self.reason)}</s:Text></s:Reason>'
            f"<s:Detail>{fault_detail}{detail}</s:Detail></s:Fault>"
        )

    def _detail(self, machine: str) -> str:
        message = escape(self.message)
        if self.provider is not None:
            message = (
                f"<f:ProviderFault provider={quoteattr(self.provider.provider)} path={quoteattr(self.provider.path)}>"
                f"{escape(self.provider.text)}</f:ProviderFault>"
            )
        return (
            f'<f:WSManFault xmlns:f="{ns.FAULT}" Code="{self.code}" Machine={quoteattr(machine)}>'
            f"<f:Message>{message}</f:Message></f:WSManFault>"
        )

    def _wmi_detail(self) -> str:
        def element(name: str, kind: str, value: object | None) -> str:
            if value is None:
                return f'<p:{name} xsi:type="cim:{kind}" xsi:nil="true"/>'
            return f'<p:{name} xsi:type="cim:{kind}">{escape(str(value))}</p:{name}>'

        rows = (
            element("CIMStatusCode", "cimUnsignedInt", 27),
            element("CIMStatusCodeDescription", "cimString", None),
            element("ErrorSource", "cimString", None),
            element("ErrorSourceFormat", "cimUnsignedShort", 0),
            element("ErrorType", "cimUnsignedShort", 0),
            element("Message", "cimString", self.message),
            element("MessageID", "cimString", f"HRESULT 0x{self.code:08x}"),
            element("OtherErrorSourceFormat", "cimString", None),
            element("OtherErrorType", "cimString", None),
            element("OwningEntity", "cimString", None),
            element("PerceivedSeverity", "cimUnsignedShort", 0),
            element("ProbableCause", "cimUnsignedShort", 0),
            element("ProbableCauseDescription", "cimString", None),
            element("error_Category", "cimUnsignedInt", 30),
            element("error_Code", "cimUnsignedInt", self.code),
            element("error_Type", "cimString", "HRESULT"),
            element("error_WindowsErrorMessage", "cimString", self.message),
        )
        return (
            f'<p:MSFT_WmiError b:IsCIM_Error="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
            f' xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd" xmlns:p="{ns.WMI_ERROR}"'
            f' xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xsi:type="p:MSFT_WmiError_Type">'
            f"{''.join(rows)}</p:MSFT_WmiError>"
        )


def timed_out() -> WsManFault:
    """Nothing to answer within OperationTimeout."""
    text = "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  "
    return WsManFault(TIMED_OUT, "s:Receiver", "w:TimedOut", text)


def unknown_shell(shell_id: str) -> WsManFault:
    """No such shell, or another user's."""
    message = (
        f"The request for the Windows Remote Shell with ShellId {shell_id} failed because the shell was not found on"
        " the server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the"
        " server. Provide the correct ShellId or create a new shell and retry the operation. "
    )
    detail = f"{ns.FAULT_DETAIL}/UnexpectedSelectors"
    return WsManFault(
        INVALID_SELECTORS, "s:Sender", "w:InvalidSelectors", _BAD_SELECTORS, message=message, fault_detail=detail
    )


def unknown_command() -> WsManFault:
    """No such command in this shell, or one that is over."""
    message = (
        "The Windows Remote Shell received a request to perform an operation on a command identifier that does not"
        " exist. Either the command has completed execution or the client specified an invalid command identifier. "
    )
    detail = f"{ns.FAULT_DETAIL}/UnexpectedSelectors"
    return WsManFault(
        INVALID_SELECTORS, "s:Sender", "w:InvalidSelectors", _BAD_SELECTORS, message=message, fault_detail=detail
    )


def invalid_parameter() -> WsManFault:
    """A request the shell plugin cannot make sense of: a Receive without a command, an unknown stream or signal."""
    text = "The parameter is incorrect. "
    provider = ProviderFault("Shell cmd plugin", r"%systemroot%\system32\winrscmd.dll", text)
    return WsManFault(INVALID_PARAMETER, "s:Sender", "w:InvalidParameter", text, provider=provider)


def no_such_resource(resource_uri: str) -> WsManFault:
    """Not a shell or configuration this server has. The subcode is [K]."""
    text = (
        f"{_CANNOT_PROCESS}. The resource URI ({resource_uri}) was not found in the WS-Management catalog."
        " The catalog contains the metadata that describes resources, or logical endpoints. "
    )
    return WsManFault(NO_SUCH_RESOURCE, "s:Sender", "a:DestinationUnreachable", text)


def action_not_supported() -> WsManFault:
    """An action this service does not know. The form is [K]."""
    text = "The WS-Management service does not support the action specified in the request. "
    return WsManFault(ACTION_NOT_SUPPORTED, "s:Sender", "a:ActionNotSupported", text)


def schema_invalid() -> WsManFault:
    """A body without what its action needs."""
    text = (
        "The SOAP XML in the message does not match the corresponding XML schema definition. Change the XML and retry. "
    )
    return WsManFault(SCHEMA_INVALID, "s:Sender", "w:SchemaValidationError", text)


def invalid_timeout(value: str) -> WsManFault:
    """An OperationTimeout that is no positive duration."""
    text = f"{_CANNOT_PROCESS} because the request contained an invalid timeout field in the SOAP header: {value}. "
    return WsManFault(INVALID_HEADER, "s:Sender", "a:InvalidMessageInformationHeader", text)


def access_denied() -> WsManFault:
    """The account may log on but may not use the service."""
    return WsManFault(ACCESS_DENIED, "s:Sender", "w:AccessDenied", "Access is denied. ")


def shell_quota(limit: int) -> WsManFault:
    """MaxShellsPerUser reached."""
    text = (
        f"{_CANNOT_PROCESS}. This user is allowed a maximum number of {limit} concurrent shells, which has been"
        " exceeded. Close existing shells or raise the quota for this user. "
    )
    return WsManFault(SHELL_QUOTA, "s:Sender", "w:QuotaLimit", text, wmi=True)


def operation_quota(limit: int) -> WsManFault:
    """MaxConcurrentOperationsPerUser reached."""
    text = (
        f"{_CANNOT_PROCESS}. This user is allowed a maximum number of {limit} concurrent operations, which has been"
        " exceeded. Close existing operations for this user, or raise the quota for this user. "
    )
    return WsManFault(OPERATION_QUOTA, "s:Sender", "w:QuotaLimit", text, wmi=True)


def system_error(code: int) -> WsManFault:
    """A Win32 or HRESULT failure as the service wraps it; a code without a known text gets a text that says so."""
    texts = {
        BUSY: "The requested resource is in use. ",  # text UNCONFIRMED
        PIPE_CLOSING: "The pipe is being closed. ",  # that Windows answers this here is UNCONFIRMED
        ABORTED: "The I/O operation has been aborted because of either a thread exit or an application request. ",
        FILE_NOT_FOUND: "The system cannot find the file specified. ",
        NAME_TOO_LONG: "The filename or extension is too long. ",
        2147942405: "Access is denied. ",
    }
    return WsManFault(code, "s:Receiver", "w:InternalError", texts.get(code, f"Error 0x{code:08X}. "))


def by_code(code: int, *, shells: int, operations: int) -> WsManFault:
    """The fault that Windows sends under this code; `shells` and `operations` are the quotas its text may name."""
    named = {
        TIMED_OUT: timed_out,
        INVALID_SELECTORS: unknown_command,
        INVALID_PARAMETER: invalid_parameter,
        ACCESS_DENIED: access_denied,
        SCHEMA_INVALID: schema_invalid,
        ACTION_NOT_SUPPORTED: action_not_supported,
    }
    if code == SHELL_QUOTA:
        return shell_quota(shells)
    if code == OPERATION_QUOTA:
        return operation_quota(operations)
    return named[code]() if code in named else system_error(code)
