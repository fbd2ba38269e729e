"""A link that breaks around a write: what became of it is read, never guessed, and nothing is written twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.change_world import ALL, EX1, FE1, WRITING, ChangeWorld, audit, carry_out, states, wrap_run

from s2slab.winrm import Fault
from s2slib.products import windows
from s2slib.records.journal import verify
from s2slib.remoting.values.command import Command, Script
from s2slib.remoting.values.errors import OutcomeUncertain
from s2slib.remoting.values.reply import Reply
from s2slib.runbook.model.record import EXIT_CODES
from s2slib.runbook.run import Run

AS_LONG_AS_IT_TAKES = 99
BREAKS: dict[str, dict[str, Any]] = {
    "before the request": {"action": "Send", "kind": "cut", "when": "before"},
    "after the effect": {"action": "Receive", "kind": "cut", "when": "after"},
    "in the reply": {"action": "Receive", "kind": "cut", "when": "mid_reply"},
    "denied after the effect": {"action": "Send", "kind": "http_403", "when": "after"},
}
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in BREAKS if name != "after the effect"]


@dataclass
class Breaking:
    """Breaks the link around the first attempt of every write; the second goes through."""

    world: ChangeWorld
    where: str
    broken: list[str] = field(default_factory=list)
    run: Run | None = None

    def __call__(self, server: str, command: Command, send: Callable[[], Reply]) -> Reply:
        line = f"{server}: {command.render()}"
        if command.effect != "write" or line in self.broken:
            return send()
        self.broken.append(line)
        if isinstance(command, Script) and self.where != "before the request":
            send()  # a script has its session prepared first, which is what a broken link would hit
            raise OutcomeUncertain(server, "the link broke", command)
        settings = self.world.lab.winrm[server].settings
        fault = Fault(**BREAKS[self.where], count=AS_LONG_AS_IT_TAKES)
        assert self.run is not None
        self.run.estates._channel(server).run(windows.wait(1), timeout_s=60)  # the command is to be lost, not the logon
        settings.faults.append(fault)
        try:
            return send()
        finally:
            settings.faults.clear()


def outcomes(folder: Path) -> dict[str, list[str]]:
    """Change -> the states of its outcomes, oldest first."""
    found: dict[str, list[str]] = {}
    for entry in verify(folder / "journal.jsonl"):
        if entry.event == "outcome":
            found.setdefault(entry.data["change"], []).append(entry.data["state"])
    return found


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that is cut for good is not worth the seconds between two attempts."""
    monkeypatch.setattr("s2slib.remoting.winrm.winrs._BACKOFF_S", 0.0)


@pytest.mark.parametrize("where", ["after the effect", *SLOW])
def test_a_link_that_breaks_around_every_write_is_settled_by_reading(where: str, estate: ChangeWorld) -> None:
    folder, breaking = estate.folder(), Breaking(estate, where)
    for name in WRITING:
        for _ in range(len(BREAKS) * 4):
            with estate.open(folder) as run:
                breaking.run = run
                wrap_run(run, breaking)
                result = carry_out(run, name)[name]
            if result.state == "done":
                break
        assert (result.state, result.detail) == ("done", "")
    audit(estate, folder)
    said = outcomes(folder)
    # two commands: it stops behind the first
    assert {*said.pop("lync.export_configuration")} - {"already", "not_done"} == {"failed", "done"}
    assert len(said) >= 7
    # behind a proxy nobody here can tell a request that never came from one that did: reading says that it had no effect
    wanted = ["failed", "done"] if where == "before the request" else ["done"]
    expected = dict.fromkeys(said, wanted)
    if where == "before the request":  # what was cut there is the preparation of the script's session
        expected["exchange.create_lync_partner_application"] = ["not_done", "done"]
    assert said == expected
    assert estate.verify().proven


def test_a_write_that_cannot_be_read_back_is_uncertain_until_it_can(
    estate: ChangeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, session = estate.folder(), estate.lab.estate.server(FE1)
    slept: list[float] = []
    here = SimpleNamespace(sleep=slept.append, monotonic=time.monotonic)
    monkeypatch.setattr("s2slib.runbook.writing.execute.time", here)

    with estate.open(folder) as run:

        def vanishing(server: str, command: Command, send: Callable[[], Reply]) -> Reply:
            reply = send()
            if command.effect == "write":
                session.reachable = False
                run.estates.drop([server])
                raise OutcomeUncertain(server, "the link broke", command)
            return reply

        wrap_run(run, vanishing)
        result = carry_out(run, "certificates")["certificates"]
        assert result.state == "uncertain"
        assert EXIT_CODES[run.record.outcome] == 4
    assert sum(slept) >= 2 * 30 - 5  # both commands' deadlines: until then it may still run there
    with estate.open(folder) as run:  # still not readable: nothing else is begun
        result = carry_out(run, "autodiscover")["autodiscover"]
        assert result.state in ("uncertain", "blocked")
    session.reachable = True
    with estate.open(folder) as run:
        assert set(states(carry_out(run, "certificates")).values()) == {"done"}
    audit(estate, folder)


@pytest.mark.slow
@pytest.mark.parametrize("server", [FE1, EX1])
def test_a_command_that_still_runs_when_its_reply_is_lost_is_waited_for(server: str, estate: ChangeWorld) -> None:
    """The reply is lost at once; the effect comes while the executor waits. Repeating it would be the mistake."""
    folder = estate.folder()
    under_way: list[Callable[[], Reply]] = []
    lost: list[str] = []

    def late(at: str, command: Command, send: Callable[[], Reply]) -> Reply:
        if command.effect == "write" and at == server and command.render() not in lost:
            lost.append(command.render())
            under_way.append(send)
            raise OutcomeUncertain(at, "the link broke", command)
        while command.effect != "write" and under_way and command == windows.wait(30):
            under_way.pop()()
        return send()

    name = "certificates" if server == FE1 else "restart_iis"
    before = ALL[1 : ALL.index(name)]
    if before:
        estate.apply(*before, folder=folder)
    for _ in range(3):  # the export is two commands: it stops behind the first
        with estate.open(folder) as run:
            wrap_run(run, late)
            result = carry_out(run, name)[name]
        if result.state == "done":
            break
    assert (result.state, result.detail) == ("done", "")
    assert not under_way
    audit(estate, folder)


class Killed(BaseException):
    """The writer's process ends here."""


def test_a_run_taken_up_while_its_change_is_still_on_its_way_judges_what_is_there_once_it_has_arrived(
    estate: ChangeWorld,
) -> None:
    folder = estate.folder()

    def ending(server: str, command: Command, send: Callable[[], Reply]) -> Reply:
        reply = send()
        if command.name == "Set-CsCertificate":
            raise Killed
        return reply

    with estate.open(folder) as run:
        wrap_run(run, ending)
        with pytest.raises(Killed):
            carry_out(run, "preflight", "certificates")
    with estate.open(folder) as run:  # one front end has no key to show yet: what is read of its document is unknown
        assert carry_out(run, "preflight")["preflight"].state == "done"
