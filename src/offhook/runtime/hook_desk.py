"""What calls say to their customers: control webhooks that a call waits for, and posts that are owed to it.

Joins calls with `webhooks` (how one request is made) and `outbox` (how one that must arrive is repeated), and enters
both in the call's timeline.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, assert_never

import structlog

from offhook.call.commands import FetchDocument, OweHangup, OweNotice, OweRecording, OweStatus
from offhook.flow.view import CallId
from offhook.hooks.attempt import AttemptPolicy
from offhook.hooks.breaker import Advice, Breaker, HostKey, means_down
from offhook.hooks.delivery import Now
from offhook.hooks.errors import HookCause, WrongHookUrl
from offhook.hooks.policy import DeliveryPolicy, policy_of_api
from offhook.hooks.request import Method, Purpose, WebhookRequest, receiver
from offhook.runtime import hook_entries
from offhook.runtime.outbox import Outbox
from offhook.runtime.webhooks import Webhooks

__all__ = ["Answer", "HookDesk", "owed_id"]

log = structlog.get_logger(__name__)

NoteOf = Callable[[str, Mapping[str, Any]], None]
Owed = OweRecording | OweHangup | OweStatus | OweNotice
DeliveryOf = Callable[[str, str], DeliveryPolicy]
AsksAgain = Callable[[str], bool]
AVOIDED = "hook_avoided"
"""Beside the words of `HookCause`: nothing was asked."""


def _now() -> Now:
    return Now(mono=time.monotonic(), wall=time.time())


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a control webhook."""

    body: bytes | None
    """`None`: nothing that can be used came; `detail` says why."""
    url: str
    """Where the body came from in the end."""
    detail: str = ""
    why: str = ""
    """The stable word of a failure (`hook_timeout`), or `hook_avoided` where nothing was asked."""
    status: int | None = None
    """What HTTP said, where it said anything."""


class HookDesk:
    """Every webhook of every call goes through here."""

    def __init__(
        self,
        *,
        client: Webhooks,
        outbox: Outbox,
        policy: AttemptPolicy,
        delivery: DeliveryOf = policy_of_api,
        retry_timeouts: AsksAgain = lambda _account: False,
        clock: Callable[[], Now] = _now,
    ) -> None:
        """`delivery`: how often what is owed to an account is tried, by its id and the name of its dialect.
        `retry_timeouts`: whether an account wants to be asked again where it did not answer in time."""
        self._client = client
        self._outbox = outbox
        self._policy = policy
        self._delivery = delivery
        self._retry_timeouts = retry_timeouts
        self._clock = clock
        self._breaker = Breaker()

    def hosts(self) -> dict[str, int]:
        """How many of the customers' hosts are believed to be in which state."""
        return self._breaker.figures()

    async def ask(
        self, call: CallId, command: FetchDocument, note: NoteOf, account: str = "", *, files: bool = False
    ) -> Answer:
        """A control webhook, within its budget. Every try is in the timeline. `files`: its dialect's.

        A host that has failed again and again for this account is not asked where the call has a fallback.
        """
        host = _host_of(account, command.url)
        if host is not None and command.may_avoid:
            advice = self._breaker.advice(host, self._clock())
            self._tell_changes(note)
            if advice is Advice.AVOID:
                note("hook.avoided", {"request": command.request, "host": str(host.receiver)})
                detail = f"{host.receiver} has failed again and again, so it was not asked"
                return Answer(body=None, url=command.url, detail=detail, why=AVOIDED)
        answer = await self._ask(call, account, files, command, note, host)
        self._tell_changes(note)
        return answer

    async def _ask(
        self, call: CallId, account: str, files: bool, command: FetchDocument, note: NoteOf, host: HostKey | None
    ) -> Answer:
        request = WebhookRequest(
            id=asked_id(call, command),
            purpose=Purpose.CONTROL,
            call=call,
            account=account,
            url=command.url,
            method=Method(command.method),
            params=command.params,
        )
        policy = replace(self._policy, get_after_405=files)
        if self._retry_timeouts(account):
            policy = replace(policy, retry_timeouts=True)
        result = await self._client.perform(request, policy)
        note("hook.tries", hook_entries.asked(command.request, request.id, result))
        failure = result.failure
        if host is not None and (failure is None or failure.cause is not HookCause.LOCAL):
            down = failure is not None and means_down(failure)
            (self._breaker.failed if down else self._breaker.answered)(host, self._clock())
        if failure is None:
            return Answer(body=result.body, url=result.final_url)
        return Answer(
            body=None, url=command.url, detail=failure.sentence, why=failure.cause.value, status=failure.status
        )

    def _tell_changes(self, note: NoteOf) -> None:
        while (changed := self._breaker.poll_event()) is not None:
            host, state = str(changed.host.receiver), changed.state.value
            log.warning("hook.host", account=changed.host.account, host=host, state=state, pause_s=changed.pause_s)
            note("hook.host", {"host": host, "state": state, "pause_s": changed.pause_s})

    def owe(self, call: CallId, account: str, dialect: str, command: Owed) -> None:
        """A request that must arrive: repeated by its policy until it has."""
        method = command.method if isinstance(command, OweStatus | OweNotice) else "POST"
        kind, what = _told(command)
        request = WebhookRequest(
            id=owed_id(call, what),
            purpose=Purpose.OWED,
            call=call,
            account=account,
            url=command.url,
            method=Method(method),
            params=command.params,
        )
        self._outbox.owe(request, self._delivery(account, dialect), kind=kind)

    def call_over(self, call: CallId) -> None:
        """Nothing more will be owed to it."""
        self._outbox.call_over(call)


def _host_of(account: str, url: str) -> HostKey | None:
    try:
        return HostKey(account, receiver(url))
    except WrongHookUrl:
        return None


def asked_id(call: CallId, command: FetchDocument) -> str:
    """The id of a control webhook: made from what it asks, so that a server that has to ask again after a crash gives
    it the same. One that comes to ask something else under the same number, since it did not know of an event that was
    lost, gives it another."""
    asked = repr((command.method, command.url, command.params)).encode()
    return f"msg_{call}_asked_{command.request}_{hashlib.sha256(asked).hexdigest()[:12]}"


def owed_id(call: CallId, what: str) -> str:
    """The id of a post that is owed: made from what it tells, so that a server that has to tell it again after a crash
    gives it the same."""
    return f"msg_{call}_{what}"


def _told(command: Owed) -> tuple[str, str]:
    """What a post tells of: the kind, and which one of the call's."""
    match command:
        case OweHangup():
            return "hangup", "hangup"
        case OweRecording():
            return "recording", f"recording_{command.recording.index}"
        case OweStatus():
            return "leg", f"leg_{command.leg}_{command.stage.value}"
        case OweNotice():
            return "notice", f"notice_{command.request}"
        case _:
            assert_never(command)
