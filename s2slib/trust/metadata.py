"""Authentication metadata documents: parse one, judge it for a trust decision, compare those of several servers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from s2slib.trust import certificate as certificates
from s2slib.trust import strict_json
from s2slib.trust.applications import name_of
from s2slib.trust.certificate import Certificate
from s2slib.trust.errors import CertificateError, MetadataError, MetadataErrorKind
from s2slib.trust.judgement import Judgement, Level, Problem
from s2slib.trust.quoting import shown
from s2slib.trust.strict_json import Json, fold

__all__ = [
    "Endpoint",
    "MetadataDocument",
    "MetadataError",
    "MetadataErrorKind",
    "SigningKey",
    "compare",
    "judge",
    "parse",
]

_MOST_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One signing key of a document; `x5t` as the document states it, None when it states none."""

    certificate: Certificate
    x5t: str | None
    usage: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of a document, as stated."""

    location: str | None
    protocol: str | None
    usage: str | None


@dataclass(frozen=True, slots=True)
class MetadataDocument:
    """A metadata document, its names resolved (fact F13).

    `service_name` is the application id and `realm` the realm as a partner resolves them: from `issuer` where it has
    them, else from the fields of their own, which `stated_service_name` and `stated_realm` keep. `keys` holds the
    signing x509 keys, at least one, each certificate once; `ignored_keys` counts those of another usage or type.
    `raw_sha256` is lower-case hex over the body as received, `size` its length in bytes. `source` is the URL.
    """

    source: str
    id: str | None
    version: str | None
    name: str | None
    service_name: str
    realm: str | None
    issuer: str | None
    stated_service_name: str | None
    stated_realm: str | None
    allowed_audiences: tuple[str, ...]
    keys: tuple[SigningKey, ...]
    ignored_keys: int
    endpoints: tuple[Endpoint, ...]
    content_type: str | None
    raw_sha256: str
    size: int

    @property
    def thumbprints(self) -> tuple[str, ...]:
        """The thumbprints of `keys`, in the document's order."""
        return tuple(key.certificate.thumbprint for key in self.keys)


# parsing --------------------------------------------------------------------------------------------------------------


def parse(body: bytes | str, *, content_type: str | None = None, source: str = "") -> MetadataDocument:
    """The document in `body`, read as fact F13 wants.

    Names and the values `signing` and `x509Certificate` are read without regard to case. `issuer` is split at its last
    `@`. Everything but a resolvable application id and one signing x509 key may be absent or null. `content_type`
    only helps to name what arrived instead of JSON; `source` is the URL, for messages. Raises MetadataError. The
    shape that Lync serves is UNCONFIRMED: no real document of it was found.
    """
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    fields = strict_json.read_object(raw, content_type=content_type, source=source)
    issuer = strict_json.string(fields, "issuer", source=source)
    stated_service_name = strict_json.string(fields, "servicename", source=source)
    stated_realm = strict_json.string(fields, "realm", source=source)
    application_id, issuer_realm = _split_issuer(issuer)
    bare_issuer = issuer if issuer and "@" not in issuer else None
    service_name = application_id or stated_service_name or bare_issuer
    if service_name is None:
        detail = "neither issuer nor serviceName names an application"
        raise MetadataError(MetadataErrorKind.NO_SERVICE_NAME, detail, source=source)
    keys, ignored = _keys(fields, source)
    return MetadataDocument(
        source=source,
        id=strict_json.label(fields, "id", source=source),
        version=strict_json.label(fields, "version", source=source),
        name=strict_json.label(fields, "name", source=source),
        service_name=service_name,
        realm=issuer_realm or stated_realm,
        issuer=issuer,
        stated_service_name=stated_service_name,
        stated_realm=stated_realm,
        allowed_audiences=strict_json.strings(fields, "allowedaudiences", source=source),
        keys=keys,
        ignored_keys=ignored,
        endpoints=tuple(
            Endpoint(
                location=strict_json.string(entry, "location", source=source),
                protocol=strict_json.string(entry, "protocol", source=source),
                usage=strict_json.string(entry, "usage", source=source),
            )
            for entry in strict_json.objects(fields, "endpoints", source=source)
        ),
        content_type=content_type,
        raw_sha256=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
    )


def _split_issuer(issuer: str | None) -> tuple[str | None, str | None]:
    """Application id and realm; both None without an `@`."""
    application_id, at, realm = (issuer or "").rpartition("@")
    return (application_id.strip() or None, realm.strip() or None) if at else (None, None)


