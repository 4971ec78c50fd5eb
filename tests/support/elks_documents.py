"""Documents of 46elks and what is almost one, for property tests and fuzzing; and the one property of its reader."""

from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st
from tests.support import any_document
from tests.support.cases import cases_in
from tests.support.dialect_cases import body_of

from offhook.flow.dialects.elks import Elks
from offhook.flow.dialects.elks_reading import MAX_WARNINGS

__all__ = ["SEEDS", "almost_documents", "json_values", "read_or_refuse"]

_CASES = Path(__file__).resolve().parent.parent / "conformance" / "elks" / "documents"
SEEDS: Sequence[bytes] = [body for case in cases_in(_CASES) if len(body := body_of(case)) < 2000]
"""The documents of all cases but the giants."""

_KEYS = [
    *("connect", "play", "ivr", "record", "recordcall", "hangup", "whenhangup", "next", "success", "failed", "busy"),
    *(
        "callerid",
        "timeout",
        "timelimit",
        "digits",
        "repeat",
        "skippable",
        "silencedetection",
        "0",
        "9",
        "*",
        "#",
        "12",
    ),
]
_TEXTS = [
    *("", " ", "yes", "no", "true", "5", "-1", "sound/beep", "sound/dtmf/1", "local/a", "en_US/hi", "404", "busy"),
    *("https://app.example/", "/next", "+46700000001", " 46700000001", "+46700000001,x", "sip:a@pbx.example"),
]
_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 700),
    st.floats(allow_nan=False),
    st.sampled_from(_TEXTS),
    st.text(max_size=20),
)
json_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
)
"""JSON values made of the words of the language."""


@st.composite
def almost_documents(draw: st.DrawFn) -> bytes:
    """The document of a case with pieces cut out, doubled, put elsewhere, or replaced by rubbish."""
    body = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 5))):
        begin, end = sorted((draw(st.integers(0, len(body))), draw(st.integers(0, len(body)))))
        piece = draw(st.sampled_from([b"", body[begin:end], body[begin:end] * 2]) | st.binary(max_size=8))
        body = body[:begin] + piece + body[end:]
    return body


def read_or_refuse(body: bytes) -> None:
    """See `any_document.read_or_refuse`."""
    any_document.read_or_refuse(Elks(), body, warnings_most=MAX_WARNINGS)
