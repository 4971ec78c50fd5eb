"""What is almost XML: each slip of didML's own pages, what else is forgiven, and what is said of it."""

import pytest

from offhook.flow.dialects.didml_repair import repaired
from offhook.flow.dialects.didml_tree import Element, Warnings
from offhook.flow.dialects.didml_xml import read_xml
from offhook.flow.errors import DocumentError, TooManyAttributes
from offhook.flow.limits import MAX_ATTRIBUTES


def repair(text: str) -> tuple[str, tuple[str, ...]]:
    """The tree as text, and what was said."""
    warnings = Warnings()
    return shown(repaired(text, warnings)), warnings.all()


def shown(element: Element) -> str:
    attributes = "".join(f" {name}='{value}'" for name, value in element.attributes.items())
    inside = "".join(part if isinstance(part, str) else shown(part) for part in element.content)
    return f"<{element.name}{attributes}>{inside}</>"


@pytest.mark.parametrize(
    ("text", "meant", "warning"),
    [
        # Slips of the service's own samples (enqueue, sip, client, sms, say, dial, play, number, fax…).
        ("<enqueue>q</Say>", "<enqueue>q</>", "<enqueue> was closed by </Say>"),
        ("<sip>h</Say>", "<sip>h</>", "<sip> was closed by </Say>"),
        ("<dial><client>1</Say></dial>", "<dial><client>1</></>", "<client> was closed by </Say>"),
        ("<say>x</Say>", "<say>x</>", "<say> was closed by </Say>; in XML both are spelled alike"),
        ("<Dial>N<dial/>", "<dial>N</>", "<dial/> inside <Dial> was taken as its end, </Dial>"),
        ("<play loop=10>u</play>", "<play loop='10'>u</>", "the value of `loop` has no quotation marks"),
        ("<number maxlength=60 a='b'>1</number>", "<number maxlength='60' a='b'>1</>", "`maxlength`"),
        ("<fax method=post/>", "<fax method='post'></>", "the value of `method` has no quotation marks"),
        (
            '<gather action=”h.xml"/>',
            "<gather action='h.xml'></>",
            "the quotation marks of `action` are no straight pair",
        ),
        # Others of their kind.
        ("<gather action=“h.xml” x='1'/>", "<gather action='h.xml' x='1'></>", "no straight pair"),
        ("<gather action=\"h.xml” x='1'/>", "<gather action='h.xml' x='1'></>", "no straight pair"),
        ('<gather action=\'h.xml’ x="1"/>', "<gather action='h.xml' x='1'></>", "no straight pair"),
        ('<gather action=\'h.xml" x="1"/>', "<gather action='h.xml' x='1'></>", "no straight pair"),
        ('<a b="1"c="2"/>', "<a b='1' c='2'></>", None),
        ('<a b="1>t</a>', "<a b='1'>t</>", "the value of `b` has no quotation marks"),
        ("<a b=/c/d>t</a>", "<a b='/c/d'>t</>", "the value of `b`"),
        ("<a b=/c/ />", "<a b='/c/'></>", "the value of `b`"),
        ("<a b= c=1/>", "<a b='c=1'></>", "the value of `b`"),
        ("<a b c='1'/>", "<a b='' c='1'></>", "`b` in the tag <a> has no value"),
        ("<a ”b='1'/>", "<a b='1'></>", "`”` in the tag <a> was passed over"),
        ("<a / b='1'>t</a>", "<a b='1'>t</>", "`/` in the tag <a> was passed over"),
        ("<a b='1' B='2'/>", "<a b='1'></>", "<a> has `b` twice; the first counts"),
        (
            "<play>http://h/?a=1&b=2&copy=3</play>",
            "<play>http://h/?a=1&b=2&copy=3</>",
            "an `&` that begins no character",
        ),
        ("<a b='x?c=1&d=2&amp;e'/>", "<a b='x?c=1&d=2&e'></>", "an `&` that begins no character"),
        (
            "<say>&#0;&#xD800;&#x110000;&#65;</say>",
            "<say>&#0;&#xD800;&#x110000;A</>",
            "an `&` that begins no character",
        ),
        ("<say>5 < 6</say>", "<say>5 < 6</>", "a `<` that begins no element"),
        ("<gather><say>x</gather>", "<gather><say>x</></>", "<say> was closed by </gather>"),
        ("<dial><number>1</dial></number>", "<dial><number>1</></>", "</number> ends nothing and was passed over"),
        ("<hangup/></hangup>", "<hangup></>", "</hangup> ends nothing and was passed over"),
        ("<hangup/></ >", "<hangup></>", "</> ends nothing and was passed over"),
        ("<?xml version='1.0'?><hangup/>", "<hangup></>", "an XML declaration that is not the very first thing"),
    ],
)
def test_slips(text: str, meant: str, warning: str | None) -> None:
    found, warnings = repair(f"<Response>{text}</Response>")
    assert found == f"<response>{meant}</>"
    assert warning is None or any(warning in said for said in warnings)
    assert (warning is None) == (warnings == ())


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "\n<?xml version='1.0'?><Response><hangup/></Response>",
            "an XML declaration that is not the very first thing",
        ),
        ("<?xml a?><?xml a?><Response><hangup/></Response>", "an XML declaration that is not the very first thing"),
        ("<Response><hangup/></Response>done", "the text “done” after </Response> was passed over"),
        ("<Response><hangup/></Response>a < b", "the text “a” after </Response> was passed over"),
        ("<Response><hangup/></response>", "<Response> was closed by </response>"),
        ("\ufeff<Response><hangup/></Response>\ufeff", None),
    ],
)
def test_slips_around_the_root(text: str, warning: str | None) -> None:
    found, warnings = repair(text)
    assert found == "<response><hangup></></>"
    assert warning is None or any(warning in said for said in warnings)


def test_a_warning_names_the_line() -> None:
    assert repair("<Response>\r\n<a>\r<b\nc=1/></A></Response>")[1] == (
        "Line 4: the value of `c` has no quotation marks around it.",
        "Line 4: <a> was closed by </A>; in XML both are spelled alike.",
    )


def test_lines_can_be_told_of_what_lies_behind() -> None:
    warnings = Warnings()
    root = repaired("<Response>\n<a\nb=1\n/>\n<c/></Response>", warnings)
    assert [each.line for each in root.children] == [2, 5]


def test_attributes_are_limited_before_they_are_all_read() -> None:
    many = " ".join(f"a{n}=1" for n in range(MAX_ATTRIBUTES + 1))
    with pytest.raises(TooManyAttributes):
        repair(f"<Response><a {many}/></Response>")


# It takes milliseconds; a pattern that looks at each character once for each before it would take minutes.
@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    [
        *("<", "&", '"', "”", "=", "/", " ", "\n", "a=", 'a="', "a=”b", "x\n&", "<a ", "<a>", "</a>", "<a b=”", "<a/>"),
        *("<?xml ", "<!--", "<![CDATA[", "]]>", "</", "< ", "&#1;", "<a b='”c", "a='b\"", "a = / "),
    ],
)
@pytest.mark.parametrize("before", ["<Response>", "<Response><say ", "<Response><say x="])
def test_no_repetition_makes_it_slow(before: str, unit: str) -> None:
    body = (before + unit * 60_000)[:60_000].encode()
    with pytest.raises(DocumentError):
        read_xml(body, Warnings())
