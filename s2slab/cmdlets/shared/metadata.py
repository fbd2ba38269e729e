"""Authentication metadata documents as the products' own cmdlets fetch and read them, from the server they run on."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from s2slab.cmdlets.shared.base import cause_of, place
from s2slab.engine.registry import Call
from s2slab.estate.estate import Server
from s2slab.network.network import WebFailure


@dataclass(frozen=True)
class Document:
    """What a product keeps of a document: who it names and which signing certificates it carries (base64 DER)."""

    application: str
    realm: str
    issuer: str
    certificates: tuple[str, ...]


class Fetched(str):
    """A metadata URL together with the document that it led to."""

    __slots__ = ("document",)
    document: Document

    def __new__(cls, url: str, document: Document) -> Fetched:
        """The URL, carrying its document."""
        made = super().__new__(cls, url)
        made.document = document
        return made


class MetadataFailure(Exception):
    """The document could not be downloaded, or is none."""


def fetch(call: Call, url: str, *, from_server: Server | None = None, timeout_s: float = 30) -> Document:
    """The document behind `url` as the call's server (or `from_server`) gets it. Raises MetadataFailure.

    Must not be called while the estate is held: the answer comes from another server of it.
    """
    at = place(call)
    if at.network is None:
        raise MetadataFailure("the server has no network")
    try:
        with at.estate.log.causing(cause_of(call)):
            answer = at.network.request(from_server or at.server, "GET", url, timeout_s=timeout_s)
    except WebFailure as error:
        raise MetadataFailure(error.message) from None
    if answer.status != 200:
        raise MetadataFailure(f"The remote server returned an unexpected status: {answer.status}.")
    return parse(answer.body)


def parse(body: bytes) -> Document:
    """A document from its JSON; names and values are compared without case. Raises MetadataFailure."""
    try:
        raw = json.loads(body.decode("utf-8-sig"))
    except ValueError:
        raise MetadataFailure("the answer is not JSON") from None
    if not isinstance(raw, Mapping):
        raise MetadataFailure("the answer is not a JSON object")
    document = {str(key).lower(): value for key, value in raw.items()}
    issuer = str(document.get("issuer") or "")
    named, _, issuer_realm = issuer.rpartition("@")
    application = named or str(document.get("servicename") or "")
    realm = issuer_realm or str(document.get("realm") or "")
    certificates = tuple(_certificates(document.get("keys")))
    if not application or not certificates:
        raise MetadataFailure("the document names no application or carries no signing certificate")
    return Document(application.lower(), realm, issuer or f"{application}@{realm}", certificates)


def _certificates(keys: Any) -> list[str]:
    found = []
    for key in keys if isinstance(keys, list) else ():
        entry = {str(name).lower(): value for name, value in key.items()} if isinstance(key, Mapping) else {}
        held = entry.get("keyvalue")
        value = {str(name).lower(): item for name, item in held.items()} if isinstance(held, Mapping) else {}
        if str(entry.get("usage", "")).lower() != "signing" or str(value.get("type", "")).lower() != "x509certificate":
            continue
        try:
            der = base64.b64decode(str(value.get("value", "")), validate=True)
            x509.load_der_x509_certificate(der)
        except (binascii.Error, ValueError):
            continue
        found.append(base64.b64encode(der).decode("ascii"))
    return found
