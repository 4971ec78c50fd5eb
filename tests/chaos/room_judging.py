"""What must hold of calls that speak didML: of conferences and queues, of what their parties hear, of status events.

A meeting is *disturbed* when a party on whom it depends was being set up at a kill, or never came. Nobody can say then
how it was to go; but who was connected stays until somebody leaves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.chaos.customer import Asked
from tests.chaos.lives import Life, Meeting
from tests.chaos.meetings import ALL_STAGES, FOLLOWS_S, didml_document
from tests.chaos.phones import Ended
from tests.chaos.plans import Kind, Role
from tests.chaos.sound import FRAME_S, SERVERS, Gap, Heard, gaps_of_bridge, gaps_of_prompt
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
)
from tests.chaos.tones import gaps_of_mix, present

__all__ = ["Listened", "against_meeting", "cut_short", "disturbed", "heard_in_meeting", "wrong_stages"]

LONGER_S = FRAME_S * 1.5
MUSIC_S = 1.0
"""Who waits is answered, and its music or document fetched, within this."""
ITSELF_S = 0.2


@dataclass(frozen=True, slots=True)
class Listened:
    """What one party was to hear, and where it did not."""

    what: str
    gaps: tuple[Gap, ...]


def disturbed(meeting: Meeting, standing: Mapping[Life, Standing]) -> bool:
    """Whether a kill may have kept a meeting from its plan. A conference ends with its chair, whoever else there is; in
    a queue those who wait must have come one after the other, and the agent before its caller had left.
    """
    who = [meeting.leader] if meeting.leader.plan.kind is Kind.CONFERENCE else meeting.lives
    if not all(_there(life, standing) for life in who):
        return True
    if meeting.leader.plan.kind is Kind.CONFERENCE:
        return False
    callers = [life for life in who if life.plan.role in (Role.CALLER, Role.SECOND)]
    in_order = all(_in_at(a, standing) + MARGIN_S < _soonest_in_at(b, standing) for a, b in pairwise(callers))
    return not in_order or any(came_too_late(life, standing) for life in who)


def came_too_late(life: Life, standing: Mapping[Life, Standing]) -> bool:
    """Whether somebody may have come to the room only when it was over already: it was connected, and its customer, who
    may have been asked again after a kill, was slow to say where it was to go."""
    meeting = life.meeting
    assert meeting is not None
    leader = meeting.leader
    return (
        leader is not life and leader.first is not None and _in_at(life, standing) + SETTLING_S > left_at(leader.first)
    )


def _in_at(life: Life, standing: Mapping[Life, Standing]) -> float:
    """When a party was connected and its document there: its room is a moment away."""
    return max((life.first.up_at if life.first is not None else 0.0, *standing[life].reads))


def _soonest_in_at(life: Life, standing: Mapping[Life, Standing]) -> float:
    """The same at the earliest: a far end may learn late that it was answered, and be in its room before."""
    return min(standing[life].reads, default=_in_at(life, standing))


def _there(life: Life, standing: Mapping[Life, Standing]) -> bool:
    return standing[life].clean and life.up


# ── how it went ──────────────────────────────────────────────────────────────────────────────────────────────────────


def against_meeting(life: Life, afters: Sequence[Asked], absences: Sequence[Absence]) -> Iterator[str]:
    """How a party of a meeting that was not disturbed was other than planned. `afters`: what it asked for when it was
    out of its room."""
    meeting, dialog = life.meeting, life.first
    assert meeting is not None
    assert dialog is not None
    made, leader = life.plan, meeting.leader.first
    assert leader is not None
    if made.leads or made.role in (Role.LEAVER, Role.SECOND):
        if not hung_up(dialog, absences):
            yield f"the {made.role.value}, who was to hang up: {dialog.ended.value if dialog.ended else ''}"
        elif made.leads and left_at(dialog) - _joined_at(meeting) < made.lasts_s - LATE_S:
            yield f"they talked {left_at(dialog) - _joined_at(meeting):.2f} s of {made.lasts_s}"
        return
    if dialog.ended is not Ended.THEIRS or dialog.bye_at:
        yield f"the {made.role.value}, who was to be let go: {dialog.ended.value if dialog.ended else ''}"
        return
    since = dialog.over_at - left_at(leader)
    if not (FOLLOWS_S - LATE_S <= since <= FOLLOWS_S + IN_TIME_S + absent_s(absences, left_at(leader), dialog.over_at)):
        yield f"the {made.role.value} was let go {since:.2f} s after the {meeting.leader.plan.role.value} had left"
    if "action=" in didml_document(made, ""):
        yield from _wrong_after(afters)


def _wrong_after(afters: Sequence[Asked]) -> Iterator[str]:
    statuses = {asked.fields.get("DialCallStatus") for asked in afters}
    if statuses != {"completed"}:
        yield f"its room was over, and its action was told of {sorted(map(str, statuses))}"


def cut_short(life: Life) -> Iterator[str]:
    """What of a meeting that was disturbed must hold for who was connected all the same."""
    meeting, dialog = life.meeting, life.first
    assert meeting is not None
    if dialog is None or not dialog.up_at:
        return
    if not dialog.over:
        yield "did not end"
    elif dialog.ended not in (Ended.OURS, Ended.THEIRS, Ended.UNKNOWN):
        yield f"ended with {dialog.ended}"
    elif dialog.ended is Ended.THEIRS and not dialog.bye_at:
        # A party that was lost while it was set up may have been in the room, and have left it.
        others = [other for other in meeting.lives if other is not life]
        if not any(_left(other, dialog.over_at) for other in others):
            yield "was let go before anybody had left"


def _left(life: Life, before: float) -> bool:
    return life.first is not None and life.first.over and left_at(life.first) < before


def _joined_at(meeting: Meeting) -> float:
    """When the last of them was connected."""
    return max(life.first.up_at for life in meeting.lives if life.first is not None)


# ── what was heard ───────────────────────────────────────────────────────────────────────────────────────────────────


def heard_in_meeting(life: Life, absences: Sequence[Absence], standing: Mapping[Life, Standing]) -> Iterator[Listened]:
    """What a loud party heard of those whom no kill kept away; nothing is asked of a meeting that was disturbed."""
    meeting = life.meeting
    assert meeting is not None
    if disturbed(meeting, standing) or not _there(life, standing):
        return
    if life.plan.kind is Kind.CONFERENCE:
        yield from _heard_in_conference(life, absences, standing)
    else:
        yield from _heard_in_queue(life, absences, standing)


def _heard_in_conference(
    life: Life, absences: Sequence[Absence], standing: Mapping[Life, Standing]
) -> Iterator[Listened]:
    """Each other one's tone, and never its own."""
    meeting, dialog = life.meeting, life.first
    assert meeting is not None
    assert dialog is not None
    ear = life.sounds["first"]
    over = left_at(meeting.leader.first) if meeting.leader.first is not None else 0.0
    for other in meeting.lives:
        mouth = other.first
        if other is life or mouth is None or not _there(other, standing):
            continue
        begin = _settled(max(_in_at(life, standing), _in_at(other, standing)), absences)
        end = min(left_at(dialog), left_at(mouth), over) - MARGIN_S
        frames = [frame for frame in ear.frames if begin <= frame[0] <= end]
        there = present([octets for _, octets in frames], other.plan.tone)
        heard = [at for (at, _), is_there in zip(frames, there, strict=True) if is_there]
        gaps = gaps_of_mix(heard, other.sounds["first"].sent, begin, end, LONGER_S)
        yield Listened(f"the {other.plan.role.value}", tuple(gaps))
    itself = present([octets for _, octets in ear.frames], life.plan.tone)
    if itself.sum() * FRAME_S > ITSELF_S:
        yield Listened("silence where it spoke itself", (Gap(dialog.over_at, float(itself.sum() * FRAME_S)),))


