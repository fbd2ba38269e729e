"""WS-Management of one simulated Windows server: what unmodified WinRM clients talk to."""

from s2slab.winrm.auth import Accounts, Logon
from s2slab.winrm.launch import launch_windows
from s2slab.winrm.launching import Launch, Launcher, LaunchError
from s2slab.winrm.process import Process, ThreadProcess
from s2slab.winrm.server import WinRmServer
from s2slab.winrm.settings import Fault, WinRmSettings

__all__ = [
    "Accounts",
    "Fault",
    "Launch",
    "LaunchError",
    "Launcher",
    "Logon",
    "Process",
    "ThreadProcess",
    "WinRmServer",
    "WinRmSettings",
    "launch_windows",
]
