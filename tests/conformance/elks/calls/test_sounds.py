"""`play`, `ivr` and `record` on a real call: heard and said over RTP, keys pressed, recordings fetched."""

import asyncio
import io
import itertools
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from tests.conformance.elks.calls.conftest import RETRY_S
from tests.support.line import Line, Voice, pairs
from tests.support.sound_checks import Samples, find, read_wav, silence, voice
from tests.support.sounds import encoded, melody
from tests.support.topics import topic

from offhook.config import load_settings
from offhook.flow.verbs import Speech
from offhook.runtime.speech.engines import speech_desk

pytestmark = pytest.mark.asyncio(loop_scope="session")

RATE = 8000
BEEP_HZ = 1000.0
SPOKEN = voice(7, 1.4)
"""What a caller says; longer than the shortest recording that is kept."""


def wav(samples: Samples, rate: int = RATE) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


def moved(status: int, to: str) -> Any:
    return lambda _: web.Response(status=status, headers={"Location": to})


# ── play ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

FORMATS = {
    "wav": ("wav", "pcm_s16le", 44100),
    "mp3": ("mp3", "libmp3lame", 44100),
    "ogg-vorbis": ("ogg", "vorbis", 44100),
    "flac": ("flac", "flac", 16000),
    "opus": ("ogg", "libopus", 48000),
}


@topic("play")
@pytest.mark.parametrize("made", FORMATS.values(), ids=FORMATS)
async def test_formats(line: Line, made: tuple[str, str, int]) -> None:
    """A file by URL is heard: WAV, MP3, OGG Vorbis, FLAC and Opus, by GET and whatever its content type says."""
    container, codec, rate = made
    layout = "stereo" if codec == "vorbis" else "mono"
    sound = line.serve("/sound", encoded(container, codec, rate, layout), "application/octet-stream")
    cid, party = await line.talks({"play": sound})
    await party.voice.hears(melody(RATE, 1.8))
    await party.hung_up()
    assert [hook.method for hook in line.got("/sound")] == ["GET"]
    assert (await line.over(cid))["actions"] == [{"play": sound, "result": "ok"}]


@topic("play")
async def test_redirected_file(line: Line) -> None:
    """A file that has moved is followed to, from 302 too, since it is fetched by GET."""
    line.serve("/real.wav", wav(SPOKEN))
    _, party = await line.talks({"play": line.on("/sound.wav", moved(302, line.url("/real.wav")))})
    await party.voice.hears(SPOKEN)
    await party.hung_up()


@topic("play")
async def test_file_behind_a_password(line: Line) -> None:
    """Userinfo in the URL of a sound becomes a Basic header."""
    sound = line.serve("/sound.wav", wav(SPOKEN)).replace("http://", "http://a:b@")
    cid, party = await line.talks({"play": sound})
    await party.voice.hears(SPOKEN)
    await party.hung_up()
    assert line.got("/sound.wav")[0].headers["Authorization"] == "Basic YTpi"
    assert (await line.over(cid))["actions"][0]["result"] == "ok"


@topic("play")
async def test_asked_again_with_its_etag(line: Line) -> None:
    """A file that was had before is asked for again with its ETag, and played when it has not changed."""

    def file(hook: Any) -> web.Response:
        if hook.headers.get("If-None-Match") == '"v1"':
            return web.Response(status=304)
        return web.Response(body=wav(SPOKEN), headers={"ETag": '"v1"'})

    sound = line.on("/sound.wav", file)
    for _ in range(2):
        _, party = await line.talks({"play": sound})
        await party.voice.hears(SPOKEN)
        await party.hung_up()
    assert [hook.headers.get("If-None-Match") for hook in line.got("/sound.wav")] == [None, '"v1"']


