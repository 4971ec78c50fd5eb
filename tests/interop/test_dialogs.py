"""What happens within and around a dialog, with a peer that does it on purpose: holds, races, repeats, rubbish."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest
from tests.support.exchange import CARRIER, Exchange
from tests.support.rtp_party import RtpPeer, pressed, rtp_peer, spoken
from tests.support.sip_peer import Message, SipPeer, Talk, media_of, sdp, sip_peer
from tests.support.sound_checks import ALAW, ULAW, find, silence, voice

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

LONG = 30.0


@asynccontextmanager
async def carrier(ex: Exchange) -> AsyncIterator[tuple[SipPeer, RtpPeer]]:
    """A carrier with signalling and sound."""
    async with sip_peer(ex.udp, CARRIER) as peer:
        with rtp_peer(host=CARRIER) as sound:
            yield peer, sound


async def connected(peer: SipPeer, sound: RtpPeer, number: str, body: str | None = None, **more: str) -> Talk:
    """Calls a number that answers."""
    talk = peer.invite(number, body if body is not None else sdp(CARRIER, sound.port), **more)
    response = await talk.accepted()
    sound.remote = media_of(response.body)
    return talk


async def reinvited(talk: Talk, body: str | None) -> Message:
    """Sends a re-INVITE that must be accepted, and acknowledges it."""
    talk.request("INVITE", body)
    response = await talk.answered("200 INVITE")
    assert response.cseq[0] == talk.cseq
    return response


async def silent_for(sound: RtpPeer, slots: int) -> None:
    """Waits until so many times 20 ms have gone by without a packet of sound after some last ones."""

    async def quiet() -> bool:
        before = len(sound.audio())
        await asyncio.sleep(0.02 * slots)
        return len(sound.audio()) == before

    for _ in range(50):
        if await quiet():
            return
    raise AssertionError("sound goes on")


@pytest.mark.parametrize("way", ["sendonly", "inactive", "0.0.0.0"])
async def test_hold_and_resume_by_reinvite(ex: Exchange, way: str) -> None:
    """RFC 3264 section 8.4, and RFC 2543's address of zeros: no sound meanwhile, the rest of it afterwards."""
    number = await ex.number({"play": ex.sound(voice(41, 3.0)), "next": {"play": ex.sound(wanted := voice(42))}})
    async with carrier(ex) as (peer, sound):
        talk = await connected(peer, sound, number)
        await sound.hears(0.3)
        if way == "0.0.0.0":
            hold = sdp(CARRIER, sound.port, version=2).replace(f"c=IN IP4 {CARRIER}", "c=IN IP4 0.0.0.0")
        else:
            hold = sdp(CARRIER, sound.port, direction=way, version=2)
        answer = await reinvited(talk, hold)
        talk.request("ACK", cseq=answer.cseq[0])
        expected = {"sendonly": "recvonly", "inactive": "inactive", "0.0.0.0": None}[way]
        if expected:
            assert f"a={expected}" in answer.body
        assert not re.search(r"^a=sendrecv", answer.body, re.M) or way == "0.0.0.0"
        await silent_for(sound, 10)
        resumed = await reinvited(talk, sdp(CARRIER, sound.port, direction="sendrecv", version=3))
        talk.request("ACK", cseq=resumed.cseq[0])
        versions = [int(re.search(r"^o=\S+ \S+ (\d+)", r.body, re.M)[1]) for r in (answer, resumed)]  # type: ignore[index]
        assert versions[1] > versions[0], "RFC 3264 section 8: the version counts up"
        await talk.ended()
        assert find(sound.heard(), wanted).likeness > 0.9


async def test_sound_follows_to_another_address(ex: Exchange) -> None:
    number = await ex.number({"play": ex.sound(voice(43, 2.0)), "next": {"play": ex.sound(wanted := voice(44))}})
    async with carrier(ex) as (peer, sound):
        with rtp_peer(host=CARRIER) as moved:
            talk = await connected(peer, sound, number)
            await sound.hears(0.3)
            answer = await reinvited(talk, sdp(CARRIER, moved.port, version=2))
            talk.request("ACK", cseq=answer.cseq[0])
            moved.remote = media_of(answer.body)
            await moved.hears(0.3)
            old = len(sound.packets)
            await talk.ended()
            assert find(moved.heard(), wanted).likeness > 0.9
            assert len(sound.packets) == old


