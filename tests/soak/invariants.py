"""What must hold when all calls of a soak are over. Each check says what it found, in words; nothing found is good."""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.soak.application import Application

__all__ = ["Burden", "burden", "in_the_books", "in_the_logs", "left_over"]

TASKS_AT_REST = 12
"""The server's own: HTTP, housekeeping, watching the engine, keep-alive connections of the one that asks."""
PAGE_BYTES = 4096
FAULTS = re.compile(r"Traceback|panicked|\[(error|critical)\s*\]|\"level\": \"error\"|never (awaited|retrieved)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Burden:
    """What a process holds of the machine."""

    descriptors: int
    memory_kb: int


def burden(pid: int) -> Burden:
    """As the kernel counts it: open descriptors and resident memory."""
    resident_pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return Burden(
        descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())), memory_kb=resident_pages * PAGE_BYTES // 1024
    )


def left_over(status: Mapping[str, Any]) -> list[str]:
    """What the server still holds although nothing happens any more, from `/v1/status`."""
    server = status["server"]
    counts = {name: server[name] for name in ("calls", "legs", "media_sessions", "owed_webhooks", "sip_streams")}
    counts |= {f"media {name}": count for name, count in server["media_kept"].items()}
    counts |= {f"sip {name}": count for name, count in server["sip_kept"].items()}
    found = [f"{count} {name}" for name, count in counts.items() if count]
    if server["tasks"] > TASKS_AT_REST:
        found.append(f"{server['tasks']} tasks")
    if status["storage"]["failing"] or status["storage"]["dropped"]:
        found.append(f"storage: {status['storage']}")
    return found


def in_the_logs(data_dir: Path) -> list[str]:
    """Faults that the server or its engine wrote down."""
    found = []
    for path in (data_dir / "server.log", data_dir / "media.log"):
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        for number, text in enumerate(lines):
            if FAULTS.search(text):
                found.append(f"{path.name}:{number + 1}: " + "\n    ".join(lines[max(0, number - 1) : number + 30]))
    return found[:10]


def in_the_books(data_dir: Path, application: Application) -> list[str]:
    """Calls, timelines and recordings in the database and on the disk against what the application was told."""
    (path,) = data_dir.glob("*.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        database.row_factory = sqlite3.Row
        calls = {row["id"]: row for row in database.execute("select * from calls")}
        events = database.execute("select call_id, seq, kind, data from events order by call_id, seq").fetchall()
        recordings = database.execute("select * from recordings").fetchall()
    database.close()
    return [
        *_ended(calls),
        *_numbered(calls, events),
        *_told(events, recordings, application),
        *_kept(recordings, data_dir),
    ]


def _ended(calls: Mapping[str, sqlite3.Row]) -> Iterator[str]:
    for identifier, row in calls.items():
        if row["state"] not in ("success", "failed", "busy") or row["ended"] is None or row["cause"] is None:
            yield f"call {identifier} is {row['state']}, ended {row['ended']}, cause {row['cause']}"
        elif row["cause"] in ("internal_error", "media_lost"):
            yield f"call {identifier} ended with {row['cause']}"


def _numbered(calls: Mapping[str, sqlite3.Row], events: list[sqlite3.Row]) -> Iterator[str]:
    last: Counter[str] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    for event in events:
        last[event["call_id"]] += 1
        kinds[event["call_id"], event["kind"]] += 1
        if event["seq"] != last[event["call_id"]]:
            yield f"the timeline of {event['call_id']} has {event['seq']} where {last[event['call_id']]} was due"
            last[event["call_id"]] = event["seq"]
    for identifier in calls:
        for kind in ("call.begun", "call.ended"):
            if kinds[identifier, kind] != 1:
                yield f"the timeline of {identifier} has {kinds[identifier, kind]} {kind}"
        if kinds[identifier, "call.watchdog"]:
            yield f"call {identifier} ended by its watchdog"
        if kinds[identifier, "leg.placed"] + kinds[identifier, "leg.ended"] and not kinds[identifier, "leg.ended"]:
            yield f"no leg of {identifier} ended"
        if kinds[identifier, "recording.begun"] != kinds[identifier, "recording.ended"]:
            yield f"recordings of {identifier}: {kinds[identifier, 'recording.begun']} begun, " + (
                f"{kinds[identifier, 'recording.ended']} ended"
            )


def _told(events: list[sqlite3.Row], recordings: list[sqlite3.Row], application: Application) -> Iterator[str]:
    """What was owed has come, and once: an answer of 200 ends a delivery."""
    owed: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event["kind"] == "hook.owed":
            owed["bye", f"c{event['call_id']}"] += 1
        elif event["kind"] == "recording.owed":
            owed["recs", event["call_id"]] += 1
        elif event["kind"] == "hook.dead":
            yield f"an owed post was given up: {event['call_id']} {json.loads(event['data'])}"
    came: Counter[tuple[str, str]] = Counter()
    for (what, which), times in application.accepted.items():
        if times != 1:
            yield f"{what} {which} was posted {times} times"
        if what == "bye":
            came[what, which] += times
        else:
            came["recs", which.rpartition("/")[2].removeprefix("c").partition("-")[0]] += times
    for key in sorted(owed.keys() | came.keys()):
        if owed[key] != came[key]:
            yield f"{key[0]} of {key[1]}: {owed[key]} owed, {came[key]} came"
    if len(recordings) != sum(times for (what, _), times in owed.items() if what == "recs"):
        yield f"{len(recordings)} recordings are kept, owed were {sum(n for (w, _), n in owed.items() if w == 'recs')}"


def _kept(recordings: list[sqlite3.Row], data_dir: Path) -> Iterator[str]:
    """Every file belongs to a recording, every recording has its file."""
    files = {path.name for path in (data_dir / "recordings").iterdir()}
    rows = {row["path"] for row in recordings}
    for name in sorted(files - rows):
        yield f"the file {name} belongs to no recording"
    for name in sorted(rows - files):
        yield f"the recording {name} has no file"
