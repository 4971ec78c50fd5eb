"""Whether the machine is well: the limits, each with the room that is wanted before they are left; and what this
process really uses."""

import contextlib
import os
import resource
import subprocess
from pathlib import Path

import pytest

from offhook.runtime import wellness
from offhook.runtime.wellness import (
    REFUSE_ABOVE_ROWS,
    REFUSE_BELOW_DESCRIPTORS,
    STORAGE_PATIENCE_S,
    TAKE_ABOVE_DESCRIPTORS,
    TAKE_BELOW_ROWS,
    WATCH_BELOW_DESCRIPTORS,
    Ailment,
    Descriptors,
    Ports,
    Wellness,
    descriptors,
    raise_descriptor_limit,
    share,
    tightest,
)
from offhook.storage.writer import WriterHealth

MOST = 1024


class Told:
    """A writer and a process that fare as they are told."""

    def __init__(self) -> None:
        self.pending = 0
        self.trying_since: float | None = None
        self.error = ""
        self.left: int | None = MOST // 2
        self.ports = Ports(0, 200)
        self.wellness = Wellness(self, self.descriptors, lambda: self.ports)

    def health(self) -> WriterHealth:
        return WriterHealth(
            pending=self.pending,
            failing_since=None,
            trying_since=self.trying_since,
            error=self.error,
            dropped=0,
            committed=0,
            groups=0,
        )

    def descriptors(self) -> Descriptors | None:
        return None if self.left is None else Descriptors(MOST - self.left, MOST)

    def says(self, now: float = 1.0) -> str | None:
        """What is wrong, as an operator reads it."""
        complaint = self.wellness.complaint(now)
        return None if complaint is None else complaint.sentence


def test_all_is_well() -> None:
    assert Told().says(100.0) is None


def test_storage_that_fails_for_a_moment_is_waited_for() -> None:
    told = Told()
    told.trying_since, told.error, told.pending = 100.0, "disk full", 7
    assert told.says(100.0 + STORAGE_PATIENCE_S - 0.01) is None
    assert told.says(100.0 + STORAGE_PATIENCE_S) == (
        "storage cannot write (disk full); 7 rows wait in memory: make room on the disk of data_dir,"
        " or end what locks the database"
    )
    complaint = told.wellness.complaint(200.0)
    assert complaint is not None
    assert complaint.ailment is Ailment.STORAGE
    told.trying_since, told.error = None, ""
    assert told.says(200.0) is None


def test_storage_that_says_nothing_at_all_is_no_better_than_one_that_fails() -> None:
    told = Told()
    told.trying_since = 100.0
    assert told.says(100.0 + STORAGE_PATIENCE_S - 0.01) is None
    assert "no answer for 4 s" in (told.says(104.0) or "")


def test_what_waits_in_memory_has_a_bound() -> None:
    told = Told()
    told.pending = REFUSE_ABOVE_ROWS
    assert told.says() is None
    told.pending += 1
    assert "too slow" in (told.says() or "")
    told.pending = TAKE_BELOW_ROWS + 1
    assert told.says() is not None
    told.pending = TAKE_BELOW_ROWS
    assert told.says() is None


def test_descriptors_are_kept_for_running_calls() -> None:
    told = Told()
    told.left = REFUSE_BELOW_DESCRIPTORS
    assert told.says() is None
    told.left -= 1
    assert told.says() == "only 63 of 1024 file descriptors are left; raise the limit (ulimit -n)"
    told.left = TAKE_ABOVE_DESCRIPTORS - 1
    assert told.says() is not None
    told.left = TAKE_ABOVE_DESCRIPTORS
    assert told.says() is None
    told.left = None
    assert told.says() is None


def test_few_descriptors_are_watched_closely() -> None:
    told = Told()
    for left, closely in ((WATCH_BELOW_DESCRIPTORS, False), (WATCH_BELOW_DESCRIPTORS - 1, True)):
        told.left = left
        told.says()
        assert told.wellness.closely is closely


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


def test_what_another_process_uses() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        found = descriptors(child.pid)
        child.kill()
    ours = descriptors()
    assert found is not None
    assert ours is not None
    assert 3 <= found.used < ours.used
    assert found.most == ours.most, "a child has its parent's limit"


def test_a_process_that_is_gone_says_nothing() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert descriptors(child.pid) is None


def test_descriptors_are_counted_where_the_kernel_only_lists_them(tmp_path: Path) -> None:
    folder = tmp_path / "self" / "fd"
    folder.mkdir(parents=True)
    for name in range(4):
        (folder / str(name)).touch()

    class Sizeless:
        st_size = 0

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(wellness, "PROCESSES", tmp_path)
        patched.setattr(os, "stat", lambda _: Sizeless())
        found = descriptors()
    assert found is not None
    assert found.used == 3, "the listing needs one itself"


def test_the_process_with_the_fewest_left_counts() -> None:
    few, many = Descriptors(90, 100), Descriptors(500, 1000)
    assert tightest(many, None, few) == few
    assert tightest(None, None) is None


def test_a_twentieth_of_the_ports_is_kept_for_running_calls() -> None:
    told = Told()
    told.ports = Ports(190, 200)
    assert told.says() is None
    told.ports = Ports(191, 200)
    assert told.says() == "191 of 200 pairs of RTP ports are in use or rest; widen rtp_ports"
    told.ports = Ports(181, 200)
    assert told.says(), "until there is room for some"
    told.ports = Ports(180, 200)
    assert told.says() is None


def test_of_few_ports_none_is_kept_back() -> None:
    told = Told()
    told.ports = Ports(1, 2)
    assert told.says() is None
    told.ports = Ports(2, 2)
    assert told.says()
    told.ports = Ports(1, 2)
    assert told.says() is None


def test_ports_that_nobody_counts() -> None:
    told = Told()
    assert Wellness(told, told.descriptors).complaint(1.0) is None


def test_a_system_that_does_not_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(wellness, "PROCESSES", tmp_path / "none")
    assert descriptors() is None


def test_others_have_a_share_of_the_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
        assert (share(1000, 4), share(50, 4)) == (100, 50)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_limit_is_raised_as_far_as_it_may_be() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        raised = raise_descriptor_limit()
        assert raised == resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 512
        assert raise_descriptor_limit() == raised
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
