"""`offhook call …` for calls that are live; making one is tried in `test_calls.py`."""

from pathlib import Path
from typing import Any

import pytest

from offhook.call.changes import Objection
from offhook.call.commands import LegId
from offhook.call.events import ChangeRecording, GoOn, HangUp, Mute, PressKeys, RecordingChange
from offhook.flow.document import Document
from offhook.flow.program import Flow
from offhook.flow.view import Cause
from offhook.web.port import CallOrder


@pytest.fixture
def identifier(running: Any) -> str:
    """A live call."""
    order = CallOrder(
        owner="u" + "0" * 32,
        from_="+46100000001",
        to="+46700000002",
        start=Document(url="https://a.example/"),
        dialect="elks",
    )
    return f"c{running.do(running.board.place_call(order)).id}"


@pytest.mark.parametrize(
    ("words", "wanted", "said"),
    [
        (
            ("go-on", "ID", "https://a.example/x", "--method", "get"),
            GoOn(to=Document(url="https://a.example/x", method="GET")),
            "goes on with it",
        ),
        (("hang-up", "ID"), HangUp(cause=Cause.NORMAL), "being ended"),
        (("hang-up", "ID", "--cause", "busy"), HangUp(cause=Cause.BUSY), "being ended"),
        (("mute", "ID", "--leg", "1"), Mute(leg=LegId(1), muted=True), "leg 1 is not heard"),
        (("unmute", "ID"), Mute(leg=LegId(0), muted=False), "leg 0 is heard again"),
        (("keys", "ID", "12#"), PressKeys(leg=LegId(0), keys="12#"), "on their way to leg 0"),
        (("record", "ID", "start"), ChangeRecording(change=RecordingChange.START), "being recorded"),
        (("record", "ID", "pause"), ChangeRecording(change=RecordingChange.PAUSE), "holds silence"),
        (("record", "ID", "stop"), ChangeRecording(change=RecordingChange.STOP), "the recording ends"),
    ],
)
def test_changes(run: Any, running: Any, identifier: str, words: tuple[str, ...], wanted: Any, said: str) -> None:
    done = run("call", *(identifier if word == "ID" else word for word in words))
    assert (done.status, said in done.out) == (0, True), done.err
    assert [change for _, change in running.board.changes] == [wanted]


def test_a_document_written_out_and_what_was_generously_understood(run: Any, running: Any, identifier: str) -> None:
    done = run("call", "go-on", identifier, ' {"hangup": "busy",}')
    assert done.status == 0
    assert "comma" in done.err
    ((_, change),) = running.board.changes
    assert isinstance(change.to, Flow)
    assert run("call", "mute", identifier, "--json").json["changed"] == "mute"


def test_what_cannot_be_done_is_said(run: Any, running: Any, identifier: str) -> None:
    running.board.objection = Objection.LEG_NOT_THERE
    refused = run("call", "mute", identifier)
    assert (refused.status, "not answered" in refused.err) == (1, True)
    assert "no keys" in run("call", "keys", identifier, "hello").err
    assert run("call", "record", identifier, "rewind").status == 1
    assert "offhook calls" in run("call", "mute", "c" + "0" * 32).err


@pytest.mark.parametrize(
    "words",
    [
        ("go-on", "{}"), ("hang-up",), ("mute",), ("unmute",), ("keys", "1"), ("record", "stop"),
    ],
)  # fmt: skip
def test_without_a_server_no_call_is_live(run: Any, tmp_path: Path, words: tuple[str, ...]) -> None:
    refused = run("call", words[0], "c" + "0" * 32, *words[1:])
    assert (refused.status, refused.err.count("\n")) == (1, 1)
    assert "start one with: offhook serve" in refused.err
    assert not (tmp_path / "offhook-data").exists(), "and nothing is made for having asked"


def test_help_names_the_commands(run: Any) -> None:
    shown = run("call", "--help").out
    assert all(word in shown for word in ("make", "go-on", "hang-up", "mute", "unmute", "keys", "record"))