@topic("play")
@pytest.mark.parametrize("text", ["en_US/Welcome. Your code is 8 9 7 0.", "sv_SE/Hej och välkommen till oss."])
async def test_a_text_is_spoken(line: Line, tmp_path: Path, text: str) -> None:
    """The party hears the very speech that the server's engine makes of `en_US/…`; then `next` runs."""
    language, _, words = text.partition("/")
    desk = speech_desk(load_settings(data_dir=tmp_path))
    spoken = await desk.speak(await desk.plan(Speech(text=words, language=language)))
    await desk.close()
    start = {"play": text, "next": line.on("/next", {"play": "sound/beep"})}
    cid, party = await line.talks(start)
    await party.voice.hears(spoken)
    await party.voice.hears_tone(BEEP_HZ)
    await party.hung_up()
    assert [hook.fields["result"] for hook in line.got("/next")] == ["ok"]
    assert (await line.over(cid))["actions"][0] == {"play": text, "result": "ok"}


@topic("play")
async def test_a_language_that_nobody_speaks_is_read_in_english(line: Line) -> None:
    """A warning in the timeline, and the call goes on."""
    cid, party = await line.talks({"play": "qx_QX/Hello you.", "next": {"play": "sound/beep"}})
    await party.voice.hears_tone(BEEP_HZ)
    await party.hung_up()
    assert "nobody speaks qx-qx" in (await line.noted(cid, "sound.warning"))["detail"]


BAD = {
    "not-found": lambda _: web.Response(status=404),
    "html": lambda _: web.Response(text="<html>Sorry</html>", content_type="text/html"),
    "empty": lambda _: web.Response(body=b""),
    "cut-off-header": lambda _: web.Response(body=wav(SPOKEN)[:20], content_type="audio/wav"),
    "too-large": lambda _: web.Response(body=b"RIFF" + bytes(21 * 1024 * 1024), content_type="audio/wav"),
    "too-long": lambda _: web.Response(body=wav(np.zeros(4000 * 3700, np.int16), 4000), content_type="audio/wav"),
    "to-a-private-address": moved(302, "http://10.0.0.1/sound.wav"),
    "in-a-circle": lambda hook: web.Response(status=302, headers={"Location": hook.path}),
    "server-fault": lambda _: web.Response(status=500),
}


@topic("play")
@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
async def test_bad_source(line: Line, answer: Any) -> None:
    """A sound that is none, is too large, or is behind the guard, is `badsource`; `failed` runs and the call lives."""
    sound = line.on("/sound.wav", answer)
    start = {"play": sound, "failed": line.on("/failed", {"play": "sound/beep"}), "next": line.url("/next")}
    cid, party = await line.talks(start)
    await party.voice.hears_tone(BEEP_HZ)
    await party.hung_up()
    assert [(hook.fields["result"], hook.fields["why"]) for hook in line.got("/failed")] == [("failed", "badsource")]
    assert line.got("/next") == []
    assert len((await line.noted(cid, "sound.failed"))["detail"]) > 10
    assert (await line.over(cid))["actions"][0] == {"play": sound, "result": "failed", "why": "badsource"}


@topic("play")
@pytest.mark.parametrize(
    "text", ["Hello, this is your message", "sound/nonsense", "local/never-recorded", "ftp://example.com/a.wav"]
)
async def test_text_that_is_no_sound(line: Line, text: str) -> None:
    """What is neither URL nor one of our sounds is `badsource` too."""
    cid, party = await line.talks({"play": text})
    await party.hung_up()
    assert (await line.over(cid))["actions"] == [{"play": text, "result": "failed", "why": "badsource"}]


@topic("play")
@pytest.mark.parametrize(("name", "hz"), [("beep", BEEP_HZ), ("dialtone", 425.0), ("ringback", 425.0)])
async def test_built_in(line: Line, name: str, hz: float) -> None:
    """`sound/beep` and the other tones are heard."""
    _, party = await line.talks({"play": f"sound/{name}"})
    await party.voice.hears_tone(hz)
    await party.hang_up()


@topic("play")
async def test_sends_keys(line: Line) -> None:
    """`sound/dtmf/…` presses keys in the other phone; `p` and `P` are pauses."""
    cid, party = await line.talks({"play": "sound/dtmf/12p3P*#"})
    await party.hung_up()
    assert party.voice.keys == "123*#"
    assert (await line.over(cid))["actions"] == [{"play": "sound/dtmf/12p3P*#", "result": "ok"}]


