"""Lync Server as partner application of Exchange: six objects, created by Microsoft's script or repaired one by one.

| entry with Lync's id and a metadata URL | what happens |
| --- | --- |
| none | Configure-EnterprisePartnerApplication.ps1 |
| one, the declared URL, everything right | nothing |
| one, the declared URL, something missing | only that is repaired; the key is refreshed only where it differs (rule R21) |
| one, another URL | blocker |
| several | blocker |
"""

from __future__ import annotations

from typing import Any

from s2slib.facts import Absent, Fact, Facts, Known
from s2slib.products import exchange, lync
from s2slib.remoting.values.command import Command, Later
from s2slib.runbook.model import expect
from s2slib.runbook.model.change import Change, Settle, Step
from s2slib.runbook.model.expect import ABSENT, ANY, contains, lacks, wanted
from s2slib.runbook.model.finding import Finding, Kinds
from s2slib.runbook.phases.common import ucs_gate, unknown_findings, waiting
from s2slib.runbook.phases.undo import restarts, reversible, undo, unloading
from s2slib.runbook.reading.catalogue import OWN_METADATA, PEER_METADATA, application_account, pinned_controller
from s2slib.runbook.reading.derive import DC_ENTRY, LYNC_IN_EXCHANGE, TRUST_LOADED
from s2slib.runbook.reading.sameness import lync_realm, same_url, server_time, signing_thumbprint
from s2slib.runbook.reading.scope import Scope

NAME = "exchange_partner_application"
CREATE = "exchange.create_lync_partner_application"
IDENTITY = "exchange/lync_partner_application.identity"
AD_REPLICATION_S = 3600
_F = Kinds(NAME)
FRONT_END_KEY = _F.blocker(
    f"{NAME}.front_end_key",
    "This front end does not serve the assigned signing key",
    remedy="wait until replication has delivered the certificate; Exchange would store the wrong key",
)
MISSING = _F.warning(
    f"{NAME}.absent", "Exchange does not know Lync", remedy="this phase runs Configure-EnterprisePartnerApplication.ps1"
)
SEVERAL = _F.blocker(
    f"{NAME}.several",
    "Exchange has several partner applications for Lync",
    "one",
    "find out which one is in use and remove the others by hand; nothing is guessed",
)
OTHER_URL = _F.blocker(
    f"{NAME}.other_url",
    "Exchange has a partner application for Lync with another metadata URL",
    remedy="correct lync.metadata_url in the params file, or move the entry by hand (Set-PartnerApplication)",
)
OTHER_REALM = _F.blocker(
    f"{NAME}.other_realm",
    "Exchange's entry for Lync keeps another realm than Lync puts into its tokens",
    remedy="remove the entry by hand (Remove-PartnerApplication) and run this again: a refresh does not change a realm",
)
PLAIN_USER = _F.warning(
    f"{NAME}.plain_user",
    "The application account is there and is no mail user: the script works with it, and does not hide it",
    "a mail user that nobody else uses",
    "find out whether somebody uses that account; it gets three application roles",
)
TRUSTED = _F.ok(NAME, "Exchange trusts Lync's key")
INCOMPLETE = _F.warning(f"{NAME}.incomplete", "{title}", "right", "this phase repairs it")
DOMAIN_NAME = _F.blocker(
    f"{NAME}.accepted_domain_name",
    "The script will not be able to create its account",
    "the first accepted domain's Name to be a domain: the script builds an address from it",
    f"create the mail user {exchange.APPLICATION_ACCOUNT} by hand, or rename the accepted domain",
)


def keys(d: Scope) -> list[str]:
    """The facts this phase rests on."""
    return [
        LYNC_IN_EXCHANGE,
        exchange.APPLICATION_USER,
        exchange.MAIL_USER,
        exchange.ROLE_ASSIGNMENTS,
        exchange.ACCEPTED_DOMAINS,
        *(OWN_METADATA.on(front_end) for front_end in d.front_ends),
    ]


