"""Far ends that keep to RFC 3261 while the server is away: what they send is repeated until it is answered (section
17.1), what they answered is answered again when it is asked again (17.2), and each knows its dialog and how it ended.

One UDP socket for all of them. Written on the peer of `tests.support.sip_peer`; shares nothing with the product.
"""

import asyncio
import re
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from tests.support.sip_crowd import SipCrowd, gathered
from tests.support.sip_peer import Message, Talk, parse, sdp, token
from tests.support.sound_checks import ALAW

__all__ = ["Dialog", "Ended", "Phones", "phones"]

T1_S, T2_S = 0.5, 4.0
GIVE_UP_S = 64 * T1_S
"""Timers B, F and H (RFC 3261 table 4)."""
ANSWER_WITHIN_S = 60.0
"""A caller that was told to wait and then nothing gives up after this."""
BRANCH = re.compile(r"branch=([^;,\s]+)")


class Ended(Enum):
    """How a dialog, or the attempt to have one, ended."""

    THEIRS = "their BYE"
    OURS = "our BYE"
    UNKNOWN = "our BYE was answered 481"
    DEAF = "our BYE was not answered"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    HANGING = "no final answer"
    UNACKNOWLEDGED = "our answer was not acknowledged"


@dataclass(slots=True)
class Dialog:
    """One call as its far end sees it. Times are the loop's; 0: not yet."""

    phones: "Phones"
    talk: Talk
    offer: str
    """Our description."""
    answer: str = ""
    """Theirs."""
    status: int = 0
    """The final status of the INVITE."""
    begun_at: float = 0.0
    answered_at: float = 0.0
    """Our first 200 left, where we are called."""
    up_at: float = 0.0
    """Its 200 was acknowledged: by us where we call, by them where we are called."""
    over_at: float = 0.0
    bye_at: float = 0.0
    """We said BYE; what is heard from then on is nobody's."""
    ended: Ended | None = None
    repeats: int = 0
    """Messages of ours that had to be sent again."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _waiting: dict[str, asyncio.Future[Message]] = field(default_factory=dict)
    """By branch: our requests that have no final answer."""
    _heard: set[str] = field(default_factory=set)
    """Branches of ours that something answered."""
    _said: dict[str, str] = field(default_factory=dict)
    """By branch of theirs: our last answer."""

    @property
    def over(self) -> bool:
        return self.ended is not None

    async def until(self, done: Callable[[], bool], within_s: float) -> bool:
        """Wait for something of this dialog. False: it did not come in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while not done():
            self.changed.clear()
            left = until - loop.time()
            if left <= 0:
                return False
            try:
                await asyncio.wait_for(self.changed.wait(), left)
            except TimeoutError:
                return done()
        return True

    async def until_over(self, within_s: float) -> bool:
        return await self.until(lambda: self.over, within_s)

    def describe(self, sound: tuple[str, int]) -> None:
        """Where we hear; of somebody who is called."""
        self.offer = sdp(*sound, ALAW)

    # ── we speak ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def place(self, headers: str = "") -> int:
        """Send the INVITE and wait for its end; the final status, 0 if there was none."""
        loop = asyncio.get_running_loop()
        self.begun_at = loop.time()
        final = await self._ask("INVITE", self.offer, headers, give_up_s=ANSWER_WITHIN_S)
        if final is None:
            self._end(Ended.HANGING)
            return 0
        self.status = final.status
        if final.status >= 300:
            self.talk.refuse_ack(final)
            self._end(Ended.REFUSED)
        else:
            self.talk.confirm(final)
            self.answer = final.body
            self.talk.request("ACK", cseq=final.cseq[0])
            self.up_at = loop.time()
            self.changed.set()
        return final.status

    async def pick_up(self) -> bool:
        """Answer with 200 until it is acknowledged (section 13.3.1.4). False: it never was, or the call is over."""
        assert self.talk.first is not None
        self.status = 200
        self.answered_at = asyncio.get_running_loop().time()
        pause, waited = T1_S, 0.0
        self._answer(self.talk.first, 200, self.offer)
        while not await self.until(lambda: bool(self.up_at) or self.over, pause):
            waited += pause
            if waited >= GIVE_UP_S:
                self._end(Ended.UNACKNOWLEDGED)
                return False
            pause = min(2 * pause, T2_S)
            self.repeats += 1
            self._answer(self.talk.first, 200, self.offer)
        return not self.over

    def ring(self) -> None:
        assert self.talk.first is not None
        self._answer(self.talk.first, 180)

    def refuse(self, status: int) -> None:
        """Refuse the call that came; said again whenever it is asked again."""
        assert self.talk.first is not None
        self.status = status
        self._answer(self.talk.first, status)
        self._end(Ended.REFUSED)

    async def hang_up(self) -> None:
        """BYE, until it is answered or their own has come."""
        if self.over:
            return
        self.bye_at = asyncio.get_running_loop().time()
        final = await self._ask("BYE", None, "", give_up_s=GIVE_UP_S)
        # Where theirs crossed ours, theirs stays.
        if final is None:
            self._end(Ended.DEAF)
        else:
            self._end(Ended.UNKNOWN if final.status == 481 else Ended.OURS)

    async def _ask(self, method: str, body: str | None, headers: str, *, give_up_s: float) -> Message | None:
        """A client transaction: repeated until something (an INVITE) or the final answer (others) comes."""
        loop = asyncio.get_running_loop()
        text = self.talk.request(method, body, headers)
        branch = _branch(text)
        future: asyncio.Future[Message] = loop.create_future()
        self._waiting[branch] = future
        began, pause = loop.time(), T1_S
        try:
            while loop.time() - began < give_up_s:
                quiet = method == "INVITE" and branch in self._heard
                if not quiet and loop.time() - began >= GIVE_UP_S:
                    return None
                done, _ = await asyncio.wait({future}, timeout=1.0 if quiet else pause)
                if done:
                    return future.result()
                if self.over and method == "BYE":
                    return None
                if method == "INVITE" and branch in self._heard:
                    continue
                pause = 2 * pause if method == "INVITE" else min(2 * pause, T2_S)
                self.repeats += 1
                self.talk.again(method)
            return None
        finally:
            del self._waiting[branch]

    # ── they speak ───────────────────────────────────────────────────────────────────────────────────────────────

    def take(self, message: Message) -> None:
        """A message of this dialog."""
        if message.status:
            self._answered(message)
            return
        branch = _branch(message["Via"])
        if branch in self._said and message.method != "ACK":
            self.phones.send(self._said[branch], message.source)
            return
        match message.method:
            case "ACK":
                # Whoever has given up is not connected by an ACK that comes after all.
                waits = self.status == 200 and self.ended is not Ended.UNACKNOWLEDGED
                if self.talk.first is not None and waits and not self.up_at:
                    self.up_at = asyncio.get_running_loop().time()
            case "BYE":
                self._answer(message, 200)
                self._end(Ended.THEIRS)
            case "CANCEL":
                self._answer(message, 200)
                if self.talk.first is not None and self.status < 200:
                    self.status = 487
                    self._answer(self.talk.first, 487)
                    self._end(Ended.CANCELLED)
            case "INVITE" | "UPDATE":
                # A description once more; nothing about it changes.
                self._answer(message, 200, self.offer if message.body or message.method == "INVITE" else None)
            case _:
                self._answer(message, 200)
        self.changed.set()

    def _answered(self, message: Message) -> None:
        branch = _branch(message["Via"])
        self._heard.add(branch)
        waiting = self._waiting.get(branch)
        if message.status < 200:
            self.changed.set()
        elif waiting is not None and not waiting.done():
            waiting.set_result(message)
        elif message.is_("200 INVITE") and "ACK" in self.talk.sent:
            # Our ACK was lost, or waits where nobody reads (section 13.2.2.4).
            self.repeats += 1
            self.talk.again("ACK")

    def _answer(self, request: Message, status: int, body: str | None = None) -> None:
        self._said[_branch(request["Via"])] = self.talk.respond(request, status, body)

    def _end(self, how: Ended) -> None:
        if self.ended is None:
            self.ended = how
            self.over_at = asyncio.get_running_loop().time()
            self.changed.set()


