"""A queue: who is taken by whom, in every order in which callers and agents can come, go, be briefed and be late."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.rooms import ANN, BOB, CARL, DORA, Watched, guest, meeting, taking, waiting

from offhook.call.commands import VisitId
from offhook.call.events import Now, RoomBriefs, RoomEnd, RoomJoined, RoomLeft, RoomWaits
from offhook.call.queue import QueueRoom
from offhook.call.room import (
    BRIEFING_MAX_S,
    CALLERS_MAX,
    STAY_MAX_S,
    Came,
    Closed,
    Guest,
    Join,
    Part,
    RoomCommand,
    RoomNote,
    Stays,
    Tell,
)
from offhook.flow.document import Document
from offhook.flow.errors import NotOurExport

BRIEFING = Document(url="https://app.example/briefing")
"""Ann and Bob call; Carl and Dora are agents."""


def place(who: Guest, position: int | None) -> RoomCommand:
    return Tell(guest=who, event=RoomWaits(visit=VisitId(1), position=position))


def joined(agent: Guest, caller: Guest) -> list[RoomCommand]:
    tell = [Tell(guest=each, event=RoomJoined(visit=VisitId(1))) for each in (agent, caller)]
    return [Join(a=agent, b=caller), *tell]


def left(who: Guest, why: RoomEnd = RoomEnd.OVER) -> RoomCommand:
    return Tell(guest=who, event=RoomLeft(visit=VisitId(1), why=why))


def briefs(who: Guest) -> RoomCommand:
    return Tell(guest=who, event=RoomBriefs(visit=VisitId(1), document=BRIEFING))


# ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_everybody_knows_their_place_and_first_in_is_first_out() -> None:
    queue = Watched.queue()
    assert queue.comes(ANN, waiting()) == [place(ANN, 1)]
    assert queue.comes(BOB, waiting()) == [place(BOB, 2)]
    assert queue.comes(CARL, taking()) == [*joined(CARL, ANN), place(BOB, 1)]
    assert queue.comes(DORA, taking()) == joined(DORA, BOB)


def test_who_leaves_moves_up_those_behind_and_nobody_else() -> None:
    queue = Watched.queue()
    queue.comes(ANN, waiting())
    queue.comes(BOB, waiting())
    queue.comes(CARL, waiting())
    queue.new()
    assert queue.goes(BOB) == [place(CARL, 2)]
    assert queue.goes(ANN) == [place(CARL, 1)]
    assert queue.goes(CARL) == [Closed()]


def test_an_agent_waits_for_a_caller_and_is_let_go_when_none_comes() -> None:
    queue = Watched.queue()
    assert queue.comes(CARL, taking(timeout_s=20.0)) == [place(CARL, None)]
    assert queue.after(19.0) == []
    assert queue.after(1.0) == [left(CARL, RoomEnd.NO_ANSWER), Closed()]


def test_of_two_agents_the_first_gets_the_only_caller() -> None:
    queue = Watched.queue()
    assert queue.comes(CARL, taking()) == [place(CARL, None)]
    assert queue.comes(DORA, taking(timeout_s=40.0)) == [place(DORA, None)]
    assert queue.comes(ANN, waiting()) == joined(CARL, ANN)
    assert queue.after(100.0) == [left(DORA, RoomEnd.NO_ANSWER)]
    assert queue.comes(DORA, taking()) == [place(DORA, None)]
    assert queue.comes(BOB, waiting()) == joined(DORA, BOB)


def test_an_agent_without_patience_takes_who_is_there_and_waits_for_nobody() -> None:
    queue = Watched.queue()
    queue.comes(ANN, waiting())
    assert queue.comes(CARL, taking(timeout_s=0.0)) == joined(CARL, ANN)
    queue.comes(DORA, taking(timeout_s=0.0))
    assert queue.after(0.0) == [left(DORA, RoomEnd.NO_ANSWER)]


def test_a_queue_takes_no_more_than_it_holds() -> None:
    queue = Watched.queue()
    for number in range(CALLERS_MAX):
        queue.room.handle(Came(guest=guest(number), wish=waiting()), Now(0.0, 0.0))
    while queue.room.poll_command() is not None:
        pass
    assert queue.comes(guest(5000), waiting()) == [left(guest(5000), RoomEnd.FULL)]


def test_nobody_waits_for_ever() -> None:
    queue = Watched.queue()
    queue.comes(ANN, waiting())
    queue.after(10.0)
    queue.comes(BOB, waiting())
    assert queue.after(STAY_MAX_S - 10.0) == [left(ANN, RoomEnd.TIME_LIMIT), place(BOB, 1)]
    assert queue.after(10.0) == [left(BOB, RoomEnd.TIME_LIMIT), Closed()]


# ── talking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("gone", "stays"), [(ANN, CARL), (CARL, ANN)])
def test_when_one_of_two_who_talk_is_gone_the_other_goes_on(gone: Guest, stays: Guest) -> None:
    queue = Watched.queue()
    queue.comes(ANN, waiting())
    queue.comes(CARL, taking())
    queue.new()
    assert queue.goes(gone) == [Part(a=CARL, b=ANN), left(stays), Closed()]


def test_two_talk_no_longer_than_the_agent_said() -> None:
    queue = Watched.queue()
    queue.comes(ANN, waiting())
    queue.comes(CARL, taking(time_limit_s=60.0))
    queue.new()
    assert queue.after(59.0) == []
    assert queue.after(1.0) == [left(CARL, RoomEnd.TIME_LIMIT), Part(a=CARL, b=ANN), left(ANN), Closed()]


def test_two_without_a_limit_have_that_of_a_dial() -> None:
    queue = Watched.queue()
    queue.comes(ANN, waiting())
    queue.comes(CARL, taking(time_limit_s=1e9))
    queue.new()
    assert queue.after(STAY_MAX_S - 1.0) == []
    assert queue.after(1.0)[0] == left(CARL, RoomEnd.TIME_LIMIT)


# ── briefing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def briefing() -> Watched:
    """Ann hears something before she is joined with Carl; Bob waits."""
    queue = Watched.queue()
    queue.comes(ANN, waiting())
    queue.comes(BOB, waiting())
    assert queue.comes(CARL, taking(briefing=BRIEFING, timeout_s=30.0)) == [
        briefs(ANN),
        place(BOB, 1),
        place(CARL, None),
    ]
    return queue


def test_a_caller_is_briefed_before_it_is_joined() -> None:
    queue = briefing()
    assert queue.briefed(BOB) == []
    assert queue.after(60.0) == [], "the agent's patience is for an empty queue"
    assert queue.briefed(ANN) == joined(CARL, ANN)
    assert queue.briefed(ANN) == []


def test_a_briefing_that_never_ends_does_not_keep_the_agent() -> None:
    queue = briefing()
    assert queue.after(BRIEFING_MAX_S) == joined(CARL, ANN)


def test_an_agent_who_is_gone_before_they_talk_gives_the_caller_its_place_back() -> None:
    queue = briefing()
    assert queue.goes(CARL) == [place(ANN, 1), place(BOB, 2)]
    assert queue.briefed(ANN) == [], "it is nobody's any more"
    assert queue.comes(DORA, taking()) == [*joined(DORA, ANN), place(BOB, 1)]


def test_an_agent_whose_caller_leaves_while_it_is_briefed_takes_the_next() -> None:
    queue = briefing()
    assert queue.goes(ANN) == [briefs(BOB)]
    assert queue.goes(BOB) == []
    assert queue.after(29.0) == []
    assert queue.after(1.0) == [left(CARL, RoomEnd.NO_ANSWER), Closed()]


def test_an_agent_whose_patience_ran_out_meanwhile_still_takes_the_next_and_waits_for_nobody() -> None:
    queue = briefing()
    queue.after(60.0)
    assert queue.goes(ANN) == [briefs(BOB)]
    queue.after(60.0)
    assert queue.goes(BOB) == []
    assert queue.after(0.0) == [left(CARL, RoomEnd.NO_ANSWER), Closed()]


def test_a_second_agent_takes_the_next_caller_and_not_the_one_who_is_briefed() -> None:
    queue = briefing()
    assert queue.comes(DORA, taking()) == joined(DORA, BOB)
    assert queue.goes(CARL) == [place(ANN, 1)]


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_too_late_or_for_nobody_changes_nothing() -> None:
    queue = Watched.queue()
    queue.comes(ANN, waiting())
    queue.comes(CARL, taking())
    queue.new()
    assert queue.goes(BOB) == []
    assert queue.hears(Stays(guest=BOB)) == []
    assert queue.comes(DORA, meeting()) == [left(DORA, RoomEnd.INTERNAL_ERROR)]
    queue.goes(ANN)
    assert queue.room.closed
    assert queue.room.guests() == ()
    queue.room.handle(Came(guest=BOB, wish=waiting()), Now(0.0, 0.0))
    queue.room.handle_timer(Now(9e9, 9e9))
    assert queue.room.poll_command() is None


def test_who_asks_again_is_told_where_it_stands_and_nobody_else_is() -> None:
    """After a restart a call repeats its wish, or says that it is still there; its sound may have been lost."""
    queue = briefing()
    for event in (Came(guest=ANN, wish=waiting()), Stays(guest=ANN)):
        assert queue.again(event) == [briefs(ANN)]
    assert queue.again(Stays(guest=BOB)) == [place(BOB, 1)]
    assert queue.again(Came(guest=CARL, wish=taking())) == [place(CARL, None)]
    queue.briefed(ANN)
    for who in (ANN, CARL):
        told = Tell(guest=who, event=RoomJoined(visit=VisitId(1)))
        assert queue.again(Stays(guest=who)) == [Join(a=CARL, b=ANN), told]
    assert queue.log().count("room.entered") == 3


def test_people_see_who_waits_and_who_talks() -> None:
    queue = briefing()
    queue.comes(DORA, taking())
    seen = {each.call: (each.role, each.state, each.position) for each in queue.room.view().guests}
    assert seen == {
        ANN.call: ("caller", "briefing", None),
        BOB.call: ("caller", "talking", None),
        CARL.call: ("agent", "briefing", None),
        DORA.call: ("agent", "talking", None),
    }
    assert queue.room.guests() == (ANN, BOB, CARL, DORA)
    queue.goes(CARL)
    assert queue.room.view().guests[0].position == 1


def test_the_log_says_who_was_taken_by_whom_and_after_how_long() -> None:
    queue = Watched.queue()
    queue.comes(ANN, waiting())
    queue.after(42.0)
    queue.comes(CARL, taking())
    queue.goes(CARL)
    assert queue.log() == [
        "room.entered", "room.entered", "queue.taken", "queue.joined", "room.left", "room.left", "room.closed",
    ]  # fmt: skip
    (taken,) = [each.data for each in queue.said if getattr(each, "kind", "") == "queue.taken"]
    assert taken == {"call": ANN.call, "leg": 0, "by": CARL.call, "waited_s": 42}


def test_a_wall_clock_that_is_set_makes_nobody_wait_longer() -> None:
    queue = Watched.queue().room
    queue.handle(Came(guest=ANN, wish=waiting()), Now(0.0, 7200.0))
    queue.handle(Came(guest=CARL, wish=taking()), Now(42.0, 42.0))
    said = [queue.poll_command() for _ in range(10)]
    (taken,) = [each.data for each in said if isinstance(each, RoomNote) and each.kind == "queue.taken"]
    assert taken["waited_s"] == 42


def test_an_export_is_of_this_version_and_holds_together() -> None:
    queue = briefing()
    now = Now(0.0, 0.0)
    data = queue.room.export(now)
    with pytest.raises(NotOurExport, match="version 2"):
        QueueRoom.restore(data | {"version": 2}, now)
    with pytest.raises(NotOurExport, match="hold together"):
        QueueRoom.restore(data | {"state": {}}, now)
    queue.room.handle(Came(guest=DORA, wish=waiting()), now)
    with pytest.raises(RuntimeError, match="polled"):
        queue.room.export(now)


# ── in any order ─────────────────────────────────────────────────────────────────────────────────────────────────────

CALLERS, AGENTS = [guest(number) for number in (1, 2, 3)], [guest(number) for number in (4, 5)]
WISHES = st.builds(
    taking,
    briefing=st.sampled_from([None, BRIEFING]),
    timeout_s=st.sampled_from([0.0, 30.0]),
    time_limit_s=st.sampled_from([None, 60.0]),
)
ACTS = st.one_of(
    st.builds(lambda who: lambda q: come(q, who, waiting()), st.sampled_from(CALLERS)),
    st.builds(lambda who, wish: lambda q: come(q, who, wish), st.sampled_from(AGENTS), WISHES),
    st.builds(lambda who: lambda q: q.goes(who), st.sampled_from(CALLERS + AGENTS)),
    st.builds(lambda who: lambda q: q.briefed(who), st.sampled_from(CALLERS)),
    st.builds(lambda seconds: lambda q: q.after(seconds), st.sampled_from([0.0, 30.0, 121.0])),
    st.builds(lambda who: lambda q: q.again(Stays(guest=who)), st.sampled_from(CALLERS + AGENTS)),
)


def come(queue: Watched, who: Guest, wish: object) -> None:
    """A guest comes once: another visit of the same party has another number."""
    if who not in queue.there | queue.let_go.keys():
        queue.comes(who, wish)  # type: ignore[arg-type]


@given(st.lists(ACTS, max_size=30))
def test_whatever_happens_nobody_waits_beside_a_free_agent_and_all_come_out(
    acts: list[Callable[[Watched], None]],
) -> None:
    """`Watched` checks each word and every restore; the rules that hold at every moment are looked at here."""
    queue = Watched.queue()
    for act in acts:
        if queue.room.closed:
            break
        act(queue)
        guests = queue.room.view().guests
        idle = [each for each in guests if each.role == "agent" and each.state == "waiting"]
        waits = [each for each in guests if each.role == "caller" and each.state == "waiting"]
        assert not (idle and waits), "somebody waits beside an agent who is free"
        assert [each.position for each in waits] == list(range(1, len(waits) + 1))
        assert {each.call for each in guests if each.state == "talking"} == {
            each.call for pair in queue.joined for each in pair
        }
        assert set(queue.room.guests()) == queue.there
    queue.after(3 * STAY_MAX_S)
    assert queue.there == set()
    assert queue.room.poll_deadline() is None
    assert queue.room.closed or not queue.said
