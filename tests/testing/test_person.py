"""Somebody at a phone: waits for the right moment, and does nothing after leaving."""

from typing import Any

from offhook.call.commands import LegId
from offhook.testing.clock import Clock
from offhook.testing.person import Person
from offhook.testing.scenario import Act, ActKind, When, WhenKind


def somebody(*acts: Act) -> tuple[Person, Clock, list[tuple[float, ActKind, str]]]:
    clock = Clock()
    done: list[tuple[float, ActKind, str]] = []

    def do(_: Person, kind: ActKind, key: str) -> None:
        done.append((round(clock.now, 3), kind, key))

    return Person(LegId(0), "+1", acts, clock, do), clock, done


def run(clock: Clock) -> None:
    while clock.next is not None:
        clock.step()


def act(kind: ActKind, when: When, **more: Any) -> Act:
    return Act(kind=kind, when=when, **more)


def test_keys_are_pressed_one_after_another() -> None:
    person, clock, done = somebody(act(ActKind.PRESSES, When(kind=WhenKind.ANSWERED, seconds=1.0), keys="12"))
    person.answered()
    run(clock)
    assert done == [(1.0, ActKind.PRESSES, "1"), (1.2, ActKind.PRESSES, "2")]


def test_a_sound_may_be_waited_for_the_second_time() -> None:
    person, clock, done = somebody(act(ActKind.HANGS_UP, When(kind=WhenKind.HEARS, sound="a", time=2, seconds=3.0)))
    for sound in ("a", "b"):
        person.hears(sound)
    run(clock)
    assert done == []
    person.hears("a")
    run(clock)
    assert done == [(3.0, ActKind.HANGS_UP, "")]


def test_times_of_the_scenario_need_nothing_to_happen() -> None:
    _, clock, done = somebody(act(ActKind.HOLDS, When(kind=WhenKind.AT, seconds=4.0)))
    run(clock)
    assert done == [(4.0, ActKind.HOLDS, "")]


def test_who_has_left_does_nothing_more() -> None:
    person, clock, done = somebody(
        act(ActKind.PRESSES, When(kind=WhenKind.TALKS), keys="1"), act(ActKind.HANGS_UP, When(kind=WhenKind.RECORDED))
    )
    person.talks()
    clock.step()
    person.gone = True
    person.recorded()
    run(clock)
    assert done == []


def test_speech_is_remembered() -> None:
    person, clock, _ = somebody(act(ActKind.SPEAKS, When(kind=WhenKind.AT, seconds=2.0), seconds=3.0))
    run(clock)
    assert person.voiced(0.0, 10.0) == 3.0
    assert person.voiced(3.0, 4.0) == 1.0
    assert person.voiced(6.0, 9.0) == 0.0
    assert person.silent_since(1.0) == 5.0
    assert person.silent_since(7.0) == 7.0
