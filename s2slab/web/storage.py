"""The Lync Storage Service of a front end: reaches a user's mailbox through Autodiscover and EWS with its own tokens.

What it needs, and what is seen when it is missing (texts of documented events where there are any; the wording of the
rest, and that the realm in the token's audience is Lync's own, is UNCONFIRMED):

    missing                                          where it shows
    -----------------------------------------------  ------------------------------------------------------
    ExchangeAutodiscoverUrl in this replica          before any request
    name, route, TLS trust, answer in time           Autodiscover: request canceled or WebException text
    the right path                                   Autodiscover: (404) Not Found
    Exchange as an enabled partner application here  Autodiscover: (401), no token was made
    a signing key in this replica                    Autodiscover: (401), no token was made
    Lync as a partner application, loaded, on the    Autodiscover: (401) and x-ms-diagnostics, from the Client Access
      Client Access server and on the mailbox server   server or, through it, from the mailbox server
    a mailbox, the folder                            the token is refused for the user; EWS response code
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

from s2slab.estate.estate import LYNC_APP, Estate, Server
from s2slab.estate.pki import KeyPair
from s2slab.network.network import HttpAnswer, Network, WebFailure
from s2slab.web import ews, soap
from s2slab.web.oauth import Audience, mint_actor_token, mint_user_token

AUTODISCOVERY_FAILED = "Storage Service had an EWS Autodiscovery failure."


@dataclass(frozen=True)
class StorageTest:
    """How a storage test went: verbose trace lines (headers as sent, live tokens included) and the error, if any."""

    passed: bool
    trace: tuple[str, ...]
    error: str | None


def test_connectivity(
    estate: Estate,
    network: Network,
    front_end: Server,
    *,
    sip_uri: str,
    folder: str = "ConversationHistory",  # noqa: PT028 - a product's word for it, not one of our tests
    delete_item: bool,
    binding: str,
    host: str | None,
) -> StorageTest:
    """Write one item to a folder of the user's mailbox, and delete it again when asked to.

    `host` names the front end whose service does it (NetTCP), else the service is `front_end`'s own. Must not be called
    while holding the estate: other servers take part. The items are recorded as probes.
    """
    run = _Run(estate, network, front_end)
    try:
        run.attach(binding, host)
        user = run.find_user(sip_uri)
        ews_url = run.discover(user)
        item_id = run.write_item(ews_url, user, folder)
        if delete_item:
            run.delete_item(ews_url, user, item_id)
    except _Failed as failure:
        return StorageTest(False, tuple(run.trace), str(failure))
    return StorageTest(True, tuple(run.trace), None)


class _Failed(Exception):
    """The test failed; the text is what the service reports."""


class _Run:
    """One test, on the front end whose service carries it out."""

    def __init__(self, estate: Estate, network: Network, front_end: Server) -> None:
        self._estate = estate
        self._network = network
        self._front_end = front_end
        self.trace: list[str] = []

    def attach(self, binding: str, host: str | None) -> None:
        """Connect to the service: the local one, or over NetTCP the one of another front end."""
        if binding.lower() == "nettcp" and host:
            try:
                service = self._estate.server(host)
            except KeyError:
                service = None
            if service is None or not service.has_role("FrontEnd") or not service.reachable:
                raise _Failed(f"There was no endpoint listening at net.tcp://{host} that could accept the message.")
            self._front_end = service
        self.trace.append(f"Connected to the storage service of {self._front_end.fqdn} ({binding}).")

    def find_user(self, sip_uri: str) -> str:
        """The user's address; the SIP address stands for the SMTP address."""
        address = re.sub(r"(?i)^sip:", "", sip_uri.strip())
        with self._estate.reading():
            known = {user.sip_address.lower() for user in self._estate.users.values()}
        if f"sip:{address}".lower() not in known:
            raise _Failed(f"The user sip:{address} was not found.")
        return address

    def discover(self, user: str) -> str:
        """The web services URL of the user's mailbox, as Autodiscover tells it."""
        url = str(self._settings().get("ExchangeAutodiscoverUrl") or "")
        if not url:
            raise _Failed(
                f"{AUTODISCOVERY_FAILED} ExchangeAutodiscoverException: code=ErrorEwsAutodiscover, reason="
                "GetUserSettings failed, no Autodiscover URL is configured"
            )
        self.trace.append(f"Autodiscover, user {user}: GetUserSettings at {url}")
        request = soap.envelope(
            "<a:GetUserSettingsRequestMessage><a:Request><a:Users><a:User>"
            f"<a:Mailbox>{escape(user)}</a:Mailbox></a:User></a:Users><a:RequestedSettings>"
            "<a:Setting>InternalEwsUrl</a:Setting></a:RequestedSettings></a:Request></a:GetUserSettingsRequestMessage>"
        )
        action = f"{soap.AUTODISCOVER}/Autodiscover/GetUserSettings"
        try:
            answer = self._call(url, user, request, action)
            response = soap.operation(answer.body)
        except WebFailure as failure:
            raise _Failed(_discovery_error(url, failure)) from None
        except soap.NotSoap:
            raise _Failed(_unreadable(url)) from None
        code = response.findtext(f".//{{{soap.AUTODISCOVER}}}UserResponse/{{{soap.AUTODISCOVER}}}ErrorCode", "")
        found = response.findtext(f".//{{{soap.AUTODISCOVER}}}UserSetting/{{{soap.AUTODISCOVER}}}Value", "")
        if not found:
            raise _Failed(
                f"{AUTODISCOVERY_FAILED} ExchangeAutodiscoverException: code=ErrorEwsAutodiscover, reason="
                f"GetUserSettings failed, user={user}, ErrorCode={code or 'none'}, Autodiscover Uri={url}"
            )
        return found

    def write_item(self, url: str, user: str, folder: str) -> str:
        """Create the test item; its id."""
        self.trace.append(f"EWS, user {user}: CreateItem in {folder} at {url}")
        return self._operate(url, user, ews.create_item(folder, f"Storage test {uuid.uuid4()}"), "CreateItem")

    def delete_item(self, url: str, user: str, item_id: str) -> None:
        """Delete the test item for good."""
        self.trace.append(f"EWS, user {user}: DeleteItem at {url}")
        self._operate(url, user, ews.delete_item(item_id), "DeleteItem")

    def _operate(self, url: str, user: str, request: bytes, operation: str) -> str:
        try:
            answer = self._call(url, user, request, f"{soap.MESSAGES}/{operation}")
            code, text, item_id = ews.outcome(answer.body)
        except WebFailure as failure:
            raise _Failed(
                f"StoreWebException: code=ErrorEwsWebException, reason={operation} failed, EWS Uri={url}, "
                f"{_web_exception(failure)}{_diagnostics(failure)}"
            ) from None
        except soap.NotSoap:
            raise _Failed(
                f"StoreWebException: code=ErrorEwsWebException, reason={operation} failed, EWS Uri={url}, "
                "the response is not a SOAP message"
            ) from None
        if code != "NoError":
            raise _Failed(f"StoreEwsException: code={code}, reason={operation} failed, {text}")
        return item_id

    def _call(self, url: str, user: str, body: bytes, action: str) -> HttpAnswer:
        """POST with a bearer token made for the server that the challenge comes from."""
        headers = {"Content-Type": soap.CONTENT_TYPE, "SOAPAction": f'"{action}"', "User-Agent": "LYSS"}
        try:
            return self._post(url, body, {**headers, "Authorization": "Bearer"})
        except WebFailure as failure:
            if failure.status != 401 or failure.answer is None:
                raise
            token = self._token(url, user, failure.answer)
            if token is None:
                raise
        return self._post(url, body, {**headers, "Authorization": f"Bearer {token}"})

    def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        self.trace.append(f"Request: POST {url}")
        self.trace.extend(f"  {name}: {value}" for name, value in headers.items())
        try:
            answer = self._network.request(self._front_end, "POST", url, headers=headers, body=body)
        except WebFailure as failure:
            self._trace_answer(failure.answer, failure.message)
            raise
        self._trace_answer(answer, "")
        return answer

    def _trace_answer(self, answer: HttpAnswer | None, message: str) -> None:
        if answer is None:
            self.trace.append(f"No response: {message}")
            return
        self.trace.append(f"Response: {answer.status} {message}".rstrip())
        self.trace.extend(f"  {name}: {value}" for name, value in answer.headers.items())

    def _token(self, url: str, user: str, challenge: HttpAnswer) -> str | None:
        """A user token for the application that the challenge names; None when this front end cannot make one."""
        named = re.search(r'client_id="([^"]+)"', challenge.header("www-authenticate"))
        application = named.group(1) if named else ""
        with self._estate.reading():
            replica = self._front_end.fqdn
            partners = self._estate.cms.list("PartnerApplication", replica=replica)
            signer = self._estate.signing_key(self._front_end)
            realm = self._estate.lync_realm(replica=replica)
            at = self._estate.now() + timedelta(seconds=self._front_end.clock_skew_s)
        known = any(
            str(row["ApplicationIdentifier"]).lower() == application.lower() and row.get("Enabled", True)
            for row in partners
        )
        if not known:
            self.trace.append(f"No enabled partner application has the identifier {application or '(none given)'}.")
            return None
        if signer is None:
            self.trace.append("No OAuthTokenIssuer certificate is in effect on this computer.")
            return None
        return _mint(signer, application, urlsplit(url).hostname or "", realm, user, self._service_name(), at)

    def _settings(self) -> Mapping[str, object]:
        with self._estate.reading():
            return self._estate.cms.read("OAuthConfiguration", replica=self._front_end.fqdn) or {}

    def _service_name(self) -> str:
        return str(self._settings().get("ServiceName") or LYNC_APP)


