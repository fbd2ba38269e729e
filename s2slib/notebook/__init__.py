"""Jupyter: the notebooks' way into a run, how results are drawn, forms, and the papermill engine.

`open_run` is imported when it is first asked for: papermill imports the engine from here at every start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s2slib.notebook.session import NotebookRun, open_run

__all__ = ["NotebookRun", "open_run"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from s2slib.notebook import session

        return getattr(session, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
