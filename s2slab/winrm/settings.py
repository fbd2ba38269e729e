"""What a simulated server's WinRM service allows, and what a test makes it do wrong."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Literal

Transport = Literal["basic", "ntlm", "credssp"]
Moment = Literal["before", "after", "mid_reply"]
FaultKind = Literal["cut", "delay", "http_200", "http_500", "http_503", "fault_code"]


@dataclass(eq=False)
class Fault:
    """Something that goes wrong at the `skip + 1`-th matching request and the `count - 1` ones behind it.

    `action` is the tail of the WS-Management action ("Create", "Command", "Send", "Receive", "Signal", "Delete", "Get")
    or "*". What happens:

    ============  ================================  =====================================  ======================
    kind          when="before"                     when="after"                           when="mid_reply"
    ============  ================================  =====================================  ======================
    cut           connection closed, nothing done   done, connection closed, no reply      half the reply, closed
    delay         done `delay_s` later              done, reply `delay_s` later            half, a pause, the rest
    http_...      that status and `body`, not done  done, that status and `body` instead   refused
    fault_code    the SOAP fault `code`, not done   done, the SOAP fault `code` instead    refused
    ============  ================================  =====================================  ======================
    """

    action: str
    kind: FaultKind
    when: Moment = "before"
    count: int = 1
    skip: int = 0
    delay_s: float = 0.0
    code: int = 0
    body: bytes = b""  # of an http_...: a proxy's page, say; sent as text/html, for http_200 as SOAP (and sealed)

    def __post_init__(self) -> None:
        if self.when == "mid_reply" and self.kind not in ("cut", "delay"):
            raise ValueError(f"a {self.kind} cannot happen in the middle of a reply")
        if self.kind == "fault_code" and not self.code:
            raise ValueError("fault_code needs a code")


@dataclass
class WinRmSettings:
    """The service's configuration. Every field may be changed while the server runs; the next request sees it.

    Quotas and timeouts are the defaults of Windows Server 2012 and later. `transports` is what the lab offers, not the
    Windows default (there Basic and CredSSP are off until somebody switches them on). Kerberos is never offered.
    """

    transports: frozenset[Transport] = frozenset({"basic", "ntlm", "credssp"})
    allow_unencrypted: bool = False
    channel_binding: Literal["none", "accepted", "required"] = "accepted"  # CbtHardeningLevel None, Relaxed, Strict
    max_shells_per_user: int = 30
    max_operations: int = 1500  # commands a user may start in open shells; only closing a shell gives them back
    max_envelope_kb: int = 500
    max_timeout_s: float = 60.0  # upper bound of a request's OperationTimeout
    idle_timeout_s: float = 7200.0  # of a shell that asks for none
    max_shell_run_time_s: float = 28800.0
    idle_drop_s: float = 120.0  # a connection without a request for this long is closed
    os_version: str = "10.0.14393"
    faults: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def take_fault(self, action: str, when: Moment) -> Fault | None:
        """The fault due for this request at this moment, counted down; None when all goes well."""
        with self._lock:
            for fault in self.faults:
                if fault.when != when or fault.action not in ("*", action):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.count -= 1
                if fault.count <= 0:
                    self.faults.remove(fault)
                return fault
        return None
