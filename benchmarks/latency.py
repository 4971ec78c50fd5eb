"""How long a person waits, at 20 calls a second: from POST /a1/calls to the INVITE on the wire, and from an incoming
INVITE, through the webhook, to the first packet of sound. Beside each, a bare timer on the server's core in the
same run."""

import base64
import re
import socket
import time
from collections.abc import Callable
from random import Random
from urllib.parse import urlencode, urlsplit

from benchmarks.application import HERE, application
from benchmarks.bare_timer import BareTimer, bare_timer
from benchmarks.figures import Row, spread
from benchmarks.machine import cores
from benchmarks.phone import Call, Peer
from benchmarks.serving import ACCOUNT, NUMBER, SECRET, Served, served
from benchmarks.sound import tone_wav

__all__ = ["measure"]

RATE = 20
RUN_S = 30.0
WARM_S = 3.0
HOLD_S = 0.3
TAIL_S = 2.0
CONNECTIONS = 8
CHANCE = 20


def measure(seconds: float = RUN_S) -> list[Row]:
    """Both latencies, median and 99th percentile."""
    where = cores()
    answers = {"/sound.wav": tone_wav(seconds=30), "/start": {"play": f"{HERE}/sound.wav"}}
    peer = Peer()
    try:
        with (
            application(where.load, answers) as base,
            served(where.served, voice_start=f"{base}/start", callee_port=peer.port) as server,
        ):
            peer.server = server.sip
            rows = []
            for title, floor, of in (
                ("POST /a1/calls to INVITE on the wire, 20 calls/s", "4 / 15 ms", posted),
                ("incoming INVITE, webhook, first packet of sound, 20 calls/s", "6 / 20 ms", invited),
            ):
                of(peer, server, WARM_S, base)
                with bare_timer(where.served) as timer:
                    late_ms, missing = of(peer, server, seconds, base)
                rows.append(_row(title, floor, late_ms, missing, peer, timer))
            return rows
    finally:
        peer.close()


def _row(title: str, floor: str, late_ms: list[float], missing: int, peer: Peer, timer: BareTimer) -> Row:
    seen = spread(late_ms)
    return Row(
        figure=f"{title}: median / 99th percentile",
        floor=floor,
        here=f"{seen.median:.1f} / {seen.p99:.1f} ms",
        how=f"of {seen.count} calls, worst {seen.most:.1f} ms, {missing} missing, {peer.repeated} messages repeated; "
        f"bare timer {timer.words}",
    )


def steadily(peer: Peer, seconds: float, do: Callable[[int], None]) -> int:
    """Do something `RATE` times a second, never in step with anybody's 20 ms. Returns how often."""
    chance = Random(CHANCE)
    count = round(RATE * seconds)
    for number in range(count):
        at = (number + chance.random()) / RATE
        peer.after(at, lambda number=number: do(number))  # type: ignore[misc]
    peer.run(seconds + TAIL_S)
    return count


def invited(peer: Peer, _: Served, seconds: float, __: str) -> tuple[list[float], int]:
    """INVITE to sound: milliseconds for each call, and how many had none."""
    made: list[Call] = []
    peer.first_sound_ns.clear()
    peer.on_answer = lambda call: peer.after(HOLD_S, lambda: peer.hang_up(call))
    count = steadily(peer, seconds, lambda _: made.append(peer.invite(NUMBER)))
    late = [
        (peer.first_sound_ns[call.sound_port] - call.begun_ns) / 1e6
        for call in made
        if call.sound_port in peer.first_sound_ns
    ]
    return late, count - len(late)


class Poster:
    """Keeps connections to the API alive and posts on whichever is idle; a new one is opened where none is."""

    def __init__(self, peer: Peer, http: str) -> None:
        self._peer = peer
        parts = urlsplit(http)
        self._address = (parts.hostname or "", parts.port or 80)
        self._idle: list[socket.socket] = []
        self._all: list[socket.socket] = []
        credentials = base64.b64encode(f"{ACCOUNT}:{SECRET}".encode()).decode()
        self._head = (
            f"POST /a1/calls HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Basic {credentials}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
        )
        self.refused = 0
        for _ in range(CONNECTIONS):
            self._idle.append(self._connect())

    def _connect(self) -> socket.socket:
        connection = socket.create_connection(self._address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._all.append(connection)

        answer = bytearray()

        def answered() -> None:
            said = connection.recv(1 << 16)
            answer.extend(said)
            if not said:
                # The server closes what has been idle for some seconds.
                self._peer.unwatch(connection.fileno())
                self._idle.remove(connection)
                return
            if whole(answer):
                self.refused += not answer.startswith(b"HTTP/1.1 200")
                answer.clear()
                self._idle.append(connection)

        self._peer.watch(connection.fileno(), answered)
        return connection

    def post(self, fields: dict[str, str]) -> None:
        """Ask for a call; the answer is waited for by nobody."""
        body = urlencode(fields)
        connection = self._idle.pop() if self._idle else self._connect()
        connection.sendall(f"{self._head}{len(body)}\r\n\r\n{body}".encode())

    def close(self) -> None:
        """Close all connections. Raises RuntimeError if calls were refused: the figures would not be of calls."""
        for connection in self._all:
            connection.close()
        if self.refused:
            raise RuntimeError(f"{self.refused} requests for a call were not answered with 200")


def whole(answer: bytes | bytearray) -> bool:
    """Whether a response is complete; it may come in pieces."""
    head, blank, body = bytes(answer).partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    return bool(blank) and len(body) >= (int(length[1]) if length else 0)


def posted(peer: Peer, server: Served, seconds: float, base: str) -> tuple[list[float], int]:
    """POST to INVITE: milliseconds for each call, and how many were never called."""
    poster = Poster(peer, server.http)
    begun: dict[str, int] = {}
    late: list[float] = []

    def post(number: int) -> None:
        to = f"+4670{number:07d}"
        begun[to] = time.time_ns()
        poster.post({"from": NUMBER, "to": to, "voice_start": f"{base}/start"})

    def came(call: Call) -> None:
        late.append((call.begun_ns - begun.pop(call.number)) / 1e6)
        peer.after(HOLD_S, lambda: peer.hang_up(call))

    peer.on_invite = came
    count = steadily(peer, seconds, post)
    poster.close()
    return late, count - len(late)
