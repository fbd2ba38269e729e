"""Autodiscover (SOAP): tells an authenticated partner where the web services of a user's mailbox are."""

from __future__ import annotations

from xml.sax.saxutils import escape

from s2slab.estate.estate import Estate, Mailbox, Server
from s2slab.network.site import Reply
from s2slab.web.soap import AUTODISCOVER, CONTENT_TYPE, NotSoap, envelope, fault, local_name, operation

SVC_PATH = "/autodiscover/autodiscover.svc"
POX_PATH = "/autodiscover/autodiscover.xml"


def ews_url(estate: Estate, mailbox: Mailbox) -> str:
    """The internal web services URL of a mailbox: a Client Access server of the mailbox server's site, else any."""
    home = estate.server(mailbox.server)
    entrances = [server for server in estate.exchange_servers() if server.has_role("ClientAccess")]
    near = [server for server in entrances if server.site == home.site] or entrances
    chosen: Server = home if home in near else near[0]
    return f"https://{chosen.fqdn}/EWS/Exchange.asmx"


def get_user_settings(estate: Estate, body: bytes) -> Reply:
    """The answer to a GetUserSettings request: InternalEwsUrl per user, or the error of that user."""
    try:
        request = operation(body)
    except NotSoap:
        return Reply(500, fault("s:Client", "The request is not a valid SOAP message."), CONTENT_TYPE)
    if local_name(request) != "GetUserSettingsRequestMessage":
        return Reply(500, fault("s:Client", "The operation is not supported."), CONTENT_TYPE)
    asked = [(node.text or "").strip() for node in request.iter(f"{{{AUTODISCOVER}}}Mailbox")]
    with estate.reading():
        rows = "".join(_user_response(estate, address) for address in asked)
    return Reply(
        200,
        envelope(
            "<a:GetUserSettingsResponseMessage><a:Response><a:ErrorCode>NoError</a:ErrorCode><a:ErrorMessage/>"
            f"<a:UserResponses>{rows}</a:UserResponses></a:Response></a:GetUserSettingsResponseMessage>"
        ),
        CONTENT_TYPE,
    )


def refuse_pox() -> Reply:
    """What autodiscover.xml answers to a SOAP request: it speaks another protocol."""
    return Reply(
        200,
        b'<?xml version="1.0" encoding="utf-8"?>'
        b'<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"><Response>'
        b"<Error><ErrorCode>600</ErrorCode><Message>Invalid Request</Message><DebugData/></Error>"
        b"</Response></Autodiscover>",
        CONTENT_TYPE,
    )


def _user_response(estate: Estate, address: str) -> str:
    mailbox = estate.mailbox(address)
    if mailbox is None:
        return (
            "<a:UserResponse><a:ErrorCode>InvalidUser</a:ErrorCode>"
            f"<a:ErrorMessage>Invalid user: '{escape(address)}'</a:ErrorMessage><a:UserSettings/></a:UserResponse>"
        )
    return (
        "<a:UserResponse><a:ErrorCode>NoError</a:ErrorCode><a:ErrorMessage>No error.</a:ErrorMessage><a:UserSettings>"
        f"<a:UserSetting><a:Name>InternalEwsUrl</a:Name><a:Value>{escape(ews_url(estate, mailbox))}</a:Value>"
        "</a:UserSetting></a:UserSettings></a:UserResponse>"
    )
