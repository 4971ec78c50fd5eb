"""Every message byte by byte: which octets of it are which field. What the golden file has as one run of octets is laid
out here for a reader, and for whoever writes a third codec."""

import pytest

from offhook.media import commands as c
from offhook.media import events as e
from offhook.media import wire

Fields = tuple[tuple[str, str], ...]
COMMANDS: tuple[tuple[c.Command, Fields], ...] = (
    (
        c.Hello(version=1, generation=5),
        (
            ("kind", "01"),
            ("version: u16", "0100"),
            ("generation: u64", "0500000000000000"),
        ),
    ),
    (
        c.Ack(event=1099511627777),
        (
            ("kind", "02"),
            ("event: u64", "0100000000010000"),
        ),
    ),
    (c.Shutdown(), (("kind", "03"),)),
    (
        c.OpenSession(session=c.SessionId(1), local="127.0.0.1"),
        (
            ("kind", "04"),
            ("session: u32", "01000000"),
            ("local: ip", "047f000001"),
            ("near: u32", "00000000"),
            ("port: u16", "0000"),
        ),
    ),
    (
        c.OpenSession(session=c.SessionId(2), local="2001:db8::1", near=c.SessionId(1), port=20002),
        (
            ("kind", "04"),
            ("session: u32", "02000000"),
            ("local: ip", "0620010db8000000000000000000000001"),
            ("near: u32", "01000000"),
            ("port: u16", "224e"),
        ),
    ),
    (
        c.SetRemote(
            session=c.SessionId(1),
            remote=(
                "192.0.2.7",
                40000,
            ),
            send_codec=c.Codec.PCMA,
            send_payload_type=8,
            receive=(
                c.PayloadMap(payload_type=8, codec=c.Codec.PCMA),
                c.PayloadMap(payload_type=0, codec=c.Codec.PCMU),
            ),
            send_events=101,
            receive_events=96,
        ),
        (
            ("kind", "05"),
            ("session: u32", "01000000"),
            ("remote: address", "04c0000207409c"),
            ("remote_rtcp: opt_address", "00"),
            ("send_codec: Codec", "08"),
            ("send_payload_type: u8", "08"),
            ("receive: list:PayloadMap", "020008080000"),
            ("send_events: opt_u8", "65"),
            ("receive_events: opt_u8", "60"),
            ("ptime_ms: u8", "14"),
            ("direction: Direction", "03"),
            ("latch: Latch", "01"),
            ("rtcp_mux: bool", "00"),
            ("inband_digits: bool", "00"),
            ("send_silence: bool", "00"),
            ("media_timeout_ms: u32", "00000000"),
        ),
    ),
    (
        c.SetRemote(
            session=c.SessionId(2),
            remote=(
                "2001:db8::9",
                5004,
            ),
            remote_rtcp=(
                "2001:db8::9",
                5009,
            ),
            send_codec=c.Codec.PCMU,
            send_payload_type=0,
            receive=(),
            ptime_ms=30,
            direction=c.Direction.RECV_ONLY,
            latch=c.Latch.STRICT,
            rtcp_mux=True,
            inband_digits=True,
            send_silence=True,
            media_timeout_ms=30000,
        ),
        (
            ("kind", "05"),
            ("session: u32", "02000000"),
            ("remote: address", "0620010db80000000000000000000000098c13"),
            ("remote_rtcp: opt_address", "0620010db80000000000000000000000099113"),
            ("send_codec: Codec", "00"),
            ("send_payload_type: u8", "00"),
            ("receive: list:PayloadMap", "0000"),
            ("send_events: opt_u8", "ff"),
            ("receive_events: opt_u8", "ff"),
            ("ptime_ms: u8", "1e"),
            ("direction: Direction", "02"),
            ("latch: Latch", "00"),
            ("rtcp_mux: bool", "01"),
            ("inband_digits: bool", "01"),
            ("send_silence: bool", "01"),
            ("media_timeout_ms: u32", "30750000"),
        ),
    ),
    (
        c.CloseSession(session=c.SessionId(4294967295)),
        (
            ("kind", "06"),
            ("session: u32", "ffffffff"),
        ),
    ),
    (
        c.Play(
            session=c.SessionId(1),
            playback=c.PlaybackId(3),
            files=(
                "/tmp/höj.ohf",
                "b",
            ),
            repeat=0,
            gap_ms=500,
            start_ms=20,
        ),
        (
            ("kind", "07"),
            ("session: u32", "01000000"),
            ("playback: u32", "03000000"),
            ("files: list:text", "02000d002f746d702f68c3b66a2e6f6866010062"),
            ("repeat: u16", "0000"),
            ("gap_ms: u32", "f4010000"),
            ("start_ms: u32", "14000000"),
        ),
    ),
    (
        c.StopPlayback(session=c.SessionId(1), playback=c.PlaybackId(3)),
        (
            ("kind", "08"),
            ("session: u32", "01000000"),
            ("playback: u32", "03000000"),
        ),
    ),
    (
        c.SendDigits(
            session=c.SessionId(1),
            request=c.RequestId(4),
            digits=(
                c.DigitTone(digit="1"),
                c.DigitTone(digit="", duration_ms=0, pause_ms=500),
                c.DigitTone(digit="D", duration_ms=200, pause_ms=100),
            ),
        ),
        (
            ("kind", "09"),
            ("session: u32", "01000000"),
            ("request: u32", "04000000"),
            ("digits: list:DigitTone", "030031a0005000000000f40144c8006400"),
        ),
    ),
    (
        c.WatchSilence(session=c.SessionId(1), silence_ms=3000),
        (
            ("kind", "0a"),
            ("session: u32", "01000000"),
            ("silence_ms: u32", "b80b0000"),
        ),
    ),
    (
        c.StartRecording(
            recording=c.RecordingId(6),
            session=c.SessionId(1),
            recorded=c.RecordingKind.BOTH,
            path="/tmp/a.wav",
            max_ms=60000,
            silence_ms=5000,
        ),
        (
            ("kind", "0b"),
            ("recording: u32", "06000000"),
            ("session: u32", "01000000"),
            ("recorded: RecordingKind", "01"),
            ("path: text", "0a002f746d702f612e776176"),
            ("max_ms: u32", "60ea0000"),
            ("silence_ms: u32", "88130000"),
        ),
    ),
    (
        c.StopRecording(recording=c.RecordingId(6)),
        (
            ("kind", "0c"),
            ("recording: u32", "06000000"),
        ),
    ),
    (
        c.PauseRecording(recording=c.RecordingId(6), paused=True),
        (
            ("kind", "0d"),
            ("recording: u32", "06000000"),
            ("paused: bool", "01"),
        ),
    ),
    (
        c.Bridge(a=c.SessionId(1), b=c.SessionId(2)),
        (
            ("kind", "0e"),
            ("a: u32", "01000000"),
            ("b: u32", "02000000"),
        ),
    ),
    (
        c.Unbridge(a=c.SessionId(1), b=c.SessionId(2)),
        (
            ("kind", "0f"),
            ("a: u32", "01000000"),
            ("b: u32", "02000000"),
        ),
    ),
    (
        c.JoinMix(mix=c.MixId(9), session=c.SessionId(1), muted=True),
        (
            ("kind", "10"),
            ("mix: u32", "09000000"),
            ("session: u32", "01000000"),
            ("muted: bool", "01"),
        ),
    ),
    (
        c.LeaveMix(mix=c.MixId(9), session=c.SessionId(1)),
        (
            ("kind", "11"),
            ("mix: u32", "09000000"),
            ("session: u32", "01000000"),
        ),
    ),
    (
        c.MuteInMix(mix=c.MixId(9), session=c.SessionId(1), muted=False),
        (
            ("kind", "12"),
            ("mix: u32", "09000000"),
            ("session: u32", "01000000"),
            ("muted: bool", "00"),
        ),
    ),
    (
        c.Mute(session=c.SessionId(1), muted=True),
        (
            ("kind", "14"),
            ("session: u32", "01000000"),
            ("muted: bool", "01"),
        ),
    ),
    (
        c.GetStatistics(session=c.SessionId(1)),
        (
            ("kind", "13"),
            ("session: u32", "01000000"),
        ),
    ),
    (
        c.KeepSocket(name="udp:127.0.0.1:5060"),
        (
            ("kind", "20"),
            ("name: text", "12007564703a3132372e302e302e313a35303630"),
        ),
    ),
    (c.FetchSockets(), (("kind", "21"),)),
    (
        c.DropSocket(name="x"),
        (
            ("kind", "22"),
            ("name: text", "010078"),
        ),
    ),
)
ANSWERS: tuple[tuple[e.Reply | e.Event, Fields], ...] = (
    (
        e.Welcome(
            version=1,
            engine_pid=4242,
            engine_generation=9223372036854775808,
            sessions=2,
            highest_event=17,
            waiting_events=3,
            dropped_events=0,
        ),
        (
            ("kind", "01"),
            ("version: u16", "0100"),
            ("engine_pid: u32", "92100000"),
            ("engine_generation: u64", "0000000000000080"),
            ("sessions: u32", "02000000"),
            ("highest_event: u64", "1100000000000000"),
            ("waiting_events: u32", "03000000"),
            ("dropped_events: u64", "0000000000000000"),
        ),
    ),
    (
        e.Refused(why=e.RefusedWhy.GENERATION, version=1, generation=6),
        (
            ("kind", "02"),
            ("why: RefusedWhy", "01"),
            ("version: u16", "0100"),
            ("generation: u64", "0600000000000000"),
        ),
    ),
    (
        e.SessionAlive(
            session=c.SessionId(1),
            local=(
                "127.0.0.1",
                20000,
            ),
            rtcp_port=20001,
            remote=None,
            direction=c.Direction.SEND_RECV,
            bridged_with=c.SessionId(0),
            mix=c.MixId(0),
            playback=c.PlaybackId(3),
            recordings=(
                c.RecordingId(6),
                c.RecordingId(7),
            ),
        ),
        (
            ("kind", "03"),
            ("session: u32", "01000000"),
            ("local: address", "047f000001204e"),
            ("rtcp_port: u16", "214e"),
            ("remote: opt_address", "00"),
            ("direction: Direction", "03"),
            ("bridged_with: u32", "00000000"),
            ("mix: u32", "00000000"),
            ("playback: u32", "03000000"),
            ("recordings: list:u32", "02000600000007000000"),
        ),
    ),
    (
        e.SessionAlive(
            session=c.SessionId(2),
            local=(
                "::1",
                20002,
            ),
            rtcp_port=20002,
            remote=(
                "::1",
                9,
            ),
            direction=c.Direction.INACTIVE,
            bridged_with=c.SessionId(1),
            mix=c.MixId(0),
            playback=c.PlaybackId(0),
            recordings=(),
        ),
        (
            ("kind", "03"),
            ("session: u32", "02000000"),
            ("local: address", "0600000000000000000000000000000001224e"),
            ("rtcp_port: u16", "224e"),
            ("remote: opt_address", "06000000000000000000000000000000010900"),
            ("direction: Direction", "00"),
            ("bridged_with: u32", "01000000"),
            ("mix: u32", "00000000"),
            ("playback: u32", "00000000"),
            ("recordings: list:u32", "0000"),
        ),
    ),
    (
        e.Sockets(
            names=(
                "a",
                "b",
            )
        ),
        (
            ("kind", "04"),
            ("names: list:text", "0200010061010062"),
        ),
    ),
    (
        e.SessionOpened(
            session=c.SessionId(1),
            local=(
                "127.0.0.1",
                20000,
            ),
            rtcp_port=20001,
        ),
        (
            ("kind", "10"),
            ("number", "0700000000000000"),
            ("session: u32", "01000000"),
            ("local: address", "047f000001204e"),
            ("rtcp_port: u16", "214e"),
        ),
    ),
    (
        e.SessionFailed(session=c.SessionId(1), why=e.OpenFailure.NO_PORTS, detail="all taken"),
        (
            ("kind", "11"),
            ("number", "0700000000000000"),
            ("session: u32", "01000000"),
            ("why: OpenFailure", "00"),
            ("detail: text", "0900616c6c2074616b656e"),
        ),
    ),
    (
        e.SessionClosed(
            session=c.SessionId(1),
            cause=e.CloseCause.FAULT,
            statistics=e.SessionStatistics(
                packets_received=10,
                bytes_received=1600,
                packets_sent=8589934592,
                bytes_sent=4,
                lost=5,
                late=6,
                duplicate=7,
                foreign=8,
                rubbish=9,
                jitter_us=1500,
                round_trip_us=None,
                remote_lost=0,
                mos_hundredths=441,
                codec=c.Codec.PCMA,
            ),
        ),
        (
            ("kind", "12"),
            ("number", "0700000000000000"),
            ("session: u32", "01000000"),
            ("cause: CloseCause", "01"),
            (
                "statistics: SessionStatistics",
                "0a000000000000004006000000000000000000000200000004000000000000000500000006000000070000000800000009000000dc050000ffffffff00000000b90108",
            ),
        ),
    ),
    (
        e.PlaybackEnded(
            session=c.SessionId(1),
            playback=c.PlaybackId(3),
            reason=e.PlaybackEnd.FAILED,
            played_ms=40,
            detail="no such file",
        ),
        (
            ("kind", "13"),
            ("number", "0700000000000000"),
            ("session: u32", "01000000"),
            ("playback: u32", "03000000"),
            ("reason: PlaybackEnd", "03"),
            ("played_ms: u32", "28000000"),
            ("detail: text", "0c006e6f20737563682066696c65"),
        ),
    ),
    (
        e.Digit(session=c.SessionId(1), digit="#", duration_ms=160, source=e.DigitSource.INBAND, at_us=123456789012),
        (
            ("kind", "14"),
            ("number", "0700000000000000"),
            ("session: u32", "01000000"),
            ("digit: digit", "23"),
            ("duration_ms: u32", "a0000000"),
            ("source: DigitSource", "01"),
            ("at_us: u64", "141a99be1c000000"),
        ),
    ),
    (
        e.DigitsSent(session=c.SessionId(1), request=c.RequestId(4), reason=e.DigitsEnd.SENT),
        (
            ("kind", "15"),
            ("number", "0700000000000000"),
            ("session: u32", "01000000"),
            ("request: u32", "04000000"),
            ("reason: DigitsEnd", "00"),
        ),
    ),
    (
        e.Silence(session=c.SessionId(1), silence_ms=3000),
        (
            ("kind", "16"),
            ("number", "0700000000000000"),
            ("session: u32", "01000000"),
            ("silence_ms: u32", "b80b0000"),
        ),
    ),
    (
        e.RecordingEnded(
            recording=c.RecordingId(6),
            session=c.SessionId(1),
            reason=e.RecordingEnd.SILENCE,
            duration_ms=9000,
            voiced_ms=4000,
            bytes=144044,
            detail="",
        ),
        (
            ("kind", "17"),
            ("number", "0700000000000000"),
            ("recording: u32", "06000000"),
            ("session: u32", "01000000"),
            ("reason: RecordingEnd", "02"),
            ("duration_ms: u32", "28230000"),
            ("voiced_ms: u32", "a00f0000"),
            ("bytes: u64", "ac32020000000000"),
            ("detail: text", "0000"),
        ),
    ),
    (
        e.MediaLost(session=c.SessionId(1), silent_ms=30000),
        (
            ("kind", "18"),
            ("number", "0700000000000000"),
            ("session: u32", "01000000"),
            ("silent_ms: u32", "30750000"),
        ),
    ),
    (
        e.MediaBack(session=c.SessionId(1)),
        (
            ("kind", "19"),
            ("number", "0700000000000000"),
            ("session: u32", "01000000"),
        ),
    ),
    (
        e.Statistics(
            session=c.SessionId(1),
            statistics=e.SessionStatistics(
                packets_received=0,
                bytes_received=0,
                packets_sent=0,
                bytes_sent=0,
                lost=0,
                late=0,
                duplicate=0,
                foreign=0,
                rubbish=0,
                jitter_us=None,
                round_trip_us=None,
                remote_lost=None,
                mos_hundredths=None,
                codec=c.Codec.PCMU,
            ),
        ),
        (
            ("kind", "1a"),
            ("number", "0700000000000000"),
            ("session: u32", "01000000"),
            (
                "statistics: SessionStatistics",
                "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000ffffffffffffffffffffffffffff00",
            ),
        ),
    ),
    (
        e.TickLate(worst_us=7000, late_ticks=12),
        (
            ("kind", "1b"),
            ("number", "0700000000000000"),
            ("worst_us: u32", "581b0000"),
            ("late_ticks: u32", "0c000000"),
        ),
    ),
    (
        e.CommandFailed(command=5, id=77, detail="no session 77"),
        (
            ("kind", "1c"),
            ("number", "0700000000000000"),
            ("command: u8", "05"),
            ("id: u32", "4d000000"),
            ("detail: text", "0d006e6f2073657373696f6e203737"),
        ),
    ),
)


