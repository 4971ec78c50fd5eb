"""A carrier (SIPp on 127.0.1.1) calls our numbers: sound, digits in every way, refusals before the answer."""

import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from tests.support.exchange import CARRIER, Exchange
from tests.support.rtp_party import RtpPeer, Slot, overlapping, pressed, rtp_peer, spoken
from tests.support.sipp import Sipp, scenario_text, sipp
from tests.support.sipp_steps import ack, answer_bye, bye, expect, invite, pause, request, sdp
from tests.support.sound_checks import ALAW, ULAW, Law, dtmf, find, silence, voice

pytestmark = [pytest.mark.interop("sipp"), pytest.mark.asyncio(loop_scope="module")]

TRYING = (expect(100, optional=True), expect(180, optional=True), expect(183, optional=True))


def answered(body: str | None = None) -> tuple[str, ...]:
    """The caller's steps until it is connected."""
    return (invite(body), *TRYING, expect(200, log_rtp=True), ack())


UNTIL_BYE = scenario_text("carrier calls", *answered(), answer_bye())


def calling(
    ex: Exchange, directory: Path, scenario: str, number: str, rtp_port: int, **more: Any
) -> AbstractAsyncContextManager[Sipp]:
    """SIPp as a carrier that calls a number."""
    keys = {"rtp_port": rtp_port, "caller": "+46700000001"}
    remote = ex.tcp if more.get("transport") == "tcp" else ex.udp
    return sipp(directory, scenario, remote=remote, host=CARRIER, service=number, keys=keys, **more)


async def connected(caller: Sipp, sound: RtpPeer) -> None:
    """Waits for the answer; from then on sound goes where it is wanted."""
    sound.remote = await caller.remote_rtp()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_play(ex: Exchange, tmp_path: Path, transport: str) -> None:
    wanted = voice(11)
    after, end = ex.answers("after", {}), ex.answers("end", "")
    start = ex.answers("start", {"play": ex.sound(wanted), "next": after, "whenhangup": end})
    number = await ex.number(start)
    with rtp_peer(host=CARRIER) as sound:
        async with calling(ex, tmp_path, UNTIL_BYE, number, sound.port, transport=transport) as caller:
            await caller.done()
        assert find(sound.heard(), wanted).likeness > 0.9
    first = await ex.hook(start)
    assert first["direction"] == "incoming"
    assert (first["from"], first["to"], first["result"]) == ("+46700000001", number, "newincoming")
    assert (await ex.hook(after))["result"] == "ok"
    last = await ex.hook(end)
    assert last["id"] == first["callid"]
    assert last["state"] == "success"
    assert [action["result"] for action in json.loads(last["actions"])] == ["ok"]
    assert len(ex.hooks(start)) == 1, "one call, one hook"


@pytest.mark.parametrize(
    ("formats", "law"), [("8 0 101", ALAW), ("0 101", ULAW), ("18 0", ULAW), ("0 8 101", None)], ids=str
)
async def test_codecs(ex: Exchange, tmp_path: Path, formats: str, law: Law | None) -> None:
    wanted = voice(12, 1.0)
    number = await ex.number({"play": ex.sound(wanted)})
    scenario = scenario_text("carrier offers", *answered(sdp(formats)), answer_bye())
    with rtp_peer(host=CARRIER) as sound:
        async with calling(ex, tmp_path, scenario, number, sound.port) as caller:
            await caller.done()
        assert find(sound.heard(), wanted).likeness > 0.9
        types = {packet.payload_type for packet in sound.packets}
        assert types == {law.payload_type} if law else types in ({0}, {8})


async def test_no_common_codec_is_488(ex: Exchange, tmp_path: Path) -> None:
    number = await ex.number({"play": "sound/beep"})
    scenario = scenario_text("carrier knows G.729 only", invite(sdp("18")), *TRYING, expect(488), ack(refused=True))
    async with calling(ex, tmp_path, scenario, number, 9) as caller:
        await caller.done()


LONG = [*pressed("8", slots=100)]
KEYS: dict[str, tuple[list[Slot], str]] = {
    "usual": ([*pressed("4"), *pressed("2")], "42"),
    "no marker": ([*pressed("4", marker=False), *pressed("4", marker=False)], "44"),
    "one end packet": ([*pressed("1", ends=1), *pressed("2", ends=1)], "12"),
    "begin lost": ([*pressed("7", lost={0, 1}), *pressed("3")], "73"),
    "only the ends come": ([*pressed("9", lost={0, 1, 2, 3, 4}), *pressed("5")], "95"),
    "ends lost": ([*pressed("6", ends=0, gap_slots=5), *pressed("0")], "60"),
    "long": ([*LONG, *pressed("1")], "81"),
    "overlapping": (overlapping("3", "5"), "35"),
}


@pytest.mark.parametrize("way", KEYS, ids=lambda way: way.replace(" ", "-"))
async def test_keys_by_rfc_4733(ex: Exchange, tmp_path: Path, way: str) -> None:
    plan, wanted = KEYS[way]
    got = ex.answers("got", {})
    number = await ex.number({"ivr": ex.sound(voice(13, 8.0)), "digits": len(wanted), "timeout": 5, "next": got})
    with rtp_peer(host=CARRIER) as sound:
        async with calling(ex, tmp_path, UNTIL_BYE, number, sound.port) as caller:
            await connected(caller, sound)
            sound.say(*spoken(silence(0.3)), *plan)
            assert (await ex.hook(got))["result"] == wanted
            await caller.done()


