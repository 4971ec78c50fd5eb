"""Sounds by what the customer called them, ready to be played: fetched once, decoded once, revalidated cheaply.

Calls that ask for one URL at the same time wait for one fetch. A sound that was had before is asked for again with its
ETag, unless its server said for how long it holds; if the server cannot be reached now, the one that we have is played.
A text that was spoken is kept like a file, and calls that want the same one at the same time wait for one engine.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import structlog

from offhook.flow.verbs import NamedSound, Silence, Sound, Speech, UrlSound
from offhook.media.frames import SAMPLE_RATE_HZ, Samples, prepare
from offhook.media.tones import tone
from offhook.runtime.sound.cache import PreparedSound, SoundCache, SpareCache
from offhook.runtime.sound.decode import BadSource, decode
from offhook.runtime.sound.shelf import Shelf
from offhook.runtime.speech.desk import SpeechDesk, SpeechPlan

__all__ = ["FetchedSound", "SoundFetcher", "SoundLibrary", "Unreachable"]

log = structlog.get_logger(__name__)

DECODERS = 2
"""Threads; a sound of a minute takes one of them about a tenth of a second."""
KNOWN_URLS = 10_000
SILENCE_MAX_S = 60.0
"""Of a pause among sounds; longer waiting is a verb of its own."""


class Unreachable(BadSource):
    """The server of a sound did not answer; one that we had before may still be played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedSound:
    """What a server answered."""

    content: bytes | None
    """`None`: unchanged (304)."""
    etag: str | None = None
    last_modified: str | None = None
    fresh_s: float = 0.0
    """How long it need not be asked again."""


