"""`say`, `play` and `pause` as sounds: defaults, what is too much, what is none. More in the conformance cases."""

import pytest

from offhook.flow.dialects.didml_sounds import MAX_PROMPT_SOUNDS, MAX_SPEECH_CHARS, file, pause_s, prompts, speech
from offhook.flow.dialects.didml_tree import Element
from offhook.flow.dialects.didml_values import Attributes, Source
from offhook.flow.verbs import Silence, Speech, UnusableSound, UrlSound

ADDRESS = "https://app.example/voice/a.xml"


def said(*content: str | Element, **attributes: str) -> tuple[Speech | None, tuple[str, ...]]:
    source = Source(address=ADDRESS)
    element = Element(name="say", content=content, attributes=attributes)
    return speech(element, Attributes(element, source), source), source.warnings.all()


def test_a_woman_speaks_english_unless_it_is_said_otherwise() -> None:
    assert said(" Your  pin\nis 8 ") == (Speech(text="Your pin is 8", language="en", voice="woman"), ())
    assert said("x", voice="MAN", language="es_MX")[0] == Speech(text="x", language="es_MX", voice="man")
    assert said("x", voice="Alba")[0] == Speech(text="x", language="en", voice="Alba")


def test_nothing_to_say() -> None:
    assert said(" \n") == (None, ("Line 1: <say> has no text.",))


def test_too_much_to_say_is_cut_and_said() -> None:
    spoken, warnings = said("x" * (MAX_SPEECH_CHARS + 1))
    assert spoken is not None
    assert len(spoken.text) == MAX_SPEECH_CHARS
    assert len(warnings) == 1
    assert said("x" * MAX_SPEECH_CHARS)[1] == ()


@pytest.mark.parametrize(("voice", "language"), [("-rf /", "en"), ("woman", "x" * 9), ("a" * 65, "e")])
def test_voices_and_languages_that_are_none(voice: str, language: str) -> None:
    spoken, warnings = said("x", voice=voice, language=language)
    assert spoken == Speech(text="x", language="en", voice="woman")
    assert warnings


def test_files_are_relative_to_the_document() -> None:
    source = Source(address=ADDRESS)
    assert file(Element(name="play", content=("b.mp3",)), source) == UrlSound(url="https://app.example/voice/b.mp3")
    assert source.warnings.all() == ()
    assert file(Element(name="play"), source) == UnusableSound(text="")
    assert file(Element(name="play", content=("b.mp3",)), Source(address="")) == UnusableSound(text="b.mp3")


@pytest.mark.parametrize(
    ("length", "content", "seconds"),
    [("", "", 1), ("3", "", 3), ("", "2.5", 2.5), ("3", "9", 3), ("0", "", 0), ("", "-1", 1), ("", "9999", 1)],
)
def test_pauses(length: str, content: str, seconds: float) -> None:
    source = Source(address=ADDRESS)
    element = Element(name="pause", content=(content,), attributes={"length": length})
    assert pause_s(element, Attributes(element, source), source) == seconds


def test_prompts_are_written_out_up_to_a_limit() -> None:
    source = Source(address=ADDRESS)
    pause = Element(name="pause")
    play = Element(name="play", content=("/b",), attributes={"loop": str(MAX_PROMPT_SOUNDS)})
    heard = prompts(Element(name="gather", content=(pause, play, Element(name="say"))), source)
    assert heard[:2] == (Silence(seconds=1), UrlSound(url="https://app.example/b"))
    assert len(heard) == MAX_PROMPT_SOUNDS
    assert source.warnings.all() == (
        "Line 1: <say> has no text.",
        f"Line 1: <gather> would play more than {MAX_PROMPT_SOUNDS} sounds; those are all that it plays.",
    )
