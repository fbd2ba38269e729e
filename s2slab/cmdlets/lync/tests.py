"""Test-CsExStorageConnectivity: the storage service of a front end writes an item into a user's mailbox."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn

from s2slab.cmdlets.shared.base import cause_of, flag, place, text
from s2slab.engine.registry import Call, CmdletSpec, Parameter
from s2slab.web import storage

TESTERS = ("RTC Local User Administrators", "RTCUniversalUserAdmins")
BINDINGS = ("NetNamedPipe", "NetTCP")
FOLDERS = ("ConversationHistory", "Inbox", "Dumpster")


def local_specs() -> list[CmdletSpec]:
    """The test exists on a front end's local shell only."""
    parameters = (
        Parameter("SipUri", "string", mandatory=True, position=0, not_empty=True),
        Parameter("Binding", "string", values=BINDINGS),
        Parameter("HostNameStorageService", "string"),
        Parameter("Folder", "string", values=FOLDERS),
        Parameter("DeleteItem", "switch"),
        Parameter("UseCache", "switch"),
        Parameter("Force", "switch"),
    )
    return [CmdletSpec("Test-CsExStorageConnectivity", _test, parameters)]


def _test(call: Call) -> Iterator[str]:
    at = place(call)
    binding = text(call.parameters.get("Binding")) or "NetNamedPipe"
    host = text(call.parameters.get("HostNameStorageService")) or None
    if not at.session.is_in(*TESTERS):
        _fail(call, "Access Denied", "PermissionDenied")
    if binding == "NetNamedPipe" and at.server.named_pipes_refuse_network and at.session.network_logon:
        _fail(call, "Access Denied", "PermissionDenied")  # a WCF named pipe denies the NETWORK SID
    if binding == "NetTCP" and host is None:
        _fail(call, "HostNameStorageService is needed with the NetTCP binding.", "InvalidArgument")
    if at.network is None:
        _fail(call, "There was no endpoint listening at the storage service.", "ConnectionError")
    with at.estate.log.causing(cause_of(call)):
        outcome = storage.test_connectivity(
            at.estate,
            at.network,
            at.server,
            sip_uri=text(call.parameters["SipUri"]),
            folder=text(call.parameters.get("Folder")) or "ConversationHistory",
            delete_item=flag(call, "DeleteItem"),
            binding=binding,
            host=host,
        )
    for line in outcome.trace:
        call.verbose(line)
    if not outcome.passed:
        _fail(call, outcome.error or "Test failed.", "OperationStopped")
    yield "Test Passed"


def _fail(call: Call, message: str, category: str) -> NoReturn:
    """A terminating error; that it is terminating, its id and its category are UNCONFIRMED."""
    call.throw(
        message,
        id="TestCsExStorageConnectivity",
        category=category,
        exception="Microsoft.Rtc.Management.Storage.StorageServiceException",
    )
