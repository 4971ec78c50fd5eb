"""The real media engine, started and spoken to as the server does it, with parties on real loopback sockets."""

import asyncio
import contextlib
import os
import signal
import socket
import time
import wave
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from tests.support.engine_binary import engine_binary
from tests.support.processes import rests
from tests.support.rtp_peer import RtpPeer

from offhook.media import commands as c
from offhook.media import events as e
from offhook.media import frames
from offhook.runtime import media_process
from offhook.runtime.media_process import EngineConfig, EngineError, MediaEngine, find_binary

pytestmark = pytest.mark.native

T = TypeVar("T")
S1, S2, S3 = c.SessionId(1), c.SessionId(2), c.SessionId(3)
EVENTS_TYPE = 101


class Ear:
    """Everything an engine says."""

    def __init__(self) -> None:
        self.events: list[e.Event] = []
        self.lost: list[c.SessionId] = []
        self.faults: list[str] = []
        self._more = asyncio.Event()

    def event(self, event: e.Event) -> None:
        self.events.append(event)
        self._more.set()

    def lose(self, sessions: Sequence[c.SessionId]) -> None:
        self.lost += sessions
        self._more.set()

    async def wait(self, kind: type[T], within_s: float = 5.0) -> T:
        """The first such event there is or comes; taken out."""
        async with asyncio.timeout(within_s):
            while True:
                for event in self.events:
                    if isinstance(event, kind):
                        self.events.remove(event)
                        return event
                self._more.clear()
                await self._more.wait()

    async def wait_lost(self, count: int) -> list[c.SessionId]:
        async with asyncio.timeout(5):
            while len(self.lost) < count:
                self._more.clear()
                await self._more.wait()
        return self.lost


def config(data_dir: Path, **other: object) -> EngineConfig:
    settings = {"rtp_ports": (32_000, 32_999), "threads": 1, "orphan_s": 10, "binary": engine_binary()} | other
    return EngineConfig(data_dir=data_dir, **settings)  # type: ignore[arg-type]


def listening(engine: MediaEngine) -> Ear:
    ear = Ear()
    engine.on_event, engine.on_lost, engine.on_fault = ear.event, ear.lose, ear.faults.append
    return ear


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[MediaEngine]:
    engine = MediaEngine(config(tmp_path))
    assert await engine.start() is None
    yield engine
    await engine.stop()


@pytest.fixture
def ear(engine: MediaEngine) -> Ear:
    return listening(engine)


@pytest.fixture
def peers() -> AsyncIterator[list[RtpPeer]]:
    both = [RtpPeer(ssrc=0xAAAA), RtpPeer(ssrc=0xBBBB)]
    yield both  # type: ignore[misc]
    for peer in both:
        peer.close()


async def opened(engine: MediaEngine, ear: Ear, session: c.SessionId, near: c.SessionId = c.NO_SESSION) -> c.Address:
    engine.send(c.OpenSession(session=session, local="127.0.0.1", near=near))
    event = await ear.wait(e.SessionOpened)
    assert event.session == session
    return event.local


async def settled(engine: MediaEngine, ear: Ear, session: c.SessionId) -> None:
    """All that was said of a session is done."""
    engine.send(c.GetStatistics(session=session))
    assert (await ear.wait(e.Statistics)).session == session


def remote(session: c.SessionId, peer: RtpPeer, **other: object) -> c.SetRemote:
    settings: dict[str, object] = {
        "send_codec": c.Codec.PCMA,
        "send_payload_type": 8,
        "receive": (
            c.PayloadMap(payload_type=8, codec=c.Codec.PCMA),
            c.PayloadMap(payload_type=0, codec=c.Codec.PCMU),
        ),
        "send_events": EVENTS_TYPE,
        "receive_events": EVENTS_TYPE,
    }
    return c.SetRemote(session=session, remote=peer.address, **(settings | other))  # type: ignore[arg-type]


def tone(seconds: float, hertz: float = 440.0) -> frames.Samples:
    return (np.sin(np.arange(int(8000 * seconds)) * hertz * 2 * np.pi / 8000) * 10_000).astype(np.int16)


def cut(encoded: bytes) -> list[bytes]:
    return [encoded[at : at + 160] for at in range(0, len(encoded), 160)]


