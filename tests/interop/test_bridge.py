"""Two parties connected: sound both ways, other codecs, keys, recordings, who hangs up when, several called at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.exchange import CARRIER, Exchange
from tests.support.rtp_party import RtpPeer, pressed, rtp_peer, spoken
from tests.support.sip_peer import Talk, media_of, sdp, sip_peer
from tests.support.sipp import scenario_text, sipp
from tests.support.sipp_steps import (
    accept,
    ack,
    answer_bye,
    bye,
    called_bye,
    cancel,
    expect,
    expect_ack,
    expect_invite,
    invite,
    pause,
    reply,
    reply_to,
)  # fmt: skip
from tests.support.sipp_steps import sdp as sipp_sdp
from tests.support.sound_checks import ALAW, ULAW, Law, find, silence, voice

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

RINGING = reply(180, "Ringing")


@dataclass(slots=True)
class Pair:
    """A caller and a called party, connected."""

    caller: Talk
    called: Talk
    a: RtpPeer
    b: RtpPeer


@asynccontextmanager
async def bridged(
    ex: Exchange, options: dict[str, object], first: Law = ALAW, second: Law = ALAW
) -> AsyncIterator[Pair]:
    """A calls a number that connects it to B."""
    async with sip_peer(ex.udp, CARRIER) as one, sip_peer(ex.udp, CARRIER) as other:
        with rtp_peer(first, host=CARRIER) as a, rtp_peer(second, host=CARRIER) as b:
            number = await ex.number({"connect": await ex.trunk(other.port), **options})
            caller = one.invite(number, sdp(CARRIER, a.port, first))
            called = await other.called()
            assert called.first is not None
            called.respond(called.first, 180)
            await caller.answered(180, 183)
            b.remote = media_of(called.first.body)
            await called.answer(sdp(CARRIER, b.port, second))
            a.remote = media_of((await caller.accepted()).body)
            yield Pair(caller, called, a, b)


@pytest.mark.parametrize(("first", "second"), [(ALAW, ALAW), (ULAW, ULAW), (ALAW, ULAW), (ULAW, ALAW)], ids=str)
async def test_sound_both_ways(ex: Exchange, first: Law, second: Law) -> None:
    """The same codec passes; different ones are transcoded. Each hears the other and not itself."""
    a_says, b_says = voice(61), voice(62)
    async with bridged(ex, {}, first, second) as pair:
        pair.a.say(*spoken(silence(0.3)), *spoken(a_says, first))
        pair.b.say(*spoken(silence(0.3)), *spoken(b_says, second))
        await asyncio.gather(pair.a.said(), pair.b.said())
        await asyncio.gather(pair.a.hears(2.4), pair.b.hears(2.4))
        assert find(pair.a.heard(), b_says).likeness > 0.9
        assert find(pair.b.heard(), a_says).likeness > 0.9
        assert find(pair.a.heard(), a_says).likeness < 0.3
        assert {packet.payload_type for packet in pair.b.audio()} == {second.payload_type}
        await pair.caller.bye()
        await pair.called.ended()


async def test_keys_go_through(ex: Exchange) -> None:
    async with bridged(ex, {}, ALAW, ULAW) as pair:
        pair.a.say(*spoken(silence(0.2)), *pressed("1"), *pressed("#"), *pressed("9", marker=False, ends=1))
        assert await pair.b.hears_digits(3) == "1#9"
        pair.b.say(*pressed("0"))
        assert await pair.a.hears_digits(1) == "0"
        await pair.called.bye()
        await pair.caller.ended()


async def test_both_parties_are_in_the_recording(ex: Exchange) -> None:
    posted = ex.answers("posted", "")
    a_says, b_says = voice(63), voice(64)
    async with bridged(ex, {"recordcall": posted}) as pair:
        # One after another, so that each can be compared whole.
        pair.a.say(*spoken(silence(0.3)), *spoken(a_says))
        await pair.a.said()
        pair.b.say(*spoken(silence(0.3)), *spoken(b_says), *spoken(silence(0.4)))
        await pair.b.said()
        await pair.caller.bye()
        await pair.called.ended()
    recorded = await ex.recording(await ex.hook(posted))
    assert find(recorded, a_says).likeness > 0.9
    assert find(recorded, b_says).likeness > 0.9
    assert find(recorded, b_says).at_s > find(recorded, a_says).at_s


async def test_what_comes_after_the_called_party_hung_up(ex: Exchange) -> None:
    wanted, after = voice(65, 1.0), ex.path("after")
    end = ex.answers("end", "")
    url = ex.app.on(after, {"play": ex.sound(wanted)})
    async with bridged(ex, {"next": url, "whenhangup": end}) as pair:
        await pair.called.bye()
        await pair.caller.ended()
        assert find(pair.a.heard(), wanted).likeness > 0.9
    assert (await ex.hook(url))["result"] == "success"
    assert '"state": "success"' in (await ex.hook(end))["legs"]


async def test_timelimit_ends_the_connection(ex: Exchange) -> None:
    async with bridged(ex, {"timelimit": 1}) as pair:
        await pair.called.ended(within_s=5)
        await pair.caller.ended(within_s=5)


async def test_hold_of_one_party_leaves_the_other_connected(ex: Exchange) -> None:
    async with bridged(ex, {}) as pair:
        pair.called.request("INVITE", sdp(CARRIER, pair.b.port, ALAW, direction="sendonly", version=2))
        answer = await pair.called.answered("200 INVITE")
        assert "a=recvonly" in answer.body
        pair.called.request("ACK", cseq=answer.cseq[0])
        pair.called.request("INVITE", sdp(CARRIER, pair.b.port, ALAW, version=3))
        answer = await pair.called.answered("200 INVITE")
        pair.called.request("ACK", cseq=answer.cseq[0])
        wanted = voice(66, 1.0)
        pair.a.say(*spoken(silence(0.3)), *spoken(wanted))
        await pair.a.said()
        await pair.caller.bye()
        await pair.called.ended()
        assert find(pair.b.heard(), wanted).likeness > 0.9


# ── SIPp on both sides ──────────────────────────────────────────────────────────────────────────────────────────────

CONNECTED = (
    invite(), expect(100, optional=True), expect(180, optional=True), expect(183, optional=True),
    expect(200, log_rtp=True), ack(),
)  # fmt: skip


@pytest.mark.interop("sipp")
@pytest.mark.parametrize("who", ["caller", "called"])
async def test_sipp_to_sipp(ex: Exchange, tmp_path: Path, who: str) -> None:
    after = ex.answers("after", {})
    a_says, b_says = voice(67), voice(68)
    calls = scenario_text("a", *CONNECTED, *([pause(3200), bye()] if who == "caller" else [answer_bye()]))
    called_end = [answer_bye()] if who == "caller" else [pause(3200), called_bye()]
    is_called = scenario_text("b", expect_invite(), RINGING, accept(sipp_sdp("0 101")), *called_end)
    with rtp_peer(host=CARRIER) as a, rtp_peer(ULAW, host=CARRIER) as b:
        async with sipp(tmp_path, is_called, host=CARRIER, keys={"rtp_port": b.port}) as called:
            number = await ex.number({"connect": await ex.trunk(called.port), "next": after})
            keys = {"rtp_port": a.port, "caller": "+46700000001"}
            async with sipp(tmp_path, calls, remote=ex.udp, host=CARRIER, service=number, keys=keys) as caller:
                a.remote, b.remote = await asyncio.gather(caller.remote_rtp(), called.remote_rtp())
                a.say(*spoken(silence(0.4)), *spoken(a_says))
                b.say(*spoken(silence(0.4)), *spoken(b_says, ULAW))
                await asyncio.gather(caller.done(), called.done())
        assert find(a.heard(), b_says).likeness > 0.9
        assert find(b.heard(), a_says).likeness > 0.9
    if who == "called":
        assert (await ex.hook(after))["result"] == "success"
    else:
        assert ex.hooks(after) == []


@pytest.mark.interop("sipp")
async def test_the_caller_gives_up_while_it_rings(ex: Exchange, tmp_path: Path) -> None:
    after, end = ex.answers("after", {}), ex.answers("end", "")
    calls = scenario_text(
        "a", invite(), expect(100, optional=True), expect(183, optional=True), expect(180), pause(300), cancel(),
        '  <recv response="200"/>', expect(487), ack(refused=True),
    )  # fmt: skip
    is_called = scenario_text(
        "b", expect_invite(), RINGING, '  <recv request="CANCEL"/>', reply_to(),
        reply(487, "Request Terminated").replace("[last_CSeq:]", "CSeq: 1 INVITE"), expect_ack(),
    )  # fmt: skip
    async with sipp(tmp_path, is_called, host=CARRIER, keys={"rtp_port": 9}) as called:
        number = await ex.number({"connect": await ex.trunk(called.port), "next": after, "whenhangup": end})
        keys = {"rtp_port": 9, "caller": "+46700000001"}
        async with sipp(tmp_path, calls, remote=ex.udp, host=CARRIER, service=number, keys=keys) as caller:
            await asyncio.gather(caller.done(), called.done())
    assert "start" not in await ex.hook(end)
    assert ex.hooks(after) == []


@pytest.mark.interop("sipp")
@pytest.mark.parametrize(
    ("status", "branch", "result"), [(486, "busy", "busy"), (603, "failed", "failed"), (404, "next", "failed")]
)
async def test_branches(ex: Exchange, tmp_path: Path, status: int, branch: str, result: str) -> None:
    wanted = voice(69, 1.0)
    taken = ex.answers("taken", {"play": ex.sound(wanted)})
    is_called = scenario_text("b", expect_invite(), RINGING, reply(status, "No", retransmit=True), expect_ack())
    calls = scenario_text("a", *CONNECTED, answer_bye())
    with rtp_peer(host=CARRIER) as a:
        async with sipp(tmp_path, is_called, host=CARRIER, keys={"rtp_port": 9}) as called:
            number = await ex.number({"connect": await ex.trunk(called.port), branch: taken})
            keys = {"rtp_port": a.port, "caller": "+46700000001"}
            async with sipp(tmp_path, calls, remote=ex.udp, host=CARRIER, service=number, keys=keys) as caller:
                await asyncio.gather(caller.done(), called.done())
        assert find(a.heard(), wanted).likeness > 0.9
    assert (await ex.hook(taken))["result"] == result


@pytest.mark.interop("sipp")
async def test_three_ring_the_first_to_answer_wins(ex: Exchange, tmp_path: Path) -> None:
    lost = scenario_text(
        "loses", expect_invite(), RINGING, '  <recv request="CANCEL"/>', reply_to(),
        reply(487, "Request Terminated").replace("[last_CSeq:]", "CSeq: 1 INVITE"), expect_ack(),
    )  # fmt: skip
    busy = scenario_text("is busy", expect_invite(), reply(486, "Busy Here", retransmit=True), expect_ack())
    wins = scenario_text("wins", expect_invite(), RINGING, pause(400), accept(), pause(300), called_bye())
    calls = scenario_text("a", *CONNECTED, answer_bye())
    keys = {"rtp_port": 9, "caller": "+46700000001"}
    async with (
        sipp(tmp_path, lost, host=CARRIER, keys=keys) as first,
        sipp(tmp_path, busy, host=CARRIER, keys=keys) as second,
        sipp(tmp_path, wins, host=CARRIER, keys=keys) as third,
    ):
        after = ex.answers("after", {})
        numbers = [await ex.trunk(peer.port) for peer in (first, second, third)]
        number = await ex.number({"connect": ",".join(numbers), "next": after})
        async with sipp(tmp_path, calls, remote=ex.udp, host=CARRIER, service=number, keys=keys) as caller:
            messages, *_ = await asyncio.gather(first.done(), second.done(), third.done(), caller.done())
    assert "Call completed elsewhere" in messages, "RFC 3326: the phone shows no missed call"
    assert (await ex.hook(after))["result"] == "success"


async def test_early_media_of_the_called_party_is_ringing_to_the_caller(ex: Exchange) -> None:
    """The service lets a caller hear ringing and nothing else until the answer (voice-connect); then they talk."""
    async with sip_peer(ex.udp, CARRIER) as one, sip_peer(ex.udp, CARRIER) as other:
        with rtp_peer(host=CARRIER) as a, rtp_peer(host=CARRIER) as b:
            number = await ex.number({"connect": await ex.trunk(other.port)})
            caller = one.invite(number, sdp(CARRIER, a.port))
            called = await other.called()
            assert called.first is not None
            b.remote = media_of(called.first.body)
            called.respond(called.first, 183, sdp(CARRIER, b.port))
            assert (await caller.answered(180, 183)).status == 180
            await called.answer(sdp(CARRIER, b.port))
            await caller.accepted()
            wanted = voice(70, 1.0)
            b.say(*spoken(silence(0.3)), *spoken(wanted))
            await a.hears(1.6)
            assert find(a.heard(), wanted).likeness > 0.9
            await called.bye()
            await caller.ended()
