"""The whole persistent state of an estate as one flat JSON mapping, to be compared field by field.

    cms/master/<key>/<field>, cms/replica/<fqdn>/<key>/<field>     Lync's configuration, and what each replica has of it
    cms/follows/<fqdn>, directory/replicates                       whether a copy follows at all
    directory/<controller>/<key>/<attribute>                       the directory as each domain controller has it
    server/<fqdn>/service/<name>, .../pool/<name>                  Windows services, application pools
    server/<fqdn>/worker/<pool>/...                                what a running worker has loaded
    server/<fqdn>/certificate/<thumbprint>/<field>                 the machine's certificate store
    server/<fqdn>/use/<name>, .../tls, .../roots                   which certificate serves what; whom TLS trusts
    server/<fqdn>/file/<path>/<field>, .../folder/<path>           files by their hash and access list, folders
    server/<fqdn>/component/<name>, .../<flag>                     component states; what was made to go wrong
    user/<sip address>/<field>, mailbox/<address>/<field>          people; a folder of a mailbox by its number of items
    account/<name>/<field>, name/<alias>, estate/<field>           rights, DNS, products

Left out, and why:

    clocks, pids, start times, generations         they say when or which one, not what: a restart is no difference
    WhenChanged, WhenCreated, Guid                 an object that was removed and made again is the same to its readers
    an EffectiveDate that has passed               it is a stamp then ("passed"); one to come is a setting, and is kept
    when contacts were rolled back                 that they were is kept
    the replicas' status                           a report about the content that is here itself, and late
    ids and texts of mailbox items                 every probe makes new ones
    passwords, private keys                        secrets; made anew with each lab
    `Estate.key_pairs`                             where the lab looks keys up; what a server holds is its store
    what is on its way (replication)               nothing has it yet: let the lags pass before comparing
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from s2slab.estate.disk import shown
from s2slab.estate.estate import Estate, LyncUser, Mailbox, Server
from s2slab.estate.transitions import plain

STAMPS = ("Guid", "WhenChangedUTC", "WhenCreatedUTC")
State = dict[str, Any]


def state(estate: Estate) -> State:
    """The estate's state, brought up to now: path -> JSON value, in the order of the paths."""
    with estate.reading():
        found = dict(_all(estate))
    return {path: found[path] for path in sorted(found)}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The paths that differ, each with both values; None where one of them has no such path."""
    paths = sorted({*before, *after})
    return {path: (before.get(path), after.get(path)) for path in paths if before.get(path) != after.get(path)}


def _all(estate: Estate) -> Iterator[tuple[str, Any]]:
    now = estate.now()
    stores = {"cms/master": estate.cms.master}
    stores |= {f"cms/replica/{name}": store for name, store in estate.cms.replicas.items()}
    for where, store in stores.items():
        for key, item in store.items():
            yield from _flat(f"{where}/{key}", _item(item, now))
    yield from _flat("cms/follows", estate.cms.replicating)
    yield "directory/replicates", estate.directory.replicating
    for dc in estate.directory.controllers:
        for key, attributes in estate.directory.items(dc=dc):
            yield from _flat(f"directory/{dc}/{key}", _lasting(attributes))
    for server in estate.servers.values():
        yield from _flat(f"server/{server.fqdn}", _server(server))
    for user in estate.users.values():
        yield from _flat(f"user/{user.sip_address}", _user(user))
    for box in estate.mailboxes.values():
        yield from _flat(f"mailbox/{box.address}", _mailbox(box))
    for account in estate.accounts.values():
        rights = {"groups": account.groups, "local": account.local_groups, "administers": account.local_admin_on}
        yield from _flat(f"account/{account.name}", rights)
    yield from _flat("name", estate.names)
    estate_wide = ("domain", "netbios", "lync_product", "exchange_product", "pool_fqdn", "database_fqdn")
    yield from _flat("estate", {name: getattr(estate, name) for name in estate_wide})


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A value below a path: mappings are walked into, unless empty; everything else is one JSON value."""
    if isinstance(value, Mapping) and value:
        for key, member in value.items():
            yield from _flat(f"{path}/{key}", member)
    else:
        yield path, plain(value)


def _item(item: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    effective = item.get("EffectiveDate")
    if isinstance(effective, datetime) and effective <= now:
        return {**item, "EffectiveDate": "passed"}
    return dict(item)


def _lasting(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if name not in STAMPS}


def _server(server: Server) -> dict[str, Any]:
    web = server.iis
    return {
        "roles": server.roles,
        "site": server.site,
        "domain_controller": server.domain_controller,
        "clock_skew_s": server.clock_skew_s,
        "language_mode": server.language_mode,
        "reachable": server.reachable,
        "named_pipes_refuse_network": server.named_pipes_refuse_network,
        "iis_restart_fails": server.iis_restart_fails,
        "service": {**server.services, **(web.services if web is not None else {})},
        "pool": web.pools if web is not None else {},
        "worker": {
            name: {
                "partner_application": _by_name(worker.partner_applications),
                "auth_config": _lasting(worker.auth_config),
                "accepted_domains": worker.accepted_domains,
            }
            for name, worker in (web.workers.items() if web is not None else ())
        },
        "certificate": {
            thumbprint: {
                "subject": pair.subject,
                "friendly_name": pair.friendly_name,
                "provider": pair.provider,
                "exportable": pair.exportable,
            }
            for thumbprint, pair in server.certificates.items()
        },
        "use": server.default_certificates,
        "tls": server.tls.thumbprint,
        "roots": sorted(hashlib.sha256(root).hexdigest() for root in server.trusted_roots),
        "file": {path: shown(file) for path, file in server.files.items()},
        "folder": dict.fromkeys(server.folders, True),
        "component": server.components,
    }


def _by_name(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {str(row["Name"]): _lasting(row) for row in rows}


def _user(user: LyncUser) -> dict[str, Any]:
    return {
        "name": user.name,
        "upn": user.upn,
        "pool": user.pool,
        "user_services_policy": user.user_services_policy,
        "exchange_archiving_policy": user.exchange_archiving_policy,
        "contacts_in_exchange": user.contacts_in_exchange,
        "contacts_rolled_back": user.contacts_rolled_back is not None,
    }


def _mailbox(box: Mailbox) -> dict[str, Any]:
    return {
        "server": box.server,
        "upn": box.upn,
        "sid": box.sid,
        "folder": {name: len(items) for name, items in box.folders.items()},
    }