async def test_it_plays_what_was_prepared_packet_by_packet(
    engine: MediaEngine, ear: Ear, peers: list[RtpPeer], tmp_path: Path
) -> None:
    sound = tone(0.3)
    (tmp_path / "a.ohf").write_bytes(frames.prepare(sound))
    await opened(engine, ear, S1)
    engine.send(remote(S1, peers[0]))
    engine.send(c.Play(session=S1, playback=c.PlaybackId(5), files=(str(tmp_path / "a.ohf"),), repeat=2, gap_ms=40))
    packets = await peers[0].receive_until_quiet()
    ended = await ear.wait(e.PlaybackEnded)
    assert (ended.playback, ended.reason, ended.played_ms) == (5, e.PlaybackEnd.FINISHED, 640)
    once = cut(frames.encode(sound, c.Codec.PCMA))
    assert [packet.payload for packet in packets] == once + [b"\xd5" * 160] * 2 + once
    first = packets[0]
    assert [packet.sequence for packet in packets] == [(first.sequence + n) & 0xFFFF for n in range(32)]
    assert [packet.timestamp for packet in packets] == [(first.timestamp + 160 * n) & 0xFFFFFFFF for n in range(32)]
    assert [packet.marker for packet in packets] == [True] + [False] * 31
    assert {(packet.ssrc, packet.payload_type) for packet in packets} == {(first.ssrc, 8)}


async def test_an_engine_whose_last_session_has_gone_rests(engine: MediaEngine, ear: Ear, peers: list[RtpPeer]) -> None:
    await opened(engine, ear, S1)
    engine.send(remote(S1, peers[0], send_silence=True))
    await peers[0].receive(5)
    engine.send(c.CloseSession(session=S1))
    await ear.wait(e.SessionClosed)
    assert engine.pid is not None
    assert await rests(engine.pid)


async def test_a_sound_that_is_none_fails_the_playback_with_its_reason(
    engine: MediaEngine, ear: Ear, peers: list[RtpPeer], tmp_path: Path
) -> None:
    await opened(engine, ear, S1)
    engine.send(remote(S1, peers[0]))
    engine.send(c.Play(session=S1, playback=c.PlaybackId(1), files=(str(tmp_path / "none.ohf"),)))
    ended = await ear.wait(e.PlaybackEnded)
    assert ended.reason is e.PlaybackEnd.FAILED
    assert "none.ohf" in ended.detail


async def test_keys_are_collected_and_a_playback_is_stopped(
    engine: MediaEngine, ear: Ear, peers: list[RtpPeer], tmp_path: Path
) -> None:
    (tmp_path / "a.ohf").write_bytes(frames.prepare(tone(1)))
    local = await opened(engine, ear, S1)
    engine.send(remote(S1, peers[0]))
    engine.send(c.Play(session=S1, playback=c.PlaybackId(1), files=(str(tmp_path / "a.ohf"),), repeat=0))
    await peers[0].receive()
    peers[0].send_key(local, 11, payload_type=EVENTS_TYPE)
    digit = await ear.wait(e.Digit)
    assert (digit.digit, digit.duration_ms, digit.source) == ("#", 160, e.DigitSource.EVENT)
    engine.send(c.StopPlayback(session=S1, playback=c.PlaybackId(1)))
    assert (await ear.wait(e.PlaybackEnded)).reason is e.PlaybackEnd.STOPPED
    assert not [event for event in ear.events if isinstance(event, e.Digit)]


async def test_digits_are_sent_as_events(engine: MediaEngine, ear: Ear, peers: list[RtpPeer]) -> None:
    await opened(engine, ear, S1)
    engine.send(remote(S1, peers[0]))
    digits = (c.DigitTone(digit="4", duration_ms=100), c.DigitTone(digit="*", duration_ms=100))
    engine.send(c.SendDigits(session=S1, request=c.RequestId(9), digits=digits))
    assert (await ear.wait(e.DigitsSent)).reason is e.DigitsEnd.SENT
    events = [p for p in await peers[0].receive_until_quiet() if p.payload_type == EVENTS_TYPE]
    assert [p.payload[0] for p in events if p.marker] == [4, 10]
    assert sum(bool(p.payload[1] & 0x80) for p in events) == 6


