"""Texts to prepared samples: which engine speaks, what it is given, and the limits that hold for all of them alike.

Nothing here waits for a disk or computes on the event loop for long. A text that cannot be spoken is `BadSource`, whose
sentence stands in the call's timeline; no engine's fault is anybody else's.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from offhook.flow.verbs import Speech
from offhook.media.frames import Samples
from offhook.runtime.sound.decode import BadSource
from offhook.runtime.speech.levels import telephone_sound
from offhook.runtime.speech.provider import (
    MAN,
    WOMAN,
    OfferedVoice,
    Piece,
    SpeechFailed,
    SpeechProvider,
    Utterance,
    Voice,
)
from offhook.runtime.speech.words import written_out
from offhook.setting_values import VoiceRule

__all__ = ["SPEECH_MAX_CHARS", "SPEECH_MAX_S", "SpeechDesk", "SpeechPlan", "spoken_language"]

log = structlog.get_logger(__name__)

SPEECH_MAX_CHARS = 4000
"""Five minutes. 46elks takes 179; a longer text than this is a document that came to the wrong place."""
SPEECH_MAX_S = 600
"""Of sound; an engine that goes on longer does not read this text."""
WAITING_MAX = 200
"""Texts that one engine may have before it; another one would only be late."""
AT_ONCE = {"espeak": 4, "flite": 2, "piper": 4, "http": 16}
"""Texts that an engine is given at once; espeak-ng and piper have fewer processes, which take them in turn."""
MAKING = "2"
"""Part of every key: changed when the same text, engine and voice come to sound different."""
GENDERS = {
    "": "", "man": MAN, "men": MAN, "male": MAN, "woman": WOMAN, "women": WOMAN, "female": WOMAN, "default": "",
}  # fmt: skip
LANGUAGES = {"en": "en-us", "no": "nb", "zh": "cmn", "zh-cn": "cmn", "zh-tw": "cmn", "zh-hk": "yue", "iw": "he"}
"""Names of languages that an engine has under another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechPlan:
    """What would be done to speak a text."""

    provider: SpeechProvider
    utterance: Utterance
    key: str
    """The same for texts that sound the same."""
    warning: str = ""
    """What was not as the customer asked."""


