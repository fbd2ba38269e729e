"""The yardstick: what a real engine answered to hundreds of scripts, and whether the evaluator answers alike or refuses."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from s2slib.lab.powershell.differences import as_windows_powershell
from s2slib.lab.powershell.process import REFUSED, run_process
from s2slib.lab.powershell.registry import Endpoint, EndpointError, Registry

FRONT = "$ErrorView='NormalView'; $ProgressPreference='SilentlyContinue'\n"
WITHOUT_FRONT = ("parse", "raw-streams", "supervisor")
_FRAME = re.compile(r"<(\S+) (\d+) (\S+) (\S+)>")


class BareMachine:
    """A Windows without anything beyond PowerShell itself, as the cases were recorded on."""

    name = "vm"
    fqdn = "vm.contoso.com"
    language_mode = "FullLanguage"
    powershell_version = "5.1.14393.4530"
    culture = ""

    def __init__(self) -> None:
        self.registry = Registry()

    def environment(self, session: object) -> dict[str, str]:
        """A handful of variables."""
        return {"COMPUTERNAME": "VM", "USERNAME": "kenmyer", "Path": "C:\\Windows\\system32"}

    def read_file(self, path: str) -> str | None:
        """There are no files."""
        return None

    def exists(self, path: str) -> bool:
        """Only the system folder."""
        return path.lower().rstrip("\\") in ("c:", "c:\\windows")

    def now(self) -> datetime:
        """The computer's own clock."""
        return datetime.now(UTC)

    def sleep(self, seconds: float, stopping: threading.Event) -> bool:
        """Real time passes."""
        return False

    def open_endpoint(
        self,
        session: object,
        *,
        uri: str | None,
        computer: str | None,
        configuration: str,
        authentication: str,
        credential: tuple[str, str] | None,
    ) -> Endpoint:
        """There is no other computer."""
        raise EndpointError(f"Connecting to remote server {computer or uri} failed.")


@dataclass(frozen=True)
class Case:
    """One recorded script. `differs51` says why Windows PowerShell 5.1 would answer otherwise."""

    id: str
    group: str
    script: str
    rc: int
    stdout: str
    stdin: str | None = None
    differs51: str | None = None


@dataclass(frozen=True)
class Verdict:
    """How a case was answered: 'answered', 'refused', 'wrong' (with what came) or 'left out'; `why` for all but the first.

    | 5.1 is known to answer otherwise | the evaluator | outcome |
    | --- | --- | --- |
    | the case says so (`differs51`) | is not asked | left out |
    | - | refuses | refused |
    | - | answers as recorded | answered |
    | a rule of `differences` turns the recorded answer into 5.1's | answers so | left out |
    | otherwise | | wrong |
    """

    case: Case
    outcome: str
    why: str = ""
    rc: int = 0
    stdout: str = ""


def read_cases(path: Path) -> list[Case]:
    """The cases of a JSON lines file; fields that are not needed are left out."""
    names = Case.__dataclass_fields__
    lines = path.read_text(encoding="utf-8").split("\n")  # a script may hold other characters that end a line
    rows = [json.loads(line) for line in lines if line.strip()]
    return [Case(**{k: x for k, x in row.items() if k in names}) for row in rows]


def run_case(case: Case) -> Verdict:
    """Run one case in a process of its own and compare."""
    script = case.script if case.group in WITHOUT_FRONT else FRONT + case.script
    encoded = base64.b64encode(script.encode("utf-16-le", "surrogatepass")).decode("ascii")
    out, err = bytearray(), bytearray()
    rc = run_process(
        ["-NoProfile", "-NonInteractive", "-EncodedCommand", encoded],
        stdin=io.BytesIO((case.stdin or "").encode("utf-8")),
        stdout=out.extend,
        stderr=err.extend,
        machine=BareMachine(),
        session=None,
        stop=threading.Event(),
    )
    stdout = out.decode("utf-8", "replace")
    if rc == REFUSED:
        found = re.search(r"does not support (.*?)\.?_x000D_", err.decode("utf-8", "replace"))
        return Verdict(case, "refused", found[1] if found else err.decode("utf-8", "replace")[-300:], rc, stdout)
    if rc == case.rc and _comparable(case.group, stdout) == _comparable(case.group, case.stdout):
        return Verdict(case, "answered", "", rc, stdout)
    expected, differences = as_windows_powershell(case.stdout)
    if rc == case.rc and _comparable(case.group, stdout) == _comparable(case.group, expected):
        return Verdict(case, "left out", "; ".join(f"{d.says} ({d.source})" for d in differences), rc, stdout)
    return Verdict(case, "wrong", "", rc, stdout)


def _comparable(group: str, text: str) -> Any:
    lines = text.replace("\r\n", "\n")
    return [_frame(line) for line in lines.split("\n")] if group == "supervisor" else lines


def _frame(line: str) -> Any:
    found = _FRAME.fullmatch(line)
    return json.loads(base64.b64decode(found[4])) if found else line


def run_corpus(cases: Iterable[Case]) -> Iterator[Verdict]:
    """Verdicts on the cases; what is marked as answered otherwise by Windows PowerShell 5.1 is not run."""
    for case in cases:
        yield run_case(case) if case.differs51 is None else Verdict(case, "left out", case.differs51)
