"""Virtual time: in order, and first come first served."""

from offhook.testing.clock import Clock


def test_what_is_asked_for_first_goes_first() -> None:
    clock, done = Clock(), list[str]()
    clock.after(2.0, lambda: done.append("late"))
    clock.after(1.0, lambda: done.append("one"))
    clock.after(1.0, lambda: done.append("two"))
    while clock.next is not None:
        clock.step()
    assert done == ["one", "two", "late"]
    assert clock.now == 2.0


def test_what_has_passed_is_done_now() -> None:
    clock, done = Clock(), list[float]()
    clock.now = 5.0
    clock.at(3.0, lambda: done.append(clock.now))
    clock.at(6.5, lambda: done.append(clock.now))
    clock.step()
    clock.step()
    assert done == [5.0, 6.5]
