"""Documents of didML and what is almost one, for property tests and fuzzing; and the one property of its reader."""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st
from tests.support import any_document

from offhook.flow.dialects.didml import Didml
from offhook.flow.dialects.didml_tree import MAX_WARNINGS

__all__ = ["ATTRIBUTES", "SEEDS", "VERBS", "almost_documents", "read_or_refuse", "xml_documents"]

VERBS = [
    *("Say", "play", "Pause", "Gather", "dial", "Number", "sip", "client", "Queue", "enqueue", "Conference", "record"),
    *("Recording", "Redirect", "hangup", "Reject", "forward", "postcall", "sms", "fax", "Leave"),
]
ATTRIBUTES = [
    *("action", "Method", "voice", "loop", "Language", "timeout", "timout", "timelimit", "callerid", "record", "url"),
    *("senddigits", "statusCallbackEvent", "statusCallback", "statusCallbackMethod", "maxlength", "minDigits"),
    *("numDigits", "Tries", "Audiotype", "finishOnKey", "fileID", "confirmrecording", "length", "reason", "muted"),
    *("beep", "startConferenceOnEnter", "endConferenceOnExit", "waitUrl", "maxParticipants", "x"),
]
_VALUES = [
    *("", " ", "0", "1", "-1", "10", "1e9", "9" * 40, "nan", "on", "off", "true", "man", "women", "es", "POST", "get"),
    *("initiated, ringing completed", "12wW#", "*", "busy", "/a", "b.xml?c=1&d=2", "https://app.example/", "http://"),
]
_characters = st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))
_texts = st.sampled_from([*_VALUES, "19499300360", "sip:a@pbx.example", "pbx.example"]) | st.text(
    _characters, max_size=9
)

SEEDS: Sequence[str] = [
    "<Response><say>Your pin is 8 9 7 0</say></Response>",
    '<Response><Gather timeout="10" finishOnKey="*" action="h.php"><Say>x</Say></Gather></Response>',
    '<Response><dial><number maxlength=60 timout=15 callerid="19490000000">1949930</number></dial><hangup/></Response>',
    "<Response><Dial>19499300360<dial/><enqueue>q</Say></Response>",
    '<?xml version="1.0"?><?xml version="1.0"?><Response><dial><client>1</Say></dial></Response>',
    '<Response><play loop=10>http://app.example/?a=1&b=2</play><Gather action=”h.xml"/></Response>',
    '<Response><Record maxLength="30" confirmrecording ="1" action="p.xml"/></Response>',
]


@st.composite
def xml_documents(draw: st.DrawFn) -> str:
    """Well-formed XML, with all the ways of writing the same."""
    before = draw(st.sampled_from(["", '<?xml version="1.0"?>\n', "<!-- - -->\r\n"]))
    return before + _element(draw, "Response", 3) + draw(st.sampled_from(["", "\n", "<!---->", "<?a b?>"]))


def _element(draw: st.DrawFn, name: str, depth: int) -> str:
    names = draw(st.lists(st.sampled_from(ATTRIBUTES), unique_by=str.lower, max_size=3))
    blank = st.sampled_from([" ", "\n", "\t", "  "])
    attributes = "".join(
        draw(blank) + key + draw(st.sampled_from(["=", " = "])) + quoteattr(draw(_texts)) for key in names
    )
    if draw(st.booleans()) and depth < 3:
        return f"<{name}{attributes}/>"
    inside = []
    for _ in range(draw(st.integers(0, 3 if depth else 0))):
        # An empty element inside one of its own name is what a slip looks like, so that is no fair question.
        verb = draw(st.sampled_from([each for each in VERBS if each.lower() != name.lower()]))
        inside.append(_element(draw, verb, depth - 1))
    inside += [escape(text) for text in draw(st.lists(_texts, max_size=2))]
    inside += draw(
        st.lists(st.sampled_from(["<!-- <a b=c> -->", "<![CDATA[<a>&b;]]>", "&#65;&#x42;", "\r\n"]), max_size=1)
    )
    return f"<{name}{attributes}>{''.join(draw(st.permutations(inside)))}</{name}{draw(st.sampled_from(['', ' ']))}>"


@st.composite
def almost_documents(draw: st.DrawFn) -> bytes:
    """A document with pieces cut out, doubled, put elsewhere, or replaced by rubbish."""
    body = (draw(st.sampled_from(SEEDS)) if draw(st.booleans()) else draw(xml_documents())).encode()
    for _ in range(draw(st.integers(0, 5))):
        begin, end = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
        rubbish = st.sampled_from([b"<", b">", b'"', b"'", b"&", b"</", b"/>", b"=", "”".encode()])
        piece = draw(st.sampled_from([b"", body[begin:end], body[begin:end] * 2]) | st.binary(max_size=8) | rubbish)
        body = body[:begin] + piece + body[end:]
    return body


def read_or_refuse(body: bytes) -> None:
    """See `any_document.read_or_refuse`."""
    any_document.read_or_refuse(Didml(), body, warnings_most=MAX_WARNINGS)
