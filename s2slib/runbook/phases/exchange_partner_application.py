"""Lync Server as partner application of Exchange: six objects, created by Microsoft's script or repaired one by one.

| entry with Lync's id and a metadata URL | what happens |
| --- | --- |
| none | Configure-EnterprisePartnerApplication.ps1 |
| one, the declared URL, everything right | nothing |
| one, the declared URL, something missing | only that is repaired; the key is refreshed only if the stored one differs (O7) |
| one, another URL | blocker |
| several | blocker |
"""

from __future__ import annotations

from typing import Any

from s2slib.facts import Absent, Fact, Facts, Json, Known
from s2slib.products import exchange, lync
from s2slib.products.lync import on
from s2slib.remoting.values.command import Later
from s2slib.runbook.model.change import Change, Settle, Step
from s2slib.runbook.model.expect import ABSENT, ANY, contains, lacks, later
from s2slib.runbook.model.finding import Finding
from s2slib.runbook.phases.common import lync_realm, ucs_gate, unknown_findings, waiting
from s2slib.runbook.phases.undo import after_unloading, before_unloading, restarts, undo
from s2slib.runbook.reading.catalogue import OWN_METADATA, PEER_METADATA, pinned_controller
from s2slib.runbook.reading.derive import DC_ENTRY, LYNC_IN_EXCHANGE, TRUST_LOADED
from s2slib.runbook.reading.scope import Scope

NAME = "exchange_partner_application"
CREATE = "exchange.create_lync_partner_application"
IDENTITY = "exchange/lync_partner_application.identity"
AD_REPLICATION_S = 3600


def keys(d: Scope) -> list[str]:
    """The facts this phase rests on."""
    return [
        LYNC_IN_EXCHANGE,
        exchange.MAIL_USER,
        exchange.ROLE_ASSIGNMENTS,
        exchange.ACCEPTED_DOMAINS,
        *(on(front_end, OWN_METADATA) for front_end in d.front_ends),
    ]


def judge(d: Scope, facts: Facts) -> list[Finding]:
    """The six objects, and whether the stored key is the one that Lync serves."""
    wanted = keys(d) if facts.value(lync.OAUTH_CERTIFICATE) else keys(d)[:4]
    return [
        *unknown_findings(NAME, facts, wanted),
        *ucs_gate(d, facts, NAME),
        *_served(d, facts),
        *_entry(d, facts),
        *_first_accepted_domain(facts),
    ]


def served_thumbprints(d: Scope, facts: Facts) -> list[str]:
    """The signing keys that every front end serves; empty while unknown or unequal."""
    served = [facts.value(on(front_end, OWN_METADATA), {}).get("thumbprints") for front_end in d.front_ends]
    return list(served[0]) if served and served[0] and all(item == served[0] for item in served) else []


def _served(d: Scope, facts: Facts) -> list[Finding]:
    assigned = facts.value(lync.OAUTH_CERTIFICATE, {}).get("thumbprint")
    findings = []
    for front_end in d.front_ends if assigned else ():
        document = facts.value(on(front_end, OWN_METADATA))
        if document and (document["problem"] or assigned not in document["thumbprints"]):
            findings.append(
                Finding(
                    f"{NAME}.front_end_key",
                    "blocker",
                    NAME,
                    "This front end does not serve the assigned signing key",
                    seen=document["problem"] or ", ".join(document["thumbprints"]),
                    expected=assigned,
                    remedy="wait until replication has delivered the certificate; Exchange would store the wrong key",
                    server=front_end,
                )
            )
    return findings


def _entry(d: Scope, facts: Facts) -> list[Finding]:
    fact = facts[LYNC_IN_EXCHANGE]
    if isinstance(fact, Absent):
        return [
            Finding(
                f"{NAME}.absent",
                "warning",
                NAME,
                "Exchange does not know Lync",
                seen="no entry with Lync's id and a metadata URL",
                expected=d.lync_metadata_url,
                remedy="this phase runs Configure-EnterprisePartnerApplication.ps1",
            )
        ]
    if not isinstance(fact, Known):
        return []
    entry = fact.value
    if "several" in entry:
        return [
            Finding(
                f"{NAME}.several",
                "blocker",
                NAME,
                "Exchange has several partner applications for Lync",
                seen=", ".join(entry["several"]),
                expected="one",
                remedy="find out which one is in use and remove the others by hand; nothing is guessed",
            )
        ]
    if not _same_url(entry["auth_metadata_url"], d.lync_metadata_url):
        return [
            Finding(
                f"{NAME}.other_url",
                "blocker",
                NAME,
                "Exchange has a partner application for Lync with another metadata URL",
                seen=entry["auth_metadata_url"],
                expected=d.lync_metadata_url,
                remedy="correct lync.metadata_url in the params file, or move the entry by hand (Set-PartnerApplication)",
            )
        ]
    wrong = _repairs(d, facts)
    if not wrong:
        return [
            Finding(
                NAME, "ok", NAME, "Exchange trusts Lync's key", seen=f"{entry['name']}: {entry['auth_metadata_url']}"
            )
        ]
    return [
        Finding(
            f"{NAME}.incomplete", "warning", NAME, title, seen=seen, expected=expected, remedy="this phase repairs it"
        )
        for title, seen, expected in wrong
    ]


