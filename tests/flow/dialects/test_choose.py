"""Which dialect a document is, and whether a setting is a document or a URL."""

from dataclasses import dataclass

import pytest

from offhook.flow.dialects.choose import DIALECTS, choose, read_document, read_start
from offhook.flow.dialects.dialect import Reading
from offhook.flow.dialects.elks import Elks
from offhook.flow.errors import BrokenDocument, NotText, WrongUrl
from offhook.flow.program import Document, Flow, Step
from offhook.flow.verbs import Hangup, HangupAs


@dataclass(frozen=True, slots=True)
class Elsewhere(Elks):
    """Another dialect than the one that a brace opens."""

    name: str = "elsewhere"


ASKED = Elsewhere()
REJECT = b'{"hangup": "reject"}'


@pytest.mark.parametrize("body", [REJECT, b" \r\n\t" + REJECT, b"\xef\xbb\xbf" + REJECT])
def test_a_brace_opens_46elks_whoever_asked(body: bytes) -> None:
    assert choose(body, ASKED) is DIALECTS["elks"]


@pytest.mark.parametrize("body", [b"", b"  ", b"OK", b"[", b"-<Response/>"])
def test_everything_else_is_the_dialect_of_whoever_asked(body: bytes) -> None:
    assert choose(body, ASKED) is ASKED


def test_a_document_is_read_in_its_own_dialect() -> None:
    dialect, reading = read_document(REJECT, "https://app.example/", ASKED)
    assert dialect.name == "elks"
    assert [step.verb for step in reading.flow.steps] == [Hangup(how=HangupAs.REJECT)]


def test_a_start_is_a_document_written_out() -> None:
    start = read_start(' {"hangup": "busy"}', Elks())
    assert isinstance(start, Reading)
    assert [step.verb for step in start.flow.steps] == [Hangup(how=HangupAs.BUSY)]


def test_a_start_is_a_url() -> None:
    assert read_start(" https://app.example/start?a=1 ", Elks()) == Document(url="https://app.example/start?a=1")
    assert read_start("http://app.example/", Elks(), method="GET").method == "GET"  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["Hi! This is your message.", "", "/start", "ftp://app.example/", "https://"])
def test_a_start_that_is_neither_is_an_error_that_names_its_key(text: str) -> None:
    with pytest.raises(WrongUrl, match="`voice_start` must be an absolute http or https URL"):
        read_start(text, Elks())
    with pytest.raises(WrongUrl, match="`whenhangup`"):
        read_start(text, Elks(), key="whenhangup")


def test_a_start_with_faults_is_an_error() -> None:
    with pytest.raises(BrokenDocument):
        read_start('{"hangup"', Elks())
    with pytest.raises(NotText):
        read_start('{"play": "\ud83d"}', Elks())


def test_a_step_of_a_start_keeps_its_wording() -> None:
    start = read_start('{"hangup": "busy"}', Elks())
    assert isinstance(start, Reading)
    assert start.flow == Flow(steps=(Step(verb=Hangup(how=HangupAs.BUSY), wording={"hangup": "busy"}),))
