"""Legs on real SIP over loopback: what the far end says becomes call control, in every order it may come in."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from tests.support.engine_line import Line
from tests.support.raw_sip import raw
from tests.support.sip_party import DEADLINE_S, Party, description, party

from offhook.call.commands import LegId, PlaybackId
from offhook.call.events import (
    DigitPressed,
    Event,
    LegAnswered,
    LegEnded,
    LegHeld,
    LegPlaced,
    LegProgress,
    Tariff,
)
from offhook.flow.view import Cause
from offhook.media import commands as engine
from offhook.media import events as said
from offhook.runtime import sip_legs
from offhook.runtime.media_legs import MediaLegs
from offhook.runtime.sip_driver import now
from offhook.runtime.sip_legs import LegState, SipLeg, SipLegs, _info_digit
from offhook.sip import events as sip
from offhook.sip.commands import Body, InviteOrder
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.uri import Uri

A = LegId(0)
MEDIA_TIMEOUT_MS = 60_000
E = TypeVar("E", bound=Event)


class Owner:
    """Whose leg it is: keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.notes: list[tuple[str, Mapping[str, Any]]] = []
        self._more = asyncio.Event()

    def post(self, event: Event) -> None:
        self.events.append(event)
        self.stir()

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        self.notes.append((kind, data))
        self.stir()

    def stir(self) -> None:
        self._more.set()

    async def stirred(self) -> None:
        """Something happened, whatever it was."""
        self._more.clear()
        await self._more.wait()

    async def wait(self, kind: type[E]) -> E:
        """The next event of a kind, taken out."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        self.events.remove(event)
                        return event
                await self.stirred()

    async def noted(self, what: str) -> Mapping[str, Any]:
        """A milestone of the leg's signalling, waited for."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for _, data in self.notes:
                    if data.get("what") == what:
                        return data
                await self.stirred()

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.events]


class Rig:
    """Legs between a real endpoint and an engine that says what a test says."""

    def __init__(self, us: Party) -> None:
        self.us = us
        self.line = Line(later=asyncio.get_running_loop().call_soon)
        self.media = MediaLegs(self.line, "127.0.0.1")
        self.line.tell = self.media.handle
        self.legs = SipLegs(
            driver=us.driver, media=self.media, media_host="127.0.0.1", media_timeout_ms=MEDIA_TIMEOUT_MS
        )
        self.owner = Owner()
        us.driver.on_event = self.handle

    def handle(self, event: sip.Event) -> None:
        if isinstance(event, sip.IncomingInvite):
            self.us.hear(event)
        elif isinstance(event, sip.SessionEvent):
            self.legs.handle(event)
        else:
            self.us.hear(event)
        self.owner.stir()

    def place(self, to: tuple[str, int]) -> SipLeg:
        target = Uri.sip("bob", to[0], to[1])
        order = InviteOrder(target=target, from_=NameAddr.parse("<sip:us@x>"), to=NameAddr(uri=target), offer=None)
        return self.legs.place(self.owner, A, order, Tariff(set_up=1, per_minute=2))

    async def called(self) -> SipLeg:
        return self.legs.incoming(self.owner, A, await self.us.wait(sip.IncomingInvite))

    @property
    def remote(self) -> engine.SetRemote:
        return self.line.last(engine.SetRemote)

    async def over(self) -> None:
        """Every session of SIP and of sound is gone."""
        async with asyncio.timeout(DEADLINE_S):
            while self.legs.live or self.media.open_sessions:
                await self.owner.stirred()


@asynccontextmanager
async def rig() -> AsyncIterator[tuple[Rig, Party]]:
    async with party() as us, party() as bob:
        yield Rig(us), bob


async def answered(rig: Rig, bob: Party) -> tuple[SipLeg, sip.IncomingInvite]:
    """A leg we placed and bob answered."""
    leg = rig.place(bob.address)
    invite = await bob.wait(sip.IncomingInvite)
    bob.endpoint.answer(invite.session, description(), now())
    bob.say()
    await rig.owner.wait(LegAnswered)
    return leg, invite


# ── we call ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_invite_leaves_when_the_ports_are_there_and_names_them() -> None:
    async with rig() as (r, bob):
        r.line.opens = False
        leg = r.place(bob.address)
        assert (leg.state, leg.session) == (LegState.OPENING, None)
        assert r.owner.events == []
        r.line.opened(leg.media.session)
        assert await r.owner.wait(LegPlaced) == LegPlaced(leg=A, tariff=Tariff(set_up=1, per_minute=2))
        invite = await bob.wait(sip.IncomingInvite)
        assert invite.offer is not None
        assert b"m=audio 20000 RTP/AVP 8 0 101" in invite.offer.content


