"""Writing a file whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

REPLACE_ATTEMPTS, REPLACE_PAUSE_S = 20, 0.1


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` (UTF-8, LF): written beside it, brought to disk, moved over it."""
    handle, temporary = tempfile.mkstemp(prefix=path.name + ".", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _replace(source: str, target: Path) -> None:
    """Move one file over another. On Windows that fails while an indexer or virus scanner reads it: wait a little."""
    for attempt in range(REPLACE_ATTEMPTS):
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if attempt == REPLACE_ATTEMPTS - 1:
                raise
            time.sleep(REPLACE_PAUSE_S)


def write_json(path: Path, data: Any) -> None:
    """Replace `path` by `data` as indented JSON, keys sorted."""
    write_text(path, json.dumps(data, ensure_ascii=False, indent=2, sort_keys=True) + "\n")


def read_object(path: Path) -> dict[str, Any] | None:
    """The JSON object of a file; None when there is none. An empty object for what cannot be read as one."""
    try:
        data = read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}


def read_json(path: Path) -> Any:
    """The JSON value in a file, UTF-8 or UTF-16, with a byte order mark or without.

    Raises OSError, or ValueError for what is none or is nested without end.
    """
    try:
        return json.loads(path.read_bytes())
    except RecursionError:
        raise ValueError("nested too deeply") from None
