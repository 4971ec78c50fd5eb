"""The engines of a server, from its settings: one place that knows which there are."""

from offhook.config import Settings
from offhook.runtime.speech.desk import SpeechDesk
from offhook.runtime.speech.espeak import Espeak
from offhook.runtime.speech.flite import Flite
from offhook.runtime.speech.http_service import HttpSpeech
from offhook.runtime.speech.piper_voices import Piper

__all__ = ["speech_desk"]


def speech_desk(settings: Settings) -> SpeechDesk:
    """espeak-ng for everything, flite for English where it is installed, and what `speech_voices` says before both."""
    rules = settings.speech_voices
    flite = Flite()
    return SpeechDesk(
        (
            Espeak(),
            flite,
            Piper(tuple(dict.fromkeys(rule.name for rule in rules if rule.engine == "piper"))),
            HttpSpeech(
                settings.speech_url,
                key=settings.speech_api_key.get_secret_value(),
                model=settings.speech_model,
                voices=tuple(dict.fromkeys(rule.name for rule in rules if rule.engine == "http")),
            ),
        ),
        rules=rules,
        preferred={"en": flite.name} if flite.available else {},
        language=settings.speech_language,
        voice=settings.speech_voice,
        timeout_s=settings.speech_timeout_s,
    )
