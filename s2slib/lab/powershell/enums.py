"""The enumerations scripts can name: members with their numbers, and which of them are flags."""

from __future__ import annotations

from s2slib.lab.powershell.values import PsEnum

SMA = "System.Management.Automation."


def _row(text: str) -> dict[str, int]:
    """Names in order from 0; `Name=5` sets the count."""
    found: dict[str, int] = {}
    number = 0
    for item in text.split():
        name, _, value = item.partition("=")
        number = int(value) if value else number
        found[name] = number
        number += 1
    return found


_CATEGORIES = (
    "NotSpecified OpenError CloseError DeviceError DeadlockDetected InvalidArgument InvalidData InvalidOperation "
    "InvalidResult InvalidType MetadataError NotImplemented NotInstalled ObjectNotFound OperationStopped OperationTimeout "
    "SyntaxError ParserError PermissionDenied ResourceBusy ResourceExists ResourceUnavailable ReadError WriteError "
    "FromStdErr SecurityError ProtocolError ConnectionError AuthenticationError LimitsExceeded QuotaExceeded NotEnabled"
)

ENUMS: dict[str, dict[str, int]] = {
    "System.DayOfWeek": _row("Sunday Monday Tuesday Wednesday Thursday Friday Saturday"),
    "System.DateTimeKind": _row("Unspecified Utc Local"),
    "System.StringComparison": _row(
        "CurrentCulture CurrentCultureIgnoreCase InvariantCulture InvariantCultureIgnoreCase Ordinal OrdinalIgnoreCase"
    ),
    "System.StringSplitOptions": _row("None RemoveEmptyEntries"),
    "System.MidpointRounding": _row("ToEven AwayFromZero"),
    "System.Base64FormattingOptions": _row("None InsertLineBreaks"),
    "System.IO.SeekOrigin": _row("Begin Current End"),
    "System.ConsoleColor": _row(
        "Black DarkBlue DarkGreen DarkCyan DarkRed DarkMagenta DarkYellow Gray DarkGray Blue Green Cyan Red Magenta Yellow "
        "White"
    ),
    "System.Globalization.DateTimeStyles": _row(
        "None=0 AllowLeadingWhite=1 AllowTrailingWhite=2 AllowInnerWhite=4 AllowWhiteSpaces=7 NoCurrentDateDefault=8 "
        "AdjustToUniversal=16 AssumeLocal=32 AssumeUniversal=64 RoundtripKind=128"
    ),
    "System.Globalization.NumberStyles": _row("None=0 Integer=7 HexNumber=515 Number=111 Float=167 Any=511"),
    "System.Text.RegularExpressions.RegexOptions": _row(
        "None=0 IgnoreCase=1 Multiline=2 ExplicitCapture=4 Compiled=8 Singleline=16 IgnorePatternWhitespace=32"
    ),
    SMA + "ActionPreference": _row("SilentlyContinue Stop Continue Inquire Ignore Suspend"),
    SMA + "ErrorCategory": _row(_CATEGORIES),
    SMA + "ConfirmImpact": _row("None Low Medium High"),
    SMA + "CommandTypes": _row(
        "Alias=1 Function=2 Filter=4 Cmdlet=8 ExternalScript=16 Application=32 Script=64 Workflow=128 Configuration=256 "
        "All=511"
    ),
    SMA + "PSMemberTypes": _row(
        "AliasProperty=1 CodeProperty=2 Property=4 NoteProperty=8 ScriptProperty=16 Properties=31 PropertySet=32 Method=64 "
        "CodeMethod=128 ScriptMethod=256 ParameterizedProperty=512"
    ),
    SMA + "PSInvocationState": _row("NotStarted Running Stopping Stopped Completed Failed Disconnected"),
    SMA + "PSLanguageMode": _row("FullLanguage RestrictedLanguage NoLanguage ConstrainedLanguage"),
    SMA + "Runspaces.RunspaceState": _row("BeforeOpen Opening Opened Closed Closing Broken Disconnecting Disconnected"),
    SMA + "Runspaces.RunspaceAvailability": _row("None Available AvailableForNestedCommand Busy RemoteDebug"),
    SMA + "Runspaces.PSThreadOptions": _row("Default UseNewThread ReuseThread UseCurrentThread"),
    SMA + "Runspaces.AuthenticationMechanism": _row(
        "Default Basic Negotiate NegotiateWithImplicitCredential Credssp Digest Kerberos"
    ),
    SMA + "Runspaces.RunspaceMode": _row("None"),
    "System.Threading.ApartmentState": _row("STA MTA Unknown"),
    "Microsoft.PowerShell.ExecutionPolicy": _row("Unrestricted RemoteSigned AllSigned Restricted Bypass Undefined"),
    "System.Net.SecurityProtocolType": _row("SystemDefault=0 Ssl3=48 Tls=192 Tls11=768 Tls12=3072"),
}

FLAGS = frozenset(
    (
        "System.Globalization.DateTimeStyles",
        "System.Globalization.NumberStyles",
        "System.Text.RegularExpressions.RegexOptions",
        SMA + "CommandTypes",
        SMA + "PSMemberTypes",
        "System.Net.SecurityProtocolType",
    )
)


def enum_value(type_name: str, name: str) -> PsEnum:
    """A member by its exact name."""
    return PsEnum(type_name, name, ENUMS[type_name][name])


def enum_named(type_name: str, text: str) -> PsEnum | None:
    """A member by its name without case, or None. Several names of a flags type may be joined by commas."""
    members = ENUMS[type_name]
    for name, value in members.items():
        if name.lower() == text.strip().lower():
            return PsEnum(type_name, name, value)
    if "," in text and type_name in FLAGS:
        found = [enum_named(type_name, part) for part in text.split(",")]
        if all(f is not None for f in found):
            total = 0
            for f in found:
                assert f is not None
                total |= f.value
            return PsEnum(type_name, ", ".join(f.name for f in found if f is not None), total)
    return None


def enum_number(type_name: str, number: int) -> PsEnum | None:
    """A member by its number, or None."""
    for name, value in ENUMS[type_name].items():
        if value == number:
            return PsEnum(type_name, name, value)
    return None
