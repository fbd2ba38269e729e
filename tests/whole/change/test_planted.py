"""Modules that somebody put into the folder where an operator happens to be are run by nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.change_world import ROOT, ChangeWorld

PLANTED = ("ipykernel_launcher", "yaml", "papermill", "json", "s2slib")


@pytest.mark.slow
def test_a_module_in_the_current_folder_is_imported_by_no_kernel(estate: ChangeWorld, tmp_path: Path) -> None:
    folder = tmp_path / "downloads"
    folder.mkdir()
    for name in PLANTED:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})\n", encoding="utf-8")
    s2s = Path(sys.executable).with_name("s2s")
    environ = {**os.environ, "S2S_LAB_STATE": os.path.relpath(os.environ["S2S_LAB_STATE"], folder)}
    done = subprocess.run(
        [str(s2s), "verify", str(ROOT / "params" / "lab.yaml")],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    assert "the trust is not proven" in done.stdout.lower(), done.stdout
    assert not (tmp_path / "ran").exists()
