"""What is a secret by its looks, whoever issued it: tokens, headers, cookies, private keys, `password=...`.

Left alone on purpose: `WWW-Authenticate` challenges. They are answers of a server, name no secret, and their
`trusted_issuers` is the best evidence of which partner applications a server has loaded.
"""

from __future__ import annotations

import re
from functools import cache

MARK = "[redacted]"
"""What stands where a secret stood."""

_SECRET_NAME = re.compile(
    r"(?i)(?:.*[_\-. ])?(?:password|passwd|pwd|passphrase|secret|token|api[_\- ]?key|access[_\- ]?key|private[_\- ]?key"
    r"|client[_\- ]?secret|authorization|cookie|set-cookie)s?"
)
_SECRET_CAMEL = re.compile(r"[A-Za-z]*(?:Password|Passphrase|Secret|Token|ApiKey|AccessKey|PrivateKey)")
# Properties of the products and of .NET that only sound so: AuthToken holds a partner application's metadata URL.
_NO_SECRETS = frozenset({"AuthToken", "PublicKeyToken"})

_SCHEME = r"(?:Basic|Bearer|Negotiate|Kerberos|NTLM|CredSSP|Digest)"
_QUOTE = r"(?:\\?[\"']|&quot;)?+"
_NOT_YET = r"(?!\[redacted\])"

# Text comes from servers, so no rule may take more than linear time: runs are possessive or bounded.
_LINEAR_RULES: tuple[tuple[str, str], ...] = (
    (r"(?s)-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\Z)", MARK),
    # A JSON Web Token, the unsigned outer one of a user call included (its signature is empty).
    (r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{6,}+\.[A-Za-z0-9_-]{6,}+[A-Za-z0-9_.-]*+", MARK),
    (
        rf"(?i)(?<![\w-])((?:proxy-)?authorization{_QUOTE}\s*+[:=]\s*+(?:b(?=['\"]))?+{_QUOTE}\s*+"
        rf"(?:{_SCHEME}[ \t]++)?+)"
        rf"{_NOT_YET}[^\s\"'\\<>&][^\r\n\"'\\<>]*+",
        rf"\1{MARK}",
    ),
    (
        rf"(?i)(?<![\w-])((?:set-)?cookie2?{_QUOTE}\s*+:\s*+{_QUOTE}\s*+){_NOT_YET}[^\s\"'\\<>][^\r\n\"'\\<>]*+",
        rf"\1{MARK}",
    ),
    # A scheme and its value on their own, but not a challenge: `Bearer client_id="..."`.
    (
        rf"(?<!\w)({_SCHEME}[ \t]++)(?=[^\s\"]{{0,4096}}[0-9+/=_.~-])[A-Za-z0-9._~+/-]{{16,}}+=*+(?![\"'\w])",
        rf"\1{MARK}",
    ),
    (r"(?i)(<(?:\w{1,40}:)?(?:password|passphrase)(?:\s[^<>]{0,200})?>)" rf"{_NOT_YET}[^<]++", rf"\1{MARK}"),
    (
        r"(?i)(?<!\w)((?:password|passwd|pwd|passphrase|client_?secret|access_?token|refresh_?token|api_?key)"
        rf"{_QUOTE}\s*+[:=]\s*+)(?:(\\\")(?:\\[^\"\r\n]|[^\"\\\r\n]){{1,512}}+|(\")(?:\\.|[^\"\\\r\n]){{1,512}}+"
        r"|(')(?:\\.|[^'\\\r\n]){1,512}+|(?!\\[\"'])[^\s\"',;&<>()\[][^\s\"',;&<>()]*+)",
        rf"\1\2\3\4{MARK}",
    ),
    (
        r"(?i)((?<!\S)-(?:CaPassword|Password|PlainPassword)[ \t]++)"
        r"(?:(\")(?:``|`\"|[^\"\r\n]){1,512}+|(')(?:''|[^'\r\n]){1,512}+|[^\s$(\"'\[-]\S*+)",
        rf"\1\2\3{MARK}",
    ),
    (
        r"(?i)(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{0,20}://)"
        rf"{_NOT_YET}[^\s/@\"'<>?#:]{{0,200}}+:[^\s/@\"'<>]{{0,400}}+(?=@)",
        rf"\1{MARK}",
    ),
)


def redact_shapes(text: str) -> str:
    """The text with everything that looks like a secret replaced by the mark."""
    for pattern, replacement in _rules():
        text = pattern.sub(replacement, text)
    return text


@cache
def _rules() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in _LINEAR_RULES)


def is_secret_name(name: str) -> bool:
    """Whether a key of this name holds a secret: `password`, `client_secret`, `BindPassword`, `api-key`..."""
    if name in _NO_SECRETS:
        return False
    return bool(_SECRET_NAME.fullmatch(name) or _SECRET_CAMEL.fullmatch(name))
