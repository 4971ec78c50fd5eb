"""What must hold when a run is over. Each check says what it found in words; nothing found is good.

What is asked of a call depends on how it stood at each kill (`standing.py`); parties of a room are judged in
`room_judging.py`.
"""

import sqlite3
import wave
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tests.chaos.customer import Asked
from tests.chaos.lateness import Lateness
from tests.chaos.lives import Life
from tests.chaos.meetings import ALL_STAGES
from tests.chaos.phones import Ended
from tests.chaos.plans import Kind
from tests.chaos.room_judging import (
    against_meeting,
    came_too_late,
    cut_short,
    disturbed,
    heard_in_meeting,
    wrong_stages,
)
from tests.chaos.sound import FRAME_S, SERVERS, Gap, gaps_of_bridge, gaps_of_prompt
from tests.chaos.standing import (
    IN_TIME_S,
    LATE_S,
    MARGIN_S,
    SETTLING_S,
    Absence,
    Standing,
    absent_s,
    hung_up,
    left_at,
    unheard,
)
from tests.chaos.traffic import Traffic

__all__ = ["END_WITHIN_S", "Verdict", "judge", "longest_hole_s", "unreadable"]

GAP_S = 0.1
"""The bar."""
HEARD_WITHIN_S = 0.5
END_WITHIN_S = 5.0
YOUNG_S = 1.0
RECORDED_FOR_S = 2.0
"""What has been recorded for so long is no attempt: it has to be told, also of a call that its server's end cut off."""
RATE = 8000
SILENT_BELOW = 60


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
    standing = {
        life: Standing.of(life, absences, [asked.at for asked in run.customer.starts[number]])
        for number, life in run.lives.items()
    }
    for life in run.lives.values():
        if life.busy:
            verdict.busy += 1
            continue
        stood = standing[life]
        away, unsettled, settled = stood.away, stood.unsettled, stood.settled
        verdict.away += away
        verdict.unsettled += unsettled and not away
        verdict.settled += settled and not unsettled and not away
        wrong = list(_against_plan(run, life, absences, standing))
        if away or unsettled:
            for words in _not_ended(life, absences):
                verdict.fault("left over", f"{_name(life)}: {words}")
        elif wrong:
            for words in wrong:
                verdict.fault("did not go on" if settled else "went wrong", f"{_name(life)}: {words}")
        elif settled:
            verdict.went_on += 1
        good = not (away or unsettled or wrong)
        recorded = good or (settled and not (away or unsettled) and _was_recorded(life, absences))
        _told(verdict, run, life, absences, complete=good, recorded=recorded)
        if not (away or unsettled):
            _heard(verdict, life, late, absences, standing)
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


def _against_plan(
    run: Traffic, life: Life, absences: Sequence[Absence], standing: Mapping[Life, Standing]
) -> Iterator[str]:
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
    lasted = first.over_at - first.up_at - absent_s(absences, first.up_at, first.over_at)
    longest = first.over_at - first.up_at
    if life.meeting is not None:
        if disturbed(life.meeting, standing) or came_too_late(life, standing):
            yield from cut_short(life)
        else:
            yield from against_meeting(life, run.customer.afters[made.number], absences)
    elif made.kind is Kind.BRIDGE:
        yield from _against_bridge(life, absences)
    elif first.ended is not Ended.THEIRS:
        yield f"ended with {first.ended}"
    match made.kind:
        case Kind.PROMPT | Kind.DIDML if not (lasted - IN_TIME_S <= made.lasts_s <= longest + LATE_S):
            yield f"the prompt of {made.lasts_s} s lasted {longest:.2f} s"
        case Kind.GATHER:
            results = [asked.fields.get("result") for asked in run.customer.nexts[made.number]]
            if not results or set(results) != {made.key}:
                yield f"the key {made.key} was pressed; told were {results}"
        case Kind.RECORD:
            announced = [float(asked.fields["duration"]) for asked in run.customer.recordings[made.number]]
            if not announced or abs(announced[0] - made.lasts_s) > 1.1:
                yield f"a recording of {made.lasts_s} s was announced as {announced}"


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
    if not hung_up(ends, absences):
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
        elif (
            dialog.ended is Ended.DEAF
            or (dialog.ended is Ended.UNACKNOWLEDGED and not unheard(dialog, absences))
            or (dialog.ended is Ended.UNKNOWN and not hung_up(dialog, absences))
        ):
            yield f"{leg}: {dialog.ended.value}"
        elif not dialog.up_at:
            for each in absences:
                if dialog.begun_at <= each.killed_at - MARGIN_S and dialog.over_at > each.ready_at + END_WITHIN_S:
                    yield f"{leg}: ended {dialog.over_at - each.ready_at:.1f} s after the restart"


def _was_recorded(life: Life, absences: Sequence[Absence]) -> bool:
    """Whether a recording of it had gone on for a while at a kill, whatever became of the call then."""
    up_at = max((leg.up_at for leg in life.legs.values()), default=0.0)
    over_at = min((leg.over_at for leg in life.legs.values() if leg.over), default=float("inf"))
    return any(up_at + RECORDED_FOR_S <= each.killed_at <= over_at for each in absences)


