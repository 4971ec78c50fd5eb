"""The media engine as the control process sees it: started or adopted, watched, spoken to over its Unix socket, and
started again when it dies. It says commands and hands on events; what they mean for a call is decided elsewhere."""

import array
import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from offhook.media import wire
from offhook.media.commands import (
    Ack,
    CloseSession,
    Command,
    DropSocket,
    FetchSockets,
    Hello,
    KeepSocket,
    OpenSession,
    SessionId,
    Shutdown,
)
from offhook.media.events import (
    Event,
    Refused,
    RefusedWhy,
    Reply,
    SessionAlive,
    SessionClosed,
    SessionFailed,
    Sockets,
    Welcome,
)

BINARY_NAME: Final = "offhook-media"
BINARY_VARIABLE: Final = "OFFHOOK_MEDIA_BINARY"
SOCKET_NAME: Final = "media.sock"
LOG_NAME: Final = "media.log"
READY_WITHIN_S: Final = 5.0
ADOPT_WITHIN_S: Final = 5.0
STOP_WITHIN_S: Final = 5.0
SOCKETS_WITHIN_S: Final = 2.0
RESTART_PAUSES_S: Final = (0.0, 0.2, 1.0, 5.0)
"""Before the first, second, … start after a death; the last one from then on."""
STEADY_AFTER_S: Final = 60.0
"""An engine that lived so long has its pauses forgiven."""
MAX_DESCRIPTORS: Final = 16
MAX_SOCKET_PATH_BYTES: Final = 107


class EngineError(RuntimeError):
    """The media engine cannot be started, reached or adopted; the text says what to do."""


class DisplacedError(EngineError):
    """A newer control process has the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """How the engine is started. An engine that is adopted keeps the settings it was started with."""

    data_dir: Path
    rtp_ports: tuple[int, int] = (20_000, 29_999)
    """First and last."""
    port_rest_s: int = 60
    threads: int | None = None
    """None: one less than there are cores."""
    orphan_s: int = 120
    binary: Path | None = None
    """None: see `find_binary`."""

    @property
    def socket_path(self) -> Path:
        return self.data_dir / SOCKET_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What a control process finds at an engine that was running before it."""

    engine_generation: int
    sessions: tuple[SessionAlive, ...]
    waiting_events: int
    dropped_events: int


@dataclass(slots=True)
class _Greeting:
    """The answer to `Hello` as it comes in: a welcome and then so many sessions."""

    done: asyncio.Future[Adopted]
    welcome: Welcome | None = None
    alive: list[SessionAlive] = field(default_factory=list)


def find_binary() -> Path:
    """Beside the interpreter (where the wheel puts it), else what OFFHOOK_MEDIA_BINARY names, else on PATH.
    Raises EngineError with what to do."""
    named = os.environ.get(BINARY_VARIABLE)
    beside = Path(sys.executable).parent / BINARY_NAME
    for candidate in (Path(named) if named else None, beside):
        if candidate is not None and candidate.is_file():
            return candidate
    found = shutil.which(BINARY_NAME)
    if found is not None:
        return Path(found)
    raise EngineError(
        f"the media engine {BINARY_NAME} is not beside {sys.executable}: install offhook with `pip install .`"
        f" (or build it with `cargo build --release` in native/ and name it in {BINARY_VARIABLE})"
    )