async def test_the_codec_changes_in_a_call(ex: Exchange) -> None:
    number = await ex.number({"play": ex.sound(voice(45, 1.0)), "next": {"play": ex.sound(wanted := voice(46))}})
    async with carrier(ex) as (peer, sound):
        talk = await connected(peer, sound, number, sdp(CARRIER, sound.port, ALAW))
        await sound.hears(0.2)
        answer = await reinvited(talk, sdp(CARRIER, sound.port, ULAW, version=2))
        talk.request("ACK", cseq=answer.cseq[0])
        await talk.ended()
        assert find(sound.heard(), wanted).likeness > 0.9
        assert sound.audio()[-1].payload_type == ULAW.payload_type


async def test_reinvite_without_offer(ex: Exchange) -> None:
    """RFC 3261 section 14.1: we offer in the 200, the answer comes in the ACK."""
    number = await ex.number({"play": ex.sound(voice(47, 2.0)), "next": {"play": ex.sound(wanted := voice(48))}})
    async with carrier(ex) as (peer, sound):
        talk = await connected(peer, sound, number)
        await sound.hears(0.2)
        offer = await reinvited(talk, None)
        assert media_of(offer.body) == sound.remote
        talk.request("ACK", sdp(CARRIER, sound.port, ALAW, version=2), cseq=offer.cseq[0])
        await talk.ended()
        assert find(sound.heard(), wanted).likeness > 0.9


async def test_reinvite_that_fits_nothing_is_488_and_the_call_goes_on(ex: Exchange) -> None:
    number = await ex.number({"play": ex.sound(wanted := voice(49, 2.0))})
    async with carrier(ex) as (peer, sound):
        talk = await connected(peer, sound, number)
        talk.request("INVITE", sdp(CARRIER, sound.port, version=2).replace("RTP/AVP 8 0 101", "RTP/AVP 18"))
        await talk.refused(488)
        await talk.ended()
        assert find(sound.heard(), wanted).likeness > 0.9


async def test_late_offer(ex: Exchange) -> None:
    """An INVITE without description: our offer in the 200, their answer in the ACK (RFC 3261 section 13.2.1)."""
    number = await ex.number({"play": ex.sound(wanted := voice(50))})
    async with carrier(ex) as (peer, sound):
        talk = peer.invite(number, None)
        response = await talk.answered("200 INVITE")
        sound.remote = media_of(response.body)
        talk.confirm(response)
        talk.request("ACK", sdp(CARRIER, sound.port, ULAW), cseq=1)
        await talk.ended()
        assert find(sound.heard(), wanted).likeness > 0.9


async def test_options_and_unknown_methods(ex: Exchange) -> None:
    number = await ex.number({"play": ex.sound(silence(LONG))})
    async with carrier(ex) as (peer, sound):
        outside = Talk(
            peer=peer, call_id="options@peer", local=f"<sip:a@{CARRIER}>;tag=1", remote=f"<sip:{ex.udp[0]}>",
            target=f"sip:{ex.udp[0]}:{ex.udp[1]}",
        )  # fmt: skip
        outside.request("OPTIONS")
        told = await outside.answered(200)
        assert "INVITE" in told["Allow"]
        assert "application/sdp" in told["Accept"]
        for method in ("BREW", "PUBLISH", "SUBSCRIBE"):
            outside.request(method)
            refused = await outside.answered(405, 501, 489)
            assert refused.status != 405 or "INVITE" in refused["Allow"]
        talk = await connected(peer, sound, number)
        talk.request("OPTIONS")
        assert (await talk.answered("200 OPTIONS")).to_tag
        talk.request("BREW")
        await talk.answered(405, 501)
        await talk.bye()
        talk.request("OPTIONS")
        await talk.answered(481)


