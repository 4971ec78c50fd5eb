"""Shares of a profile, by room and by function."""

from benchmarks.profile import report, room_of


def test_a_file_belongs_to_a_room_a_library_or_python():
    assert room_of("/x/src/offhook/sip/headers/via.py") == "offhook/sip"
    assert room_of("/v/lib/python3.11/site-packages/aiohttp/client.py") == "aiohttp"
    assert room_of("/usr/lib/python3.11/ipaddress.py") == "python/ipaddress"
    assert room_of("~") == "built in"


def test_figures_are_microseconds_of_each_call_and_waiting_is_none():
    lines = report(
        {
            ("/x/src/offhook/sip/parser.py", 5, "parse"): (20, 20, 0.001, 0.004),
            ("~", 0, "<method 'poll' of 'select.epoll' objects>"): (1, 1, 9.0, 9.0),
        },
        10,
    ).splitlines()
    assert lines[0] == "10 calls; microseconds for each"
    assert "    100  offhook/sip" in lines
    assert "    100     2.0  sip/parser.py:5 parse" in lines
    assert "    400     2.0  sip/parser.py:5 parse" in lines
    assert not any("poll" in line for line in lines)