class SpeechDesk:
    """All speech of one server."""

    def __init__(
        self,
        providers: Sequence[SpeechProvider],
        *,
        rules: Sequence[VoiceRule] = (),
        preferred: Mapping[str, str] | None = None,
        language: str = "en",
        voice: str = WOMAN,
        timeout_s: float = 10.0,
    ) -> None:
        """`preferred`: engines by language, for what no rule is about; everything else is the first provider's.

        `language` and `voice` stand in for what nobody speaks; `timeout_s` bounds a text, its waiting included.
        """
        self._providers = {provider.name: provider for provider in providers}
        self._general = providers[0]
        self._rules = tuple(rules)
        self._preferred = dict(preferred or {})
        self._language = spoken_language(language)
        self._voice = voice
        self._timeout_s = timeout_s
        self._free = {name: asyncio.Semaphore(AT_ONCE.get(name, 1)) for name in self._providers}
        self._busy: Counter[str] = Counter()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="speech")

    # ── choosing ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def plan(self, speech: Speech) -> SpeechPlan:
        """Who would speak it. Raises `BadSource`."""
        if len(speech.text) > SPEECH_MAX_CHARS:
            raise BadSource(f"a text of {len(speech.text)} characters is too long; {SPEECH_MAX_CHARS} can be spoken")
        try:
            async with asyncio.timeout(self._timeout_s):
                provider, language, name, warning = await self._choose(speech)
        except SpeechFailed as error:
            raise BadSource(str(error)) from None
        except TimeoutError:
            raise BadSource(f"the engine of speech does not answer within {self._timeout_s:g} s") from None
        text = written_out(speech.text, language)
        if not any(sign.isalnum() for sign in text):
            raise BadSource("there is nothing to say in this text")
        utterance = Utterance(text=text, language=language, voice=name)
        parts = (MAKING, provider.name, provider.identity(name), language, name, text)
        key = hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:40]
        return SpeechPlan(provider=provider, utterance=utterance, key=f"speech-{key}", warning=warning)

    async def _choose(self, speech: Speech) -> tuple[SpeechProvider, str, str, str]:
        """Engine, language and voice as the engine names them, and a warning."""
        language, asked = spoken_language(speech.language), speech.voice.strip().lower()
        rule = next(
            (rule for rule in self._rules if rule.fits(language, GENDERS.get(asked, asked) or self._voice)), None
        )
        warning = ""
        if rule is None and asked not in GENDERS:
            warning = f"there is no voice {speech.voice}; {self._voice} speaks"
            asked = ""
            rule = next((rule for rule in self._rules if rule.fits(language, self._voice)), None)
        wanted = GENDERS.get(asked, asked) or self._voice
        if rule is not None:
            provider = self._provider(rule.engine)
            if rule.name:
                return provider, await self._language_for(provider, language), rule.name, warning
            return await self._by_gender(provider, language, wanted, warning)
        engine = self._preferred.get(language.partition("-")[0], "")
        return await self._by_gender(self._providers.get(engine, self._general), language, wanted, warning)

    async def _by_gender(
        self, provider: SpeechProvider, language: str, gender: str, warning: str
    ) -> tuple[SpeechProvider, str, str, str]:
        voices = [voice for voice in await provider.voices() if voice.gender in (gender, "")]
        found = _best(voices, language)
        if found is None:
            instead = _best(voices, self._language)
            if instead is None:
                raise SpeechFailed(f"{provider.name} has no voice for {language or 'this text'}")
            warning = f"nobody speaks {language}; it is read as {self._language}"
            found = instead
        return provider, found.language or language, found.name, warning

    async def _language_for(self, provider: SpeechProvider, language: str) -> str:
        found = _best(await provider.voices(), language)
        return language if found is None else found.language or language

    def _provider(self, name: str) -> SpeechProvider:
        found = self._providers.get(name)
        if found is None:
            raise SpeechFailed(f"there is no engine {name}")
        return found

    async def offered(self) -> tuple[OfferedVoice, ...]:
        """What can be asked for. An engine that is missing offers nothing."""
        found = [
            OfferedVoice(
                language="" if rule.language == "*" else rule.language,
                voice=self._voice if rule.voice == "*" else rule.voice,
                engine=rule.engine,
                name=rule.name,
            )
            for rule in self._rules
            if rule.name
        ]
        languages = sorted({voice.language for each in self._providers.values() for voice in await _of(each)} - {""})
        for language in languages:
            # Together they take some 15 ms, which calls must not wait for.
            await asyncio.sleep(0)
            for gender in (WOMAN, MAN):
                try:
                    provider, spoken, name, _ = await self._choose(Speech(text="", language=language, voice=gender))
                except SpeechFailed:
                    continue
                if spoken != language:
                    continue  # spoken as another one: that one is in the list
                found.append(OfferedVoice(language=language, voice=gender, engine=provider.name, name=name))
        unique = {(each.language, each.voice): each for each in reversed(found)}
        return tuple(unique[key] for key in sorted(unique))

    # ── speaking ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def speak(self, plan: SpeechPlan) -> Samples:
        """The sound, at 8000 samples a second. Raises `BadSource`."""
        engine = plan.provider.name
        if self._busy[engine] >= WAITING_MAX:
            raise BadSource(f"{WAITING_MAX} texts wait for {engine} already; try again later")
        self._busy[engine] += 1
        try:
            async with asyncio.timeout(self._timeout_s), self._free[engine]:
                pieces = await self._pieces(plan)
        except TimeoutError:
            raise BadSource(f"{engine} did not speak it within {self._timeout_s:g} s") from None
        except SpeechFailed as error:
            raise BadSource(str(error)) from None
        except Exception:
            # An engine's fault is this sound's and nobody else's.
            log.exception("speech.fault", engine=engine)
            raise BadSource(f"{engine} failed; the server's log has why") from None
        finally:
            self._busy[engine] -= 1
        loop = asyncio.get_running_loop()
        samples = await loop.run_in_executor(self._pool, telephone_sound, pieces)
        if not len(samples):
            raise BadSource(f"{engine} had nothing to say to this text")
        return samples

    async def _pieces(self, plan: SpeechPlan) -> list[Piece]:
        pieces: list[Piece] = []
        seconds = 0.0
        async with aclosing(plan.provider.speak(plan.utterance)) as stream:
            async for piece in stream:
                pieces.append(piece)
                seconds += len(piece.samples) / piece.rate_hz
                if seconds > SPEECH_MAX_S:
                    raise SpeechFailed(f"{plan.provider.name} spoke longer than {SPEECH_MAX_S} s")
        return pieces

    async def close(self) -> None:
        """End every engine."""
        for provider in self._providers.values():
            await provider.close()
        self._pool.shutdown(wait=False, cancel_futures=True)


def spoken_language(text: str) -> str:
    """`en_US`, `EN-us` as `en-us`; what an engine has under another name, under that."""
    language = text.strip().replace("_", "-").lower()
    return LANGUAGES.get(language, language)


async def _of(provider: SpeechProvider) -> tuple[Voice, ...]:
    try:
        return await provider.voices()
    except SpeechFailed:
        return ()


def _best(voices: Sequence[Voice], language: str) -> Voice | None:
    """The voice of this very language, else of the language without its country, else of another country."""
    primary = language.partition("-")[0]

    def rank(voice: Voice) -> int:
        spoken = voice.language
        if spoken == language:
            return 0
        if spoken in (primary, ""):
            return 1 if spoken else 3
        return 2 if primary and spoken.partition("-")[0] == primary else 9

    found = min(voices, key=rank, default=None)
    return None if found is None or rank(found) == 9 else found