async def test_a_repeated_invite_is_one_call(ex: Exchange) -> None:
    """RFC 3261 sections 17.2.1 and 13.3.1.4: the same answer again, one webhook, and the 200 until the ACK."""
    start = ex.answers("start", {"play": ex.sound(silence(LONG))})
    async with carrier(ex) as (peer, sound):
        talk = peer.invite(await ex.number(start), sdp(CARRIER, sound.port))
        talk.again("INVITE")
        talk.again("INVITE")
        first = await talk.answered("200 INVITE")
        second = await talk.answered("200 INVITE")
        assert second.to_tag == first.to_tag
        talk.confirm(first)
        talk.request("ACK", cseq=1)
        await talk.bye()
        assert len(ex.hooks(start)) == 1


async def test_cancel_before_the_answer(ex: Exchange) -> None:
    answer = asyncio.Event()

    async def late(_: object) -> dict[str, object]:
        await asyncio.wait_for(answer.wait(), 10)
        return {"play": "sound/beep"}

    async with carrier(ex) as (peer, sound):
        start = ex.answers("start", late)
        talk = peer.invite(await ex.number(start), sdp(CARRIER, sound.port))
        await ex.hook(start)
        await talk.answered(100)
        talk.request("CANCEL")
        await talk.answered("200 CANCEL")
        await talk.refused(487)
        answer.set()


async def test_cancel_crosses_the_answer(ex: Exchange) -> None:
    """The 200 was on its way: CANCEL does nothing any more (RFC 3261 section 9.2), the caller ends by BYE."""
    start = ex.answers("start", {"play": ex.sound(silence(LONG))})
    async with carrier(ex) as (peer, sound):
        talk = peer.invite(await ex.number(start), sdp(CARRIER, sound.port))
        response = await talk.answered("200 INVITE")
        talk.request("CANCEL")
        cancelled = await talk.answered("2xx CANCEL", "481 CANCEL")
        assert cancelled.cseq[1] == "CANCEL"
        assert peer.came(487, talk.call_id) == []
        talk.confirm(response)
        talk.request("ACK", cseq=1)
        await talk.bye()


async def test_our_cancel_crosses_their_answer(ex: Exchange) -> None:
    """We gave up and they picked up at that moment: the 200 is acknowledged and ended (RFC 3261 section 9.1)."""
    async with sip_peer(ex.udp, CARRIER) as peer:
        call = await ex.call(await ex.trunk(peer.port), {"play": "sound/beep"}, timeout=1)
        talk = await peer.called()
        assert talk.first is not None
        talk.respond(talk.first, 180)
        cancel = await peer.receive("CANCEL")
        talk.respond(talk.first, 200, sdp(CARRIER, 9))
        talk.respond(cancel, 200)
        await peer.receive("ACK")
        await talk.ended()
    assert (await ex.over(call))["state"] == "failed"


async def test_of_two_answers_the_second_is_acknowledged_and_ended(ex: Exchange) -> None:
    """The network forked our call, both answered (RFC 3261 section 13.2.2.4)."""
    wanted = voice(51)
    async with carrier(ex) as (peer, sound):
        call = await ex.call(await ex.trunk(peer.port), {"play": ex.sound(wanted)})
        talk = await peer.called()
        invite = talk.first
        assert invite is not None
        talk.respond(invite, 180, tag="one")
        talk.respond(invite, 183, sdp(CARRIER, 9), tag="two")
        talk.respond(invite, 200, sdp(CARRIER, sound.port), tag="one")
        talk.respond(invite, 200, sdp(CARRIER, 9), tag="two")
        acknowledged = [await peer.receive("ACK"), await peer.receive("ACK")]
        assert {ack.to_tag for ack in acknowledged} == {"one", "two"}
        first_bye = await talk.ended()
        assert first_bye.to_tag == "two", "the second one ends at once"
        second_bye = await talk.ended()
        assert second_bye.to_tag == "one"
        assert find(sound.heard(), wanted).likeness > 0.9
    assert (await ex.over(call))["state"] == "success"


async def test_answers_go_where_the_request_came_from(ex: Exchange) -> None:
    """rport (RFC 3581): the Via names an address behind NAT that leads nowhere."""
    number = await ex.number({"play": ex.sound(wanted := voice(52, 1.0))})
    async with carrier(ex) as (peer, sound):
        talk = await connected(peer, sound, number, via="10.255.255.1:5060")
        assert talk.call_id
        await talk.ended()
        assert find(sound.heard(), wanted).likeness > 0.9


