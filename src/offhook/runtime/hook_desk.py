"""What calls say to their customers: control webhooks that a call waits for, and posts that are owed to it.

Joins calls with `webhooks` (how one request is made) and `outbox` (how one that must arrive is repeated), and enters
both in the call's timeline.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from offhook.call.commands import FetchDocument, OweHangup, OweRecording
from offhook.flow.view import CallId
from offhook.hooks.attempt import AttemptPolicy
from offhook.hooks.policy import DeliveryPolicy, Steady
from offhook.hooks.request import Method, Purpose, WebhookRequest
from offhook.runtime.outbox import Outbox
from offhook.runtime.webhooks import HookResult, TryMade, Webhooks

__all__ = ["Answer", "HookDesk"]

NoteOf = Callable[[str, Mapping[str, Any]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a control webhook."""

    body: bytes | None
    """`None`: nothing that can be used came; `detail` says why."""
    url: str
    """Where the body came from in the end."""
    detail: str = ""


class HookDesk:
    """Every webhook of every call goes through here."""

    def __init__(
        self, *, client: Webhooks, outbox: Outbox, policy: AttemptPolicy, delivery: DeliveryPolicy | None = None
    ) -> None:
        self._client = client
        self._outbox = outbox
        self._policy = policy
        self._delivery = delivery or Steady()

    async def ask(self, call: CallId, command: FetchDocument, note: NoteOf) -> Answer:
        """A control webhook, within its budget. Every try is in the timeline."""
        request = WebhookRequest(
            id=new_hook_id(),
            purpose=Purpose.CONTROL,
            call=call,
            url=command.url,
            method=Method(command.method),
            params=command.params,
        )
        result = await self._client.perform(request, self._policy)
        note("hook.tries", {"request": command.request, "bytes": len(result.body), "tries": _tries(result)})
        if result.failure is not None:
            return Answer(body=None, url=command.url, detail=result.failure.sentence)
        return Answer(body=result.body, url=result.final_url)

    def owe(self, call: CallId, command: OweRecording | OweHangup) -> None:
        """A post that must arrive: repeated by its policy until it has."""
        request = WebhookRequest(
            id=new_hook_id(), purpose=Purpose.OWED, call=call, url=command.url, params=command.params
        )
        self._outbox.owe(request, self._delivery)


def new_hook_id() -> str:
    """A stable id of one webhook over all its tries."""
    return f"msg_{secrets.token_hex(12)}"


def _tries(result: HookResult) -> list[dict[str, Any]]:
    return [_try(made) for made in result.tries]


def _try(made: TryMade) -> dict[str, Any]:
    told: dict[str, Any] = {"after_ms": round(made.began_s * 1000, 1), "took_ms": round(made.took_s * 1000, 1)}
    if made.status is not None:
        told["status"] = made.status
    if made.failure is not None:
        told["why"] = made.failure.sentence
    return told
