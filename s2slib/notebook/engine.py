"""A papermill engine (`--engine s2s`) whose executed notebooks tell the truth and hold no secret.

What stock papermill records falsely, this does not: a cell that ran out of time or killed its kernel is `failed`, and the
cells after it stay `pending`. Outputs pass a second redaction before they reach a file (the library redacts at the source),
and widget state is not kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from s2slib.records.display import safe_text
from s2slib.records.redaction import Redactor

CELL_TIMEOUT_S = 7_200
START_TIMEOUT_S = 120
NEVER_ANSWERED = "Kernel died before replying"  # as nbclient says it
QUIET_KERNEL = "--IPKernelApp.log_level=50"  # it logs the interrupt that a shutdown begins with as an error
SENTENCE_LIMIT = 20_000
OUTPUT_LIMIT = 10_000_000
COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
SHOWN_KEYS = frozenset({"text", "traceback", "evalue"})
REDACTED_KEYS = ("text", "traceback", "evalue", "data")


Answer = Callable[[str, bool], str]
"""(prompt, hidden) -> what a person typed; asked once for each prompt, kept in memory only."""


class RunbookClient(PapermillNotebookClient):  # type: ignore[misc]  # papermill has no types
    """Executes cells; every way a cell can end badly is recorded as failed and stops the notebook."""

    def __init__(
        self,
        nb_man: Any,
        *,
        answer: Answer | None = None,
        redactor: Redactor | None = None,
        keep_as: Path | None = None,
        **options: Any,
    ) -> None:
        super().__init__(nb_man, **options)
        self._answer = answer
        self._redactor = redactor or Redactor()
        self._keep_as = keep_as

    async def async_execute_cell(self, cell: NotebookNode, cell_index: int, **options: Any) -> NotebookNode:
        """Execute one cell, answering the kernel's input requests meanwhile when somebody can."""
        if self._answer is None:
            plain: NotebookNode = await super().async_execute_cell(cell, cell_index, **options)
            return plain
        self.kc.allow_stdin = True
        answering = asyncio.create_task(self._answer_requests())
        try:
            done: NotebookNode = await super().async_execute_cell(cell, cell_index, **options)
            return done
        finally:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await answering

    execute_cell = run_sync(async_execute_cell)

    async def _answer_requests(self) -> None:
        assert self._answer is not None
        while True:
            request = await self.kc.get_stdin_msg(timeout=None)
            if request["header"]["msg_type"] == "input_request":
                content = request["content"]
                typed = await asyncio.to_thread(self._answer, content["prompt"], content["password"])
                if content["password"]:
                    self._redactor.add(typed)
                self.kc.input(typed)

    def papermill_execute_cells(self) -> None:
        """Execute each cell; the first failure, of whatever kind, ends the notebook and is kept in it."""
        for index, cell in enumerate(self.nb.cells):
            self.nb_man.cell_start(cell, index)
            try:
                self.execute_cell(cell, index)
            except CellExecutionError as error:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                break
            except BaseException as error:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                self.nb.metadata.papermill["stopped_by"] = type(error).__name__
                redact_cell(self.nb.cells[index], self._redactor)
                self._keep()
                raise
            finally:
                redact_cell(self.nb.cells[index], self._redactor)
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)

    def _keep(self) -> None:
        """Write what there is: papermill itself writes nothing when an engine raises."""
        if self._keep_as is not None:
            nbformat.write(self.nb, self._keep_as)  # type: ignore[no-untyped-call]

    def set_widgets_metadata(self) -> None:
        """Widgets are controls only; their state (a typed password among it) stays out of the file."""


class RunbookEngine(NBClientEngine):  # type: ignore[misc]
    """The engine papermill finds under the name `s2s`."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
        """Execute one notebook; see the module."""
        options = {
            key: value for key, value in kwargs.items() if key not in ("input_path", "timeout", "startup_timeout")
        }
        options.setdefault("store_widget_state", False)
        options.setdefault("extra_arguments", [QUIET_KERNEL])
        options.setdefault("config", Config(KernelManager={"transport_encryption": "required"}))
        execution_timeout = options.pop("execution_timeout", None) or CELL_TIMEOUT_S
        start_timeout = options.pop("start_timeout", START_TIMEOUT_S)
        client = RunbookClient(
            nb_man, kernel_name=kernel_name, timeout=execution_timeout, startup_timeout=start_timeout, **options
        )
        return client.execute()


def redact_cell(cell: NotebookNode, redactor: Redactor) -> None:
    """Redact the outputs of a cell in place: streams, results and tracebacks; texts of errors and streams made visible."""
    for output in cell.get("outputs", []):
        for key in REDACTED_KEYS:
            if key in output:
                output[key] = redactor.json(output[key])
        for key in SHOWN_KEYS & output.keys():
            output[key] = _visible(output[key])


def _visible(text: Any) -> Any:
    """Text of an output, or lines of it, with nothing that steers a terminal but IPython's own colours."""
    if not isinstance(text, str):
        return [_visible(line) for line in text]
    pieces = COLOUR.split(text)
    return "".join(piece if COLOUR.fullmatch(piece) else safe_text(piece, OUTPUT_LIMIT) for piece in pieces)


@dataclass(frozen=True)
class Executed:
    """One executed notebook: where it is, and why it stopped (empty when it ran through)."""

    name: str
    file: Path
    error: str
    kind: str = ""


@contextlib.contextmanager
def inherited(**values: str) -> Iterator[None]:
    """Variables for the kernels that start meanwhile; afterwards this process's own environment is as it was."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _with_a_kernel(execute: Callable[[], object]) -> None:
    """Execute, once more where the kernel died before it answered: another process had taken one of its ports meanwhile."""
    try:
        execute()
    except RuntimeError as error:
        if NEVER_ANSWERED not in str(error):
            raise
        execute()


def run_notebook(
    source: Path,
    target: Path,
    parameters: dict[str, Any],
    *,
    answer: Answer | None = None,
    redactor: Redactor | None = None,
    cell_timeout_s: int = CELL_TIMEOUT_S,
) -> Executed:
    """Execute one notebook with papermill into `target`; a failing cell is a result, not an exception.

    The kernel starts in the run folder and takes no module from the folder that it happens to be in (a planted `yaml.py`).
    """
    papermill_engines.register("s2s", RunbookEngine)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with inherited(PYTHONSAFEPATH="1"):
            _with_a_kernel(
                lambda: papermill.execute_notebook(
                    str(source),
                    str(target),
                    parameters=parameters,
                    engine_name="s2s",
                    cwd=str(target.parent.parent),
                    progress_bar=False,
                    request_save_on_cell_execute=False,
                    autosave_cell_every=0,
                    answer=answer,
                    redactor=redactor,
                    keep_as=target,
                    execution_timeout=cell_timeout_s,
                )
            )
    except PapermillExecutionError as error:
        return Executed(source.stem, target, safe_text(error.evalue, SENTENCE_LIMIT), error.ename)
    except Exception as error:
        return Executed(source.stem, target, safe_text(str(error), SENTENCE_LIMIT), type(error).__name__)
    return Executed(source.stem, target, "")
