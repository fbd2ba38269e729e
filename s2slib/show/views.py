"""Declarations, facts, findings, plans, outcomes and verdicts as views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from s2slib.deployment import Deployment
from s2slib.facts import Absent, Fact, Facts, Json, Known, Unknown, fact_from_json
from s2slib.runbook.model.change import Change
from s2slib.runbook.model.expect import show, show_fact
from s2slib.runbook.model.finding import Finding, blocking, ordered, worst
from s2slib.runbook.model.outcome import Outcome
from s2slib.runbook.model.plan import Plan
from s2slib.runbook.run import PhaseResult
from s2slib.runbook.verify import Verification
from s2slib.show.render import Fold, Lines, Part, Table, View

VALUE_LIMIT = 160  # characters of one text inside a fact: certificates and documents are in facts.json, whole
NO_KEY_YET = (
    "As it should be at this point: Lync has no OAuthTokenIssuer certificate, so its front ends have no key to publish and "
    "answer this address with an error. 20_certificates assigns one; from then on every server must get the document. Until "
    "then these facts are unknown, not absent, and hold back every change that rests on them."
)


def declaration_view(saved: Deployment, stated: Deployment) -> View:
    """A declaration that holds: what of it is not in the params file, and its text."""
    text = Lines(tuple(stated.to_yaml().splitlines()))
    rows = tuple(_differences(saved.parameters(), stated.parameters()))
    if not rows:
        return View("Declaration", "ok", ("As in the params file.", Fold("as YAML", (text,))))
    file = f"params/{stated.deployment}.yaml"
    note = f"Not saved. To keep it, replace {file} with this text; the notebooks that follow read that file."
    return View("Declaration", "ok", (Table(("field", file, "here"), rows), note, Fold("as YAML", (text,))))


def _differences(saved: Json, stated: Json, field: str = "") -> Iterable[tuple[str, str, str]]:
    if isinstance(saved, Mapping) and isinstance(stated, Mapping):
        for key in stated:
            yield from _differences(saved.get(key), stated[key], f"{field}.{key}".strip("."))
    elif saved != stated:
        yield field, "\n".join(_lines(saved)), "\n".join(_lines(stated))


def facts_view(facts: Facts, servers: Iterable[str], seconds: int) -> View:
    """What was read: what could not be read with its reason and, where it is to be expected, why; the rest folded by place."""
    unknown = {key: fact.reason for key, fact in sorted(facts.items()) if isinstance(fact, Unknown)}
    early = {key: reason for key, reason in unknown.items() if _needs_lync_key(key, facts)}
    failed = {key: reason for key, reason in unknown.items() if key not in early}
    servers = tuple(servers)
    parts: list[Part] = [
        f"{len(facts)} facts from {counted(len(servers), 'server')}: {', '.join(map(_short, servers))}"
    ]
    if failed:
        parts += [f"{len(failed)} could not be read, and are unknown:", _facts_table(failed)]
    if early:
        title = f"{counted(len(early), 'metadata document')} of Lync not served yet"
        parts.append(View(title, "unknown", (NO_KEY_YET, Fold("what the servers answered", (_facts_table(early),)))))
    for place, rows in _by_place(facts).items():
        parts.append(Fold(f"{place}: {counted(len(rows), 'fact')}", (Table(("fact", "value"), rows),)))
    return View("What the servers say", "unknown" if failed else "", tuple(parts))


def _needs_lync_key(key: str, facts: Facts) -> bool:
    """Whether a fact is a document that Lync serves only with a certificate, and Lync is known to have none."""
    server, _, name = key.rpartition("/")
    documents_of_lync = name == "lync_metadata" or (
        name == "peer_metadata" and f"{server}/exchange_certificates" in facts
    )
    return documents_of_lync and isinstance(facts["lync/oauth_certificate"], Absent)


def _facts_table(reasons: Mapping[str, str]) -> Table:
    return Table(
        ("server", "fact", "reason"), tuple((*_place(key), reason) for key, reason in reasons.items()), None, (0, 1)
    )


def _by_place(facts: Facts) -> dict[str, tuple[tuple[str, str], ...]]:
    places: dict[str, tuple[tuple[str, str], ...]] = {}
    for key, fact in sorted(facts.items()):
        if not isinstance(fact, Unknown):
            place, name = _place(key)
            places[place] = (*places.get(place, ()), (name, _readable(fact)))
    return places


def _place(key: str) -> tuple[str, str]:
    """Where a fact belongs, in a word, and its name there."""
    head, _, name = key.partition("/")
    if head != "server":
        return {"lync": "Lync", "exchange": "Exchange"}.get(head, head), name
    server, _, name = name.partition("/")
    return _short(server), name


def _short(server: str) -> str:
    return server.split(".")[0]


def _readable(fact: Fact) -> str:
    return "\n".join(_lines(fact.value)) if isinstance(fact, Known) else show_fact(fact)


def _lines(value: Json) -> list[str]:
    """A value or condition in lines: a field a line, an entry a line; a long text is counted, not shown."""
    if isinstance(value, Mapping) and value and not any(key.startswith("$") for key in value):
        return [f"{key}: {show(_brief(item))}" for key, item in value.items()]
    if isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
        return [show(_brief(item)) for item in value]
    return [show(_brief(value))]


def _brief(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _brief(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_brief(item) for item in value]
    return f"({len(value)} characters)" if isinstance(value, str) and len(value) > VALUE_LIMIT else value


def findings_view(title: str, findings: Iterable[Finding]) -> View:
    """Findings, gravest first, one row for all servers that it holds for alike; those that are in order folded."""
    rows = ordered(findings)
    grave = [finding for finding in rows if finding.level != "ok"]
    fine = [finding for finding in rows if finding.level == "ok"]
    parts: list[Part] = [_findings_table(grave)] if grave else ["Nothing stands against it."]
    if fine:
        parts.append(Fold(f"{len(fine)} in order", (_findings_table(fine),)))
    return View(title, worst(rows), tuple(parts))


def _findings_table(findings: Iterable[Finding]) -> Table:
    alike: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        key = (finding.level, finding.id, finding.title, finding.expected, finding.remedy)
        alike.setdefault(key, []).append(finding)
    return Table(("level", "server", "finding", "details"), tuple(map(_finding_row, alike.values())), 0, (0, 1))


def _finding_row(alike: list[Finding]) -> tuple[str, ...]:
    first = alike[0]
    seen = list(dict.fromkeys(finding.seen for finding in alike if finding.seen))
    if len(seen) > 1:
        seen = [f"{_short(finding.server)}: {finding.seen}" if finding.server else finding.seen for finding in alike]
    said = [("seen", line) for line in seen] + [("expected", first.expected), ("to do", first.remedy)]
    details = "\n".join(f"{label}: {text}" for label, text in said if text)
    servers = dict.fromkeys(_short(finding.server) for finding in alike if finding.server)
    return first.level, "\n".join(servers), first.title, details


def changes_view(title: str, changes: Iterable[Change], waits_for: Iterable[Change], reason: str) -> View:
    """Planned changes: where, why, lines as one would type them, before and after, back-out."""
    changes, waits_for = tuple(changes), tuple(waits_for)
    parts: list[Part] = []
    if waits_for:
        parts.append(Fold(f"waits for {counted(len(waits_for), 'earlier change')}", (_titles(waits_for),)))
    if not changes:
        return View(title, "", (*parts, f"Nothing to do: {reason}"))
    parts += [change_view(change) for change in changes]
    return View(title, counted(len(changes), "change"), tuple(parts))


def change_view(change: Change) -> View:
    """One planned change."""
    lines = Lines(tuple(step.render() for step in change.steps))
    touched = Table(("fact", "before", "after"), tuple(_before_after(change)))
    return View(
        change.title, "", (f"on {change.target}: {change.reason}", lines, touched, Table(("", ""), _terms(change)))
    )


def _before_after(change: Change) -> Iterable[tuple[str, str, str]]:
    for key, after in change.after.items():
        before = "\n".join(_lines(change.rests_on[key])) if key in change.rests_on else ""
        yield " ".join(_place(key)), before, "\n".join(_lines(after))


def _terms(change: Change) -> tuple[tuple[str, str], ...]:
    others = [(key, value) for key, value in change.rests_on.items() if key not in change.after]
    only_if = "\n".join(f"{' '.join(_place(key))}: {show(_brief(value))}" for key, value in others)
    settled = change.settled_when
    rows = (
        ("only if", only_if),
        ("settled when", f"{settled.what} (within {settled.within_s} s)" if settled else ""),
        ("users notice", change.users_notice),
        ("back-out", _back_out(change)),
    )
    return tuple(row for row in rows if row[1])


def _back_out(change: Change) -> str:
    lines = [step.render() for undo in change.undo for step in undo.steps]
    return "\n".join([*lines, *([change.irreversible] if change.irreversible else [])]) or "none"


def _titles(changes: Iterable[Change]) -> Table:
    return Table(("", ""), tuple((_short(change.target), change.title) for change in changes))


def plan_view(plan: Plan) -> View:
    """The whole plan, one row a change, and why the other phases have nothing to do."""
    rows = tuple((str(n), c.phase, c.target.split(".")[0], c.title) for n, c in enumerate(plan.changes, 1))
    reasons = tuple((phase, reason) for phase, reason in plan.reasons if reason)
    parts: list[Part] = [Table(("#", "phase", "server", "change"), rows, None, (0, 1, 2))]
    if reasons:
        parts.append(Fold(f"{counted(len(reasons), 'phase')} with nothing to do", (Table(("phase", "why"), reasons),)))
    return View(f"Plan {plan.hash[:12]}", counted(len(plan.changes), "change"), tuple(parts))


def result_view(result: PhaseResult) -> View:
    """What a phase did, or would do (the plan has the lines)."""
    told = any(outcome.detail == result.detail for outcome in result.outcomes)
    parts: list[Part] = [] if told else [*_detail(result.detail)]
    if result.outcomes:
        parts += [outcome_view(outcome) for outcome in result.outcomes]
    elif result.planned:
        parts.append(_titles(result.planned))
    elif result.reason:
        parts.append(f"Nothing to do: {result.reason}")
    return View(result.title, result.state, tuple(parts))


def _detail(detail: str) -> tuple[str, ...]:
    return (detail,) if detail else ()


def outcome_view(outcome: Outcome) -> View:
    """A change that was tried: state, how long, what was typed, what it changed of what was read."""
    took = f"took {outcome.seconds} s" + (
        "" if outcome.outage_s is None else f", users noticed {outcome.outage_s} s of it"
    )
    parts: list[Part] = [*_detail(outcome.detail), took, Lines(outcome.lines)]
    return View(outcome.title, outcome.state, (*parts, *before_after(outcome.before, outcome.after)))


def before_after(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterable[Part]:
    """Recorded facts: what of them differs in a table, those that do not folded; one column if it came to no after."""
    was = {key: fact_from_json(data) for key, data in sorted(before.items())}
    if not after:
        yield Table(("fact", "seen"), tuple((" ".join(_place(key)), _readable(fact)) for key, fact in was.items()))
        return
    now = {key: fact_from_json(data) for key, data in sorted(after.items())}
    moved = [key for key in sorted({*was, *now}) if was.get(key) != now.get(key)]
    yield Table(
        ("fact", "before", "after"),
        tuple((" ".join(_place(key)), *_apart(was.get(key), now.get(key))) for key in moved),
    )
    same = tuple((" ".join(_place(key)), _readable(fact)) for key, fact in was.items() if key not in moved)
    if same:
        yield Fold(f"{counted(len(same), 'fact')} as before", (Table(("fact", "value"), same),))


def _apart(was: Fact | None, now: Fact | None) -> tuple[str, str]:
    """What is different in two facts: of two mappings the fields, else the whole."""
    if (
        isinstance(was, Known)
        and isinstance(now, Known)
        and isinstance(was.value, dict)
        and isinstance(now.value, dict)
    ):
        keys = [key for key in {**was.value, **now.value} if was.value.get(key) != now.value.get(key)]
        was, now = (Known({key: fact.value[key] for key in keys if key in fact.value}) for fact in (was, now))
    return _readable(was) if was else "", _readable(now) if now else ""


def verification_view(found: Verification) -> View:
    """The verdict on the trust and what it rests on."""
    title = "Trust proven: Lync -> Exchange" if found.proven else "Trust not proven"
    rows = findings_view(title, found.findings)
    tests = f"Test-CsExStorageConnectivity passed {found.storage_passed} of {found.storage_tests}"
    said = (tests,) if found.storage_tests else ()
    return View(title, "ok" if found.proven else rows.state, (*said, *rows.parts))


def acceptance_view(findings: Iterable[Finding]) -> View:
    """Whether apply would carry a plan out now."""
    rows = findings_view("Would apply be accepted now?", findings)
    return View(rows.title, "refused" if blocking(findings) else "ok", rows.parts if rows.state != "ok" else ("Yes.",))


def counted(number: int, noun: str) -> str:
    """A number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
