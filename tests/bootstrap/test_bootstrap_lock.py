"""One start at a time; nobody waits for a process that is gone."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

from helpers.bootstrap_host import REPOSITORY

from bootstrap.lock import exclusive

HOLD = """
import sys, time
from pathlib import Path
from bootstrap.lock import exclusive
with exclusive(Path(sys.argv[1]), lambda: None):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_free_lock_is_taken_without_waiting_and_again_afterwards(tmp_path: Path) -> None:
    waited: list[str] = []
    for _ in range(2):
        with exclusive(tmp_path / "lock", lambda: waited.append("waited")):
            pass
    assert waited == []


def test_a_second_start_says_that_it_waits_and_goes_on_after_the_first(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        with exclusive(tmp_path / "lock", waiting.set):
            order.append("second")

    thread = threading.Thread(target=second)
    with exclusive(tmp_path / "lock", lambda: None):
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        waiting, entered = threading.Event(), threading.Event()

        def wait() -> None:
            with exclusive(lock, waiting.set):
                entered.set()

        thread = threading.Thread(target=wait)
        thread.start()
        assert waiting.wait(10)
        assert not entered.wait(0.5)
        holder.kill()
        thread.join(10)
        assert entered.is_set()
