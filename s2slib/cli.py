"""`s2s`: the runbook from a terminal or a scheduler."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from s2slib import __version__

EXIT_ERROR, EXIT_REFUSED, EXIT_USAGE = 1, 3, 64


class Group(click.Group):
    """Click's own usage errors end with 64 (bad arguments), everything of ours with the code it names."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["standalone_mode"] = False
        try:
            code = super().main(*args, **kwargs)
        except click.UsageError as error:
            error.show()
            sys.exit(EXIT_USAGE)
        except click.exceptions.Exit as error:
            sys.exit(error.exit_code)
        except click.ClickException as error:
            error.show()
            sys.exit(EXIT_ERROR)
        except click.Abort:
            click.echo("stopped", err=True)
            sys.exit(EXIT_ERROR)
        sys.exit(code if isinstance(code, int) else 0)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="s2s")
def main() -> None:
    """Make a Lync Server and an Exchange Server trust each other (OAuth server-to-server), and prove it.

    \b
    Exit codes: 0 done, nothing left to change   1 error   2 changes pending, or blockers found
                3 refused (approval, lock, moved state)   4 outcome uncertain   64 bad params or arguments
    """


_params = click.argument("params", type=click.Path(path_type=Path))
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
_state = click.option(
    "--state", type=click.Path(path_type=Path), default=None, help="The lab's state file [runs/lab.json]."
)


@main.command()
@_params
@_json
def check(params: Path, as_json: bool) -> int:
    """Read both estates, judge them, and say what would change. Changes nothing.

    \b
    Example: s2s check params/lab.yaml
    """
    return _execute(params, "check", as_json)


@main.command()
@_params
@_json
def apply(params: Path, as_json: bool) -> int:
    """Carry out the phases in order and prove the trust. A second run changes nothing.

    \b
    Example: s2s apply params/lab.yaml
    """
    return _execute(params, "apply", as_json)


@main.command()
@_params
@_json
def verify(params: Path, as_json: bool) -> int:
    """Prove the trust: keys on both sides, every replica, Test-CsExStorageConnectivity on each front end.

    Writes one item into each test user's mailbox and deletes it again.

    \b
    Example: s2s verify params/lab.yaml
    """
    return _execute(params, "verify", as_json)


def _execute(params: Path, mode: str, as_json: bool) -> int:
    from s2slib.commands import execute

    return _guarded(lambda: execute(params, mode, as_json))


@main.group(invoke_without_command=True)
@_state
@click.pass_context
def lab(context: click.Context, state: Path | None) -> int:
    """Serve the embedded lab until Ctrl-C: a simulated estate behind real sockets, TLS, logons and tokens.

    \b
    Example: s2s lab            then, in another shell: s2s apply params/lab.yaml
    """
    context.obj = state
    if context.invoked_subcommand is not None:
        return 0
    from s2slib.commands import serve_lab

    return _guarded(lambda: serve_lab(state))


@lab.command(name="log")
@_state
@click.pass_context
def lab_log(context: click.Context, state: Path | None) -> int:
    """Print the lab's transitions as JSON lines: what really changed in the estate, and what caused it.

    \b
    Example: s2s lab log
    """
    from s2slib.commands import print_lab_log

    return _guarded(lambda: print_lab_log(state or context.obj))


@main.command()
@_json
def demo(as_json: bool) -> int:
    """Start the lab, run the whole runbook against it with papermill, and show what it found, changed and proved.

    \b
    Example: s2s demo
    """
    from s2slib.commands import run_demo

    return _guarded(lambda: run_demo(as_json))


def _guarded(action: Callable[[], int]) -> int:
    """Turn the errors a user can cause into one sentence and an exit code; show no traceback for them."""
    from s2slib.credentials.errors import CredentialError
    from s2slib.credentials.lab_state import LabStateError
    from s2slib.deployment import DeploymentError
    from s2slib.records.journal import JournalError
    from s2slib.workspace import WorkspaceError

    try:
        return action()
    except DeploymentError as error:
        click.echo(str(error), err=True)
        return EXIT_USAGE
    except (CredentialError, LabStateError, WorkspaceError, JournalError) as error:
        click.echo(str(error), err=True)
        return EXIT_ERROR


if __name__ == "__main__":
    main()
