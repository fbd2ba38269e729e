"""Records the notebooks' outputs anew: executed in order, in check mode, in one run against a lab of their own.

    .venv/bin/python tools/record_notebooks.py            write them
    .venv/bin/python tools/record_notebooks.py --check    name those that the lab answers differently now; exit code 1 if any

What no two runs have in common is replaced by something that stands for it, the same wherever it appears: today is
15 January 2026, clocks stand at midnight, hashes are those of 1, 2, 3, what is timed takes a second and what is left out for
its length has 1000 characters. Nothing else is touched.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import os
import platform
import re
import sys
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

from s2slab.service import Lab

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
TODAY = date(2026, 1, 15)
WIDGET = "application/vnd.jupyter.widget-view+json"
RUN = re.compile(r"\d{8}T\d{6}Z-(?P<deployment>[a-z0-9-]+)-[0-9a-f]{4}\b")
INSTANT = re.compile(r"(?P<day>\d{4}-\d\d-\d\d)(?P<between>[T ])\d\d:\d\d(?P<seconds>:\d\d)?(\.\d+)?")
HASH = re.compile(r"(?<![-\w])[0-9A-Fa-f]{12,64}(?![-\w])")
MEASURED = (
    (re.compile(r">\d+ s</td>"), ">1 s</td>"),
    (re.compile(r"(?m)  \d+ s$"), "  1 s"),
    (re.compile(r"\(\d+ characters\)"), "(1000 characters)"),  # a certificate's serial number may be a byte shorter
    (re.compile(r"at most \d+ s apart"), "at most 0 s apart"),
    (re.compile(r"offset_s(?P<is>: |=)-?\d+"), r"offset_s\g<is>0"),
)


class Constant:
    """Replaces what differs from run to run; remembers the hashes it has met by their first twelve digits."""

    def __init__(self) -> None:
        self._met: dict[str, str] = {}
        self._shift = TODAY - datetime.now(UTC).date()

    def text(self, text: str) -> str:
        """The text with its replacements."""
        text = RUN.sub(r"20260115T000000Z-\g<deployment>-0000", text)
        text = INSTANT.sub(self._instant, text)
        text = HASH.sub(self._hash, text)
        for pattern, replacement in MEASURED:
            text = pattern.sub(replacement, text)
        return text.replace(f"{getpass.getuser()} on {platform.node()}", "administrator on jump-host")

    def outputs(self, outputs: list[NotebookNode]) -> list[NotebookNode]:
        """The outputs with their replacements, without views of widgets: those are nothing without their kernel."""
        data: Any = json.loads(json.dumps(outputs), object_hook=self._mapping)
        return [nbformat.from_dict(output) for output in data]  # type: ignore[no-untyped-call]

    def _mapping(self, part: dict[str, Any]) -> dict[str, Any]:
        return {
            key: self.text(value) if isinstance(value, str) else value for key, value in part.items() if key != WIDGET
        }

    def _instant(self, match: re.Match[str]) -> str:
        day = date.fromisoformat(match["day"]) + self._shift
        return f"{day}{match['between']}00:00{':00' if match['seconds'] else ''}"

    def _hash(self, match: re.Match[str]) -> str:
        found = match.group()
        if found.isdigit():
            return found
        stands = self._met.setdefault(found[:12].lower(), hashlib.sha256(b"%d" % (len(self._met) + 1)).hexdigest())
        stands = stands[: len(found)]
        return stands.upper() if found.upper() == found else stands


def record(file: Path, constant: Constant) -> NotebookNode:
    """The notebook with the outputs that its cells give now."""
    node: NotebookNode = nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
    metadata = json.loads(json.dumps(node.metadata))
    config = Config(KernelManager={"transport_encryption": "required"})
    NotebookClient(node, timeout=120, record_timing=False, store_widget_state=False, config=config).execute()
    node.metadata = nbformat.from_dict(metadata)  # type: ignore[no-untyped-call]
    for cell in node.cells:
        if cell.cell_type == "code":
            cell.outputs = constant.outputs(cell.outputs)
    return node


def main(arguments: list[str]) -> int:
    """Record or check every notebook."""
    different = []
    constant = Constant()
    with tempfile.TemporaryDirectory() as scratch:
        state = Path(scratch) / "lab.json"
        os.environ.update(
            S2S_LAB_STATE=str(state), S2S_RUNS=str(Path(scratch) / "runs"), S2S_WORKSPACE=str(FOLDER.parent)
        )
        with Lab(state=state):
            for file in sorted(FOLDER.glob("*.ipynb")):
                text = nbformat.writes(record(file, constant)) + "\n"  # type: ignore[no-untyped-call]
                if text != file.read_text(encoding="utf-8"):
                    different.append(file.name)
                    if "--check" not in arguments:
                        file.write_text(text, encoding="utf-8", newline="\n")
    if different:
        print(f"{'recorded' if '--check' not in arguments else 'recorded otherwise'}: {', '.join(different)}")
    return 1 if different and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
