"""Following a call: pages until it is over, and how it reads."""

from datetime import datetime
from typing import Any

import pytest

from offhook.cli import timeline as module
from offhook.cli.connection import ServerGone
from offhook.cli.timeline import ending, follow, show_event


class Pages:
    """A server that has these pages, and goes away in between where it has an error."""

    def __init__(self, *pages: dict[str, Any] | ServerGone) -> None:
        self.pages = list(pages)
        self.asked: list[int] = []

    def get(self, target: str, **query: Any) -> Any:
        if not target.endswith("/events"):
            return {"state": "success"}
        self.asked.append(query["after"])
        page = self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        if isinstance(page, ServerGone):
            raise page
        return page


def test_goes_on_from_what_was_shown() -> None:
    one, two, three = ({"seq": seq} for seq in (1, 2, 3))
    server: Any = Pages(
        {"events": [one, two], "next": 2, "over": False},
        {"events": [], "next": 2, "over": False},
        {"events": [three], "next": 3, "over": True},
    )
    shown: list[Any] = []
    assert follow(server, "c", shown.append) == {"state": "success"}
    assert (shown, server.asked) == ([one, two, three], [0, 2, 2])


def test_a_server_that_restarts_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)
    one, two = {"seq": 1}, {"seq": 2}
    server: Any = Pages(
        {"events": [one], "next": 1, "over": False},
        ServerGone("refused"),
        ServerGone("refused"),
        {"events": [two], "next": 2, "over": True},
    )
    shown: list[Any] = []
    assert follow(server, "c", shown.append) == {"state": "success"}
    assert (shown, server.asked) == ([one, two], [0, 1, 1, 1])
    assert capsys.readouterr().err.count("waiting for it") == 1


def test_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(module, "BACK_WITHIN_S", 0.05)
    server: Any = Pages(ServerGone("refused"))
    with pytest.raises(ServerGone):
        follow(server, "c", lambda _event: None)


def test_what_others_wrote_does_nothing_to_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    """A carrier's reason phrase, say: a terminal would obey it."""
    at = datetime(2026, 1, 1, 12, 0, 0, 123456).astimezone()
    show_event({"at": at.isoformat(), "kind": "sip.received", "data": {"a\x1b": "Busy\x1b[2J\r\nfoo\x9b1m\u202e å"}})
    assert capsys.readouterr().out.endswith(' a\\x1b="Busy\\x1b[2J\\r\\nfoo\\x9b1m\\u202e å"\n')


def test_an_entry_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 1, 1, 12, 0, 0, 123456).astimezone()
    show_event({"at": at.isoformat(), "kind": "leg.answered", "data": {"leg": 0, "to": "a b", "no": ""}})
    assert capsys.readouterr().out == '12:00:00.123  leg.answered            leg=0 to="a b" no=""\n'


def test_what_lies_deeper_is_as_plain(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 1, 1, 12, 0, 0, 123456).astimezone()
    show_event({"at": at.isoformat(), "kind": "hook.tries", "data": {"tries": [{"ms": 0.1, "why": "a b"}, {}]}})
    assert capsys.readouterr().out.endswith('tries=[{ms=0.1 why="a b"} {}]\n')


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        ({"state": "ongoing"}, "The call goes on."),
        ({"state": "busy", "cause": "busy", "duration_s": None}, "The call ended: busy (busy)."),
        (
            {"state": "success", "cause": "time_limit", "duration_s": 7},
            "The call ended: success (time limit) after 7 s.",
        ),
    ],
)
def test_endings(call: dict[str, Any], sentence: str) -> None:
    assert ending(call) == sentence