async def test_rubbish_disturbs_nobody(ex: Exchange) -> None:
    """Malformed SIP to the SIP port, rubbish and strangers to the RTP port, while a call is heard."""
    number = await ex.number({"play": ex.sound(wanted := voice(53, 3.0))})
    chance = np.random.default_rng(53)
    async with carrier(ex) as (peer, sound):
        talk = await connected(peer, sound, number)
        assert sound.remote is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(200):
                noise = chance.bytes(int(chance.integers(1, 400)))
                peer.send(noise)
                peer.send(b"INVITE sip:x SIP/2.0\r\nVia: garbage\r\nContent-Length: 99999\r\n\r\n")
                stranger.sendto(noise, sound.remote)
                stranger.sendto(b"\x80\x08" + chance.bytes(170), sound.remote)
                stranger.sendto(b"\x80\x65" + chance.bytes(14), sound.remote)
        # A TCP client that talks nonsense, and one that says nothing at all.
        _, writer = await asyncio.open_connection(*ex.tcp)
        writer.write(chance.bytes(2000) + b"\r\n\r\n")
        await talk.ended()
        writer.close()
        assert find(sound.heard(), wanted).likeness > 0.9


async def test_strangers_do_not_reach_a_recording(ex: Exchange) -> None:
    posted = ex.answers("posted", "")
    number = await ex.number({"record": posted, "silencedetection": "no"})
    spoke, foreign = voice(54, 2.0), voice(55, 2.0)
    async with carrier(ex) as (peer, sound):
        talk = await connected(peer, sound, number)
        assert sound.remote is not None
        await asyncio.wait_for(_latched(sound), 5)
        with rtp_peer(host=CARRIER, remote=sound.remote) as stranger:
            sound.say(*spoken(spoke))
            stranger.say(*spoken(foreign))
            await sound.said()
            sound.say(*pressed("#"))
            await talk.ended()
    recorded = await ex.recording(await ex.hook(posted))
    assert find(recorded, spoke).likeness > 0.9
    assert find(recorded, foreign).likeness < 0.3


async def _latched(sound: RtpPeer) -> None:
    """Some sound of ours has gone out: from now on the server knows where we are."""
    sound.say(*spoken(silence(0.2)))
    await sound.said()


async def test_in_dialog_of_nobody_is_481(ex: Exchange) -> None:
    async with sip_peer(ex.udp, CARRIER) as peer:
        nobody = Talk(
            peer=peer, call_id="nobody@peer", local=f"<sip:a@{CARRIER}>;tag=1",
            remote=f"<sip:b@{ex.udp[0]}>;tag=2", target=f"sip:b@{ex.udp[0]}:{ex.udp[1]}",
        )  # fmt: skip
        nobody.request("BYE")
        await nobody.answered("481 BYE")
        nobody.branch = "z9hG4bKofnobody"
        nobody.request("CANCEL")
        await nobody.answered("481 CANCEL")


async def test_session_timer_is_refreshed_or_agreed(ex: Exchange) -> None:
    """RFC 4028: a caller that wants a session timer gets it, with who refreshes."""
    number = await ex.number({"play": ex.sound(silence(LONG))})
    async with carrier(ex) as (peer, sound):
        headers = "Supported: timer\nSession-Expires: 1800;refresher=uac\nMin-SE: 90"
        talk = peer.invite(number, sdp(CARRIER, sound.port), headers=headers)
        response = await talk.accepted()
        assert response["Session-Expires"] == "1800;refresher=uac"
        assert "timer" in response["Require"]
        await talk.bye()
        short = peer.invite(number, sdp(CARRIER, sound.port), headers="Supported: timer\nSession-Expires: 30")
        refused = await short.refused(422)
        assert int(refused["Min-SE"]) >= 90


async def test_a_stranger_is_refused(ex: Exchange) -> None:
    async with sip_peer(ex.udp, "127.0.9.9") as peer:
        talk = peer.invite(await ex.number({"play": "sound/beep"}), sdp("127.0.9.9", 9))
        await talk.refused(403)
