"""Between calls and the engine: identifiers, ends that always come, and what is left when the engine is not."""

import asyncio
from pathlib import Path

import pytest
import structlog
from tests.support.engine_line import statistics
from tests.support.media_scene import P1, P2, A, B, Scene

from offhook.call import commands as call
from offhook.call import events as happened
from offhook.media import commands as do
from offhook.media import events as said
from offhook.runtime import media_legs
from offhook.runtime.media_leg import Playback
from offhook.runtime.media_legs import LAST_ID, PORTS_REST_S, MediaLeg


@pytest.fixture
def scene() -> Scene:
    return Scene()


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_leg_gets_ports_and_gives_them_back_with_its_figures(scene: Scene) -> None:
    media = scene.open()
    assert scene.of("open") == [media]
    assert (media.address, media.rtcp_port) == (("127.0.0.1", 20_000), 20_001)
    assert scene.legs.open_sessions == 1
    figures: list[said.SessionStatistics | None] = []
    scene.legs.close(media, lambda closed: figures.append(closed.statistics))
    scene.legs.close(media, lambda closed: figures.append(closed.statistics))
    assert figures == [statistics()]
    assert scene.legs.open_sessions == 0
    assert scene.of("lost") == []


def test_what_is_waited_for_is_counted(scene: Scene) -> None:
    media = scene.open()
    scene.legs.play(media, P1, ["/tone"], 1)
    scene.legs.send_digits(media, call.RequestId(2), "12")
    scene.record(media)
    assert scene.legs.counts() == {"legs": 1, "playbacks": 1, "digits": 1, "recordings": 1}
    scene.legs.lost((media.session,))
    assert not any(scene.legs.counts().values())


def test_a_leg_is_placed_beside_the_one_it_will_be_joined_with(scene: Scene) -> None:
    first = scene.open(A)
    scene.open(B, near=first)
    assert scene.line.last(do.OpenSession).near == first.session
    scene.legs.close(first)
    scene.open(B, near=first)
    assert scene.line.last(do.OpenSession).near == do.NO_SESSION


def test_identifiers_are_never_used_twice_and_go_round_before_they_overflow() -> None:
    scene = Scene(first_id=LAST_ID)
    first, second = scene.open(A), scene.open(B)
    assert (first.session, second.session) == (LAST_ID, 1)
    assert do.NO_SESSION not in (first.session, second.session)


