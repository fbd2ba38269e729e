"""Before the first write to the Central Management Store its configuration is exported, on the front end (rule R47).

The archive stays there, for Administrators and SYSTEM alone; its path and SHA-256 are journalled. Its name is the run's,
so the plan holds a place for it.
"""

from __future__ import annotations

from s2slib.facts import Facts, Known
from s2slib.products import lync, windows
from s2slib.remoting.values.command import Later
from s2slib.runbook.model.change import Change, Step
from s2slib.runbook.model.expect import ABSENT, ANY, wanted
from s2slib.runbook.reading.catalogue import EXPORT_ACCESS, EXPORT_HASH
from s2slib.runbook.reading.scope import EXPORT_FILE, EXPORT_FOLDER, Scope


def with_export(d: Scope, facts: Facts, changes: list[Change]) -> list[Change]:
    """The changes with the export before the first one that writes to the store; as they are when there is none."""
    first = next((index for index, change in enumerate(changes) if _writes_store(change)), None)
    server = d.lync_session_server
    access = facts.value(EXPORT_ACCESS.on(server))
    if first is None or (isinstance(facts[EXPORT_HASH.on(server)], Known) and access is not None and access.restricted):
        return changes
    return [*changes[:first], *_export(d, server, changes[first].phase), *changes[first:]]


def _writes_store(change: Change) -> bool:
    return change.id.startswith("lync.") and bool(change.steps)


def _export(d: Scope, server: str, phase: str) -> tuple[Change, Change]:
    local_store = d.deployment.endpoint(server).second_hop == "explicit"  # the local runspace does not reach the store
    file = Later(EXPORT_FILE)
    export = Change(
        id="lync.export_configuration",
        phase=phase,
        title="Export Lync's configuration as it is, before it is changed",
        target=server,
        reason="what the Central Management Store held before this run",
        steps=(
            Step(server, windows.make_folder(EXPORT_FOLDER)),
            Step(server, lync.export_configuration(file, local_store=local_store)),
        ),
        rests_on=wanted({EXPORT_HASH.on(server): ABSENT}),
        after=wanted({EXPORT_HASH.on(server): ANY}),
        irreversible="the archive stays on the front end",
        binds={"export.sha256": (EXPORT_HASH.on(server), "sha256")},
        proven_by="its SHA-256, read back and journalled",
    )
    restrict = Change(
        id="lync.restrict_configuration_export",
        phase=phase,
        title="Let only Administrators and SYSTEM read the exported configuration",
        target=server,
        reason="it holds more than settings",
        steps=(Step(server, windows.restrict_file(file)),),
        rests_on=wanted({EXPORT_HASH.on(server): ANY}),
        after=wanted({EXPORT_ACCESS.on(server): {"restricted": True}}),
        effects={EXPORT_ACCESS.on(server): Known({"restricted": True})},  # the list itself is another one then
        irreversible="the archive stays restricted",
        proven_by="its access control list",
    )
    return export, restrict
