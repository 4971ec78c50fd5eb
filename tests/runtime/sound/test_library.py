"""Sounds are fetched once, decoded once, revalidated, and never lost because a server is away for a moment."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.sounds import encoded

from offhook.flow.verbs import NamedSound, Silence, Speech, UrlSound
from offhook.media.frames import Samples, sample_count
from offhook.runtime.sound.cache import SoundCache, SpareCache
from offhook.runtime.sound.decode import BadSource
from offhook.runtime.sound.library import FetchedSound, SoundLibrary, Unreachable
from offhook.runtime.speech.desk import SpeechDesk, SpeechPlan
from offhook.runtime.speech.espeak import Espeak

URL = "https://app.example/hello.wav"


@dataclass
class Web:
    """A web server of one file, in a test's hands."""

    content: bytes
    etag: str | None = '"1"'
    fresh_s: float = 0.0
    away: bool = False
    asked: list[str | None] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def get(self, url: str, *, etag: str | None, last_modified: str | None) -> FetchedSound:
        self.asked.append(etag)
        self.arrived.set()
        await self.gate.wait()
        if self.away:
            raise Unreachable("connection refused")
        if etag is not None and etag == self.etag:
            return FetchedSound(content=None, fresh_s=self.fresh_s)
        return FetchedSound(content=self.content, etag=self.etag, fresh_s=self.fresh_s)


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def web() -> Web:
    made = Web(encoded("wav", "pcm_s16le", 8000))
    made.gate.set()
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def library(tmp_path: Path, web: Web, clock: Clock) -> AsyncIterator[SoundLibrary]:
    made = SoundLibrary(SoundCache(tmp_path), web, clock=clock)
    yield made
    await made.close()


async def test_a_sound_is_fetched_and_revalidated(library: SoundLibrary, web: Web) -> None:
    first = await library.prepare(UrlSound(url=URL))
    assert first.duration_ms == 2000
    assert await library.prepare(UrlSound(url=URL)) == first
    assert web.asked == [None, '"1"']


async def test_a_changed_sound_is_heard(library: SoundLibrary, web: Web) -> None:
    first = await library.prepare(UrlSound(url=URL))
    web.content, web.etag = encoded("mp3", "libmp3lame", 16000), '"2"'
    assert (await library.prepare(UrlSound(url=URL))).path != first.path


async def test_a_fresh_sound_is_not_asked_for(library: SoundLibrary, web: Web, clock: Clock) -> None:
    web.fresh_s = 60
    await library.prepare(UrlSound(url=URL))
    clock.now += 59
    await library.prepare(UrlSound(url=URL))
    assert len(web.asked) == 1
    clock.now += 2
    await library.prepare(UrlSound(url=URL))
    assert len(web.asked) == 2
    await library.prepare(UrlSound(url=URL))
    assert len(web.asked) == 2


async def test_only_what_need_not_be_waited_for_is_ready(library: SoundLibrary, web: Web, clock: Clock) -> None:
    assert library.ready(UrlSound(url=URL)) is None
    assert library.ready(NamedSound(name="beep")) is None
    web.fresh_s = 60
    sounds = [UrlSound(url=URL), NamedSound(name="beep")]
    made = [await library.prepare(sound) for sound in sounds]
    assert [library.ready(sound) for sound in sounds] == made
    clock.now += 61
    assert [library.ready(sound) for sound in sounds] == [None, made[1]]
    made[1].path.unlink()
    assert library.ready(NamedSound(name="beep")) is None
    assert library.ready(Silence(seconds=1)) is None


async def test_many_calls_make_one_fetch_and_one_that_leaves_takes_nothing_away(
    library: SoundLibrary, web: Web
) -> None:
    web.gate.clear()
    waiting = [asyncio.ensure_future(library.prepare(UrlSound(url=URL))) for _ in range(5)]
    await asyncio.wait_for(web.arrived.wait(), 5)
    waiting.pop(0).cancel()
    web.gate.set()
    assert len({sound.path for sound in await asyncio.gather(*waiting)}) == 1
    assert len(web.asked) == 1


async def test_a_sound_we_have_is_played_while_its_server_is_away(library: SoundLibrary, web: Web) -> None:
    first = await library.prepare(UrlSound(url=URL))
    web.away = True
    assert await library.prepare(UrlSound(url=URL)) == first
    with pytest.raises(Unreachable, match="refused"):
        await library.prepare(UrlSound(url=URL + "?other"))


async def test_a_sound_that_vanished_from_the_disk_is_fetched_whole(library: SoundLibrary, web: Web) -> None:
    (await library.prepare(UrlSound(url=URL))).path.unlink()
    assert (await library.prepare(UrlSound(url=URL))).path.exists()
    assert web.asked == [None, None]


async def test_an_unchanged_file_never_sent_is_no_sound(tmp_path: Path) -> None:
    class Odd:
        async def get(self, url: str, *, etag: str | None, last_modified: str | None) -> FetchedSound:
            return FetchedSound(content=None)

    library = SoundLibrary(SoundCache(tmp_path), Odd())
    with pytest.raises(BadSource, match="never sent"):
        await library.prepare(UrlSound(url=URL))
    await library.close()


async def test_text_is_no_sound(library: SoundLibrary, web: Web) -> None:
    web.content = b"not found"
    with pytest.raises(BadSource, match="no sound"):
        await library.prepare(UrlSound(url=URL))


