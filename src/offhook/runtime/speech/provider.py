"""What an engine of speech is: text in, a stream of samples out. Everything else here is either one, or chooses one.

An engine says what it cannot do with `SpeechFailed`, whose text is the sentence for the customer's timeline. It never
bounds its own time, length or numbers: `desk.py` does that for all of them alike.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from offhook.media.frames import Samples

__all__ = ["MAN", "WOMAN", "OfferedVoice", "Piece", "SpeechFailed", "SpeechProvider", "Utterance", "Voice"]

MAN, WOMAN = "man", "woman"


class SpeechFailed(Exception):
    """A text that cannot be spoken; says why and, to the operator, what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A voice of an engine."""

    language: str
    """As BCP 47 has it, in lower case: `en-us`, `sv`. Empty: whatever the text is in."""
    name: str
    """The engine's own name: `slt`, `+f5`, a model's path."""
    gender: str = ""
    """`man` or `woman`, where the engine has both for each language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedVoice:
    """What a customer may ask for, and what speaks then."""

    language: str
    """Empty: any."""
    voice: str
    engine: str
    name: str
    """The engine's own name for the voice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What is to be spoken; made ready already, so that an engine reads it as it stands."""

    text: str
    language: str
    """One of the engine's own."""
    voice: str
    """The engine's own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some of the sound, one channel."""

    rate_hz: int
    samples: Samples


class SpeechProvider(Protocol):
    """An engine. `espeak.py`, `flite.py`, `piper_voices.py` and `http_service.py` are the ones there are."""

    @property
    def name(self) -> str:
        """As settings say it: `espeak`."""

    async def voices(self) -> tuple[Voice, ...]:
        """What it speaks with. Raises `SpeechFailed` when it is not installed, or does not start."""

    def identity(self, voice: str) -> str:
        """What, besides the utterance, makes its sound what it is (a model, an address): part of the cache's key."""

    def speak(self, utterance: Utterance) -> AsyncGenerator[Piece]:
        """The sound, as it comes. Raises `SpeechFailed`. Closing the iterator early stops the work."""

    async def close(self) -> None:
        """End what runs."""
