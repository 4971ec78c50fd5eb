"""All rooms of a server: two calls meet in one, two customers never do, and nothing of it outlives its calls."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from tests.support.engine_line import Line

from offhook.call.commands import (
    CallerBriefed,
    EnterConference,
    EnterQueue,
    LeaveRoom,
    LegId,
    StayInRoom,
    TakeCaller,
    VisitId,
)
from offhook.call.events import (
    Event,
    RoomBeeped,
    RoomBriefs,
    RoomEnd,
    RoomJoined,
    RoomLeft,
    RoomWaits,
)
from offhook.call.room import RoomKind, RoomName
from offhook.flow.document import Document
from offhook.flow.errors import NotOurExport
from offhook.flow.verbs import Beeps
from offhook.flow.view import CallId
from offhook.media import commands as engine
from offhook.runtime.media_legs import MediaLeg, MediaLegs
from offhook.runtime.rooms import Rooms

TURNS_MAX = 200
LEG, V = LegId(0), VisitId(1)


@dataclass(eq=False)
class Somebody:
    """A call of one party, as rooms see it."""

    id: CallId
    media: MediaLegs
    account: str = "u1"
    heard: list[Event] = field(default_factory=list)
    sound: MediaLeg | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.sound = self.media.open(LEG, self.post, on_open=lambda _: None, on_lost=lambda _: None)

    def post(self, event: Event) -> None:
        self.heard.append(event)
        self.news.set()

    def sound_of(self, leg: LegId) -> MediaLeg | None:
        return self.sound

    @property
    def session(self) -> engine.SessionId:
        assert self.sound is not None
        return self.sound.session

    def kinds(self) -> list[str]:
        return [type(each).__name__ for each in self.heard]


class Hotel:
    """A server's rooms, on an engine that takes everything."""

    def __init__(self) -> None:
        self.line = Line()
        self.media = MediaLegs(self.line, "127.0.0.1")
        self.line.tell = self.media.handle
        self.rooms = Rooms(media=self.media, loop=asyncio.get_running_loop())
        self._calls = 0

    def somebody(self, account: str = "u1") -> Somebody:
        self._calls += 1
        return Somebody(CallId(f"{self._calls:032x}"), self.media, account)

    def meets(self, who: Somebody, room: str = "r", *, ends: bool = False, muted: bool = False) -> None:
        self.rooms.hear(
            who,
            EnterConference(
                visit=V, leg=LEG, room=room, muted=muted, beeps=Beeps.NONE, starts=True, ends=ends, max_parties=None
            ),
        )

    def waits(self, who: Somebody) -> None:
        self.rooms.hear(who, EnterQueue(visit=V, leg=LEG, queue="q"))

    def takes(self, who: Somebody, briefing: Document | None = None) -> None:
        self.rooms.hear(
            who, TakeCaller(visit=V, leg=LEG, queue="q", briefing=briefing, timeout_s=30.0, time_limit_s=None)
        )

    def leaves(self, who: Somebody) -> None:
        self.rooms.hear(who, LeaveRoom(visit=V))

    async def until(self, done: Callable[[], object]) -> None:
        """In so many turns of the loop: nothing here takes time."""
        for _ in range(TURNS_MAX):
            if done():
                return
            await asyncio.sleep(0)
        raise AssertionError("it has not come to that")

    async def is_empty(self) -> None:
        await self.until(lambda: self.rooms.counts() == {"rooms": 0, "guests": 0, "visits": 0})


@pytest.fixture
async def hotel() -> Hotel:
    return Hotel()


async def test_two_calls_are_mixed_and_unmixed(hotel: Hotel) -> None:
    ann, bob = hotel.somebody(), hotel.somebody()
    hotel.meets(ann)
    hotel.meets(bob, muted=True)
    await hotel.until(lambda: bob.kinds() == ["RoomJoined"])
    assert ann.kinds() == ["RoomWaits", "RoomJoined"]
    first, second = hotel.line.all(engine.JoinMix)
    assert (first.session, first.muted) == (ann.session, False)
    assert (second.session, second.muted) == (bob.session, True)
    assert first.mix == second.mix
    hotel.leaves(ann)
    await hotel.until(lambda: hotel.line.all(engine.LeaveMix))
    assert hotel.line.last(engine.LeaveMix) == engine.LeaveMix(mix=first.mix, session=ann.session)
    hotel.leaves(bob)
    await hotel.is_empty()
    assert len(ann.heard) == 2, "who leaves is told nothing more"


