"""A telephone in software at a real exchange: it registers, rings, talks and says what happens to it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.engine_line import Line
from tests.support.indoors import FAR, PHONE, Exchange, exchange
from tests.support.sip_party import DEADLINE_S, DOMAIN, driven
from tests.support.sounds import RATE, encoded

from offhook.flow.view import Cause
from offhook.media import commands as engine
from offhook.media import events as said
from offhook.runtime.media_legs import MediaLegs
from offhook.runtime.phone import Phone, PhoneSettings
from offhook.runtime.sip_driver import SipDriver, now
from offhook.runtime.sip_legs import SipLegs
from offhook.runtime.sound.cache import SoundCache
from offhook.runtime.sound.library import FetchedSound, SoundLibrary, Unreachable
from offhook.runtime.trunks import Trunks
from offhook.sip import events as sip
from offhook.sip.uri import Uri
from offhook.storage.store import Storage


class NoWeb:
    """A phone plays files of its own machine."""

    async def get(self, url: str, *, etag: str | None, last_modified: str | None) -> FetchedSound:
        raise Unreachable(url)


class Handset:
    """A phone, and what it says."""

    def __init__(self, x: Exchange, folder: Path, **settings: Any) -> None:
        loop = asyncio.get_running_loop()
        self.line = Line(later=loop.call_soon)
        self.media = MediaLegs(self.line, "127.0.0.1")
        self.line.tell = self.media.handle
        self.driver = SipDriver()
        self.said: list[tuple[str, Mapping[str, Any]]] = []
        self._more = asyncio.Event()
        self.sounds = SoundLibrary(SoundCache(folder / "sound"), NoWeb())
        server = settings.pop("server", Uri.parse(f"sip:127.0.0.1:{x.address[1]}"))
        self.phone = Phone(
            PhoneSettings(
                number=PHONE,
                password=settings.pop("password", x.phone.secret),
                domain=DOMAIN,
                server=server,
                **settings,
            ),
            driver=self.driver,
            legs=SipLegs(driver=self.driver, media=self.media, media_host="127.0.0.1", media_timeout_ms=0),
            media=self.media,
            sounds=self.sounds,
            tell=self.tell,
        )
        self.driver.on_event = self.phone.handle

    def tell(self, what: str, data: Mapping[str, Any]) -> None:
        self.said.append((what, data))
        self._more.set()

    async def says(self, word: str) -> Mapping[str, Any]:
        """Wait until it says something of a kind, for the first time since it was asked."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for entry in self.said:
                    if entry[0] == word:
                        self.said.remove(entry)
                        return entry[1]
                self._more.clear()
                await self._more.wait()

    async def asked(self, kind: type[Any]) -> Any:
        async with asyncio.timeout(DEADLINE_S):
            while not self.line.all(kind):
                await self.line.more()
        return self.line.last(kind)

    async def over(self) -> Cause:
        return (await asyncio.wait_for(self.phone.over(), DEADLINE_S)).cause


@asynccontextmanager
async def handset(storage: Storage, tmp_path: Path, **settings: Any) -> AsyncIterator[tuple[Exchange, Handset]]:
    async with exchange(storage) as x:
        made = Handset(x, tmp_path, **settings)
        await driven(made.driver)
        try:
            yield x, made
        finally:
            await made.driver.close()
            await made.sounds.close()


async def ringing(storage: Storage, x: Exchange, h: Handset) -> None:
    """Registered, and called."""
    assert await h.phone.register() == ""
    x.dial('{"play":"sound/ringback"}', to=PHONE)
    await h.says("called")


# ── registering ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_it_registers_and_leaves(storage: Storage, tmp_path: Path) -> None:
    async with handset(storage, tmp_path) as (x, h):
        assert await h.phone.register() == ""
        aor = Uri.sip("4600100", DOMAIN)
        assert len(x.driver.endpoint.lookup(aor, now())) == 1
        await asyncio.wait_for(h.phone.leave(), DEADLINE_S)
        assert x.driver.endpoint.lookup(aor, now()) == ()


async def test_it_says_why_it_may_not_register(storage: Storage, tmp_path: Path) -> None:
    async with handset(storage, tmp_path, password="wrong") as (_, h):
        assert (await h.phone.register()).startswith("401")


async def test_it_says_that_nobody_answers(storage: Storage, tmp_path: Path) -> None:
    async with handset(storage, tmp_path, server=Uri.parse("sip:127.0.0.1:9")) as (_, h):
        assert "no answer from sip:127.0.0.1:9" in await h.phone.register(within_s=0.01)


async def test_one_that_never_registered_has_nothing_to_take_back(storage: Storage, tmp_path: Path) -> None:
    async with handset(storage, tmp_path) as (_, h):
        await asyncio.wait_for(h.phone.leave(), DEADLINE_S)


async def test_nobody_registers_at_a_phone(storage: Storage, tmp_path: Path) -> None:
    async with handset(storage, tmp_path) as (x, h):
        at = h.driver.sockets.listening
        (sock,) = at.values()
        x.storage.directory.add_trunk(
            "phone", f"sip:127.0.0.1:{sock.getsockname()[1]}", register=True, username="u", password="p"
        )
        trunks = Trunks(x.driver, x.storage.directory)
        refused = asyncio.Event()

        def heard(event: sip.RegistrationChanged) -> None:
            if event.status == 480:
                refused.set()

        x.board.on_registration.append(heard)
        trunks.follow()
        await asyncio.wait_for(refused.wait(), DEADLINE_S)


