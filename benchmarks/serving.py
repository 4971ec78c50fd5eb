"""A real `offhook serve` on a core of its own, with an account, a trunk and a number, on an embedded database of its
own.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import children, cpu_s, pinned, rss_kb

__all__ = ["ACCOUNT", "NUMBER", "OUTSIDE", "SECRET", "Served", "served"]

ACCOUNT = "u" + "0123456789abcdef" * 2
SECRET = "benchmark-secret-" + "b" * 32
NUMBER = "+46101112233"
"""Ours; its flow is asked from the web application."""
OUTSIDE = "+46701112233"
"""Somebody beyond the trunk."""
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 20.0
SOURCE = Path(__file__).resolve().parents[1] / "src"
READY = re.compile(r"ready\s+api=(\S+)\s+sip=(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A server that answers."""

    pid: int
    http: str
    """Base URL."""
    sip: tuple[str, int]
    """Where it takes UDP."""
    data_dir: Path
    ready_s: float
    """From its start to its line `ready`."""

    @property
    def engine_pid(self) -> int:
        """The media engine's process."""
        for child in children(self.pid):
            if "offhook-media" in Path(f"/proc/{child}/cmdline").read_text():
                return child
        raise RuntimeError("the server runs no media engine")

    def cpu_s(self) -> tuple[float, float]:
        """Processor time so far of the control process and of the engine."""
        return cpu_s(self.pid), cpu_s(self.engine_pid)

    def rss_kb(self) -> tuple[int, int]:
        """Memory of the control process and of the engine."""
        return rss_kb(self.pid), rss_kb(self.engine_pid)

    def v1(self, method: str, path: str, body: Any = None) -> Any:
        """Ask as the operator. Raises urllib.error.HTTPError."""
        token = (self.data_dir / "admin.token").read_text().strip()
        request = urllib.request.Request(
            f"{self.http}/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def settled(self, within_s: float = 10.0) -> int:
        """Wait until no call is left. Returns how many still are, which the generator may think are over."""
        until = time.monotonic() + within_s
        while (left := int(self.v1("GET", "/status")["server"]["calls"])) and time.monotonic() < until:
            time.sleep(0.2)
        return left


@contextmanager
def served(
    core: int, *, voice_start: str = "", callee_port: int = 9, module: tuple[str, ...] = ("offhook",)
) -> Iterator[Served]:
    """Start a server with a trunk at `callee_port` and a number that runs `voice_start`. `module`: what Python runs,
    and its arguments before `serve`."""
    with (
        tempfile.TemporaryDirectory(prefix="offhook-bench-") as directory,
        running(core, Path(directory), module=module) as server,
    ):
        trunk = {
            "name": "bench",
            "address": f"sip:127.0.0.1:{callee_port}",
            "prefixes": ["+"],
            "from_addresses": ["127.0.0.1"],
        }
        server.v1("POST", "/trunks", trunk)
        server.v1("POST", "/numbers", {"number": NUMBER, "trunk": "bench", "voice_start": voice_start})
        yield server


@contextmanager
def running(core: int, data_dir: Path, *, module: tuple[str, ...] = ("offhook",)) -> Iterator[Served]:
    """A server over a data directory, for as long as the block lasts."""
    environment = {
        **os.environ,
        "OFFHOOK_DATA_DIR": str(data_dir),
        "OFFHOOK_HTTP_LISTEN": "127.0.0.1:0",
        "OFFHOOK_SIP_LISTEN": "udp:127.0.0.1:0,tcp:127.0.0.1:0",
        "OFFHOOK_BOOTSTRAP_ACCOUNT": f"{ACCOUNT}:{SECRET}",
        "OFFHOOK_ENGINE_ORPHAN_S": "2",
        "PYTHONPATH": f"{SOURCE}{os.pathsep}{SOURCE.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
    }
    command = pinned(core, sys.executable, "-m", *module, "serve", "--dev")
    log = data_dir / "server.log"
    with log.open("wb") as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            command, env=environment, cwd=data_dir, stdout=subprocess.PIPE, stderr=errors, text=True
        )
    try:
        yield _ready(process, data_dir, log, began)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def _ready(process: subprocess.Popen[str], data_dir: Path, log: Path, began: float) -> Served:
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        found = READY.match(line)
        if found:
            ready_s = time.monotonic() - began
            udp = next(each.partition(":")[2] for each in found[2].split(",") if each.startswith("udp:"))
            host, _, port = udp.rpartition(":")
            return Served(pid=process.pid, http=found[1], sip=(host, int(port)), data_dir=data_dir, ready_s=ready_s)
    raise RuntimeError(f"the server ended before it was ready:\n{said}\n{log.read_text()[-4000:]}")