def _keys(fields: Mapping[str, Json], source: str) -> tuple[tuple[SigningKey, ...], int]:
    entries = strict_json.objects(fields, "keys", source=source)
    found: dict[tuple[str, str | None], SigningKey] = {}
    signing = 0
    for entry in entries:
        usage = strict_json.string(entry, "usage", source=source) or ""
        value = _child(entry, "keyvalue", source)
        kind = strict_json.string(value, "type", source=source) or ""
        if fold(usage) != "signing" or fold(kind) != "x509certificate":
            continue
        signing += 1
        x5t = strict_json.string(_child(entry, "keyinfo", source), "x5t", source=source)
        certificate = _certificate(strict_json.string(value, "value", source=source) or "", signing, source)
        found.setdefault((certificate.sha256, x5t), SigningKey(certificate, x5t, usage))
    if not found:
        detail = f"no signing x509 key among {len(entries)} keys"
        raise MetadataError(MetadataErrorKind.NO_SIGNING_KEY, detail, source=source)
    return tuple(found.values()), len(entries) - signing


def _child(entry: Mapping[str, Json], name: str, source: str) -> dict[str, Json]:
    value = entry.get(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    detail = f"{name} must be an object, not {strict_json.type_name(value)}"
    raise MetadataError(MetadataErrorKind.WRONG_TYPE, detail, source=source)


def _certificate(value: str, position: int, source: str) -> Certificate:
    try:
        return certificates.from_base64(value)
    except CertificateError as error:
        detail = f"signing key {position}: {error.detail}"
    raise MetadataError(MetadataErrorKind.BAD_CERTIFICATE, detail, source=source)


# judging --------------------------------------------------------------------------------------------------------------


def judge(
    document: MetadataDocument,
    *,
    application_id: str,
    realm: str | None,
    expected_thumbprints: Sequence[str] | None,
    host: str,
    at: datetime,
) -> tuple[Judgement, ...]:
    """Whether `document`, served by `host`, may be trusted as `application_id`'s at server time `at` (aware).

    `realm`: what the product itself says its realm is; None = not read. `expected_thumbprints`: the certificates that
    the product itself names, the one it signs with first, then the previous one of a roll; empty = it names none,
    None = not read.

    | id                      | ok                          | warning                    | blocker                     |
    | ----------------------- | --------------------------- | -------------------------- | --------------------------- |
    | metadata.application_id | as expected                 |                            | another application         |
    | metadata.realm          | as expected, without case   |                            | another one, or none        |
    | metadata.issuer         | application id `@` realm    | absent, or without realm   | contradicts `serviceName`   |
    |                         |                             | while `realm` states it    | or `realm`; names no realm  |
    | metadata.audiences      | none stated, or issuer too  | stated without the issuer  |                             |
    | metadata.assigned_key   | assigned key is published   |                            | it is not; none is assigned |
    | metadata.key_set        | only the assigned key       | previous key beside it     | a key nobody assigned       |
    | metadata.x5t (per key)  | names the key, or absent    |                            | names another, or malformed |
    | metadata.endpoints      | https at `host`, or none    | another host, or not https |                             |
    | metadata.content_type   | JSON, or not known          | anything else              |                             |
    | certificate.validity    | valid for 60 days or more   | < 60 days; outside its     | outside its dates and the   |
    |   (per key)             |                             | dates beside a valid key   | assigned or only valid key  |
    | certificate.key, certificate.signature (per key): as in `certificate.judge`                                     |

    `unknown`: `realm` or `expected_thumbprints` not read. Per-key rows carry the thumbprint in `about`. Raises
    ValueError for an expected thumbprint that is none, and for a naive `at`. Sources: facts F12 and F13.
    """
    expected = None if expected_thumbprints is None else [*map(certificates.normalise_thumbprint, expected_thumbprints)]
    judged = [
        _judge_application_id(document, application_id),
        _judge_realm(document, realm),
        _judge_issuer(document),
        _judge_audiences(document),
        _judge_assigned_key(document, expected),
        _judge_key_set(document, expected),
        _judge_endpoints(document, host),
        _judge_content_type(document),
    ]
    assigned = expected[0] if expected else None
    for key in document.keys:
        judged += [
            _judge_x5t(key),
            _judge_validity(key, document, assigned, at),
            certificates.judge_key(key.certificate),
            certificates.judge_signature(key.certificate),
        ]
    return tuple(judged)


def _judge_application_id(document: MetadataDocument, application_id: str) -> Judgement:
    seen = shown(document.service_name, 80)
    product = name_of(document.service_name)
    if product:
        seen += f" ({product})"
    fits = fold(document.service_name) == fold(application_id)
    remedy = "" if fits else "Correct the metadata URL: it leads to the document of another application."
    return Judgement("metadata.application_id", "ok" if fits else "blocker", seen, application_id, remedy)


def _judge_realm(document: MetadataDocument, realm: str | None) -> Judgement:
    seen = "none" if document.realm is None else shown(document.realm, 80)
    if realm is None:
        remedy = "Read the realm that the product is configured with and judge again."
        return Judgement("metadata.realm", "unknown", seen, "the product's own realm, which was not read", remedy)
    if document.realm is not None and fold(document.realm) == fold(realm):
        return Judgement("metadata.realm", "ok", seen, realm)
    remedy = "Set the realm, or the default domain it derives from, so that both sides name the same one."
    if document.realm is not None and document.realm.startswith("*"):
        remedy = "A wildcard is no realm: tokens must name an accepted domain exactly. Set the realm explicitly."
    return Judgement("metadata.realm", "blocker", seen, realm, remedy)


def _judge_issuer(document: MetadataDocument) -> Judgement:
    expected = "<application id>@<realm>, the same as serviceName and realm where those are stated"
    application_id, realm = _split_issuer(document.issuer)
    seen = "none" if document.issuer is None else shown(document.issuer)
    level: Level = "ok"
    remedy = ""
    stated = ((application_id, document.stated_service_name), (realm, document.stated_realm))
    contradicted = [own for part, own in stated if part is not None and own is not None and fold(part) != fold(own)]
    if contradicted:
        level = "blocker"
        seen += f", but the document also states {', '.join(shown(own, 80) for own in contradicted)}"
        remedy = "Find out which server wrote this document; one that contradicts itself must not be trusted."
    elif document.realm is None:
        level, remedy = "blocker", "Set the product's realm: a trust without a token issuer needs one."
    elif application_id is None or realm is None:
        level, remedy = "warning", "Compare the issuer that the partner stored with the realm configured here."
    return Judgement("metadata.issuer", level, seen, expected, remedy)


def _judge_audiences(document: MetadataDocument) -> Judgement:
    audiences = document.allowed_audiences
    stated = {fold(audience) for audience in audiences}
    fits = not audiences or document.issuer is None or fold(document.issuer) in stated
    return Judgement(
        "metadata.audiences",
        "ok" if fits else "warning",
        _some([shown(audience, 80) for audience in audiences]) or "none stated",
        "the issuer among them",
        "" if fits else "Check the realm of the server that answered: it accepts tokens for other audiences only.",
    )


def _judge_assigned_key(document: MetadataDocument, expected: Sequence[str] | None) -> Judgement:
    row, seen = "metadata.assigned_key", _some(document.thumbprints)
    if expected is None:
        remedy = "Read which certificate the product signs with and judge again."
        return Judgement(row, "unknown", seen, "the assigned certificate, which was not read", remedy)
    if not expected:
        return Judgement(row, "blocker", seen, "an assigned certificate", "Assign a signing certificate first.")
    if expected[0] in document.thumbprints:
        return Judgement(row, "ok", seen, expected[0])
    remedy = (
        "Wait until this server has received the assigned certificate, then fetch again; if it never does, "
        "check replication there and whether the URL leads to this deployment."
    )
    return Judgement(row, "blocker", seen, expected[0], remedy)


def _judge_key_set(document: MetadataDocument, expected: Sequence[str] | None) -> Judgement:
    thumbprints = document.thumbprints
    foreign = [thumbprint for thumbprint in dict.fromkeys(thumbprints) if thumbprint not in (expected or ())]
    several = len(set(thumbprints)) > 1
    level: Level = "warning" if several else "ok"
    seen, remedy = _some(thumbprints), ""
    if several:
        seen += ": several keys, a certificate rollover is under way or just over"
        remedy = "Let the rollover finish, then make sure that the partner has read the metadata again."
    if expected is None:
        level = "unknown"
        remedy = "Read the certificates that the product names and judge again."
    elif foreign:
        level = "blocker"
        seen += f"; not named by the product: {_some(foreign)}"
        remedy = (
            "Do not import it: whoever holds that key could sign in this product's name. Find out where it is from."
        )
    wanted = "the certificates that the product names" if expected is None else _some(expected) or "none"
    return Judgement("metadata.key_set", level, seen, wanted, remedy)


def _judge_x5t(key: SigningKey) -> Judgement:
    about, expected = key.certificate.thumbprint, key.certificate.x5t
    if key.x5t is None:
        return Judgement("metadata.x5t", "ok", "none stated", expected, about=about)
    seen = shown(key.x5t, 60)
    try:
        fits = certificates.x5t_to_thumbprint(key.x5t) == key.certificate.thumbprint
    except ValueError:
        fits, seen = False, f"{seen}, which is no x5t"
    remedy = "" if fits else "Do not import the document: its key id names another key than the one it carries."
    return Judgement("metadata.x5t", "ok" if fits else "blocker", seen, expected, remedy, about)


def _judge_endpoints(document: MetadataDocument, host: str) -> Judgement:
    wanted = host.rstrip(".").lower()
    locations = [endpoint.location for endpoint in document.endpoints if endpoint.location]
    foreign = [location for location in locations if _https_host(location) != wanted]
    return Judgement(
        "metadata.endpoints",
        "warning" if foreign else "ok",
        _some([shown(location) for location in locations]) or "none stated",
        f"https at {host}",
        "Check whether a proxy or load balancer rewrites the host, and which name the partner should use."
        if foreign
        else "",
    )


def _https_host(location: str) -> str | None:
    try:
        parts = urlsplit(location)
        return (parts.hostname or "").rstrip(".").lower() if parts.scheme.lower() == "https" else None
    except ValueError:
        return None


def _judge_content_type(document: MetadataDocument) -> Judgement:
    kind = strict_json.media_type(document.content_type)
    fits = not kind or kind in {"application/json", "text/json"} or kind.endswith("+json")
    return Judgement(
        "metadata.content_type",
        "ok" if fits else "warning",
        shown(document.content_type, 80) if document.content_type else "not known",
        "application/json",
        "" if fits else "Check what stands between: the products serve this document as application/json.",
    )


def _judge_validity(key: SigningKey, document: MetadataDocument, assigned: str | None, at: datetime) -> Judgement:
    judged = certificates.judge_validity(key.certificate, at)
    if judged.level != "blocker" or key.certificate.thumbprint == assigned:
        return judged
    others = (other for other in document.keys if other.certificate.thumbprint != key.certificate.thumbprint)
    if any(certificates.judge_validity(other.certificate, at).level != "blocker" for other in others):
        return replace(
            judged, level="warning", remedy="Let the rollover finish; another key of this document is valid."
        )
    return judged


# comparing ------------------------------------------------------------------------------------------------------------


def compare(documents: Mapping[str, MetadataDocument | Problem]) -> tuple[Judgement, ...]:
    """Whether all servers serve the same trust: the same application, realm and signing keys (rule R35).

    `documents` maps a server's name to what it served, or to why it served nothing usable.

    | id                        | ok               | blocker            | unknown                              |
    | ------------------------- | ---------------- | ------------------ | ------------------------------------ |
    | metadata.served           | a document       |                    | a problem (never taken as absence)   |
    |   (per server)            |                  |                    |                                      |
    | metadata.same_application | the same on all  | servers differ     | nothing to compare, or the readable  |
    | metadata.same_realm       |                  |                    | ones agree and another did not       |
    | metadata.same_keys        |                  |                    | answer                               |

    Order and repetition of keys do not matter.
    """
    judged = [_judge_served(server, answer) for server, answer in documents.items()]
    read = {server: answer for server, answer in documents.items() if isinstance(answer, MetadataDocument)}
    complete = bool(read) and len(read) == len(documents)
    applications = {server: (fold(document.service_name),) for server, document in read.items()}
    realms = {server: (fold(document.realm or ""),) for server, document in read.items()}
    keys = {server: tuple(sorted(set(document.thumbprints))) for server, document in read.items()}
    judged += [
        _judge_same("metadata.same_application", applications, complete, "Check which product each name leads to."),
        _judge_same("metadata.same_realm", realms, complete, "Bring the servers to the same configuration first."),
        _judge_same(
            "metadata.same_keys",
            keys,
            complete,
            "Wait until every server has received the certificate, then fetch again: a load balancer may ask any.",
        ),
    ]
    return tuple(judged)


def _judge_served(server: str, answer: MetadataDocument | Problem) -> Judgement:
    expected = "a usable metadata document"
    if isinstance(answer, MetadataDocument):
        return Judgement("metadata.served", "ok", f"{len(answer.keys)} signing keys", expected, about=server)
    remedy = "Repair access to this server's metadata and fetch again."
    return Judgement("metadata.served", "unknown", f"{answer.detail} [{answer.kind}]", expected, remedy, server)


def _judge_same(row: str, values: Mapping[str, tuple[str, ...]], complete: bool, remedy: str) -> Judgement:
    groups: dict[tuple[str, ...], list[str]] = {}
    for server, value in values.items():
        groups.setdefault(value, []).append(server)
    seen = "; ".join(
        f"{_some([shown(text, 80) if text else 'none' for text in value])} on {_some(servers)}"
        for value, servers in groups.items()
    )
    expected = "the same on every server"
    if len(groups) > 1:
        return Judgement(row, "blocker", seen, expected, remedy)
    if not complete:
        return Judgement(row, "unknown", seen or "nothing", expected, "Fetch from the servers that gave no document.")
    return Judgement(row, "ok", seen, expected)


def _some(texts: Sequence[str]) -> str:
    listed = ", ".join(texts[:_MOST_SHOWN])
    return listed if len(texts) <= _MOST_SHOWN else f"{listed} and {len(texts) - _MOST_SHOWN} more"
