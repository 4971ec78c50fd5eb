"""That the judge of rooms finds what it is to find, and excuses what a kill can have done. No call is made here."""

from dataclasses import replace

from tests.chaos.customer import Asked
from tests.chaos.judging import asked_under_two_ids
from tests.chaos.lives import Life, Meeting
from tests.chaos.meetings import meeting
from tests.chaos.phones import Ended, Phones
from tests.chaos.plans import Kind, Plan, Role, Span
from tests.chaos.room_judging import (
    against_meeting,
    came_too_late,
    cut_short,
    disturbed,
    heard_in_meeting,
    wrong_stages,
)
from tests.chaos.sound import FRAME_S, SERVERS, Heard, Sound
from tests.chaos.standing import Absence, Standing
from tests.chaos.tones import tone_packet

PHONES = Phones(("127.0.0.1", 5060))
UP, TALK_S = 100.0, 4
OVER = UP + TALK_S
QUIET = Absence(1.0, 2.0)
TOLD = [Asked(at=OVER, webhook="a", fields={"DialCallStatus": "completed"})]


def plans(kind: Kind, *roles: Role) -> tuple[Plan, ...]:
    """Of the first meeting of a seed that has these parties."""
    for index in range(1, 10_000):
        found = meeting(1, index, Span(least_s=TALK_S, most_s=TALK_S), 1.0, 1.0)
        if found[0].kind is kind and [each.role for each in found] == list(roles):
            return tuple(replace(each, ordered=False, by_caller=False) for each in found)
    raise AssertionError(f"no {roles}")


def party(made: Plan, *, ended: Ended, bye_at: float = 0.0, over_at: float, up_at: float = UP) -> Life:
    """One that was connected and is over."""
    life = Life(made, up_at - 0.1)
    dialog = PHONES.calling("1", made.number, ("127.0.0.1", 4000))
    dialog.up_at, dialog.bye_at, dialog.over_at, dialog.ended = up_at, bye_at, over_at, ended
    life.legs["first"] = dialog
    life.sounds["first"] = Sound("127.0.0.1", hears=True, speaks=True, tone=tone_packet(made.tone))
    return life


def met(*lives: Life) -> Meeting:
    made = Meeting(lives)
    for life in lives:
        life.meeting = made
    return made


def conference(let_go_s: float = 1.1, stayer: Ended = Ended.THEIRS) -> tuple[Life, Life, Life]:
    """Chair, stayer and leaver, of whom the chair ends it."""
    chair, stays, leaves = plans(Kind.CONFERENCE, Role.CHAIR, Role.STAYER, Role.LEAVER)
    lives = (
        party(chair, ended=Ended.OURS, bye_at=OVER, over_at=OVER + 0.01),
        party(stays, ended=stayer, bye_at=0.0 if stayer is Ended.THEIRS else OVER + 5, over_at=OVER + let_go_s),
        party(leaves, ended=Ended.OURS, bye_at=UP + 2, over_at=UP + 2.01),
    )
    met(*lives)
    return lives


def standing(*lives: Life, lost: Life | None = None, reads: tuple[float, ...] = ()) -> dict[Life, Standing]:
    return {life: Standing(away=False, unsettled=life is lost, settled=life is not lost, reads=reads) for life in lives}


def test_a_conference_that_went_by_its_rules() -> None:
    lives = conference()
    assert [list(against_meeting(life, TOLD, [QUIET])) for life in lives] == [[], [], []]


def test_who_is_let_go_too_late_too_early_or_not_at_all_is_found() -> None:
    for let_go_s, ended in ((5.0, Ended.THEIRS), (0.2, Ended.THEIRS), (9.0, Ended.OURS)):
        _, stays, _ = conference(let_go_s, ended)
        assert list(against_meeting(stays, TOLD, [QUIET])), let_go_s
    _, stays, _ = conference(5.0)
    assert not list(against_meeting(stays, TOLD, [Absence(OVER + 0.5, OVER + 3.5)]))


def test_who_was_to_leave_and_was_let_go_is_found() -> None:
    _, _, leaves = conference()
    assert leaves.first is not None
    leaves.first.ended, leaves.first.bye_at = Ended.THEIRS, 0.0
    assert list(against_meeting(leaves, TOLD, [QUIET]))


def test_an_action_that_was_not_asked_for_or_told_something_else_is_found() -> None:
    _, stays, _ = conference()
    assert list(against_meeting(stays, [], [QUIET]))
    assert list(against_meeting(stays, [replace(TOLD[0], fields={"DialCallStatus": "failed"})], [QUIET]))


def test_a_conference_hangs_on_its_chair_and_a_queue_on_everybody() -> None:
    chair, stays, leaves = lives = conference()
    assert chair.meeting is not None
    assert disturbed(chair.meeting, standing(*lives, lost=chair))
    assert not disturbed(chair.meeting, standing(*lives, lost=stays))
    assert not disturbed(chair.meeting, standing(*lives, lost=leaves))
    caller, agent = plans(Kind.QUEUE, Role.CALLER, Role.AGENT)
    two = (party(caller, ended=Ended.THEIRS, over_at=OVER + 1), party(agent, ended=Ended.OURS, over_at=OVER))
    assert disturbed(met(*two), standing(*two, lost=two[0]))


