"""The media engine by itself, spoken to by its own protocol: no control process, no SIP."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from benchmarks.machine import pinned
from offhook.media import wire
from offhook.media.commands import (
    Ack,
    Codec,
    Command,
    Direction,
    GetStatistics,
    Hello,
    Latch,
    OpenSession,
    PayloadMap,
    SessionId,
    SetRemote,
)
from offhook.media.events import CommandFailed, Event, Reply, SessionFailed, SessionOpened, Statistics, Welcome

__all__ = ["Engine", "engine", "find_program"]

NATIVE = Path(__file__).resolve().parents[1] / "native"
ANSWER_WITHIN_S = 20.0
OPEN_AT_ONCE = 64
EVENTS_TYPE = 101

T = TypeVar("T")


def find_program(name: str, *, example: bool = False) -> Path:
    """The engine as installed or built, or an example of it, built now. Raises RuntimeError with what to do."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", NATIVE / "target")) / "release"
    if example:
        command = ["cargo", "build", "--release", "--quiet", "--example", name]
        if subprocess.run(command, cwd=NATIVE, check=False).returncode:
            raise RuntimeError(f"{name} does not build; see above")
        return target / "examples" / name
    named = os.environ.get("OFFHOOK_MEDIA_BINARY")
    for candidate in (Path(named) if named else None, Path(sys.executable).parent / name, target / name):
        if candidate is not None and candidate.is_file():
            return candidate
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is not there: run `make setup`, or `cargo build --release` in native/")
    return Path(found)


class Engine:
    """An engine and the connection to it. What it says unasked is kept in `heard`."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        self.heard: list[Event] = []
        self._connection = connection
        self._frames = wire.Frames()
        self._answers: list[Reply | Event] = []
        self._next = 1

    def say(self, *commands: Command) -> None:
        """Send commands."""
        self._connection.sendall(b"".join(map(wire.encode_command, commands)))

    def wait_for(self, kind: type[T], count: int = 1) -> list[T]:
        """The next answers of a kind. Raises RuntimeError where the engine says no, TimeoutError where it is silent."""
        found: list[T] = []
        until = time.monotonic() + ANSWER_WITHIN_S
        while len(found) < count:
            for answer in self._read(until):
                if isinstance(answer, kind):
                    found.append(answer)
                elif isinstance(answer, SessionFailed | CommandFailed):
                    raise RuntimeError(f"the engine says {answer}")
        return found

    def _read(self, until: float) -> list[Reply | Event]:
        self._connection.settimeout(max(0.01, until - time.monotonic()))
        data = self._connection.recv(1 << 16)
        if not data:
            raise RuntimeError("the engine has ended")
        answers = []
        last = 0
        for frame in self._frames.feed(data):
            number, answer = wire.decode_answer(frame)
            last = max(last, number)
            answers.append(answer)
        if last:
            self.say(Ack(event=last))
        self.heard += [answer for answer in answers if not isinstance(answer, Welcome)]  # type: ignore[misc]
        return answers

    def open(self, count: int) -> dict[SessionId, tuple[str, int]]:
        """New sessions and where they listen; each odd one is placed beside the one before it."""
        ids = [SessionId(self._next + place) for place in range(count)]
        self._next += count
        local: dict[SessionId, tuple[str, int]] = {}
        for first in range(0, count, OPEN_AT_ONCE):
            some = ids[first : first + OPEN_AT_ONCE]
            self.say(
                *(
                    OpenSession(session=each, local="127.0.0.1", near=SessionId(0 if place % 2 == 0 else each - 1))
                    for place, each in enumerate(some)
                )
            )
            local |= {each.session: each.local for each in self.wait_for(SessionOpened, len(some))}
        return local

    def agree(self, session: SessionId, remote: tuple[str, int]) -> None:
        """A G.711 call with telephone-event, both ways."""
        self.say(
            SetRemote(
                session=session,
                remote=remote,
                send_codec=Codec.PCMA,
                send_payload_type=8,
                receive=(PayloadMap(payload_type=8, codec=Codec.PCMA),),
                send_events=EVENTS_TYPE,
                receive_events=EVENTS_TYPE,
                ptime_ms=20,
                direction=Direction.SEND_RECV,
                latch=Latch.SYMMETRIC,
                media_timeout_ms=0,
            )
        )

    def statistics(self, sessions: list[SessionId]) -> list[Statistics]:
        """What each session has counted."""
        found: list[Statistics] = []
        for first in range(0, len(sessions), OPEN_AT_ONCE):
            some = sessions[first : first + OPEN_AT_ONCE]
            self.say(*(GetStatistics(session=each) for each in some))
            found += self.wait_for(Statistics, len(some))
        return found

    def listen(self, done: Callable[[], bool]) -> None:
        """Take in what the engine says, until something else is done."""
        while not done():
            try:
                self._read(time.monotonic() + 0.1)
            except TimeoutError:
                continue


@contextmanager
def engine(core: int) -> Iterator[Engine]:
    """An engine with one thread for sound, all of it on one core."""
    with tempfile.TemporaryDirectory(prefix="offhook-engine-") as directory:
        path = Path(directory, "media.sock")
        command = pinned(core, find_program("offhook-media"), "--socket", path, "--threads", "1", "--orphan-s", "1")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                if process.stdout.readline().strip() != "ready":
                    raise RuntimeError("the media engine does not start")
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                    connection.connect(str(path))
                    speaking = Engine(process.pid, connection)
                    speaking.say(Hello(version=wire.PROTOCOL_VERSION, generation=time.time_ns()))
                    speaking.wait_for(Welcome)
                    yield speaking
            finally:
                process.terminate()
