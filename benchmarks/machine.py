"""The machine under measurement: which core does what, and what a process uses. Linux only, by /proc."""

import os
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cores", "children", "cores", "cpu_s", "describe", "rss_kb"]

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Who runs where."""

    load: int
    """Generators and the web application."""
    served: int
    """What is measured."""

    @property
    def apart(self) -> bool:
        return self.load != self.served


def cores() -> Cores:
    """The first and the last core that this process may use; the same one on a machine with one."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(load=usable[0], served=usable[-1])


def pinned(core: int, *command: str | Path) -> list[str]:
    """A command that stays on one core, as do its children."""
    if shutil.which("taskset") is None:
        raise RuntimeError("taskset is missing: install util-linux")
    return ["taskset", "-c", str(core), *map(str, command)]


def cpu_s(pid: int) -> float:
    """Processor time of a process so far, all its threads, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_kb(pid: int) -> int:
    """Memory that a process holds, in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(f"process {pid} has ended")


def children(pid: int) -> list[int]:
    """Processes that a process has started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # It ended meanwhile.
        if int(fields[1]) == pid:
            found.append(int(entry.name))
    return sorted(found)


def describe() -> dict[str, str]:
    """What ran the benchmarks, for whoever reads the results."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load before": " ".join(f"{each:.2f}" for each in os.getloadavg()),
    }
