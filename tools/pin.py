"""Pin anew, with hashes, what pyproject.toml and s2slab/pyproject.toml ask for: requirements*.txt.

python tools/pin.py          (needs uv, and an index that it is configured for)

One resolution for Windows, macOS and Linux and every Python that requires-python allows, then split by who needs it. A pin
that is there stays as long as it fits; remove the files to get the newest of everything.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = "setuptools>=77"  # builds the checkout's own package, offline too
SETS = {  # file: what it is for, extras, the file that it rests on
    "requirements.txt": ("What s2s, the lab and the demo need.", ("keyring",), ""),
    "requirements-test.txt": ("What the tests need besides.", ("keyring", "test"), "requirements.txt"),
    "requirements-ui.txt": ("JupyterLab.", ("keyring", "ui"), "requirements.txt"),
    "requirements-dev.txt": ("Lint, format and type checks.", ("keyring", "test", "dev"), "requirements-test.txt"),
}
BLOCK = re.compile(r"(?m)^\S.*(?:\n .*)*")


def resolved(extras: tuple[str, ...], constraint: Path | None, scratch: Path) -> dict[str, str]:
    """Every pin of a set with its hashes, by package and marker."""
    build = scratch / "build.in"
    build.write_text(BUILD + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
    command += [
        "--generate-hashes",
        "--no-strip-extras",
        "--no-header",
        "--no-annotate",
        "--no-emit-index-url",
        "--output-file",
        "out.txt",
    ]
    command += [f"--extra={extra}" for extra in extras] + (["--constraint", str(constraint)] if constraint else [])
    out = scratch / "out.txt"
    command[command.index("out.txt")] = str(out)
    out.unlink(missing_ok=True)
    sources = [ROOT / "pyproject.toml", ROOT / "s2slab" / "pyproject.toml", build]
    subprocess.run([*command, *map(str, sources)], cwd=ROOT, check=True)
    blocks = BLOCK.findall(out.read_text(encoding="utf-8"))
    return {block.split("\\")[0].strip(): block for block in blocks}


def main() -> int:
    """Write the four files."""
    kept = [line for name in SETS for line in pins(ROOT / name)]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        known = scratch / "known.txt"
        known.write_text("\n".join(kept) + "\n", encoding="utf-8")
        everything = resolved(("keyring", "test", "ui", "dev"), known, scratch)
        known.write_text("\n".join(everything) + "\n", encoding="utf-8")
        found = {name: resolved(extras, known, scratch) for name, (_, extras, _) in SETS.items()}
    for name, (purpose, _, base) in SETS.items():
        below: set[str] = set()
        above = base
        while above:
            below |= found[above].keys()
            above = SETS[above][2]
        lines = [f"# {purpose}", "# Written by tools/pin.py from pyproject.toml and s2slab/pyproject.toml."]
        lines += [f"-r {base}"] if base else []
        lines += [block for pin, block in found[name].items() if pin not in below]
        (ROOT / name).write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    return 0


def pins(file: Path) -> list[str]:
    """The pins of a file, without their hashes."""
    if not file.is_file():
        return []
    lines = (line.split("\\")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith(("#", "-"))]


if __name__ == "__main__":
    sys.exit(main())