class SoundFetcher(Protocol):
    """Gets sound files by HTTP."""

    async def get(self, url: str, *, etag: str | None, last_modified: str | None) -> FetchedSound:
        """A file, within its limits of size and time. Raises `BadSource`; `Unreachable` where trying again may help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    key: str
    etag: str | None
    last_modified: str | None
    fresh_until: float


class SoundLibrary:
    """All sounds of one server."""

    def __init__(
        self,
        cache: SoundCache,
        fetcher: SoundFetcher,
        *,
        clock: Callable[[], float] = time.monotonic,
        spare: SpareCache | None = None,
        speech: SpeechDesk | None = None,
    ) -> None:
        """`spare` takes what `cache` cannot, for want of room on the disk; without `speech` no text is spoken."""
        self._shelf = Shelf(cache, SpareCache() if spare is None else spare)
        self._fetcher = fetcher
        self._speech = speech
        self._clock = clock
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[PreparedSound]] = {}
        self._pool = ThreadPoolExecutor(DECODERS, thread_name_prefix="sound")

    async def prepare(self, sound: Sound) -> PreparedSound:
        """A sound of a flow. Raises `BadSource`."""
        match sound:
            case UrlSound(url=url):
                return await self.prepare_url(url)
            case NamedSound(name=name):
                return await self.prepare_tone(name)
            case Silence(seconds=seconds):
                return await self._prepare_silence(seconds)
            case Speech():
                return await self.prepare_speech(sound)
            case _:
                raise BadSource(f"{type(sound).__name__} is no sound that is kept in a library")

    def ready(self, sound: Sound) -> PreparedSound | None:
        """A sound that need not be waited for; `None`: `prepare` it."""
        match sound:
            case UrlSound(url=url):
                known = self._known.get(url)
                return self._shelf.get(known.key) if known is not None and known.fresh_until > self._clock() else None
            case NamedSound(name=name):
                return self._shelf.get(_tone_key(name))
            case _:
                return None

    async def prepare_url(self, url: str) -> PreparedSound:
        """A file on a web server. Raises `BadSource`."""
        return self.ready(UrlSound(url=url)) or await self._shared(url, lambda: self._fetch(url))

    async def prepare_speech(self, speech: Speech) -> PreparedSound:
        """A text, spoken: `await sounds.prepare(Speech(text="Hello", language="en"))`. Raises `BadSource`."""
        if self._speech is None:
            raise BadSource("nothing here can speak")
        plan = await self._speech.plan(speech)
        kept = self._shelf.get(plan.key)
        prepared = kept or await self._shared(plan.key, lambda: self._speak(plan))
        return replace(prepared, warning=plan.warning)

    async def prepare_tone(self, name: str) -> PreparedSound:
        """A tone of ours, such as `beep` or `ringback/se`. Raises `BadSource`."""
        key = _tone_key(name)
        kept = self._shelf.get(key)
        if kept is not None:
            return kept
        try:
            return await self._shelf.put(key, tone(name))
        except ValueError as error:
            raise BadSource(str(error)) from None
        except OSError as error:
            raise BadSource(f"the tone cannot be kept ({error.strerror})") from None

    async def _prepare_silence(self, seconds: float) -> PreparedSound:
        milliseconds = round(min(max(seconds, 0.0), SILENCE_MAX_S) * 1000)
        key = f"silence-{milliseconds}"
        try:
            samples = np.zeros(milliseconds * SAMPLE_RATE_HZ // 1000, dtype=np.int16)
            return self._shelf.get(key) or await self._shelf.put(key, samples)
        except OSError as error:
            raise BadSource(f"the silence cannot be kept ({error.strerror})") from None

    async def prepare_file(self, path: Path) -> PreparedSound:
        """A file of this machine, for what the operator or the call itself has put there. Raises `BadSource`."""
        loop = asyncio.get_running_loop()
        try:
            content = await loop.run_in_executor(self._pool, path.read_bytes)
        except OSError as error:
            raise BadSource(f"{path.name} cannot be read ({error.strerror})") from None
        return await self._decoded(content)

    async def close(self) -> None:
        """Stop what is under way."""
        for task in list(self._under_way.values()):
            task.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._shelf.close()

    async def _shared(self, name: str, make: Callable[[], Coroutine[Any, Any, PreparedSound]]) -> PreparedSound:
        """What is being made under this name, or begins to be."""
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(make())
            self._under_way[name] = task
            task.add_done_callback(lambda done: self._made(name, done))
        # A call that ends while it waits must not take the sound from the others.
        return await asyncio.shield(task)

    def _made(self, name: str, task: asyncio.Task[PreparedSound]) -> None:
        self._under_way.pop(name, None)
        if not task.cancelled():
            # Whoever asked may have gone: a failure that nobody hears of is no fault.
            task.exception()

    async def _speak(self, plan: SpeechPlan) -> PreparedSound:
        assert self._speech is not None
        samples = await self._speech.speak(plan)
        # Minutes of speech take tens of milliseconds to encode, which no other call must hear.
        content = await asyncio.get_running_loop().run_in_executor(self._pool, prepare, samples)
        try:
            return await self._shelf.put(plan.key, samples, content)
        except OSError as error:
            raise BadSource(f"the spoken text cannot be kept ({error.strerror})") from None

    async def _fetch(self, url: str) -> PreparedSound:
        known = self._known.get(url)
        kept = None if known is None else self._shelf.get(known.key)
        if known is None or kept is None:
            return await self._fetch_whole(url)
        try:
            fetched = await self._fetcher.get(url, etag=known.etag, last_modified=known.last_modified)
        except Unreachable as error:
            log.info("sound.stale", why=str(error))
            return kept
        if fetched.content is None:
            self._remember(url, replace(known, fresh_until=self._clock() + fetched.fresh_s))
            return kept
        return await self._keep(url, fetched)

    async def _fetch_whole(self, url: str) -> PreparedSound:
        fetched = await self._fetcher.get(url, etag=None, last_modified=None)
        if fetched.content is None:
            raise BadSource("the server says that a file is unchanged which it has never sent")
        return await self._keep(url, fetched)

    async def _keep(self, url: str, fetched: FetchedSound) -> PreparedSound:
        assert fetched.content is not None
        prepared = await self._decoded(fetched.content)
        self._remember(
            url,
            _Known(
                key=prepared.path.stem,
                etag=fetched.etag,
                last_modified=fetched.last_modified,
                fresh_until=self._clock() + fetched.fresh_s,
            ),
        )
        return prepared

    async def _decoded(self, content: bytes) -> PreparedSound:
        loop = asyncio.get_running_loop()
        key = await loop.run_in_executor(self._pool, SoundCache.key, content)
        kept = self._shelf.get(key)
        if kept is not None:
            return kept
        samples: Samples = await loop.run_in_executor(self._pool, decode, content)
        try:
            return await self._shelf.put(key, samples)
        except OSError as error:
            raise BadSource(f"the sound cannot be kept ({error.strerror})") from None

    def _remember(self, url: str, known: _Known) -> None:
        self._known[url] = known
        self._known.move_to_end(url)
        while len(self._known) > KNOWN_URLS:
            self._known.popitem(last=False)


def _tone_key(name: str) -> str:
    return f"tone-{name.replace('/', '-')}"
