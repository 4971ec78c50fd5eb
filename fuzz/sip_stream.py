"""Fuzz target: a stream in any pieces gives what it gives in one, and never anything after a fatal fault."""

from __future__ import annotations

from fuzz.runner import run
from fuzz.sip_corpus import messages
from hypothesis import strategies as st

from offhook.sip.errors import Fault
from offhook.sip.message import Message
from offhook.sip.parser import KeepAlive, StreamParser

STREAMS = st.lists(st.one_of(messages(), st.just(b"\r\n\r\n"), st.binary(max_size=30)), max_size=4).map(b"".join)
STRATEGY = st.tuples(STREAMS, st.lists(st.integers(min_value=1, max_value=400), max_size=12))


def check(example: tuple[bytes, list[int]]) -> None:
    """The invariant of reading one stream."""
    data, sizes = example
    whole = StreamParser()
    expected = _told(whole.feed(data))
    parser = StreamParser()
    found: list[Message | KeepAlive | Fault] = []
    position = 0
    for size in sizes:
        found += parser.feed(data[position : position + size])
        position += size
    found += parser.feed(data[position:])
    assert _told(found) == expected
    assert parser.closed == whole.closed == any(isinstance(item, Fault) for item in found)
    assert not any(isinstance(item, Fault) for item in found[:-1])
    if parser.closed:
        assert parser.feed(data) == []


def _told(items: list[Message | KeepAlive | Fault]) -> list[object]:
    """Keep-alives aside, since a ping in two pieces is told as a pong and a ping."""
    return [item for item in items if not isinstance(item, KeepAlive)]


if __name__ == "__main__":
    run("sip_stream", STRATEGY, check)