def _heard_in_queue(life: Life, absences: Sequence[Absence], standing: Mapping[Life, Standing]) -> Iterator[Listened]:
    """Who waits hears music; the two hear each other."""
    meeting, dialog = life.meeting, life.first
    assert meeting is not None
    assert dialog is not None
    caller, agent = meeting.of(Role.CALLER), meeting.of(Role.AGENT)
    assert caller is not None
    assert caller.first is not None
    assert agent is not None
    assert agent.first is not None
    met_at = max(_in_at(caller, standing), _in_at(agent, standing))
    ear = life.sounds["first"]
    may_meet_at = max(_soonest_in_at(caller, standing), _soonest_in_at(agent, standing))
    waits_until = left_at(dialog) if life.plan.role is Role.SECOND else may_meet_at
    waits_from = _in_at(life, standing)
    if waits_until - waits_from > MUSIC_S + FRAME_S:
        yield Listened("music", tuple(_gaps_of_music(ear.heard, waits_from, waits_until - MARGIN_S, absences)))
    if life.plan.role is not Role.SECOND:
        other = agent if life is caller else caller
        assert other.first is not None
        end = min(left_at(dialog), left_at(other.first), left_at(meeting.leader.first or dialog)) - MARGIN_S
        gaps_heard = gaps_of_bridge(ear.heard, other.sounds["first"].sent, _settled(met_at, absences), end, LONGER_S)
        yield Listened(f"the {other.plan.role.value}", tuple(gaps_heard))


def _gaps_of_music(heard: Sequence[Heard], begin: float, end: float, absences: Sequence[Absence]) -> Iterator[Gap]:
    """Where somebody who waited from `begin` to `end` heard none."""
    music = [each for each in heard if each.number == SERVERS and each.at <= end]
    first, last = (music[0].at, music[-1].at) if music else (end, end)
    if first - begin > MUSIC_S + absent_s(absences, begin, first):
        yield Gap(first, first - begin)
    yield from gaps_of_prompt(music, LONGER_S)
    if end - last > LONGER_S:
        yield Gap(end, end - last)


def _settled(joined_at: float, absences: Sequence[Absence]) -> float:
    """From when sound is owed. A kill so soon after the last has come may have been before it was in the room."""
    owed = joined_at + SETTLING_S
    for each in absences:
        if joined_at <= each.killed_at <= joined_at + SETTLING_S:
            owed = max(owed, each.ready_at + SETTLING_S)
    return owed


# ── what was told ────────────────────────────────────────────────────────────────────────────────────────────────────


def wrong_stages(told: Sequence[Asked], *, owed: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with the status events of a call, as the row of the table and words. `owed`: which must be
    there."""
    by_stage: dict[str, list[Asked]] = {}
    for asked in told:
        by_stage.setdefault(asked.fields.get("CallStatus", ""), []).append(asked)
    for stage in owed:
        if stage not in by_stage:
            yield "webhooks missing", f"no status event {stage}"
    for stage, came in by_stage.items():
        ids = {asked.webhook for asked in came}
        if len(ids) > 1 or "" in ids:
            yield "two ids", f"the status event {stage} under {sorted(ids)}"
    firsts = [stage for stage in by_stage if stage in ALL_STAGES]
    if any(ALL_STAGES.index(a) > ALL_STAGES.index(b) for a, b in pairwise(firsts)):
        yield "went wrong", f"status events came as {firsts}"
