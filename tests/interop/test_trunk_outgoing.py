"""Our calls to a carrier (SIPp on 127.0.1.1): answers, refusals, no answer, early media, proof of who we are."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.exchange import CARRIER, Exchange
from tests.support.ports import free_port
from tests.support.rtp_party import pressed, rtp_peer, spoken
from tests.support.sipp import Sipp, scenario_text, sipp
from tests.support.sipp_steps import (
    accept,
    answer_bye,
    called_bye,
    expect_ack,
    expect_invite,
    pause,
    reply,
    reply_to,
    sdp,
)  # fmt: skip
from tests.support.sound_checks import ALAW, ULAW, Law, find, silence, voice

pytestmark = [pytest.mark.interop("sipp"), pytest.mark.asyncio(loop_scope="module")]

RINGING = reply(180, "Ringing")
CANCELLED = (
    '  <recv request="CANCEL"/>',
    reply_to(),
    reply(487, "Request Terminated").replace("[last_CSeq:]", "CSeq: 1 INVITE"),
    expect_ack(),
)


@asynccontextmanager
async def carrier(
    ex: Exchange, directory: Path, *steps: str, rtp_port: int = 9, transport: str = "udp", **trunk: Any
) -> AsyncIterator[tuple[Sipp, str]]:
    """SIPp as a carrier that is called so, and a number that is reached through it."""
    scenario = scenario_text("carrier is called", *steps)
    keys = {"rtp_port": rtp_port}
    async with sipp(directory, scenario, host=CARRIER, transport=transport, keys=keys) as called:
        yield called, await ex.trunk(called.port, transport=transport, **trunk)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_answered(ex: Exchange, tmp_path: Path, transport: str) -> None:
    wanted, after, end = voice(21), ex.answers("after", {}), ex.answers("end", "")
    start = ex.answers("start", {"play": ex.sound(wanted), "next": after})
    with rtp_peer(host=CARRIER) as sound:
        steps = (expect_invite(), RINGING, accept(), answer_bye())
        async with carrier(ex, tmp_path, *steps, rtp_port=sound.port, transport=transport) as (called, number):
            call = await ex.call(number, start, whenhangup=end)
            messages = await called.done()
        assert find(sound.heard(), wanted).likeness > 0.9
    first = await ex.hook(start)
    assert (first["direction"], first["callid"], first["to"]) == ("outgoing", call, number)
    assert first["from"] == "+46101000000"
    assert "INVITE sip:" + number in messages
    assert (await ex.hook(after))["result"] == "ok"
    last = await ex.hook(end)
    assert (last["id"], last["state"]) == (call, "success")
    assert (await ex.over(call))["state"] == "success"


@pytest.mark.parametrize(("formats", "law"), [("0 101", ULAW), ("8", ALAW), ("8 0 101", ALAW)], ids=str)
async def test_the_answer_chooses_the_codec(ex: Exchange, tmp_path: Path, formats: str, law: Law) -> None:
    wanted = voice(22, 1.0)
    with rtp_peer(law, host=CARRIER) as sound:
        steps = (expect_invite(), accept(sdp(formats)), answer_bye())
        async with carrier(ex, tmp_path, *steps, rtp_port=sound.port) as (called, number):
            await ex.call(number, {"play": ex.sound(wanted)})
            await called.done()
        assert find(sound.heard(), wanted).likeness > 0.9
        assert {packet.payload_type for packet in sound.packets} == {law.payload_type}


@pytest.mark.parametrize(
    ("status", "reason", "state"),
    [
        (486, "Busy Here", "busy"),
        (600, "Busy Everywhere", "busy"),
        (603, "Decline", "failed"),
        (404, "Not Found", "failed"),
        (480, "Temporarily Unavailable", "failed"),
        (488, "Not Acceptable Here", "failed"),
        (500, "Server Internal Error", "failed"),
        (503, "Service Unavailable", "failed"),
        (302, "Moved Temporarily", "failed"),
    ],
)
async def test_refused(ex: Exchange, tmp_path: Path, status: int, reason: str, state: str) -> None:
    end, start = ex.answers("end", ""), ex.answers("start", {})
    steps = (expect_invite(), RINGING, reply(status, reason, retransmit=True), expect_ack())
    async with carrier(ex, tmp_path, *steps) as (called, number):
        call = await ex.call(number, start, whenhangup=end)
        await called.done()
    fields = await ex.hook(end)
    assert fields["state"] == state
    assert not {"start", "duration", "actions", "legs"} & fields.keys()
    assert (await ex.over(call))["state"] == state
    assert ex.hooks(start) == [], "nothing is asked before the answer"


async def test_no_answer_in_time_is_cancelled(ex: Exchange, tmp_path: Path) -> None:
    end = ex.answers("end", "")
    async with carrier(ex, tmp_path, expect_invite(), RINGING, *CANCELLED) as (called, number):
        await ex.call(number, {"play": "sound/beep"}, timeout=1, whenhangup=end)
        await called.done()
    assert (await ex.hook(end))["state"] == "failed"


async def test_hung_up_by_api_while_it_rings(ex: Exchange, tmp_path: Path) -> None:
    async with carrier(ex, tmp_path, expect_invite(), RINGING, *CANCELLED) as (called, number):
        call = await ex.call(number, {"play": "sound/beep"})
        await called.message("SIP/2.0 180")
        await ex.server.v1("POST", f"/calls/{call}/hang-up")
        await called.done()
    assert (await ex.over(call))["state"] == "failed"


async def test_early_media_then_answer(ex: Exchange, tmp_path: Path) -> None:
    wanted = voice(23, 1.0)
    start = ex.answers("start", {"play": ex.sound(wanted)})
    with rtp_peer(host=CARRIER) as sound:
        early = reply(183, "Session Progress", sdp("8 101"))
        steps = (expect_invite(), early, pause(400), accept(), answer_bye())
        async with carrier(ex, tmp_path, *steps, rtp_port=sound.port) as (called, number):
            await ex.call(number, start)
            sound.remote = await called.remote_rtp()
            sound.say(*spoken(voice(24, 0.5)))
            await called.message("SIP/2.0 183")
            assert ex.hooks(start) == []
            await called.done()
        assert find(sound.heard(), wanted).likeness > 0.9


CHALLENGE = '{kind}: Digest realm="carrier", nonce="c0ffee{n}", algorithm={algorithm}, qop="auth"'


def proof_is_good(messages: str, header: str, algorithm: str, password: str) -> bool:
    """Reckons the digest again, by the letter of RFC 7616 section 3.4 and with nothing of the product."""
    found = re.search(rf"^{header}: Digest (.*)$", messages, re.M)
    assert found is not None, f"no {header} came"
    told = {name: a or b for name, a, b in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', found[1])}

    def digest(text: str) -> str:
        return hashlib.new("sha256" if algorithm == "SHA-256" else "md5", text.encode()).hexdigest()

    secret = digest(f"{told['username']}:{told['realm']}:{password}")
    asked = digest(f"INVITE:{told['uri']}")
    wanted = digest(":".join((secret, told["nonce"], told["nc"], told["cnonce"], told["qop"], asked)))
    return (told["username"], told["realm"], told["response"]) == ("offhook", "carrier", wanted)


@pytest.mark.parametrize(
    ("status", "kind", "algorithm"),
    [(407, "Proxy-Authenticate", "MD5"), (401, "WWW-Authenticate", "MD5"), (407, "Proxy-Authenticate", "SHA-256")],
)
async def test_proves_itself(ex: Exchange, tmp_path: Path, status: int, kind: str, algorithm: str) -> None:
    challenge = CHALLENGE.format(kind=kind, n=1, algorithm=algorithm)
    asks = (expect_invite(), reply(status, "Prove it", headers=challenge), expect_ack())
    trunk = {"username": "offhook", "password": "sesame"}
    async with carrier(ex, tmp_path, *asks, expect_invite(), accept(), answer_bye(), **trunk) as (called, number):
        call = await ex.call(number, {"play": "sound/beep"})
        messages = await called.done()
    header = "Proxy-Authorization" if status == 407 else "Authorization"
    assert proof_is_good(messages, header, algorithm, "sesame")
    assert not proof_is_good(messages, header, algorithm, "other"), "this check can fail"
    numbers = re.findall(r"^CSeq: (\d+) INVITE", messages, re.M)
    assert int(numbers[-1]) == int(numbers[0]) + 1, "RFC 3261 section 22.2: the next CSeq"
    assert (await ex.over(call))["state"] == "success"


async def test_a_wrong_password_ends_the_call(ex: Exchange, tmp_path: Path) -> None:
    def challenged(n: int) -> tuple[str, ...]:
        headers = CHALLENGE.format(kind="Proxy-Authenticate", n=n, algorithm="MD5")
        return (expect_invite(), reply(407, "Prove it", headers=headers), expect_ack())

    async with carrier(ex, tmp_path, *challenged(1), *challenged(2), username="a", password="b") as (called, number):
        call = await ex.call(number, {"play": "sound/beep"})
        await called.done()
    assert (await ex.over(call))["state"] == "failed"


async def test_nobody_there_fails_the_call(ex: Exchange) -> None:
    number = await ex.trunk(free_port(CARRIER))
    end = ex.answers("end", "")
    call = await ex.call(number, {"play": "sound/beep"}, timeout=2, whenhangup=end)
    assert (await ex.over(call))["state"] == "failed"
    assert (await ex.hook(end))["state"] == "failed"


async def test_no_trunk_for_the_number_fails_the_call(ex: Exchange) -> None:
    call = await ex.call("+4989123456", {"play": "sound/beep"})
    assert (await ex.over(call))["state"] == "failed"


async def test_the_called_party_hangs_up(ex: Exchange, tmp_path: Path) -> None:
    end = ex.answers("end", "")
    steps = (expect_invite(), accept(), pause(500), called_bye())
    async with carrier(ex, tmp_path, *steps) as (called, number):
        await ex.call(number, {"play": ex.sound(silence(20)), "next": ex.answers("after", {})}, whenhangup=end)
        await called.done()
    fields = await ex.hook(end)
    assert fields["state"] == "success"
    assert json.loads(fields["actions"])[0]["why"] == "hangup"


async def test_keys_of_the_called_party(ex: Exchange, tmp_path: Path) -> None:
    got = ex.answers("got", {})
    with rtp_peer(host=CARRIER) as sound:
        steps = (expect_invite(), accept(), answer_bye())
        async with carrier(ex, tmp_path, *steps, rtp_port=sound.port) as (called, number):
            await ex.call(number, {"ivr": ex.sound(silence(5)), "digits": 3, "next": got})
            sound.say(*pressed("1"), *pressed("2"), *pressed("*"))
            assert (await ex.hook(got))["result"] == "12*"
            await called.done()


async def test_the_server_plays_keys(ex: Exchange, tmp_path: Path) -> None:
    with rtp_peer(host=CARRIER) as sound:
        steps = (expect_invite(), accept(), answer_bye())
        async with carrier(ex, tmp_path, *steps, rtp_port=sound.port) as (called, number):
            await ex.call(number, {"play": "sound/dtmf/4P71"})
            await called.done()
        assert sound.digits() == "471"
