"""The namespaces, action and resource names of WS-Management as Windows speaks it."""

from __future__ import annotations

from typing import Final

SOAP: Final = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSMAN: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
WSMAN_MS: Final = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
TRANSFER: Final = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
EVENTING: Final = "http://schemas.xmlsoap.org/ws/2004/08/eventing"
ENUMERATION: Final = "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
SHELL: Final = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
FAULT: Final = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
CONFIG: Final = "http://schemas.microsoft.com/wbem/wsman/1/config"
IDENTITY: Final = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
WMI_ERROR: Final = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"

ANONYMOUS: Final = f"{ADDRESSING}/role/anonymous"
FAULT_ACTION: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
FAULT_DETAIL: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail"

CMD_SHELL: Final = f"{SHELL}/cmd"  # the resource of a Windows Remote Shell
COMMAND_STATE: Final = f"{SHELL}/CommandState"
SIGNAL: Final = f"{SHELL}/signal"
