"""Timer values of RFC 3261 table 4, and the queue of deadlines."""

from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.timers import SWEEP_ABOVE_ENTRIES, Owner, Timers, TimerValues

S = Owner.SESSION


def test_table_4_defaults() -> None:
    values = TimerValues()
    assert (values.t1, values.t2, values.t4, values.patience) == (0.5, 4.0, 5.0, 32.0)


def test_the_earliest_comes_first_and_equal_ones_in_the_order_they_were_set() -> None:
    timers = Timers()
    timers.set(S, "a", "late", 9.0)
    timers.set(S, "b", "first", 5.0)
    timers.set(S, "c", "second", 5.0)
    assert timers.next() == 5.0
    assert [timers.pop_due(9.0) for _ in range(4)] == [
        (S, "b", "first"),
        (S, "c", "second"),
        (S, "a", "late"),
        None,
    ]


def test_nothing_is_due_before_its_time() -> None:
    timers = Timers()
    timers.set(S, "a", "x", 5.0)
    assert timers.pop_due(4.999) is None
    assert timers.is_set(S, "a", "x")
    assert timers.pop_due(5.0) == (S, "a", "x")
    assert not timers.is_set(S, "a", "x")


def test_setting_again_moves_a_deadline() -> None:
    timers = Timers()
    timers.set(S, "a", "x", 5.0)
    timers.set(S, "a", "x", 7.0)
    assert timers.next() == 7.0
    assert len(timers) == 1
    timers.set(S, "a", "x", 6.0)
    assert timers.pop_due(6.5) == (S, "a", "x")
    assert timers.next() is None


def test_cancelled_is_forgotten_and_cancelling_twice_is_fine() -> None:
    timers = Timers()
    timers.set(S, "a", "x", 5.0)
    timers.cancel(S, "a", "x")
    timers.cancel(S, "a", "x")
    assert timers.next() is None
    assert timers.pop_due(99.0) is None


def test_dead_entries_do_not_pile_up() -> None:
    timers = Timers()
    for number in range(3 * SWEEP_ABOVE_ENTRIES):
        timers.set(S, "a", "x", float(number))
    assert len(timers._heap) <= SWEEP_ABOVE_ENTRIES + 1
    assert timers.next() == float(3 * SWEEP_ABOVE_ENTRIES - 1)


@given(
    st.lists(
        st.tuples(st.sampled_from(["set", "cancel", "pop"]), st.sampled_from("abc"), st.floats(0, 100)),
        max_size=60,
    )
)
def test_it_does_what_a_plain_table_would(steps: list[tuple[str, str, float]]) -> None:
    timers, model = Timers(), dict[str, float]()
    for what, ident, at in steps:
        if what == "set":
            timers.set(S, ident, "x", at)
            model[ident] = at
        elif what == "cancel":
            timers.cancel(S, ident, "x")
            model.pop(ident, None)
        else:
            popped = timers.pop_due(at)
            least = min(model.values(), default=None)
            if least is None or least > at:
                assert popped is None
            else:
                assert popped is not None
                assert model.pop(popped[1]) == least
        assert timers.next() == min(model.values(), default=None)
        assert sorted(at for _, at in timers.items()) == sorted(model.values())
