"""`offhook account`."""

import json
import re
import threading
from dataclasses import replace
from typing import Any

import pytest

from offhook.flow.view import CallId, CallState, Cause
from offhook.storage.rows import CallRow


def test_an_account_is_made_and_shown(run: Any) -> None:
    made = run("account", "add", "My company", "--currency", "EUR")
    assert made.status == 0
    assert re.search(r"^id +u[0-9a-f]{32}\nsecret +[0-9A-F]{32}\nAPI key +[0-9A-F]{32}\n", made.out, re.MULTILINE)
    assert re.search(r"^signing key +whsec_[A-Za-z0-9+/]{43}=$", made.out, re.MULTILINE)
    assert "not shown again" in made.err
    as_json = run("account", "add", "Other", "--json").json
    assert {"id", "secret", "api_key"} <= as_json.keys()
    listed = run("account", "list")
    assert re.search(r"u[0-9a-f]{32}  My company  0\.0000 EUR \(no limit\)  yes", listed.out)
    assert [row["name"] for row in run("account", "list", "--json").json] == ["My company", "Other"]


def test_no_account_yet(run: Any) -> None:
    assert "offhook account add NAME" in run("account", "list").out
    nothing = run("account", "credit", "5")
    assert (nothing.status, nothing.out) == (1, "")
    assert "make one with: offhook account add NAME" in nothing.err


def test_credit(run: Any) -> None:
    run("account", "add", "Ann")
    assert re.search(r"balance +100\.0000 SEK$", run("account", "credit", "1000000").out, re.MULTILINE)
    assert run("account", "credit", "none", "--json").json["limited"] is False
    wrong = run("account", "credit", "1.5")
    assert wrong.status == 1
    assert "whole number of 1/10000" in wrong.err
    run("account", "add", "Ben")
    assert "say which with --account" in run("account", "credit", "5").err
    assert run("account", "credit", "5", "--account", "Ben", "--json").json["name"] == "Ben"


def test_how_often_what_is_owed_is_tried(run: Any) -> None:
    run("account", "add", "Ann")
    assert re.search(r"^kind +as its API has it$", run("account", "delivery").out, re.MULTILINE)
    growing = run("account", "delivery", "growing", "--first", "5", "--longest", "60", "--for", "3600", "--json").json
    assert growing["policy"] == {
        "kind": "growing", "first_s": 5, "factor": 2, "longest_s": 60, "for_s": 3600, "jitter": 0.25,
    }  # fmt: skip
    assert re.search(r"^first \(s\) +5\.0$", run("account", "delivery").out, re.MULTILINE)
    listed = run("account", "delivery", "listed", "--pauses", "5,60", "--account", "Ann", "--json").json
    assert listed["policy"] == {"kind": "listed", "pauses_s": [5, 60]}
    assert run("account", "delivery", "steady", "--every", "60", "--json").json["policy"]["every_s"] == 60
    assert run("account", "delivery", "default", "--json").json["policy"] is None
    for wrong, why in (
        (("listed", "--pauses", "five"), "are no pauses"),
        (("--every", "5"), "say which policy"),
        (("steady", "--pauses", "5"), "pauses_s"),
        (("steady", "--every", "0"), "every_s"),
    ):
        typed = run("account", "delivery", *wrong)
        assert (typed.status, why in typed.err) == (1, True), wrong
    run("account", "add", "Ben")
    assert "--account" in run("account", "delivery").err


def test_signing_keys(run: Any) -> None:
    made = run("account", "add", "Ann", "--json").json
    assert f"signing key  {made['signing_key']}" in run("account", "signing-key", "show").out
    rotated = run("account", "signing-key", "rotate", "--overlap", "2", "--json").json
    assert [key["signing_key"] for key in rotated["older"]] == [made["signing_key"]]
    assert rotated["signing_key"] != made["signing_key"]
    shown = run("account", "signing-key", "show").out
    assert re.search(rf"^until \d{{4}}-\d\d-\d\d \d\d:\d\d +{re.escape(made['signing_key'])}$", shown, re.MULTILINE)
    assert run("account", "signing-key", "show", "--json").json == rotated
    run("account", "signing-key", "rotate", "--overlap", "0")
    assert "until" not in run("account", "signing-key", "show").out
    assert run("account", "signing-key", "rotate", "--overlap", "100000").status == 1


def test_caller_ids(run: Any) -> None:
    run("account", "add", "Ann")
    assert "None yet" in run("account", "caller-id", "list").out
    unverified = run("account", "caller-id", "add", "+46701234567")
    assert unverified.status == 1
    assert "--trusted" in unverified.err
    assert "+46701234567 may be shown" in run("account", "caller-id", "add", "+46701234567", "--trusted").out
    assert [row["number"] for row in run("account", "caller-id", "list", "--json").json] == ["+46701234567"]
    assert "+46701234567" in run("account", "caller-id", "list").out
    assert run("account", "caller-id", "remove", "+46701234567").status == 0
    assert run("account", "caller-id", "remove", "+46701234567").status == 1
    assert run("account", "caller-id", "add", "+46701234567", "--trusted", "--json").json["number"] == "+46701234567"