@topic("play")
async def test_skippable(line: Line) -> None:
    """A key ends a sound and goes on with `next`; it is not delivered, and the result is `ok`."""
    sound = line.serve("/long.wav", wav(voice(3, 20)))
    start = {"play": sound, "next": line.on("/next", {})}
    _, party = await line.talks(start)
    await party.voice.hears(voice(3, 0.5))
    await party.voice.press("5")
    hook = await line.hook("/next", within_s=3)
    assert dict(pairs(hook))["result"] == "ok"
    await party.hung_up()


@topic("play")
async def test_not_skippable(line: Line) -> None:
    """With `skippable` false it is played to its end."""
    sound = line.serve("/sound.wav", wav(SPOKEN))
    _, party = await line.talks({"play": sound, "skippable": False})
    await party.voice.press("5")
    await party.voice.hears(SPOKEN)
    await party.hung_up()


# ── ivr ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("ivr")
async def test_menu(line: Line) -> None:
    """A key during the prompt interrupts it and takes its branch: a URL with `result`, or an action at once."""
    prompt = line.serve("/menu.wav", wav(voice(4, 20)))
    start = {"ivr": prompt, "1": line.on("/one", {"ivr": prompt, "2": {"play": "sound/beep"}}), "next": line.url("/n")}
    cid, party = await line.talks(start)
    await party.voice.hears(voice(4, 0.5))
    await party.voice.press("1")
    assert dict(pairs(await line.hook("/one")))["result"] == "1"
    await party.voice.press("2")
    await party.hung_up()
    results = [action["result"] for action in (await line.over(cid))["actions"]]
    assert results == ["1", "2", "ok"]
    assert line.got("/n") == []


@topic("ivr")
@pytest.mark.parametrize(
    ("options", "pressed", "result"),
    [
        ({}, "7", "7"),
        ({"digits": 4}, "0042", "0042"),
        ({"digits": "8"}, "123#", "123"),
        ({"digits": 3}, "1*2", "1*2"),
        ({"skippable": False}, "9", "9"),
    ],
    ids=["one", "four-with-zeros", "ended-by-hash", "with-star", "not-skippable"],
)
async def test_digits(line: Line, options: dict[str, Any], pressed: str, result: str) -> None:
    """`result` is the keys as pressed: leading zeros stay, `#` ends the input and is not in it, `*` is a key."""
    start = {"ivr": "sound/beep", **options, "next": line.on("/next", {})}
    _, party = await line.talks(start)
    await party.voice.press(pressed)
    assert dict(pairs(await line.hook("/next")))["result"] == result
    await party.hung_up()


@topic("ivr")
async def test_typed_ahead(line: Line) -> None:
    """Keys pressed while the application thinks are not lost: they answer the next menu."""
    gate = asyncio.Event()

    async def think(_: Any) -> dict[str, Any]:
        await gate.wait()
        return {"ivr": "sound/beep", "digits": 2, "next": line.on("/next", {})}

    cid, party = await line.talks({"ivr": "sound/beep", "next": line.on("/think", lambda hook: think(hook))})
    await party.voice.press("1")
    await line.hook("/think")
    await party.voice.press("23")
    gate.set()
    assert dict(pairs(await line.hook("/next")))["result"] == "23"
    await party.hung_up()
    assert [action["result"] for action in (await line.over(cid))["actions"]] == ["1", "23"]


@topic("ivr")
async def test_no_input(line: Line) -> None:
    """Nothing pressed: the prompt is played `repeat` times, then the result is `failed` with `noinput`."""
    prompt = line.serve("/prompt.wav", wav(voice(5, 0.4)))
    start = {"ivr": prompt, "timeout": 1, "repeat": 2, "next": line.on("/next", {})}
    cid, party = await line.talks(start)
    fields = dict(pairs(await line.hook("/next")))
    assert (fields["result"], fields["why"]) == ("failed", "noinput")
    await party.hung_up()
    heard = party.voice.sound()
    first = find(heard, voice(5, 0.4))
    assert first.likeness > 0.8
    begin = int(first.at_s * RATE)
    heard[begin : begin + int(0.4 * RATE)] = 0
    assert find(heard, voice(5, 0.4)).likeness > 0.8
    assert (await line.over(cid))["actions"][0]["why"] == "noinput"


