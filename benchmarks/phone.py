"""A SIP peer for measuring: makes calls and answers them on one UDP socket, hears sound on another, and knows to the
microsecond when each packet left and came (the kernel's time of arrival). Nothing for calls a second: that is SIPp's.
"""

import heapq
import itertools
import re
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Call", "Peer"]

HOST = "127.0.0.1"
NS_PER_S = 1_000_000_000
SO_TIMESTAMPNS = 35
"""Of Linux; Python's socket module has no name for it."""
TIMESPEC = struct.Struct("@qq")
PACKET_BYTES = 2048
SILENCE = frozenset((0xD5, 0x55, 0xFF, 0x7F))
"""What is nearest to nothing in both laws of G.711."""
RTP_HEAD_BYTES = 12
BUFFER_BYTES = 4 << 20
SDP_PORT = re.compile(rb"^m=audio (\d+) ", re.M)


@dataclass(slots=True, eq=False)
class Call:
    """One call, seen from here."""

    call_id: str
    number: str
    ours: bool
    """Whether it was made here; else it came."""
    begun_ns: int
    """When the INVITE left, or came."""
    sound_port: int = 0
    """Where the server hears us; known once the call is answered."""
    answered: bool = False
    over: bool = False
    failed: str = ""
    heads: dict[str, str] = field(default_factory=dict)
    target: str = ""
    """Where requests within the call go: the server's Contact."""
    cseq: int = 1


