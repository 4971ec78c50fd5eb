"""Datagrams and streams to messages: RFC 3261 sections 7 and 18.3, RFC 5626 section 3.5.1."""

from __future__ import annotations

import pytest

from offhook.sip.errors import Fault, Unparseable
from offhook.sip.message import Headers, Message, Request, Response
from offhook.sip.parser import (
    BODY_MAX_BYTES,
    DATAGRAM_MAX_BYTES,
    HEAD_MAX_BYTES,
    HEADERS_MAX_COUNT,
    KEEP_ALIVES_MAX_COUNT,
    KeepAlive,
    StreamParser,
    is_keep_alive,
    parse_datagram,
)

OPTIONS = b"OPTIONS sip:example.com SIP/2.0\r\ni: a\r\nl: 0\r\n\r\n"
MESSAGE = b"MESSAGE sip:example.com SIP/2.0\r\nCall-ID: b\r\nContent-Length: 5\r\n\r\nhello"


def test_request() -> None:
    message = parse_datagram(MESSAGE)
    assert message == Request(
        "MESSAGE", "sip:example.com", Headers([("Call-ID", "b"), ("Content-Length", "5")]), b"hello"
    )
    assert message.flaw is None
    assert message.encode() == MESSAGE


def test_response() -> None:
    message = parse_datagram(b"sip/2.0 200 All \xc3\xb6k\r\nCall-ID:a\r\n\r\n")
    assert message == Response(200, "All ök", Headers([("Call-ID", "a")]))
    assert isinstance(parse_datagram(b"SIP/2.0 100\r\n\r\n"), Response)


def test_names_fold_and_values_are_stripped_and_unfolded() -> None:
    message = parse_datagram(b"OPTIONS sip:a SIP/2.0\r\nsUBJECT \t: one\r\n\t two  \r\nX-New:3\r\nV:\r\n 1\r\n\r\n")
    assert list(message.headers.items()) == [("Subject", "one two"), ("X-New", "3"), ("Via", "1")]
    assert message.flaw is None


def test_leading_line_ends_mean_nothing() -> None:
    assert parse_datagram(b"\r\n\r\n" + MESSAGE).body == b"hello"


def test_datagram_without_content_length_ends_with_the_datagram() -> None:
    assert parse_datagram(b"MESSAGE sip:a SIP/2.0\r\nTo: x\r\n\r\nhello").body == b"hello"


def test_octets_behind_the_body_are_dropped() -> None:
    message = parse_datagram(MESSAGE + b"more")
    assert (message.body, message.flaw) == (b"hello", None)


def test_octets_that_are_not_utf8_survive() -> None:
    data = b"MESSAGE sip:example.com SIP/2.0\r\nSubject: r\xe4v\r\nContent-Length: 0\r\n\r\n"
    assert parse_datagram(data).encode() == data


@pytest.mark.parametrize(
    ("data", "flaw"),
    [
        (MESSAGE[:-1], "The body is shorter than its Content-Length"),
        (b"OPTIONS sip:a SIP/2.0\r\nTo: x\r\n", "The headers have no end"),
        (b"OPTIONS sip:a SIP/2.0\r\nTo: x", "The headers have no end"),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\nl: 0\r\n\r\n", "More Than One Content-Length"),
        (b"OPTIONS sip:a SIP/2.0\r\nl: -1\r\n\r\n", "Malformed Content-Length"),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 00000000001\r\n\r\n", "Malformed Content-Length"),
        (b"OPTIONS sip:a SIP/2.0\r\nl: \xc2\xb2\r\n\r\n", "Malformed Content-Length"),
        (b"OPTIONS sip:a SIP/2.0\r\nno colon\r\n\r\n", "Malformed Header Line"),
        (b"OPTIONS sip:a SIP/2.0\r\nb d: 1\r\n\r\n", "Malformed Header Line"),
        (b"OPTIONS sip:a SIP/2.0\r\n: 1\r\n\r\n", "Malformed Header Line"),
        (b"OPTIONS sip:a SIP/2.0\r\nTo: \x01\r\n\r\n", "Control Character in Headers"),
        (b"OPTIONS  sip:a SIP/2.0\r\n\r\n", "Malformed Request Line"),
        (b"OPTIONS sip:a SIP/2.0 \r\n\r\n", "Malformed Request Line"),
        (b"OPTIONS sip:a; lr SIP/2.0\r\n\r\n", "Malformed Request Line"),
    ],
)
def test_flaws(data: bytes, flaw: str) -> None:
    assert parse_datagram(data).flaw == flaw


def test_a_control_character_may_stand_in_a_quoted_pair() -> None:
    assert parse_datagram(b'OPTIONS sip:a SIP/2.0\r\nTo: "\\\x00" <sip:a>\r\n\r\n').flaw is None


