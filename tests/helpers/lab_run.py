"""A lab and a runbook in one process, for tests that look at both sides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.paths import PARAMS
from s2slab.estate.transitions import Transition
from s2slab.scenario import Scenario
from s2slab.service import Lab
from s2slab.winrm.launch import Engine
from s2slib.credentials.secret import Credential, Secret
from s2slib.deployment import Deployment, from_parameters
from s2slib.deployment.reach import NetworkPath
from s2slib.records.redaction import Redactor
from s2slib.runbook.model.record import Mode
from s2slib.runbook.phases import PHASES
from s2slib.runbook.reading.links import opener
from s2slib.runbook.run import PhaseResult, Run
from s2slib.runbook.verify import Verification

ALL = tuple(step.name for step in PHASES)
FE1, FE2 = "atl-fe-001.litwareinc.com", "atl-fe-002.litwareinc.com"
EX1, EX2 = "atl-exchange-001.litwareinc.com", "atl-exchange-002.litwareinc.com"


@dataclass
class World:
    """A running lab, and runs against it with the deployment of params/lab.yaml (sections may be changed)."""

    lab: Lab
    folder: Path

    def deployment(self, **sections: Any) -> Deployment:
        """params/lab.yaml with single keys of its sections replaced."""
        data: dict[str, Any] = from_parameters({"deployment": "lab"}, PARAMS).parameters()
        for name, changes in sections.items():
            data[name] = {**data[name], **changes} if isinstance(data[name], dict) else changes
        return from_parameters(data, PARAMS)

    @contextmanager
    def run(self, mode: Mode = "apply", *, account: dict[str, str] | None = None, **sections: Any) -> Iterator[Run]:
        """A run. `account`: product -> name of the lab account to use in place of the deployment's."""
        deployment = self.deployment(**sections)
        redactor = Redactor()
        ca_file = self.folder / "ca.pem"
        ca_file.write_bytes(self.lab.estate.authority.certificate_pem)
        path = NetworkPath(self.lab.proxy, ca_file)
        chosen = {"lync": "s2s-lync", "exchange": "s2s-exchange", **(account or {})}
        credentials = {}
        for server in deployment.active_servers():
            found = self.lab.estate.accounts[chosen[server.product]]
            redactor.add(found.password)
            credentials[server.fqdn] = Credential(self.lab.user(found), Secret(found.password), "lab:test")
        folder = self.folder / f"run-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        made = Run(
            deployment,
            folder,
            mode=mode,
            redactor=redactor,
            path=path,
            open_channel=opener(deployment, path, credentials, redactor, folder),
        )
        with made:
            yield made

    def apply(self, *names: str, **sections: Any) -> dict[str, PhaseResult]:
        """Carry phases out, each on fresh facts as its notebook does; stops behind the first that is not done."""
        results: dict[str, PhaseResult] = {}
        with self.run("apply", **sections) as run:
            for name in names or ALL:
                run.inspect()
                results[name] = run.phase(name)
                if results[name].state != "done":
                    break
        return results

    def verify(self, **sections: Any) -> Verification:
        """Verify the trust with the storage test."""
        with self.run("verify", **sections) as run:
            return run.verify()

    def written(self) -> list[Transition]:
        """Transitions of configuration and services that commands caused."""
        rows = self.lab.estate.log.rows(caused_by="command")
        return [row for row in rows if row.kind in ("configuration", "service")]


@contextmanager
def world(folder: Path, scenario: Scenario | None = None, engine: Engine | None = None) -> Iterator[World]:
    """A fresh lab."""
    with Lab(scenario=scenario, engine=engine) as lab:
        yield World(lab, folder)


def ids(verification: Verification) -> set[str]:
    """The ids of the findings that stand against the trust."""
    return {finding.id for finding in verification.findings if finding.level in ("blocker", "unknown")}