def judge(d: Scope, facts: Facts) -> list[Finding]:
    """The six objects, and whether the stored key is the one that Lync serves."""
    rests_on = keys(d) if facts.value(lync.OAUTH_CERTIFICATE) else keys(d)[:5]
    return [
        *unknown_findings(NAME, facts, rests_on),
        *ucs_gate(d, facts, NAME),
        *_served(d, facts),
        *_entry(d, facts),
        *_first_accepted_domain(facts),
        *_plain_user(facts),
    ]


def _plain_user(facts: Facts) -> list[Finding]:
    user = facts.value(exchange.APPLICATION_USER)
    return [PLAIN_USER(f"{user.name}: {user.kind}")] if user and user.kind != "MailUser" else []


def served_thumbprints(d: Scope, facts: Facts) -> list[str]:
    """The signing keys that every front end serves; empty while unknown or unequal."""
    documents = [facts.value(OWN_METADATA.on(front_end)) for front_end in d.front_ends]
    served = [document.thumbprints if document else [] for document in documents]
    return list(served[0]) if served and all(item == served[0] for item in served) else []


def _served(d: Scope, facts: Facts) -> list[Finding]:
    assigned = facts.value(lync.OAUTH_CERTIFICATE)
    findings = []
    for front_end in d.front_ends if assigned else ():
        document = facts.value(OWN_METADATA.on(front_end))
        if assigned and document and (document.problem or assigned.thumbprint not in document.thumbprints):
            seen = document.problem or ", ".join(document.thumbprints)
            findings.append(FRONT_END_KEY(seen, assigned.thumbprint, server=front_end))
    return findings


def _entry(d: Scope, facts: Facts) -> list[Finding]:
    entry = facts.value(LYNC_IN_EXCHANGE)
    if entry is None:
        absent = isinstance(facts[LYNC_IN_EXCHANGE], Absent)
        return [MISSING("no entry with Lync's id and a metadata URL", d.lync_metadata_url)] if absent else []
    if entry.several:
        return [SEVERAL(", ".join(entry.several))]
    if not same_url(entry.auth_metadata_url, d.lync_metadata_url):
        return [OTHER_URL(entry.auth_metadata_url, d.lync_metadata_url)]
    realm = lync_realm(facts)
    if realm and entry.realm.casefold() != realm.casefold():
        return [OTHER_REALM(entry.realm, realm)]
    return [INCOMPLETE(change.reason, title=change.title) for change in _repairs(d, facts)] or [
        TRUSTED(f"{entry.name}: {entry.auth_metadata_url}")
    ]


def _first_accepted_domain(facts: Facts) -> list[Finding]:
    domains = facts.value(exchange.ACCEPTED_DOMAINS)
    if domains is None or not isinstance(facts[exchange.APPLICATION_USER], Absent):
        return []
    if not domains:
        return [DOMAIN_NAME("no accepted domain")]
    name = domains[0].name
    return [DOMAIN_NAME(f"the first accepted domain is named {name!r}")] if "." not in name or " " in name else []


def plan(d: Scope, facts: Facts) -> tuple[list[Change], str]:
    """Run the script when there is no entry, else repair what is missing; see the module's table."""
    entry = facts.value(LYNC_IN_EXCHANGE)
    if entry is None:
        if not isinstance(facts[LYNC_IN_EXCHANGE], Absent):
            return [], "Exchange's partner applications are unknown"
        if not lync_realm(facts):
            return [], "Lync's realm is unknown"
        if not facts.known(exchange.MAIL_USER, exchange.ROLE_ASSIGNMENTS):
            return [], "whether the application account and its roles are there is unknown"
        return [_create(d, facts)], ""
    if entry.several:
        return [], "several entries; none is touched"
    if not same_url(entry.auth_metadata_url, d.lync_metadata_url):
        return [], f"an entry points to {entry.auth_metadata_url}; it is not touched"
    changes = _repairs(d, facts)
    if not any(change.settled_when for change in changes):  # none of them waits for the entry itself
        there = {"auth_metadata_url": entry.auth_metadata_url}
        changes += waiting(
            NAME,
            "exchange.await_directory_replication",
            "Wait until every domain controller has the partner application",
            d.exchange_session_server,
            facts,
            {LYNC_IN_EXCHANGE: there},
            _on_every_controller(d, {**there, "enabled": True}),
        )
    return changes, "" if changes else f"{entry.name} is complete and holds the served key"


