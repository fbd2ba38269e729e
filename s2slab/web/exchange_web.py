"""The web sites of one Exchange server: the front end of the Client Access role and the back end of the Mailbox role.

    site           path                                    who answers
    -------------  --------------------------------------  -------------------------------------------------------
    443 and 444    /autodiscover/metadata/json/1           anybody: the metadata document
    443            /<application>/healthcheck.htm          anybody: 200, or 503 while the component is inactive
    443            /autodiscover/autodiscover.svc          a token that this server's worker takes; passed on to the
                   /ews/exchange.asmx                        back end of the user's mailbox server, with the token
    444            the same two                            a token that the back end's own worker takes

A Mailbox server without the Client Access role serves no Exchange application on 443. Whether a real back end judges
the token again or trusts the front end is UNCONFIRMED; the documented remedy, restarting IIS on Mailbox and Client
Access servers alike, fits the former.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from s2slab.estate.estate import EXCHANGE_APP, Estate, Server, WorkerProcess
from s2slab.estate.iis import AUTODISCOVER_POOL, EWS_POOL
from s2slab.network.network import CORRELATION, Network, WebFailure
from s2slab.network.site import Reply, Request, error_page, not_found, unavailable
from s2slab.web import autodiscover, ews, metadata
from s2slab.web.oauth import Accepted, Refused, judge_bearer, trusted_issuers

BACK_END_PORT = 444
ORIGIN = "msexchproxyuri"  # the URL that the client asked the front end for
POOLS = {autodiscover.SVC_PATH: AUTODISCOVER_POOL, autodiscover.POX_PATH: AUTODISCOVER_POOL, ews.EWS_PATH: EWS_POOL}
COMPONENTS = {"autodiscover": "AutoDiscoverProxy", "ews": "EwsProxy", "owa": "OwaProxy", "ecp": "EcpProxy"}
_PASSED_ON = ("authorization", "content-type", "soapaction", CORRELATION)
_PASSED_BACK = ("www-authenticate", "x-ms-diagnostics")


class ExchangeWeb:
    """Answers for both sites of one server, by its roles."""

    def __init__(self, estate: Estate, network: Network, server: Server) -> None:
        self._estate = estate
        self._network = network
        self._server = server
        self._metadata = metadata.ExchangeMetadata(estate, server)

    def front_end(self, request: Request) -> Reply:
        """The answer of the site on 443."""
        if not self._server.has_role("ClientAccess"):
            return not_found()
        application, _, rest = request.place.lstrip("/").partition("/")
        if rest == "healthcheck.htm" and application in COMPONENTS:
            return self._health(application)
        if request.place == metadata.EXCHANGE_PATH:
            return self._document(request)
        if request.place not in POOLS:
            return not_found()
        judged = self._authenticate(request, request.host)
        return judged if isinstance(judged, Reply) else self._pass_on(request, judged)

    def back_end(self, request: Request) -> Reply:
        """The answer of the site on 444; a front end says in a header what the client asked it for."""
        if request.place == metadata.EXCHANGE_PATH:
            return self._document(request)
        if request.place not in POOLS:
            return not_found()
        judged = self._authenticate(request, urlsplit(request.headers.get(ORIGIN, "")).hostname or request.host)
        if isinstance(judged, Reply):
            return judged
        if request.place == autodiscover.POX_PATH:
            return autodiscover.refuse_pox()
        if request.place == autodiscover.SVC_PATH:
            return autodiscover.get_user_settings(self._estate, request.body)
        with self._estate.reading():
            mailbox = None if judged.user is None else self._estate.mailbox(judged.user)
        if mailbox is None or self._estate.server(mailbox.server) is not self._server:
            return Reply(500, b"The mailbox is not on this server.", "text/plain")
        return ews.answer(self._estate, mailbox, request.body, self._network.cause_of(request.headers))

    def _document(self, request: Request) -> Reply:
        if request.method not in ("GET", "HEAD"):
            return Reply(405, headers=(("Allow", "GET, HEAD"),))
        worker = self._worker(AUTODISCOVER_POOL)
        if worker is None:
            return unavailable()
        document = self._metadata.document(request.url, worker)
        # which error a server without a usable auth certificate gives is UNCONFIRMED
        return error_page(500) if document is None else Reply(200, document, "application/json; charset=utf-8")

    def _health(self, application: str) -> Reply:
        with self._estate.reading():
            states = [self._server.components.get(name) for name in ("ServerWideOffline", COMPONENTS[application])]
        # the answer while a component is out of rotation is UNCONFIRMED but for not being 200
        if "Inactive" in states:
            return unavailable()
        return Reply(200, f"200 OK<br/>{self._server.fqdn.upper()}".encode(), "text/html")

    def _worker(self, pool: str) -> WorkerProcess | None:
        with self._estate.reading():
            iis = self._server.iis
            return iis.workers.get(pool) if iis is not None and iis.pools.get(pool) == "Started" else None

    def _authenticate(self, request: Request, host: str) -> Accepted | Reply:
        worker = self._worker(POOLS[request.place])
        if worker is None:
            return unavailable()
        token = request.bearer
        if not token:
            return self._challenge(worker if token is not None else None, None)
        with self._estate.reading():
            at = self._estate.now() + timedelta(seconds=self._server.clock_skew_s)
            judged = judge_bearer(token, worker=worker, host=host, at=at, accounts=self._estate)
        return judged if isinstance(judged, Accepted) else self._challenge(worker, judged)

    def _challenge(self, worker: WorkerProcess | None, refused: Refused | None) -> Reply:
        """401 with the schemes of the virtual directory; the bearer scheme shows itself to who tried it."""
        challenges = [("WWW-Authenticate", scheme) for scheme in ("Negotiate", "NTLM")]
        if worker is not None:
            issuers = ",".join(trusted_issuers(worker))
            bearer = (
                f'Bearer client_id="{EXCHANGE_APP}", trusted_issuers="{issuers}", '
                'token_types="app_asserted_user_v1 service_asserted_app_v1", error="invalid_token"'
            )
            challenges.insert(0, ("WWW-Authenticate", bearer))
        diagnostics = () if refused is None else (("x-ms-diagnostics", refused.diagnostics),)
        return Reply(401, headers=(*challenges, *diagnostics, ("X-FEServer", self._server.name.upper())))

    def _pass_on(self, request: Request, judged: Accepted) -> Reply:
        """What the back end of the user's mailbox server answers, over a connection of its own."""
        with self._estate.reading():
            mailbox = None if judged.user is None else self._estate.mailbox(judged.user)
            stores = [server for server in self._estate.exchange_servers() if server.has_role("Mailbox")]
            target = stores[0] if mailbox is None else self._estate.server(mailbox.server)
        sent = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        sent[ORIGIN] = request.url
        url = f"https://{target.fqdn}:{BACK_END_PORT}{request.path}"
        try:
            answer = self._network.request(self._server, request.method, url, headers=sent, body=request.body)
        except WebFailure as failure:
            if failure.answer is None:
                return unavailable()
            answer = failure.answer
        back = [(name, answer.header(name)) for name in _PASSED_BACK if answer.header(name)]
        return Reply(
            answer.status,
            answer.body,
            answer.header("content-type"),
            (*back, ("X-FEServer", self._server.name.upper()), ("X-BEServer", target.name.upper())),
        )