def _repairs(d: Scope, facts: Facts) -> list[tuple[str, str, str]]:
    return [(change.title, change.reason, "right") for change in _repair_changes(d, facts)]


def _first_accepted_domain(facts: Facts) -> list[Finding]:
    domains = facts.value(exchange.ACCEPTED_DOMAINS)
    if domains is None or not isinstance(facts[exchange.MAIL_USER], Absent):
        return []
    if not domains:
        seen = "no accepted domain"
    elif "." not in domains[0]["name"] or " " in domains[0]["name"]:
        seen = f"the first accepted domain is named {domains[0]['name']!r}"
    else:
        return []
    return [
        Finding(
            f"{NAME}.accepted_domain_name",
            "blocker",
            NAME,
            "The script will not be able to create its account",
            seen=seen,
            expected="the first accepted domain's Name to be a domain: the script builds an address from it",
            remedy=f"create the mail user {exchange.APPLICATION_ACCOUNT} by hand, or rename the accepted domain",
        )
    ]


def plan(d: Scope, facts: Facts) -> tuple[list[Change], str]:
    """Run the script when there is no entry, else repair what is missing; see the module's table."""
    fact = facts[LYNC_IN_EXCHANGE]
    if isinstance(fact, Absent):
        if not lync_realm(facts):
            return [], "Lync's realm is unknown"
        if not facts.known(exchange.MAIL_USER, exchange.ROLE_ASSIGNMENTS):
            return [], "whether the application account and its roles are there is unknown"
        return [_create(d, facts)], ""
    if not isinstance(fact, Known):
        return [], "Exchange's partner applications are unknown"
    if "several" in fact.value:
        return [], "several entries; none is touched"
    if not _same_url(fact.value["auth_metadata_url"], d.lync_metadata_url):
        return [], f"an entry points to {fact.value['auth_metadata_url']}; it is not touched"
    changes = _repair_changes(d, facts)
    if not any(change.settled_when for change in changes):  # none of them waits for the entry itself
        changes += waiting(
            NAME,
            "exchange.await_directory_replication",
            "Wait until every domain controller has the partner application",
            d.exchange_session_server,
            facts,
            {LYNC_IN_EXCHANGE: {"auth_metadata_url": fact.value["auth_metadata_url"]}},
            _on_every_controller(d, {"auth_metadata_url": fact.value["auth_metadata_url"], "enabled": True}),
        )
    return changes, "" if changes else f"{fact.value['name']} is complete and holds the served key"


def _create(d: Scope, facts: Facts) -> Change:
    session = d.exchange_session_server
    controller = pinned_controller(d, facts)
    served = served_thumbprints(d, facts)
    entry: dict[str, Json] = {
        "enabled": True,
        "auth_metadata_url": d.lync_metadata_url,
        "realm": lync_realm(facts),
        "accept_security_identifier_information": True,
        "linked_account": ANY,
        "use_auth_server": False,
        "thumbprints": contains(*served),
    }
    rests_on: dict[str, Json] = {
        LYNC_IN_EXCHANGE: ABSENT,
        exchange.MAIL_USER: facts.value(exchange.MAIL_USER, ABSENT),
        exchange.ROLE_ASSIGNMENTS: facts.value(exchange.ROLE_ASSIGNMENTS, ABSENT),
    }
    for server in d.exchange_servers:
        rests_on[on(server.fqdn, PEER_METADATA)] = {
            "problem": "",
            "application_id": lync.LYNC_APPLICATION_ID,
            "thumbprints": contains(*served),
        }
    return Change(
        id=CREATE,
        phase=NAME,
        title="Make Lync Server a partner application of Exchange",
        target=session,
        reason="Exchange does not know Lync",
        steps=(
            Step(
                session,
                exchange.configure_partner_application(d.deployment.partner_script, d.lync_metadata_url, controller),
            ),
        ),
        rests_on=rests_on,
        after={
            LYNC_IN_EXCHANGE: entry,
            exchange.MAIL_USER: {"hidden": True},
            exchange.ROLE_ASSIGNMENTS: contains(*exchange.ROLES),
        },
        undo=_undo_create(d, facts),
        binds={IDENTITY: (LYNC_IN_EXCHANGE, "identity")},
        half_way={
            exchange.MAIL_USER: {"name": exchange.APPLICATION_ACCOUNT},
            exchange.ROLE_ASSIGNMENTS: lacks(),
        },
        settled_when=_on_every_controller(d, entry),
        proven_by="Get-PartnerApplication from the domain controller of every Exchange server; then the storage test",
    )


