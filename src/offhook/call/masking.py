"""What a timeline may show of a customer's URLs, documents and parameters: all but what may be a secret.

Passwords stand before the host, and shared keys in queries are the documented way to know 46elks; both are blanked.
What is called a key, a secret or a signature is blanked wherever it stands. Keys that a caller pressed are blanked if
the operator wants it so (`mask_digits`): they may be a card number.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

__all__ = ["BLANK", "DIGIT_NAMES", "SECRET_NAMES", "is_keys", "params_without_keys", "shown_body", "shown_number"]
__all__ += ["shown_url", "shown_urls"]

BLANK = "…"
URL_MAX_CHARS = 300
BODY_MAX_CHARS = 2_048
"""What is shown of a document."""
BODY_READ_CHARS = 3_072
"""What is read of one: masking makes it shorter."""

SECRET_NAMES = frozenset(
    (
        "access_token",
        "api-key",
        "api_key",
        "apikey",
        "auth_token",
        "authorization",
        "authtoken",
        "key_secret",
        "passwd",
        "password",
        "proxy-authorization",
        "pwd",
        "secret",
        "secret-key",
        "secret_key",
        "secretkey",
        "sig",
        "signature",
        "token",
        "webhook-signature",
        "x-signature",
    )
)
"""Parameters, attributes and elements whose value is nobody's to read, in lower case."""
DIGIT_NAMES = frozenset(("result", "digits", "digit", "keys", "key"))
"""Where the keys that somebody pressed stand, in lower case."""

_NAMES = "|".join(sorted(map(re.escape, SECRET_NAMES), key=len, reverse=True))
_URL = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)
_SIP_PASSWORD = re.compile(r"(sips?:[^\s\"'<>@:;?]*):[^\s\"'<>@]*@", re.IGNORECASE)
_VALUE = re.compile(
    rf"""(?<![\w-])(["']?)({_NAMES})(\1\s*[:=]\s*)("[^"]*"?|'[^']*'?|[^\s&"'<>,;}}]+)""",
    re.IGNORECASE,
)
_ELEMENT = re.compile(rf"(<({_NAMES})(?:\s[^<>]*)?>)[^<]*", re.IGNORECASE)
_CREDENTIALS = re.compile(r"\b(basic|bearer|digest)\s+[\w+/.~=-]{8,}", re.IGNORECASE)
_STEMS = ("key", "secret", "passw", "pwd", "token", "auth", "sig", "basic", "bearer", "digest")
"""Without one of these in it a text names no secret: most documents, and a look is cheaper than the patterns."""
_ENDS_WORD = "\"'<>"
_KEYS = re.compile(r"[0-9*#A-DpPwW]+")


def shown_url(url: str) -> str:
    """A URL without its user and with the values of its query blanked; a text that is no URL, cut to size."""
    try:
        parts = urlsplit(url)
        authority = parts.netloc.rpartition("@")[2]
    except ValueError:
        return url[:URL_MAX_CHARS]
    before = f"{BLANK}@" if "@" in parts.netloc else ""
    query = "&".join(_blanked(pair) for pair in parts.query.split("&") if pair)
    return parts._replace(netloc=before + authority, query=query, fragment="").geturl()[:URL_MAX_CHARS]


def _blanked(pair: str) -> str:
    """A bare word in a query may be the secret itself."""
    name, equals, _ = pair.partition("=")
    return f"{name}={BLANK}" if equals else BLANK


def shown_body(body: bytes, *, cut: bool = False) -> str:
    """The beginning of a document, `BODY_MAX_CHARS` at most, its secrets blanked; octets that are no text as `�`.

    `cut`: there is more of it than `body` has.
    """
    text = body[: 4 * BODY_READ_CHARS].decode("utf-8", "replace").replace("\\/", "/")
    if cut:
        text = _without_last_word(text[:BODY_READ_CHARS]) + BLANK
    text = shown_urls(text)
    if "@" in text:
        text = _SIP_PASSWORD.sub(rf"\1:{BLANK}@", text)
    low = text.lower()
    if any(stem in low for stem in _STEMS):
        text = _CREDENTIALS.sub(rf"\1 {BLANK}", text)
        text = _ELEMENT.sub(rf"\1{BLANK}", text)
        text = _VALUE.sub(_without_value, text)
    return text if len(text) <= BODY_MAX_CHARS else text[: BODY_MAX_CHARS - 1] + BLANK


def shown_urls(text: str) -> str:
    """A sentence, its URLs as `shown_url` has them; of a long one, the first `BODY_READ_CHARS`."""
    if len(text) > BODY_READ_CHARS:
        text = _without_last_word(text[:BODY_READ_CHARS])
    return _URL.sub(lambda found: shown_url(found.group()), text)


def _without_last_word(text: str) -> str:
    """A word that is cut may be the beginning of a secret that can no longer be told from others."""
    end = len(text)
    while end and not (text[end - 1].isspace() or text[end - 1] in _ENDS_WORD):
        end -= 1
    return text[:end]


def _without_value(found: re.Match[str]) -> str:
    quote, name, between, value = found.groups()
    around = value[0] if value[0] in "\"'" else ""
    return f"{quote}{name}{between}{around}{BLANK}{around}"


def shown_number(number: str) -> str:
    """Enough of a number to know one's own by, for logs: `+467…01`. A short one shows less, a word (a SIP user) too."""
    kept = min(4, len(number) // 3)
    return f"{number[:kept]}{BLANK}{number[-2:] if len(number) > 5 else ''}"


def is_keys(text: str) -> bool:
    """Whether a text is nothing but keys of a telephone, and pauses between them."""
    return _KEYS.fullmatch(text) is not None


def params_without_keys(params: Iterable[Sequence[str]]) -> list[list[str]]:
    """A webhook's names and values, the keys that somebody pressed blanked, also within a value that is JSON (the
    `actions` of 46elks)."""
    return [[name, _value_without_keys(name, value)] for name, value in params]


def _value_without_keys(name: str, value: str) -> str:
    if value[:1] in ("[", "{"):
        try:
            return json.dumps(_json_without_keys(json.loads(value)))
        except (ValueError, RecursionError):
            return value
    return BLANK if name.lower() in DIGIT_NAMES and is_keys(value) else value


def _json_without_keys(value: Any) -> Any:
    match value:
        case Mapping():
            return {
                name: BLANK
                if name.lower() in DIGIT_NAMES and isinstance(each, str) and is_keys(each)
                else _json_without_keys(each)
                for name, each in value.items()
            }
        case list():
            return [_json_without_keys(each) for each in value]
        case _:
            return value