def _create(d: Scope, facts: Facts) -> Change:
    session = d.exchange_session_server
    served = served_thumbprints(d, facts)
    entry: dict[str, Any] = {
        "enabled": True,
        "auth_metadata_url": d.lync_metadata_url,
        "realm": lync_realm(facts),
        "accept_security_identifier_information": True,
        "linked_account": ANY,
        "use_auth_server": False,
        "thumbprints": contains(*served),
    }
    document = {"problem": "", "application_id": lync.LYNC_APPLICATION_ID, "thumbprints": contains(*served)}
    line = exchange.configure_partner_application(
        d.deployment.partner_script, d.lync_metadata_url, pinned_controller(d, facts)
    )
    user = facts.value(exchange.MAIL_USER)
    taken = _plain_user(facts)  # the script takes a user of that name as it is
    made = {"name": exchange.APPLICATION_ACCOUNT, "kind": "MailUser"}
    return Change(
        id=CREATE,
        phase=NAME,
        title="Make Lync Server a partner application of Exchange",
        target=session,
        reason="Exchange does not know Lync",
        steps=(Step(session, line),),
        rests_on=wanted(
            {
                LYNC_IN_EXCHANGE: ABSENT,
                exchange.MAIL_USER: user.model_dump() if user else ABSENT,
                exchange.ROLE_ASSIGNMENTS: facts.value(str(exchange.ROLE_ASSIGNMENTS), ABSENT),
                **{PEER_METADATA.on(server.fqdn): document for server in d.exchange_servers},
            }
        ),
        after=wanted(
            {
                LYNC_IN_EXCHANGE: entry,
                **({} if taken else {exchange.APPLICATION_USER: made, exchange.MAIL_USER: {"hidden": True}}),
                exchange.ROLE_ASSIGNMENTS: contains(*exchange.ROLES),
            }
        ),
        undo=_undo_create(d, facts),
        binds={IDENTITY: (LYNC_IN_EXCHANGE, "identity")},
        half_way=wanted(
            {
                **({} if taken else {exchange.MAIL_USER: {"name": exchange.APPLICATION_ACCOUNT}}),
                exchange.ROLE_ASSIGNMENTS: lacks(),
            }
        ),
        settled_when=_on_every_controller(d, entry),
        proven_by="Get-PartnerApplication from the domain controller of every Exchange server; then the storage test",
    )


def _undo_create(d: Scope, facts: Facts) -> tuple[Change, ...]:
    """One step per object that was not there before (rule R20), then IIS where the entry is in use (rule R44)."""
    controller, account = pinned_controller(d, facts), exchange.APPLICATION_ACCOUNT
    roles_before = facts.value(exchange.ROLE_ASSIGNMENTS, [])

    def step(
        name: str, title: str, command: Command, rests_on: dict[str, Any], after: dict[str, Any], **more: Any
    ) -> Change:
        return undo(f"{CREATE}{name}", NAME, title, d.exchange_session_server, command, rests_on, after, **more)

    ours = {
        "identity": expect.Later(IDENTITY),
        "auth_metadata_url": d.lync_metadata_url,
        "application_identifier": lync.LYNC_APPLICATION_ID,
    }
    steps = [
        step(
            "",
            "Remove Lync's partner application from Exchange",
            exchange.remove_partner_application(Later(IDENTITY), controller),
            {LYNC_IN_EXCHANGE: ours},
            {LYNC_IN_EXCHANGE: ABSENT},
            settle=_on_every_controller(d, ABSENT),
            **unloading(d),
        )
    ]
    steps += [
        step(
            f".role.{role.lower()}",
            f"Take role {role} from the application account",
            exchange.remove_role_assignment(role, account, controller),
            {exchange.ROLE_ASSIGNMENTS: contains(role)},
            {exchange.ROLE_ASSIGNMENTS: lacks(role)},
        )
        for role in exchange.ROLES
        if role not in roles_before
    ]
    user = facts.value(exchange.MAIL_USER)
    if isinstance(facts[exchange.MAIL_USER], Absent) and not _plain_user(facts):
        steps.append(
            step(
                ".account",
                "Remove the application account",
                exchange.remove_mail_user(account, controller),
                {exchange.MAIL_USER: {"name": account}},
                {exchange.MAIL_USER: ABSENT, exchange.APPLICATION_USER: ABSENT},
            )
        )
    elif user and not user.hidden:
        title, command = _show_account(controller)
        hidden: dict[str, Any] = {exchange.MAIL_USER: {"hidden": True}}
        steps.append(step(".account", title, command, hidden, {exchange.MAIL_USER: {"hidden": False}}))
    return (*steps, *restarts(d, facts, NAME, ABSENT))


