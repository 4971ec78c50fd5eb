"""The values that engines and the desk exchange."""

import dataclasses

import numpy as np
import pytest

from offhook.runtime.speech.provider import MAN, WOMAN, Piece, SpeechProvider, Utterance, Voice


def test_values_do_not_change() -> None:
    for value, field in (
        (Voice(language="en", name="slt"), "name"),
        (Utterance(text="a", language="en", voice="slt"), "text"),
        (Piece(rate_hz=8000, samples=np.zeros(1, np.int16)), "rate_hz"),
    ):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, field, "x")


def test_the_two_genders_are_the_words_of_the_api() -> None:
    """didML `voice`: man or woman."""
    assert (MAN, WOMAN) == ("man", "woman")


def test_every_engine_has_what_the_interface_asks() -> None:
    from offhook.runtime.speech.espeak import Espeak
    from offhook.runtime.speech.flite import Flite
    from offhook.runtime.speech.http_service import HttpSpeech
    from offhook.runtime.speech.piper_voices import Piper

    engines: tuple[SpeechProvider, ...] = (Espeak(), Flite(), Piper(()), HttpSpeech(None))
    assert [engine.name for engine in engines] == ["espeak", "flite", "piper", "http"]
