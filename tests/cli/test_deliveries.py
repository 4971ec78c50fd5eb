"""`offhook deliveries`, with and without a server."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from offhook.hooks.delivery import Turn, plain_delivery
from offhook.hooks.policy import ELKS
from offhook.hooks.request import Purpose, WebhookRequest
from offhook.storage.deliveries import left_over
from offhook.storage.rows import DeliveryRow
from offhook.storage.store import Storage


def keep(storage: Storage, name: str, state: str, age: timedelta = timedelta(minutes=1)) -> None:
    request = WebhookRequest(
        id=name, purpose=Purpose.OWED, call="c" * 32, url="https://app.example/hook", account="u1",
        params=(("state", "success"),),
    )  # fmt: skip
    at = datetime.now(UTC) - age
    storage.deliveries.save(
        DeliveryRow(
            id=name, call_id="c" * 32, account="u1", kind="hangup", sequence=1, created=at, state=state, tries=3,
            done=None if state == "owed" else at, status=500, why="The web server answered 500",
            data=plain_delivery(request, ELKS, 0.0),
        )
    )  # fmt: skip


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The data of a server that does not run."""
    storage = Storage.open(tmp_path / "offhook-data")
    keep(storage, "msg_dead", "dead")
    keep(storage, "msg_old", "dead", timedelta(days=3))
    keep(storage, "msg_owed", "owed")
    storage.close()
    return tmp_path / "offhook-data"


def test_what_there_is_is_listed(run: Any, kept: Path) -> None:
    listed = run("deliveries").out
    assert re.search(r"^ID +OWED \(UTC\) +STATE +TRIES", listed, re.MULTILINE)
    assert re.search(r"^msg_dead +\d{4}-\d\d-\d\d .* dead +3 +500 .*https://app.example/hook$", listed, re.MULTILINE)
    assert "msg_owed" not in run("deliveries", "--state", "dead").out
    assert "msg_old" not in run("deliveries", "--since", "2d").out
    assert [row["id"] for row in run("deliveries", "--state", "owed", "--json").json] == ["msg_owed"]
    assert run("deliveries", "--state", "delivered").out == "There are none.\n"
    assert run("deliveries", "--state", "lost").status == 2


def test_one_is_shown(run: Any, kept: Path) -> None:
    shown = run("deliveries", "show", "msg_dead").out
    assert "why       The web server answered 500" in shown
    assert "  state=success" in shown
    assert run("deliveries", "show", "msg_dead", "--json").json["params"] == [["state", "success"]]
    unknown = run("deliveries", "show", "msg_9")
    assert (unknown.status, "there is no delivery" in unknown.err) == (1, True)


def test_without_a_server_they_wait_for_the_next_one(run: Any, kept: Path) -> None:
    said = run("deliveries", "replay", "msg_dead").out
    assert said == "msg_dead was dead, and is sent once more, when a server runs\n"
    told = run("deliveries", "replay", "msg_dead", "--json").json
    assert (told["tried_now"], told["waits_for"]) == (False, "server")
    assert run("deliveries", "replay", "--since", "2d", "--json").json == {"replayed": 2}
    storage = Storage.open(kept)
    assert {row.id for row in storage.read_blocking(lambda connection: left_over(connection, 10)).owed} == {
        "msg_dead",
        "msg_owed",
    }
    storage.close()


def test_a_running_server_sends_them(run: Any, running: Any) -> None:
    keep(running.storage, "msg_dead", "dead")
    keep(running.storage, "msg_new", "delivered", timedelta())
    assert run("deliveries", "replay", "--since", "1h", "--state", "dead").out == "1 are sent once more\n"
    assert run("deliveries", "replay", "--since", "2026-01-01").out == "2 are sent once more\n"
    assert running.board.replayed == ["msg_dead", "msg_dead", "msg_new"]
    for running.board.turn, says in (
        (Turn.NOW, "is sent once more"),
        (Turn.EARLIER, "follows what is owed before it"),
        (Turn.OTHERS, "when others of its account"),
    ):
        assert says in run("deliveries", "replay", "msg_new").out


@pytest.mark.parametrize("words", [(), ("msg_1", "--since", "1h")])
def test_what_to_replay_must_be_said(run: Any, words: tuple[str, ...]) -> None:
    typed = run("deliveries", "replay", *words)
    assert (typed.status, "say what to replay" in typed.err) == (1, True)


@pytest.mark.parametrize("time", ["yesterday", "5w", "99999999999999d"])
def test_a_time_that_is_none(run: Any, time: str) -> None:
    typed = run("deliveries", "--since", time)
    assert (typed.status, "is no time; write" in typed.err) == (1, True)