async def test_ringing_answer_and_the_end_by_us() -> None:
    async with rig() as (r, bob):
        leg = r.place(bob.address)
        invite = await bob.wait(sip.IncomingInvite)
        bob.endpoint.ring(invite.session, now())
        bob.say()
        assert await r.owner.wait(LegProgress) == LegProgress(leg=A, early_media=False)
        bob.endpoint.answer(invite.session, description(30_000), now())
        bob.say()
        await r.owner.wait(LegAnswered)
        assert (r.remote.remote, r.remote.send_events) == (("127.0.0.1", 30_000), 101)
        assert r.remote.media_timeout_ms == MEDIA_TIMEOUT_MS
        r.legs.hang_up(leg, Cause.TIME_LIMIT)
        r.legs.hang_up(leg, Cause.NORMAL)
        assert await r.owner.wait(LegEnded) == LegEnded(leg=A, cause=Cause.TIME_LIMIT)
        await bob.wait(sip.RemoteHungUp)
        await r.over()
        assert r.owner.kinds().count("LegEnded") == 0
        assert await r.owner.noted("BYE")


@pytest.mark.parametrize(
    ("status", "cause"), [(486, Cause.BUSY), (404, Cause.NOT_FOUND), (603, Cause.REJECTED), (503, Cause.CONGESTION)]
)
async def test_a_refusal_has_its_cause(status: int, cause: Cause) -> None:
    async with rig() as (r, bob):
        r.place(bob.address)
        bob.endpoint.reject((await bob.wait(sip.IncomingInvite)).session, status, now())
        bob.say()
        ended = await r.owner.wait(LegEnded)
        assert ended.cause is cause
        assert ended.detail.startswith(f"{status} ")
        await r.over()


async def test_a_leg_hung_up_before_its_ports_came_never_calls() -> None:
    async with rig() as (r, bob):
        r.line.opens = False
        leg = r.place(bob.address)
        r.legs.hang_up(leg, Cause.CANCELLED)
        assert await r.owner.wait(LegEnded) == LegEnded(leg=A, cause=Cause.CANCELLED)
        r.line.opened(leg.media.session)
        r.line.closed(leg.media.session)
        assert leg.session is None
        assert r.media.open_sessions == 0
        assert bob.events == []
        assert r.owner.events == []


async def test_a_ringing_leg_hung_up_is_cancelled() -> None:
    async with rig() as (r, bob):
        leg = r.place(bob.address)
        invite = await bob.wait(sip.IncomingInvite)
        bob.endpoint.ring(invite.session, now())
        bob.say()
        await r.owner.wait(LegProgress)
        r.legs.hang_up(leg, Cause.NO_ANSWER)
        assert (await bob.wait(sip.RemoteHungUp)).how is sip.HangUpKind.CANCEL
        assert (await r.owner.wait(LegEnded)).cause is Cause.NO_ANSWER
        await r.over()


async def test_early_media_is_heard_and_not_held_against_who_says_nothing_yet() -> None:
    async with rig() as (r, bob):
        r.place(bob.address)
        invite = await bob.wait(sip.IncomingInvite)
        bob.endpoint.ring(invite.session, now(), status=183, body=description(30_000))
        bob.say()
        assert (await r.owner.wait(LegProgress)).early_media
        assert (r.remote.remote[1], r.remote.media_timeout_ms) == (30_000, 0)
        bob.endpoint.answer(invite.session, description(30_000), now())
        bob.say()
        await r.owner.wait(LegAnswered)
        assert (r.remote.remote[1], r.remote.media_timeout_ms) == (30_000, MEDIA_TIMEOUT_MS)


async def test_the_final_description_counts_where_it_differs_from_the_early_one() -> None:
    async with rig() as (r, bob):
        r.place(bob.address)
        invite = await bob.wait(sip.IncomingInvite)
        bob.endpoint.ring(invite.session, now(), status=183, body=description(30_000, codecs="8"))
        bob.say()
        await r.owner.wait(LegProgress)
        bob.endpoint.answer(invite.session, description(30_008, codecs="0 101", version=2), now())
        bob.say()
        await r.owner.wait(LegAnswered)
        assert r.remote.remote[1] == 30_008
        assert (r.remote.send_codec, r.remote.send_events) == (engine.Codec.PCMU, 101)