def _undo_create(d: Scope, facts: Facts) -> tuple[Change, ...]:
    """One step per object that was not there before (O6), then IIS where the entry is in use (O33)."""
    session, controller = d.exchange_session_server, pinned_controller(d, facts)
    account = exchange.APPLICATION_ACCOUNT
    roles_before = [str(role) for role in facts.value(exchange.ROLE_ASSIGNMENTS, [])]
    steps = [
        undo(
            CREATE,
            NAME,
            "Remove Lync's partner application from Exchange",
            session,
            exchange.remove_partner_application(Later(IDENTITY), controller),
            {
                LYNC_IN_EXCHANGE: {
                    "identity": later(IDENTITY),
                    "auth_metadata_url": d.lync_metadata_url,
                    "application_identifier": lync.LYNC_APPLICATION_ID,
                }
            },
            {LYNC_IN_EXCHANGE: ABSENT},
            _on_every_controller(d, ABSENT),
            binds_before=before_unloading(d),
            binds=after_unloading(d),
        )
    ]
    steps += [
        undo(
            f"{CREATE}.role.{role.lower()}",
            NAME,
            f"Take role {role} from the application account",
            session,
            exchange.remove_role_assignment(role, account, controller),
            {exchange.ROLE_ASSIGNMENTS: contains(role)},
            {exchange.ROLE_ASSIGNMENTS: lacks(role)},
        )
        for role in exchange.ROLES
        if role not in roles_before
    ]
    user = facts[exchange.MAIL_USER]
    if isinstance(user, Absent):
        steps.append(
            undo(
                f"{CREATE}.account",
                NAME,
                "Remove the application account",
                session,
                exchange.remove_mail_user(account, controller),
                {exchange.MAIL_USER: {"name": account}},
                {exchange.MAIL_USER: ABSENT},
            )
        )
    elif isinstance(user, Known) and not user.value["hidden"]:
        steps.append(_show_account(session, controller, f"{CREATE}.account"))
    return (*steps, *restarts(d, facts, NAME, ABSENT))


def _show_account(session: str, controller: str, of: str) -> Change:
    return undo(
        of,
        NAME,
        "Show the application account in address lists, as before",
        session,
        exchange.set_mail_user_hidden(exchange.APPLICATION_ACCOUNT, controller, hidden=False),
        {exchange.MAIL_USER: {"hidden": True}},
        {exchange.MAIL_USER: {"hidden": False}},
    )


def _on_every_controller(d: Scope, entry: Json) -> Settle:
    return Settle(
        {on(server.fqdn, DC_ENTRY): entry for server in d.exchange_servers},
        AD_REPLICATION_S,
        poll_s=15,
        what="the domain controller of every Exchange server has the entry",
    )


