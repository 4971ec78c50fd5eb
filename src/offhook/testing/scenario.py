"""A scenario as values: what is there, what happens, and what is expected.

`offhook.testing.reading` reads them from text. Times are seconds. Nothing here runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from offhook.call.events import Tariff
from offhook.flow.program import Flow
from offhook.flow.view import Cause

__all__ = [
    "Act",
    "ActKind",
    "Calls",
    "Expected",
    "Page",
    "Phone",
    "PlacesCall",
    "Prices",
    "Scenario",
    "SoundFile",
    "When",
    "WhenKind",
]


# ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class ActKind(Enum):
    """What a person at a phone can do."""

    PRESSES = "presses"
    SPEAKS = "speaks"
    HANGS_UP = "hangs up"
    HOLDS = "holds"
    RESUMES = "resumes"


class WhenKind(Enum):
    """What a person waits for before doing it."""

    AT = "at"
    """A time, from the beginning of the scenario."""
    ANSWERED = "answered"
    """Being connected: having answered, or having been answered."""
    HEARS = "hears"
    """A sound beginning."""
    RECORDED = "recorded"
    """A recording beginning."""
    TALKS = "talks"
    """Being joined with somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The moment at which somebody does something."""

    kind: WhenKind
    seconds: float = 0.0
    """So long after it; for `AT`, the time itself."""
    sound: str = ""
    """For `HEARS`."""
    time: int = 1
    """For `HEARS`: the first time, the second…"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that a person does."""

    kind: ActKind
    when: When
    keys: str = ""
    seconds: float = 0.0
    """How long somebody speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """Somebody who can be called. What is `None` does not happen."""

    address: str
    answers_after: float | None = None
    heard_after: float | None = None
    """Sends sound before the answer."""
    refuses: Cause | None = None
    refuses_after: float = 0.0
    rings: bool = True
    acts: tuple[Act, ...] = ()


# ── the web application ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What the web application answers at a URL. Several for one URL are used in turn; the last one again and again."""

    url: str
    body: bytes = b""
    status: int | None = 200
    """`None`: the connection fails."""
    location: str | None = None
    """Where a redirect leads."""
    delay_s: float = 0.0
    """May be infinite."""
    only_if: tuple[str, str] | None = None
    """A parameter and its value; a page with such a condition goes before one without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFile:
    """A sound at a URL; `None`: what is there is no sound."""

    url: str
    seconds: float | None


# ── what begins it, and what is expected ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Somebody calls one of our numbers."""

    from_: str
    to: str
    acts: tuple[Act, ...] = ()
    at_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesCall:
    """The customer makes a call by the API."""

    params: Mapping[str, str]
    at_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A line of the trace, and parameters of a post that are looked at."""

    line: int
    """In the file."""
    time: float
    text: str
    params: tuple[tuple[str, str | None], ...] = ()
    """`None`: must not be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What calls cost; free unless said otherwise."""

    by_prefix: Mapping[str, Tariff] = field(default_factory=dict)
    incoming: Tariff = field(default_factory=Tariff)
    credit: int | None = None
    """`None`: without end."""

    def of(self, address: str) -> Tariff:
        """The tariff of the longest prefix."""
        prefixes = [prefix for prefix in self.by_prefix if address.startswith(prefix)]
        return self.by_prefix[max(prefixes, key=len)] if prefixes else Tariff()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """All of it."""

    title: str
    begins: tuple[Calls | PlacesCall, ...]
    """The calls, in the order in which they are written."""
    numbers: Mapping[str, str | Flow] = field(default_factory=dict)
    """Our numbers, and the URL or the document that each runs; a flow where no dialect is wanted."""
    dialects: Mapping[str, str] = field(default_factory=dict)
    """Of numbers whose web application is spoken to in another dialect than 46elks'."""
    pages: tuple[Page, ...] = ()
    sounds: tuple[SoundFile, ...] = ()
    phones: tuple[Phone, ...] = ()
    prices: Prices = field(default_factory=Prices)
    fallback: str = ""
    """What the call goes on with where the web application fails: a URL or a document; empty: nothing."""
    expected: tuple[Expected, ...] = ()
    in_part: bool = False
    """Other lines may stand between the expected ones."""
