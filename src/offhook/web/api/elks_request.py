"""A request of the 46elks API, read leniently, and the errors it can be answered with.

Lenient as the service and its own samples are (sections 1, 3.3 and 11.1 of what we know of it): a leading blank stands
for a `+` that was sent unencoded, odd times and limits are understood. 403 is the status of every wrong parameter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.types import Receive, Scope, Send

from offhook.config import Settings
from offhook.flow.dialects.choose import DIALECTS, read_start
from offhook.flow.dialects.dialect import Reading
from offhook.flow.dialects.elks_values import number
from offhook.flow.dialects.elks_words import live_time, wrong_start
from offhook.flow.dialects.urls import absolute_url
from offhook.flow.errors import DocumentError
from offhook.flow.program import Document
from offhook.storage.prices import AMOUNT_MOST, PriceList
from offhook.storage.records import Page
from offhook.storage.rows import AccountRow
from offhook.storage.store import Storage
from offhook.web.port import ServerPort

__all__ = ["Bounds", "Elks", "ElksError", "ElksRequest", "amount", "not_found", "number_of", "paged", "required"]
__all__ += ["start_of", "url_or_empty", "whole_number", "yes_or_no"]

MAX_LIMIT = 100
EXAMPLE_TIME = "2026-01-31T12:00:00.000000"


class ElksError(Exception):
    """Answered as a status and a plain sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Elks:
    """What the handlers work with."""

    server: ServerPort
    storage: Storage
    settings: Settings
    prices: PriceList


@dataclass(frozen=True, slots=True, kw_only=True)
class ElksRequest:
    """One request, whoever asks being known."""

    account: AccountRow
    method: str
    """GET, POST or DELETE; `GET …/POST` is POST here."""
    parts: tuple[str, ...]
    """The path after the resource."""
    params: dict[str, str]
    scope: Scope
    receive: Receive
    send: Send

    def get(self, name: str) -> str | None:
        """A parameter; `None` if it was not sent."""
        return self.params.get(name)


def not_found() -> ElksError:
    """For a path or a thing that is not there."""
    return ElksError(404, "Not found")


# ── parameters ───────────────────────────────────────────────────────────────────────────────────────────────────────


def required(request: ElksRequest, name: str) -> str:
    """A parameter that must be there and not be empty. Raises `ElksError`."""
    value = request.params.get(name, "")
    if not value.strip():
        raise ElksError(403, f"Missing key {name}")
    return value


def number_of(text: str, name: str) -> str:
    """A number in E.164. Raises `ElksError`."""
    found = number(text)
    if found is None:
        raise ElksError(403, f"Invalid {name} number")
    return found


def start_of(text: str, name: str = "voice_start") -> Document | Reading:
    """A URL, or a document written out. Raises `ElksError` with what is wrong in it."""
    try:
        return read_start(text, DIALECTS["elks"], key=name)
    except DocumentError as error:
        raise ElksError(403, wrong_start(text, error, name)) from None


def url_or_empty(request: ElksRequest, name: str) -> str | None:
    """A URL; empty for a text that clears a setting (`none`, or nothing but blanks); `None` if it was not sent."""
    value = request.params.get(name)
    if value is None:
        return None
    if value.strip().lower() in ("", "none"):
        return ""
    url = absolute_url(value, "")
    if url is None:
        raise ElksError(403, f"The {name} you tried to use is not a valid URL")
    return url


def whole_number(text: str, name: str) -> int:
    """An amount or a count; a fraction is cut. Raises `ElksError`."""
    try:
        return int(float(text.strip()))
    except (ValueError, OverflowError):
        raise ElksError(403, f"Invalid {name}") from None


def amount(text: str, name: str) -> int:
    """Money to be kept, 0 or more, in 1/10000 of the currency. Raises `ElksError`."""
    found = whole_number(text, name)
    if not 0 <= found <= AMOUNT_MOST:
        raise ElksError(403, f"Invalid {name}")
    return found


def yes_or_no(request: ElksRequest, name: str) -> bool | None:
    """`yes`, `true`, `1` and their opposites; `None` if it was not sent, or is empty. Raises `ElksError`."""
    value = request.params.get(name, "").strip().lower()
    if value in ("yes", "true", "1"):
        return True
    if value in ("no", "false", "0"):
        return False
    if value:
        raise ElksError(403, f"Invalid {name}: write yes or no")
    return None


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`start`, `end` and `limit` of a list: created before, created after, at most so many."""

    before: datetime | None
    after: datetime | None
    limit: int

    @classmethod
    def of(cls, request: ElksRequest) -> "Bounds":
        """Reads them. Raises `ElksError`."""
        limit = request.params.get("limit", "").strip()
        return cls(
            before=_time(request, "start"),
            after=_time(request, "end"),
            limit=min(max(whole_number(limit, "limit"), 1), MAX_LIMIT) if limit else MAX_LIMIT,
        )

    def hold(self, moment: datetime) -> bool:
        """Whether something of that moment is in the list."""
        return (self.before is None or moment < self.before) and (self.after is None or moment > self.after)


def _time(request: ElksRequest, name: str) -> datetime | None:
    """With or without a fraction, a `Z` or an offset; without a zone it is UTC."""
    text = request.params.get(name, "").strip()
    if not text:
        return None
    if text[-6:-5] == " " and text[-3:-2] == ":" and "T" in text:
        text = f"{text[:-6]}+{text[-5:]}"  # an offset whose plus sign was sent unencoded
    try:
        moment = datetime.fromisoformat(text.upper())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ElksError(403, f"Invalid {name}: write a time such as {EXAMPLE_TIME}") from None


def paged(page: Page[Any], show: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """`data`, and `next` if there is more."""
    rows: Sequence[Any] = page.rows
    answer: dict[str, Any] = {"data": [show(row) for row in rows]}
    if page.next is not None:
        answer["next"] = live_time(page.next)
    return answer
