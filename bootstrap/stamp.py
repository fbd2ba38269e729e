"""What an environment says of itself, in a file inside it: how far it is, where it was made, what is installed.

making      venv is being made; found at a start: it never finished
installing  pip is at work; found at a start: it never finished
complete    everything named in `installed` is there
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

FILE = "s2s-environment.json"
State = Literal["making", "installing", "complete"]


@dataclass(frozen=True)
class Stamp:
    """`location` is the folder's real path, `python` is `sets.python_tag()`, `installed` maps a set to the digest that
    it was installed with, `package` is the digest of s2slib's own metadata. `ours`: run.py made the environment and
    may therefore delete it."""

    state: State
    location: str
    python: str
    ours: bool
    package: str = ""
    installed: Mapping[str, str] = field(default_factory=dict)

    def at(self, state: State) -> Stamp:
        return replace(self, state=state)


def read(environment: Path) -> Stamp | None:
    """The stamp in an environment; None if there is none or it is not one."""
    try:
        found = json.loads((environment / FILE).read_bytes())
        stamp = Stamp(**found)
    except (OSError, ValueError, TypeError):
        return None
    texts = (stamp.location, stamp.python, stamp.package)
    known = stamp.state in ("making", "installing", "complete") and isinstance(stamp.installed, dict)
    return stamp if known and all(isinstance(text, str) for text in texts) and isinstance(stamp.ours, bool) else None


def write(environment: Path, stamp: Stamp) -> None:
    """Replaces the stamp in one step, so that a kill leaves the old one or the new one."""
    temporary = environment / f"{FILE}.{os.getpid()}.tmp"
    try:
        temporary.write_text(json.dumps(asdict(stamp), indent=1), encoding="utf-8")
        os.replace(temporary, environment / FILE)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
