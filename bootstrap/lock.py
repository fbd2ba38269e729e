"""One start at a time changes .venv; the operating system drops the lock when its holder ends, however it ends."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def exclusive(file: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Holds the lock while the block runs. `on_wait` is called once if another process has it. OSError if it cannot be."""
    with file.open("ab") as handle:
        waited = False
        while True:
            try:
                _take(handle.fileno())
                break
            except OSError:
                if not waited:
                    on_wait()
                waited = True
                time.sleep(0.2)
        yield