async def test_two_customers_never_meet(hotel: Hotel) -> None:
    ann, bob = hotel.somebody("u1"), hotel.somebody("u2")
    hotel.meets(ann)
    hotel.meets(bob)
    await hotel.until(lambda: ann.heard and bob.heard)
    assert ann.heard == bob.heard == [RoomWaits(visit=V, position=None)]
    assert [each.room.account for each in hotel.rooms.views()] == ["u1", "u2"]
    assert [each.room.account for each in hotel.rooms.views("u2")] == ["u2"]


async def test_a_conference_and_a_queue_of_one_name_are_two_rooms(hotel: Hotel) -> None:
    ann, bob = hotel.somebody(), hotel.somebody()
    hotel.meets(ann, "q")
    hotel.waits(bob)
    await hotel.until(lambda: ann.heard and bob.heard)
    assert [each.room.kind for each in hotel.rooms.views()] == [RoomKind.CONFERENCE, RoomKind.QUEUE]


async def test_a_caller_and_an_agent_are_bridged_and_parted(hotel: Hotel) -> None:
    caller, agent = hotel.somebody(), hotel.somebody()
    hotel.waits(caller)
    hotel.takes(agent)
    await hotel.until(lambda: agent.heard)
    assert hotel.line.all(engine.Bridge) == [engine.Bridge(a=agent.session, b=caller.session)]
    assert caller.heard == [RoomWaits(visit=V, position=1), RoomJoined(visit=V)]
    hotel.leaves(agent)
    await hotel.until(lambda: len(caller.heard) == 3)
    assert caller.heard[2] == RoomLeft(visit=V, why=RoomEnd.OVER)
    assert hotel.line.all(engine.Unbridge) == [engine.Unbridge(a=agent.session, b=caller.session)]
    await hotel.is_empty()


async def test_a_briefing_goes_to_the_caller_and_its_end_to_the_queue(hotel: Hotel) -> None:
    caller, agent = hotel.somebody(), hotel.somebody()
    document = Document(url="https://app.example/briefing")
    hotel.waits(caller)
    hotel.takes(agent, document)
    await hotel.until(lambda: RoomBriefs(visit=V, document=document) in caller.heard)
    assert hotel.line.all(engine.Bridge) == []
    hotel.rooms.hear(caller, CallerBriefed(visit=V))
    await hotel.until(lambda: hotel.line.all(engine.Bridge))


async def test_a_call_that_is_over_is_in_no_room_any_longer(hotel: Hotel) -> None:
    caller, agent = hotel.somebody(), hotel.somebody()
    hotel.waits(caller)
    hotel.takes(agent)
    await hotel.until(lambda: agent.heard)
    assert caller.sound is not None
    hotel.media.close(caller.sound)
    hotel.rooms.forget(caller)
    await hotel.until(lambda: RoomLeft(visit=V, why=RoomEnd.OVER) in agent.heard)
    assert hotel.line.all(engine.Unbridge) == [], "a session that is gone has left its bridge by itself"
    await hotel.is_empty()


async def test_who_has_no_sound_is_told_all_the_same(hotel: Hotel) -> None:
    ann, bob = hotel.somebody(), hotel.somebody()
    ann.sound = None
    hotel.meets(ann)
    hotel.meets(bob)
    await hotel.until(lambda: ann.kinds() == ["RoomWaits", "RoomJoined"])
    assert [each.session for each in hotel.line.all(engine.JoinMix)] == [bob.session]
    hotel.rooms.forget(ann)
    hotel.rooms.forget(bob)
    await hotel.is_empty()
    hotel.waits(ann)
    hotel.takes(bob)
    await hotel.until(lambda: "RoomJoined" in bob.kinds()[1:])
    hotel.rooms.forget(ann)
    hotel.rooms.forget(bob)
    await hotel.is_empty()
    assert hotel.line.all(engine.Bridge) == hotel.line.all(engine.Unbridge) == []


