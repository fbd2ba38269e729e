"""An evaluator for the Windows PowerShell 5.1 that arrives at the lab: the same answer as the engine, or a loud refusal."""

from s2slib.lab.powershell.registry import (
    BindError,
    Call,
    CmdletSpec,
    Endpoint,
    EndpointError,
    Machine,
    Parameter,
    ProgramCall,
    ProgramSpec,
    Registry,
)
from s2slib.lab.powershell.values import (
    PSCredential,
    PsEnum,
    PsObject,
    PsUri,
    PsVersion,
    SecureString,
    ps_object,
)

__all__ = [
    "BindError",
    "Call",
    "CmdletSpec",
    "Endpoint",
    "EndpointError",
    "Machine",
    "PSCredential",
    "Parameter",
    "ProgramCall",
    "ProgramSpec",
    "PsEnum",
    "PsObject",
    "PsUri",
    "PsVersion",
    "Registry",
    "SecureString",
    "ps_object",
    "run_process",
]


def __getattr__(name: str) -> object:
    if name == "run_process":  # the evaluator proper is loaded when the first process starts
        from s2slib.lab.powershell.process import run_process

        return run_process
    raise AttributeError(name)
