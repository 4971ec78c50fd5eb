"""Single values of a 46elks document: numbers, targets, sounds, URLs, seconds, yes and no, each with its leniencies.

A value of the right type that cannot be used (a sound that is none, a number that is none) becomes one that fails when
it is used, so that the customer's `failed` branch runs; a value of a wrong type is an error that names its key.
"""

import math
import re
from typing import Any

from offhook.flow.dialects.urls import absolute_url, is_web
from offhook.flow.errors import WrongType, WrongUrl, excerpt
from offhook.flow.verbs import (
    LocalSound,
    NamedSound,
    NumberTarget,
    SentDigits,
    SipTarget,
    Sound,
    Speech,
    Target,
    UnusableSound,
    UnusableTarget,
    UrlSound,
)

__all__ = [
    "MAX_SPEECH_CHARS",
    "TONES",
    "flag",
    "found",
    "local_name",
    "number",
    "sound",
    "target",
    "quantity",
    "text_of",
    "url_of",
]

MAX_SPEECH_CHARS = 179
"""The service speaks texts under 180 characters."""

TONES = frozenset({"beep", "dialtone", "ringback", "busy", "congestion", "music", "enter", "exit", "sorry", "comfort"})
"""`sound/beep` is the service's; the others are ours. Each but the beep also of a country: `sound/dialtone/us`."""

_NUMBER = re.compile(r"\+[1-9][0-9]{4,14}")
_SEPARATORS = str.maketrans("", "", " -().")
_SIP = re.compile(
    r"sips?:(?:[^@\s<>\"]+@)?(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?(?:;[^\s<>\"]*)?", re.IGNORECASE
)
_SIP_LOST_PLUS = re.compile(r"(sips?:) (?=[0-9])", re.IGNORECASE)
_TONE = re.compile(r"([a-z]+)(?:/[a-z]{2})?")
_KEYS = re.compile(r"[0-9*#A-DpP]+")
_LOCAL_NAME = re.compile(r"[\w-][\w .-]{0,63}")
_SPEECH = re.compile(r"([a-z]{2}_[A-Z]{2})/(.*)", re.DOTALL)
_QUANTITY = re.compile(r"[+-]?[0-9]{1,300}(?:\.[0-9]{0,30})?")
_YES = frozenset({"yes", "true", "1"})
_NO = frozenset({"no", "false", "0"})


def found(value: Any) -> str:
    """What stands there instead of what should, for an error."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text “{excerpt(value)}”" if value.strip() else "an empty text"
        case int() | float():
            return f"the number {excerpt(str(value))}"
        case list():
            return "a list"
        case dict():
            return "an object"
        case _:
            return "null"


def text_of(value: Any, key: str, wanted: str) -> str:
    """A text. Raises `WrongType`."""
    if not isinstance(value, str):
        raise WrongType(key=key, wanted=wanted, found=found(value))
    return value


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def number(text: str) -> str | None:
    """A number in E.164 with its `+`, or `None`.

    Blanks, hyphens, dots and brackets between digits are passed over. A leading blank before digits counts as `+`: that
    is what decoding a form makes of a `+` that was sent unencoded, as the service's own examples do.
    """
    bare = text.translate(_SEPARATORS)
    if text[:1] == " " and bare[:1] != "+":
        bare = f"+{bare}"
    return bare if _NUMBER.fullmatch(bare) else None


def target(text: str) -> Target:
    """A number, or a `sip:` or `sips:` URI; anything else is a target that fails when it is called."""
    uri = _SIP_LOST_PLUS.sub(r"\1+", text.strip(), count=1)
    if uri[:4].lower() in ("sip:", "sips"):
        return SipTarget(uri=uri) if _SIP.fullmatch(uri) else UnusableTarget(text=text)
    e164 = number(text)
    return UnusableTarget(text=text) if e164 is None else NumberTarget(number=e164)


# ── sounds ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def sound(text: str) -> Sound:
    """A URL, `sound/…`, `local/…` or `en_US/…`; anything else fails as `badsource` when it is played."""
    stripped = text.strip()
    unusable = UnusableSound(text=text)
    if is_web(stripped):
        url = absolute_url(stripped, "")
        return unusable if url is None else UrlSound(url=url)
    kind, _, rest = stripped.partition("/")
    if kind == "sound":
        return _built_in(rest) or unusable
    if kind == "local":
        name = local_name(stripped)
        return unusable if name is None else LocalSound(name=name)
    speech = _SPEECH.fullmatch(stripped)
    if speech is not None and speech[2].strip() and len(speech[2]) <= MAX_SPEECH_CHARS:
        return Speech(text=speech[2].strip(), language=speech[1])
    return unusable


def local_name(text: str) -> str | None:
    """The name in `local/<name>`: up to 64 letters, digits, blanks, `.`, `_` and `-`, no dot first; else `None`."""
    kind, _, name = text.strip().partition("/")
    return name if kind == "local" and _LOCAL_NAME.fullmatch(name) else None


def _built_in(rest: str) -> Sound | None:
    kind, _, keys = rest.partition("/")
    if kind == "dtmf":
        return SentDigits(keys=keys) if _KEYS.fullmatch(keys) else None
    tone = _TONE.fullmatch(rest)
    return NamedSound(name=rest) if tone is not None and tone[1] in TONES else None


# ── where to ask ─────────────────────────────────────────────────────────────────────────────────────────────────────


def url_of(value: Any, key: str, address: str) -> str:
    """An absolute URL. Raises `WrongType` or `WrongUrl`."""
    text = text_of(value, key, "a URL")
    url = absolute_url(text, address)
    if url is None:
        raise WrongUrl(key=key, found=found(text))
    return url


# ── how much, and whether ────────────────────────────────────────────────────────────────────────────────────────────


def quantity(value: Any, key: str, wanted: str) -> float | None:
    """A number, or a text that is one; `None` for an empty text. Raises `WrongType`."""
    match value:
        case bool():
            pass
        case int() | float():
            return _as_float(value)
        case str() if not value.strip():
            return None
        case str() if _QUANTITY.fullmatch(value.strip()):
            return float(value)
        case _:
            pass
    raise WrongType(key=key, wanted=wanted, found=found(value))


def flag(value: Any, key: str) -> bool | None:
    """`yes` or `no`, true or false, 1 or 0, as text or not; `None` for an empty text. Raises `WrongType`."""
    if isinstance(value, bool | int | str):
        word = str(value).strip().lower()
        if not word:
            return None
        if word in _YES:
            return True
        if word in _NO:
            return False
    raise WrongType(key=key, wanted="yes or no", found=found(value))


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        # JSON integers may have more digits than any float.
        return math.inf if value > 0 else -math.inf
