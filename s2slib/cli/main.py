"""`s2s`: the runbook from a terminal or a scheduler."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from s2slib import __version__
from s2slib.errors import EXIT_ERROR, EXIT_PENDING, EXIT_REFUSED, EXIT_USAGE, S2SError


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
_run = click.argument("run", metavar="RUN")
_confirmed = click.option(
    "--confirm-restart",
    "confirmed",
    multiple=True,
    metavar="SERVER",
    help="A server (FQDN) that may be restarted now, where policy.restart is hold. May be given several times.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
_state = click.option(
    "--state", type=click.Path(path_type=Path), default=None, help="The lab's state file [runs/lab.json]."
)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def init(folder: Path) -> int:
    """Write params/ and notebooks/ into a folder of your own, to work outside a checkout.

    \b
    Example: s2s init ~/trust
    """
    from s2slib.cli import init as command

    return _guarded(lambda: command.init(folder))


@main.command()
@click.argument("params", type=click.Path(path_type=Path), required=False)
@click.option(
    "--plan", "planned", metavar="RUN", help="Instead: would this run's plan be accepted now, and what moved?"
)
@_json
def check(params: Path | None, planned: str | None, as_json: bool) -> int:
    """Read both estates, judge them, and say what would change. Changes nothing.

    With --plan the exit code is 0 when apply would be accepted now, and 3 when it would be refused.

    \b
    Example: s2s check params/lab.yaml
             s2s check --plan 20261128T210000Z-lab-ab12
    """
    if (params is None) == (planned is None):
        raise click.UsageError("give a params file, or --plan RUN")
    if params is not None:
        return _execute(params, "check", as_json)
    from s2slib.cli.change import check_plan

    run = planned or ""
    return _guarded(lambda: check_plan(run, as_json))


@main.command()
@_params
@_json
def plan(params: Path, as_json: bool) -> int:
    """Plan the whole run: every change, its line, its proof and its back-out, under one hash. Changes nothing.

    \b
    Example: s2s plan params/litware.yaml
    """
    from s2slib.cli import change

    return _guarded(lambda: change.plan(params, as_json))


@main.command()
@_run
@click.option(
    "--approver", required=True, metavar="NAME", help="Who approves; recorded as claimed, beside your account."
)
@click.option("--ticket", required=True, metavar="ID", help="The change ticket.")
@click.option("--not-before", required=True, metavar="T", help="Start of the window, with time zone.")
@click.option("--not-after", required=True, metavar="T", help="End of the window, with time zone.")
@_json
def approve(run: str, approver: str, ticket: str, not_before: str, not_after: str, as_json: bool) -> int:
    """Record that a run's plan is approved, for a ticket and a window. Contacts no server.

    \b
    Example: s2s approve ab12 --approver "Change board" --ticket CHG0042
                 --not-before 2026-11-28T22:00+01:00 --not-after 2026-11-29T02:00+01:00
    """
    from s2slib.cli import change

    given = {"approver": approver, "ticket": ticket, "not_before": not_before, "not_after": not_after}
    return _guarded(lambda: change.approve(run, given, as_json))


@main.command()
@click.argument("target", metavar="RUN|PARAMS")
@_confirmed
@_json
def apply(target: str, confirmed: tuple[str, ...], as_json: bool) -> int:
    """Carry out the approved plan of a run, exactly; or, where no approval is wanted, the procedure of a params file.

    A second run changes nothing.

    \b
    Example: s2s apply params/lab.yaml
             s2s apply ab12
    """
    from s2slib.cli import change

    return _guarded(lambda: change.apply(target, confirmed, as_json))


@main.command()
@_run
@_confirmed
@_json
def resume(run: str, confirmed: tuple[str, ...], as_json: bool) -> int:
    """Go on with a run that was stopped, held, killed or cut off. What it left open is settled by reading first.

    \b
    Example: s2s resume ab12
    """
    from s2slib.cli import change

    return _guarded(lambda: change.resume(run, confirmed, as_json))


@main.command(name="back-out")
@_run
@_confirmed
@click.option("--show", is_flag=True, help="Only print the back-out, from the run folder; contacts and writes nothing.")
@_json
def back_out(run: str, confirmed: tuple[str, ...], show: bool, as_json: bool) -> int:
    """Undo what a run did, newest first: only what it did, and only what nobody changed since.

    \b
    Example: s2s back-out ab12 --show
             s2s back-out ab12
    """
    from s2slib.cli import change

    return _guarded(lambda: change.back_out(run, confirmed, show, as_json))


@main.command()
@_run
@_json
def journal(run: str, as_json: bool) -> int:
    """Show a run's journal, verified: tampering, a missing or moved line and a torn end are named.

    \b
    Example: s2s journal ab12
    """
    from s2slib.cli import change

    return _guarded(lambda: change.journal(run, as_json))


@main.command()
@_run
@_json
def status(run: str, as_json: bool) -> int:
    """Where a run stands: its kind, what it made, what is open, and what can be typed next. Contacts no server.

    \b
    Example: s2s status ab12
    """
    from s2slib.cli import change

    return _guarded(lambda: change.status(run, as_json))


@main.command()
@click.argument("params", type=click.Path(path_type=Path), required=False)
@_json
def runs(params: Path | None, as_json: bool) -> int:
    """List the runs, newest first; those of one deployment where its params file is given.

    \b
    Example: s2s runs params/litware.yaml
    """
    from s2slib.cli import change

    return _guarded(lambda: change.runs(params, as_json))


@main.command()
@_run
@click.option("--reason", required=True, help="Why it does not go on; kept in the run folder.")
@_json
def close(run: str, reason: str, as_json: bool) -> int:
    """End a run by hand: abandoned, superseded, failed for good. Nothing is written into its folder any more.

    \b
    Example: s2s close ab12 --reason "window cancelled"
    """
    from s2slib.cli import change

    return _guarded(lambda: change.close_run(run, reason, as_json))


@main.command()
@_run
@_json
def stop(run: str, as_json: bool) -> int:
    """Ask the writer of a run to stop before its next change.

    \b
    Example: s2s stop ab12
    """
    from s2slib.cli import change

    return _guarded(lambda: change.stop(run, as_json))


@main.command()
@_run
@click.option("--logons", is_flag=True, help="Instead: let accounts that were rejected in this run be tried again.")
@_json
def unlock(run: str, logons: bool, as_json: bool) -> int:
    """Remove the lock record that a dead writer on another machine left behind. Refused while a writer is alive here.

    \b
    Example: s2s unlock ab12
             s2s unlock ab12 --logons
    """
    from s2slib.cli import change

    return _guarded(lambda: (change.forget_logons if logons else change.release)(run, as_json))


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


def _execute(params: Path, verb: str, as_json: bool) -> int:
    from s2slib.cli.execute import run_notebooks
    from s2slib.deployment import load

    def action() -> int:
        code = run_notebooks(verb, load(params), as_json=as_json)
        if code == EXIT_PENDING and verb == "check" and not as_json:
            click.echo(f"next: s2s plan {params}")
        return code

    return _guarded(action)


@main.group(invoke_without_command=True)
@_state
@click.option(
    "--engine",
    type=click.Choice(["direct", "pwsh"]),
    help="What a powershell.exe of the lab is: the lab itself, which answers s2slib's script only, or a real PowerShell "
    "[S2S_LAB_ENGINE, else direct].",
)
@click.pass_context
def lab(context: click.Context, state: Path | None, engine: str | None) -> int:
    """Serve the embedded lab until Ctrl-C: a simulated estate behind real sockets, TLS, logons and tokens.

    \b
    Example: s2s lab            then, in another shell: s2s apply params/lab.yaml
    """
    context.obj = state
    if context.invoked_subcommand is not None:
        return 0
    from s2slib.cli.lab import serve_lab

    return _guarded(lambda: serve_lab(state, engine))


@lab.command(name="log")
@_state
@click.pass_context
def lab_log(context: click.Context, state: Path | None) -> int:
    """Print the lab's transitions as JSON lines: what really changed in the estate, and what caused it.

    \b
    Example: s2s lab log
    """
    from s2slib.cli.lab import print_lab_log

    return _guarded(lambda: print_lab_log(state or context.obj))


@lab.command(name="shell")
@click.argument("server")
@click.option("--as", "account", metavar="ACCOUNT", help="Who logs on there [the product's administrator].")
@_state
@click.pass_context
def lab_shell(context: click.Context, server: str, account: str | None, state: Path | None) -> int:
    """Type into a management shell on a simulated server of the running lab: a real PowerShell with that server's commands.

    \b
    Example: s2s lab shell atl-exchange-001
    """
    from s2slib.cli.lab import open_lab_shell

    return _guarded(lambda: open_lab_shell(state or context.obj, server, account))


@main.command()
@_json
def demo(as_json: bool) -> int:
    """Start the lab, run the whole runbook against it with papermill, and show what it found, changed and proved.

    \b
    Example: s2s demo
    """
    from s2slib.cli.lab import run_demo

    return _guarded(lambda: run_demo(as_json))


def _guarded(action: Callable[[], int]) -> int:
    """Turn the errors a user can cause into one sentence and an exit code; show no traceback for them."""
    try:
        return action()
    except S2SError as error:
        context = click.get_current_context(silent=True)
        if context is not None and context.params.get("as_json"):
            click.echo(json.dumps({"error": str(error), "outcome": type(error).__name__, "exit_code": error.exit_code}))
            return error.exit_code
        _say(f"refused: {error}" if error.exit_code == EXIT_REFUSED else str(error))
        return error.exit_code
    except OSError as error:
        what = f" ({error.filename})" if error.filename else ""
        _say(f"a file could not be read or written: {error.strerror or error}{what}")
        return EXIT_ERROR


def _say(text: str) -> None:
    """A sentence on standard error; what a server or a file put into it steers no terminal."""
    from s2slib.records.display import safe_text

    click.echo(safe_text(text, 2_000_000), err=True)


if __name__ == "__main__":
    main()
