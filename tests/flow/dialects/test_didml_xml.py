"""From bytes to elements: what strict XML takes, what is refused and why, encodings, and that nothing grows."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.didml_documents import almost_documents, xml_documents

from offhook.flow.dialects.didml_repair import repaired
from offhook.flow.dialects.didml_tree import Element, Warnings
from offhook.flow.dialects.didml_xml import ENCODINGS, read_xml
from offhook.flow.errors import (
    BrokenDocument,
    DocumentError,
    DocumentTypeRefused,
    NestingTooDeep,
    NotText,
    TooManyElements,
    UnknownEncoding,
    WrongRoot,
)
from offhook.flow.limits import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_ELEMENTS


def read(body: bytes) -> tuple[Element, tuple[str, ...]]:
    warnings = Warnings()
    return read_xml(body, warnings), warnings.all()


def said(body: bytes) -> str:
    """What the first child says, where nothing had to be repaired."""
    root, warnings = read(body)
    assert warnings == ()
    return root.children[0].text


def test_well_formed_xml_needs_no_repair() -> None:
    body = b"""<?xml version="1.0" encoding="UTF-8"?><!-- a menu -->
<Response xmlns:x="urn:y"><Gather Timeout='10'
action="/a?b=1&amp;c=2"><Say>5 &lt; 6 &#38; <![CDATA[<7>]]></Say></Gather></Response><!-- the end -->
"""
    root, warnings = read(body)
    assert warnings == ()
    (gather,) = root.children
    assert gather == Element(
        name="gather",
        attributes={"timeout": "10", "action": "/a?b=1&c=2"},
        content=(Element(name="say", content=("5 < 6 & <7>",), line=3),),
        line=2,
    )


@settings(max_examples=150, deadline=None)
@given(text=xml_documents())
def test_the_repairing_pass_reads_well_formed_xml_as_the_strict_one_does(text: str) -> None:
    warnings = Warnings()
    assert repaired(text, warnings) == read(text.encode())[0]


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=200) | almost_documents())
def test_anything_at_all_is_elements_or_an_error_that_says_why_not(body: bytes) -> None:
    try:
        root, _ = read(body)
    except DocumentError as error:
        reason = str(error)
    else:
        reason = f"a {root.name}."
    assert reason.endswith(".")


# ── encodings ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body",
    [
        "<Response><Say>¿Qué?</Say></Response>".encode(),
        b"\xef\xbb\xbf" + "<Response><Say>¿Qué?</Say></Response>".encode(),
        b"\xef\xbb\xbf" + '<?xml version="1.0" encoding="UTF-8"?><Response><Say>¿Qué?</Say></Response>'.encode(),
        '<?xml version="1.0" encoding="UTF-16"?><Response><Say>¿Qué?</Say></Response>'.encode("utf-16"),
        "\ufeff<Response><Say>¿Qué?</Say></Response>".encode("utf-16-be"),
        b'<?xml version="1.0" encoding="us-ascii"?><Response><Say>&#xBF;Qu&#233;?</Say></Response>',
        *(
            f"<?xml version='1.0' encoding='{name.upper()}'?><Response><Say>¿Qué?</Say></Response>".encode(codec)
            for name, codec in ENCODINGS.items()
        ),
    ],
)
def test_encodings(body: bytes) -> None:
    assert said(body) == "¿Qué?"


def test_utf_16_is_claimed_wrongly_by_frameworks() -> None:
    root, warnings = read('<?xml version="1.0" encoding="utf-16"?><Response><Say>¿Qué?</Say></Response>'.encode())
    assert root.children[0].text == "¿Qué?"
    assert warnings == ("The document says that it is in utf-16, and is not; it was read as UTF-8.",)


@pytest.mark.parametrize(
    ("body", "error", "sentence"),
    [
        ("<Response>é</Response>".encode("latin-1"), NotText, "byte 11"),
        (b'<?xml version="1.0" encoding="cp1252"?><Response>\x81</Response>', NotText, "byte 50"),
        (b"\xff\xfe<\x00R", NotText, "byte 5"),
        (b'<?xml version="1.0" encoding="koi8-r"?><Response/>', UnknownEncoding, "`koi8-r`"),
        (
            b"<Response>\n<Say>\x00</Say></Response>",
            BrokenDocument,
            r"U\+0000 is no character of it \(line 2, column 6\)",
        ),
        (b"<Response>\xef\xbf\xbf</Response>", BrokenDocument, r"U\+FFFF"),
    ],
)
def test_what_is_no_text(body: bytes, error: type[DocumentError], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        read(body)


# ── what would grow, or reach out ────────────────────────────────────────────────────────────────────────────────────

LAUGHS = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<Response><Say>&b;</Say></Response>"""


