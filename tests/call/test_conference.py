"""A conference: who hears whom, when it begins and ends, and that everybody gets out of it (TwiML `Conference`)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.rooms import ANN, BOB, CARL, DORA, Watched, guest, meeting, taking

from offhook.call.commands import VisitId
from offhook.call.conference import ConferenceRoom
from offhook.call.events import Now, RoomBeeped, RoomEnd, RoomJoined, RoomLeft, RoomWaits
from offhook.call.room import PARTIES_MAX, STAY_MAX_S, Came, Closed, Guest, Mix, RoomCommand, Stays, Tell, Unmix
from offhook.flow.errors import NotOurExport
from offhook.flow.verbs import Beeps

WAITS = RoomWaits(visit=VisitId(1), position=None)
JOINED = RoomJoined(visit=VisitId(1))
QUIET = Beeps.NONE


def waits(who: Guest) -> RoomCommand:
    return Tell(guest=who, event=WAITS)


def joined(who: Guest, *, muted: bool = False) -> list[RoomCommand]:
    return [Mix(guest=who, muted=muted), Tell(guest=who, event=JOINED)]


def beeped(*whom: Guest, coming: bool) -> list[RoomCommand]:
    return [Tell(guest=each, event=RoomBeeped(visit=VisitId(1), coming=coming)) for each in whom]


def left(who: Guest, why: RoomEnd = RoomEnd.OVER) -> RoomCommand:
    return Tell(guest=who, event=RoomLeft(visit=VisitId(1), why=why))


def test_one_alone_waits_and_with_the_second_it_begins() -> None:
    room = Watched.conference()
    assert room.comes(ANN, meeting(beeps=QUIET)) == [waits(ANN)]
    assert room.comes(BOB, meeting(beeps=QUIET)) == joined(ANN) + joined(BOB)
    assert room.comes(CARL, meeting(beeps=QUIET, muted=True)) == joined(CARL, muted=True)
    assert room.goes(BOB) == [Unmix(guest=BOB)]
    # Who is left alone stays: somebody may come back.
    assert room.goes(ANN) == [Unmix(guest=ANN)]
    assert room.comes(DORA, meeting(beeps=QUIET, starts=False)) == joined(DORA)
    assert room.goes(CARL) == [Unmix(guest=CARL)]
    assert room.goes(DORA) == [Unmix(guest=DORA), Closed()]
    assert room.log() == [
        "room.entered", "room.entered", "room.begun", "room.entered", "room.left", "room.left", "room.entered",
        "room.left", "room.left", "room.closed",
    ]  # fmt: skip


def test_without_one_who_begins_it_all_wait() -> None:
    room = Watched.conference()
    for who in (ANN, BOB, CARL):
        assert room.comes(who, meeting(starts=False)) == [waits(who)]
    assert room.goes(BOB) == []
    assert room.comes(DORA, meeting()) == [
        *joined(ANN),
        *joined(CARL),
        *joined(DORA),
        *beeped(ANN, CARL, DORA, coming=True),
    ]


def test_who_would_begin_it_and_leaves_before_begins_nothing() -> None:
    room = Watched.conference()
    room.comes(ANN, meeting())
    room.goes(ANN)
    assert room.said[-1] == Closed()
    room = Watched.conference()
    room.comes(ANN, meeting(starts=False))
    room.comes(BOB, meeting(starts=False))
    assert room.goes(ANN) == []
    assert room.goes(BOB) == [Closed()]


@pytest.mark.parametrize(
    ("beeps", "coming", "going"),
    [(Beeps.BOTH, True, True), (Beeps.ENTER, True, False), (Beeps.EXIT, False, True), (Beeps.NONE, False, False)],
)
def test_a_party_says_whether_its_coming_and_going_is_heard(beeps: Beeps, coming: bool, going: bool) -> None:
    room = Watched.conference()
    room.comes(ANN, meeting(beeps=QUIET))
    room.comes(BOB, meeting(beeps=QUIET))
    assert room.comes(CARL, meeting(beeps=beeps))[2:] == (beeped(ANN, BOB, CARL, coming=True) if coming else [])
    assert room.goes(CARL)[1:] == (beeped(ANN, BOB, coming=False) if going else [])


def test_nobody_hears_a_tone_before_it_has_begun() -> None:
    room = Watched.conference()
    assert room.comes(ANN, meeting(starts=False)) == [waits(ANN)]
    assert room.comes(BOB, meeting(starts=False)) == [waits(BOB)]
    assert room.goes(BOB) == []


def test_who_ends_it_takes_everybody_along() -> None:
    room = Watched.conference()
    room.comes(ANN, meeting(beeps=QUIET))
    room.comes(BOB, meeting(ends=True))
    room.comes(CARL, meeting(beeps=QUIET))
    room.new()
    assert room.goes(BOB) == [Unmix(guest=BOB), Unmix(guest=ANN), left(ANN), Unmix(guest=CARL), left(CARL), Closed()]
    assert "room.ended" in room.log()


def test_who_ends_it_ends_also_the_waiting() -> None:
    room = Watched.conference()
    room.comes(ANN, meeting(starts=False))
    room.comes(BOB, meeting(starts=False, ends=True))
    assert room.goes(BOB) == [left(ANN), Closed()]


def test_the_last_who_ends_it_ends_nothing_more() -> None:
    room = Watched.conference()
    room.comes(ANN, meeting(ends=True))
    assert room.goes(ANN) == [Closed()]
    assert "room.ended" not in room.log()


def test_there_is_room_for_as_many_as_the_one_who_comes_allows() -> None:
    room = Watched.conference()
    room.comes(ANN, meeting(beeps=QUIET))
    room.comes(BOB, meeting(beeps=QUIET))
    assert room.comes(CARL, meeting(max_parties=2)) == [left(CARL, RoomEnd.FULL)]
    assert room.comes(DORA, meeting(beeps=QUIET, max_parties=3)) == joined(DORA)
    assert [each.call for each in room.room.view().guests] == [ANN.call, BOB.call, DORA.call]


def test_there_is_a_limit_that_nobody_can_lift() -> None:
    room = Watched.conference()
    for number in range(PARTIES_MAX):
        room.room.handle(came(guest(number)), Now(0.0, 0.0))
    while room.room.poll_command() is not None:
        pass
    assert room.comes(guest(999), meeting(max_parties=100_000)) == [left(guest(999), RoomEnd.FULL)]


def came(who: Guest) -> Came:
    return Came(guest=who, wish=meeting(beeps=QUIET))


def test_nobody_stays_for_ever() -> None:
    room = Watched.conference()
    room.comes(ANN, meeting(beeps=QUIET, starts=False))
    room.after(100.0)
    room.comes(BOB, meeting(beeps=QUIET, starts=False))
    assert room.after(STAY_MAX_S - 100.0) == [left(ANN, RoomEnd.TIME_LIMIT)]
    assert room.after(100.0) == [left(BOB, RoomEnd.TIME_LIMIT), Closed()]


def test_a_party_whose_time_is_over_is_heard_no_longer_and_may_end_it() -> None:
    room = Watched.conference()
    room.comes(ANN, meeting(ends=True))
    room.after(1.0)
    room.comes(BOB, meeting(beeps=QUIET))
    room.new()
    assert room.after(STAY_MAX_S) == [
        left(ANN, RoomEnd.TIME_LIMIT),
        Unmix(guest=ANN),
        Unmix(guest=BOB),
        left(BOB),
        Closed(),
    ]


def test_what_is_too_late_or_for_nobody_changes_nothing() -> None:
    room = Watched.conference()
    room.comes(ANN, meeting())
    assert room.goes(BOB) == []
    assert room.hears(Stays(guest=BOB)) == []
    assert room.briefed(ANN) == []
    assert room.comes(CARL, taking()) == [left(CARL, RoomEnd.INTERNAL_ERROR)]
    assert room.goes(ANN) == [Closed()]
    assert room.room.closed
    room.there.add(BOB)
    room.room.handle(came(BOB), Now(0.0, 0.0))
    room.room.handle_timer(Now(9e9, 9e9))
    assert room.room.poll_command() is None
    assert room.room.guests() == ()


def test_who_asks_again_is_told_where_it_stands_and_nobody_else_is() -> None:
    """After a restart a call repeats its wish, or says that it is still there; its sound may have been lost."""
    room = Watched.conference()
    room.comes(ANN, meeting())
    for event in (Came(guest=ANN, wish=meeting()), Stays(guest=ANN)):
        assert room.again(event) == [waits(ANN)]
    room.comes(BOB, meeting(beeps=QUIET, muted=True))
    for event in (Came(guest=BOB, wish=meeting()), Stays(guest=BOB)):
        assert room.again(event) == joined(BOB, muted=True)
    assert room.log().count("room.entered") == 2


def test_people_see_who_is_there() -> None:
    room = Watched.conference()
    room.comes(ANN, meeting(muted=True))
    (seen,) = room.room.view().guests
    assert (seen.call, seen.role, seen.state, seen.muted, seen.position) == (ANN.call, "party", "waiting", True, None)
    room.comes(BOB, meeting())
    assert {each.state for each in room.room.view().guests} == {"talking"}


def test_an_export_is_of_this_version_and_holds_together() -> None:
    room = Watched.conference()
    room.comes(ANN, meeting())
    now = Now(0.0, 0.0)
    data = room.room.export(now)
    with pytest.raises(NotOurExport, match="version 99"):
        ConferenceRoom.restore(data | {"version": 99}, now)
    with pytest.raises(NotOurExport, match="hold together"):
        ConferenceRoom.restore(data | {"state": {"room": 3}}, now)
    room.room.handle(came(BOB), now)
    with pytest.raises(RuntimeError, match="polled"):
        room.room.export(now)


WISHES = st.builds(
    meeting,
    muted=st.booleans(),
    beeps=st.sampled_from(Beeps),
    starts=st.booleans(),
    ends=st.booleans(),
    max_parties=st.sampled_from([None, 1, 2, 3]),
)
ACTS = st.one_of(
    st.tuples(st.just("comes"), st.integers(1, 6), WISHES),
    st.tuples(st.just("goes"), st.integers(1, 6), st.none()),
    st.tuples(st.just("after"), st.sampled_from([0.0, 1.0, 5000.0]), st.none()),
)


@given(st.lists(ACTS, max_size=25))
def test_whatever_happens_everybody_comes_out_of_it_once(acts: list[tuple[str, int, object]]) -> None:
    """`Watched` checks each word; when time has passed, nobody is left, and who did not go was let go."""
    room, wanted = Watched.conference(), set()
    for act, who, wish in acts:
        if room.room.closed:
            break
        if act == "comes" and guest(who) not in room.there | room.let_go.keys():
            wanted.add(guest(who))
            room.comes(guest(who), wish)  # type: ignore[arg-type]
        elif act == "goes":
            wanted.discard(guest(who))
            room.goes(guest(who))
        elif act == "after":
            room.after(float(who))
        if room.room.view().guests and room.room.view().guests[0].state == "talking":
            assert room.mixed == set(room.room.guests()) == room.there
    room.after(STAY_MAX_S)
    assert room.there == set()
    assert wanted <= room.let_go.keys()
    assert room.room.poll_deadline() is None
    assert room.room.closed or not room.said
