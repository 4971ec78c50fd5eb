"""Single values of a didML document: numbers, SIP addresses, keys to send, and attributes with their defaults.

What steers a call and cannot be used (an `action` that is no URL) is an error that names it; what only tells or tunes
is passed over with a warning. Sources: the attribute tables of the service's verb pages, and TwiML's where they are
silent.
"""

import re
from dataclasses import dataclass, field

from offhook.flow.dialects.didml_repair import CURLY_QUOTES
from offhook.flow.dialects.didml_tree import Element, Warnings
from offhook.flow.dialects.urls import resolved_url
from offhook.flow.document import Document
from offhook.flow.errors import WrongUrl, excerpt
from offhook.flow.targets import NumberTarget, SipTarget, Target, UnusableTarget

__all__ = [
    "LOOP_MAX",
    "MAX_SENT_KEYS",
    "Attributes",
    "Source",
    "caller_id",
    "event_words",
    "number",
    "quantity",
    "sent_keys",
    "sip_target",
    "target",
]

LOOP_MAX = 1000
"""What `loop="0"`, which is without end, comes to (as in TwiML)."""
MAX_SENT_KEYS = 128

_NUMBER = re.compile(r"\+?([1-9][0-9]{4,14})")
_SEPARATORS = str.maketrans("", "", " -().")
_SIP = re.compile(
    r"sips?:(?:[^@\s<>\"]+@)?(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?(?:;[^\s<>\"]*)?", re.IGNORECASE
)
_QUANTITY = re.compile(r"[+-]?[0-9]{1,300}(?:\.[0-9]{0,30})?")
_PAUSES = {"w": "P", "W": "PP"}
"""`w` waits half a second and `W` a whole one; our `P` is half a second."""
_KEYS = frozenset("0123456789*#ABCD")
_ON = frozenset({"on", "true", "1", "yes", "record-from-answer", "record-from-ringing"})
_OFF = frozenset({"off", "false", "0", "no", "do-not-record"})
_OF_XML = ("xmlns", "xml:", "xsi:")


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def number(text: str) -> str | None:
    """A number in E.164 with `+`, or `None`. didML has country codes without `+`; both are taken, and separators."""
    found = _NUMBER.fullmatch(text.translate(_SEPARATORS))
    return None if found is None else f"+{found[1]}"


def caller_id(text: str) -> str | None:
    """A number in E.164 where it is one, else the text as it stands; `None` for nothing."""
    return number(text) or text.strip() or None


def target(text: str) -> Target:
    """A number, or a `sip:` or `sips:` URI; anything else is a target that fails when it is called."""
    if text.strip()[:4].lower() in ("sip:", "sips"):
        return sip_target(text)
    e164 = number(text)
    return UnusableTarget(text=text) if e164 is None else NumberTarget(number=e164)


def sip_target(text: str) -> Target:
    """What stands in `sip`: a URI, the same without `sip:`, or a bare host, where the number dialled is the user."""
    uri = text.strip()
    if uri[:4].lower() not in ("sip:", "sips"):
        uri = f"sip:{uri}"
    if not _SIP.fullmatch(uri):
        return UnusableTarget(text=text)
    # Only where the user is missing: it is then the number dialled, which these hosts know without `+`.
    return SipTarget(uri=uri, with_plus="@" in uri)


# ── what is sent, and where to ───────────────────────────────────────────────────────────────────────────────────────


def sent_keys(text: str) -> tuple[str, str]:
    """`senddigits` as the keys of `verbs.SentDigits`, and the characters of it that are none.

    Blanks are passed over. `w` waits 0.5 s and `W` 1 s: `WWWW101` waits 4 s, whatever the service's example says.
    """
    keys: list[str] = []
    strange: list[str] = []
    for character in "".join(text.split()):
        if character in _PAUSES:
            keys.append(_PAUSES[character])
        elif character.upper() in _KEYS:
            keys.append(character.upper())
        else:
            strange.append(character)
    return "".join(keys), "".join(strange)


def event_words(text: str) -> tuple[str, ...]:
    """The words of `statusCallbackEvent`, with commas or blanks between them, in lower case."""
    return tuple(word for word in re.split(r"[\s,;]+", text.lower()) if word)