def octets(fields: Fields) -> bytes:
    body = bytes.fromhex("".join(written for _, written in fields))
    return len(body).to_bytes(4, "little") + body


@pytest.mark.parametrize(("command", "fields"), COMMANDS, ids=lambda value: type(value).__name__)
def test_a_command_is_these_octets(command: c.Command, fields: Fields) -> None:
    assert wire.encode_command(command) == octets(fields)
    [frame] = wire.Frames().feed(octets(fields))
    assert wire.decode_command(frame) == command


@pytest.mark.parametrize(("answer", "fields"), ANSWERS, ids=lambda value: type(value).__name__)
def test_an_answer_is_these_octets(answer: e.Reply | e.Event, fields: Fields) -> None:
    number = 7 if isinstance(answer, tuple(wire.EVENTS)) else 0
    assert wire.encode_answer(answer, number) == octets(fields)
    [frame] = wire.Frames().feed(octets(fields))
    assert wire.decode_answer(frame) == (number, answer)


@pytest.mark.parametrize(("message", "fields"), COMMANDS + ANSWERS, ids=lambda value: type(value).__name__)
def test_fields_are_named_as_they_are_written(message: c.Command | e.Reply | e.Event, fields: Fields) -> None:
    _, types = (wire.COMMANDS | wire.REPLIES | wire.EVENTS)[type(message)]
    named = [f"{name}: {kind}" for name, kind in zip(type(message).__slots__, types.split(), strict=True)]
    assert [name for name, _ in fields if name not in ("kind", "number")] == named
