"""What must hold when a run is over. Each check says what it found in words; nothing found is good.

A call stood in one of three ways at the moment of a kill:

- *settled*: its far ends had had their answers acknowledged for `MARGIN_S`. It has to go on as planned.
- *unsettled*: it was being set up. It may go on; otherwise it has to be ended, and its customer told.
- begun while no server ran. Its messages wait; if its far ends had the patience, it is a call like any other.

`MARGIN_S` is what a message takes to be read and written down, and not more.
"""

import sqlite3
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tests.chaos.lateness import Lateness
from tests.chaos.phones import Dialog, Ended
from tests.chaos.plans import Kind
from tests.chaos.sound import FRAME_S, SERVERS, Gap, gaps_of_bridge, gaps_of_prompt
from tests.chaos.traffic import Life, Traffic

__all__ = ["Absence", "Verdict", "judge", "unreadable"]

MARGIN_S = 0.15
GAP_S = 0.1
"""The bar."""
SETTLING_S = 0.4
"""After both have answered a bridge is made; before that nobody is owed sound."""
IN_TIME_S = 2.5
"""How much shorter or longer than planned a prompt, a talk or a recording may have been, a server's absence aside."""
LATE_S = 0.4
"""Of a far end that learns of its answer: what it hears may have begun before."""
HEARD_WITHIN_S = 0.5
END_WITHIN_S = 5.0
YOUNG_S = 1.0
RATE = 8000
SILENT_BELOW = 60


@dataclass(frozen=True, slots=True)
class Absence:
    """From a kill to the line `ready` of the next server; loop times."""

    killed_at: float
    ready_at: float


@dataclass(slots=True)
class Verdict:
    """What was found."""

    calls: int = 0
    settled: int = 0
    """Calls that were settled at a kill or more."""
    went_on: int = 0
    """Of these, as planned to their end."""
    unsettled: int = 0
    away: int = 0
    """Begun while no server ran, and never answered."""
    busy: int = 0
    listened: int = 0
    """Legs whose sound was looked at."""
    worst_gap_s: float = 0.0
    machine_gaps: int = 0
    """Gaps over the bar that the bare timers show too."""
    owed: int = 0
    told: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)
    """By what of the table they are against."""

    def fault(self, what: str, words: str) -> None:
        self.faults.setdefault(what, []).append(words)


def judge(run: Traffic, absences: Sequence[Absence], late: Lateness, data_dir: Path) -> Verdict:
    """Look at every call of a run in which everybody has come to rest."""
    verdict = Verdict(calls=len(run.lives))
    for life in run.lives.values():
        if life.busy:
            verdict.busy += 1
            continue
        stood = [_stood(life, absence) for absence in absences]
        away, unsettled, settled = ("away" in stood), ("unsettled" in stood), ("settled" in stood)
        verdict.away += away
        verdict.unsettled += unsettled and not away
        verdict.settled += settled and not unsettled and not away
        wrong = list(_against_plan(run, life, absences))
        if away or unsettled:
            for words in _not_ended(life, absences):
                verdict.fault("left over", f"{_name(life)}: {words}")
        elif wrong:
            for words in wrong:
                verdict.fault("did not go on" if settled else "went wrong", f"{_name(life)}: {words}")
        elif settled:
            verdict.went_on += 1
        _told(verdict, run, life, absences, complete=not (away or unsettled or wrong))
        if not (away or unsettled):
            _heard(verdict, life, late)
    for dialog in run.phones.open:
        verdict.fault("left over", f"a dialog of {dialog.talk.remote} is open at its far end")
    for stray in run.phones.strays:
        verdict.fault("left over", f"a dialog that no far end has: {stray}")
    _books(verdict, run, data_dir)
    return verdict