def quantity(text: str) -> float | None:
    """A number that is written with digits, else `None`."""
    return float(text) if _QUANTITY.fullmatch(text) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A document on its way to a flow: where it came from, and what is to be said of it."""

    address: str
    """Base of relative URLs; empty for a document in a setting."""
    warnings: Warnings = field(default_factory=Warnings)

    def warn(self, element: Element, text: str) -> None:
        """A warning that begins with where it is."""
        self.warnings.add(f"Line {element.line}: {text}")

    def inside(self, element: Element) -> None:
        """Says of elements in one that takes a text alone that they were passed over."""
        for child in element.children:
            self.warn(child, f"<{excerpt(child.name)}> inside <{element.name}> was passed over.")

    def url(self, text: str, element: Element, name: str) -> str:
        """An absolute URL that the call goes on by. Raises `WrongUrl`, naming `name` of the element."""
        url = resolved_url(text, self.address)
        if url is None:
            found = f"the text “{excerpt(text)}”" if text.strip() else "nothing"
            raise WrongUrl(key=f"{name} of <{element.name}> in line {element.line}", found=found)
        return url


# ── attributes ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Attributes:
    """The attributes of one element, asked for one by one; `done` says which nobody asked for.

    Names are given in lower case, the usual one first and its aliases after it. Empty values count as not there.
    """

    def __init__(self, element: Element, source: Source) -> None:
        self._element = element
        self._source = source
        self._asked: set[str] = set()

    def warn(self, text: str) -> None:
        """A warning about the element."""
        self._source.warn(self._element, text)

    def raw(self, *names: str) -> str | None:
        """The value as it is, even an empty one; `None` if there is none."""
        self._asked.update(names)
        return next((found for name in names if (found := self._element.attributes.get(name)) is not None), None)

    def text(self, *names: str) -> str:
        """The value without blanks and quotation marks around it that have strayed in; empty if there is none."""
        return (self.raw(*names) or "").strip(f" \t\r\n{CURLY_QUOTES}")

    def given(self, *names: str) -> bool:
        return bool(self.text(*names))

    def number_within(self, *names: str, default: float, low: float, high: float, unit: str = "") -> float:
        """A number. What is none, or too small, is the default, and what is too large is the largest; each is said."""
        text = self.text(*names)
        if not text:
            return default
        value = quantity(text)
        taken = default if value is None or value < low else min(value, high)
        if taken != value:
            self.warn(
                f"`{names[0]}` of <{self._element.name}> must be from {low:g} to {high:g}{unit}, and"
                f" {excerpt(text)} was found; {taken:g} is taken instead."
            )
        return taken

    def seconds(self, *names: str, default: float, low: float, high: float) -> float:
        return self.number_within(*names, default=default, low=low, high=high, unit=" seconds")

    def count(self, *names: str, default: int, low: int, high: int) -> int:
        return int(self.number_within(*names, default=default, low=low, high=high))

    def loop(self) -> int:
        """How often; `0` is without end, which is `LOOP_MAX` times."""
        return self.count("loop", default=1, low=0, high=LOOP_MAX) or LOOP_MAX

    def flag(self, *names: str, default: bool) -> bool:
        """`on` and `off`, as `true`, `1`, `yes` and their opposites."""
        word = self.text(*names).lower()
        if word and word not in _ON | _OFF:
            self.warn(f"`{names[0]}` of <{self._element.name}> must be on or off, and {excerpt(word)} was found.")
        return word in _ON if word in _ON | _OFF else default

    def method(self, *names: str) -> str:
        """`GET` where that is said; everything else is `POST`, the default of every verb (as TwiML's servers do)."""
        return "GET" if self.text(*names).upper() == "GET" else "POST"

    def document(self, name: str, method: str = "method") -> Document | None:
        """What a URL names, with its method. Raises `WrongUrl`."""
        text = self.text(name)
        asked = self.method(method)
        return Document(url=self._source.url(text, self._element, name), method=asked) if text else None

    def told_url(self, name: str) -> str | None:
        """A URL that is only told something, so one that is none is passed over with a warning."""
        text = self.text(name)
        url = resolved_url(text, self._source.address) if text else None
        if text and url is None:
            self.warn(f"`{name}` of <{self._element.name}> is no http or https URL: nobody is told.")
        return url

    def done(self) -> None:
        """Says which attributes mean nothing here."""
        for name in self._element.attributes:
            if name not in self._asked and not name.startswith(_OF_XML):
                self.warn(f"`{excerpt(name)}` means nothing in <{self._element.name}> and was ignored.")
