"""Jupyter: the notebooks' way into a run, how results are drawn, forms, and the papermill engine."""

from s2slib.notebook.session import NotebookRun, open_run

__all__ = ["NotebookRun", "open_run"]
