"""Prompt: sounds in the words of the timeline; how it plays is tested with Play and Gather."""

import pytest

from offhook.call.perform.prompt import Prompt, PromptState, sound_text
from offhook.flow.verbs import LocalSound, NamedSound, SentDigits, Sound, Speech, UnusableSound, UrlSound


@pytest.mark.parametrize(
    ("sound", "text"),
    [
        (UrlSound(url="https://u:p@app.example/a.wav?key=secret"), "https://…@app.example/a.wav?key=…"),
        (NamedSound(name="dialtone/us"), "dialtone/us"),
        (SentDigits(keys="1234"), "keys"),
        (LocalSound(name="greeting"), "local/greeting"),
        (Speech(text="Hello", language="en_US"), "en_US/Hello"),
        (UnusableSound(text="Hi!"), "Hi!"),
    ],
)
def test_a_sound_in_words_without_what_may_be_secret(sound: Sound, text: str) -> None:
    assert sound_text(sound) == text


def test_a_prompt_begins_silent() -> None:
    prompt = Prompt(sounds=(NamedSound(name="beep"),))
    assert (prompt.state, prompt.over) == (PromptState.OVER, True)
