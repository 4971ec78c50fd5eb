"""Single values: numbers, SIP addresses, keys and events; and attributes with their defaults, aliases and warnings."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.flow.dialects.didml_tree import Element
from offhook.flow.dialects.didml_values import (
    LOOP_MAX,
    Attributes,
    Source,
    caller_id,
    event_words,
    number,
    quantity,
    sent_keys,
    sip_target,
    target,
)
from offhook.flow.document import Document
from offhook.flow.errors import WrongUrl
from offhook.flow.targets import NumberTarget, SipTarget, UnusableTarget


@pytest.mark.parametrize(
    "text", ["19499300360", "+19499300360", " 1 (949) 930-0360 ", "1.949.930.0360", "+1-949-9300360"]
)
def test_numbers_are_taken_as_people_write_them(text: str) -> None:
    assert number(text) == "+19499300360"
    assert target(text) == NumberTarget(number="+19499300360")
    assert caller_id(text) == "+19499300360"


@pytest.mark.parametrize("text", ["", " ", "0706123456", "123", "1" * 16, "++1949930", "19499300360x5", "١٩٤٩٩٣٠٠"])
def test_what_is_no_number(text: str) -> None:
    assert number(text) is None
    assert target(text) == UnusableTarget(text=text)


def test_a_caller_id_may_be_a_text_or_nothing() -> None:
    assert caller_id(" anonymous ") == "anonymous"
    assert caller_id("  ") is None


@pytest.mark.parametrize(
    ("text", "uri", "with_plus"),
    [
        ("sip:anna@pbx.example", "sip:anna@pbx.example", True),
        (" SIPS:anna@[::1]:5061;transport=tls ", "SIPS:anna@[::1]:5061;transport=tls", True),
        ("anna@pbx.example", "sip:anna@pbx.example", True),
        ("pbx.example:5070", "sip:pbx.example:5070", False),
        ("sip:pbx.example", "sip:pbx.example", False),
    ],
)
def test_sip_addresses(text: str, uri: str, with_plus: bool) -> None:
    assert sip_target(text) == SipTarget(uri=uri, with_plus=with_plus)


@pytest.mark.parametrize("text", ["", "anna svensson", "<sip:a@b>", "a@b@c", "sip:a@b\r\nX: y", "sip:"])
def test_what_is_no_sip_address(text: str) -> None:
    assert sip_target(text) == UnusableTarget(text=text)


@pytest.mark.parametrize(
    ("text", "keys", "strange"),
    [
        # Spec: w 0.5 s, W 1 s; P is half a second of ours. The page's `WWWW101` is 4 s by its own rule.
        ("wW1w2#", "PPP1P2#", ""),
        ("WWWW101", "PPPPPPPP101", ""),
        (" 1 2 ", "12", ""),
        ("*abcd", "*ABCD", ""),
        ("1-2p", "12", "-p"),
        ("", "", ""),
    ],
)
def test_keys_to_send(text: str, keys: str, strange: str) -> None:
    assert sent_keys(text) == (keys, strange)


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=30))
def test_whatever_is_sent_is_a_key_or_a_pause(text: str) -> None:
    assert set(sent_keys(text)[0]) <= set("0123456789*#ABCDP")


@pytest.mark.parametrize(
    "text", ["Initiated,ringing", "initiated ringing", " initiated ,; RINGING ", "initiated\nringing"]
)
def test_events_are_divided_by_commas_or_blanks(text: str) -> None:
    assert event_words(text) == ("initiated", "ringing")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("2.5", 2.5),
        ("-1", -1),
        ("+3", 3),
        ("1e9", None),
        ("", None),
        ("nan", None),
        ("٣", None),
        ("9" * 301, None),
    ],
)
def test_quantities(text: str, value: float | None) -> None:
    assert quantity(text) == value


# ── attributes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def of(address: str = "https://app.example/voice/a.xml", **values: str) -> tuple[Attributes, Source]:
    source = Source(address=address)
    return Attributes(Element(name="dial", attributes=values, line=3), source), source


def test_the_usual_name_goes_before_its_alias() -> None:
    attributes, source = of(timeout="5", timout="6")
    assert attributes.seconds("timeout", "timout", default=30, low=1, high=600) == 5
    assert of(timout="6")[0].seconds("timeout", "timout", default=30, low=1, high=600) == 6
    attributes.done()
    assert source.warnings.all() == ()


@pytest.mark.parametrize(
    ("text", "taken", "said"),
    [("", 30, False), (" 7 ", 7, False), ("“7”", 7, False), ("0", 30, True), ("601", 600, True), ("soon", 30, True)],
)
def test_numbers_within_borders(text: str, taken: float, said: bool) -> None:
    attributes, source = of(timeout=text)
    assert attributes.seconds("timeout", default=30, low=1, high=600) == taken
    assert bool(source.warnings.all()) is said


@pytest.mark.parametrize(("text", "times"), [("", 1), ("3", 3), ("0", LOOP_MAX), ("1001", LOOP_MAX), ("-1", 1)])
def test_loops(text: str, times: int) -> None:
    assert of(loop=text)[0].loop() == times


@pytest.mark.parametrize("word", ["on", "TRUE", "1", "yes", "record-from-answer"])
def test_flags_that_are_on(word: str) -> None:
    assert of(record=word)[0].flag("record", default=False) is True


@pytest.mark.parametrize("word", ["off", "False", "0", "no", "do-not-record"])
def test_flags_that_are_off(word: str) -> None:
    assert of(record=word)[0].flag("record", default=True) is False


@pytest.mark.parametrize("default", [True, False])
def test_flags_that_are_neither(default: bool) -> None:
    attributes, source = of(record="perhaps")
    assert attributes.flag("record", default=default) is default
    assert source.warnings.all() == ("Line 3: `record` of <dial> must be on or off, and perhaps was found.",)
    assert of()[0].flag("record", default=default) is default


@pytest.mark.parametrize(("word", "method"), [("", "POST"), ("get", "GET"), (" GET ", "GET"), ("PUT", "POST")])
def test_methods(word: str, method: str) -> None:
    assert of(action="b.xml", method=word)[0].document("action") == Document(
        url="https://app.example/voice/b.xml", method=method
    )


def test_no_document_is_none_and_its_method_is_no_stranger() -> None:
    attributes, source = of(action=" ", method="GET")
    assert attributes.document("action") is None
    attributes.done()
    assert source.warnings.all() == ()


@pytest.mark.parametrize("text", ["b.xml", "/b.xml", "ftp://app.example/", "http://"])
def test_what_steers_must_be_a_url(text: str) -> None:
    with pytest.raises(WrongUrl, match="`action of <dial> in line 3`"):
        of("", action=text)[0].document("action")


def test_what_is_only_told_need_not_be() -> None:
    attributes, source = of("", statuscallback="b.xml")
    assert attributes.told_url("statuscallback") is None
    assert source.warnings.all() == ("Line 3: `statuscallback` of <dial> is no http or https URL: nobody is told.",)
    assert of(statuscallback="b")[0].told_url("statuscallback") == "https://app.example/voice/b"


def test_what_nobody_asked_for_is_named_but_for_xmls_own() -> None:
    attributes, source = of(x="1", **{"xmlns": "a", "xmlns:b": "c", "xml:lang": "en", "xsi:type": "d"})
    attributes.done()
    assert source.warnings.all() == ("Line 3: `x` means nothing in <dial> and was ignored.",)
