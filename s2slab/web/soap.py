"""SOAP envelopes as Autodiscover and Exchange Web Services use them: safe parsing and plain building."""

from __future__ import annotations

from xml.etree import ElementTree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
AUTODISCOVER = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
CONTENT_TYPE = "text/xml; charset=utf-8"
_DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'


class NotSoap(Exception):
    """The bytes are not a SOAP envelope with a body."""


def operation(body: bytes) -> ElementTree.Element:
    """The first element of the envelope's body. Raises NotSoap; document type declarations are refused."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise NotSoap("document type declarations are not accepted")
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise NotSoap(str(error)) from None
    found = root.find(f"{{{SOAP}}}Body")
    first = None if found is None else next(iter(found), None)
    if first is None:
        raise NotSoap("the envelope has no body")
    return first


def local_name(element: ElementTree.Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def envelope(body: str, *, header: str = "") -> bytes:
    """An envelope around XML text that the caller has escaped; prefixes s, m, t and a are declared."""
    return (
        f'{_DECLARATION}<s:Envelope xmlns:s="{SOAP}" xmlns:m="{MESSAGES}" xmlns:t="{TYPES}" xmlns:a="{AUTODISCOVER}">'
        f"<s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault(code: str, text: str) -> bytes:
    """A SOAP fault; `text` must be free of markup."""
    return envelope(
        f'<s:Fault><faultcode>{code}</faultcode><faultstring xml:lang="en-US">{text}</faultstring></s:Fault>'
    )
