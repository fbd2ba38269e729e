"""Every way in which trust material can be refused, as one tree.

    TrustError                kind, detail, source
    +-- CertificateError      these bytes are no certificate that can be read
    +-- MetadataError         an answer arrived, but it is no usable metadata document
    +-- FetchError            no answer arrived, or one that must not be used for a trust decision

`detail` never holds text from a server other than quoted, escaped and capped. None of these exceptions carries a
cause or context from a library: those hold whole bodies and proxy passwords.
"""

from __future__ import annotations

from enum import StrEnum

from s2slib.errors import S2SError
from s2slib.trust.judgement import Problem
from s2slib.trust.quoting import shown


class CertificateErrorKind(StrEnum):
    """Why bytes are no certificate."""

    NOT_BASE64 = "not_base64"
    NOT_DER = "not_der"


class MetadataErrorKind(StrEnum):
    """Why an answer is no usable metadata document."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    BAD_ENCODING = "bad_encoding"
    HTML = "html"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    DUPLICATE_KEY = "duplicate_key"
    BAD_NUMBER = "bad_number"
    WRONG_TYPE = "wrong_type"
    NO_SERVICE_NAME = "no_service_name"
    NO_SIGNING_KEY = "no_signing_key"
    BAD_CERTIFICATE = "bad_certificate"


class FetchErrorKind(StrEnum):
    """Why nothing usable was fetched.

    `tls_validity` is a certificate outside its dates; `encoding` a compressed answer, which is refused unread;
    `ca_file` the operator's own CA file.
    """

    NOT_HTTPS = "not_https"
    BAD_URL = "bad_url"
    CA_FILE = "ca_file"
    DNS = "dns"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    PROXY = "proxy"
    TLS_UNTRUSTED = "tls_untrusted"
    TLS_NAME = "tls_name"
    TLS_VALIDITY = "tls_validity"
    TLS_OTHER = "tls_other"
    TIMEOUT = "timeout"
    REDIRECT = "redirect"
    HTTP_STATUS = "http_status"
    ENCODING = "encoding"
    TOO_LARGE = "too_large"
    BROKEN = "broken"


class TrustError(S2SError):
    """Trust material was refused.

    `kind` compares equal to its text (`error.kind == "html"`). `source` is where the material came from, empty when
    that is not known.
    """

    def __init__(self, kind: StrEnum, detail: str, *, source: str = "") -> None:
        where = f"{shown(source, 300)}: " if source else ""
        super().__init__(f"{where}{detail} [{kind}]")
        self.kind = kind
        self.detail = detail
        self.source = source

    @property
    def problem(self) -> Problem:
        """The same as a value, for `metadata.compare`."""
        return Problem(str(self.kind), self.detail)


class CertificateError(TrustError):
    """These bytes are no certificate that can be read."""

    kind: CertificateErrorKind


class MetadataError(TrustError):
    """An answer arrived, but it is no usable metadata document."""

    kind: MetadataErrorKind


class FetchError(TrustError):
    """No answer arrived, or one that must not be used for a trust decision.

    `status` is the HTTP status when there was one. For a redirect `location` is the header as sent (not escaped) and
    `host_changed` says whether it leads to another host.
    """

    kind: FetchErrorKind

    def __init__(
        self,
        kind: FetchErrorKind,
        detail: str,
        *,
        url: str,
        status: int | None = None,
        location: str | None = None,
        host_changed: bool = False,
    ) -> None:
        super().__init__(kind, detail, source=url)
        self.url = url
        self.status = status
        self.location = location
        self.host_changed = host_changed
