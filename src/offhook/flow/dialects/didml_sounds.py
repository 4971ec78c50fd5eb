"""`say`, `play` and `pause` as sounds: alone they are verbs, inside `gather` they are its prompts."""

import re

from offhook.flow.dialects.didml_tree import Element
from offhook.flow.dialects.didml_values import Attributes, Source, quantity
from offhook.flow.dialects.urls import resolved_url
from offhook.flow.errors import excerpt
from offhook.flow.verbs import Silence, Sound, Speech, UnusableSound, UrlSound

__all__ = ["MAX_PROMPT_SOUNDS", "MAX_SPEECH_CHARS", "PAUSE_DEFAULT_S", "file", "pause_s", "prompts", "speech"]

MAX_SPEECH_CHARS = 4096
"""Of one `say`; about five minutes."""
MAX_PROMPT_SOUNDS = 100
"""Of one `gather`, its loops written out."""
PAUSE_DEFAULT_S = 1.0
PAUSE_MAX_S = 3600.0
VOICE_DEFAULT = "woman"
LANGUAGE_DEFAULT = "en"

_VOICES = {"man": "man", "woman": "woman", "women": "woman"}
"""The service's sample writes `women`. Anything else is the name of a voice."""
_VOICE = re.compile(r"[\w][\w .:-]{0,63}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8}){0,2}")


def speech(element: Element, attributes: Attributes, source: Source) -> Speech | None:
    """What `say` says; `None` for nothing. Texts inside elements in it (SSML) are said as they are."""
    text = element.all_text
    voice = attributes.text("voice")
    language = attributes.text("language")
    for child in element.children:
        source.warn(child, f"<{excerpt(child.name)}> means nothing inside <say>; the text in it is said as it is.")
    if voice and not _VOICE.fullmatch(voice):
        attributes.warn(f"{excerpt(voice)} is no name of a voice; {VOICE_DEFAULT} speaks instead.")
        voice = ""
    if language and not _LANGUAGE.fullmatch(language):
        attributes.warn(f"{excerpt(language)} is no language; {LANGUAGE_DEFAULT} is spoken instead.")
        language = ""
    if not text:
        source.warn(element, "<say> has no text.")
        return None
    if len(text) > MAX_SPEECH_CHARS:
        source.warn(element, f"<say> has more than {MAX_SPEECH_CHARS} characters; what is over that is not said.")
        text = text[:MAX_SPEECH_CHARS]
    voice = voice or VOICE_DEFAULT
    return Speech(text=text, language=language or LANGUAGE_DEFAULT, voice=_VOICES.get(voice.lower(), voice))


def file(element: Element, source: Source) -> Sound:
    """What `play` plays: a file on a web server, relative to the document's address; else what fails when played."""
    source.inside(element)
    url = resolved_url(element.text, source.address)
    if url is None:
        source.warn(element, f"“{excerpt(element.text)}” in <play> is no http or https URL; playing it fails.")
        return UnusableSound(text=element.text)
    return UrlSound(url=url)


def pause_s(element: Element, attributes: Attributes, source: Source) -> float:
    """How long: `length` as in TwiML, or what stands in it."""
    source.inside(element)
    seconds = attributes.seconds("length", default=PAUSE_DEFAULT_S, low=0, high=PAUSE_MAX_S)
    text = element.text
    if not text or attributes.given("length"):
        return seconds
    value = quantity(text)
    if value is None or not 0 <= value <= PAUSE_MAX_S:
        source.warn(element, f"<pause> must have a number of seconds, and “{excerpt(text)}” was found.")
        return seconds
    return value


def prompts(gather: Element, source: Source) -> tuple[Sound, ...]:
    """What `gather` plays, in order, each as often as its `loop` says."""
    sounds: list[Sound] = []
    for child in gather.children:
        attributes = Attributes(child, source)
        heard: Sound | None
        match child.name:
            case "say":
                heard = speech(child, attributes, source)
            case "play":
                heard = file(child, source)
            case "pause":
                heard = Silence(seconds=pause_s(child, attributes, source))
            case _:
                source.warn(child, f"<{excerpt(child.name)}> means nothing inside <gather> and was skipped.")
                continue
        times = 1 if child.name == "pause" else attributes.loop()
        attributes.done()
        if heard is not None:
            sounds += [heard] * times
    if len(sounds) > MAX_PROMPT_SOUNDS:
        source.warn(gather, f"<gather> would play more than {MAX_PROMPT_SOUNDS} sounds; those are all that it plays.")
    return tuple(sounds[:MAX_PROMPT_SOUNDS])
