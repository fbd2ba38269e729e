"""WS-Management of one simulated Windows server: what unmodified WinRM clients talk to."""

from s2slib.lab.winrm.auth import Accounts, Logon
from s2slib.lab.winrm.launch import launch_windows
from s2slib.lab.winrm.launching import Launch, Launcher, LaunchError
from s2slib.lab.winrm.process import Process, ThreadProcess
from s2slib.lab.winrm.server import WinRmServer
from s2slib.lab.winrm.settings import Fault, WinRmSettings

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
