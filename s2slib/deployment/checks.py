"""Checks that need more than one section: do the parts of a declaration agree with each other?

| credential | transport | second hop |
| --- | --- | --- |
| gives a password | kerberos, ntlm, credssp; basic over https only | explicit; credssp over credssp |
| | kerberos | delegation too |
| ticket:, current: give none | kerberos | delegation |
"""

from __future__ import annotations

from collections.abc import Iterator

from s2slib.deployment.model import Deployment, Product
from s2slib.deployment.problems import Place, Problem, did_you_mean, field_name, first_told, listed, shown

Found = tuple[Place, Problem]


def disagreements(deployment: Deployment) -> list[Found]:
    """Every disagreement between the sections, with its place."""
    every = (_names(deployment), _exclusions(deployment), _references(deployment))
    return [found for some in every for found in first_told(some)] or [*_access(deployment)]


def _found(path: Place, problem: str, value: object = None, allowed: str = "", hint: str = "") -> Found:
    return path, Problem(field_name(path), problem, "" if value is None else shown(value), allowed, hint)


def _names(deployment: Deployment) -> Iterator[Found]:
    seen: dict[str, Place] = {}
    pools: set[str] = set()
    for index, pool in enumerate(deployment.lync.pools):
        if pool.fqdn in pools:
            yield _found(("lync", "pools", index, "fqdn"), "is declared twice", pool.fqdn)
        pools.add(pool.fqdn)
        for place, name in enumerate(pool.front_ends):
            yield from _once(seen, ("lync", "pools", index, "front_ends", place), name)
    for index, server in enumerate(deployment.exchange.servers):
        yield from _once(seen, ("exchange", "servers", index, "fqdn"), server.fqdn)


def _once(seen: dict[str, Place], path: Place, name: str) -> Iterator[Found]:
    if name in seen:
        yield _found(path, f"is declared twice (also as {field_name(seen[name])})", name)
    seen.setdefault(name, path)


def _exclusions(deployment: Deployment) -> Iterator[Found]:
    products: tuple[Product, ...] = ("lync", "exchange")
    for product in products:
        section = deployment.lync if product == "lync" else deployment.exchange
        known = [server.fqdn for server in deployment.servers(product)]
        path: Place = (product, "excluded")
        yield from _all_known(path, [entry.server for entry in section.excluded], known, "a server of this section")
        if not deployment.active_servers(product):
            yield _found(path, "leaves no server of this product", allowed="at least one server that is not excluded")
    mailbox = [server for server in deployment.active_servers("exchange") if "Mailbox" in server.roles]
    if not mailbox and deployment.active_servers("exchange"):
        yield _found(("exchange", "excluded"), "leaves no Mailbox server", allowed="at least one Mailbox server")


def _references(deployment: Deployment) -> Iterator[Found]:
    every = [server.fqdn for server in deployment.servers()]
    exchange = [server.fqdn for server in deployment.servers("exchange")]
    pools = [pool.fqdn for pool in deployment.lync.pools]
    yield from _all_known(
        ("network", "winrm_urls"), [entry.server for entry in deployment.network.winrm_urls], every, "a declared server"
    )
    yield from _all_known(
        ("credentials", "servers"),
        [entry.server for entry in deployment.credentials.servers],
        every,
        "a declared server",
    )
    yield from _all_known(
        ("exchange", "autodiscover_scp"),
        [entry.server for entry in deployment.exchange.autodiscover_scp],
        exchange,
        "a declared Exchange server",
    )
    users: set[tuple[str, str | None]] = set()
    for index, user in enumerate(deployment.test_users):
        if user.pool is not None and user.pool not in pools:
            allowed = f"a declared pool: {listed(pools)}"
            yield _found(
                ("test_users", index, "pool"), "is not declared", user.pool, allowed, did_you_mean(user.pool, pools)
            )
        if (user.sip_uri, user.pool) in users:
            yield _found(("test_users", index), "is declared twice", user.sip_uri)
        users.add((user.sip_uri, user.pool))


def _all_known(path: Place, names: list[str], known: list[str], what: str) -> Iterator[Found]:
    declared = frozenset(known)
    seen: set[str] = set()
    for index, name in enumerate(names):
        here = (*path, index, "server")
        if name not in declared:
            yield _found(here, "is not declared", name, f"{what}: {listed(known)}", did_you_mean(name, known))
        elif name in seen:
            yield _found(here, "is named twice", name)
        seen.add(name)


def _access(deployment: Deployment) -> Iterator[Found]:
    """The table above, per server; a mistake in a product's settings is reported once."""
    reported: set[tuple[Place, str]] = set()
    own_account = {entry.server: index for index, entry in enumerate(deployment.credentials.servers)}
    for server in deployment.reached_servers():
        for path, problem in _access_to(deployment, server.fqdn, server.product, own_account):
            if (path, problem.problem) not in reported:
                reported.add((path, problem.problem))
                yield path, problem


def _access_to(deployment: Deployment, name: str, product: Product, own_account: dict[str, int]) -> Iterator[Found]:
    endpoint = deployment.endpoint(name)
    reference = deployment.account(name).parsed
    section = deployment.lync if product == "lync" else deployment.exchange
    transport_at: Place = (product if section.endpoint.transport else "network", "endpoint", "transport")
    hop_at: Place = (product if section.endpoint.second_hop else "network", "endpoint", "second_hop")
    account_at: Place = (
        ("credentials", "servers", own_account[name]) if name in own_account else ("credentials", product)
    )

    if endpoint.transport == "basic" and not endpoint.is_https:
        yield _found(transport_at, "would send the password in clear over http", "basic", "basic with https only")
    if endpoint.second_hop == "credssp" and endpoint.transport != "credssp":
        yield _found(
            hop_at, f"needs transport credssp, not {endpoint.transport}", "credssp", "explicit, or both credssp"
        )
    if endpoint.second_hop == "delegation" and endpoint.transport != "kerberos":
        yield _found(hop_at, f"needs transport kerberos, not {endpoint.transport}", "delegation", "explicit")
    if reference.gives_password:
        return
    scheme = f"{reference.scheme}:"
    if endpoint.transport != "kerberos":
        yield _found(
            account_at, f"{scheme} has no password, which transport {endpoint.transport} needs", allowed="kerberos"
        )
    elif endpoint.second_hop == "explicit":
        yield _found(
            account_at,
            f"{scheme} has no password to open the inner session with, which second_hop explicit needs",
            allowed="second_hop: delegation, or a reference that gives a password",
        )
