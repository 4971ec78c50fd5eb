"""What happened, into a real database: timelines without gaps, calls in lists, recordings, money."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.flows import outcomes, verbs_of_any_kind, wordings

from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.dialects.dialect import Dialect
from offhook.flow.program import Outcome, OutcomeKind, Step
from offhook.flow.verbs import Dial, Gather, Verb
from offhook.flow.view import CallId, CallState, CallView, Cause, Direction, LegView, Performed
from offhook.runtime import book as module
from offhook.runtime.book import Book, row_of
from offhook.runtime.media_recordings import RecordingClosed
from offhook.storage.deliveries import entries_of_unfinished
from offhook.storage.records import (
    call_by_id,
    calls_page,
    charges_page,
    events_after,
    recording_by_id,
    unfinished_calls,
)
from offhook.storage.store import Storage
from offhook.storage.writer import StorageUnavailable

DEADLINE_S = 5.0
ELKS = DIALECTS["elks"]
CALL, OTHER = CallId("c" * 32), CallId("d" * 32)


def made(storage: Storage, base_url: str = "http://voice.example", *, mask_digits: bool = False) -> Book:
    return Book(
        records=storage.records,
        writer=storage.writer,
        directory=storage.directory,
        base_url=lambda: base_url,
        retention=timedelta(days=30),
        link_key=storage.key.link_key,
        mask_digits=mask_digits,
    )


def view(call: CallId = CALL, **changes: object) -> CallView:
    what: dict[str, object] = {
        "id": call, "direction": Direction.OUTGOING, "from_": "+46101000001", "to": "+46700000001",
        "created": datetime.now(UTC), "owner": "u1", **changes,
    }  # fmt: skip
    return CallView(**what)  # type: ignore[arg-type]


@pytest.fixture
def book(storage: Storage) -> Book:
    return made(storage)


# ── the timeline ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_timeline_is_numbered_by_call_and_in_order(storage: Storage, book: Book) -> None:
    book.opened(view(), ELKS)
    book.opened(view(OTHER), ELKS)
    for kind in ("call.begun", "leg.placed", "leg.answered"):
        book.note(CALL, kind, {"leg": 0})
    book.note(OTHER, "call.begun", {})
    assert await book.flush()
    found = await storage.read(lambda connection: events_after(connection, CALL))
    assert [(row.seq, row.kind) for row in found] == [(1, "call.begun"), (2, "leg.placed"), (3, "leg.answered")]
    assert found[1].data == {"leg": 0}
    assert abs(found[0].at - datetime.now(UTC)) < timedelta(minutes=1)


async def test_what_comes_after_the_end_goes_on_with_the_numbers(storage: Storage, book: Book) -> None:
    book.opened(view(), ELKS)
    book.note(CALL, "call.begun", {})
    book.closed(CALL)
    book.note(CALL, "leg.statistics", {})
    book.noted_late(CALL, "hook.delivered", {"status": 200})
    await book.flush()
    found = await storage.read(lambda connection: events_after(connection, CALL))
    assert [(row.seq, row.kind) for row in found] == [(1, "call.begun"), (2, "leg.statistics"), (3, "hook.delivered")]


async def test_a_call_that_goes_on_after_a_restart_keeps_what_was_delivered_before_it_did(
    storage: Storage, book: Book
) -> None:
    """The outbox works before calls are restored: its entries must not have the numbers of theirs."""
    book.opened(view(), ELKS)
    book.note(CALL, "call.begun", {})
    await book.flush()
    book = made(storage)
    entries = await storage.read(entries_of_unfinished)
    book.remember(entries)
    book.noted_late(CALL, "hook.delivered", {"status": 200})
    book.resumed(view(), entries[CALL])
    book.note(CALL, "call.resumed", {})
    book.note(CALL, "call.ended", {})
    await book.flush()
    found = await storage.read(lambda connection: events_after(connection, CALL))
    assert [(row.seq, row.kind) for row in found] == [
        (1, "call.begun"), (2, "hook.delivered"), (3, "call.resumed"), (4, "call.ended")
    ]  # fmt: skip


async def test_a_timeline_that_is_full_says_so_and_still_tells_the_end(
    storage: Storage, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENTRIES_MAX", 4)
    monkeypatch.setattr(module, "ENTRIES_OF_THE_END_MAX", 2)
    book.opened(view(), ELKS)
    for kind in ("call.begun", "verb.begun", "verb.ended", "verb.begun", "verb.ended"):
        book.note(CALL, kind, {})
    for kind in ("leg.ended", "verb.ended", "call.ended", "leg.statistics"):
        book.note(CALL, kind, {})
    await book.flush()
    found = await storage.read(lambda connection: events_after(connection, CALL))
    assert [(row.seq, row.kind) for row in found] == list(
        enumerate(("call.begun", "verb.begun", "verb.ended", "timeline.full", "leg.ended", "call.ended"), 1)
    )
    assert "full" in found[3].data["why"]


async def test_entries_are_cut_and_keys_are_left_out_where_the_operator_wants_it(storage: Storage) -> None:
    book = made(storage, mask_digits=True)
    book.opened(view(), ELKS)
    book.note(CALL, "verb.ended", {"verb": "gather", "result": "4111", "why": "x" * 10_000})
    gathered = Step(verb=Gather(prompts=()), wording={"ivr": "https://a.example"})
    performed = Performed(step=gathered, outcome=Outcome(kind=OutcomeKind.DIGITS, digits="4111"))
    book.save(view(performed=(performed,)), ELKS)
    await book.flush()
    (entry,) = await storage.read(lambda connection: events_after(connection, CALL))
    assert (entry.data["result"], len(entry.data["why"])) == ("…", 2048)
    row = await storage.read(lambda connection: call_by_id(connection, CALL))
    assert row is not None
    assert [action["result"] for action in row.actions] == ["…"]


async def test_a_call_that_is_no_longer_known_gets_no_late_entry(storage: Storage, book: Book) -> None:
    book.noted_late(CALL, "hook.delivered", {})
    await book.flush()
    assert await storage.read(lambda connection: events_after(connection, CALL)) == []


async def test_calls_that_ended_are_remembered_for_a_while_and_live_ones_always(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ENDED_CALLS_KEPT", 2)
    book.opened(view(OTHER), ELKS)
    book.note(OTHER, "call.begun", {})
    ended = [CallId(f"{number:032x}") for number in range(5)]
    for call in ended:
        book.opened(view(call), ELKS)
        book.note(call, "call.begun", {})
        book.closed(call)
    assert list(book._last) == [OTHER, *ended[3:]] or list(book._last) == [*ended[3:], OTHER]
    book.closed(OTHER)
    assert len(book._last) == 2


async def test_a_call_that_said_nothing_can_still_be_closed(book: Book) -> None:
    book.opened(view(), ELKS)
    book.closed(CALL)
    assert book._live == set()


# ── waiting for more ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_follows_a_call_is_woken_by_its_next_entry_and_finds_it_there(storage: Storage, book: Book) -> None:
    book.opened(view(), ELKS)
    book.note(CALL, "call.begun", {})
    waiting = asyncio.ensure_future(book.wait(CALL, 1, DEADLINE_S))
    await asyncio.sleep(0)
    assert not waiting.done()
    book.note(CALL, "leg.placed", {})
    await asyncio.wait_for(waiting, DEADLINE_S)
    assert len(await storage.read(lambda connection: events_after(connection, CALL, after=1))) == 1


async def test_nobody_waits_for_what_is_there_or_for_a_call_that_is_over(book: Book) -> None:
    book.opened(view(), ELKS)
    book.note(CALL, "call.begun", {})
    await asyncio.wait_for(book.wait(CALL, 0, 3600), DEADLINE_S)
    waiting = asyncio.ensure_future(book.wait(CALL, 1, 3600))
    await asyncio.sleep(0)
    book.closed(CALL)
    await asyncio.wait_for(waiting, DEADLINE_S)
    await asyncio.wait_for(book.wait(CALL, 1, 3600), DEADLINE_S)


async def test_what_is_owed_is_waited_for_after_the_end_too(book: Book) -> None:
    book.opened(view(), ELKS)
    book.note(CALL, "call.begun", {})
    assert book.is_open(CALL)
    book.closed(CALL)
    assert not book.is_open(CALL)
    for call, after in ((CALL, 1), (OTHER, 0)):
        waiting = asyncio.ensure_future(book.wait(call, after, 3600, late=True))
        await asyncio.sleep(0)
        assert not waiting.done()
        book.note(call, "hook.delivered", {})
        await asyncio.wait_for(waiting, DEADLINE_S)


async def test_nothing_is_written_about_a_call_that_was_deleted(storage: Storage, book: Book) -> None:
    book.opened(view(), ELKS)
    book.note(CALL, "call.begun", {})
    book.closed(CALL)
    book.forget(CALL)
    book.forget(OTHER)
    book.noted_late(CALL, "hook.delivered", {})
    await book.flush()
    assert len(await storage.read(lambda connection: events_after(connection, CALL))) == 1


async def test_who_gives_up_waiting_is_not_kept(book: Book) -> None:
    book.opened(view(), ELKS)
    await book.wait(CALL, 0, 0.001)
    assert book._waiting == {}
    gone = asyncio.ensure_future(book.wait(CALL, 0, 3600))
    await asyncio.sleep(0)
    assert len(book._waiting[CALL]) == 1
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert book._waiting == {}


async def test_a_disk_that_takes_nothing_is_said_and_stops_nobody(
    storage: Storage, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(timeout_s: float) -> None:
        raise StorageUnavailable("the disk is full")

    monkeypatch.setattr(storage.writer, "flush", full)
    book.opened(view(), ELKS)
    book.note(CALL, "call.begun", {})
    assert not await book.flush()


# ── calls, recordings, money ─────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_stands_in_the_list_from_its_first_moment(storage: Storage, book: Book) -> None:
    book.opened(view(ring_timeout_s=30), ELKS)
    await book.flush()
    (row,) = (await storage.read(lambda connection: calls_page(connection, "u1"))).rows
    assert (row.id, row.state, row.direction, row.ring_timeout_s) == (CALL, "ongoing", "outgoing", 30)
    ended = view(state=CallState.FAILED, cause=Cause.BUSY, end=datetime.now(UTC), cost=12)
    book.save(ended, ELKS)
    await book.flush()
    row_now = await storage.read(lambda connection: call_by_id(connection, CALL))
    assert row_now is not None
    assert (row_now.state, row_now.cause, row_now.cost) == ("failed", "busy", 12)


@settings(max_examples=100, deadline=None)
@given(dialect=st.sampled_from(list(DIALECTS.values())), verb=verbs_of_any_kind, outcome=outcomes, wording=wordings)
def test_a_call_of_any_dialect_has_a_row_that_can_be_listed(
    dialect: Dialect, verb: Verb, outcome: Outcome, wording: Mapping[str, Any]
) -> None:
    """46elks' list shows calls that ran what 46elks does not have: in their customer's words, where there are any."""
    row = row_of(view(performed=(Performed(step=Step(verb=verb, wording=wording), outcome=outcome),)), dialect)
    assert len(row.actions) == (1 if wording else 0)
    for action in row.actions:
        assert set(json.loads(json.dumps(action))) >= {*wording, "result"}


def test_the_log_of_a_row_is_in_the_words_of_its_calls_dialect() -> None:
    pressed = Performed(
        step=Step(verb=Dial(targets=()), wording={"connect": "+46700000002"}), outcome=Outcome(kind=OutcomeKind.OK)
    )
    cut_short = view(performed=(pressed,), cause=Cause.HOOK_FAILED)
    hangup = {"hangup": "hookfailed", "result": "failed", "why": "hookfailed"}
    assert row_of(cut_short, ELKS).actions == ({"connect": "+46700000002", "result": "success"}, hangup)
    assert row_of(cut_short, DIALECTS["didml"]).actions == ({"connect": "+46700000002", "result": "completed"},)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_who_was_called_stands_in_a_row_alike_in_every_dialect(dialect: Dialect) -> None:
    legs = (LegView(to="+46700000002", from_="+46101000001", state=CallState.SUCCESS, duration_s=7),)
    assert row_of(view(legs=legs), dialect).legs == (
        {"to": "+46700000002", "from": "+46101000001", "state": "success", "duration": 7},
    )


async def test_a_recording_has_a_url_and_a_last_day(storage: Storage, book: Book) -> None:
    closed = RecordingClosed(reason="stopped", duration_ms=2500, voiced_ms=2000, size_bytes=40_044)
    url = book.recorded("u1", CALL, 0, Path("/var/recordings/x.wav"), closed)
    assert url.startswith("http://voice.example/a1/recordings/")
    assert url.endswith(".wav")
    await book.flush()
    now = datetime.now(UTC)
    row = await storage.read(lambda connection: recording_by_id(connection, CALL, 0, now))
    assert row is not None
    assert (row.path, row.duration_s, row.bytes, row.owner) == ("x.wav", 2.5, 40_044, "u1")
    assert timedelta(days=29) < row.expires - now < timedelta(days=31)


async def test_money_is_drawn_and_its_end_is_told(storage: Storage, book: Book) -> None:
    account = storage.directory.add_account("us").row.id
    assert book.can_pay(account)
    assert book.draw(account, CALL, 500), "without a limit nothing runs out"
    storage.directory.set_balance(account, 1000)
    assert book.draw(account, CALL, 1000), "the last coin is still good"
    assert not book.can_pay(account)
    assert not book.draw(account, CALL, 1)
    await book.flush()
    charges = (await storage.read(lambda connection: charges_page(connection, account))).rows
    assert sorted(row.cost for row in charges) == [1, 500, 1000]
    assert {row.reference for row in charges} == {f"/Calls/c{CALL}"}


async def test_what_a_dead_server_left_going_on_is_over(storage: Storage, book: Book) -> None:
    book.opened(view(), ELKS)
    book.opened(view(OTHER, start=datetime.now(UTC)), ELKS)
    book.note(CALL, "call.begun", {})
    book.note(CALL, "leg.placed", {})
    await book.flush()
    book = made(storage)
    book.remember(await storage.read(entries_of_unfinished))
    book.close_unfinished(await storage.read(unfinished_calls))
    await book.flush()
    for call, seq in ((CALL, 3), (OTHER, 2)):
        last = (await storage.read(lambda connection, call=call: events_after(connection, call)))[-1]  # type: ignore[misc]
        assert (last.seq, last.kind, last.data["cause"]) == (seq, "call.ended", "server_restart")
    first = (await storage.read(lambda connection: events_after(connection, OTHER)))[0]
    assert (first.kind, first.data["direction"]) == ("call.begun", "outgoing"), "what its first facts would have told"
    assert await storage.read(unfinished_calls) == []
    for call, state in ((CALL, "failed"), (OTHER, "success")):
        row = await storage.read(lambda connection, call=call: call_by_id(connection, call))  # type: ignore[misc]
        assert row is not None
        assert (row.state, row.cause) == (state, "server_restart")
        assert row.ended is not None
