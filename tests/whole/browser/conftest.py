"""JupyterLab on a copy of the notebooks, beside a lab, with a browser in front of it; skipped where there is none of these."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from helpers.paths import ROOT

pytest.importorskip("jupyterlab")
pytest.importorskip("websocket")

from helpers.devtools import Page, chromium

from bootstrap.start import jupyterlab as arguments_of
from s2slab.service import Lab

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
QUIET = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}


@pytest.fixture(scope="session")
def jupyterlab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address with a `{}` for a notebook's name; nothing that is done in it reaches the checkout."""
    folder = tmp_path_factory.mktemp("jupyter")
    for part in ("notebooks", "params", "docs"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns(".ipynb_checkpoints"))
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(QUIET), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "HOME": str(folder),
        "JUPYTER_TOKEN": "rehearsal",
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "S2S_LAB_STATE": str(folder / "lab.json"),
        "S2S_RUNS": str(folder / "runs"),
        "S2S_WORKSPACE": str(folder),
    }
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    command = [sys.executable, *arguments_of(folder), *options]
    with Lab(state=folder / "lab.json"), (folder / "jupyter.log").open("wb") as log:
        child = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            _wait_for(port, child)
            yield f"http://127.0.0.1:{port}/doc/tree/notebooks/{{}}.ipynb?token=rehearsal&reset"
        finally:
            child.terminate()
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:  # it waits for its kernels' shutdown longer than a test should
                child.kill()
                child.wait()


def _wait_for(port: int, child: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and child.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("JupyterLab did not start")


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page of a headless browser."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is in the path")
    with chromium(program, tmp_path_factory.mktemp("profile")) as opened:
        opened.size(1200, 3200)
        yield opened