async def test_a_bridge_passes_sound_and_keys_both_ways(engine: MediaEngine, ear: Ear, peers: list[RtpPeer]) -> None:
    a, b = peers
    to_a, to_b = await opened(engine, ear, S1), await opened(engine, ear, S2, near=S1)
    engine.send(remote(S1, a))
    engine.send(remote(S2, b, send_events=96, receive_events=96))
    engine.send(c.Bridge(a=S1, b=S2))
    await settled(engine, ear, S1)
    sound = cut(frames.encode(tone(0.2), c.Codec.PCMA))
    await a.speak(to_a, sound, payload_type=8)
    heard = [await b.receive() for _ in sound]
    assert [packet.payload for packet in heard] == sound
    assert {packet.ssrc for packet in heard}.isdisjoint({a.ssrc})
    a.send_key(to_a, 7, payload_type=EVENTS_TYPE)
    keys = [await b.receive() for _ in range(5)]
    assert {(key.payload_type, key.payload[0]) for key in keys} == {(96, 7)}
    assert (await ear.wait(e.Digit)).digit == "7"
    # µ-law from b is A-law for a, who takes nothing else.
    b.send(to_b, frames.encode(tone(0.02), c.Codec.PCMU), payload_type=0)
    back = await a.receive()
    assert back.payload_type == 8
    assert len(back.payload) == 160
    assert back.payload != frames.encode(tone(0.02), c.Codec.PCMU)


async def test_a_recording_is_a_wav_file_of_what_was_said(
    engine: MediaEngine, ear: Ear, peers: list[RtpPeer], tmp_path: Path
) -> None:
    local = await opened(engine, ear, S1)
    engine.send(remote(S1, peers[0]))
    path = tmp_path / "r.wav"
    engine.send(c.StartRecording(recording=c.RecordingId(1), session=S1, path=str(path), max_ms=1000))
    await settled(engine, ear, S1)
    said = tone(1.0)
    await peers[0].speak(local, cut(frames.encode(said, c.Codec.PCMA)), payload_type=8)
    ended = await ear.wait(e.RecordingEnded)
    assert (ended.reason, ended.duration_ms, ended.detail) == (e.RecordingEnd.MAX, 1000, "")
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (1, 2, 8000, 8000)
        recorded = np.frombuffer(file.readframes(8000), dtype=np.int16).astype(float)
    assert path.stat().st_size == ended.bytes == 44 + 16_000
    found = np.correlate(recorded, said[:4000].astype(float), mode="valid").max()
    assert found > 0.8 * (said[:4000].astype(float) ** 2).sum()


async def test_a_recording_that_cannot_be_written_fails_alone(
    engine: MediaEngine, ear: Ear, peers: list[RtpPeer], tmp_path: Path
) -> None:
    await opened(engine, ear, S1)
    engine.send(remote(S1, peers[0]))
    path = str(tmp_path / "not" / "there.wav")
    engine.send(c.StartRecording(recording=c.RecordingId(1), session=S1, path=path))
    ended = await ear.wait(e.RecordingEnded)
    assert ended.reason is e.RecordingEnd.FAILED
    assert "there.wav" in ended.detail
    engine.send(c.GetStatistics(session=S1))
    assert (await ear.wait(e.Statistics)).session == S1


async def test_a_mix_lets_everybody_hear_the_others(engine: MediaEngine, ear: Ear, peers: list[RtpPeer]) -> None:
    a, b = peers
    to_a = await opened(engine, ear, S1)
    await opened(engine, ear, S2)
    for session, peer in ((S1, a), (S2, b)):
        engine.send(remote(session, peer))
        engine.send(c.JoinMix(mix=c.MixId(1), session=session))
    await settled(engine, ear, S2)
    said = tone(0.6)
    speaking = asyncio.create_task(a.speak(to_a, cut(frames.encode(said, c.Codec.PCMA)), payload_type=8))
    loud = 0
    for _ in range(40):
        packet = await b.receive()
        loud += packet.payload != b"\xd5" * 160
    await speaking
    assert loud >= 20
    own = [await a.receive() for _ in range(20)]
    assert {packet.payload for packet in own} == {b"\xd5" * 160}
    engine.send(c.LeaveMix(mix=c.MixId(1), session=S1))
    engine.send(c.CloseSession(session=S2))
    assert (await ear.wait(e.SessionClosed)).statistics.packets_sent >= 40


