"""The benchmarks' web application: however requests are cut, each is answered once."""

import pytest
from benchmarks.application import Answering, answer_bytes

ANSWER = answer_bytes("application/json", b'{"hangup": ""}')
POST = b"POST /start?x=1 HTTP/1.1\r\nHost: h\r\ncontent-length: 5\r\n\r\na=b&c"
GET = b"GET /start HTTP/1.1\r\nHost: h\r\n\r\n"


class Kept:
    def __init__(self) -> None:
        self.said: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.said.append(data)


@pytest.mark.parametrize("size", [1, 7, 40, 1000])
def test_requests_may_come_in_pieces_or_together(size):
    kept = Kept()
    connection = Answering({b"/start": ANSWER})
    connection.connection_made(kept)
    sent = POST + GET + POST
    for start in range(0, len(sent), size):
        connection.data_received(sent[start : start + size])
    assert kept.said == [ANSWER] * 3
    assert ANSWER.endswith(b'\r\n\r\n{"hangup": ""}')
    assert b"Content-Length: 14\r\n" in ANSWER


def test_an_unknown_path_is_404():
    kept = Kept()
    connection = Answering({})
    connection.connection_made(kept)
    connection.data_received(GET)
    assert kept.said[0].startswith(b"HTTP/1.1 404 ")