def _show_account(controller: str) -> tuple[str, Command]:
    command = exchange.set_mail_user_hidden(exchange.APPLICATION_ACCOUNT, controller, hidden=False)
    return "Show the application account in address lists, as before", command


def _on_every_controller(d: Scope, entry: Any) -> Settle:
    return Settle(
        wanted({DC_ENTRY.on(server.fqdn): entry for server in d.exchange_servers}),
        AD_REPLICATION_S,
        poll_s=15,
        what="the domain controller of every Exchange server has the entry",
    )


def _repairs(d: Scope, facts: Facts) -> list[Change]:
    """A change for each thing that is wrong with an entry of the declared URL."""
    entry = facts.value(LYNC_IN_EXCHANGE)
    if entry is None or entry.several or not same_url(entry.auth_metadata_url, d.lync_metadata_url):
        return []
    changes = [
        *_setting(d, facts, "Enabled", "enabled", True, "the entry is disabled"),
        *_setting(
            d,
            facts,
            "AcceptSecurityIdentifierInformation",
            "accept_security_identifier_information",
            True,
            "Exchange ignores the users that Lync names by SID",
        ),
    ]
    made = _account_anew(d, facts)
    for change in made:
        facts = change.project(facts)
    if made or facts.value(exchange.APPLICATION_USER) is not None:
        if not entry.linked_account:
            account, reason = exchange.APPLICATION_ACCOUNT, "the entry has no linked account: no roles apply"
            changes += _setting(d, facts, "LinkedAccount", "linked_account", account, reason)
        changes += _account(d, facts)
    return [*made, *changes, *_refresh(d, facts)]


def _account_anew(d: Scope, facts: Facts) -> list[Change]:
    """The application account made again as the script makes it, where somebody has cleaned it away."""
    domains = facts.value(exchange.ACCEPTED_DOMAINS)
    if not isinstance(facts[exchange.APPLICATION_USER], Absent) or not domains or _first_accepted_domain(facts):
        return []
    name, controller, entry = application_account(facts), pinned_controller(d, facts), facts.value(LYNC_IN_EXCHANGE)
    there = {"name": name, "kind": "MailUser"}
    return [
        _repair(
            d,
            "make_application_account",
            "Make the application account again",
            exchange.new_mail_user(name, f"{name}@{domains[0].domain_name}", controller),
            reason="the entry's account is gone: no roles apply",
            where={},
            also={LYNC_IN_EXCHANGE: {"identity": entry.identity if entry else ""}},
            before={
                exchange.APPLICATION_USER: ABSENT,
                exchange.MAIL_USER: ABSENT,
            },
            after={
                exchange.APPLICATION_USER: there,
                exchange.MAIL_USER: {"name": name, "hidden": False},
            },
            back=("Remove the application account", exchange.remove_mail_user(name, controller)),
        )
    ]


def _repair(
    d: Scope, name: str, title: str, command: Command, *, where: dict[str, Any], after: dict[str, Any], **more: Any
) -> Change:
    """A change that rests on its being the entry that was read, whatever else it is about."""
    session, key = d.exchange_session_server, f"exchange.{name}"
    return reversible(key, NAME, title, session, command, where=where, after=after, **more)


def _of_entry(d: Scope, facts: Facts) -> dict[str, Any]:
    """What every change of the entry has: it waits for each domain controller, and makes the workers old."""
    stale: dict[str, Fact] = {TRUST_LOADED.on(server.fqdn): Known(False) for server in d.exchange_servers}
    return {
        "settle": lambda entry: _on_every_controller(d, entry),
        "effects": stale,  # an entry that was changed is newer than every worker
        "undo_more": unloading(d),
        "restarts_after": restarts(d, facts, NAME, ANY),
    }