@pytest.mark.parametrize(
    "body",
    [
        LAUGHS,
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><Response><Say>&x;</Say></Response>',
        b'<!DOCTYPE Response SYSTEM "http://app.example/a.dtd"><Response/>',
        b'<!DOCTYPE r [<!ENTITY % p SYSTEM "http://app.example/p"> %p;]><Response/>',
        b"<!DOCTYPE html><html></html>",
        b"<!doctype html><html></html>",
        b'<Response><say x=1>a</say><!ENTITY a "b"></Response>',
        b"<Response><![if x]></Response>",
    ],
)
def test_document_types_and_entities_are_refused(body: bytes) -> None:
    with pytest.raises(DocumentTypeRefused):
        read(body)


def test_an_entity_that_nobody_declared_is_its_own_letters() -> None:
    root, warnings = read(b"<Response><Say>a&nbsp;b</Say></Response>")
    assert root.children[0].text == "a&nbsp;b"
    assert "undefined entity" in warnings[0]


@pytest.mark.parametrize("make", [lambda tag: f"<{tag}>", lambda tag: f"<{tag} x=1>"], ids=["strict", "repaired"])
def test_depth_is_an_error_and_no_overflow(make: Callable[[str], str]) -> None:
    with pytest.raises(NestingTooDeep):
        read((make("Response") + make("a") * (MAX_DOCUMENT_BYTES // 10)).encode())
    deep = make("Response") + make("a") * (MAX_DEPTH - 1) + "</a>" * (MAX_DEPTH - 1) + "</Response>"
    assert read(deep.encode())[0].name == "response"


def test_the_number_of_elements_is_limited() -> None:
    assert read(b"<Response>" + b"<a/>" * (MAX_ELEMENTS - 1) + b"</Response>")[1] == ()
    with pytest.raises(TooManyElements):
        read(b"<Response>" + b"<a/>" * MAX_ELEMENTS + b"</Response>")


@pytest.mark.parametrize("body", [b"<html><body/></html>", b"<html><br></html>", b"<br />\n<b>Notice</b>: <Response/>"])
def test_another_root_is_refused_before_its_syntax(body: bytes) -> None:
    with pytest.raises(WrongRoot):
        read(body)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "there is no <Response>"),
        (b"<!-- nothing -->", "there is no <Response>"),
        (b"OK", "the text “OK” stands before <Response>"),
        (b"Notice: x\n<Response/>", "the text “Notice: x” stands before"),
        (b"<![CDATA[x]]><Response/>", "the text “x” stands before"),
        (b"< <Response/>", "the text “<” stands before"),
        (b"</Response>", "</Response> stands outside"),
        (b"<Response><Say>Hel", r"<Response> is never closed, so the document may be cut off \(line 1, column 19\)"),
        (b"<Response><Say", "the tag <Say> has no `>`"),
        (b"<Response><Say <Play>", "the tag <Say> has no `>`"),
        (b"<Response></Say <Play>", "the tag </Say> has no `>`"),
        (b"<Response><!-- a", "a comment has no end"),
        (b"<Response><![CDATA[a", "a CDATA section has no end"),
        (b"<Response><?php", "a processing instruction has no end"),
        (b"<Response/><Response/>", "<Response> stands after </Response>"),
    ],
)
def test_what_cannot_be_meant_says_where(body: bytes, sentence: str) -> None:
    with pytest.raises(BrokenDocument, match=sentence):
        read(body)
