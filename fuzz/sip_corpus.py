"""Strategies for SIP targets: RFC 4475's messages with lines lost, doubled, moved, spliced and filled with rubbish."""

from __future__ import annotations

from hypothesis import strategies as st
from tests.conformance.rfc4475.corpus import names, octets

SEEDS = [octets(name) for name in names()]
LINES = sorted({line for data in SEEDS for line in data.split(b"\r\n") if len(line) < 300})
RUBBISH = st.one_of(
    st.sampled_from(
        [b"\r\n", b"\r", b"\n", b" ", b"\t", b'"', b"<", b">", b",", b";", b"=", b":", b"@", b"%", b"\\", b"\0"]
    ),
    st.binary(max_size=12),
    st.integers(min_value=-(2**70), max_value=2**70).map(lambda value: str(value).encode()),
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """One message of the corpus, changed in up to six places."""
    lines = draw(st.sampled_from(SEEDS)).split(b"\r\n")
    for _ in range(draw(st.integers(min_value=0, max_value=6))):
        at = draw(st.integers(min_value=0, max_value=len(lines) - 1))
        match draw(st.integers(min_value=0, max_value=4)):
            case 0:
                if len(lines) > 1:
                    del lines[at]
            case 1:
                lines.insert(at, draw(st.sampled_from(LINES)))
            case 2:
                other = draw(st.integers(min_value=0, max_value=len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                cut = draw(st.integers(min_value=0, max_value=len(lines[at])))
                end = draw(st.integers(min_value=cut, max_value=len(lines[at])))
                lines[at] = lines[at][:cut] + draw(RUBBISH) + lines[at][end:]
            case _:
                lines[at] = lines[at][: draw(st.integers(min_value=0, max_value=len(lines[at])))]
    return b"\r\n".join(lines)


# One good value or more for every value parser, so that changes begin near what is accepted.
VALUES = (
    '"J \\\\ \\"Rosenberg\\"" <sip:jdrosen@example.com;lr?Route=%3Csip:a%3E> ; newparam = "a;b" ;q = 0.33',
    "token1~` t2 <sips:u:p@[2001:db8::1]:5061;transport=tcp>;tag=1;flag",
    "sip:+46%20701;phone-context=a%40b@example.com;user=phone?a=b&c=d",
    "tel:+46-70-1234;ext=5;isub",
    "SIP / 2.0 / UDP  [2001:db8::1] : 5060 ;branch=z9hG4bK1;rport;received=192.0.2.1",
    "0009   INVITE",
    "776656 1 INVITE",
    'multipart / mixed ; boundary="a b"',
    "session;handling=optional",
    "1800;refresher=uas",
    "18000 (in a \\) meeting);duration=3600",
    'Q.850 ;cause=16 ;text="Normal \\"call\\" clearing"',
    "refer;id=93809824",
    "active;expires=60;reason=probation",
    "98732@sip.example.com;from-tag=r33;to-tag=ff87;early-only",
    '307 isi.edu:5060 "Session \\"foo\\" not understood"',
    'Digest realm="a, \\"b\\"", nonce="n==", qop="auth,auth-int", algorithm=SHA-256, stale=false',
    "INVITE, ACK ,, BYE",
    "id;critical",
)


@st.composite
def values(draw: st.DrawFn) -> str:
    """One header value or URI, good or of the corpus, changed in up to four places."""
    if draw(st.booleans()):
        text = draw(st.sampled_from(VALUES))
    else:
        line = draw(st.sampled_from(LINES)).decode("utf-8", "surrogateescape")
        text = line.partition(":")[2].strip(" ") if draw(st.booleans()) else line
    for _ in range(draw(st.integers(min_value=0, max_value=4))):
        cut = draw(st.integers(min_value=0, max_value=len(text)))
        end = draw(st.integers(min_value=cut, max_value=min(len(text), cut + 4)))
        text = text[:cut] + draw(RUBBISH).decode("utf-8", "surrogateescape") + text[end:]
    return text.replace("\r", "").replace("\n", "")