def _setting(d: Scope, facts: Facts, name: str, field: str, right: str | bool, reason: str) -> list[Change]:
    entry, controller = facts.value(LYNC_IN_EXCHANGE), pinned_controller(d, facts)
    seen = getattr(entry, field)
    if entry is None or seen == right:
        return []
    back = exchange.set_partner_application(entry.identity, controller, **{name: seen})
    # a linked account reads back as its place in the directory
    return [
        _repair(
            d,
            f"set_{field}",
            f"Partner application: {name}",
            exchange.set_partner_application(entry.identity, controller, **{name: right}),
            reason=reason,
            where={LYNC_IN_EXCHANGE: {"identity": entry.identity}},
            before={LYNC_IN_EXCHANGE: {field: seen}},
            after={LYNC_IN_EXCHANGE: {field: ANY if field == "linked_account" else right}},
            back=None if seen == "" else (f"Partner application: {name} as it was, {seen}", back),
            irreversible=f"{name} stays set: it was empty, which the cmdlet cannot be told" if seen == "" else "",
            **_of_entry(d, facts),
        )
    ]


def _account(d: Scope, facts: Facts) -> list[Change]:
    """The account hidden from address lists, and each role that it lacks."""
    entry, user = facts.value(LYNC_IN_EXCHANGE), facts.value(exchange.MAIL_USER)
    controller, account = pinned_controller(d, facts), application_account(facts)
    also = {LYNC_IN_EXCHANGE: {"identity": entry.identity if entry else ""}}
    changes = []
    if user and not user.hidden:
        changes.append(
            _repair(
                d,
                "hide_application_account",
                "Hide the application account from address lists",
                exchange.set_mail_user_hidden(account, controller),
                reason="users can see it",
                where={},
                also=also,
                before={exchange.MAIL_USER: {"hidden": False}},
                after={exchange.MAIL_USER: {"hidden": True}},
                back=_show_account(controller),
            )
        )
    held = facts.value(exchange.ROLE_ASSIGNMENTS, [])
    missing = [role for role in exchange.ROLES if role not in held] if facts.known(exchange.ROLE_ASSIGNMENTS) else []
    for role in missing:
        changes.append(
            _repair(
                d,
                f"assign_role.{role.lower()}",
                f"Assign role {role} to the application account",
                exchange.new_role_assignment(role, account, controller),
                reason="the role is missing",
                where={},
                also=also,
                before={exchange.ROLE_ASSIGNMENTS: lacks(role)},
                after={exchange.ROLE_ASSIGNMENTS: contains(role)},
                back=(
                    f"Take role {role} from the application account",
                    exchange.remove_role_assignment(role, account, controller),
                ),
            )
        )
    return changes


def _refresh(d: Scope, facts: Facts) -> list[Change]:
    entry, served = facts.value(LYNC_IN_EXCHANGE), served_thumbprints(d, facts)
    assigned = facts.value(lync.OAUTH_CERTIFICATE)
    signing = {signing_thumbprint(d, facts)}
    staged = assigned is not None and assigned.is_staged(server_time(d, facts))
    needed = signing if staged else set(served)  # a staged key may wait for its date
    if entry is None or not served or needed <= set(entry.thumbprints):
        return []
    return [
        _repair(
            d,
            "refresh_lync_key",
            "Let Exchange read Lync's signing key again",
            exchange.set_partner_application(entry.identity, pinned_controller(d, facts), RefreshAuthMetadata=True),
            reason=f"stored {', '.join(entry.thumbprints) or 'none'}, served {', '.join(served)}",
            where={LYNC_IN_EXCHANGE: {"identity": entry.identity}},
            before={LYNC_IN_EXCHANGE: {"thumbprints": entry.thumbprints}},
            after={LYNC_IN_EXCHANGE: {"thumbprints": contains(*served)}},
            back=None,
            irreversible="the old key is not put back: Lync no longer signs with it",
            **_of_entry(d, facts),
        )
    ]
