"""The harness itself: the peers against each other, before anything is said of the product."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from tests.support.baresip import baresip
from tests.support.ports import free_port
from tests.support.rtp_party import overlapping, pressed, rtp_peer, spoken
from tests.support.sip_peer import media_of, sdp, sip_peer
from tests.support.sipp import scenario_text, sipp
from tests.support.sipp_steps import (
    accept,
    ack,
    answer_bye,
    bye,
    cancel,
    expect,
    expect_ack,
    expect_invite,
    invite,
    pause,
    reply,
    reply_to,
)  # fmt: skip
from tests.support.sound_checks import ALAW, ULAW, find, silence, voice

CALLS = scenario_text("calls", invite(), expect(100, optional=True), expect(180, optional=True),
                      expect(200, log_rtp=True), ack(), pause(300), bye())  # fmt: skip
ANSWERS = scenario_text("answers", expect_invite(), reply(180, "Ringing"), accept(), answer_bye())


def test_a_sound_is_found_where_it_is_and_another_is_not() -> None:
    wanted, other = voice(1), voice(2)
    heard = np.concatenate((silence(0.7), wanted, silence(0.5)))
    assert find(heard, wanted).likeness > 0.999
    assert find(heard, wanted).at_s == pytest.approx(0.7, abs=0.001)
    assert find(heard, other).likeness < 0.3
    assert find(wanted[:100], wanted).likeness == 0.0


@pytest.mark.parametrize("law", [ALAW, ULAW], ids=lambda law: law.name)
def test_the_laws_come_back_as_they_were(law: object) -> None:
    assert law in (ALAW, ULAW)
    chosen = ALAW if law is ALAW else ULAW
    codes = bytes(range(256))
    assert np.array_equal(chosen.decode(chosen.encode(chosen.decode(codes))), chosen.decode(codes))
    assert find(chosen.decode(chosen.encode(voice(3))), voice(3)).likeness > 0.998


async def test_rtp_peers_hear_each_other_on_time() -> None:
    with rtp_peer() as one, rtp_peer(ULAW, lively=False) as other:
        sound = voice(4, 1.0)
        other.say(*spoken(sound, ULAW), *pressed("5"), *pressed("7", marker=False, ends=0), *overlapping("1", "2"))
        other.remote = (one.host, one.port)
        await other.said()
        assert find(await one.hears(1.0), sound).likeness > 0.99
        assert await one.hears_digits(4) == "5712"
        first, *_, last = one.audio()[:50]
        assert last.at - first.at > 0.9, "a second of sound takes a second, however busy the machine"


@pytest.mark.interop("sipp")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_sipp_calls_sipp(tmp_path: Path, transport: str) -> None:
    async with (
        sipp(tmp_path, ANSWERS, transport=transport, keys={"rtp_port": 19990}) as called,
        sipp(tmp_path, CALLS, remote=(called.host, called.port), transport=transport,
             keys={"rtp_port": 19992, "caller": "+46700000001"}) as caller,
    ):  # fmt: skip
        assert await caller.remote_rtp() == ("127.0.0.1", 19990)
        assert await called.remote_rtp() == ("127.0.0.1", 19992)
        assert "BYE sip:" in await caller.done()
        await called.done()


@pytest.mark.interop("sipp")
async def test_sipp_says_what_went_wrong(tmp_path: Path) -> None:
    refuses = scenario_text("refuses", expect_invite(), reply(486, "Busy Here"), expect_ack())
    async with (
        sipp(tmp_path, refuses, keys={"rtp_port": 19990}) as called,
        sipp(tmp_path, CALLS, remote=(called.host, called.port), keys={"rtp_port": 2, "caller": "x"}) as caller,
    ):
        with pytest.raises(AssertionError, match=r"(?s)ended with 1: a call did not go.*486 Busy Here"):
            await caller.done()


@pytest.mark.interop("sipp")
async def test_sipp_cancels(tmp_path: Path) -> None:
    gives_up = scenario_text("gives up", invite(), expect(180), cancel(), expect(200), expect(487), ack(refused=True))
    rings = scenario_text("rings", expect_invite(), reply(180, "Ringing"), '  <recv request="CANCEL"/>', reply_to(),
                          reply(487, "Request Terminated").replace("[last_CSeq:]", "CSeq: 1 INVITE"),
                          expect_ack())  # fmt: skip
    async with (
        sipp(tmp_path, rings, keys={"rtp_port": 19990}) as called,
        sipp(tmp_path, gives_up, remote=(called.host, called.port), keys={"rtp_port": 2, "caller": "x"}) as caller,
    ):
        await asyncio.gather(caller.done(), called.done())


@pytest.mark.interop("sipp")
async def test_sip_peer_calls_sipp(tmp_path: Path) -> None:
    async with (
        sipp(tmp_path, ANSWERS, keys={"rtp_port": 19990}) as called,
        sip_peer((called.host, called.port)) as peer,
    ):
        talk = peer.invite("service", sdp(peer.host, 19992))
        await talk.answered(180)
        response = await talk.accepted()
        assert media_of(response.body) == ("127.0.0.1", 19990)
        await talk.bye()
        await called.done()


@pytest.mark.interop("baresip")
async def test_baresip_talks_to_the_sip_peer_and_what_it_hears_is_kept(tmp_path: Path) -> None:
    mine, theirs = voice(5), voice(6)
    async with sip_peer(("127.0.0.1", free_port())) as peer:
        with rtp_peer() as sound:
            async with baresip(tmp_path, "anna", server=(peer.host, peer.port), says=theirs) as phone:
                await phone.dial(f"sip:bo@{peer.host}:{peer.port}")
                talk = await peer.called()
                assert talk.first is not None
                talk.respond(talk.first, 180)
                await phone.event("CALL_RINGING")
                sound.remote = media_of(talk.first.body)
                await talk.answer(sdp(peer.host, sound.port, ALAW))
                await phone.event("CALL_ESTABLISHED")
                sound.say(*spoken(mine))
                assert find(await sound.hears(3.0), theirs).likeness > 0.9
                await sound.said()
                await phone.press("42")
                assert await sound.hears_digits(2) == "42"
                await phone.hold()
                hold = await peer.receive("INVITE", call_id=talk.call_id)
                assert "a=sendonly" in hold.body or "a=inactive" in hold.body
                talk.respond(hold, 200, sdp(peer.host, sound.port, ALAW, direction="recvonly", version=2))
                await peer.receive("ACK", call_id=talk.call_id)
                await phone.hang_up()
                await talk.ended()
                await phone.event("CALL_CLOSED")
                assert find(await phone.heard(), mine).likeness > 0.9


@pytest.mark.interop("baresip", "sipp")
async def test_sipp_calls_baresip_which_accepts(tmp_path: Path) -> None:
    async with baresip(tmp_path, "anna", server=("127.0.0.1", free_port())) as phone:
        keys = {"rtp_port": 19992, "caller": "bo"}
        async with sipp(tmp_path, CALLS, remote=("127.0.0.1", phone.port), service="anna", keys=keys) as caller:
            await phone.event("CALL_INCOMING")
            await phone.accept()
            await phone.event("CALL_CLOSED")
            await caller.done()