def _told(
    verdict: Verdict, run: Traffic, life: Life, absences: Sequence[Absence], *, complete: bool, recorded: bool
) -> None:
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
    if recorded and (life.plan.kept or life.plan.kind is Kind.RECORD):
        verdict.owed += 1
        verdict.told += bool(run.customer.recordings[key])
        if not run.customer.recordings[key]:
            verdict.fault("webhooks missing", f"{_name(life)}: no recording")
    states = {asked.fields.get("CallStatus" if life.plan.didml else "state") for asked in run.customer.byes[key]}
    if complete and life.plan.told and states - {"completed" if life.plan.didml else "success"}:
        verdict.fault("went wrong", f"{_name(life)}: hung up as {states}")
    if life.plan.didml and life.plan.ordered:
        _told_of_stages(verdict, run, life, complete=complete)
    for words in asked_under_two_ids([*run.customer.nexts[key], *run.customer.afters[key]]):
        verdict.fault("two ids", f"{_name(life)}: {words}")


def asked_under_two_ids(asked: Sequence[Asked]) -> Iterator[str]:
    """What was asked twice, word for word, without being the same webhook."""
    ids: dict[tuple[tuple[str, str], ...], set[str]] = {}
    for one in asked:
        ids.setdefault(tuple(sorted(one.fields.items())), set()).add(one.webhook)
    for fields, under in ids.items():
        if len(under) > 1:
            yield f"{dict(fields)} was asked under {sorted(under)}"


def _told_of_stages(verdict: Verdict, run: Traffic, life: Life, *, complete: bool) -> None:
    """Whether a DIDforSale customer heard how its call went: of its end in any case, of all before
    if it was answered."""
    owed = ALL_STAGES if complete else ALL_STAGES[-1:] if life.ordered_at else ()
    told = run.customer.stages[life.plan.number]
    verdict.owed += len(owed)
    verdict.told += len(set(owed) & {asked.fields.get("CallStatus") for asked in told})
    for what, words in wrong_stages(told, owed=owed):
        verdict.fault(what, f"{_name(life)}: {words}")


def _knew(run: Traffic, life: Life, absences: Sequence[Absence]) -> bool:
    """Whether the server had been told whom it owes: by an order it answered, or by a document it had time to read."""
    if life.plan.ordered:
        return bool(life.ordered_at)
    asked = run.customer.starts[life.plan.number]
    return any(not any(each.killed_at - MARGIN_S <= one.at <= each.ready_at for each in absences) for one in asked)


def _heard(
    verdict: Verdict, life: Life, late: Lateness, absences: Sequence[Absence], standing: Mapping[Life, Standing]
) -> None:
    """Gaps in what its far ends heard."""
    if not life.plan.loud:
        return
    found: list[tuple[str, Gap]] = []
    first, second = life.first, life.second
    if first is not None and first.up_at and life.plan.kind in (Kind.PROMPT, Kind.DIDML):
        verdict.listened += 1
        heard = [each for each in life.sounds["first"].heard if each.number == SERVERS]
        found += [("", gap) for gap in gaps_of_prompt(heard, FRAME_S * 1.5)]
        if first.over and abs(len(heard) * FRAME_S - life.plan.lasts_s) > HEARD_WITHIN_S:
            # Too little was cut off, too much was begun anew.
            verdict.fault("gaps", f"{_name(life)}: {len(heard) * FRAME_S:.2f} s were heard of {life.plan.lasts_s} s")
    elif life.plan.kind is Kind.BRIDGE and first is not None and second is not None and first.up_at and second.up_at:
        begin = max(first.up_at, second.up_at) + SETTLING_S
        end = min(left_at(first), left_at(second)) - MARGIN_S
        for ear, mouth in (("first", "second"), ("second", "first")):
            verdict.listened += 1
            heard, sent = life.sounds[ear].heard, life.sounds[mouth].sent
            found += [("", gap) for gap in gaps_of_bridge(heard, sent, begin, end, FRAME_S * 1.5)]
    elif life.meeting is not None:
        for listened in heard_in_meeting(life, absences, standing):
            verdict.listened += 1
            found += [(f" of {listened.what}", gap) for gap in listened.gaps]
    for what, gap in found:
        verdict.worst_gap_s = max(verdict.worst_gap_s, gap.length_s)
        if gap.length_s <= GAP_S:
            continue
        if gap.length_s <= GAP_S + late.around(gap.at, gap.length_s):
            verdict.machine_gaps += 1
        else:
            verdict.fault("gaps", f"{_name(life)}: {gap.length_s * 1000:.0f} ms{what} at {gap.at:.2f}")


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
        facts = database.execute("select kind, key from restore_facts where kind in ('call', 'room')").fetchall()
    database.close()
    for identifier, state in open_calls:
        verdict.fault("left over", f"call {identifier} is {state} for ever")
    for kind, key in facts:
        verdict.fault("left over", f"a restore fact of {kind} {key}")
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
