"""What a verb is about, in a few words for the timeline: which sounds, which numbers, which room.

URLs are shown without what may be secret in them, as everywhere in a timeline; what is spoken is shown, since a
customer wrote it to be heard.
"""

from typing import assert_never

from offhook.call.masking import shown_url
from offhook.call.perform.prompt import sound_text
from offhook.flow.targets import target_text
from offhook.flow.verbs import (
    Conference,
    Dial,
    Enqueue,
    Gather,
    Goto,
    Hangup,
    Notify,
    Pause,
    Play,
    Record,
    RecordCall,
    SetHangupHook,
    Sound,
    TakeFromQueue,
    Verb,
)

__all__ = ["about"]

WORDS_MAX_CHARS = 300


def about(verb: Verb | Enqueue | TakeFromQueue | Conference) -> str | None:
    """Words for a verb, `None` where its name says all."""
    words = _words(verb)
    return words[:WORDS_MAX_CHARS] or None


def _words(verb: Verb | Enqueue | TakeFromQueue | Conference) -> str:
    match verb:
        case Play():
            return _sounds(verb.sounds)
        case Gather():
            return _sounds(verb.prompts)
        case Dial():
            return ", ".join(target_text(target) for target in verb.targets)
        case Record():
            return verb.name or verb.keep_as or ""
        case RecordCall():
            return "off" if verb.stop else ""
        case SetHangupHook() | Notify():
            return shown_url(verb.url)
        case Pause():
            return f"{verb.seconds:g} s"
        case Hangup():
            return verb.how.value
        case Enqueue() | TakeFromQueue():
            return verb.queue
        case Conference():
            return verb.room
        case Goto():
            return ""
        case _:
            assert_never(verb)


def _sounds(sounds: tuple[Sound, ...]) -> str:
    return ", ".join(sound_text(sound) for sound in sounds)