# ── being called ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_it_answers_by_itself_and_hears_the_end(storage: Storage, tmp_path: Path) -> None:
    async with handset(storage, tmp_path, answer=True) as (x, h):
        await ringing(storage, x, h)
        await h.says("answered")
        assert h.phone.in_call
        x.board.end_all(Cause.NORMAL)
        assert await h.over() is Cause.NORMAL
        assert (await h.says("ended"))["cause"] == "normal"
        assert not h.phone.in_call
        assert (await h.says("heard"))["packets_received"] == 50
        await x.over()


async def test_it_rings_until_its_user_picks_up_and_hangs_up(storage: Storage, tmp_path: Path) -> None:
    async with handset(storage, tmp_path) as (x, h):
        h.phone.pick_up()
        h.phone.hang_up()
        h.phone.press("1")
        assert h.said == [], "without a call there is nothing to do"
        await ringing(storage, x, h)
        assert not h.phone.in_call
        h.phone.pick_up()
        await h.says("answered")
        h.phone.press("12#")
        assert len((await h.asked(engine.SendDigits)).digits) == 3
        h.phone.hang_up()
        assert await h.over() is Cause.NORMAL
        await x.over()


async def test_a_user_who_does_not_want_to_is_not_there(storage: Storage, tmp_path: Path) -> None:
    async with handset(storage, tmp_path) as (x, h):
        await ringing(storage, x, h)
        call = x.only_call
        h.phone.hang_up()
        assert await h.over() is Cause.NORMAL
        await x.over()
        assert (await x.row(call)).cause == "unavailable"


async def test_a_second_caller_hears_busy(storage: Storage, tmp_path: Path) -> None:
    async with handset(storage, tmp_path, answer=True) as (x, h):
        await ringing(storage, x, h)
        await h.says("answered")
        first = x.only_call
        second = x.dial(to=PHONE).id
        async with asyncio.timeout(DEADLINE_S):
            while second in x.board.live:
                x.engine_spoke.clear()
                await x.engine_spoke.wait()
        assert (await x.row(second)).state == "busy"
        assert list(x.board.live) == [first]
        x.board.end_all(Cause.NORMAL)
        await x.over()
        await h.over()


async def test_a_caller_who_gives_up_before_it_would_answer(storage: Storage, tmp_path: Path) -> None:
    async with handset(storage, tmp_path, answer=True, answer_after_s=3600) as (x, h):
        await ringing(storage, x, h)
        x.board.end_all(Cause.CANCELLED)
        assert await h.over() is Cause.CANCELLED
        (waits,) = h.phone._tasks
        waits.cancel()
        await x.over()


async def test_it_hangs_up_after_a_while(storage: Storage, tmp_path: Path) -> None:
    async with handset(storage, tmp_path, answer=True, hang_up_after_s=0.001) as (x, h):
        await ringing(storage, x, h)
        assert await h.over() is Cause.NORMAL
        await x.over()


# ── what it plays, presses and records ───────────────────────────────────────────────────────────────────────────────


async def test_it_plays_presses_and_records(storage: Storage, tmp_path: Path) -> None:
    hello, heard = tmp_path / "hello.wav", tmp_path / "heard.wav"
    hello.write_bytes(encoded("wav", "pcm_s16le", RATE))
    async with handset(storage, tmp_path, answer=True, play=hello, record=heard, digits="1w2") as (x, h):
        await ringing(storage, x, h)
        play = await h.asked(engine.Play)
        assert len(play.files) == 1
        assert "".join(tone.digit for tone in h.line.last(engine.SendDigits).digits) == "12"
        start = h.line.last(engine.StartRecording)
        assert (start.path, start.recorded) == (str(heard), engine.RecordingKind.PARTY)
        h.line.tell(
            said.PlaybackEnded(
                session=play.session, playback=play.playback, reason=said.PlaybackEnd.FINISHED, played_ms=1, detail=""
            )
        )
        await h.says("played")
        x.board.end_all(Cause.NORMAL)
        over = asyncio.ensure_future(h.phone.over())
        await h.says("ended")
        await asyncio.sleep(0)
        assert not over.done(), "what was recorded is not on disk yet"
        h.line.tell(
            said.RecordingEnded(
                recording=start.recording, session=start.session, reason=said.RecordingEnd.CLOSED, duration_ms=1500,
                voiced_ms=1, bytes=1, detail="",
            )
        )  # fmt: skip
        assert (await h.says("recorded"))["seconds"] == 1.5
        assert (await asyncio.wait_for(over, DEADLINE_S)).cause is Cause.NORMAL
        await x.over()


async def test_a_file_that_is_no_sound_is_said(storage: Storage, tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.wav"
    rubbish.write_bytes(b"rubbish")
    async with handset(storage, tmp_path, answer=True, play=rubbish) as (x, h):
        await ringing(storage, x, h)
        assert (await h.says("failed"))["why"]
        x.board.end_all(Cause.NORMAL)
        await h.over()
        await x.over()


# ── calling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("to", ["0701234567", f"sip:0701234567@{DOMAIN}"])
async def test_it_calls_and_hears_ringing_and_the_answer(storage: Storage, tmp_path: Path, to: str) -> None:
    async with handset(storage, tmp_path) as (x, h):
        x.runs(f'{{"connect":"{FAR}"}}', PHONE)
        h.phone.dial(to)
        assert (await h.says("dialling"))["to"] == to
        with pytest.raises(RuntimeError, match="in a call"):
            h.phone.dial("1")
        invite = await x.far.wait(sip.IncomingInvite)
        x.far.endpoint.ring(invite.session, now())
        x.far.say()
        await h.says("ringing")
        x.far.endpoint.hang_up(invite.session, now())
        x.far.say()
        assert await h.over() is not Cause.NORMAL
        await x.over()
