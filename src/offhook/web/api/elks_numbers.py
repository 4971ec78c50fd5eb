"""`/a1/numbers`: list, allocate, show, configure, deallocate. Spec: 46elks `get-numbers`, `allocate-number`,
`configure-number`.

Numbers are allocated from those that the operator has added as free; categories `voip` and `webrtc` make a number that
a SIP phone registers as.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from offhook.flow.dialects.elks_words import stored_time
from offhook.storage.directory import PHONE_PREFIX, AlreadyThere
from offhook.storage.records import page_of
from offhook.storage.rows import NumberRow
from offhook.web.api.elks_request import (
    Bounds,
    Elks,
    ElksError,
    ElksRequest,
    not_found,
    number_of,
    paged,
    required,
    start_of,
    url_or_empty,
    yes_or_no,
)
from offhook.web.idempotency import stored

__all__ = ["handle", "number_object"]

PHONES = ("voip", "webrtc")
MAX_NAME_CHARS = 50
PERIOD = timedelta(days=30)
"""A number is paid for so long at a time; `expires` is the end of the running period."""


async def handle(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    """Any request below `/a1/numbers`. Raises `ElksError`."""
    match request.method, request.parts:
        case "GET", ():
            return _list(elks, request)
        case "POST", ():
            return await _allocate(elks, request)
        case "GET", (identifier,):
            return _with_secret(elks, _own(elks, request, identifier))
        case "POST", (identifier,):
            return await _configure(elks, request, _own(elks, request, identifier))
        case _:
            raise not_found()


def _own(elks: Elks, request: ElksRequest, identifier: str) -> NumberRow:
    row = elks.storage.directory.number_by_id(identifier.lower())
    if row is None or row.account != request.account.id:
        raise ElksError(404, "Invalid number id")
    return row


# ── objects ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def number_object(row: NumberRow, now: datetime) -> dict[str, Any]:
    """A number as lists show it; without its secret."""
    allocated = row.allocated or row.created
    described: dict[str, Any] = {
        "id": row.id,
        "active": "yes" if row.active else "no",
        "country": row.country,
        "number": row.number,
        "capabilities": list(row.capabilities),
        "category": row.category,
        "created": stored_time(row.created),
        "allocated": stored_time(allocated),
        "expires": _expires(allocated, row.deallocated or now).replace(tzinfo=None).isoformat(timespec="seconds"),
        "cost": row.cost,
        "name": row.name,
        "voice_start": row.voice_start,
        "sms_url": row.sms_url,
        "mms_url": row.mms_url,
        "sms_replies": "yes" if row.sms_replies else "no",
    }
    if row.deallocated is not None:
        described["deallocated"] = stored_time(row.deallocated)
    return described


def _expires(allocated: datetime, moment: datetime) -> datetime:
    return allocated + PERIOD * ((moment - allocated) // PERIOD + 1)


def _with_secret(elks: Elks, row: NumberRow) -> dict[str, Any]:
    described = number_object(row, datetime.now(UTC))
    secret = elks.storage.directory.phone_secret(row)
    if secret is not None:
        described["secret"] = secret
    return described


def _list(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    bounds, active = Bounds.of(request), yes_or_no(request, "active")
    rows = [
        row
        for row in elks.storage.directory.numbers_of(request.account.id)
        if active in (None, row.active) and bounds.hold(row.allocated or row.created)
    ]
    now = datetime.now(UTC)
    times = [row.allocated or row.created for row in rows]
    return paged(page_of(rows, times, bounds.limit), lambda row: number_object(row, now))


# ── changes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _allocate(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    category = request.params.get("category", "").strip().lower() or None
    columns = _columns(request)
    wanted = request.params.get("number", "").strip()
    number = number_of(request.params["number"], "number") if wanted else None
    directory = elks.storage.directory
    if category in PHONES:
        if number is not None and not number.startswith(PHONE_PREFIX):
            raise ElksError(403, f"Invalid number: a {category} number begins with {PHONE_PREFIX}")
        country = request.params.get("country", "").strip().lower() or "se"
        try:
            row = directory.add_phone(
                request.account.id, number, kind=category, country=_country(country), **columns
            ).row
        except AlreadyThere:
            raise ElksError(403, f"{number} is taken") from None
    else:
        country = _country(required(request, "country").strip().lower())
        capabilities = [
            word.strip().lower() for word in request.params.get("capabilities", "").split(",") if word.strip()
        ]
        free = directory.free_number(country=country, category=category, capabilities=capabilities, number=number)
        if free is None:
            raise ElksError(403, _nothing_free(country, category, capabilities, number))
        row = directory.allocate(free.id, request.account.id, **columns)
    await stored(elks.storage, request.scope)
    elks.server.directory_changed()
    return _with_secret(elks, row)


def _country(text: str) -> str:
    if not re.fullmatch(r"[a-z]{2}", text):
        raise ElksError(403, "Invalid country: write two letters, such as se")
    return text


def _nothing_free(country: str, category: str | None, capabilities: list[str], number: str | None) -> str:
    kind = " ".join(filter(None, [category, "number", number]))
    ability = f" with {', '.join(capabilities)}" if capabilities else ""
    return f"Cannot allocate {kind} in country {country}{ability}: none is free"


async def _configure(elks: Elks, request: ElksRequest, row: NumberRow) -> dict[str, Any]:
    directory = elks.storage.directory
    if yes_or_no(request, "active") is False:
        if row.active:
            row = directory.deallocate(row.id)
        await stored(elks.storage, request.scope)
        elks.server.directory_changed()
        return number_object(row, datetime.now(UTC))
    columns = _columns(request)
    if columns and not row.active:
        raise ElksError(403, "The number is deallocated for ever")
    if columns:
        row = directory.change_number(row.id, **columns)
        await stored(elks.storage, request.scope)
        elks.server.directory_changed()
    return _with_secret(elks, row)


def _columns(request: ElksRequest) -> dict[str, Any]:
    """What is configured, checked. Raises `ElksError`."""
    columns: dict[str, Any] = {}
    for name in ("voice_start", "fallback"):  # the second is an addition of ours
        start = request.params.get(name)
        if start is not None:
            if not _clears(start):
                start_of(start, name)
            columns[name] = "" if _clears(start) else start.strip()
    for name in ("sms_url", "mms_url"):
        url = url_or_empty(request, name)
        if url is not None:
            columns[name] = url
    title = request.params.get("name")
    if title is not None:
        if len(title.strip()) > MAX_NAME_CHARS:
            raise ElksError(403, f"Too long name: {MAX_NAME_CHARS} characters are the most")
        columns["name"] = "" if _clears(title) else title.strip()
    replies = request.params.get("sms_replies")
    if replies is not None:
        columns["sms_replies"] = False if _clears(replies) else yes_or_no(request, "sms_replies")
    return columns


def _clears(text: str) -> bool:
    """`configure-number`: `none` and a blank clear a setting; so does an empty text here, for all of them alike."""
    return text.strip().lower() in ("", "none")
