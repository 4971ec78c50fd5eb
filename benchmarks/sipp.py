"""SIPp as a generator of calls: started with a scenario, its CSV files read as figures. It judges nothing."""

import csv
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import pinned

__all__ = ["Outcome", "callee", "deaf_ear", "offer_calls", "read_counts", "read_times"]

SCENARIOS = Path(__file__).parent / "sipp"
HOST = "127.0.0.1"
GRACE_S = 90
"""For calls that a server in trouble has left hanging: SIPp gives up on a message after 32 s."""
CALLS_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the calls of one run."""

    offered: int
    answered: int
    ended: int
    """Answered, and their BYE answered."""
    refused: int
    """With 503."""
    retransmissions: int
    """Messages that either side sent again."""
    unexpected: int
    """Messages out of turn, and time-outs."""
    rate: float
    """Calls begun each second, as it came out."""
    answer_ms: tuple[float, ...]
    """INVITE to 200, whole milliseconds."""
    refusal_ms: tuple[float, ...]

    @property
    def clean(self) -> bool:
        """Every call was answered and ended, nothing was said twice."""
        return self.ended == self.offered and self.retransmissions == 0 and self.unexpected == 0


def read_counts(lines: list[str]) -> dict[str, int]:
    """The last line of SIPp's message counts: column name without its step's number → sum over the steps."""
    rows = list(csv.reader(lines, delimiter=";"))
    counts: dict[str, int] = {}
    for name, value in zip(rows[0], rows[-1], strict=True):
        step = re.fullmatch(r"\d+_(\w+)", name)
        if step:
            counts[step[1]] = counts.get(step[1], 0) + int(value)
    return counts


def read_times(lines: list[str], number: int) -> tuple[float, ...]:
    """SIPp's response times of one number, in milliseconds."""
    return tuple(
        float(row["response_time_ms"]) for row in csv.DictReader(lines, delimiter=";") if row["rtd_no"] == str(number)
    )


def outcome(counts: dict[str, int], times: list[str], *, rate: float) -> Outcome:
    """Figures of a run of `caller.xml`."""
    # The first 200 answers the INVITE, the second the BYE: a call whose BYE was answered shows as two.
    answered = counts["ACK_Sent"] - counts["503_Recv"]
    return Outcome(
        offered=counts["INVITE_Sent"],
        answered=answered,
        ended=counts["200_Recv"] - answered,
        refused=counts["503_Recv"],
        retransmissions=sum(value for name, value in counts.items() if name.endswith("_Retrans")),
        unexpected=sum(value for name, value in counts.items() if name.endswith(("_Unexp", "_Timeout"))),
        rate=rate,
        answer_ms=read_times(times, 1),
        refusal_ms=read_times(times, 2),
    )


@contextmanager
def deaf_ear() -> Iterator[int]:
    """A UDP port that takes sound and forgets it: a closed one would cost both sides an ICMP message a packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ear.bind((HOST, 0))
        yield ear.getsockname()[1]


def offer_calls(
    core: int, server: tuple[str, int], number: str, *, rate: int, seconds: float, hold_ms: int, ear: int
) -> Outcome:
    """Call a number of the server at an even rate. Raises RuntimeError if SIPp itself fails."""
    with tempfile.TemporaryDirectory(prefix="offhook-sipp-") as directory:
        command = pinned(
            core, "sipp", f"{server[0]}:{server[1]}", "-sf", SCENARIOS / "caller.xml", "-i", HOST, "-s", number,
            "-key", "sound_port", str(ear), "-r", str(rate), "-m", str(round(rate * seconds)), "-d", str(hold_ms),
            "-l", str(CALLS_AT_ONCE), "-nostdin", "-skip_rlimit", "-buff_size", "4194304",
            "-trace_counts", "-trace_stat", "-stf", "stat.csv", "-fd", "1", "-trace_rtt", "-rtt_freq", "1",
        )  # fmt: skip
        with Path(directory, "said").open("wb") as said:
            ran = subprocess.run(
                command, cwd=directory, stdout=said, stderr=subprocess.STDOUT, timeout=seconds + GRACE_S, check=False
            )
        files = {file.name.rpartition("_")[2]: file.read_text().splitlines() for file in Path(directory).glob("*.csv")}
        # 1: some calls failed, which the counts tell.
        if ran.returncode not in (0, 1) or "counts.csv" not in files:
            words = Path(directory, "said").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"SIPp ended with {ran.returncode}: {words}")
        stat = list(csv.DictReader(files["stat.csv"], delimiter=";"))
        begun = [float(row["OutgoingCall(P)"]) for row in stat[1:] if float(row["OutgoingCall(P)"]) > 0]
        return outcome(
            read_counts(files["counts.csv"]), files["rtt.csv"], rate=sum(begun) / len(begun) if begun else 0.0
        )


@contextmanager
def callee(core: int, ear: int) -> Iterator[int]:
    """A SIPp that answers every call; yields its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="offhook-sipp-") as directory:
        command = pinned(
            core, "sipp", HOST, "-sf", SCENARIOS / "callee.xml", "-i", HOST, "-p", str(port), "-nostdin",
            "-skip_rlimit", "-key", "sound_port", str(ear), "-buff_size", "4194304",
        )  # fmt: skip
        with subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                _wait_bound(port)
                yield port
            finally:
                process.kill()


def _wait_bound(port: int, tries: int = 500) -> None:
    """Until something listens there, as the kernel lists it."""
    wanted = f"0100007F:{port:04X}"
    for _ in range(tries):
        if any(line.split()[1] == wanted for line in Path("/proc/net/udp").read_text().splitlines()[1:]):
            return
        time.sleep(0.01)
    raise RuntimeError(f"nothing came to listen on UDP port {port}")