def _name(life: Life) -> str:
    made = life.plan
    parts = [f"call {made.index}", made.kind.value, "ordered" if made.ordered else "incoming"]
    seen = [
        f"{leg} {'up' if d.up_at else d.status or 'never up'}, {d.ended.value if d.ended else 'open'}"
        for leg, d in life.legs.items()
    ]
    return " ".join(parts) + f" ({'; '.join(seen) or 'never seen'})"


def _stood(life: Life, absence: Absence) -> str:
    killed, ready = absence.killed_at, absence.ready_at
    if life.begun_at >= killed:
        # Its INVITE waits in the kept socket; if it was in time, the call is as good as any.
        lost = life.begun_at < ready and not any(leg.up_at for leg in life.legs.values())
        return "away" if lost else "later"
    legs = list(life.legs.values())
    if legs and all(leg.over and leg.over_at <= killed for leg in legs):
        return "over"
    wanted = 2 if life.plan.kind is Kind.BRIDGE else 1
    up = [leg for leg in legs if leg.up_at and leg.up_at + MARGIN_S <= killed]
    return "settled" if len(up) == wanted else "unsettled"


def _absent_s(absences: Sequence[Absence], begin: float, end: float) -> float:
    return sum(max(0.0, min(end, each.ready_at) - max(begin, each.killed_at)) for each in absences)


def _against_plan(run: Traffic, life: Life, absences: Sequence[Absence]) -> Iterator[str]:
    """How a call was other than planned."""
    made, first = life.plan, life.first
    if life.twice:
        yield f"a far end was called {life.twice + 1} times"
    if first is None or not first.up_at:
        yield "was never answered"
        return
    if not first.over:
        yield "did not end"
        return
    lasted = first.over_at - first.up_at - _absent_s(absences, first.up_at, first.over_at)
    longest = first.over_at - first.up_at
    if made.kind is Kind.BRIDGE:
        yield from _against_bridge(life, absences)
    elif first.ended is not Ended.THEIRS:
        yield f"ended with {first.ended}"
    match made.kind:
        case Kind.PROMPT if not (lasted - IN_TIME_S <= made.lasts_s <= longest + LATE_S):
            yield f"the prompt of {made.lasts_s} s lasted {longest:.2f} s"
        case Kind.GATHER:
            results = [asked.fields.get("result") for asked in run.customer.nexts[made.number]]
            if not results or set(results) != {made.key}:
                yield f"the key {made.key} was pressed; told were {results}"
        case Kind.RECORD:
            announced = [float(asked.fields["duration"]) for asked in run.customer.recordings[made.number]]
            if not announced or abs(announced[0] - made.lasts_s) > 1.1:
                yield f"a recording of {made.lasts_s} s was announced as {announced}"


def _hung_up(dialog: Dialog, absences: Sequence[Absence]) -> bool:
    """Whether our BYE ended a dialog. Theirs may cross it; and where a kill fell between ours and its answer, the
    server may have ended the call without having said so: 481 says that it is over as well (RFC 3261 section 15.1.1).
    """
    if dialog.ended is Ended.UNKNOWN:
        return any(dialog.bye_at <= each.killed_at <= dialog.over_at for each in absences)
    return dialog.ended is Ended.OURS or (dialog.ended is Ended.THEIRS and bool(dialog.bye_at))


def _against_bridge(life: Life, absences: Sequence[Absence]) -> Iterator[str]:
    first, second = life.first, life.second
    assert first is not None
    if second is None or not second.up_at:
        yield "the called party was never connected"
        return
    if not second.over:
        yield "the called party's dialog did not end"
        return
    ends, told = (first, second) if life.plan.by_caller else (second, first)
    if not _hung_up(ends, absences):
        yield f"the party that was to hang up: {ends.ended.value if ends.ended else ''}"
    if told.ended is not Ended.THEIRS:
        yield f"the party that was to be told: {told.ended.value if told.ended else ''}"
    talked = (ends.bye_at or ends.over_at) - second.up_at
    if talked < life.plan.lasts_s - LATE_S:
        yield f"they talked {talked:.2f} s of {life.plan.lasts_s}"


