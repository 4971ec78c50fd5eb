"""A party that speaks and hears RTP on a real socket, to test the media engine: no jitter buffer, no manners."""

import asyncio
import socket
import struct
from dataclasses import dataclass

FRAME_S = 0.02
HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One packet of sound or event as it came."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


class RtpPeer:
    """Bound to a loopback port of the kernel's choice. Close it when done."""

    def __init__(self, *, ssrc: int = 0x0FF00001) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.address: tuple[str, int] = self.socket.getsockname()
        self.ssrc = ssrc
        self.sequence = 1000
        self.timestamp = 5000

    def close(self) -> None:
        self.socket.close()

    def send(self, to: tuple[str, int], payload: bytes, *, payload_type: int, marker: bool = False) -> None:
        """One packet of sound, which moves the clock by its length."""
        head = HEADER.pack(0x80, (marker << 7) | payload_type, self.sequence, self.timestamp, self.ssrc)
        self.socket.sendto(head + payload, to)
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + len(payload)) & 0xFFFFFFFF

    def send_key(self, to: tuple[str, int], code: int, *, payload_type: int, duration: int = 1280) -> None:
        """A key as RFC 4733 events: two updates and three ends, all at once."""
        for step, end in ((duration // 2, 0), (duration, 0), (duration, 0x80), (duration, 0x80), (duration, 0x80)):
            head = HEADER.pack(0x80, payload_type, self.sequence, self.timestamp, self.ssrc)
            self.socket.sendto(head + bytes((code, end | 10)) + struct.pack("!H", step), to)
            self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + duration) & 0xFFFFFFFF

    async def receive(self, within_s: float = 2.0) -> Packet:
        """The next packet. Raises TimeoutError."""
        data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(self.socket, 2048), within_s)
        _, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
        return Packet(
            payload_type=second & 0x7F,
            marker=bool(second & 0x80),
            sequence=sequence,
            timestamp=timestamp,
            ssrc=ssrc,
            payload=data[HEADER.size :],
        )

    async def receive_until_quiet(self, quiet_s: float = 0.25) -> list[Packet]:
        """Packets until none comes for so long."""
        found = []
        while True:
            try:
                found.append(await self.receive(quiet_s))
            except TimeoutError:
                return found

    async def speak(self, to: tuple[str, int], frames: list[bytes], *, payload_type: int) -> None:
        """Frames on a 20 ms beat."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for n, frame in enumerate(frames):
            await asyncio.sleep(max(0.0, start + n * FRAME_S - loop.time()))
            self.send(to, frame, payload_type=payload_type, marker=n == 0)
