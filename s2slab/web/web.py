"""Every web site of the estate: one TLS listener per server and port, registered with the lab's network."""

from __future__ import annotations

from functools import partial

from s2slab.estate.estate import Estate, Server
from s2slab.network.network import Network
from s2slab.network.site import Handler, Reply, Request, Site, error_page, not_found
from s2slab.web import metadata
from s2slab.web.exchange_web import BACK_END_PORT, ExchangeWeb

WEB_PORT = 443


class WebSites:
    """The sites of all front ends and Exchange servers, from construction until `close`.

    A site presents its server's `tls` certificate of the moment and serves while that server's IIS runs; a restart of
    IIS ends its connections.
    """

    def __init__(self, estate: Estate, network: Network) -> None:
        self._estate = estate
        self._network = network
        self._sites: list[Site] = []
        front_ends = estate.front_ends()
        for server in front_ends:
            self._open(server, WEB_PORT, partial(lync_web, estate, server))
        for server in estate.exchange_servers():
            web = ExchangeWeb(estate, network, server)
            self._open(server, WEB_PORT, web.front_end)
            if server.has_role("Mailbox"):
                self._open(server, BACK_END_PORT, web.back_end)
        if front_ends:
            network.balance(estate.pool_fqdn, [server.fqdn for server in front_ends])

    def close(self) -> None:
        """Stop every site and end its connections."""
        for site in self._sites:
            site.close()

    def _open(self, server: Server, port: int, handler: Handler) -> None:
        life = partial(self._network.life, server, port)
        site = Site(handler, name=f"{server.name}:{port}", certificate=lambda: server.tls, life=life)
        self._sites.append(site)
        self._network.register(server.fqdn, port, site.port)


def lync_web(estate: Estate, server: Server, request: Request) -> Reply:
    """The answer of a front end's internal web services: the metadata document of its own replica."""
    if request.place != metadata.LYNC_PATH:
        return not_found()
    if request.method not in ("GET", "HEAD"):
        return Reply(405, headers=(("Allow", "GET, HEAD"),))
    with estate.reading():
        document = metadata.lync_document(estate, server, request.url)
    # what a front end answers before a certificate is assigned is UNCONFIRMED
    return error_page(500) if document is None else Reply(200, document, "application/json")