async def test_keys_as_sound_where_no_events_are_offered(ex: Exchange, tmp_path: Path) -> None:
    got = ex.answers("got", {})
    number = await ex.number({"ivr": ex.sound(silence(4)), "digits": 4, "timeout": 5, "next": got})
    scenario = scenario_text("carrier without events", *answered(sdp("8")), answer_bye())
    keys = np.concatenate([np.concatenate((dtmf(digit), silence(0.08))) for digit in "1590"])
    with rtp_peer(host=CARRIER) as sound:
        async with calling(ex, tmp_path, scenario, number, sound.port) as caller:
            await connected(caller, sound)
            sound.say(*spoken(silence(0.3)), *spoken(keys))
            assert (await ex.hook(got))["result"] == "1590"
            await caller.done()


async def test_keys_by_info(ex: Exchange, tmp_path: Path) -> None:
    got = ex.answers("got", {})
    number = await ex.number({"ivr": ex.sound(silence(4)), "digits": 2, "timeout": 5, "next": got})

    def info(cseq: int, kind: str, text: str) -> str:
        step = request("INFO", cseq, text, "")
        return step.replace("application/sdp", kind) + '\n  <recv response="200"/>'

    scenario = scenario_text(
        "carrier presses by INFO", *answered(sdp("8")), info(2, "application/dtmf-relay", "Signal=7\nDuration=160"),
        info(3, "application/dtmf", "3"), answer_bye(),
    )  # fmt: skip
    with rtp_peer(host=CARRIER) as sound:
        async with calling(ex, tmp_path, scenario, number, sound.port) as caller:
            await connected(caller, sound)
            assert (await ex.hook(got))["result"] == "73"
            await caller.done()


@pytest.mark.parametrize(("word", "status"), [("busy", 486), ("reject", 603), ("404", 404)])
async def test_hangup_before_the_answer(ex: Exchange, tmp_path: Path, word: str, status: int) -> None:
    end = ex.answers("end", "")
    start = ex.answers("start", {"hangup": word, "whenhangup": end})
    scenario = scenario_text("carrier is refused", invite(), *TRYING, expect(status), ack(refused=True))
    async with calling(ex, tmp_path, scenario, await ex.number(start), 9) as caller:
        await caller.done()
    last = await ex.hook(end)
    assert "start" not in last


async def refused(ex: Exchange, directory: Path, number: str, status: int) -> str:
    scenario = scenario_text("carrier is refused", invite(), *TRYING, expect(status), ack(refused=True))
    async with calling(ex, directory, scenario, number, 9) as caller:
        return await caller.done()


async def test_a_number_without_voice_start_is_480(ex: Exchange, tmp_path: Path) -> None:
    await refused(ex, tmp_path, await ex.number(""), 480)


async def test_a_number_that_is_not_ours_is_404(ex: Exchange, tmp_path: Path) -> None:
    await refused(ex, tmp_path, "+46999999999", 404)


async def test_a_webhook_that_fails_is_503(ex: Exchange, tmp_path: Path) -> None:
    start = ex.answers("start", web.Response(status=404, text="no"))
    await refused(ex, tmp_path, await ex.number(start), 503)


async def test_a_webhook_that_is_no_document_is_503(ex: Exchange, tmp_path: Path) -> None:
    await refused(ex, tmp_path, await ex.number(ex.answers("start", "<html>fault</html>")), 503)


async def test_voicemail_ends_after_silence(ex: Exchange, tmp_path: Path) -> None:
    posted, after = ex.answers("posted", ""), ex.answers("after", {})
    number = await ex.number({"record": posted, "timelimit": 20, "next": after})
    spoke = voice(14)
    with rtp_peer(host=CARRIER) as sound:
        async with calling(ex, tmp_path, UNTIL_BYE, number, sound.port) as caller:
            await connected(caller, sound)
            sound.say(*spoken(spoke))
            await caller.done()
    assert (await ex.hook(after))["result"] in ("success", "ok")
    fields = await ex.hook(posted)
    assert find(await ex.recording(fields), spoke).likeness > 0.9
    assert 2 <= int(fields["duration"]) <= 6


async def test_voicemail_ends_with_hash(ex: Exchange, tmp_path: Path) -> None:
    posted, after = ex.answers("posted", ""), ex.answers("after", {})
    number = await ex.number({"record": posted, "silencedetection": "no", "next": after})
    spoke = voice(15, 1.0)
    with rtp_peer(host=CARRIER) as sound:
        async with calling(ex, tmp_path, UNTIL_BYE, number, sound.port) as caller:
            await connected(caller, sound)
            sound.say(*spoken(spoke), *pressed("#"))
            await caller.done()
    fields = await ex.hook(posted)
    assert find(await ex.recording(fields), spoke).likeness > 0.9
    assert int(fields["duration"]) <= 2


async def test_the_caller_hangs_up_in_a_recording_and_it_is_kept(ex: Exchange, tmp_path: Path) -> None:
    posted, end = ex.answers("posted", ""), ex.answers("end", "")
    number = await ex.number({"record": posted, "whenhangup": end})
    spoke = voice(16, 1.5)
    scenario = scenario_text("carrier leaves a message", *answered(), pause(2500), bye())
    with rtp_peer(host=CARRIER) as sound:
        async with calling(ex, tmp_path, scenario, number, sound.port) as caller:
            await connected(caller, sound)
            sound.say(*spoken(spoke))
            await caller.done()
    assert find(await ex.recording(await ex.hook(posted)), spoke).likeness > 0.9
    assert (await ex.hook(end))["state"] == "success"


async def test_several_at_once(ex: Exchange, tmp_path: Path) -> None:
    end = ex.answers("end", "")
    number = await ex.number({"play": ex.sound(voice(17, 1.0)), "whenhangup": end})
    async with calling(ex, tmp_path, UNTIL_BYE, number, 9, calls=30, rate=30) as caller:
        await caller.done()
    await ex.hook(end, 30)
    assert len({fields["id"] for fields in ex.hooks(end)}) == 30
