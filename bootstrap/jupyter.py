"""JupyterLab as the runbooks want it: on the notebooks, asking nobody outside for news, updates or extensions."""

from __future__ import annotations

import json
from pathlib import Path

FIRST_NOTEBOOK = "notebooks/00_start.ipynb"


def write_defaults(environment: Path) -> None:
    """Defaults for this environment only; what a user has set for himself stays and wins."""
    folder = environment / "share" / "jupyter" / "lab" / "settings"
    folder.mkdir(parents=True, exist_ok=True)
    quiet = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
    (folder / "overrides.json").write_text(json.dumps(quiet, indent=1), encoding="utf-8")


def command(root: Path) -> list[str]:
    """The interpreter's arguments that start JupyterLab on the checkout."""
    arguments = ["-m", "jupyterlab", f"--ServerApp.root_dir={root}", "--LabApp.extension_manager=readonly"]
    if (root / FIRST_NOTEBOOK).is_file():
        arguments.append(f"--LabApp.default_url=/lab/tree/{FIRST_NOTEBOOK}")
    return arguments
