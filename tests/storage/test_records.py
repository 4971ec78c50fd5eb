"""Calls, timelines, recordings: what is written is read again, in pages that lose nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from offhook.storage import records
from offhook.storage.rows import CallRow, EventRow, RecordingRow
from offhook.storage.store import Storage

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
US = timedelta(microseconds=1)


def call(n: int, *, at: datetime | None = None, owner: str = "u1", **columns: object) -> CallRow:
    values = {"id": f"{n:032x}", "owner": owner, "direction": "outgoing", "from_number": "+1", "to_number": "+2"}
    return CallRow(created=at or T0 + n * US, **values, **columns)  # type: ignore[arg-type]


def pages(storage: Storage, limit: int) -> list[list[int]]:
    found, before = [], None
    while True:
        page = storage.read_blocking(
            lambda connection, before=before: records.calls_page(connection, "u1", before=before, limit=limit)
        )
        found.append([int(row.id, 16) for row in page.rows])
        if page.next is None:
            return found
        before = page.next


def test_a_call_is_replaced_as_it_goes_on(storage: Storage) -> None:
    storage.records.save_call(call(1))
    storage.writer.flush_blocking()
    ended = call(
        1,
        started=T0 + 2 * US,
        ended=T0 + 3 * US,
        state="success",
        cause="normal",
        cost=5700,
        ring_timeout_s=60,
        actions=({"play": "x", "result": "ok"},),
        legs=({"to": "+3"},),
        recordings=("r0",),
    )
    storage.records.save_call(ended)
    storage.writer.flush_blocking()
    assert storage.read_blocking(lambda connection: records.call_by_id(connection, ended.id)) == ended
    assert storage.read_blocking(lambda connection: records.call_by_id(connection, "0" * 32)) is None


@pytest.mark.parametrize(("limit", "expected"), [(3, [[7, 6, 5], [4, 3, 2], [1]]), (7, [[7, 6, 5, 4, 3, 2, 1]])])
def test_pages_newest_first(storage: Storage, limit: int, expected: list[list[int]]) -> None:
    for n in (3, 1, 7, 2, 5, 4, 6):
        storage.records.save_call(call(n))
    storage.records.save_call(call(9, owner="u2"))
    storage.writer.flush_blocking()
    assert pages(storage, limit) == expected


def test_calls_of_one_microsecond_are_not_parted(storage: Storage) -> None:
    for n, at in ((1, 1), (2, 2), (3, 2), (4, 2), (5, 3)):
        storage.records.save_call(call(n, at=T0 + at * US))
    storage.writer.flush_blocking()
    first, second = pages(storage, 2)
    assert (sorted(first), second) == ([2, 3, 4, 5], [1])
    assert [sorted(page) for page in pages(storage, 1)] == [[5], [2, 3, 4], [1]]


def test_ties_at_the_end_have_no_next(storage: Storage) -> None:
    for n in (1, 2, 3):
        storage.records.save_call(call(n, at=T0))
    storage.writer.flush_blocking()
    assert [sorted(page) for page in pages(storage, 2)] == [[1, 2, 3]]


def test_bounds_are_exclusive_and_limits_held(storage: Storage) -> None:
    for n in range(1, 121):
        storage.records.save_call(call(n))
    storage.writer.flush_blocking()

    def ids(**bounds: object) -> list[int]:
        page = storage.read_blocking(lambda connection: records.calls_page(connection, "u1", **bounds))  # type: ignore[arg-type]
        return [int(row.id, 16) for row in page.rows]

    assert ids(before=T0 + 5 * US, after=T0 + 2 * US) == [4, 3]
    assert ids(before=T0 + 2 * US, after=T0 + 5 * US) == []
    assert len(ids(limit=10_000)) == 100
    assert len(ids(limit=0)) == 1


def test_everybodys_calls(storage: Storage) -> None:
    storage.records.save_call(call(1))
    storage.records.save_call(call(2, owner="u2", state="success"))
    storage.writer.flush_blocking()
    assert len(storage.read_blocking(lambda connection: records.calls_page(connection, None)).rows) == 2
    assert [row.owner for row in storage.read_blocking(records.unfinished_calls)] == ["u1"]


def test_page_of_rows_in_memory() -> None:
    times = [T0 - n * US for n in (0, 1, 1, 2)]
    assert records.page_of("abcd", times, 2) == records.Page(("a", "b", "c"), times[2])
    assert records.page_of("abcd", times, 100) == records.Page(("a", "b", "c", "d"), None)
    assert records.page_of("", [], 100) == records.Page((), None)


def test_timeline(storage: Storage) -> None:
    rows = [EventRow(call_id="c", seq=n, at=T0 + n * US, kind="k", data={"n": n}) for n in range(1, 6)]
    for row in rows:
        storage.records.append_event(row)
    storage.records.append_event(EventRow(call_id="other", seq=1, at=T0, kind="k"))
    storage.writer.flush_blocking()
    assert storage.read_blocking(lambda connection: records.events_after(connection, "c")) == rows
    assert storage.read_blocking(lambda connection: records.events_after(connection, "c", 2, 2)) == rows[2:4]


def test_erasing_leaves_a_tombstone(storage: Storage) -> None:
    row = call(1, state="success", actions=({"play": "x"},))
    storage.records.save_call(row)
    storage.records.append_event(EventRow(call_id=row.id, seq=1, at=T0, kind="k"))
    storage.records.erase_call(row.id, T0)
    storage.writer.flush_blocking()
    assert storage.read_blocking(lambda connection: records.call_by_id(connection, row.id)) is None
    assert storage.read_blocking(lambda connection: records.events_after(connection, row.id)) == []
    assert storage.read_blocking(lambda connection: records.calls_page(connection, "u1")).rows == ()
    left = storage.read_blocking(lambda connection: connection.exec_driver_sql("SELECT * FROM calls").mappings().one())
    assert (left["to_number"], left["actions"], left["state"]) == ("", "[]", "success")


def test_recordings_are_kept_until_they_expire(storage: Storage) -> None:
    day = timedelta(days=1)
    rows = [
        RecordingRow(
            call_id="c",
            number=n,
            owner="u1",
            path=f"c-r{n}.wav",
            created=T0 + n * US,
            duration_s=1.5,
            bytes=24044,
            expires=T0 + n * day,
        )
        for n in range(3)
    ]
    for row in rows:
        storage.records.save_recording(row)
    storage.writer.flush_blocking()
    now = T0 + day / 2
    page = storage.read_blocking(lambda connection: records.recordings_page(connection, "u1", now))
    assert page.rows == (rows[2], rows[1])
    assert storage.read_blocking(lambda connection: records.recording_by_id(connection, "c", 1, now)) == rows[1]
    assert storage.read_blocking(lambda connection: records.recording_by_id(connection, "c", 0, now)) is None
    assert storage.read_blocking(lambda connection: records.expired_recordings(connection, now)) == [rows[0]]
    storage.records.forget_recording(rows[0])
    storage.writer.flush_blocking()
    assert storage.read_blocking(lambda connection: records.expired_recordings(connection, now)) == []