def _not_ended(life: Life, absences: Sequence[Absence]) -> Iterator[str]:
    """What is left of a call that was being set up when its server was killed."""
    for leg, dialog in life.legs.items():
        if not dialog.over:
            yield f"{leg}: never ended"
        elif dialog.ended in (Ended.DEAF, Ended.UNACKNOWLEDGED) or (
            dialog.ended is Ended.UNKNOWN and not _hung_up(dialog, absences)
        ):
            yield f"{leg}: {dialog.ended.value}"
        elif not dialog.up_at:
            for each in absences:
                if dialog.begun_at <= each.killed_at - MARGIN_S and dialog.over_at > each.ready_at + END_WITHIN_S:
                    yield f"{leg}: ended {dialog.over_at - each.ready_at:.1f} s after the restart"


def _told(verdict: Verdict, run: Traffic, life: Life, absences: Sequence[Absence], *, complete: bool) -> None:
    """Whether its customer heard of its end and of its recordings, each under one id."""
    key = life.plan.number
    for what, came in (("hang-up", run.customer.byes[key]), ("recording", run.customer.recordings[key])):
        ids = {asked.webhook for asked in came}
        if "" in ids:
            verdict.fault("two ids", f"{_name(life)}: a {what} without webhook-id")
        elif len(ids) > 1:
            verdict.fault("two ids", f"{_name(life)}: {what} under {sorted(ids)}")
    owed = life.plan.told and _knew(run, life, absences)
    verdict.owed += owed
    verdict.told += owed and bool(run.customer.byes[key])
    if owed and not run.customer.byes[key]:
        verdict.fault("webhooks missing", f"{_name(life)}: no hang-up")
    if complete and (life.plan.kept or life.plan.kind is Kind.RECORD):
        verdict.owed += 1
        verdict.told += bool(run.customer.recordings[key])
        if not run.customer.recordings[key]:
            verdict.fault("webhooks missing", f"{_name(life)}: no recording")
    states = {asked.fields.get("state") for asked in run.customer.byes[key]}
    if complete and life.plan.told and states - {"success"}:
        verdict.fault("went wrong", f"{_name(life)}: hung up as {states}")


def _knew(run: Traffic, life: Life, absences: Sequence[Absence]) -> bool:
    """Whether the server had been told whom it owes: by an order it answered, or by a document it had time to read."""
    if life.plan.ordered:
        return bool(life.ordered_at)
    asked = run.customer.starts[life.plan.number]
    return any(not any(each.killed_at - MARGIN_S <= one.at <= each.ready_at for each in absences) for one in asked)


def _heard(verdict: Verdict, life: Life, late: Lateness) -> None:
    """Gaps in what its far ends heard."""
    if not life.plan.loud:
        return
    found: list[Gap] = []
    first, second = life.first, life.second
    if first is not None and first.up_at and life.plan.kind is Kind.PROMPT:
        verdict.listened += 1
        heard = [each for each in life.sounds["first"].heard if each.number == SERVERS]
        found += gaps_of_prompt(heard, FRAME_S * 1.5)
        if first.over and abs(len(heard) * FRAME_S - life.plan.lasts_s) > HEARD_WITHIN_S:
            # Too little was cut off, too much was begun anew.
            verdict.fault("gaps", f"{_name(life)}: {len(heard) * FRAME_S:.2f} s were heard of {life.plan.lasts_s} s")
    elif life.plan.kind is Kind.BRIDGE and first is not None and second is not None and first.up_at and second.up_at:
        begin = max(first.up_at, second.up_at) + SETTLING_S
        end = min(_silent_from(first), _silent_from(second)) - MARGIN_S
        for ear, mouth in (("first", "second"), ("second", "first")):
            verdict.listened += 1
            heard, sent = life.sounds[ear].heard, life.sounds[mouth].sent
            found += gaps_of_bridge(heard, sent, begin, end, FRAME_S * 1.5)
    for gap in found:
        verdict.worst_gap_s = max(verdict.worst_gap_s, gap.length_s)
        if gap.length_s <= GAP_S:
            continue
        if gap.length_s <= GAP_S + late.around(gap.at, gap.length_s):
            verdict.machine_gaps += 1
        else:
            verdict.fault("gaps", f"{_name(life)}: {gap.length_s * 1000:.0f} ms at {gap.at:.2f}")


