"""`offhook voices` and `offhook say`: who can speak, and what it sounds like on a telephone."""

import asyncio
import io
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offhook.cli.connection import CliError, connect, settings_of
from offhook.cli.output import ConfigOption, JsonOption, console, error_console, rows, show_json
from offhook.config import Settings
from offhook.flow.verbs import Speech
from offhook.media.frames import SAMPLE_RATE_HZ, Samples

if TYPE_CHECKING:
    from offhook.runtime.speech.desk import SpeechPlan

__all__ = ["say", "voices"]


def voices(
    language: Annotated[str | None, typer.Option(help="Of this language only: sv, en_US.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List the voices that a text may ask for, and the engine that speaks then.

    Example: offhook voices --language sv
    """
    with connect(settings_of(config)) as server:
        found = server.get("/v1/speech/voices", language=language)["voices"]
    if as_json:
        show_json(found)
        return
    rows(
        ("LANGUAGE", "VOICE", "ENGINE", "NAME"),
        [(row["language"] or "any", row["voice"], row["engine"], row["name"]) for row in found],
        nothing="Nobody speaks that; offhook voices shows everything, and the setting speech_voices adds to it.",
    )


def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The WAV to write: 8000 Hz, 16 bits.")],
    voice: Annotated[str, typer.Option(help="man, woman, or a name of speech_voices.")] = "",
    language: Annotated[str, typer.Option(help="sv, en_US, …; default: the setting speech_language.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Speak a text into a file, to listen to what callers would hear; needs no server.

    Example: offhook say "Your pin is 8 9 70" --out pin.wav --voice man
    """
    settings = settings_of(config)
    speech = Speech(text=text, language=language or settings.speech_language, voice=voice)
    plan, samples = asyncio.run(_spoken(settings, speech))
    if plan.warning:
        error_console().print(f"warning: {plan.warning}", markup=False)
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
    try:
        out.write_bytes(content.getvalue())
    except OSError as error:
        raise CliError(f"{out} cannot be written ({error.strerror})") from None
    seconds = round(len(samples) / SAMPLE_RATE_HZ, 3)
    if as_json:
        engine, voice = plan.provider.name, plan.utterance.voice
        show_json({"file": str(out), "seconds": seconds, "engine": engine, "name": voice, "read": plan.utterance.text})
    else:
        console().print(f"{out}: {seconds:.1f} s", markup=False)


async def _spoken(settings: Settings, speech: Speech) -> "tuple[SpeechPlan, Samples]":
    """Raises `CliError`."""
    # Here and not above: what speaks takes longer to load than the other commands take to run.
    from offhook.runtime.sound.decode import BadSource
    from offhook.runtime.speech.engines import speech_desk

    desk = speech_desk(settings)
    try:
        plan = await desk.plan(speech)
        return plan, await desk.speak(plan)
    except BadSource as error:
        raise CliError(str(error)) from None
    finally:
        await desk.close()