async def test_parties_of_a_mix_are_brought_to_one_thread(tmp_path: Path, peers: list[RtpPeer]) -> None:
    engine = MediaEngine(config(tmp_path, threads=2))
    await engine.start()
    ear = listening(engine)
    local = {S1: await opened(engine, ear, S1), S2: await opened(engine, ear, S2)}
    for session, peer in zip(local, peers, strict=True):
        engine.send(remote(session, peer))
        engine.send(c.JoinMix(mix=c.MixId(1), session=session))
    await settled(engine, ear, S2)
    said = cut(frames.encode(tone(0.6), c.Codec.PCMA))
    for (session, speaker), hearer in zip(zip(local, peers, strict=True), reversed(peers), strict=True):
        speaking = asyncio.create_task(speaker.speak(local[session], said, payload_type=8))
        loud = 0
        async with asyncio.timeout(10.0):
            while loud < 20:
                loud += (await hearer.receive()).payload != b"\xd5" * 160
        await speaking
    engine.send(c.LeaveMix(mix=c.MixId(1), session=S1))
    for session in local:
        engine.send(c.CloseSession(session=session))
        await ear.wait(e.SessionClosed)
    await engine.stop()


async def test_sessions_of_two_threads_are_brought_together(tmp_path: Path, peers: list[RtpPeer]) -> None:
    (tmp_path / "a.ohf").write_bytes(frames.prepare(tone(0.1)))
    engine = MediaEngine(config(tmp_path, threads=2))
    await engine.start()
    ear = listening(engine)
    # Each goes where fewest are: the first two to different threads.
    to_a, to_b = await opened(engine, ear, S1), await opened(engine, ear, S2)
    for session, peer in ((S1, peers[0]), (S2, peers[1])):
        engine.send(remote(session, peer))
    engine.send(c.Play(session=S2, playback=c.PlaybackId(1), files=(str(tmp_path / "a.ohf"),)))
    engine.send(c.Bridge(a=S1, b=S2))
    assert (await ear.wait(e.PlaybackEnded)).reason is e.PlaybackEnd.FINISHED, "it plays on where it was taken to"
    assert len(await peers[1].receive_until_quiet()) == 5
    for to, speaker, hearer in ((to_a, *peers), (to_b, *reversed(peers))):
        speaker.send(to, b"\x55" * 160, payload_type=8)
        assert (await hearer.receive()).payload == b"\x55" * 160
    for session in (S1, S2):
        engine.send(c.CloseSession(session=session))
        assert (await ear.wait(e.SessionClosed)).statistics.packets_received == 1
    await engine.stop()


async def test_media_that_stops_is_told_and_so_is_its_return(
    engine: MediaEngine, ear: Ear, peers: list[RtpPeer]
) -> None:
    local = await opened(engine, ear, S1)
    engine.send(remote(S1, peers[0], media_timeout_ms=100))
    lost = await ear.wait(e.MediaLost)
    assert 100 <= lost.silent_ms < 1000
    peers[0].send(local, b"\xd5" * 160, payload_type=8)
    await ear.wait(e.MediaBack)
    engine.send(c.CloseSession(session=S1))
    statistics = (await ear.wait(e.SessionClosed)).statistics
    assert (statistics.packets_received, statistics.bytes_received, statistics.lost) == (1, 160, 0)
    assert statistics.round_trip_us is statistics.mos_hundredths is None
    assert engine.sessions == frozenset()


async def test_strangers_are_counted_and_not_heard(engine: MediaEngine, ear: Ear, peers: list[RtpPeer]) -> None:
    peer, stranger = peers
    local = await opened(engine, ear, S1)
    engine.send(remote(S1, peer, latch=c.Latch.STRICT))
    await settled(engine, ear, S1)
    peer.send(local, b"\xd5" * 160, payload_type=8)
    stranger.send(local, b"\xd5" * 160, payload_type=8)
    stranger.send_key(local, 5, payload_type=EVENTS_TYPE)
    peer.socket.sendto(b"rubbish", local)
    peer.send_key(local, 6, payload_type=EVENTS_TYPE)
    assert (await ear.wait(e.Digit)).digit == "6"
    engine.send(c.CloseSession(session=S1))
    statistics = (await ear.wait(e.SessionClosed)).statistics
    assert (statistics.foreign, statistics.rubbish, statistics.packets_received) == (6, 1, 6)


