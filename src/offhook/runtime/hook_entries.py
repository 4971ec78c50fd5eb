"""What a timeline says of webhooks: the tries and the answer of one that was asked, what became of one that is owed.

One or two are written for every call, so that the usual ones (one try, a short answer) are a few short fields. Of a
long answer the beginning is shown, its secrets blanked; what is not known is left out and never guessed.
"""

from datetime import UTC, datetime
from typing import Any

from offhook.call.masking import BLANK, BODY_MAX_CHARS, shown_body, shown_url
from offhook.hooks.delivery import Delivered, DeliveryEvent, Postponed
from offhook.runtime.webhooks import HookResult, TryMade

__all__ = ["asked", "owed"]

TYPE_MAX_CHARS = 100
EARLIER_BODY_MAX_CHARS = 256
"""Of an answer that was not the last one."""


def asked(request: int, webhook: str, result: HookResult) -> dict[str, Any]:
    """`hook.tries`: what came of a control webhook; `webhook` is its id."""
    told: dict[str, Any] = {"request": request, "webhook": webhook, "tries": _tries(result)}
    if result.tries:
        told |= _answer(result.tries[-1])
    if result.warnings:
        told["warnings"] = list(result.warnings)
    return told


def owed(event: DeliveryEvent, result: HookResult | None) -> tuple[str, dict[str, Any]]:
    """`hook.delivered`, `hook.postponed`, `hook.dead`: what came of a try of a post (of none: without `result`)."""
    told: dict[str, Any] = {"webhook": event.request.id, "tries": event.tries}
    last = result.tries[-1] if result is not None and result.tries else None
    if isinstance(event, Delivered):
        told["status"] = event.status
    else:
        status = event.failure.status if last is None else last.status
        if status is not None:
            told["status"] = status
        told["why"] = event.failure.sentence
    if result is not None:
        told["took_ms"] = round(result.took_s * 1000, 1)
    if last is not None:
        if last.hop:
            told |= _elsewhere(last)
        told |= _answer(last)
    if isinstance(event, Postponed):
        told["next"] = datetime.fromtimestamp(event.next_wall, UTC).isoformat()
    return f"hook.{type(event).__name__.lower()}", told


def _tries(result: HookResult) -> list[dict[str, Any]]:
    """The answer of the last one stands beside them."""
    return [_try(made, made is result.tries[-1]) for made in result.tries]


def _try(made: TryMade, last: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "try": made.number,
        "after_ms": round(made.began_s * 1000, 1),
        "took_ms": round(made.took_s * 1000, 1),
    }
    if made.hop:
        told |= _elsewhere(made)
    if made.status is not None:
        told["status"] = made.status
    if made.failure is not None:
        told["why"] = made.failure.sentence
    if not last:
        told |= _answer(made, EARLIER_BODY_MAX_CHARS)
    return told


def _elsewhere(made: TryMade) -> dict[str, Any]:
    """Where a redirect led, and which one it was of its try. What was asked first stands in the entry before."""
    return {"hop": made.hop, "method": made.method.value, "url": shown_url(made.url)}


def _answer(made: TryMade, body_max_chars: int = BODY_MAX_CHARS) -> dict[str, Any]:
    """Of no answer, nothing."""
    told: dict[str, Any] = {}
    if made.size is not None:
        told["bytes"] = made.size
    if made.cut:
        told["cut"] = True
    if made.body:
        if made.content_type:
            told["type"] = made.content_type[:TYPE_MAX_CHARS]
        body = shown_body(made.body, cut=made.cut)
        told["body"] = body if len(body) <= body_max_chars else body[: body_max_chars - 1] + BLANK
    return told
