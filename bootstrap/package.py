"""s2slib itself for the environment: an editable wheel, made here from pyproject.toml.

A wheel and not `pip install -e`: no build backend to download, half a second in place of four, and pip still makes
the `s2s` program (an .exe on Windows) and the entry point by which papermill finds the engine.
"""

from __future__ import annotations

import base64
import hashlib
import os
import tomllib
import zipfile
from pathlib import Path
from typing import Any

PYPROJECT = "pyproject.toml"


def digest(root: Path) -> str:
    """Changes when pyproject.toml does: another version, another entry point."""
    return hashlib.sha256((root / PYPROJECT).read_bytes()).hexdigest()


def editable_wheel(root: Path, site_packages: Path, into: Path) -> Path:
    """Writes the wheel into a folder. It holds the metadata and a path file that leads from `site_packages` to the
    checkout; the path is relative, so that no file name needs an encoding that this Python may not have."""
    project = tomllib.loads((root / PYPROJECT).read_text(encoding="utf-8"))["project"]
    name, version = str(project["name"]), str(project["version"])
    info = f"{name}-{version}.dist-info"
    files = {
        f"__editable__.{name}.pth": Path(os.path.relpath(root, site_packages)).as_posix() + "\n",
        f"{info}/METADATA": _metadata(project),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: run.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": _entry_points(project),
    }
    record = [f"{file},{_record_hash(text)},{len(text.encode())}" for file, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    wheel = into / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return wheel


def _metadata(project: dict[str, Any]) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}"]
    if "description" in project:
        lines.append(f"Summary: {project['description']}")
    if "requires-python" in project:
        lines.append(f"Requires-Python: {project['requires-python']}")
    lines += [f"Requires-Dist: {requirement}" for requirement in project.get("dependencies", [])]
    for extra, requirements in project.get("optional-dependencies", {}).items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {_only_with(extra, requirement)}" for requirement in requirements]
    return "\n".join(lines) + "\n"


def _only_with(extra: str, requirement: str) -> str:
    package, _, marker = requirement.partition(";")
    condition = f'({marker.strip()}) and extra == "{extra}"' if marker.strip() else f'extra == "{extra}"'
    return f"{package.strip()}; {condition}"


def _entry_points(project: dict[str, Any]) -> str:
    groups = {"console_scripts": project.get("scripts", {}), **project.get("entry-points", {})}
    lines: list[str] = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{entry} = {target}" for entry, target in entries.items()), ""]
    return "\n".join(lines)


def _record_hash(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
