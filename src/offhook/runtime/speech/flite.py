"""Debian's `flite`, where it is on the PATH: English that people and recognisers understand better over G.711.

A process for each text (a sentence takes about 80 ms, nearly all of it the voice), which writes a WAV to its standard
output. It reads ASCII only, so what else a text has is brought to that first.
"""

import asyncio
import contextlib
import os
import shutil
import unicodedata
from collections.abc import AsyncGenerator

from offhook.runtime.speech.provider import MAN, WOMAN, Piece, SpeechFailed, Utterance, Voice
from offhook.runtime.speech.wav_stream import WavStream

__all__ = ["Flite", "to_ascii"]

VOICES = {WOMAN: "slt", MAN: "rms"}
"""Of Debian's voices those that a recogniser understood best over 8000 Hz."""
OTHER_VOICES = ("awb", "kal16", "kal")
LANGUAGES = ("en", "en-us")
PIECE_BYTES = 32 * 1024
SIGNS = str.maketrans({
    "‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o",
    "Ø": "O", "đ": "d", "ł": "l", "Ł": "L", "€": " euros ", "£": " pounds ",
})  # fmt: skip


class Flite:
    """English only."""

    name = "flite"

    def __init__(self, program: str = "flite") -> None:
        self._program = program

    @property
    def available(self) -> bool:
        """Whether the program is there."""
        return shutil.which(self._program) is not None

    async def voices(self) -> tuple[Voice, ...]:
        """American English."""
        self._path()
        return tuple(
            Voice(language=language, name=name, gender=gender)
            for language in LANGUAGES
            for name, gender in [(name, gender) for gender, name in VOICES.items()] + [(v, "") for v in OTHER_VOICES]
        )

    def identity(self, voice: str) -> str:
        return ""

    async def speak(self, utterance: Utterance) -> AsyncGenerator[Piece]:
        """8,000 or 16,000 samples a second, as the voice has it."""
        # The words come by an argument, which a shell never sees; a blank in front keeps a hyphen from being an option.
        command = (self._path(), "-voice", utterance.voice, "-t", f" {to_ascii(utterance.text)}", "-o", "/dev/stdout")
        process, sound = await self._started(command)
        try:
            wav = WavStream("flite")
            while content := await sound.read(PIECE_BYTES):
                if (piece := wav.feed(content)) is not None:
                    yield piece
            if await process.wait() != 0:
                raise SpeechFailed(f"flite ended with status {process.returncode}")
            wav.end()
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await asyncio.shield(process.wait())
            process._transport.close()  # type: ignore[attr-defined]
            sound._transport.close()  # type: ignore[attr-defined]

    async def _started(self, command: tuple[str, ...]) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader]:
        # A pipe of our own: what the loop would make may be a socket, which nobody can open as /dev/stdout.
        ours, theirs = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=theirs,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            os.close(ours)
            raise SpeechFailed(f"flite cannot be started ({error.strerror})") from None
        finally:
            os.close(theirs)
        sound = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(sound), os.fdopen(ours, "rb"))
        return process, sound

    async def close(self) -> None:
        """Nothing runs on."""

    def _path(self) -> str:
        found = shutil.which(self._program)
        if found is None:
            raise SpeechFailed("flite is not installed; on Debian: apt install flite")
        return found


def to_ascii(text: str) -> str:
    """The text in letters that flite knows: `café` as cafe, typographic signs as plain ones, the rest as blanks."""
    plain = unicodedata.normalize("NFKD", text.translate(SIGNS))
    return "".join(sign if " " <= sign <= "~" else "" if unicodedata.combining(sign) else " " for sign in plain)