async def test_who_comes_while_a_room_closes_comes_to_a_new_one(hotel: Hotel) -> None:
    ann, bob, carl = hotel.somebody(), hotel.somebody(), hotel.somebody()
    hotel.meets(ann)
    hotel.leaves(ann)
    hotel.meets(bob)
    hotel.meets(carl)
    hotel.leaves(carl)
    await hotel.until(lambda: bob.heard)
    (room,) = hotel.rooms.views()
    assert [each.call for each in room.guests] == [bob.id]
    assert carl.heard == [], "who has left again is not brought back"
    hotel.rooms.forget(bob)
    await hotel.is_empty()


async def test_a_guest_that_is_gone_is_forgotten_while_the_room_lives(hotel: Hotel) -> None:
    ann, bob = hotel.somebody(), hotel.somebody()
    hotel.meets(ann)
    hotel.meets(bob)
    hotel.leaves(bob)
    await hotel.until(lambda: hotel.rooms.counts() == {"rooms": 1, "guests": 1, "visits": 1})


async def test_who_ends_a_conference_lets_go_of_the_visits_of_all(hotel: Hotel) -> None:
    ann, bob = hotel.somebody(), hotel.somebody()
    hotel.meets(ann)
    hotel.meets(bob, ends=True)
    hotel.leaves(bob)
    await hotel.until(lambda: RoomLeft(visit=V, why=RoomEnd.OVER) in ann.heard)
    await hotel.is_empty()
    hotel.leaves(ann)
    hotel.rooms.hear(ann, CallerBriefed(visit=V))
    await hotel.is_empty()


async def test_a_room_has_a_log_of_its_own(hotel: Hotel) -> None:
    ann = hotel.somebody()
    hotel.meets(ann)
    await hotel.until(lambda: ann.heard)
    name = RoomName(account="u1", kind=RoomKind.CONFERENCE, name="r")
    (entry,) = hotel.rooms.entries(name)
    assert (entry.kind, entry.data["call"]) == ("room.entered", ann.id)
    assert hotel.rooms.entries(RoomName(account="u2", kind=RoomKind.CONFERENCE, name="r")) == ()


