"""Every document error has a name of its own, a cause, and a sentence that says what to mend."""

import pytest

from offhook.flow import errors
from offhook.flow.errors import DocumentError, FlowLoop, excerpt
from offhook.flow.view import Cause

ONE_OF_EACH = [
    errors.DocumentTooLarge(size=70_000, limit=65_536),
    errors.NotText("byte 3"),
    errors.BrokenDocument(language="JSON", detail="a quote is missing", line=1, column=2),
    errors.UnknownEncoding(encoding="ebcdic"),
    errors.DocumentTypeRefused(),
    errors.WrongRoot(found="html", wanted="Response"),
    errors.NoAction(place="next.busy", found="`next`", known="`play`"),
    errors.ConflictingActions(place="", first="play", second="connect"),
    errors.WrongType(key="timeout", wanted="a number of seconds", found="the text “soon”"),
    errors.WrongUrl(key="next", found="the text “later”"),
    errors.NestingTooDeep(limit=40),
    errors.TooManyElements(limit=2000),
    errors.TooManyAttributes(element="say", limit=40),
    errors.TooManySteps(limit=1000),
    errors.TooManyTargets(key="connect", count=31, limit=30),
    errors.FlowLoop(count=20, what="documents"),
]


def test_the_list_here_has_every_error_there_is() -> None:
    assert {type(error) for error in ONE_OF_EACH} == set(DocumentError.__subclasses__())


def test_no_two_errors_share_a_name() -> None:
    names = [error.name for error in ONE_OF_EACH]
    assert len(set(names)) == len(names)
    assert DocumentError.name not in names


@pytest.mark.parametrize("error", ONE_OF_EACH, ids=lambda error: error.name)
def test_every_error_says_a_whole_sentence_and_knows_its_cause(error: DocumentError) -> None:
    assert str(error).endswith(".")
    assert error.cause is (Cause.FLOW_LOOP if isinstance(error, FlowLoop) else Cause.BAD_DOCUMENT)


def test_an_excerpt_is_short_on_one_line_and_printable() -> None:
    assert excerpt("a\n  b\tc") == "a b c"
    assert excerpt("bell\x07") == "bell\N{REPLACEMENT CHARACTER}"
    assert excerpt("x" * 60) == "x" * 60
    assert excerpt("x" * 61) == "x" * 59 + "…"
