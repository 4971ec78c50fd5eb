"""`offhook call`, `calls`, `timeline`."""

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest


def test_calls_need_a_server(run: Any) -> None:
    run("account", "add", "Ann")
    refused = run("call", "+46700000002", "--from", "+46100000001", "--voice-start", "https://a.example/")
    assert refused.status == 1
    assert "start one with: offhook serve" in refused.err
    assert "There are no calls yet" in run("calls").out


def _ending(running: Any) -> threading.Thread:
    async def end() -> None:
        call_id = (await running.board.until_live()).id
        await running.board.note(call_id, "leg.failed", {"why": "no answer", "status": 486})
        await running.board.hang_up(call_id)

    thread = threading.Thread(target=lambda: running.do(end()))
    thread.start()
    return thread


CALL = ("call", "+46700000002", "--from", "+46100000001", "--voice-start", "https://a.example/", "--account", "Main")


def test_a_call_is_made_and_followed(run: Any, running: Any) -> None:
    running.world.give("number +46100000001")
    ending = _ending(running)
    made = run(*CALL, "--timeout", "30", "--record")
    ending.join()
    assert made.status == 3, made.err
    lines = made.out.splitlines()
    assert re.fullmatch("call c[0-9a-f]{32}", lines[0])
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}  call\.created +to=\+46700000002", lines[1])
    assert lines[2].endswith('why="no answer" status=486')
    assert lines[-1] == "The call ended: failed (cancelled)."
    (order,) = running.board.orders
    assert (order.ring_timeout_s, order.record) == (30, True)
    identifier = lines[0].split()[1]
    shown = run("timeline", identifier)
    assert shown.out.splitlines() == lines[1:]
    assert run("timeline", identifier, "--follow").out.splitlines() == lines[1:]
    assert [event["kind"] for event in run("timeline", identifier, "--json").json] == [
        "call.created",
        "leg.failed",
        "call.ended",
    ]


def test_a_call_as_json(run: Any, running: Any) -> None:
    running.world.give("number +46100000001")
    ending = _ending(running)
    made = run(*CALL, "--json")
    ending.join()
    assert (made.status, made.json["cause"]) == (3, "cancelled")


def test_interrupting_hangs_up(run: Any, running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    running.world.give("number +46100000001")

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("offhook.cli.calls.follow", interrupted)
    assert run(*CALL).status == 130
    assert running.board.live == {}


def test_wrong_calls_say_what_to_do(run: Any, running: Any) -> None:
    refused = run(*CALL)
    assert refused.status == 1
    assert "allow it with: offhook account caller-id add +46100000001" in refused.err
    assert "offhook calls shows them" in run("timeline", "nonsense").err


def test_calls_are_listed(run: Any, running: Any) -> None:
    running.world.give("calls 2")
    running.world.give("answered-call")
    listed = run("calls").out.splitlines()
    assert listed[0].split() == ["ID", "CREATED", "(UTC)", "DIRECTION", "FROM", "TO", "STATE", "CAUSE", "SECONDS"]
    assert "success" in listed[2]
    assert listed[2].endswith(" 7")
    assert len(run("calls", "--limit", "1", "--json").json) == 1


def test_a_timeline_is_written_into_a_file(run: Any, running: Any, tmp_path: Path) -> None:
    running.world.give("answered-call")
    running.do(running.board.note("0" * 32, "call.begun", {"from": "+46100000001"}))
    file = tmp_path / "call.json"
    written = run("timeline", f"c{0:032x}", "--export", str(file))
    assert written.out == f"{file}: 1 entries, 0 recordings, 0 deliveries\n"
    exported = json.loads(file.read_text())
    assert (exported["format"], exported["events"][0]["kind"]) == ("offhook.call/1", "call.begun")
    assert file.stat().st_mode & 0o777 == 0o600
    assert run("timeline", f"c{0:032x}", "--export", str(file), "--json").json["events"] == 1
    refused = run("timeline", f"c{0:032x}", "--export", str(tmp_path / "nowhere" / "x.json"))
    assert refused.status == 1
    assert "cannot be written" in refused.err
    assert run("timeline", "x", "--export", str(file)).status == 1


def test_a_file_needs_no_server(run: Any, tmp_path: Path) -> None:
    assert "no such call" in run("timeline", "c" + "0" * 32, "--export", str(tmp_path / "x.json")).err
