"""What is owed: order within a lane, patience, independence of lanes, and going on after a restart."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.hooks.delivery import (
    MAX_UNDER_WAY_PER_ACCOUNT,
    MAX_UNDER_WAY_PER_RECEIVER,
    Dead,
    Delivered,
    Deliveries,
    DeliveryEvent,
    Now,
    Postponed,
    Send,
    Turn,
    plain_delivery,
    revived,
)
from offhook.hooks.errors import HookCause, HookFailure
from offhook.hooks.policy import DIDFORSALE, ELKS, GROWING, DeliveryPolicy, Listed
from offhook.hooks.request import Purpose, WebhookRequest

REFUSED = HookFailure(cause=HookCause.REFUSED, detail="x")
WALL = 1_700_000_000.0


def at(seconds: float) -> Now:
    return Now(mono=50 + seconds, wall=WALL + seconds)


def owed(name: str, *, call: str = "c1", url: str = "https://one/hook", account: str = "") -> WebhookRequest:
    return WebhookRequest(id=name, purpose=Purpose.OWED, call=call, url=url, account=account)


def sends(machine: Deliveries) -> list[str]:
    found = []
    while (send := machine.poll()) is not None:
        found.append(send.request.id)
    return found


def events(machine: Deliveries) -> list[DeliveryEvent]:
    found = []
    while (event := machine.poll_event()) is not None:
        found.append(event)
    return found


def test_delivered_at_once() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), ELKS, at(0))
    assert machine.poll() == Send(request=owed("a"), number=1)
    assert machine.poll() is None
    assert "a" in machine
    machine.delivered("a", 204, at(1))
    assert events(machine) == [Delivered(request=owed("a"), tries=1, status=204)]
    assert len(machine) == 0
    assert machine.poll_deadline() is None


def test_the_same_request_is_owed_once() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), ELKS, at(0))
    machine.owe(owed("a"), ELKS, at(0))
    assert sends(machine) == ["a"]
    assert len(machine) == 1


def test_order_within_a_call_and_receiver() -> None:
    machine = Deliveries()
    for name in ("first", "second", "third"):
        machine.owe(owed(name, url=f"https://one/{name}"), ELKS, at(0))
    assert sends(machine) == ["first"]
    machine.failed("first", REFUSED, at(1), 0.0)
    assert sends(machine) == []
    assert machine.poll_deadline() == at(301).mono
    machine.handle_timer(at(300))
    assert sends(machine) == []
    machine.handle_timer(at(301))
    assert machine.poll() == Send(request=owed("first", url="https://one/first"), number=2)
    machine.delivered("first", 200, at(302))
    assert sends(machine) == ["second"]
    machine.delivered("second", 200, at(303))
    assert sends(machine) == ["third"]


def test_whether_a_call_is_owed_anything() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), ELKS, at(0))
    assert machine.owes("c1")
    assert not machine.owes("c2")
    machine.failed(sends(machine)[0], REFUSED, at(1), 0.0)
    assert machine.owes("c1"), "what is tried again is still owed"
    machine.handle_timer(at(301))
    machine.delivered(sends(machine)[0], 200, at(302))
    assert not machine.owes("c1")


@pytest.mark.parametrize(
    "other",
    [
        owed("b", call="c2"),
        owed("b", url="https://two/hook"),
        owed("b", url="http://one/hook"),
        owed("b", url="https://one:444/hook"),
    ],
)
def test_lanes_do_not_wait_for_each_other(other: WebhookRequest) -> None:
    machine = Deliveries()
    machine.owe(owed("a"), ELKS, at(0))
    machine.owe(other, ELKS, at(0))
    assert sends(machine) == ["a", "b"]


def test_outside_calls_nothing_waits() -> None:
    machine = Deliveries()
    machine.owe(owed("a", call=""), ELKS, at(0))
    machine.owe(owed("b", call=""), ELKS, at(0))
    assert sends(machine) == ["a", "b"]


def test_the_dead_are_overtaken() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), DIDFORSALE, at(0))
    machine.owe(owed("b"), DIDFORSALE, at(0))
    for seconds in (0.0, 5.0, 65.0):
        machine.handle_timer(at(seconds))
        assert sends(machine) == ["a"]
        machine.failed("a", REFUSED, at(seconds), 0.0)
    assert events(machine) == [
        Postponed(request=owed("a"), tries=1, failure=REFUSED, next_wall=WALL + 5),
        Postponed(request=owed("a"), tries=2, failure=REFUSED, next_wall=WALL + 65),
        Dead(request=owed("a"), tries=3, failure=REFUSED),
    ]
    assert sends(machine) == ["b"]


def test_46elks_gives_up_after_a_day() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), ELKS, at(0))
    tries = 0
    while (deadline := machine.poll_deadline()) is not None or machine.poll() is not None:
        now = at(0) if deadline is None else Now(mono=deadline, wall=WALL + deadline - 50)
        machine.handle_timer(now)
        if deadline is not None:
            assert sends(machine) == ["a"]
        tries += 1
        machine.failed("a", REFUSED, now, 0.0)
    assert tries == 289
    assert isinstance(events(machine)[-1], Dead)


def test_chance_shortens_a_growing_pause() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), GROWING, at(0))
    machine.poll()
    machine.failed("a", REFUSED, at(0), 0.8)
    assert machine.poll_deadline() == at(8).mono


def test_a_url_that_cannot_be_asked_is_dead_at_once() -> None:
    machine = Deliveries()
    machine.owe(owed("a", url="nowhere"), ELKS, at(0))
    (dead,) = events(machine)
    assert isinstance(dead, Dead)
    assert dead.failure.cause is HookCause.URL
    assert len(machine) == 0


def test_one_receiver_has_so_many_at_a_time_and_others_never_notice() -> None:
    machine = Deliveries()
    for number in range(MAX_UNDER_WAY_PER_RECEIVER + 5):
        machine.owe(owed(f"a{number}", call=f"c{number}"), ELKS, at(0))
    machine.owe(owed("b", call="c0", url="https://two/"), ELKS, at(0))
    started = sends(machine)
    assert len(started) == MAX_UNDER_WAY_PER_RECEIVER + 1
    assert started[-1] == "b"
    machine.failed("a3", REFUSED, at(1), 0.0)
    assert sends(machine) == [f"a{MAX_UNDER_WAY_PER_RECEIVER}"]
    machine.delivered("a0", 200, at(2))
    assert sends(machine) == [f"a{MAX_UNDER_WAY_PER_RECEIVER + 1}"]


def test_another_account_at_the_same_receiver_has_a_share_of_its_own() -> None:
    machine = Deliveries()
    for number in range(MAX_UNDER_WAY_PER_RECEIVER + 5):
        machine.owe(owed(f"a{number}", call=f"c{number}", account="u1"), ELKS, at(0))
    machine.owe(owed("b", call="d", account="u2"), ELKS, at(0))
    assert sends(machine)[-1] == "b"


def test_an_account_has_so_many_at_a_time_and_its_receivers_take_turns() -> None:
    machine = Deliveries()
    receivers = MAX_UNDER_WAY_PER_ACCOUNT // MAX_UNDER_WAY_PER_RECEIVER + 2
    for number in range(MAX_UNDER_WAY_PER_RECEIVER):
        for who in range(receivers):
            name = f"r{who}-{number}"
            machine.owe(owed(name, call=name, url=f"https://r{who}/", account="u1"), ELKS, at(0))
    started = sends(machine)
    assert len(started) == MAX_UNDER_WAY_PER_ACCOUNT
    taken = []
    for name in started:
        machine.delivered(name, 200, at(1))
        taken += sends(machine)
    assert len(taken) == MAX_UNDER_WAY_PER_RECEIVER * receivers - len(started)
    assert len({name.split("-")[0] for name in taken[:receivers]}) > 2, "in turns, not one receiver after the other"


def test_hurrying_does_not_wait_for_the_pause() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), ELKS, at(0))
    machine.owe(owed("b"), ELKS, at(0))
    assert sends(machine) == ["a"]
    machine.hurry("a", at(1))
    assert sends(machine) == [], "it is under way"
    machine.failed("a", REFUSED, at(1), 0.0)
    machine.hurry("b", at(2))
    assert sends(machine) == ["a"], "what is before it goes first"
    machine.delivered("a", 200, at(3))
    assert sends(machine) == ["b"]
    machine.delivered("b", 200, at(4))
    machine.handle_timer(at(400))
    assert sends(machine) == [], "the timer of the pause means nothing any more"
    with pytest.raises(KeyError):
        machine.hurry("b", at(500))


def test_it_is_known_whether_something_is_tried_now() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), ELKS, at(0))
    machine.owe(owed("b"), ELKS, at(0))
    assert sends(machine) == ["a"]
    assert (machine.turn("a"), machine.turn("b")) == (Turn.NOW, Turn.EARLIER)
    machine.failed("a", REFUSED, at(1), 0.0)
    assert machine.turn("a") is Turn.NOW, "it was, and waits for its next try"
    for number in range(MAX_UNDER_WAY_PER_RECEIVER):
        machine.owe(owed(f"other{number}", call=f"d{number}"), ELKS, at(2))
    assert len(sends(machine)) == MAX_UNDER_WAY_PER_RECEIVER
    machine.hurry("a", at(3))
    assert (machine.turn("a"), machine.turn("b")) == (Turn.OTHERS, Turn.EARLIER)
    machine.delivered("other0", 200, at(4))
    assert (sends(machine), machine.turn("a")) == (["a"], Turn.NOW)
    with pytest.raises(KeyError):
        machine.turn("other0")


def test_a_dead_letter_that_is_revived_begins_anew_under_its_id() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), DIDFORSALE, at(0))
    for seconds in (0.0, 5.0, 65.0):
        machine.handle_timer(at(seconds))
        kept = machine.export_one("a", at(seconds))
        sends(machine)
        machine.failed("a", REFUSED, at(seconds), 0.0)
    assert isinstance(events(machine)[-1], Dead)
    machine.restore_one(json.loads(json.dumps(revived(kept, tries=3, wall=at(100).wall))), at(100))
    machine.handle_timer(at(100))
    assert machine.poll() == Send(request=owed("a"), number=4)
    machine.failed("a", REFUSED, at(101), 0.0)
    assert events(machine) == [Postponed(request=owed("a"), tries=4, failure=REFUSED, next_wall=at(106).wall)]
    assert machine.export_one("a", at(101))["earlier"] == 3


def test_a_clock_that_was_wrong_delays_nothing_for_longer_than_a_pause() -> None:
    data = plain_delivery(owed("a"), ELKS, WALL + 10_000_000)
    machine = Deliveries()
    machine.restore_one(data, at(0))
    assert machine.poll_deadline() == at(300).mono


def test_a_delivery_that_was_never_tried_is_as_it_is_exported() -> None:
    machine = Deliveries()
    machine.owe(owed("first"), ELKS, at(0))
    machine.owe(owed("a", account="u1"), GROWING, at(3))
    assert plain_delivery(owed("a", account="u1"), GROWING, at(3).wall) == machine.export_one("a", at(5))


def test_an_outcome_for_what_is_not_under_way() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), ELKS, at(0))
    machine.owe(owed("b"), ELKS, at(0))
    with pytest.raises(RuntimeError, match="b is not under way"):
        machine.delivered("b", 200, at(0))
    with pytest.raises(KeyError):
        machine.export_one("c", at(0))


def test_pauses_run_on_while_the_program_is_down() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), ELKS, at(0))
    machine.owe(owed("b"), ELKS, at(0))
    machine.poll()
    machine.failed("a", REFUSED, at(0), 0.0)
    data = json.loads(json.dumps(machine.export(at(0))))
    # Another process: its monotonic clock begins anywhere; 100 s have passed.
    later = Now(mono=7, wall=WALL + 100)
    again = Deliveries.restore(data, later)
    again.handle_timer(later)
    assert sends(again) == []
    assert again.poll_deadline() == pytest.approx(207)
    again.handle_timer(Now(mono=207.001, wall=WALL + 300.001))
    send = again.poll()
    assert send is not None
    assert (send.request.id, send.number) == ("a", 2)


def test_what_was_under_way_is_tried_again_and_not_counted() -> None:
    machine = Deliveries()
    machine.owe(owed("a"), ELKS, at(0))
    assert sends(machine) == ["a"]
    one = json.loads(json.dumps(machine.export_one("a", at(1))))
    again = Deliveries()
    again.restore_one(one, at(2))
    again.restore_one(one, at(2))
    again.handle_timer(at(2))
    assert again.poll() == Send(request=owed("a"), number=1)
    assert again.poll() is None


def test_data_from_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match="version 9"):
        Deliveries.restore({"v": 9, "owed": []}, at(0))


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("owe"),
            st.sampled_from(["c1", "c2", ""]),
            st.sampled_from(["https://one/a", "https://one/b", "https://two/", "bad"]),
            st.sampled_from([ELKS, DIDFORSALE, GROWING, Listed(pauses_s=(1.0,))]),
        ),
        st.tuples(st.just("deliver"), st.integers(min_value=0, max_value=9)),
        st.tuples(st.just("fail"), st.integers(min_value=0, max_value=9)),
        st.tuples(st.just("wait"), st.integers(min_value=0, max_value=400)),
    ),
    max_size=40,
)


class Trace:
    """A machine, a pretended clock and receivers; keeps what an outside would see."""

    def __init__(self) -> None:
        self.machine = Deliveries()
        self.seconds = 0.0
        self.count = 0
        self.under_way: list[WebhookRequest] = []
        self.seen: list[object] = []

    def step(self, kind: str, *arguments: object) -> None:
        now = at(self.seconds)
        match kind, arguments:
            case "owe", (str(call), str(url), policy):
                self.count += 1
                self.machine.owe(owed(f"r{self.count}", call=call, url=url), _policy(policy), now)
            case "wait", (int(seconds),):
                self.seconds += seconds
                self.machine.handle_timer(at(self.seconds))
            case _, (int(which),) if self.under_way:
                # By name: which of two lanes goes first when both are due at once is nobody's promise.
                self.under_way.sort(key=lambda one: one.id)
                request = self.under_way.pop(which % len(self.under_way))
                if kind == "deliver":
                    self.machine.delivered(request.id, 200, now)
                else:
                    self.machine.failed(request.id, REFUSED, now, 0.5)
        self.drain()

    def drain(self) -> None:
        while (send := self.machine.poll()) is not None:
            self.under_way.append(send.request)
            self.seen.append(send)
        self.seen.extend(events(self.machine))


def _policy(value: object) -> DeliveryPolicy:
    assert not isinstance(value, str)
    return value  # type: ignore[return-value]


@given(STEPS)
def test_every_lane_keeps_its_order_and_nothing_is_lost(steps: list[tuple[object, ...]]) -> None:
    trace = Trace()
    for kind, *arguments in steps:
        trace.step(str(kind), *arguments)
        lanes = [(one.call, one.url.split("/")[2]) for one in trace.under_way if one.call]
        assert len(lanes) == len(set(lanes))
    ended = [event.request.id for event in trace.seen if isinstance(event, Delivered | Dead)]
    assert len(ended) == len(set(ended))
    assert len(ended) + len(trace.machine) == trace.count
    assert bool(trace.under_way) or trace.machine.poll_deadline() is not None or len(trace.machine) == 0


@given(STEPS, STEPS)
def test_restored_between_tries_it_goes_on_as_the_first_would_have(
    before: list[tuple[object, ...]], after: list[tuple[object, ...]]
) -> None:
    first = Trace()
    for kind, *arguments in before:
        first.step(str(kind), *arguments)
    while first.under_way:
        first.step("fail", 0)
    now = at(first.seconds)
    other = Trace()
    other.machine = Deliveries.restore(json.loads(json.dumps(first.machine.export(now))), now)
    other.seconds, other.count = first.seconds, first.count
    first.seen.clear()
    for kind, *arguments in after:
        first.step(str(kind), *arguments)
        other.step(str(kind), *arguments)
        assert sorted(map(repr, first.seen)) == sorted(map(repr, other.seen))