def _mint(signer: KeyPair, application: str, host: str, realm: str, user: str, service_name: str, at: datetime) -> str:
    issuer = f"{service_name}@{realm}"
    audience = Audience(application, host, realm)
    actor = mint_actor_token(signer, issuer=issuer, audience=audience, at=at)
    return mint_user_token(actor, issuer=issuer, audience=audience, user=user, at=at)


def _discovery_error(url: str, failure: WebFailure) -> str:
    if failure.status == 401:
        return (
            f"{AUTODISCOVERY_FAILED} UnsupportedStoreException: code=ErrorIncorrectExchangeServerVersion, "
            f"reason=GetUserSettings failed, Autodiscover Uri={url}, {failure.message}{_diagnostics(failure)}"
        )
    if failure.status is None:
        return (
            f"{AUTODISCOVERY_FAILED} ExchangeAutodiscoverException: code=ErrorEwsAutodiscover, reason=GetUserSettings "
            f"failed, Autodiscover Uri={url}, {failure.message} The request was aborted: The request was canceled."
        )
    return (
        f"{AUTODISCOVERY_FAILED} StoreWebException: code=ErrorEwsAutodiscover, reason=GetUserSettings failed, "
        f"Autodiscover Uri={url}, {_web_exception(failure)}"
    )


def _unreadable(url: str) -> str:
    return (
        f"{AUTODISCOVERY_FAILED} ExchangeAutodiscoverException: code=ErrorEwsAutodiscover, reason=GetUserSettings "
        f"failed, Autodiscover Uri={url}, the response is not a GetUserSettings response"
    )


def _web_exception(failure: WebFailure) -> str:
    status = "ConnectFailure" if failure.status is None else "ProtocolError"
    return f"WebExceptionStatus={status}, {failure.message}"


def _diagnostics(failure: WebFailure) -> str:
    found = "" if failure.answer is None else failure.answer.header("x-ms-diagnostics")
    return f" x-ms-diagnostics: {found}" if found else ""
