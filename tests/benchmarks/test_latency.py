"""What the latencies' generator takes for an answer."""

from benchmarks.latency import whole

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"


def test_an_answer_is_whole_with_its_last_octet():
    assert not any(whole(ANSWER[:size]) for size in range(len(ANSWER)))
    assert whole(ANSWER)
    assert whole(b"HTTP/1.1 204 No Content\r\n\r\n")