def _repair_changes(d: Scope, facts: Facts) -> list[Change]:
    entry = facts.value(LYNC_IN_EXCHANGE, {})
    if "several" in entry or not _same_url(entry.get("auth_metadata_url", ""), d.lync_metadata_url):
        return []
    session, controller = d.exchange_session_server, pinned_controller(d, facts)
    identity, account = entry["identity"], exchange.APPLICATION_ACCOUNT
    changes: list[Change] = []

    def change(
        change_id: str, title: str, reason: str, step: Any, rests: Json, after: Json, back: Any, note: str = ""
    ) -> None:
        """`back`: (title, command, rests_on, after) of the undo, or None with a note why there is none."""
        taken_back: tuple[Change, ...] = ()
        if back is not None:
            back_title, command, back_rests, back_after = back
            entry_after = back_after.get(LYNC_IN_EXCHANGE)
            taken_back = (
                undo(
                    f"exchange.{change_id}",
                    NAME,
                    back_title,
                    session,
                    command,
                    back_rests,
                    back_after,
                    _on_every_controller(d, entry_after) if entry_after else None,
                    binds_before=before_unloading(d),
                    binds=after_unloading(d),
                ),
            )
            if entry_after:
                taken_back += restarts(d, facts, NAME, ANY)
        changes.append(
            Change(
                id=f"exchange.{change_id}",
                phase=NAME,
                title=title,
                target=session,
                reason=reason,
                steps=(Step(session, step),),
                rests_on={LYNC_IN_EXCHANGE: {"identity": identity, **rests}},
                after=after,
                effects=_loaded_no_more(d) if LYNC_IN_EXCHANGE in after else {},
                undo=taken_back,
                irreversible=note,
                settled_when=_on_every_controller(d, after[LYNC_IN_EXCHANGE]) if LYNC_IN_EXCHANGE in after else None,
            )
        )

    def setting(name: str, key: str, wanted: Json, reason: str, read_back: Json = None) -> None:
        if entry[key] == wanted:
            return
        change(
            f"set_{key}",
            f"Partner application: {name}",
            reason,
            exchange.set_partner_application(identity, controller, **{name: wanted}),
            {key: entry[key]},
            {LYNC_IN_EXCHANGE: {key: wanted if read_back is None else read_back}},
            (
                f"Partner application: {name} as it was, {entry[key]}",
                exchange.set_partner_application(identity, controller, **{name: entry[key]}),
                {LYNC_IN_EXCHANGE: {"identity": identity, key: wanted}},
                {LYNC_IN_EXCHANGE: {key: entry[key]}},
            )
            if entry[key] != ""
            else None,
            "" if entry[key] != "" else f"{name} stays set: it was empty, which the cmdlet cannot be told",
        )

    setting("Enabled", "enabled", True, "the entry is disabled")
    setting(
        "AcceptSecurityIdentifierInformation",
        "accept_security_identifier_information",
        True,
        "Exchange ignores the users that Lync names by SID",
    )
    if isinstance(facts[exchange.MAIL_USER], Known):
        if not entry["linked_account"]:
            setting(
                "LinkedAccount",
                "linked_account",
                account,
                "the entry has no linked account: no roles apply",
                ANY,  # it reads back as the account's place in the directory
            )
        if not facts.value(exchange.MAIL_USER)["hidden"]:
            change(
                "hide_application_account",
                "Hide the application account from address lists",
                "users can see it",
                exchange.set_mail_user_hidden(account, controller),
                {},
                {exchange.MAIL_USER: {"hidden": True}},
                (
                    "Show the application account in address lists, as before",
                    exchange.set_mail_user_hidden(account, controller, hidden=False),
                    {exchange.MAIL_USER: {"hidden": True}},
                    {exchange.MAIL_USER: {"hidden": False}},
                ),
            )
        held = [str(role) for role in facts.value(exchange.ROLE_ASSIGNMENTS, [])]
        for role in exchange.ROLES:
            if role not in held and facts.known(exchange.ROLE_ASSIGNMENTS):
                change(
                    f"assign_role.{role.lower()}",
                    f"Assign role {role} to the application account",
                    "the role is missing",
                    exchange.new_role_assignment(role, account, controller),
                    {},
                    {exchange.ROLE_ASSIGNMENTS: contains(role)},
                    (
                        f"Take role {role} from the application account",
                        exchange.remove_role_assignment(role, account, controller),
                        {exchange.ROLE_ASSIGNMENTS: contains(role)},
                        {exchange.ROLE_ASSIGNMENTS: lacks(role)},
                    ),
                )
    served = served_thumbprints(d, facts)
    if served and not set(served) <= set(entry["thumbprints"]):
        change(
            "refresh_lync_key",
            "Let Exchange read Lync's signing key again",
            f"stored {', '.join(entry['thumbprints']) or 'none'}, served {', '.join(served)}",
            exchange.set_partner_application(identity, controller, RefreshAuthMetadata=True),
            {"thumbprints": entry["thumbprints"]},
            {LYNC_IN_EXCHANGE: {"thumbprints": contains(*served)}},
            None,
            "the old key is not put back: Lync no longer signs with it",
        )
    return changes


def _loaded_no_more(d: Scope) -> dict[str, Fact]:
    """An entry that was changed is newer than every worker: what the phase behind it restarts for."""
    return {on(server.fqdn, TRUST_LOADED): Known(False) for server in d.exchange_servers}


def _same_url(a: str, b: str) -> bool:
    return a.rstrip("/").casefold() == b.rstrip("/").casefold()