@pytest.mark.parametrize("kind", [RoomKind.CONFERENCE, RoomKind.QUEUE])
async def test_a_fault_in_a_room_lets_everybody_go_and_the_next_room_is_whole(
    hotel: Hotel, kind: RoomKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann, bob = hotel.somebody(), hotel.somebody()
    if kind is RoomKind.CONFERENCE:
        hotel.meets(ann)
        hotel.meets(bob)
    else:
        hotel.waits(ann)
        hotel.takes(bob)
    await hotel.until(lambda: RoomJoined(visit=V) in bob.heard)

    def fault(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    (room,) = hotel.rooms._live.values()
    monkeypatch.setattr(type(room.task.room), "handle", fault)
    carl = hotel.somebody()
    hotel.meets(carl) if kind is RoomKind.CONFERENCE else hotel.waits(carl)
    gone = RoomLeft(visit=V, why=RoomEnd.INTERNAL_ERROR)
    await hotel.until(lambda: gone in ann.heard and gone in bob.heard and gone in carl.heard)
    await hotel.is_empty()
    left = hotel.line.all(engine.LeaveMix) if kind is RoomKind.CONFERENCE else hotel.line.all(engine.Unbridge)
    assert left, "nobody hears the others any longer"
    monkeypatch.undo()
    dora = hotel.somebody()
    hotel.meets(dora)
    await hotel.until(lambda: dora.kinds() == ["RoomWaits"])


async def test_tones_reach_the_calls(hotel: Hotel) -> None:
    ann, bob = hotel.somebody(), hotel.somebody()
    hotel.meets(ann)
    hotel.rooms.hear(
        bob,
        EnterConference(
            visit=V, leg=LEG, room="r", muted=False, beeps=Beeps.BOTH, starts=True, ends=False, max_parties=None
        ),
    )
    await hotel.until(lambda: RoomBeeped(visit=V, coming=True) in ann.heard)


# ── after a restart ──────────────────────────────────────────────────────────────────────────────────────────────────


async def again(before: Hotel) -> Hotel:
    """Another process, on the same engine, with the rooms of the one before written down and read again."""
    written = [json.loads(json.dumps(room.export())) for room in before.rooms._live.values()]
    after = Hotel()
    for data in written:
        after.rooms.restore(data)
    return after


def lives_on(who: Somebody, hotel: Hotel) -> Somebody:
    """The same call in the next process."""
    return Somebody(who.id, hotel.media, who.account)


async def test_a_conference_outlives_a_restart_and_who_does_not_is_gone(hotel: Hotel) -> None:
    ann, bob, carl = hotel.somebody(), hotel.somebody(), hotel.somebody()
    for who in (ann, bob, carl):
        hotel.meets(who)
    await hotel.until(lambda: carl.heard)
    after = await again(hotel)
    ann, bob = lives_on(ann, after), lives_on(bob, after)
    after.rooms.hear(ann, StayInRoom(visit=V, leg=LegId(0)))
    # Of the other call's joining nothing was written down: it repeats its wish.
    after.meets(bob)
    after.rooms.restored()
    await after.until(lambda: ann.heard and bob.heard)
    assert ann.heard == bob.heard == [RoomJoined(visit=V)]
    assert {each.session for each in after.line.all(engine.JoinMix)} == {ann.session, bob.session}
    assert {each.mix for each in after.line.all(engine.JoinMix)} == {hotel.line.last(engine.JoinMix).mix}
    (room,) = after.rooms.views()
    assert [each.call for each in room.guests] == [ann.id, bob.id]
    after.leaves(ann)
    after.leaves(bob)
    await after.is_empty()


async def test_two_who_talk_outlive_a_restart_and_one_whose_call_did_not_lets_the_other_go(hotel: Hotel) -> None:
    caller, agent = hotel.somebody(), hotel.somebody()
    hotel.waits(caller)
    hotel.takes(agent)
    await hotel.until(lambda: agent.heard)
    after = await again(hotel)
    caller = lives_on(caller, after)
    after.rooms.hear(caller, StayInRoom(visit=V, leg=LegId(0)))
    after.rooms.restored()
    await after.until(lambda: RoomLeft(visit=V, why=RoomEnd.OVER) in caller.heard)
    await after.is_empty()


async def test_who_stays_in_a_room_that_has_let_it_go_is_told_so(hotel: Hotel) -> None:
    ann = hotel.somebody()
    hotel.rooms.hear(ann, StayInRoom(visit=V, leg=LegId(0)))
    assert ann.heard == [RoomLeft(visit=V, why=RoomEnd.OVER)]


async def test_the_deadlines_of_a_restored_room_are_kept(hotel: Hotel) -> None:
    agent = hotel.somebody()
    hotel.rooms.hear(agent, TakeCaller(visit=V, leg=LEG, queue="q", briefing=None, timeout_s=0.05, time_limit_s=None))
    await hotel.until(lambda: agent.heard)
    after = await again(hotel)
    agent = lives_on(agent, after)
    after.rooms.hear(agent, TakeCaller(visit=V, leg=LEG, queue="q", briefing=None, timeout_s=0.05, time_limit_s=None))
    after.rooms.restored()
    async with asyncio.timeout(5.0):
        while RoomLeft(visit=V, why=RoomEnd.NO_ANSWER) not in agent.heard:
            await agent.news.wait()
            agent.news.clear()


async def test_every_change_of_a_room_and_its_end_are_told(hotel: Hotel) -> None:
    seen: list[tuple[int, bool]] = []
    hotel.rooms.on_change = lambda room: seen.append((len(room.task.room.guests()), room.task.over))
    ann = hotel.somebody()
    hotel.meets(ann)
    await hotel.until(lambda: ann.heard)
    hotel.leaves(ann)
    await hotel.is_empty()
    assert seen == [(1, False), (0, True)]


@pytest.mark.parametrize("broken", [{}, {"account": "u1", "kind": "sauna", "name": "r", "mix": 1, "room": {}}])
async def test_what_is_no_room_is_refused(hotel: Hotel, broken: dict[str, object]) -> None:
    with pytest.raises(NotOurExport):
        hotel.rooms.restore(broken)


async def test_who_stays_in_a_room_of_which_nothing_is_known_hears_nobody_any_longer(hotel: Hotel) -> None:
    ann, bob = hotel.somebody(), hotel.somebody()
    hotel.meets(ann)
    hotel.meets(bob)
    await hotel.until(lambda: RoomJoined(visit=V) in bob.heard)
    mix = hotel.line.last(engine.JoinMix).mix
    other = Rooms(media=hotel.media, loop=asyncio.get_running_loop())
    other.hear(ann, StayInRoom(visit=V, leg=LEG))
    assert hotel.line.all(engine.LeaveMix) == [engine.LeaveMix(mix=mix, session=ann.session)]
    assert ann.heard[-1] == RoomLeft(visit=V, why=RoomEnd.OVER)


async def test_who_talked_with_one_that_a_restart_sent_back_is_parted_from_it(hotel: Hotel) -> None:
    caller, agent = hotel.somebody(), hotel.somebody()
    hotel.waits(caller)
    hotel.takes(agent)
    await hotel.until(lambda: agent.heard)
    (written,) = (json.loads(json.dumps(room.export())) for room in hotel.rooms._live.values())
    other = Rooms(media=hotel.media, loop=asyncio.get_running_loop())
    other.restore(written)
    other.hear(caller, StayInRoom(visit=V, leg=LEG))
    other.restored()
    await hotel.until(lambda: RoomLeft(visit=V, why=RoomEnd.OVER) in caller.heard)
    assert hotel.line.all(engine.Unbridge), "the agent's call knows nothing of it, and its sound is there"


async def test_the_log_of_a_restored_room_says_so(hotel: Hotel) -> None:
    ann = hotel.somebody()
    hotel.meets(ann)
    await hotel.until(lambda: ann.heard)
    after = await again(hotel)
    (entry,) = after.rooms.entries(RoomName(account="u1", kind=RoomKind.CONFERENCE, name="r"))
    assert (entry.kind, entry.data) == ("room.restored", {"guests": 1})


async def test_what_is_kept_of_a_room_goes_by_no_name_and_ends_with_it(hotel: Hotel) -> None:
    ann = hotel.somebody()
    hotel.meets(ann)
    (room,) = hotel.rooms._live.values()
    await hotel.until(lambda: ann.heard)
    kept = room.facts()
    assert kept is not None
    assert (kept.kind, kept.key, kept.version) == ("room", str(room.mix), 1)
    assert Hotel().rooms.restore(kept.data).name == room.name
    hotel.leaves(ann)
    await hotel.is_empty()
    assert room.facts() is None


async def test_the_calls_whose_visits_begin_are_joined_or_end_are_told(hotel: Hotel) -> None:
    seen: list[str] = []
    ann, bob = hotel.somebody(), hotel.somebody()
    names = {ann.id: "ann", bob.id: "bob"}
    hotel.rooms.on_visit = lambda visitor: seen.append(names[visitor.id])
    hotel.meets(ann)
    await hotel.until(lambda: ann.heard)
    assert seen == ["ann"]
    hotel.meets(bob, ends=True)
    await hotel.until(lambda: bob.heard)
    assert seen == ["ann", "bob", "ann", "bob"]
    hotel.leaves(bob)
    await hotel.is_empty()
    assert seen[4:] == ["bob", "ann"]


async def test_a_room_with_nobody_in_it_is_not_restored(hotel: Hotel) -> None:
    hotel.meets(hotel.somebody())
    (room,) = hotel.rooms._live.values()
    with pytest.raises(NotOurExport, match="nobody"):
        Hotel().rooms.restore(room.export())