@topic("ivr")
async def test_too_few_digits(line: Line) -> None:
    """Fewer keys than `digits` when time runs out are no input; `failed` takes it before `next`."""
    start = {
        "ivr": "sound/beep",
        "digits": 3,
        "timeout": 1,
        "repeat": 1,
        "failed": line.on("/failed", {}),
        "next": "/n",
    }
    _, party = await line.talks(line.on("/start", start))
    await party.voice.press("12")
    fields = dict(pairs(await line.hook("/failed")))
    assert (fields["result"], fields["why"]) == ("failed", "noinput")
    await party.hung_up()


@topic("ivr")
async def test_prompt_that_is_no_sound(line: Line) -> None:
    """A prompt that cannot be had is `failed` with `badsource`."""
    start = {"ivr": line.on("/none.wav", lambda _: web.Response(status=404)), "next": line.on("/next", {})}
    _, party = await line.talks(start)
    fields = dict(pairs(await line.hook("/next")))
    assert (fields["result"], fields["why"]) == ("failed", "badsource")
    await party.hung_up()


@topic("ivr")
async def test_hung_up_in_a_menu(line: Line) -> None:
    """Who hangs up in a menu gets no `next`: the log says `failed` with `hangup`, and `whenhangup` comes."""
    cid, party = await line.talks(
        {"ivr": "sound/dialtone", "next": line.on("/next", {})}, whenhangup=line.on("/end", "")
    )
    await party.voice.hears_tone(425.0)
    await party.hang_up()
    await line.hook("/end")
    assert line.got("/next") == []
    assert (await line.call(cid))["actions"] == [{"ivr": "sound/dialtone", "result": "failed", "why": "hangup"}]


# ── record ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("record")
async def test_record_until_hash(line: Line) -> None:
    """`#` ends a recording; the post has its fields in order, and the WAV is what was said: 8 kHz, 16 bit, mono."""
    start = {"record": line.on("/rec", ""), "silencedetection": "no", "next": line.on("/next", {})}
    cid, party = await line.talks(start)
    await party.voice.say(SPOKEN)
    await party.voice.press("#")
    hook = await line.hook("/rec")
    fields = pairs(hook)
    assert [name for name, _ in fields] == ["callid", "created", "duration", "wav", "from", "to", "direction"]
    told = dict(fields)
    assert (told["callid"], told["from"], told["to"]) == (cid, line.number, line.far())
    assert told["wav"] == f"{line.server.http}/a1/recordings/{cid}-r0.wav"
    assert 1 <= int(told["duration"]) <= 2
    status, content = await line.file(told["wav"])
    assert status == 200
    with wave.open(io.BytesIO(content)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)
    assert find(read_wav(content), SPOKEN).likeness > 0.9
    assert dict(pairs(await line.hook("/next")))["result"] == "ok"
    await party.hung_up()
    shown = await line.over(cid)
    assert shown["recordings"] == [f"{cid}-r0"]
    assert shown["actions"][0]["result"] == "ok"


@topic("record")
async def test_record_ended_by_silence(line: Line) -> None:
    """Three seconds of silence end it where nothing else is said."""
    start = {"record": line.on("/rec", ""), "next": line.on("/next", {})}
    _, party = await line.talks(start)
    await party.voice.say(np.concatenate((SPOKEN, silence(3.4))))
    assert dict(pairs(await line.hook("/next", within_s=3)))["result"] == "ok"
    await line.hook("/rec")
    await party.hung_up()


