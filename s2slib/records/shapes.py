"""What is a secret by its looks, whoever issued it: tokens, headers, cookies, private keys, `password=...`.

Left alone on purpose: `WWW-Authenticate` challenges. They are answers of a server, name no secret, and their
`trusted_issuers` is the best evidence of which partner applications a server has loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MARK = "[redacted]"
"""What stands where a secret stood."""

_SECRET_NAME = re.compile(
    r"(?i)(?:.*[_\-. ])?(?:password|passwd|pwd|passphrase|secret|token|api[_\- ]?key|access[_\- ]?key|private[_\- ]?key"
    r"|client[_\- ]?secret|authorization|cookie|set-cookie)s?"
)
_SECRET_CAMEL = re.compile(r"[A-Za-z]*(?:Password|Passphrase|Secret|Token|ApiKey|AccessKey|PrivateKey)")

_SCHEME = r"(?:Basic|Bearer|Negotiate|Kerberos|NTLM|CredSSP|Digest)"
_QUOTE = r"(?:\\?[\"']|&quot;)?+"

Rule = tuple[re.Pattern[str], "str | Callable[[re.Match[str]], str]"]
_RULES: tuple[Rule, ...] = (
    (
        re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        MARK,
    ),
    # A JSON Web Token, the unsigned outer one of a user call included (its signature is empty).
    (re.compile(r"\beyJ[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]{6,}+\.?[A-Za-z0-9_.-]*+"), MARK),
    (
        re.compile(
            rf"(?i)(?<![\w-])((?:proxy-)?authorization{_QUOTE}\s*+[:=]\s*+(?:b(?=['\"]))?+{_QUOTE}\s*+"
            rf"(?:{_SCHEME}[ \t]++)?+)"
            r"(?!\[redacted\])[^\s\"'\\<>&][^\r\n\"'\\<>]*"
        ),
        rf"\1{MARK}",
    ),
    (
        re.compile(
            rf"(?i)(?<![\w-])((?:set-)?cookie2?{_QUOTE}\s*+:\s*+{_QUOTE}\s*+)"
            r"(?!\[redacted\])[^\s\"'\\<>][^\r\n\"'\\<>]*"
        ),
        rf"\1{MARK}",
    ),
    # A bare scheme and value, but not a challenge: `Bearer client_id="..."`.
    (re.compile(rf"\b({_SCHEME}[ \t]+)(?=[^\s\"]*[0-9+/=_.~-])[A-Za-z0-9._~+/-]{{16,}}+=*+(?![\"'\w])"), rf"\1{MARK}"),
    (re.compile(r"(?i)(<(?:\w+:)?(?:password|passphrase)(?:\s[^<>]*)?>)(?!\[redacted\])[^<]+"), rf"\1{MARK}"),
    (
        re.compile(
            rf"(?i)(?<![\w])((?:password|passwd|pwd|passphrase|client_?secret|access_?token|refresh_?token|api_?key)"
            rf"{_QUOTE}\s*[:=]\s*)(?:(\"|')(?!\[redacted\])((?:\\.|(?!\2)[^\r\n\\])+)\2|(?!\[redacted\])[^\s\"',;&<>()]+)"
        ),
        lambda match: f"{match[1]}{match[2] or ''}{MARK}{match[2] or ''}",
    ),
    (
        re.compile(
            r"(?i)((?:^|\s)-(?:CaPassword|Password|PlainPassword)[ \t]+)"
            r"(?:\"(?:``|`\"|[^\"])*\"|'(?:''|[^'])*'|(?!\[redacted\])[^\s$(\"'-]\S*)"
        ),
        rf"\1{MARK}",
    ),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]*://)(?!\[redacted\])[^\s/@\"'<>?#]*:[^\s/@\"'<>]*(?=@)"), rf"\1{MARK}"),
)


def redact_shapes(text: str) -> str:
    """The text with everything that looks like a secret replaced by the mark."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def is_secret_name(name: str) -> bool:
    """Whether a key of this name holds a secret: `password`, `client_secret`, `BindPassword`, `api-key`..."""
    return bool(_SECRET_NAME.fullmatch(name) or _SECRET_CAMEL.fullmatch(name))