async def test_an_early_description_that_cannot_be_read_spoils_nothing() -> None:
    async with rig() as (r, bob):
        r.place(bob.address)
        invite = await bob.wait(sip.IncomingInvite)
        bob.endpoint.ring(invite.session, now(), status=183, body=Body(b"rubbish"))
        bob.say()
        assert not (await r.owner.wait(LegProgress)).early_media
        bob.endpoint.answer(invite.session, description(), now())
        bob.say()
        await r.owner.wait(LegAnswered)


@pytest.mark.parametrize("body", [Body(b"rubbish"), description(codecs="96"), description(0), Body(b"")])
async def test_an_answer_we_cannot_speak_ends_the_call(body: Body) -> None:
    async with rig() as (r, bob):
        r.place(bob.address)
        bob.endpoint.answer((await bob.wait(sip.IncomingInvite)).session, body, now())
        bob.say()
        ended = await r.owner.wait(LegEnded)
        assert ended.cause is Cause.INCOMPATIBLE_MEDIA
        assert ended.detail
        assert (await bob.wait(sip.RemoteHungUp)).reason is not None
        assert "LegAnswered" not in r.owner.kinds()
        await r.over()


async def test_a_fork_describes_itself_and_another_branch_wins() -> None:
    """RFC 3261 section 13.2.2.4: every branch answers the one offer, and the first 2xx counts."""
    async with party() as us, raw() as far:
        r = Rig(us)
        r.place(far.address)
        invite = await far.request("INVITE")
        far.answer(invite, 183, "one", description(30_000, codecs="8"))
        assert (await r.owner.wait(LegProgress)).early_media
        far.answer(invite, 183, "two", description(30_010, codecs="0"))
        assert (await r.owner.wait(LegProgress)).early_media
        far.answer(invite, 200, "three", description(30_020, codecs="8 101"))
        await r.owner.wait(LegAnswered)
        assert (r.remote.remote[1], r.remote.send_codec) == (30_020, engine.Codec.PCMA)
        assert (await far.request("ACK")).to.tag == "three"


async def test_a_branch_that_described_itself_early_may_answer_without() -> None:
    async with party() as us, raw() as far:
        r = Rig(us)
        r.place(far.address)
        invite = await far.request("INVITE")
        for tag, port in (("one", 30_000), ("two", 30_010)):
            far.answer(invite, 183, tag, description(port))
            await r.owner.wait(LegProgress)
        far.answer(invite, 200, "one")
        await r.owner.wait(LegAnswered)
        assert r.remote.remote[1] == 30_000


async def test_an_answer_that_crosses_our_hanging_up_is_ended() -> None:
    async with party() as us, raw() as far:
        r = Rig(us)
        leg = r.place(far.address)
        invite = await far.request("INVITE")
        far.answer(invite, 180, "one")
        await r.owner.wait(LegProgress)
        r.legs.hang_up(leg, Cause.CANCELLED)
        await far.request("CANCEL")
        far.answer(invite, 200, "one", description())
        bye = await far.request("BYE")
        far.answer(bye, 200, "one")
        assert r.owner.kinds() == ["LegPlaced", "LegEnded"]
        await r.over()


# ── they call ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_caller_hears_ringing_and_our_answer() -> None:
    async with rig() as (r, bob):
        bob.call(r.us.address, offer=description(30_000, codecs="0 8 101"))
        leg = await r.called()
        r.legs.ring(leg)
        assert (await bob.wait(sip.Progress)).status == 180
        r.legs.answer(leg)
        found = await bob.wait(sip.Answered)
        assert found.body is not None
        assert b"m=audio 20000 RTP/AVP 8 101" in found.body.content, "our order decides: two legs on one codec"
        assert await r.owner.wait(LegAnswered) == LegAnswered(leg=A)
        assert (r.remote.remote[1], r.remote.media_timeout_ms) == (30_000, MEDIA_TIMEOUT_MS)
        assert r.legs.live == 1


