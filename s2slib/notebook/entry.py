"""What papermill finds under the engine name `s2s`: imports nothing until it is used.

papermill loads every installed engine while it is being imported itself; one that imports papermill then would meet it half made.
"""

from __future__ import annotations

from typing import Any


class RunbookEngine:
    """Hands over to `s2slib.notebook.engine.RunbookEngine`."""

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str, **options: Any) -> Any:
        """Execute a notebook with the runbook's engine."""
        from s2slib.notebook import engine

        return engine.RunbookEngine.execute_notebook(nb, kernel_name, **options)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> Any:
        """The kernel a notebook asks for."""
        from s2slib.notebook import engine

        return engine.RunbookEngine.nb_kernel_name(nb, name)

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> Any:
        """The language a notebook is in."""
        from s2slib.notebook import engine

        return engine.RunbookEngine.nb_language(nb, language)