def test_ports_that_were_given_back_rest_before_they_count_as_free(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = [100.0]
    monkeypatch.setattr(media_legs.time, "monotonic", lambda: at[0])
    first, second = scene.open(A), scene.open(B)
    assert scene.legs.busy_ports() == 2
    scene.legs.close(first)
    at[0] += 1.0
    scene.legs.close(second)
    assert (scene.legs.open_sessions, scene.legs.busy_ports()) == (0, 2)
    at[0] += PORTS_REST_S - 0.5
    assert scene.legs.busy_ports() == 1
    at[0] += 1.0
    assert scene.legs.busy_ports() == 0


def test_no_ports_means_the_leg_is_lost(scene: Scene) -> None:
    scene.line.opens = False
    media = scene.open()
    scene.line.failed(media.session)
    assert scene.of("lost") == [media]
    assert (scene.legs.open_sessions, scene.legs.busy_ports()) == (0, 0), "it never had any"


def test_a_session_closed_before_its_ports_came_is_not_lost(scene: Scene) -> None:
    scene.line.opens = False
    media = scene.open()
    ended: list[MediaLeg] = []
    scene.legs.close(media, ended.append)
    scene.line.opened(media.session)
    scene.line.closed(media.session)
    assert ended == [media]
    assert scene.of("lost") == []


def test_a_session_that_the_engine_closes_by_itself_is_lost_with_its_figures(scene: Scene) -> None:
    media = scene.open()
    scene.line.closed(media.session, said.CloseCause.FAULT)
    assert scene.of("lost") == [media]
    assert media.statistics is not None
    ended: list[MediaLeg] = []
    scene.legs.close(media, ended.append)
    assert ended == [media], "whoever closes it still hears of the end"


def test_silence_of_the_network_is_told_but_not_of_a_leg_that_is_closing(scene: Scene) -> None:
    media = scene.open()
    lost = said.MediaLost(session=media.session, silent_ms=120_000)
    scene.legs.handle(lost)
    assert scene.of("lost") == [media]
    scene.line.opens = False
    scene.legs.close(media)
    scene.legs.handle(lost)
    assert len(scene.of("lost")) == 1


def test_events_of_sessions_that_are_unknown_change_nothing(scene: Scene) -> None:
    unknown = do.SessionId(99)
    for event in (
        said.SessionOpened(session=unknown, local=("127.0.0.1", 1), rtcp_port=2),
        said.SessionClosed(session=unknown, cause=said.CloseCause.ASKED, statistics=statistics()),
        said.SessionFailed(session=unknown, why=said.OpenFailure.BUSY, detail=""),
        said.MediaLost(session=unknown, silent_ms=1),
        said.MediaBack(session=unknown),
        said.Digit(session=unknown, digit="1", duration_ms=1, source=said.DigitSource.EVENT, at_us=0),
        said.PlaybackEnded(
            session=unknown, playback=do.PlaybackId(9), reason=said.PlaybackEnd.FINISHED, played_ms=0, detail=""
        ),
        said.DigitsSent(session=unknown, request=do.RequestId(9), reason=said.DigitsEnd.SENT),
        said.CommandFailed(command=7, id=99, detail="no such session"),
        said.TickLate(worst_us=9000, late_ticks=3),
    ):
        scene.legs.handle(event)
    assert (scene.posted, scene.told) == ([], [])


def test_only_what_can_be_heard_is_told_of_a_late_engine(scene: Scene) -> None:
    with structlog.testing.capture_logs() as logged:
        for worst_us in (5_000, 59_999, 60_000):
            scene.legs.handle(said.TickLate(worst_us=worst_us, late_ticks=3))
    assert [entry["log_level"] for entry in logged] == ["debug", "debug", "info"]
    assert logged[-1] == {"event": "media.late", "log_level": "info", "worst_ms": 60.0, "ticks": 3}


def test_a_fault_in_one_call_is_not_another_ones(scene: Scene) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("a fault in one call")

    bad = scene.legs.open(A, broken, on_open=lambda _: None, on_lost=broken)
    scene.record(bad, "/nowhere", on_closed=broken)
    good = scene.open()
    scene.legs.handle(said.Digit(session=bad.session, digit="1", duration_ms=1, source=said.DigitSource.EVENT, at_us=0))
    scene.legs.lost((bad.session, good.session))
    assert scene.of("lost") == [good]


# ── playing and keys ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_playbacks_have_numbers_that_say_what_they_are(scene: Scene) -> None:
    a, b = scene.open(A), scene.open(A)
    scene.legs.play(a, P1, ["/x", "/y"], 0)
    scene.legs.play(b, P1, ["/x"], 1)
    first, second = scene.line.all(do.Play)
    assert (first.files, first.repeat, first.session) == (("/x", "/y"), 0, a.session)
    assert (first.playback, second.session) == (Playback(("/x", "/y"), 0).number(P1), b.session)
    assert first.playback != second.playback
    scene.legs.stop_playing(b, P1)
    assert scene.line.last(do.StopPlayback) == do.StopPlayback(session=b.session, playback=second.playback)


def test_what_nobody_can_have_heard_is_begun_anew(scene: Scene) -> None:
    media = scene.open()
    scene.legs.begin_anew(media)
    assert scene.line.all(do.Play) == []
    scene.legs.play(media, P1, ["/x"], 1)
    scene.legs.begin_anew(media)
    first, second = scene.line.all(do.Play)
    assert (first.files, second.files) == (("/x",), ("/x",))
    assert first.playback != second.playback, "the engine does nothing twice that has one number"
    for play, reason in ((first, said.PlaybackEnd.REPLACED), (second, said.PlaybackEnd.FINISHED)):
        assert scene.posted == []
        scene.legs.handle(
            said.PlaybackEnded(session=media.session, playback=play.playback, reason=reason, played_ms=20, detail="")
        )
    assert scene.posted == [happened.PlaybackEnded(leg=A, playback=P1, failed=False)]


def test_what_is_to_stop_is_not_begun_anew(scene: Scene) -> None:
    media = scene.open()
    scene.legs.play(media, P1, ["/x"], 1)
    scene.legs.stop_playing(media, P1)
    scene.legs.begin_anew(media)
    assert len(scene.line.all(do.Play)) == 1


@pytest.mark.parametrize(
    ("reason", "failed"),
    [
        (said.PlaybackEnd.FINISHED, False),
        (said.PlaybackEnd.STOPPED, False),
        (said.PlaybackEnd.REPLACED, False),
        (said.PlaybackEnd.FAILED, True),
    ],
)
def test_the_end_of_a_sound_is_told_once(scene: Scene, reason: said.PlaybackEnd, failed: bool) -> None:
    media = scene.open()
    scene.legs.play(media, P2, ["/x"], 1)
    played = said.PlaybackEnded(
        session=media.session, playback=scene.line.last(do.Play).playback, reason=reason, played_ms=20, detail=""
    )
    scene.legs.handle(played)
    scene.legs.handle(played)
    assert scene.posted == [happened.PlaybackEnded(leg=A, playback=P2, failed=failed)]
    scene.legs.stop_playing(media, P2)
    assert scene.line.all(do.StopPlayback) == []


def test_keys_pressed_and_sent(scene: Scene) -> None:
    media = scene.open(B)
    scene.legs.handle(
        said.Digit(session=media.session, digit="5", duration_ms=160, source=said.DigitSource.INBAND, at_us=0)
    )
    scene.legs.send_digits(media, call.RequestId(3), "1w#")
    sending = scene.line.last(do.SendDigits)
    assert "".join(tone.digit for tone in sending.digits) == "1#"
    scene.legs.handle(said.DigitsSent(session=media.session, request=sending.request, reason=said.DigitsEnd.SENT))
    assert scene.posted == [
        happened.DigitPressed(leg=B, digit="5", duration_ms=160),
        happened.DigitsSent(leg=B, request=call.RequestId(3)),
    ]


def test_a_leg_is_muted_while_it_lasts(scene: Scene) -> None:
    media = scene.open()
    scene.legs.mute(media, True)
    scene.legs.mute(media, False)
    assert [(each.session, each.muted) for each in scene.line.all(do.Mute)] == [
        (media.session, True),
        (media.session, False),
    ]
    scene.legs.close(media)
    scene.legs.mute(media, True)
    assert len(scene.line.all(do.Mute)) == 2


# ── joining ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_are_joined_and_parted_unless_one_is_gone(scene: Scene) -> None:
    a, b = scene.open(A), scene.open(B)
    scene.legs.join(a, b)
    scene.legs.part(a, b)
    assert scene.line.last(do.Bridge) == do.Bridge(a=a.session, b=b.session)
    assert scene.line.last(do.Unbridge) == do.Unbridge(a=a.session, b=b.session)
    scene.legs.close(b)
    scene.legs.part(a, b)
    scene.legs.join(a, b)
    assert len(scene.line.all(do.Unbridge)) == len(scene.line.all(do.Bridge)) == 1


def test_who_is_mixed_is_unmixed_unless_it_is_gone(scene: Scene) -> None:
    a, b = scene.open(A), scene.open(B)
    mix, other = scene.legs.new_mix(), scene.legs.new_mix()
    assert mix != other
    scene.legs.mix(mix, a, muted=True)
    assert scene.line.last(do.JoinMix) == do.JoinMix(mix=mix, session=a.session, muted=True)
    scene.legs.unmix(mix, a)
    assert scene.line.last(do.LeaveMix) == do.LeaveMix(mix=mix, session=a.session)
    scene.legs.close(b)
    scene.legs.mix(mix, b, muted=False)
    scene.legs.unmix(mix, b)
    assert len(scene.line.all(do.JoinMix)) == len(scene.line.all(do.LeaveMix)) == 1


# ── a session that is closing, and an engine that died ───────────────────────────────────────────────────────────────


def test_nothing_is_asked_of_a_session_that_is_closing(scene: Scene) -> None:
    """The engine would refuse it, and what it promises would never come: a call would wait for the recording."""
    scene.line.opens = False
    media = scene.open()
    scene.line.opened(media.session)
    scene.legs.close(media)
    sent = len(scene.line.sent)
    scene.legs.play(media, P1, ["/x"], 1)
    scene.legs.send_digits(media, call.RequestId(1), "1")
    scene.record(media)
    assert scene.line.sent[sent:] == []
    assert scene.posted == [], "the end of its leg is told; a call must not take that for the end of a sound"
    assert [each.reason for each in scene.closings] == ["failed"]
    scene.line.closed(media.session)
    assert not any(scene.legs.counts().values())


def test_what_crossed_the_end_of_a_session_is_not_waited_for(scene: Scene) -> None:
    media = scene.open()
    scene.legs.play(media, P1, ["/x"], 1)
    scene.legs.send_digits(media, call.RequestId(1), "1")
    scene.line.closed(media.session, said.CloseCause.FAULT)
    assert not any(scene.legs.counts().values())
    assert not media.playing
    assert not media.sending


def test_an_engine_that_died_ends_everything_but_keeps_what_was_recorded(scene: Scene, tmp_path: Path) -> None:
    """Recordings are valid after every second even if the process dies: what there is, is the customer's."""
    media, closing = scene.open(A), scene.open(B)
    scene.legs.play(media, P1, ["/x"], 0)
    scene.legs.send_digits(media, call.RequestId(1), "1")
    path = tmp_path / "r.wav"
    path.write_bytes(b"\0" * (44 + 2 * 16_000))
    scene.record(media, str(path))
    scene.record(media, str(tmp_path / "never-begun.wav"))
    scene.line.opens = False
    ended: list[MediaLeg] = []
    scene.legs.close(closing, ended.append)
    scene.legs.lost((media.session, closing.session))
    assert scene.of("lost") == [media]
    assert ended == [closing]
    assert [(each.reason, each.duration_ms) for each in scene.closings] == [("closed", 2000), ("closed", 0)]
    assert scene.posted == []
    assert scene.legs.open_sessions == 0
    sent = len(scene.line.sent)
    scene.legs.configure(media, do.SetRemote(
        session=media.session, remote=("127.0.0.1", 9), send_codec=do.Codec.PCMA, send_payload_type=8, receive=()
    ))  # fmt: skip
    assert len(scene.line.sent) == sent


def test_only_the_sessions_that_died_are_lost(scene: Scene) -> None:
    """One that is opened while no engine stands is lost alone; the others are on the next engine."""
    first, second = scene.open(A), scene.open(B)
    scene.legs.play(second, P1, ["/x"], 1)
    scene.record(second)
    scene.legs.lost((first.session,))
    assert scene.of("lost") == [first]
    assert scene.closings == []
    assert scene.legs.counts()["playbacks"] == 1


# ── outliving an engine ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_sessions_are_made_again_on_their_ports_with_what_they_did(tmp_path: Path) -> None:
    scene = Scene()
    a, b, c = scene.open(A), scene.open(B), scene.open(B)
    remote = do.SetRemote(
        session=a.session, remote=("127.0.0.1", 9), send_codec=do.Codec.PCMA, send_payload_type=8, receive=()
    )
    scene.legs.configure(a, remote)
    scene.legs.play(a, P1, ["/x"], 0)
    scene.legs.send_digits(a, call.RequestId(2), "1")
    scene.record(a, str(tmp_path / "r.wav"))
    scene.legs.join(a, b)
    scene.legs.mute(b, muted=True)
    scene.legs.mix(do.MixId(5), c, muted=True)
    scene.line.sent.clear()
    scene.line.opens = False
    scene.legs.engine_died((a.session, b.session, c.session))
    assert [each.reason for each in scene.closings] == ["closed"]
    assert scene.posted == [happened.DigitsSent(leg=A, request=call.RequestId(2))]
    scene.legs.play(b, P2, ["/y"], 1)
    scene.legs.play(c, P2, ["/z"], 1)
    scene.legs.stop_playing(c, P2)
    assert scene.line.sent == [], "there is nobody to hear it"
    assert scene.posted[1:] == [happened.PlaybackEnded(leg=B, playback=P2, failed=False)]
    scene.legs.engine_up()
    assert [(each.session, each.port) for each in scene.line.all(do.OpenSession)] == [
        (a.session, 20_000), (b.session, 20_002), (c.session, 20_004)
    ]  # fmt: skip
    for media in (a, b, c):
        assert media.address is not None
        scene.line.tell(said.SessionOpened(session=media.session, local=media.address, rtcp_port=media.rtcp_port))
    said_again = [each for each in scene.line.sent if not isinstance(each, do.OpenSession)]
    assert said_again == [
        remote,
        do.Play(session=a.session, playback=Playback(("/x",), 0).number(P1), files=("/x",), repeat=0),
        do.Mute(session=b.session, muted=True),
        do.Bridge(a=b.session, b=a.session),
        do.Play(session=b.session, playback=Playback(("/y",), 1).number(P2), files=("/y",), repeat=1),
        do.JoinMix(mix=do.MixId(5), session=c.session, muted=True),
    ]
    assert scene.of("lost") == []


async def test_a_session_that_is_not_made_again_in_time_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_legs, "REOPENED_WITHIN_S", 0.01)
    scene = Scene()
    media, closing = scene.open(), scene.open()
    scene.line.opens = False
    unopened = scene.open()
    scene.legs.close(closing)
    lost = asyncio.Event()
    media.on_lost = lambda _: lost.set()
    scene.legs.engine_died((media.session, closing.session, unopened.session))
    assert scene.of("lost") == [unopened]
    async with asyncio.timeout(5):
        await lost.wait()
    assert not any(scene.legs.counts().values())


async def test_a_port_that_another_has_taken_loses_its_leg() -> None:
    scene = Scene()
    media = scene.open()
    scene.line.opens = False
    scene.legs.engine_died((media.session,))
    scene.legs.engine_up()
    scene.line.failed(media.session)
    assert scene.of("lost") == [media]