def test_other_versions_are_read() -> None:
    message = parse_datagram(b"OPTIONS sip:a sip/7.0\r\n\r\n")
    assert isinstance(message, Request)
    assert (message.version, message.flaw) == ("SIP/7.0", None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"OPTIONS SIP/2.0\r\n\r\n",
        b"OPT(IONS sip:a SIP/2.0\r\n\r\n",
        b"SIP/2.0 OK\r\n\r\n",
        b"SIP/x 200 OK\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\nTo: x\n\n",
        b"OPTIONS sip:a SIP/2.0\r\nTo: x\ry\r\n\r\n",
        b"OPTIONS sip:a SIP/2.0\r\n" + b"a: b\r\n" * (HEADERS_MAX_COUNT + 1) + b"\r\n",
        b"OPTIONS sip:a SIP/2.0\r\nTo: " + b"x" * HEAD_MAX_BYTES + b"\r\n\r\n",
        b"x" * (DATAGRAM_MAX_BYTES + 1),
    ],
)
def test_unparseable(data: bytes) -> None:
    with pytest.raises(Unparseable) as caught:
        parse_datagram(data)
    assert caught.value.reason


@pytest.mark.parametrize(("data", "expected"), [(b"\r\n\r\n", True), (b"\x00" * 4, True), (b"", True), (b"x", False)])
def test_keep_alive_datagrams(data: bytes, expected: bool) -> None:
    assert is_keep_alive(data) is expected


def test_stream_in_any_pieces() -> None:
    stream = MESSAGE + OPTIONS + b"\r\n\r\n" + MESSAGE
    expected = [parse_datagram(MESSAGE), parse_datagram(OPTIONS), KeepAlive.PING, parse_datagram(MESSAGE)]
    assert StreamParser().feed(stream) == expected
    for size in (1, 2, 3, 7, 50):
        parser = StreamParser()
        items: list[Message | KeepAlive | Fault] = []
        for start in range(0, len(stream), size):
            items += parser.feed(stream[start : start + size])
        assert [item for item in items if item is not KeepAlive.PONG] == expected


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([b"\r\n"], [KeepAlive.PONG]),
        ([b"\r\n\r\n"], [KeepAlive.PING]),
        ([b"\r\n", b"\r\n"], [KeepAlive.PONG, KeepAlive.PING]),
        ([b"\r", b"\n\r", b"\n"], [KeepAlive.PING]),
        ([b"\r\n" + OPTIONS], [KeepAlive.PONG, parse_datagram(OPTIONS)]),
        ([b"\r\n\r\n\r\n\r\n"], [KeepAlive.PING, KeepAlive.PING]),
        ([b"\r\n", OPTIONS, b"\r\n"], [KeepAlive.PONG, parse_datagram(OPTIONS), KeepAlive.PONG]),
    ],
)
def test_stream_keep_alives(pieces: list[bytes], expected: list[object]) -> None:
    parser = StreamParser()
    assert [item for piece in pieces for item in parser.feed(piece)] == expected


def test_a_flood_of_keep_alives_is_swallowed() -> None:
    assert len(StreamParser().feed(b"\r\n\r\n" * 1000)) == KEEP_ALIVES_MAX_COUNT


@pytest.mark.parametrize(
    ("data", "status", "answerable"),
    [
        (b"OPTIONS sip:a SIP/2.0\r\nTo: x\r\n\r\n", 400, True),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 1\r\nl: 2\r\n\r\n", 400, True),
        (b"OPTIONS sip:a SIP/2.0\r\nl: %d\r\n\r\n" % (BODY_MAX_BYTES + 1), 413, True),
        (b"SIP/2.0 200 OK\r\n\r\n", 400, False),
        (b"GET / HTTP/1.1\r\n\r\n", 400, False),
        (b"\rx", 400, False),
        (b"x" * (HEAD_MAX_BYTES + 1), 513, False),
        (b"OPTIONS sip:a SIP/2.0\r\nTo: " + b"x" * HEAD_MAX_BYTES + b"\r\n\r\n", 513, False),
    ],
)
def test_stream_faults_are_fatal(data: bytes, status: int, answerable: bool) -> None:
    parser = StreamParser()
    items = parser.feed(OPTIONS + data + MESSAGE)
    assert items[0] == parse_datagram(OPTIONS)
    fault = items[-1]
    assert isinstance(fault, Fault)
    assert (fault.status, fault.fatal, fault.request is not None) == (status, True, answerable)
    assert parser.closed
    assert parser.feed(MESSAGE) == []


def test_a_head_without_end_is_given_up() -> None:
    parser = StreamParser()
    assert parser.feed(b"x" * HEAD_MAX_BYTES) == []
    assert parser.feed(b"x") == [Fault(status=513, reason="Message Too Large", fatal=True)]
