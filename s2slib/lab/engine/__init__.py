"""What a powershell.exe is in the lab: the commands a machine has, and two engines that run them.

    registry   what there is: cmdlets, programs, scripts, modules, endpoints
    direct     answers s2slib's constant script by itself; the default, Python alone
    real       a PowerShell process, its cmdlets functions that ask the lab
"""

from s2slib.lab.engine.registry import (
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
    ScriptCall,
    ScriptSpec,
)
from s2slib.lab.engine.values import (
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
    "ScriptCall",
    "ScriptSpec",
    "SecureString",
    "ps_object",
]
