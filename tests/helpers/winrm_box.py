"""A simulated machine of the smallest kind: what `launch_windows` needs."""

from __future__ import annotations

from dataclasses import dataclass, field

from s2slab.engine.registry import Endpoint, EndpointError, Opening, ProgramCall, ProgramSpec, Registry


@dataclass
class Box:
    """A machine with two programs and one script file."""

    name: str = "atl-cs-001"
    fqdn: str = "atl-cs-001.litwareinc.com"
    language_mode: str = "FullLanguage"
    powershell_version: str = "5.1.14393.4530"
    registry: Registry = field(default_factory=Registry)
    calls: list[ProgramCall] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registry.add(ProgramSpec("iisreset.exe", self.iisreset))

    def iisreset(self, call: ProgramCall) -> int:
        self.calls.append(call)
        call.write_stdout("Zurückgesetzt €\r\n")
        call.write_stderr("nicht ganz\r\n")
        return 3

    def environment(self, session: object) -> dict[str, str]:
        return {"SystemRoot": r"C:\Windows", "USERNAME": str(session)}

    def read_file(self, path: str) -> str | None:
        return "exit 3" if self.exists(path) else None

    def script_files(self) -> list[str]:
        return []

    def exists(self, path: str) -> bool:
        return path.lower() == r"c:\scripts\x.cmd"

    def open_endpoint(self, session: object, wanted: Opening) -> Endpoint:
        raise EndpointError("no endpoint")