async def test_ports_and_mistakes_are_told(tmp_path: Path) -> None:
    engine = MediaEngine(config(tmp_path, rtp_ports=(33_000, 33_001)))
    await engine.start()
    ear = listening(engine)
    await opened(engine, ear, S1)
    engine.send(c.OpenSession(session=S1, local="127.0.0.1"))
    assert (await ear.wait(e.SessionFailed)).why is e.OpenFailure.DUPLICATE
    engine.send(c.OpenSession(session=S2, local="127.0.0.1"))
    failed = await ear.wait(e.SessionFailed)
    assert (failed.why, failed.session) == (e.OpenFailure.NO_PORTS, S2)
    assert "rtp_ports" in failed.detail
    engine.send(c.OpenSession(session=S3, local="127.0.0.1", port=33_000))
    assert (await ear.wait(e.SessionFailed)).why is e.OpenFailure.BUSY
    engine.send(c.StopPlayback(session=S2, playback=c.PlaybackId(1)))
    mistake = await ear.wait(e.CommandFailed)
    assert (mistake.command, mistake.id) == (8, S2)
    engine.send(c.CloseSession(session=S1))
    await ear.wait(e.SessionClosed)
    # It rests: for other sessions, not for one that is made again where it was.
    engine.send(c.OpenSession(session=S2, local="127.0.0.1"))
    assert (await ear.wait(e.SessionFailed)).why is e.OpenFailure.NO_PORTS
    engine.send(c.OpenSession(session=S3, local="127.0.0.1", port=33_000))
    assert (await ear.wait(e.SessionOpened)).local == ("127.0.0.1", 33_000)
    await engine.stop()


async def test_ports_that_another_program_holds_are_passed_over(tmp_path: Path) -> None:
    """Another server beside us may hold any number of ports in a row."""
    held = []
    with contextlib.ExitStack() as others:
        for port in range(33_000, 33_398, 2):
            other = others.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            with contextlib.suppress(OSError):
                other.bind(("127.0.0.1", port))
                held.append(port)
        engine = MediaEngine(config(tmp_path, rtp_ports=(33_000, 33_399)))
        ear = listening(engine)
        await engine.start()
        try:
            assert (await opened(engine, ear, S1))[1] not in held
        finally:
            await engine.stop()


async def test_a_later_control_process_is_the_newer_one_though_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = MediaEngine(config(tmp_path))
    await first.start()
    await first.leave()
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3600 * 10**9)
    second = MediaEngine(config(tmp_path))
    assert await second.start() is not None, "it was adopted"
    await second.stop()


async def test_a_new_control_process_finds_calls_sounding_and_hears_what_it_missed(
    tmp_path: Path, peers: list[RtpPeer]
) -> None:
    (tmp_path / "a.ohf").write_bytes(frames.prepare(tone(0.2)))
    first = MediaEngine(config(tmp_path), generation=1)
    await first.start()
    ear = listening(first)
    local = await opened(first, ear, S1)
    first.send(remote(S1, peers[0]))
    play = c.Play(session=S1, playback=c.PlaybackId(3), files=(str(tmp_path / "a.ohf"),), repeat=0)
    first.send(play)
    await peers[0].receive()
    pid = first.pid
    await first.leave()
    peers[0].send_key(local, 1, payload_type=EVENTS_TYPE)
    while peers[0].socket.fileno() > 0 and (await peers[0].receive()).payload_type != 8:
        pass

    second = MediaEngine(config(tmp_path), generation=2)
    heard = listening(second)
    found = await second.start()
    assert found is not None
    [alive] = found.sessions
    assert (alive.session, alive.local, alive.remote, alive.playback) == (S1, local, peers[0].address, 3)
    assert (second.pid, second.sessions) == (pid, {S1})
    assert (await heard.wait(e.Digit)).digit == "1"
    assert (await peers[0].receive()).payload_type == 8
    second.send(c.StopPlayback(session=S1, playback=c.PlaybackId(3)))
    await heard.wait(e.PlaybackEnded)
    assert not [event for event in heard.events if isinstance(event, e.SessionOpened)], "acknowledged before"
    await second.stop()