def _silent_from(dialog: Dialog) -> float:
    return dialog.bye_at or dialog.over_at or float("inf")


# ── recordings and books ─────────────────────────────────────────────────────────────────────────────────────────────


def unreadable(directory: Path, *, now_wall: float, since: float = 0.0) -> list[str]:
    """Recordings, finished or under way, written to since a moment, that no program could read. One begun just now may
    be empty still."""
    found = []
    for path in sorted(directory.glob("*")):
        try:
            if path.stat().st_mtime < since - YOUNG_S:
                continue
            if now_wall - path.stat().st_ctime < YOUNG_S and path.stat().st_size == 0:
                continue
            with wave.open(str(path), "rb") as file:
                wanted = file.getnframes()
                got = len(file.readframes(wanted)) // (file.getsampwidth() * file.getnchannels())
            if got < wanted:
                found.append(f"{path.name}: {wanted} frames in its header, {got} there")
        except FileNotFoundError:
            continue
        except (wave.Error, EOFError, OSError) as error:
            found.append(f"{path.name}: {error}")
    return found


def longest_hole_s(path: Path) -> float:
    """The longest silence in a recording of somebody who never paused."""
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")[:: file.getnchannels()]
    frames = samples[: len(samples) // 160 * 160].reshape(-1, 160).astype(np.float64)
    silent = np.abs(frames).mean(axis=1) < SILENT_BELOW
    if not silent.all():
        # Before they began to speak, and after they were told of the end, nobody was silent in the middle.
        silent = np.trim_zeros(~silent) == 0
    longest = run = 0
    for each in silent:
        run = run + 1 if each else 0
        longest = max(longest, run)
    return longest * FRAME_S


def _books(verdict: Verdict, run: Traffic, data_dir: Path) -> None:
    """Calls, timelines and recordings in the database."""
    (path,) = data_dir.glob("*.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        open_calls = database.execute("select id, state from calls where ended is null").fetchall()
        watched = database.execute("select call_id from events where kind = 'call.watchdog'").fetchall()
        seqs = database.execute(
            "select call_id, count(*), max(seq), sum(kind = 'call.ended') from events group by call_id"
        ).fetchall()
        files = dict(database.execute("select path, call_id from recordings").fetchall())
    database.close()
    for identifier, state in open_calls:
        verdict.fault("left over", f"call {identifier} is {state} for ever")
    for (identifier,) in watched:
        verdict.fault("left over", f"call {identifier} was ended by its watchdog")
    for identifier, count, last, ended in seqs:
        # The last thing that was done before a kill may be done once more, and be told once more.
        if count != last or not ended:
            verdict.fault("timelines", f"{identifier}: {count} entries numbered to {last}, ended {ended} times")
    spoke = {
        asked.fields["callid"].removeprefix("c"): max(sound.longest_pause_s() for sound in life.sounds.values())
        for life in run.lives.values()
        for asked in run.customer.recordings[life.plan.number]
    }
    for name, call in sorted(files.items()):
        recording = data_dir / "recordings" / name
        if not recording.exists():
            verdict.fault("recordings unreadable", f"{name} has no file")
        elif call in spoke and (hole := longest_hole_s(recording)) > GAP_S + spoke[call]:
            verdict.fault(
                "recordings unreadable", f"{name} has a hole of {hole:.2f} s; the longest pause was {spoke[call]:.2f} s"
            )