def _answered(running: Any, keys: Any, actions: Any = None, cause: str = "normal") -> threading.Thread:
    """Somebody who answers the verifying call and keys in what `keys` makes of the order, or did these `actions`."""

    async def answer() -> None:
        view = await running.board.until_live()
        running.board.live[view.id] = replace(view, state=CallState.SUCCESS, cause=Cause.NORMAL)
        running.storage.records.save_call(
            CallRow(
                id=view.id,
                owner=view.owner,
                direction="outgoing",
                from_number=view.from_,
                to_number=view.to,
                created=view.created,
                state="success",
                cause=cause,
                actions=({"ivr": "en_US/…", "result": keys()},) if actions is None else actions,
            )
        )
        del running.board.live[CallId(view.id)]
        await running.board.note(view.id, "call.ended", {})

    thread = threading.Thread(target=lambda: running.do(answer()))
    thread.start()
    return thread


def test_a_number_is_verified_by_a_call(run: Any, running: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("offhook.cli.account.secrets.randbelow", lambda _below: 123)
    answering = _answered(running, lambda: "000123")
    added = run("account", "caller-id", "add", "+46701234567", "--account", "Main", "--key-in")
    answering.join()
    assert added.status == 0, added.err
    assert "key in: 000123" in added.err
    (order,) = running.board.orders
    assert (order.to, order.from_) == ("+46701234567", "anonymous")
    assert json.dumps(order.start.flow.steps[0].wording["digits"]) == "6"


def test_a_wrong_code_verifies_nothing(run: Any, running: Any) -> None:
    answering = _answered(running, lambda: "failed")
    refused = run("account", "caller-id", "add", "+46701234567", "--account", "Main", "--key-in")
    answering.join()
    assert refused.status == 1
    assert "the code was not keyed in (the call ended: normal)" in refused.err
    assert run("account", "caller-id", "list", "--account", "Main", "--json").json == []


def _read_out(run: Any, running: Any, monkeypatch: Any, typed: str, actions: Any) -> tuple[Any, str]:
    """What the command did, and what the call said."""
    monkeypatch.setattr("offhook.cli.account.secrets.randbelow", lambda _below: 8970)
    monkeypatch.setattr("typer.prompt", lambda *_words, **_options: typed)
    answering = _answered(running, None, actions)
    added = run("account", "caller-id", "add", "+46701234567", "--account", "Main")
    answering.join()
    (order,) = running.board.orders
    (sound,) = order.start.flow.steps[0].verb.sounds
    return added, sound.text


def test_a_code_is_read_out(run: Any, running: Any, monkeypatch: Any) -> None:
    added, said = _read_out(run, running, monkeypatch, "008 970", ({"play": "…", "result": "ok"},))
    assert added.status == 0, added.err
    assert "is: 0 0 8, 9 7 0. I repeat: 0 0 8, 9 7 0." in said
    assert "008970" not in added.err + added.out


def test_another_code_than_was_read_out(run: Any, running: Any, monkeypatch: Any) -> None:
    refused, _ = _read_out(run, running, monkeypatch, "123456", ({"play": "…", "result": "ok"},))
    assert (refused.status, "not the code" in refused.err) == (1, True)


def test_a_code_that_nobody_heard(run: Any, running: Any, monkeypatch: Any) -> None:
    refused, _ = _read_out(run, running, monkeypatch, "008970", ())
    assert (refused.status, "nobody heard the code" in refused.err) == (1, True)


@pytest.mark.parametrize("way", ["--read-out", "--key-in"])
def test_a_number_that_cannot_be_called(run: Any, running: Any, way: str) -> None:
    answering = _answered(running, None, (), cause="not_allowed")
    refused = run("account", "caller-id", "add", "+46701234567", "--account", "Main", way)
    answering.join()
    assert refused.status == 1
    assert "no trunk takes it" in refused.err
    assert "offhook trunk add" in refused.err


def test_a_fallback(run: Any) -> None:
    run("account", "add", "Ann")
    set_to = run("account", "fallback", "https://b.example/calls")
    assert re.search(r"account +Ann\nfallback +https://b\.example/calls", set_to.out)
    assert run("account", "fallback", "none", "--json").json["fallback"] == ""
    assert re.search(r"fallback +none", run("account", "fallback", "none").out)
    assert "fallback" in run("account", "fallback", "nowhere").err


def test_webhooks(run: Any) -> None:
    run("account", "add", "Ann")
    assert re.search(r"retry timeouts +no", run("account", "webhooks").out)
    assert re.search(r"retry timeouts +yes", run("account", "webhooks", "--retry-timeouts").out)
    assert run("account", "webhooks", "--json").json["retry_timeouts"] is True
    assert run("account", "webhooks", "--no-retry-timeouts", "--json").json["retry_timeouts"] is False
    run("account", "add", "Bo")
    assert "--account" in run("account", "webhooks").err


def test_quirks(run: Any) -> None:
    run("account", "add", "Ann")
    assert re.search(r"quirks +CallDurartion", run("account", "quirks", "CallDurartion").out)
    assert run("account", "quirks", "none", "--json").json["quirks"] == []
    assert "CallDurartion" in run("account", "quirks", "Durrration").err