@topic("record")
async def test_record_time_limit(line: Line) -> None:
    """`timelimit` ends it."""
    start = {"record": line.on("/rec", ""), "timelimit": "1", "next": line.on("/next", {})}
    _, party = await line.talks(start)
    saying = asyncio.ensure_future(party.voice.say(voice(9, 3)))
    assert dict(pairs(await line.hook("/next", within_s=2.5)))["result"] == "ok"
    assert dict(pairs(await line.hook("/rec")))["duration"] == "1"
    await party.hung_up()
    await saying


@topic("record")
async def test_record_too_short(line: Line) -> None:
    """Nothing worth keeping is `failed` with `tooshort`; nobody is told of a recording, and there is none."""
    start = {"record": line.on("/rec", ""), "next": line.on("/next", {})}
    cid, party = await line.talks(start)
    await party.voice.say(voice(9, 0.2))
    await party.voice.press("#")
    fields = dict(pairs(await line.hook("/next")))
    assert (fields["result"], fields["why"]) == ("failed", "tooshort")
    await party.hung_up()
    assert "recordings" not in await line.over(cid)
    assert line.got("/rec") == []


@topic("record")
async def test_record_until_hung_up(line: Line) -> None:
    """A caller who hangs up has left a message: it is posted, `next` is not, and `whenhangup` comes."""
    start = {"record": line.on("/rec", ""), "next": line.on("/next", {})}
    cid, party = await line.talks(start, whenhangup=line.on("/end", ""))
    await party.voice.say(SPOKEN)
    await party.hang_up()
    wanted = dict(pairs(await line.hook("/rec")))["wav"]
    # What was still on its way when the caller hung up is not in it.
    assert find(read_wav((await line.file(wanted))[1]), SPOKEN[:-800]).likeness > 0.9
    await line.hook("/end")
    assert line.got("/next") == []
    assert (await line.call(cid))["recordings"] == [f"{cid}-r0"]


@topic("record")
async def test_recording_kept_for_the_call(line: Line) -> None:
    """`local/<name>` is kept for `play` in the same call, and gone with it."""
    start = {"record": "local/name", "silencedetection": "no", "next": {"play": "local/name"}}
    cid, party = await line.talks(start)
    await party.voice.say(SPOKEN)
    await party.voice.press("#")
    await party.voice.hears(SPOKEN[:-1600])
    await party.hung_up()
    assert "recordings" not in await line.over(cid)
    assert (await line.file(f"{line.server.http}/a1/recordings/{cid}-r0.wav"))[0] == 404


@topic("recording webhook")
async def test_recording_post_is_retried(line: Line) -> None:
    """The post about a recording is repeated until it is taken."""
    rec = line.on("/rec", lambda _: web.Response(status=500), lambda _: web.Response(status=201))
    _, party = await line.talks({"record": rec, "silencedetection": "no"})
    await party.voice.say(SPOKEN)
    await party.voice.press("#")
    second = await line.hook("/rec", 2)
    assert second.body == line.got("/rec")[0].body
    await party.hung_up()


@topic("recording webhook")
async def test_answer_to_a_recording_post_means_nothing(line: Line) -> None:
    """The answer to the post about a recording is not read: with `hangup` in it the call goes on."""
    rec = line.on("/rec", {"hangup": "reject"})
    menu = {"ivr": "sound/dialtone", "next": line.on("/next", {})}
    cid, party = await line.talks({"record": rec, "silencedetection": "no", "next": menu})
    await party.voice.say(SPOKEN)
    await party.voice.press("#")
    await line.noted(cid, "hook.delivered")
    await party.voice.hears_tone(425.0)
    assert (await line.call(cid))["state"] == "ongoing"
    await party.voice.press("7")
    assert dict(pairs(await line.hook("/next")))["result"] == "7"
    await party.hung_up()
    assert len(line.got("/rec")) == 1
    assert [action["result"] for action in (await line.over(cid))["actions"]] == ["ok", "7"]


