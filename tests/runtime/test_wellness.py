"""Whether the machine is well: the limits, each with the room that is wanted before they are left; and what this
process really uses."""

import contextlib
import os
import resource
from pathlib import Path

import pytest

from offhook.runtime import wellness
from offhook.runtime.wellness import (
    REFUSE_ABOVE_ROWS,
    REFUSE_BELOW_DESCRIPTORS,
    STORAGE_PATIENCE_S,
    TAKE_ABOVE_DESCRIPTORS,
    TAKE_BELOW_ROWS,
    Descriptors,
    Ports,
    Wellness,
    descriptors,
    raise_descriptor_limit,
)
from offhook.storage.writer import WriterHealth

MOST = 1024


class Told:
    """A writer and a process that fare as they are told."""

    def __init__(self) -> None:
        self.pending = 0
        self.failing_since: float | None = None
        self.left: int | None = MOST // 2
        self.ports = Ports(0, 200)
        self.wellness = Wellness(self, self.descriptors, lambda: self.ports)

    def health(self) -> WriterHealth:
        return WriterHealth(
            pending=self.pending, failing_since=self.failing_since, error="disk full", dropped=0, committed=0, groups=0
        )

    def descriptors(self) -> Descriptors | None:
        return None if self.left is None else Descriptors(MOST - self.left, MOST)


def test_all_is_well() -> None:
    assert Told().wellness.complaint(100.0) is None


def test_storage_that_fails_for_a_moment_is_waited_for() -> None:
    told = Told()
    told.failing_since, told.pending = 100.0, 7
    assert told.wellness.complaint(100.0 + STORAGE_PATIENCE_S - 0.01) is None
    why = told.wellness.complaint(100.0 + STORAGE_PATIENCE_S)
    assert why == "storage cannot write (disk full); 7 rows wait in memory"
    told.failing_since = None
    assert told.wellness.complaint(200.0) is None


def test_what_waits_in_memory_has_a_bound() -> None:
    told = Told()
    told.pending = REFUSE_ABOVE_ROWS
    assert told.wellness.complaint(0.0) is None
    told.pending += 1
    assert "too slow" in (told.wellness.complaint(0.0) or "")
    told.pending = TAKE_BELOW_ROWS + 1
    assert told.wellness.complaint(0.0) is not None
    told.pending = TAKE_BELOW_ROWS
    assert told.wellness.complaint(0.0) is None


def test_descriptors_are_kept_for_running_calls() -> None:
    told = Told()
    told.left = REFUSE_BELOW_DESCRIPTORS
    assert told.wellness.complaint(0.0) is None
    told.left -= 1
    assert told.wellness.complaint(0.0) == "only 63 of 1024 file descriptors are left; raise the limit (ulimit -n)"
    told.left = TAKE_ABOVE_DESCRIPTORS - 1
    assert told.wellness.complaint(0.0) is not None
    told.left = TAKE_ABOVE_DESCRIPTORS
    assert told.wellness.complaint(0.0) is None
    told.left = None
    assert told.wellness.complaint(0.0) is None


def test_what_this_process_uses() -> None:
    before = descriptors()
    assert before is not None
    assert before.most == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    more = [os.open("/dev/null", os.O_RDONLY) for _ in range(10)]
    after = descriptors()
    assert after is not None
    assert after.used - before.used == 10
    assert after.left == after.most - after.used
    for each in more:
        os.close(each)


def test_a_process_without_a_single_one_left_says_so() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        with contextlib.suppress(OSError):
            while len(taken) < 256:
                taken.append(os.open("/dev/null", os.O_RDONLY))
        found = descriptors()
    finally:
        for each in taken:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found is not None
    assert found.left == 0


def test_a_twentieth_of_the_ports_is_kept_for_running_calls() -> None:
    told = Told()
    told.ports = Ports(190, 200)
    assert told.wellness.complaint(1.0) is None
    told.ports = Ports(191, 200)
    assert told.wellness.complaint(1.0) == "191 of 200 pairs of RTP ports are in use; widen rtp_ports"
    told.ports = Ports(181, 200)
    assert told.wellness.complaint(1.0), "until there is room for some"
    told.ports = Ports(180, 200)
    assert told.wellness.complaint(1.0) is None


def test_of_few_ports_none_is_kept_back() -> None:
    told = Told()
    told.ports = Ports(1, 2)
    assert told.wellness.complaint(1.0) is None
    told.ports = Ports(2, 2)
    assert told.wellness.complaint(1.0)
    told.ports = Ports(1, 2)
    assert told.wellness.complaint(1.0) is None


def test_ports_that_nobody_counts() -> None:
    told = Told()
    assert Wellness(told, told.descriptors).complaint(1.0) is None


def test_a_system_that_does_not_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wellness, "FOLDER", str(tmp_path / "none"))
    assert descriptors() is None


def test_the_limit_is_raised_as_far_as_it_may_be() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        raised = raise_descriptor_limit()
        assert raised == resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 512
        assert raise_descriptor_limit() == raised
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