def timestamped() -> socket.socket:
    """A UDP socket whose packets come with the time at which the kernel had them."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    made.bind((HOST, 0))
    made.setblocking(False)
    return made


def receive(from_: socket.socket) -> tuple[bytes, int, tuple[str, int]] | None:
    """A packet, its time of arrival (nanoseconds, wall clock) and its sender; `None`: no more now."""
    try:
        data, extra, _, sender = from_.recvmsg(PACKET_BYTES, 64)
    except BlockingIOError:
        return None
    for level, kind, value in extra:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = TIMESPEC.unpack(value[: TIMESPEC.size])
            return data, seconds * NS_PER_S + nanoseconds, sender
    return data, time.time_ns(), sender


class Peer:
    """The far end of any number of calls. `run` it; it does what is due and what comes."""

    def __init__(self) -> None:
        self._sip = timestamped()
        self._sound = timestamped()
        self.server: tuple[str, int] = (HOST, 0)
        self.calls: dict[str, Call] = {}
        self.first_sound_ns: dict[int, int] = {}
        """Port of the server's → when the first packet of sound came from there."""
        self.repeated = 0
        """Messages that came twice."""
        self.on_answer: Callable[[Call], None] = lambda _: None
        self.on_invite: Callable[[Call], None] = lambda _: None
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = itertools.count()
        self._watched: dict[int, Callable[[], None]] = {
            self._sip.fileno(): self._take_sip,
            self._sound.fileno(): self._take_sound,
        }
        self._poll = select.epoll()
        for descriptor in self._watched:
            self._poll.register(descriptor, select.EPOLLIN)

    @property
    def port(self) -> int:
        """Where it takes SIP."""
        return int(self._sip.getsockname()[1])

    def close(self) -> None:
        """Forget everything."""
        self._poll.close()
        self._sip.close()
        self._sound.close()

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────────────────────

    def after(self, seconds: float, do: Callable[[], object]) -> None:
        """Do something later."""
        heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), do))

    def watch(self, descriptor: int, do: Callable[[], None]) -> None:
        """Do something whenever a descriptor can be read."""
        self._watched[descriptor] = do
        self._poll.register(descriptor, select.EPOLLIN)

    def unwatch(self, descriptor: int) -> None:
        """Forget a descriptor."""
        self._poll.unregister(descriptor)
        del self._watched[descriptor]

    def run(self, seconds: float, done: Callable[[], bool] = lambda: False) -> bool:
        """Live for so long, or until it is done; whether it was."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            while self._due and self._due[0][0] <= time.monotonic():
                heapq.heappop(self._due)[2]()
            if done():
                return True
            next_due = self._due[0][0] if self._due else until
            for descriptor, _ in self._poll.poll(
                max(0.0, min(next_due, until, time.monotonic() + 0.1) - time.monotonic())
            ):
                if descriptor in self._watched:
                    self._watched[descriptor]()
        return done()

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────

    def invite(self, number: str) -> Call:
        """Call a number of the server."""
        call_id = f"{next(self._order)}-{self.port}"
        call = Call(
            call_id=call_id, number=number, ours=True, begun_ns=0, target=f"sip:{number}@{HOST}:{self.server[1]}"
        )
        call.heads = {
            "From": f"<sip:+46700000001@{HOST}:{self.port}>;tag=c{call_id}",
            "To": f"<sip:{number}@{HOST}:{self.server[1]}>",
        }
        self.calls[call_id] = call
        message = self._request(call, "INVITE", self._description())
        call.begun_ns = time.time_ns()
        self._sip.sendto(message, self.server)
        return call

    def hang_up(self, call: Call) -> None:
        """End a call that was answered."""
        if call.answered and not call.over:
            call.cseq += 1
            self._sip.sendto(self._request(call, "BYE"), self.server)

    def speak(self, call: Call, number: int) -> None:
        """Send one packet of sound."""
        stamp = (number * 160) & 0xFFFFFFFF
        packet = struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, stamp, hash(call.call_id) & 0xFFFFFFFF) + b"\xd5" * 160
        self._sound.sendto(packet, (HOST, call.sound_port))

    def _description(self) -> str:
        port = self._sound.getsockname()[1]
        return (
            f"v=0\r\no=peer 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n"
            "a=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\n"
        )

    def _request(self, call: Call, method: str, body: str = "") -> bytes:
        content = "Content-Type: application/sdp\r\n" if body else ""
        branch = f"z9hG4bK{next(self._order)}p{self.port}"
        return (
            f"{method} {call.target} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{self.port};branch={branch}\r\n"
            f"From: {call.heads['From']}\r\nTo: {call.heads['To']}\r\nCall-ID: {call.call_id}\r\n"
            f"CSeq: {call.cseq} {method}\r\nContact: <sip:peer@{HOST}:{self.port}>\r\nMax-Forwards: 70\r\n"
            f"{content}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    def _reply(self, heads: dict[str, str], status: str, call: Call, body: str = "") -> bytes:
        content = "Content-Type: application/sdp\r\n" if body else ""
        to = heads["to"] if ";tag=" in heads["to"] else f"{heads['to']};tag=a{call.call_id}"
        return (
            f"SIP/2.0 {status}\r\nVia: {heads['via']}\r\nFrom: {heads['from']}\r\nTo: {to}\r\n"
            f"Call-ID: {heads['call-id']}\r\nCSeq: {heads['cseq']}\r\nContact: <sip:peer@{HOST}:{self.port}>\r\n"
            f"{content}Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()

    # ── what comes ───────────────────────────────────────────────────────────────────────────────────────────────

    def _take_sound(self) -> None:
        while (packet := receive(self._sound)) is not None:
            # From its answer on a server sends packets; only what can be heard is sound.
            if not SILENCE.issuperset(packet[0][RTP_HEAD_BYTES:]):
                self.first_sound_ns.setdefault(packet[2][1], packet[1])

    def _take_sip(self) -> None:
        while (packet := receive(self._sip)) is not None:
            data, at_ns, sender = packet
            first, _, rest = data.partition(b"\r\n")
            heads: dict[str, str] = {}
            for line in rest.partition(b"\r\n\r\n")[0].decode().split("\r\n"):
                name, _, value = line.partition(":")
                heads.setdefault(name.strip().lower(), value.strip())
            words = first.decode().split(" ", 2)
            if words[0] == "SIP/2.0":
                self._answered(int(words[1]), heads, data)
            else:
                self._asked(words[0], words[1], heads, data, at_ns, sender)

    def _answered(self, status: int, heads: dict[str, str], data: bytes) -> None:
        call = self.calls.get(heads["call-id"])
        if call is None or status < 200:
            return
        method = heads["cseq"].split()[1]
        if method == "BYE":
            call.over = True
        elif method == "INVITE":
            self.repeated += call.answered or bool(call.failed)
            call.heads["To"] = heads["to"]
            if status >= 300:
                call.failed, call.over = str(status), True
                return
            call.target = heads["contact"].strip("<>").partition(">")[0]
            self._sip.sendto(self._request(call, "ACK"), self.server)
            if not call.answered:
                call.answered = True
                self._learn_sound(call, data)
                self.on_answer(call)

    def _learn_sound(self, call: Call, data: bytes) -> None:
        found = SDP_PORT.search(data)
        if found:
            call.sound_port = int(found[1])

    def _asked(
        self, method: str, uri: str, heads: dict[str, str], data: bytes, at_ns: int, sender: tuple[str, int]
    ) -> None:
        call = self.calls.get(heads["call-id"])
        if method == "INVITE":
            if call is not None:
                self.repeated += 1
                return
            number = uri.removeprefix("sip:").partition("@")[0]
            call = Call(call_id=heads["call-id"], number=number, ours=False, begun_ns=at_ns, answered=True)
            call.target = heads["contact"].strip("<>").partition(">")[0]
            call.heads = {"From": f"{heads['to']};tag=a{call.call_id}", "To": heads["from"]}
            self.calls[call.call_id] = call
            self._learn_sound(call, data)
            self._sip.sendto(self._reply(heads, "200 OK", call, self._description()), sender)
            self.on_invite(call)
        elif method == "BYE" and call is not None:
            self.repeated += call.over
            call.over = True
            self._sip.sendto(self._reply(heads, "200 OK", call), sender)