async def _readable(descriptor: int, within_s: float) -> bool:
    """Whether there is something to read, or an end to be seen, within the time."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def release() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, release)
    try:
        await asyncio.wait_for(ready, within_s)
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(descriptor)
    return True


class _Child:
    """An engine process of ours. Not asyncio's: that ties a child's life to the loop's, and ours is to outlive it."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        """Raises EngineError if there is no such program."""
        self._log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        self._said, said = os.pipe()
        errors = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, said, 1),
            (os.POSIX_SPAWN_DUP2, errors, 2),
        ]
        try:
            self._pid = os.posix_spawn(arguments[0], arguments, os.environ, file_actions=actions)
        except OSError as error:
            os.close(self._said)
            raise EngineError(f"the media engine {arguments[0]} cannot be started: {error}") from error
        finally:
            os.close(said)
            os.close(errors)
        self._life = os.pidfd_open(self._pid)

    async def is_ready(self, within_s: float) -> bool:
        """Whether it said that it listens."""
        readable = await _readable(self._said, within_s)
        return readable and os.read(self._said, 64).strip() == b"ready"

    async def end(self, within_s: float) -> None:
        """Waits for its end, and brings it about if it does not come."""
        if not await _readable(self._life, within_s):
            signal.pidfd_send_signal(self._life, signal.SIGKILL)
            await _readable(self._life, STOP_WITHIN_S)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self._pid, os.WNOHANG)  # noqa: ASYNC222 - it does not wait
        self.let_go()

    def let_go(self) -> None:
        """Forgets it; what it was to us is over, its life is not."""
        os.close(self._life)
        os.close(self._said)

    def last_words(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read(4096).decode(errors="replace").strip()


class _Link(asyncio.Protocol):
    """One control connection. What is said in one turn of the event loop leaves in one write."""

    def __init__(self, engine: "MediaEngine", loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop
        self._frames = wire.Frames()
        self._waiting: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self.closed: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: the transports of uvloop are not of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def say(self, frame: bytes) -> None:
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(frame)

    def _flush(self) -> None:
        frames, self._waiting = self._waiting, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(frames))

    def data_received(self, data: bytes) -> None:
        try:
            answers = [wire.decode_answer(frame) for frame in self._frames.feed(data)]
        except wire.WireError as error:
            self._engine.on_fault(f"the media engine spoke out of turn: {error}")
            self.drop()
            return
        self._engine.take_in(answers)

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


def _ignore_event(event: Event) -> None:
    """Until somebody listens."""


def _ignore_lost(sessions: Sequence[SessionId]) -> None:
    """Until somebody listens."""


def _ignore_text(text: str) -> None:
    """Until somebody listens."""


class MediaEngine:
    """The engine's one speaker. `await start()` first; then `send` commands from the event loop's thread, in any order
    that makes sense for each session.

    Callbacks, all called in the event loop and expected not to raise or block:

    * `on_event(event)`: in the engine's order; its number is in `heard` meanwhile.
    * `on_heard(number)`: all events up to this one were handed on. It says `acknowledge` when they need not be told to
      the next control process again; by default at once.
    * `on_lost(session ids)`: the engine died with them; a fresh one is being started.
    * `on_up()`: that fresh one stands.
    * `on_fault(text)`: for the log: a death, a failed start, a message that cannot be read.
    """

    def __init__(
        self,
        config: EngineConfig,
        *,
        on_event: Callable[[Event], None] = _ignore_event,
        on_lost: Callable[[Sequence[SessionId]], None] = _ignore_lost,
        on_fault: Callable[[str], None] = _ignore_text,
        generation: int | None = None,
    ) -> None:
        """`generation`: greater for each later control process; by default the time since the machine was started in
        nanoseconds, since the time of day may be set back between two of them."""
        self._config = config
        self.on_event = on_event
        self.on_lost = on_lost
        self.on_fault = on_fault
        self.on_heard: Callable[[int], None] = self.acknowledge
        self.on_up: Callable[[], None] = lambda: None
        self.heard = 0
        """The number of the event that is being handed on, or was last."""
        self.engine_generation = 0
        """Of the engine that stands: its events are numbered from 1."""
        self._kept_back: list[tuple[int, Event]] | None = None
        self._generation = time.monotonic_ns() if generation is None else generation
        self._link: _Link | None = None
        self._child: _Child | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._greeting: _Greeting | None = None
        self._sessions: set[SessionId] = set()
        self._next_event = 0
        self._stopping = False
        self._up = asyncio.Event()
        self.pid: int | None = None

    @property
    def sessions(self) -> frozenset[SessionId]:
        """Opened and not yet closed."""
        return frozenset(self._sessions)

    @property
    def is_up(self) -> bool:
        return self._up.is_set()

    async def wait_until_up(self) -> None:
        """Returns once an engine takes commands: at once in health, after a death when the next one stands."""
        await self._up.wait()

    async def start(self, *, keep_back: bool = False) -> Adopted | None:
        """Adopts the engine that runs in `data_dir`, or starts one. What was found of sessions, or None for a fresh
        engine. Events that waited come by `on_event` right after, or with `keep_back` at `release`. Raises
        EngineError."""
        self._kept_back = [] if keep_back else None
        path = self._config.socket_path
        if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
            raise EngineError(f"{path} is too long a name for a Unix socket: choose a shorter data_dir")
        found = await self._adopt()
        if found is None:
            await self._launch()
        self._watcher = asyncio.create_task(self._watch(), name="media engine")
        return found

    def release(self) -> None:
        """Hands on the events that were kept back since `start`."""
        kept, self._kept_back = self._kept_back or [], None
        for number, event in kept:
            self._hand_on(number, event)
        if kept:
            self.on_heard(self.heard)

    def acknowledge(self, number: int) -> None:
        """The events up to this one need not be told again."""
        if self._link is not None:
            self._link.say(wire.encode_command(Ack(event=number)))

    def send(self, command: Command) -> None:
        """Says it; nothing is awaited. While no engine stands, a command is lost like the sessions it is for, and a
        session that was to be opened is told of by `on_lost`. Raises wire.WireError on a value that does not fit."""
        frame = wire.encode_command(command)
        if isinstance(command, OpenSession):
            self._sessions.add(command.session)
        if self._link is not None and self._up.is_set():
            self._link.say(frame)
        elif isinstance(command, OpenSession):
            asyncio.get_running_loop().call_soon(self._lose, (command.session,))
        elif isinstance(command, CloseSession):
            self._sessions.discard(command.session)

    async def stop(self) -> None:
        """Ends the engine and all it carries."""
        self._stopping = True
        if self._link is not None:
            self._link.say(wire.encode_command(Shutdown()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._link.closed), STOP_WITHIN_S)
        await self._end_watching()
        if self._child is not None:
            await self._child.end(STOP_WITHIN_S)
            self._child = None

    async def leave(self) -> None:
        """Goes away and lets the engine play on, for the next control process to adopt within `orphan_s`."""
        self._stopping = True
        if self._link is not None:
            self._link.close()
            await self._link.closed
        await self._end_watching()
        if self._child is not None:
            self._child.let_go()
            self._child = None

    async def keep_socket(self, name: str, kept: socket.socket) -> None:
        """The engine holds this socket too, so that what arrives there waits for the next control process."""
        await self._ask_aside(KeepSocket(name=name), (kept.fileno(),))

    async def drop_socket(self, name: str) -> None:
        await self._ask_aside(DropSocket(name=name))

    async def fetch_sockets(self) -> dict[str, socket.socket]:
        """The sockets an earlier control process left, by name; the caller owns them. Raises EngineError."""
        names, descriptors = await self._ask_aside(FetchSockets())
        found = {}
        for name, descriptor in zip(names, descriptors, strict=True):
            kept = socket.socket(fileno=descriptor)
            kept.setblocking(False)
            found[name] = kept
        return found

    def take_in(self, answers: Sequence[tuple[int, Reply | Event]]) -> None:
        """A batch from the engine, in order."""
        last = 0
        for number, answer in answers:
            if isinstance(answer, Welcome | Refused | SessionAlive | Sockets):
                self._take_reply(answer)
            elif self._kept_back is not None:
                self._kept_back.append((number, answer))
            else:
                last = number
                self._hand_on(number, answer)
        if last:
            self.on_heard(last)

    def _hand_on(self, number: int, event: Event) -> None:
        self.heard = number
        if isinstance(event, SessionClosed | SessionFailed):
            self._sessions.discard(event.session)
        self.on_event(event)

    def _take_reply(self, reply: Reply) -> None:
        greeting = self._greeting
        if greeting is None:
            return
        if isinstance(reply, Refused):
            greeting.done.set_exception(_refusal(reply))
            self._greeting = None
            return
        if isinstance(reply, Welcome):
            greeting.welcome = reply
        elif isinstance(reply, SessionAlive):
            greeting.alive.append(reply)
        welcome = greeting.welcome
        if welcome is not None and len(greeting.alive) == welcome.sessions:
            self.pid = welcome.engine_pid
            self.engine_generation = welcome.engine_generation
            # Before the first of those that wait: they are numbered on, whoever acknowledged the others.
            self.heard = welcome.highest_event - welcome.waiting_events
            self._sessions = {alive.session for alive in greeting.alive}
            self._greeting = None
            self._up.set()
            greeting.done.set_result(
                Adopted(
                    engine_generation=welcome.engine_generation,
                    sessions=tuple(greeting.alive),
                    waiting_events=welcome.waiting_events,
                    dropped_events=welcome.dropped_events,
                )
            )

    async def _adopt(self) -> Adopted | None:
        try:
            return await self._greet(ADOPT_WITHIN_S)
        except (FileNotFoundError, ConnectionError):
            return None

    async def _greet(self, within_s: float) -> Adopted:
        """Connects and says hello. Raises EngineError when refused, OSError when nobody listens."""
        loop = asyncio.get_running_loop()
        self._greeting = greeting = _Greeting(loop.create_future())
        _, link = await loop.create_unix_connection(lambda: _Link(self, loop), str(self._config.socket_path))
        self._link = link
        link.say(wire.encode_command(Hello(version=wire.PROTOCOL_VERSION, generation=self._generation)))
        try:
            done, _ = await asyncio.wait((greeting.done, link.closed), timeout=within_s, return_when="FIRST_COMPLETED")
            if greeting.done in done:
                return greeting.done.result()
            raise EngineError(f"the media engine at {self._config.socket_path} does not answer: end its process")
        except EngineError:
            self._link = None
            link.drop()
            raise
        finally:
            greeting.done.cancel()

    def _arguments(self) -> list[str]:
        config = self._config
        binary = config.binary or find_binary()
        first, last = config.rtp_ports
        arguments = [str(binary), "--socket", str(config.socket_path), "--ports", f"{first}-{last}"]
        arguments += ["--port-rest-s", str(config.port_rest_s), "--orphan-s", str(config.orphan_s)]
        if config.threads is not None:
            arguments += ["--threads", str(config.threads)]
        return arguments

    async def _launch(self) -> None:
        """Starts an engine and greets it. Raises EngineError."""
        self._config.data_dir.mkdir(parents=True, exist_ok=True)
        child = _Child(self._arguments(), self._config.data_dir / LOG_NAME)
        if not await child.is_ready(READY_WITHIN_S):
            await child.end(0.0)
            raise EngineError(f"the media engine did not start: {child.last_words() or 'it said nothing'}")
        self._child = child
        try:
            await self._greet(READY_WITHIN_S)
        except OSError as error:
            raise EngineError(f"the media engine cannot be reached: {error}") from error

    async def _watch(self) -> None:
        """Waits for the connection to end, then finds out why and sees to it that there is another."""
        deaths = 0
        while self._link is not None:
            up_since = time.monotonic()
            await self._link.closed
            if self._stopping:
                return
            self._up.clear()
            self._link = None
            try:
                if await self._adopt() is not None:
                    continue
            except DisplacedError as error:
                self.on_fault(str(error))
                self._lose(tuple(self._sessions))
                return
            except EngineError as error:
                self.on_fault(str(error))
            if self._child is not None:
                await self._child.end(0.0)
                self._child = None
            self.on_fault("the media engine died; a new one is being started")
            self._lose(tuple(self._sessions))
            deaths = 0 if time.monotonic() - up_since > STEADY_AFTER_S else deaths
            deaths = await self._launch_again(deaths)

    async def _launch_again(self, deaths: int) -> int:
        """Tries until an engine stands; how often it has tried, earlier tries included."""
        while self._link is None:
            await asyncio.sleep(RESTART_PAUSES_S[min(deaths, len(RESTART_PAUSES_S) - 1)])
            deaths += 1
            try:
                await self._launch()
            except EngineError as error:
                self.on_fault(str(error))
            else:
                self.on_up()
        return deaths

    def _lose(self, sessions: Sequence[SessionId]) -> None:
        self._sessions.difference_update(sessions)
        if sessions:
            self.on_lost(sessions)

    async def _end_watching(self) -> None:
        self._up.clear()
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        self._watcher = None
        if self._link is not None:
            self._link.close()
            self._link = None

    async def _ask_aside(self, command: Command, descriptors: Sequence[int] = ()) -> tuple[tuple[str, ...], list[int]]:
        """One question on a connection of its own, since an event loop's transport carries no descriptors."""
        asked = asyncio.to_thread(_ask, self._config.socket_path, wire.encode_command(command), descriptors)
        try:
            return await asked
        except (OSError, wire.WireError) as error:
            raise EngineError(f"the media engine did not take {command!r}: {error}") from error


def _refusal(reply: Refused) -> EngineError:
    if reply.why is RefusedWhy.GENERATION:
        return DisplacedError("a newer offhook has the media engine of this data_dir: stop one of the two")
    return EngineError(
        f"the running media engine speaks version {reply.version} of the protocol, this offhook version"
        f" {wire.PROTOCOL_VERSION}: end the engine's process, or go back to the other version"
    )


def _ask(path: Path, question: bytes, descriptors: Sequence[int]) -> tuple[tuple[str, ...], list[int]]:
    """Names the engine holds now, and the descriptors it gave. Waits SOCKETS_WITHIN_S at most."""
    frames = wire.Frames()
    given = array.array("i")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(SOCKETS_WITHIN_S)
        link.connect(str(path))
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        link.sendmsg([question], rights)
        while True:
            data, control, _, _ = link.recvmsg(
                wire.MAX_FRAME_BYTES, socket.CMSG_SPACE(MAX_DESCRIPTORS * given.itemsize)
            )
            for level, kind, payload in control:
                if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                    given.frombytes(payload[: len(payload) - len(payload) % given.itemsize])
            if not data:
                raise ConnectionError("it hung up")
            for frame in frames.feed(data):
                _, answer = wire.decode_answer(frame)
                if isinstance(answer, Sockets):
                    return answer.names, list(given)
