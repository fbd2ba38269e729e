"""`s2s init`: a workspace outside a checkout."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from s2slib import workspace
from s2slib.errors import EXIT_USAGE, S2SError


class NotEmpty(S2SError):
    """There is something in the way; nothing was written."""

    exit_code = EXIT_USAGE


def init(folder: Path) -> int:
    """Write `params/` and `notebooks/` into a folder, and say what is next. NotEmpty where one of them is there."""
    for name in ("params", "notebooks"):
        if (folder / name).exists():
            raise NotEmpty(f"{folder / name} is there already: name another folder; nothing was written")
    for name, ending in (("params", ".yaml"), ("notebooks", ".ipynb")):
        (folder / name).mkdir(parents=True)
        for file in _shipped(name).iterdir():
            if file.name.endswith(ending):
                (folder / name / file.name).write_bytes(file.read_bytes())
    click.echo(f"params/ and notebooks/ are in {folder}")
    click.echo("next: copy params/litware.yaml to a name of your own, write down your servers, then in that folder:")
    click.echo("  s2s check params/yours.yaml        reads only")
    return 0


def _shipped(name: str) -> Traversable:
    """The folder in the wheel, or that of the checkout."""
    inside = files("s2slib") / "template" / name
    return inside if inside.is_dir() else Path(workspace.__file__).parents[1] / name