def test_whose_document_came_when_it_was_over_is_owed_no_room() -> None:
    chair, stays, _ = lives = conference()
    assert not came_too_late(stays, standing(*lives))
    assert came_too_late(stays, standing(*lives, reads=(UP, OVER - 0.1)))
    assert not came_too_late(chair, standing(*lives, reads=(UP, OVER - 0.1)))


def test_a_queue_whose_order_nobody_knows_is_disturbed() -> None:
    first, second, agent = plans(Kind.QUEUE, Role.CALLER, Role.SECOND, Role.AGENT)
    lives = (
        party(first, ended=Ended.THEIRS, over_at=OVER + 1),
        party(second, ended=Ended.OURS, up_at=UP + 1, over_at=OVER + 2),
        party(agent, ended=Ended.OURS, up_at=UP + 2, over_at=OVER),
    )
    queue = met(*lives)
    assert not disturbed(queue, standing(*lives))
    # The first one's document was asked for again, and came after the second one's.
    assert disturbed(queue, standing(*lives) | standing(lives[0], reads=(UP + 1.5,)))
    # Both documents came in one moment, and the second one's far end learned of it late.
    both = standing(lives[0], reads=(UP + 0.5,)) | standing(lives[1], reads=(UP + 0.5,))
    assert disturbed(queue, standing(*lives) | both)


def test_of_a_disturbed_one_nobody_is_let_go_before_anybody_has_left() -> None:
    chair, stays, leaves = conference()
    assert not list(cut_short(stays))
    for other in (chair, leaves):
        assert other.first is not None
        other.first.bye_at, other.first.over_at = OVER + 30, OVER + 31
    assert list(cut_short(stays))


def test_a_gap_in_a_conference_is_found_and_where_one_hears_itself() -> None:
    lives = chair, stays, leaves = conference()
    end = UP + 2
    sent = [UP + FRAME_S * n for n in range(int(TALK_S / FRAME_S))]
    for life in lives:
        sound = life.sounds["first"]
        sound.sent = sent
        other = tone_packet(stays.plan.tone if life is not stays else chair.plan.tone)
        sound.frames = [(at + 0.05, other) for at in sent]

    def found(life: Life) -> dict[str, list[float]]:
        heard = heard_in_meeting(life, [QUIET], standing(*lives))
        return {each.what: [round(gap.length_s, 2) for gap in each.gaps] for each in heard}

    # The leaver hears the stayer all the time, and of the chair nothing.
    assert found(leaves) == {"the chair": [round(end - 0.15 - (UP + 0.4), 2)], "the stayer": []}
    leaves.sounds["first"].frames += [(UP + 1, tone_packet(leaves.plan.tone))] * 20
    assert found(leaves)["silence where it spoke itself"] == [0.4]


def test_who_waits_hears_music_and_the_two_each_other() -> None:
    caller, agent = plans(Kind.QUEUE, Role.CALLER, Role.AGENT)
    lives = waits, takes = (
        party(caller, ended=Ended.THEIRS, up_at=UP - 3, over_at=OVER + 1),
        party(agent, ended=Ended.OURS, bye_at=OVER, over_at=OVER),
    )
    met(*lives)
    sent = [UP + FRAME_S * n for n in range(int(TALK_S / FRAME_S))]
    for life in lives:
        life.sounds["first"].sent = sent
        life.sounds["first"].heard = [Heard(at + 0.01, n) for n, at in enumerate(sent)]
    music = [Heard(UP - 2.9 + FRAME_S * n, SERVERS) for n in range(150)]
    waits.sounds["first"].heard[:0] = music

    def gaps() -> list[list[float]]:
        heard = heard_in_meeting(waits, [QUIET], standing(*lives))
        return [[round(gap.length_s, 2) for gap in each.gaps] for each in heard]

    assert gaps() == [[], []]
    del waits.sounds["first"].heard[50:60], waits.sounds["first"].heard[250:265]
    assert gaps() == [[0.22], [0.32]]
    # Nothing at first, and nothing at last.
    del waits.sounds["first"].heard[:60]
    assert gaps()[0] == [1.5]
    del waits.sounds["first"].heard[60:80]
    assert gaps()[0] == [1.5, 0.17]
    assert [each.what for each in heard_in_meeting(takes, [QUIET], standing(*lives))] == ["the caller"]


def test_status_events_missing_doubled_or_out_of_order_are_found() -> None:
    def came(*stages: str) -> list[Asked]:
        return [Asked(at=n, webhook=f"m-{stage}", fields={"CallStatus": stage}) for n, stage in enumerate(stages)]

    every = ("initiated", "ringing", "answered", "completed")
    assert not list(wrong_stages(came(*every), owed=every))
    assert not list(wrong_stages([*came(*every), *came("answered")], owed=every))
    assert [what for what, _ in wrong_stages(came("initiated"), owed=("completed",))] == ["webhooks missing"]
    again = replace(came("ringing")[0], webhook="another")
    assert [what for what, _ in wrong_stages([*came(*every), again], owed=every)] == ["two ids"]
    swapped = came("initiated", "answered", "ringing", "completed")
    assert [what for what, _ in wrong_stages(swapped, owed=every)] == ["went wrong"]


def test_what_is_asked_twice_in_the_same_words_is_one_webhook() -> None:
    asked = Asked(at=1.0, webhook="a", fields={"Digits": "1"})
    assert not list(asked_under_two_ids([asked, replace(asked, at=2.0), replace(asked, webhook="b", fields={})]))
    assert list(asked_under_two_ids([asked, replace(asked, webhook="b")]))
