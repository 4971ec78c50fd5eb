"""Rooms, calls and sound that agree have no strays; each disagreement is found, and named for who is wrong."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.support.rooms import ANN, BOB, CARL

from offhook.call.roll_call import RoomSeen, Strays, strays
from offhook.call.room import Guest, RoomKind, RoomName

BOARD = RoomName(account="us", kind=RoomKind.CONFERENCE, name="board")
CALLERS = RoomName(account="us", kind=RoomKind.QUEUE, name="callers")
NONE = Strays(guests=frozenset(), rooms=frozenset(), visits=frozenset(), sounds=frozenset())
MEETING = RoomSeen(name=BOARD, mix=5, guests=frozenset({ANN, BOB}), sounds=frozenset({1, 2}))
QUEUE = RoomSeen(name=CALLERS, mix=6, guests=frozenset({CARL}), sounds=frozenset({3}))


def found(
    *rooms: RoomSeen,
    listed: set[Guest] | None = None,
    visits: frozenset[Guest] = frozenset({ANN, BOB, CARL}),
    mixed: dict[int, int] | None = None,
) -> Strays:
    everybody = {guest for room in rooms for guest in room.guests}
    return strays(rooms, listed=everybody if listed is None else listed, visits=visits, mixed=mixed or {})


def test_what_agrees_has_no_strays() -> None:
    assert found(MEETING, QUEUE, mixed={1: 5, 2: 5}) == NONE
    assert found(visits=frozenset()) == NONE


def test_a_guest_whose_call_is_over_or_elsewhere_is_a_stray() -> None:
    assert found(MEETING, QUEUE, visits=frozenset({ANN, CARL})) == replace(NONE, guests=frozenset({BOB}))


def test_a_visit_that_is_listed_and_in_no_room_is_a_stray_of_both_books() -> None:
    assert found(MEETING, QUEUE, listed={ANN, BOB, CARL}, visits=frozenset({ANN, BOB, CARL})) == NONE
    assert found(listed={CARL}, visits=frozenset()) == replace(NONE, guests=frozenset({CARL}))
    assert found(listed={CARL}, visits=frozenset({CARL})) == replace(NONE, visits=frozenset({CARL}))


def test_a_room_without_guests_is_a_stray() -> None:
    empty = replace(MEETING, guests=frozenset(), sounds=frozenset())
    assert found(empty, QUEUE, visits=frozenset({CARL})) == replace(NONE, rooms=frozenset({BOARD}))


def test_a_call_that_waits_for_a_room_which_does_not_have_it_is_a_stray() -> None:
    assert found(MEETING) == replace(NONE, visits=frozenset({CARL}))


def test_sound_in_a_mix_of_no_room_or_of_a_room_that_it_is_no_guest_of_is_a_stray() -> None:
    assert found(MEETING, QUEUE, mixed={1: 5, 2: 9, 3: 5}) == replace(NONE, sounds=frozenset({2, 3}))


GUESTS = st.frozensets(st.sampled_from([ANN, BOB, CARL]))


@given(meeting=GUESTS, queue=GUESTS, listed=GUESTS, visits=GUESTS)
def test_taking_the_strays_away_leaves_none(
    meeting: frozenset[Guest], queue: frozenset[Guest], listed: frozenset[Guest], visits: frozenset[Guest]
) -> None:
    rooms = [replace(MEETING, guests=meeting), replace(QUEUE, guests=queue)]
    mixed = {1: 5, 3: 5, 4: 7}
    first = strays(rooms, listed=listed, visits=visits, mixed=mixed)
    left = [replace(room, guests=room.guests - first.guests) for room in rooms if room.name not in first.rooms]
    assert first.sounds == {3, 4}
    again = strays(
        [room for room in left if room.guests],
        listed=listed - first.guests - first.visits,
        visits=visits - first.visits,
        mixed={},
    )
    assert again == NONE