async def test_what_a_new_control_process_says_again_is_not_done_twice(
    engine: MediaEngine, ear: Ear, peers: list[RtpPeer], tmp_path: Path
) -> None:
    """It cannot know whether the words of the one before it came here."""
    (tmp_path / "a.ohf").write_bytes(frames.prepare(tone(0.1)))
    await opened(engine, ear, S1)
    engine.send(remote(S1, peers[0]))
    play = c.Play(session=S1, playback=c.PlaybackId(5), files=(str(tmp_path / "a.ohf"),), repeat=2)
    digits = (c.DigitTone(digit="7", duration_ms=60, pause_ms=40),)
    keys = [c.SendDigits(session=S1, request=c.RequestId(number), digits=digits) for number in (8, 9, 8, 9)]
    for command in (play, *keys, play):
        engine.send(command)
    assert (await ear.wait(e.PlaybackEnded)).played_ms == 200
    sent = [await ear.wait(e.DigitsSent) for _ in range(2)]
    assert [each.request for each in sent] == [8, 9]
    engine.send(play)
    again = await ear.wait(e.PlaybackEnded)
    assert (again.playback, again.reason, again.played_ms) == (5, e.PlaybackEnd.FINISHED, 0), "it is over, and told so"
    engine.send(keys[0])
    await settled(engine, ear, S1)
    assert not [event for event in ear.events if not isinstance(event, e.TickLate)]


async def test_the_newer_control_process_has_the_engine(tmp_path: Path) -> None:
    older, newer, stale = (MediaEngine(config(tmp_path), generation=n) for n in (5, 6, 4))
    await older.start()
    displaced = listening(older)
    await opened(older, displaced, S1)
    found = await newer.start()
    assert found is not None
    assert [alive.session for alive in found.sessions] == [S1]
    assert await displaced.wait_lost(1) == [S1]
    assert any("newer" in fault for fault in displaced.faults)
    with pytest.raises(EngineError, match="newer offhook"):
        await stale.start()
    ear = listening(newer)
    await opened(newer, ear, S2)
    await older.leave()
    await newer.stop()


async def test_sockets_outlive_the_control_process(engine: MediaEngine) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        sip.bind(("127.0.0.1", 0))
        address = sip.getsockname()
        await engine.keep_socket("udp:sip", sip)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.sendto(b"OPTIONS", address)
    found = await engine.fetch_sockets()
    assert list(found) == ["udp:sip"]
    with found["udp:sip"] as same:
        assert same.getsockname() == address
        assert same.recv(100) == b"OPTIONS"
    await engine.drop_socket("udp:sip")
    assert await engine.fetch_sockets() == {}


async def test_an_engine_that_dies_is_told_and_another_stands(
    engine: MediaEngine, ear: Ear, peers: list[RtpPeer]
) -> None:
    await opened(engine, ear, S1)
    assert engine.pid is not None
    dead = engine.pid
    os.kill(dead, signal.SIGKILL)
    assert await ear.wait_lost(1) == [S1]
    engine.send(c.OpenSession(session=S2, local="127.0.0.1"))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(engine.wait_until_up(), 5)
    assert engine.pid != dead
    await opened(engine, ear, S3)
    assert engine.sessions >= {S3}
    assert any("died" in fault for fault in ear.faults)


async def test_an_orphan_ends_by_itself(tmp_path: Path) -> None:
    engine = MediaEngine(config(tmp_path, orphan_s=0))
    process = None
    with contextlib.suppress(EngineError):
        await engine.start()
        process = engine.pid
        await engine.leave()
    assert process is None or not _is_alive_within(process)


def _is_alive_within(pid: int) -> bool:
    """Waits for the end of a child of ours, at most until the test's own deadline."""
    os.waitpid(pid, 0)
    return False


async def test_what_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="cannot be started"):
        await MediaEngine(config(tmp_path, binary=tmp_path / "nothing")).start()
    with pytest.raises(EngineError, match="--ports takes a range"):
        await MediaEngine(config(tmp_path, rtp_ports=(9, 5))).start()
    with pytest.raises(EngineError, match="shorter data_dir"):
        await MediaEngine(config(tmp_path / ("x" * 120))).start()
    monkeypatch.delenv(media_process.BINARY_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(media_process.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(EngineError, match="pip install"):
        find_binary()
    (tmp_path / media_process.BINARY_NAME).write_bytes(b"")
    assert find_binary() == tmp_path / media_process.BINARY_NAME