def _branch(text: str) -> str:
    found = BRANCH.search(text)
    return found[1] if found else ""


Answering = Callable[[Dialog], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Phones(SipCrowd):
    """All far ends. `answering` is what somebody who is called does."""

    answering: Answering | None = None
    dialogs: dict[str, Dialog] = field(default_factory=dict)
    """By Call-ID; kept when they are over, so that a repetition is answered as the first was."""
    strays: list[str] = field(default_factory=list)
    """Requests in dialogs that nobody here has."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        # The port behind one of sound's is where its reports go (RFC 3550 section 11); it may be ours.
        if data[:1].isalpha():
            message = parse(data, addr)
            dialog = self.dialogs.get(message.call_id)
            if dialog is not None:
                dialog.take(message)
            elif message.method == "INVITE" and not message.to_tag:
                self._called(message)
            elif message.method not in ("", "ACK", "OPTIONS"):
                self.strays.append(message.start)
                self._talk(message).respond(message, 481)
            elif message.method == "OPTIONS":
                self._talk(message).respond(message, 200)

    def calling(self, number: str, from_: str, sound: tuple[str, int]) -> Dialog:
        """A caller, who has not called yet (`Dialog.place`)."""
        talk = Talk(
            peer=self,
            call_id=token() + "@chaos",
            local=f"<sip:{from_}@{self.host}:{self.port}>;tag={token()}",
            remote=f"<sip:{number}@{self.server[0]}:{self.server[1]}>",
            target=f"sip:{number}@{self.server[0]}:{self.server[1]}",
        )
        dialog = Dialog(self, talk, sdp(*sound, ALAW))
        self.dialogs[talk.call_id] = dialog
        return dialog

    @property
    def open(self) -> list[Dialog]:
        """Dialogs that have not ended."""
        return [dialog for dialog in self.dialogs.values() if not dialog.over]

    def _talk(self, request: Message) -> Talk:
        return Talk(
            peer=self,
            call_id=request.call_id,
            local=f"{request['To']};tag={token()}",
            remote=request["From"],
            target=request.contact if request.all("Contact") else request.uri,
            first=request,
        )

    def _called(self, invite: Message) -> None:
        dialog = Dialog(self, self._talk(invite), "", answer=invite.body)
        dialog.begun_at = asyncio.get_running_loop().time()
        self.dialogs[invite.call_id] = dialog
        dialog._answer(invite, 100)
        if self.answering is not None:
            self.spawn(self.answering(dialog))


def phones(
    server: tuple[str, int], host: str, answering: Answering | None = None
) -> AbstractAsyncContextManager[Phones]:
    """Far ends on a free port of `host`."""
    return gathered(lambda: Phones(server, answering=answering), host)