@pytest.mark.parametrize(("most_s", "begun"), [(60.0, 1), (-1.0, 2)])
@pytest.mark.parametrize("early", [False, True])
async def test_a_sound_that_went_out_long_before_the_answer_is_begun_anew(
    most_s: float, begun: int, early: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer waits for facts; the sound does not, since they take no time, unless the disk stands still."""
    monkeypatch.setattr(sip_legs, "UNHEARD_MOST_S", most_s)
    async with rig() as (r, bob):
        bob.call(r.us.address, offer=description())
        leg = await r.called()
        held: list[Callable[[], None]] = []
        r.us.driver.hold = lambda say, **_: held.append(say)
        if early:
            r.legs.early_media(leg)
        else:
            r.legs.answer(leg)
        while not held:
            await r.owner.stirred()
        r.media.play(leg.media, PlaybackId(1), ["/hello"], 1)
        for say in held:
            say()
        assert [each.files for each in r.line.all(engine.Play)] == [("/hello",)] * begun


async def test_an_answer_waits_for_the_ports() -> None:
    async with rig() as (r, bob):
        r.line.opens = False
        bob.call(r.us.address, offer=description())
        leg = await r.called()
        r.legs.answer(leg)
        assert r.owner.events == []
        r.line.opened(leg.media.session)
        await r.owner.wait(LegAnswered)
        await bob.wait(sip.Answered)


async def test_early_media_waits_for_the_ports_and_says_what_the_answer_says() -> None:
    async with rig() as (r, bob):
        r.line.opens = False
        bob.call(r.us.address, offer=description())
        leg = await r.called()
        r.legs.early_media(leg)
        r.line.opened(leg.media.session)
        progress = await bob.wait(sip.Progress)
        assert progress.status == 183
        assert r.remote.media_timeout_ms == 0
        r.legs.early_media(leg)
        r.legs.answer(leg)
        assert (await bob.wait(sip.Answered)).body == progress.body
        assert r.remote.media_timeout_ms == MEDIA_TIMEOUT_MS
        assert bob.of(sip.Progress) == []


@pytest.mark.parametrize("early", [False, True])
async def test_a_caller_who_gives_up_ends_the_leg_whatever_was_wanted(early: bool) -> None:
    async with rig() as (r, bob):
        r.line.opens = False
        session = bob.call(r.us.address, offer=description())
        leg = await r.called()
        if early:
            r.legs.answer(leg)
        bob.endpoint.hang_up(session, now())
        bob.say()
        assert (await r.owner.wait(LegEnded)).cause is Cause.CANCELLED
        r.line.opened(leg.media.session)
        r.line.closed(leg.media.session)
        r.legs.answer(leg)
        r.legs.ring(leg)
        r.legs.early_media(leg)
        await r.over()
        assert r.owner.events == []


@pytest.mark.parametrize(("cause", "status"), [(Cause.BUSY, 486), (Cause.NOT_FOUND, 404), (Cause.REJECTED, 603)])
async def test_a_caller_is_refused_with_what_the_cause_says(cause: Cause, status: int) -> None:
    async with rig() as (r, bob):
        bob.call(r.us.address, offer=description())
        r.legs.hang_up(await r.called(), cause)
        assert (await bob.wait(sip.Refused)).status == status
        assert (await r.owner.wait(LegEnded)).cause is cause
        await r.over()


@pytest.mark.parametrize("offer", [description(codecs="18"), Body(b"v=0")])
async def test_an_offer_we_cannot_speak_is_not_acceptable_here(offer: Body) -> None:
    async with rig() as (r, bob):
        bob.call(r.us.address, offer=offer)
        r.legs.answer(await r.called())
        assert (await bob.wait(sip.Refused)).status == 488
        assert (await r.owner.wait(LegEnded)).cause is Cause.INCOMPATIBLE_MEDIA
        assert "LegAnswered" not in r.owner.kinds()
        await r.over()


async def test_a_caller_without_an_offer_gets_ours_and_answers_it_in_the_ack() -> None:
    async with rig() as (r, bob):
        session = bob.call(r.us.address, offer=None)
        r.legs.answer(await r.called())
        found = await bob.wait(sip.Answered)
        assert found.ack_needed
        bob.endpoint.acknowledge(session, description(30_004), now())
        bob.say()
        await r.owner.noted("ACK")
        assert (r.remote.remote[1], r.remote.media_timeout_ms) == (30_004, MEDIA_TIMEOUT_MS)


@pytest.mark.parametrize("body", [None, Body(b"rubbish")])
async def test_a_caller_who_never_answers_our_offer_is_not_kept_in_silence(body: Body | None) -> None:
    """RFC 3261 section 13.2.1: the answer must be in the ACK. Nothing watches a leg that has no far end for sound."""
    async with party() as us, raw() as far:
        r = Rig(us)
        far.ask(us.address, "INVITE")
        r.legs.answer(await r.called())
        await far.response(200)
        far.ask(us.address, "ACK", body, seq=1)
        assert (await r.owner.wait(LegEnded)).cause is Cause.INCOMPATIBLE_MEDIA
        far.answer(await far.request("BYE"), 200, "raw")
        await r.over()


# ── within the call ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_hold_and_resume() -> None:
    async with rig() as (r, bob):
        _, invite = await answered(r, bob)
        for direction, held, ours in (
            ("sendonly", True, engine.Direction.RECV_ONLY),
            ("inactive", None, engine.Direction.INACTIVE),
            ("sendrecv", False, engine.Direction.SEND_RECV),
        ):
            bob.endpoint.reoffer(invite.session, description(30_002, direction=direction, version=3), now())
            bob.say()
            agreed = await bob.wait(sip.OfferAnswered)
            assert agreed.body is not None
            if held is not None:
                assert await r.owner.wait(LegHeld) == LegHeld(leg=A, held=held)
            assert (r.remote.direction, r.remote.remote[1]) == (ours, 30_002)
        assert r.owner.kinds() == ["LegPlaced"]


async def test_who_answers_on_hold_is_held_after_it_is_there() -> None:
    """A call drops a hold of a leg that is not answered."""
    async with rig() as (r, bob):
        r.place(bob.address)
        invite = await bob.wait(sip.IncomingInvite)
        bob.endpoint.ring(invite.session, now(), status=183, body=description(direction="sendonly"))
        bob.endpoint.answer(invite.session, description(direction="sendonly"), now())
        bob.say()
        await r.owner.wait(LegHeld)
        assert r.owner.kinds() == ["LegPlaced", "LegProgress", "LegAnswered"]


@pytest.mark.parametrize("offer", [description(codecs="18"), Body(b"rubbish")])
async def test_a_change_we_cannot_follow_leaves_the_call_as_it_was(offer: Body) -> None:
    async with rig() as (r, bob):
        leg, invite = await answered(r, bob)
        before = r.remote
        bob.endpoint.reoffer(invite.session, offer, now())
        bob.say()
        assert (await bob.wait(sip.OfferRefused)).status == 488
        assert r.remote == before
        assert leg.state is LegState.ANSWERED
        assert any(kind == "leg.offer_refused" for kind, _ in r.owner.notes)
        bob.endpoint.reoffer(invite.session, description(30_006, version=9), now())
        bob.say()
        await bob.wait(sip.OfferAnswered)
        assert r.remote.remote[1] == 30_006


@pytest.mark.parametrize("body", [None, description(30_014)])
async def test_a_change_without_an_offer_gets_ours(body: Body | None) -> None:
    """RFC 3261 section 14.2. Without an answer what was agreed stands, and the next change is possible."""
    async with party() as us, raw() as far:
        r = Rig(us)
        far.ask(us.address, "INVITE", description(30_000))
        r.legs.answer(await r.called())
        await far.response(200)
        far.ask(us.address, "ACK", seq=1)
        far.ask(us.address, "INVITE")
        assert b"m=audio 20000" in (await far.response(200)).body
        far.ask(us.address, "ACK", body, seq=2)
        far.ask(us.address, "INVITE", description(30_016, version=5))
        found = await far.response(200)
        assert (found.status, found.cseq.number) == (200, 3)
        assert r.remote.remote[1] == 30_016
        assert [each.remote[1] for each in r.line.all(engine.SetRemote)].count(30_014) == (body is not None)
        assert "LegEnded" not in r.owner.kinds()


async def test_keys_by_info_count_where_no_telephone_events_were_agreed() -> None:
    async with party() as us, raw() as far:
        r = Rig(us)
        far.ask(us.address, "INVITE", description(codecs="8"))
        r.legs.answer(await r.called())
        await far.response(200)
        far.ask(us.address, "ACK", seq=1)
        far.ask(us.address, "INFO", Body(b"Signal=5\r\nDuration=160\r\n", "application/dtmf-relay"))
        assert (await far.response(200)).status == 200
        assert await r.owner.wait(DigitPressed) == DigitPressed(leg=A, digit="5")


async def test_keys_by_info_do_not_count_twice() -> None:
    async with party() as us, raw() as far:
        r = Rig(us)
        far.ask(us.address, "INVITE", description(codecs="8 101"))
        r.legs.answer(await r.called())
        await far.response(200)
        far.ask(us.address, "ACK", seq=1)
        far.ask(us.address, "INFO", Body(b"5", "application/dtmf"))
        assert (await far.response(200)).status == 200
        assert "DigitPressed" not in r.owner.kinds()


@pytest.mark.parametrize(
    ("kind", "content", "digit"),
    [
        ("application/dtmf-relay", b"Signal= 5\r\nDuration=160", "5"),
        ("application/dtmf-relay; charset=x", b"Duration=1\r\nsignal=*", "*"),
        ("Application/DTMF", b"#\r\n", "#"),
        ("application/dtmf", b"10", "*"),
        ("application/dtmf", b"11", "#"),
        ("application/dtmf", b"a", "A"),
        ("application/dtmf", b"12", None),
        ("application/dtmf", b"", None),
        ("application/dtmf", b"\xff", None),
        ("application/dtmf-relay", b"Duration=160", None),
        ("text/plain", b"5", None),
    ],
)
def test_what_an_info_means(kind: str, content: bytes, digit: str | None) -> None:
    assert _info_digit(Body(content, kind)) == digit


# ── the ends ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_they_hang_up_and_the_figures_follow() -> None:
    async with rig() as (r, bob):
        _, invite = await answered(r, bob)
        bob.endpoint.hang_up(invite.session, now())
        bob.say()
        assert (await r.owner.wait(LegEnded)).cause is Cause.NORMAL
        await r.over()
        (figures,) = [data for kind, data in r.owner.notes if kind == "leg.statistics"]
        assert (figures["packets_received"], figures["lost"], figures["quality"]) == (50, 1, "unknown")
        assert (figures["jitter_ms"], figures["round_trip_ms"], figures["codec"]) == (1.5, None, "PCMA")


async def _opening(r: Rig, bob: Party) -> SipLeg:
    r.line.opens = False
    return r.place(bob.address)


async def _calling(r: Rig, bob: Party) -> SipLeg:
    leg = r.place(bob.address)
    invite = await bob.wait(sip.IncomingInvite)
    bob.endpoint.ring(invite.session, now())
    bob.say()
    await r.owner.wait(LegProgress)
    return leg


async def _offered(r: Rig, bob: Party) -> SipLeg:
    bob.call(r.us.address, offer=description())
    leg = await r.called()
    await asyncio.sleep(0)  # the ports come in the next turn of the loop
    assert leg.media.address is not None
    return leg


async def _answered(r: Rig, bob: Party) -> SipLeg:
    return (await answered(r, bob))[0]


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        (_opening, Cause.CONGESTION),
        (_calling, Cause.MEDIA_LOST),
        (_offered, Cause.MEDIA_LOST),
        (_answered, Cause.MEDIA_LOST),
    ],
)
async def test_an_engine_that_dies_ends_the_leg_in_every_state(state: Any, cause: Cause) -> None:
    async with rig() as (r, bob):
        leg = await state(r, bob)
        r.media.lost((leg.media.session,))
        assert (await r.owner.wait(LegEnded)).cause is cause
        assert r.media.open_sessions == 0
        await r.over()
        assert [data["quality"] for kind, data in r.owner.notes if kind == "leg.statistics"] == ["unknown"]
        assert "LegEnded" not in r.owner.kinds()


async def test_no_ports_for_a_caller_sends_it_elsewhere() -> None:
    async with rig() as (r, bob):
        r.line.opens = False
        bob.call(r.us.address, offer=description())
        leg = await r.called()
        r.legs.answer(leg)
        r.line.failed(leg.media.session)
        assert (await bob.wait(sip.Refused)).status == 503
        assert (await r.owner.wait(LegEnded)).cause is Cause.CONGESTION
        await r.over()


async def test_a_leg_that_is_silent_for_too_long_is_gone() -> None:
    async with rig() as (r, bob):
        leg, _ = await answered(r, bob)
        r.media.handle(said.MediaLost(session=leg.media.session, silent_ms=MEDIA_TIMEOUT_MS))
        assert (await r.owner.wait(LegEnded)).cause is Cause.MEDIA_LOST
        assert 'text="media_lost"' in ((await bob.wait(sip.RemoteHungUp)).reason or "")
        await r.over()


async def test_events_of_sessions_that_are_no_legs_are_nobodys() -> None:
    async with rig() as (r, bob):
        bob.call(r.us.address, offer=description())
        invite = await r.us.wait(sip.IncomingInvite)
        r.us.endpoint.reject(invite.session, 403, now())
        r.us.say()
        assert (await bob.wait(sip.Refused)).status == 403
        assert (r.owner.events, r.owner.notes, r.legs.live) == ([], [], 0)
