"""What the call that verifies a number says, and that nobody can read it."""

import json

import pytest

from offhook.call.perform.about import about
from offhook.flow.program import Flow
from offhook.flow.verbs import Play, Speech
from offhook.web.verifying import LANGUAGES, code_text, says_code


@pytest.mark.parametrize("language", ["en", "en_US", "EN-gb", "fi"])
def test_each_digit_is_said_twice(language: str) -> None:
    said = code_text("008970", language)
    assert said == Speech(
        text="The code to verify this telephone number is: 0 0 8, 9 7 0. I repeat: 0 0 8, 9 7 0. Goodbye.",
        language="en",
        secret=True,
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_in_every_language_that_there_is(language: str) -> None:
    said = code_text("1234", f"{language}-XX")
    assert (said.language, said.text.count("1 2 3, 4"), "{" in said.text) == (language, 2, False)


def test_no_log_has_it() -> None:
    flow = says_code("008970", "en").flow
    assert isinstance(flow, Flow)
    (step,) = flow.steps
    assert isinstance(step.verb, Play)
    assert not step.verb.skippable, "a key ends nothing before the code was said"
    assert (about(step.verb), json.dumps(dict(step.wording))) == ("en/…", '{"play": "\\u2026"}')