@topic("recording webhook")
async def test_when_a_recording_was_made(line: Line) -> None:
    """`created` is when the recording was finished, in the post and in the list, not when it or the call began."""
    start = {"record": line.on("/rec", ""), "silencedetection": "no", "next": {"play": "sound/dialtone"}}
    cid, party = await line.talks(start)
    await party.voice.say(SPOKEN)
    before = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    await party.voice.press("#")
    told = dict(pairs(await line.hook("/rec")))
    after = datetime.now(UTC).replace(tzinfo=None)
    await party.hang_up()
    (listed,) = (await line.ok("GET", "/recordings"))["data"]
    for created in (told["created"], listed["created"]):
        assert before <= datetime.fromisoformat(created) <= after
    begun = datetime.fromisoformat((await line.over(cid))["start"])
    assert datetime.fromisoformat(listed["created"]) - begun > timedelta(seconds=len(SPOKEN) / RATE - 0.2)


# ── recordcall ───────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("recordcall")
async def test_record_whole_call(line: Line) -> None:
    """Both parties are in one file, which is posted once after the end."""
    start = {"connect": line.far(2), "recordcall": line.on("/rec", "")}
    cid, a = await line.talks(start, whenhangup=line.on("/end", ""))
    b = await line.rings()
    await b.pick_up()
    one, other = voice(11, 1.5), voice(12, 1.5)
    await asyncio.gather(a.voice.say(one), b.voice.say(other))
    await a.voice.hears(other)
    await b.voice.hears(one)
    assert line.got("/rec") == []
    await b.hang_up()
    await a.hung_up()
    told = dict(pairs(await line.hook("/rec")))
    both = read_wav((await line.file(told["wav"]))[1])
    # Two voices at once, equally loud: each is about 0.7 of the sum.
    for said in (one, other):
        # Without its end: the file is no longer than the talk, and a shift by a packet would leave no room to search.
        whole, parts = find(both, said[:-1600]).likeness, (find(both, said[n : n + 4000]).likeness for n in (0, 4000))
        assert whole > 0.6 or (Voice.stammered and max(parts) > 0.5)
    await line.hook("/end")
    assert (await line.call(cid))["recordings"] == [f"{cid}-r0"]
    assert len(line.got("/rec")) == 1


@topic("recording webhook")
async def test_post_about_a_whole_call_is_retried(line: Line) -> None:
    """The post of `recordcall` is repeated too, the same bytes, until it is taken; what is answered means nothing."""

    def fault(_: Any) -> web.Response:
        return web.Response(status=500, text='{"hangup": "reject"}')

    rec = line.on("/rec", fault, fault, {"play": 1})
    cid, party = await line.talks({"play": "sound/dialtone", "recordcall": rec})
    await party.voice.say(SPOKEN)
    await party.hang_up()
    third = await line.hook("/rec", 3)
    await line.noted(cid, "hook.delivered")
    assert {hook.body for hook in line.got("/rec")} == {third.body}
    pauses = [after.at - before.at for before, after in itertools.pairwise(line.got("/rec"))]
    assert min(pauses) >= RETRY_S * 0.9
    assert dict(pairs(third))["wav"].endswith(f"/a1/recordings/{cid}-r0.wav")
    assert len(line.got("/rec")) == 3


@topic("rest recordings")
async def test_recording_is_its_owners(line: Line) -> None:
    """A recording needs the credentials of its account, and is listed and shown."""
    cid, party = await line.talks({"record": "true", "silencedetection": "no"})
    await party.voice.say(SPOKEN)
    await party.voice.press("#")
    await party.hung_up()
    await line.over(cid)
    (listed,) = (await line.ok("GET", "/recordings"))["data"]
    assert (listed["id"], listed["duration"]) == (f"{cid}-r0", 1)
    assert await line.ok("GET", f"/Recordings/{cid}-r0") == listed
    url = f"{line.server.http}/a1/Recordings/{cid}-r0.wav"
    async with line.server.session.get(url) as answer:
        assert answer.status == 401
    assert (await line.file(url))[0] == 200
    assert (await line.a1("GET", f"/recordings/{cid}-r7.wav"))[0] == 404