async def test_tones_by_name(library: SoundLibrary) -> None:
    sound = await library.prepare(NamedSound(name="busy/us"))
    assert sound.duration_ms == 1000
    assert sample_count(sound.path.read_bytes()[:64]) == 8000
    assert await library.prepare(NamedSound(name="busy/us")) == sound
    with pytest.raises(BadSource, match="there are"):
        await library.prepare(NamedSound(name="../../etc/passwd"))


@pytest.mark.parametrize(("seconds", "duration_ms"), [(1.5, 1500), (-1.0, 0), (1e9, 60_000)])
async def test_a_pause_among_sounds_is_as_long_as_it_should_be(
    library: SoundLibrary, seconds: float, duration_ms: int
) -> None:
    sound = await library.prepare(Silence(seconds=seconds))
    assert sound.duration_ms == duration_ms
    assert await library.prepare(Silence(seconds=seconds)) == sound


async def test_a_pause_that_the_disk_does_not_take(library: SoundLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SoundCache, "write", full)
    monkeypatch.setattr(SpareCache, "put", full)
    with pytest.raises(BadSource, match="cannot be kept"):
        await library.prepare(Silence(seconds=1.0))


async def test_files_of_this_machine(library: SoundLibrary, tmp_path: Path) -> None:
    (tmp_path / "hello.wav").write_bytes(encoded("wav", "pcm_s16le", 16000))
    assert (await library.prepare_file(tmp_path / "hello.wav")).duration_ms == pytest.approx(2000, abs=5)
    with pytest.raises(BadSource, match="cannot be read"):
        await library.prepare_file(tmp_path / "none.wav")


async def test_without_engines_nothing_is_spoken(library: SoundLibrary) -> None:
    with pytest.raises(BadSource, match="nothing here can speak"):
        await library.prepare(Speech(text="hello"))


async def test_a_text_is_spoken_once(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many calls want it at a time, and after that never again: not even by another server process."""
    desk = SpeechDesk((Espeak(),))
    spoken: list[str] = []
    speak = desk.speak

    async def counted(plan: SpeechPlan) -> Samples:
        spoken.append(plan.utterance.text)
        return await speak(plan)

    monkeypatch.setattr(desk, "speak", counted)
    library = SoundLibrary(SoundCache(tmp_path), web, speech=desk)
    text = Speech(text="Hello, and welcome.", language="en_US")
    first, *others = await asyncio.gather(*(library.prepare(text) for _ in range(20)))
    assert set(others) == {first}
    assert 800 < first.duration_ms < 3000
    assert await library.prepare(text) == first
    await library.close()
    again = SoundLibrary(SoundCache(tmp_path), web, speech=desk)
    assert await again.prepare(text) == first
    assert spoken == ["Hello, and welcome."]
    await again.close()
    await desk.close()


async def test_a_call_that_leaves_does_not_take_the_text_from_the_others(tmp_path: Path, web: Web) -> None:
    desk = SpeechDesk((Espeak(),))
    library = SoundLibrary(SoundCache(tmp_path), web, speech=desk)
    leaves, stays = [asyncio.ensure_future(library.prepare(Speech(text="Hello."))) for _ in range(2)]
    await asyncio.sleep(0)
    leaves.cancel()
    assert (await stays).duration_ms > 200
    await library.close()
    await desk.close()


async def test_what_was_not_as_asked_is_told(tmp_path: Path, web: Web) -> None:
    desk = SpeechDesk((Espeak(),))
    library = SoundLibrary(SoundCache(tmp_path), web, speech=desk)
    for _ in range(2):
        assert "nobody speaks tlh" in (await library.prepare(Speech(text="Qapla", language="tlh"))).warning
    assert (await library.prepare(Speech(text="Qapla", language="en"))).warning == ""
    await library.close()
    await desk.close()


async def test_a_text_that_the_disk_does_not_take(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    desk = SpeechDesk((Espeak(),))
    library = SoundLibrary(SoundCache(tmp_path), web, speech=desk)
    monkeypatch.setattr(SoundCache, "write", full)
    with pytest.raises(BadSource, match="cannot be kept"):
        await library.prepare(Speech(text="hello"))
    await library.close()
    await desk.close()


async def test_a_full_disk_is_a_bad_source(library: SoundLibrary, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SoundCache, "write", full)
    with pytest.raises(BadSource, match="No space"):
        await library.prepare(UrlSound(url=URL))


async def test_a_full_disk_silences_nobody(tmp_path: Path, web: Web, clock: Clock) -> None:
    """Tones and files are kept off the disk then, revalidated as ever, and the room is given back at the end."""
    folder = tmp_path / "sound"
    cache = SoundCache(folder)
    folder.rmdir()
    folder.symlink_to("/dev/full")
    made = SoundLibrary(cache, web, clock=clock, spare=SpareCache(tmp_path))
    assert (await made.prepare(NamedSound(name="beep"))).path.is_file()
    first = await made.prepare(UrlSound(url=URL))
    assert first.path.is_file()
    assert await made.prepare(UrlSound(url=URL)) == first
    assert web.asked == [None, web.etag]
    await made.close()
    assert not first.path.exists()


async def test_no_room_anywhere_is_a_bad_source(tmp_path: Path, web: Web) -> None:
    folder = tmp_path / "sound"
    cache = SoundCache(folder)
    folder.rmdir()
    folder.symlink_to("/dev/full")
    made = SoundLibrary(cache, web, spare=SpareCache(folder))
    try:
        for sound in (NamedSound(name="beep"), UrlSound(url=URL)):
            with pytest.raises(BadSource, match="cannot be kept"):
                await made.prepare(sound)
    finally:
        await made.close()
