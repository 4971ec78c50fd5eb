"""The fragment of a webhook URL, as users of Twilio and jambonz write it: `#rc=2&rp=all&ct=2000&rt=5000&tt=8000`.

Twilio, "Webhook connection overrides"; jambonz, "Webhook and WebSocket retries". Pure reading of a URL: the fragment is
never sent (RFC 3986 §3.5). What cannot be used in it is passed over with a warning: no call dies of it.
"""

from dataclasses import dataclass
from enum import Enum
from urllib.parse import parse_qsl

from offhook.hooks.errors import HookCause, HookFailure

MOST_RETRIES = 5
CONNECT_MS = range(100, 10_001)
READ_MS = range(100, 15_001)
TOTAL_MS = range(100, 15_001)
MAX_PAIRS = 16
SHOWN_CHARS = 40
# Which of Twilio's edges a request leaves from means nothing here; server name indication is always sent.
_NOTHING_HERE = {"e": "there are no edges here"}


class RetryOn(Enum):
    """A word of `rp`: a kind of failure after which a try is repeated."""

    CLIENT_ERROR = "4xx"
    SERVER_ERROR = "5xx"
    CONNECTION = "ct"
    """No connection, or one that broke: refused, reset, half an answer, no name, no TLS, none in time."""
    TIME_OUT = "rt"
    """Connected, but no answer in time: the application may have acted all the same."""


ALL = frozenset(RetryOn)
_CONNECTION_CAUSES = frozenset(
    {
        HookCause.DNS,
        HookCause.REFUSED,
        HookCause.UNREACHABLE,
        HookCause.CONNECT_TIMEOUT,
        HookCause.TLS,
        HookCause.RESET,
        HookCause.BROKEN,
        HookCause.LOCAL,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a URL asks for; `None`: it leaves that to the policy.

    `read_s` is for the first byte of an answer and for the pause between two of its packets, `total_s` for all tries.
    """

    retries: int | None = None
    retry_on: frozenset[RetryOn] | None = None
    retry_timeouts: bool = False
    """`#retry=timeout`, a word of our own: time-outs as well, whatever else is repeated."""
    connect_s: float | None = None
    read_s: float | None = None
    total_s: float | None = None
    warnings: tuple[str, ...] = ()
    """What could not be used, for the timeline."""


NOTHING_ASKED = Overrides()


def overrides_of(url: str) -> Overrides:
    """Reads the fragment of a URL. Never fails; a fragment that is somebody's anchor asks for nothing."""
    fragment = url.strip().partition("#")[2]
    if not fragment:
        return NOTHING_ASKED
    reading = _Reading()
    try:
        pairs = parse_qsl(fragment, keep_blank_values=True, max_num_fields=MAX_PAIRS)
    except ValueError:
        return Overrides(warnings=(f"#: more than {MAX_PAIRS} pairs; none is used",))
    values = dict(reversed(pairs))  # of a name given twice the first counts
    for name, why in _NOTHING_HERE.items():
        if name in values:
            reading.warn(name, values[name], why)
    return Overrides(
        retries=reading.number("rc", values, range(MOST_RETRIES + 1)),
        retry_on=reading.kinds(values.get("rp")),
        retry_timeouts=values.get("retry") == "timeout",
        connect_s=reading.seconds("ct", values, CONNECT_MS),
        read_s=reading.seconds("rt", values, READ_MS),
        total_s=reading.seconds("tt", values, TOTAL_MS),
        warnings=tuple(reading.warnings),
    )


def is_kind(failure: HookFailure, kinds: frozenset[RetryOn]) -> bool:
    """Whether a failure is of one of these kinds. What would fail again the same way is of none."""
    if failure.cause is HookCause.TIMEOUT:
        return RetryOn.TIME_OUT in kinds
    if failure.cause is HookCause.STATUS and failure.status is not None:
        return (RetryOn.SERVER_ERROR if failure.status >= 500 else RetryOn.CLIENT_ERROR) in kinds and (
            failure.status >= 400
        )
    return failure.cause in _CONNECTION_CAUSES and RetryOn.CONNECTION in kinds


class _Reading:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, name: str, value: str, why: str) -> None:
        shown = value if len(value) <= SHOWN_CHARS else value[: SHOWN_CHARS - 1] + "…"
        self.warnings.append(f"#{name}={shown}: {why}; it is not used")

    def number(self, name: str, values: dict[str, str], allowed: range) -> int | None:
        text = values.get(name)
        if text is None:
            return None
        # Seven digits are more than any limit, and cost nothing to read.
        number = int(text) if text.isascii() and text.isdecimal() and len(text) <= 7 else -1
        if number in allowed:
            return number
        self.warn(name, text, f"a whole number from {allowed[0]} to {allowed[-1]} is wanted")
        return None

    def seconds(self, name: str, values: dict[str, str], allowed_ms: range) -> float | None:
        milliseconds = self.number(name, values, allowed_ms)
        return None if milliseconds is None else milliseconds / 1000

    def kinds(self, text: str | None) -> frozenset[RetryOn] | None:
        if text is None:
            return None
        words = [word.strip().lower() for word in text.split(",")]
        if "all" in words:
            return ALL
        known = {kind.value: kind for kind in RetryOn}
        for word in words:
            if word not in known:
                self.warn("rp", word, f"known are {', '.join(known)} and all")
        found = frozenset(known[word] for word in words if word in known)
        return found or None
