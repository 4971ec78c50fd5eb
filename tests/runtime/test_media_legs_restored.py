"""Sessions that outlive a control process: what is heard of them once more, and what is said to the engine again."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.engine_binary import engine_binary
from tests.support.media_scene import P1, P2, A, B, Scene
from tests.support.rtp_peer import RtpPeer

from offhook.call import commands as call
from offhook.call import events as happened
from offhook.media import commands as do
from offhook.media import events as said
from offhook.media import frames
from offhook.runtime import media_legs
from offhook.runtime.media_leg import Playback, digits_number
from offhook.runtime.media_legs import MediaLeg, MediaLegs
from offhook.runtime.media_process import EngineConfig, MediaEngine
from offhook.runtime.media_recordings import RecordingClosed, RecordingOrder

X1, Y2 = Playback(("/x",), 1).number(P1), Playback(("/y",), 1).number(P2)
"""The engine's numbers of what these calls play."""


def alive(session: int, *, playback: int = 0, recordings: tuple[int, ...] = ()) -> said.SessionAlive:
    """What an engine that lives on says of a session."""
    return said.SessionAlive(
        session=do.SessionId(session), local=("127.0.0.1", 20_000), rtcp_port=20_001, remote=None,
        direction=do.Direction.SEND_RECV, bridged_with=do.NO_SESSION, mix=do.MixId(0),
        playback=do.PlaybackId(playback), recordings=tuple(do.RecordingId(each) for each in recordings),
    )  # fmt: skip


class Restored(Scene):
    """A session that an earlier process had, which knew of the engine's events up to number 10."""

    def __init__(self, **more: object) -> None:
        super().__init__(first_id=1000)
        data = {
            "session": 7, "address": ["127.0.0.1", 20_000], "rtcp_port": 20_001, "playing": [[1, ["/x"], 1, 0]],
            "stopping": [], "sending": [[2, "1"]], "partner": 0, "mix": None, "muted": False,
        }  # fmt: skip
        self.media = self.legs.restore({**data, **more}, A, self.posted.append, after=10)
        self.media.on_lost = lambda media: self.told.append(("lost", media))
        self.line.heard = 11

    def told_engine(self) -> list[do.Command]:
        """What the engine was told, but for what it is told of every session: whether it is muted."""
        return [each for each in self.line.sent if not isinstance(each, do.Mute)]

    def played(self, playback: int, reason: said.PlaybackEnd = said.PlaybackEnd.FINISHED) -> None:
        self.line.tell(
            said.PlaybackEnded(
                session=self.media.session, playback=do.PlaybackId(playback), reason=reason, played_ms=20, detail=""
            )
        )

    def pressed(self, digit: str, number: int) -> None:
        self.line.heard = number
        self.line.tell(
            said.Digit(session=self.media.session, digit=digit, duration_ms=100, source=said.DigitSource.EVENT, at_us=0)
        )


def recorded(scene: Restored, number: int, path: Path, **more: bool) -> None:
    """The facts tell of a recording."""
    order = scene.order(scene.media, str(path), number=do.RecordingId(number), max_s=2.5)
    scene.legs.recordings.restore(order, **more)


def test_what_the_facts_know_of_is_not_heard_twice() -> None:
    scene = Restored()
    scene.pressed("1", 10)
    scene.pressed("2", 11)
    assert scene.posted == [happened.DigitPressed(leg=A, digit="2", duration_ms=100)]


async def test_what_still_plays_plays_on_and_its_end_is_told() -> None:
    scene = Restored(sending=[])
    scene.legs.expect([alive(7, playback=X1)])
    scene.legs.reconcile([alive(7, playback=X1)])
    assert (scene.told_engine(), scene.posted) == ([], [])
    scene.played(X1)
    assert scene.posted == [happened.PlaybackEnded(leg=A, playback=P1, failed=False)]


def test_what_the_engine_was_never_told_to_play_or_send_is_begun() -> None:
    """Its facts were durable, and the command had not left: had it begun, its end would have been told."""
    scene = Restored()
    scene.legs.expect([alive(7)])
    scene.legs.reconcile([alive(7)])
    [play], [keys] = scene.line.all(do.Play), scene.line.all(do.SendDigits)
    assert (play.playback, play.files, play.repeat) == (X1, ("/x",), 1)
    assert [each.digit for each in keys.digits] == ["1"]
    assert scene.posted == []
    scene.played(X1)
    scene.line.tell(said.DigitsSent(session=scene.media.session, request=keys.request, reason=said.DigitsEnd.SENT))
    assert scene.posted == [
        happened.PlaybackEnded(leg=A, playback=P1, failed=False),
        happened.DigitsSent(leg=A, request=call.RequestId(2)),
    ]


@pytest.mark.parametrize("plays", [0, X1])
async def test_what_was_to_be_stopped_does_not_play_on_and_does_not_begin(plays: int) -> None:
    scene = Restored(stopping=[1], sending=[])
    assert scene.media.export()["stopping"] == [1]
    scene.legs.expect([alive(7, playback=plays)])
    scene.legs.reconcile([alive(7, playback=plays)])
    assert scene.line.all(do.Play) == []
    assert [each.playback for each in scene.line.all(do.StopPlayback)] == [X1][:plays]
    if plays:
        scene.played(X1, said.PlaybackEnd.STOPPED)
    assert scene.posted == [happened.PlaybackEnded(leg=A, playback=P1, failed=False)]
    assert scene.media.export()["stopping"] == []


def test_a_session_that_was_to_be_opened_and_never_was_is_opened() -> None:
    """Its INVITE had not left either: that waits for the ports."""
    scene = Restored(address=None, rtcp_port=0, playing=[], sending=[])
    scene.media.on_open = lambda media: scene.told.append(("open", media))
    scene.legs.expect([])
    scene.legs.reconcile([])
    assert scene.line.all(do.OpenSession) == [do.OpenSession(session=scene.media.session, local="127.0.0.1")]
    assert scene.of("open") == [scene.media]


def test_a_call_that_was_sent_back_a_moment_finds_done_what_it_asks_for_again() -> None:
    scene = Restored(playing=[], sending=[])
    scene.legs.expect([alive(7, playback=Y2)])
    scene.played(X1)
    sent = digits_number(call.RequestId(5), "1")
    scene.line.tell(said.DigitsSent(session=scene.media.session, request=sent, reason=said.DigitsEnd.SENT))
    assert scene.posted == []
    scene.legs.play(scene.media, P1, ["/x"], 1)
    scene.legs.send_digits(scene.media, call.RequestId(5), "1")
    assert scene.posted == [
        happened.PlaybackEnded(leg=A, playback=P1, failed=False),
        happened.DigitsSent(leg=A, request=call.RequestId(5)),
    ]
    scene.legs.play(scene.media, P2, ["/y"], 1)
    assert scene.line.sent == [], "it plays already"
    scene.played(Y2)
    assert scene.posted[-1] == happened.PlaybackEnded(leg=A, playback=P2, failed=False)
    scene.legs.play(scene.media, call.PlaybackId(3), ["/z"], 1)
    assert scene.line.last(do.Play).files == ("/z",)


@pytest.mark.parametrize("anew", [1, 2])
async def test_what_was_begun_anew_behind_its_facts_plays_on(anew: int) -> None:
    scene = Restored(sending=[])
    begun = Playback(("/x",), 1, anew=anew).number(P1)
    scene.legs.expect([alive(7, playback=begun)])
    for earlier in range(anew):
        scene.played(Playback(("/x",), 1, anew=earlier).number(P1), said.PlaybackEnd.REPLACED)
    scene.legs.reconcile([alive(7, playback=begun)])
    assert (scene.told_engine(), scene.posted) == ([], [])
    scene.played(begun)
    assert scene.posted == [happened.PlaybackEnded(leg=A, playback=P1, failed=False)]


@pytest.mark.parametrize("over", [False, True])
def test_what_was_begun_anew_before_its_call_asks_for_it_again_is_known(over: bool) -> None:
    scene = Restored(playing=[], sending=[])
    begun = Playback(("/x",), 1, anew=1).number(P1)
    scene.legs.expect([alive(7, playback=0 if over else begun)])
    scene.played(X1, said.PlaybackEnd.REPLACED)
    if over:
        scene.played(begun)
    scene.legs.play(scene.media, P1, ["/x"], 1)
    assert scene.line.sent == []
    if not over:
        assert scene.posted == []
        scene.played(begun)
    assert scene.posted == [happened.PlaybackEnded(leg=A, playback=P1, failed=False)]


def test_a_call_that_goes_on_otherwise_than_it_did_gets_what_it_asks_for_now() -> None:
    """The numbers of the call are those that it gave to other things before it was sent back."""
    scene = Restored(playing=[], sending=[])
    scene.legs.expect([alive(7, playback=Y2)])
    scene.played(X1)
    sent = digits_number(call.RequestId(5), "1")
    scene.line.tell(said.DigitsSent(session=scene.media.session, request=sent, reason=said.DigitsEnd.SENT))
    scene.legs.play(scene.media, P1, ["/other"], 1)
    scene.legs.send_digits(scene.media, call.RequestId(5), "2")
    play, keys = scene.line.sent
    assert isinstance(play, do.Play)
    assert isinstance(keys, do.SendDigits)
    assert (play.files, keys.digits[0].digit) == (("/other",), "2")
    assert scene.posted == []
    # What played before it is replaced, which is not its end.
    scene.played(Y2, said.PlaybackEnd.REPLACED)
    assert scene.posted == []
    scene.played(play.playback)
    assert scene.posted == [happened.PlaybackEnded(leg=A, playback=P1, failed=False)]


@pytest.mark.parametrize("room", [False, True])
def test_what_a_call_no_longer_asks_for_is_not_heard_over_whom_it_is_joined_to(room: bool) -> None:
    scene = Restored(playing=[], sending=[])
    other = scene.legs.restore(scene.media.export() | {"session": 8}, B, scene.posted.append, after=10)
    scene.legs.expect([alive(7, playback=Y2), alive(8)])
    if room:
        scene.legs.mix(do.MixId(5), scene.media, muted=False)
    else:
        scene.legs.join(other, scene.media)
    assert scene.line.sent[0] == do.StopPlayback(session=scene.media.session, playback=Y2)
    assert len(scene.line.sent) == 2
    scene.played(Y2, said.PlaybackEnd.STOPPED)
    assert scene.posted == []


async def test_what_no_call_asks_for_again_is_stopped_by_and_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media_legs, "FOUND_KEPT_S", 0.01)
    claimed, unclaimed = Restored(playing=[], sending=[]), Restored(playing=[], sending=[])
    for scene in (claimed, unclaimed):
        scene.legs.expect([alive(7, playback=Y2)])
        scene.legs.reconcile([alive(7, playback=Y2)])
    claimed.legs.play(claimed.media, P2, ["/y"], 1)
    async with asyncio.timeout(5):
        while not unclaimed.line.all(do.StopPlayback):
            await unclaimed.line.more()
    assert unclaimed.line.last(do.StopPlayback).playback == Y2
    assert claimed.told_engine() == []


@pytest.mark.parametrize("told", [False, True])
def test_what_facts_tell_of_and_the_engine_was_never_told_is_said(told: bool) -> None:
    scene = Restored(playing=[], sending=[])
    media = scene.media
    other = scene.legs.restore(media.export() | {"session": 8, "partner": 7}, B, scene.posted.append, after=10)
    media.remote = do.SetRemote(
        session=media.session, remote=("127.0.0.1", 9), send_codec=do.Codec.PCMA, send_payload_type=8, receive=()
    )
    media.muted = not told
    found = [alive(7), alive(8)]
    if told:
        found[0] = replace(found[0], remote=("127.0.0.1", 9), bridged_with=other.session)
        found[1] = replace(found[1], bridged_with=media.session)
    scene.legs.expect(found)
    scene.legs.reconcile(found)
    mutes = [do.Mute(session=media.session, muted=not told), do.Mute(session=other.session, muted=False)]
    assert scene.line.all(do.Mute) == mutes, "the engine cannot tell"
    assert scene.told_engine() == ([] if told else [media.remote, do.Bridge(a=media.session, b=other.session)])


def test_a_session_that_nobody_knows_is_closed() -> None:
    scene = Restored(playing=[], sending=[])
    scene.legs.expect([alive(7), alive(8)])
    scene.legs.reconcile([alive(7), alive(8)])
    assert [each.session for each in scene.line.all(do.CloseSession)] == [8]


def test_a_session_whose_engine_died_too_is_lost_with_its_recording(tmp_path: Path) -> None:
    scene = Restored()
    path = tmp_path / "r.wav"
    path.write_bytes(bytes(44 + 16_000))
    recorded(scene, 9, path)
    scene.legs.expect([])
    scene.legs.play(scene.media, P2, ["/y"], 1)
    assert scene.line.sent == []
    scene.legs.reconcile([])
    assert scene.of("lost") == [scene.media]
    assert [each.duration_ms for each in scene.closings] == [1000]
    assert not any(scene.legs.counts().values())


def test_a_leg_that_is_let_go_when_its_engine_is_gone_is_gone_at_once() -> None:
    scene = Restored()
    scene.legs.expect([])
    ended: list[MediaLeg] = []
    scene.legs.close(scene.media, ended.append)
    assert ended == [scene.media]
    assert scene.line.sent == []


def test_a_leg_that_is_let_go_when_its_engine_is_gone_has_its_recording_closed(tmp_path: Path) -> None:
    scene = Restored()
    path = tmp_path / "r.wav"
    path.write_bytes(bytes(44 + 16_000))
    recorded(scene, 9, path)
    scene.legs.expect([])
    scene.legs.close(scene.media)
    assert [each.duration_ms for each in scene.closings] == [1000]
    assert not any(scene.legs.counts().values())


def test_a_recording_goes_on_and_its_end_is_told_and_one_that_ended_unheard_is_closed(tmp_path: Path) -> None:
    scene = Restored(playing=[], sending=[])
    for number in (8, 9):
        recorded(scene, number, tmp_path / f"{number}.wav")
        (tmp_path / f"{number}.wav").write_bytes(bytes(44))
    scene.legs.reconcile([alive(7, recordings=(9,))])
    assert [each.duration_ms for each in scene.closings] == [0]
    assert scene.told_engine() == []
    scene.line.tell(
        said.RecordingEnded(
            recording=do.RecordingId(9), session=scene.media.session, reason=said.RecordingEnd.STOPPED,
            duration_ms=500, voiced_ms=400, bytes=8044, detail="",
        )
    )  # fmt: skip
    assert [each.duration_ms for each in scene.closings] == [0, 500]


@pytest.mark.parametrize("paused", [False, True])
def test_a_recording_that_never_began_begins(tmp_path: Path, paused: bool) -> None:
    scene = Restored(playing=[], sending=[])
    path = tmp_path / "9.wav"
    recorded(scene, 9, path, paused=paused)
    scene.legs.reconcile([alive(7)])
    begun = do.StartRecording(
        recording=do.RecordingId(9), session=do.SessionId(7), recorded=do.RecordingKind.BOTH, path=str(path),
        max_ms=2500, silence_ms=0,
    )  # fmt: skip
    pause = do.PauseRecording(recording=do.RecordingId(9), paused=True)
    assert scene.told_engine() == [begun, pause][: 1 + paused]
    assert scene.closings == []


def test_a_recording_that_was_to_stop_is_stopped_and_does_not_begin(tmp_path: Path) -> None:
    scene = Restored(playing=[], sending=[])
    recorded(scene, 8, tmp_path / "8.wav", stopping=True)
    recorded(scene, 9, tmp_path / "9.wav", stopping=True)
    scene.legs.reconcile([alive(7, recordings=(9,))])
    assert scene.told_engine() == [do.StopRecording(recording=do.RecordingId(9))]
    assert [(each.reason, each.duration_ms) for each in scene.closings] == [("closed", 0)]


# ── rooms that outlive a control process ─────────────────────────────────────────────────────────────────────────────


def bridged(scene: Restored, found: int) -> MediaLeg:
    """A partner of the restored session; the engine has the two joined, or not."""
    data = {**scene.media.export(), "session": 8, "address": ["127.0.0.1", 20_002], "playing": [], "partner": 7}
    other = scene.legs.restore(data, B, scene.posted.append, after=10)
    mine, theirs = alive(7, playback=X1), alive(8)
    if found:
        mine, theirs = replace(mine, bridged_with=do.SessionId(8)), replace(theirs, bridged_with=do.SessionId(7))
    scene.legs.expect([mine, theirs])
    return other


def test_two_whom_an_adopted_engine_still_has_joined_are_not_joined_anew() -> None:
    scene = Restored()
    other = bridged(scene, found=1)
    scene.legs.join(scene.media, other)
    assert scene.line.sent == []
    scene.legs.part(scene.media, other)
    scene.legs.join(other, scene.media)
    bridge = do.Bridge(a=do.SessionId(8), b=do.SessionId(7))
    assert scene.line.sent == [do.Unbridge(a=do.SessionId(7), b=do.SessionId(8)), bridge]


def test_two_whom_the_engine_has_not_joined_are_joined() -> None:
    scene = Restored()
    other = bridged(scene, found=0)
    scene.legs.join(scene.media, other)
    assert scene.line.sent == [do.Bridge(a=do.SessionId(7), b=do.SessionId(8))]


async def test_two_whom_the_engine_has_joined_and_no_fact_are_parted() -> None:
    scene = Restored(playing=[], sending=[])
    other = bridged(scene, found=1)
    scene.media.partner = other.partner = None
    mine = replace(alive(7), bridged_with=do.SessionId(8))
    theirs = replace(alive(8), bridged_with=do.SessionId(7))
    scene.legs.reconcile([mine, theirs])
    assert scene.told_engine() == [do.Unbridge(a=do.SessionId(7), b=do.SessionId(8))], "once"
    scene.legs.join(scene.media, other)
    assert scene.line.last(do.Bridge) == do.Bridge(a=do.SessionId(7), b=do.SessionId(8)), "they may meet again"


@pytest.mark.parametrize(
    ("known", "found", "left", "mix"),
    [(None, 0, [], None), (5, 5, [], 5), (None, 5, [5], None), (5, 0, [], None), (5, 6, [6], None)],
)
def test_nobody_stays_in_a_conference_that_their_facts_do_not_tell_of(
    known: int | None, found: int, left: list[int], mix: int | None
) -> None:
    scene = Restored(mix=None if known is None else [known, False])
    scene.legs.expect([replace(alive(7), mix=do.MixId(found))])
    assert scene.line.sent == [do.LeaveMix(mix=do.MixId(each), session=do.SessionId(7)) for each in left]
    assert scene.media.mix == (None if mix is None else (do.MixId(mix), False))


def test_who_is_to_be_alone_leaves_its_conference_or_its_partner() -> None:
    scene = Restored(mix=[5, True])
    scene.legs.alone(scene.media)
    assert scene.line.sent == [do.LeaveMix(mix=do.MixId(5), session=do.SessionId(7))]
    scene = Restored()
    other = bridged(scene, found=1)
    scene.legs.alone(other)
    assert scene.line.sent == [do.Unbridge(a=do.SessionId(8), b=do.SessionId(7))]
    scene.legs.alone(other)
    assert len(scene.line.sent) == 1


# ── with the engine itself ───────────────────────────────────────────────────────────────────────────────────────────


class Telling:
    """What legs are told, and whoever waits for it."""

    def __init__(self) -> None:
        self.posted: list[happened.Event] = []
        self._more = asyncio.Event()

    def post(self, event: happened.Event) -> None:
        self.posted.append(event)
        self._more.set()

    async def until(self, count: int) -> list[happened.Event]:
        async with asyncio.timeout(10):
            while len(self.posted) < count:
                self._more.clear()
                await self._more.wait()
        return self.posted


@pytest.mark.native
@pytest.mark.parametrize("arrived", [False, True])
async def test_what_a_dead_process_wanted_is_done_once_whether_its_words_had_arrived_or_not(
    tmp_path: Path, arrived: bool
) -> None:
    config = EngineConfig(
        data_dir=tmp_path / "data", rtp_ports=(33_000, 33_099), threads=1, orphan_s=10, binary=engine_binary()
    )
    sound = (np.sin(np.arange(1600) * 440 * 2 * np.pi / 8000) * 10_000).astype(np.int16)
    (tmp_path / "a.ohf").write_bytes(frames.prepare(sound))
    first, telling, peer = MediaEngine(config, generation=1), Telling(), RtpPeer()
    await first.start()
    legs = MediaLegs(first, "127.0.0.1")
    first.on_event = legs.handle
    opened = asyncio.Event()
    media = legs.open(A, telling.post, on_open=lambda _: opened.set(), on_lost=lambda _: None)
    await opened.wait()
    remote = do.SetRemote(
        session=media.session, remote=peer.address, send_codec=do.Codec.PCMA, send_payload_type=8,
        receive=(do.PayloadMap(payload_type=8, codec=do.Codec.PCMA),), send_events=101, receive_events=101,
    )  # fmt: skip
    legs.configure(media, remote)
    heard = first.heard
    if not arrived:
        first.send = lambda _: None  # type: ignore[method-assign]
    legs.play(media, P1, [str(tmp_path / "a.ohf")], 1)
    legs.send_digits(media, call.RequestId(2), "7")
    number, path = legs.recordings.new_number(), tmp_path / "r.wav"
    order = RecordingOrder(number=number, media=media, path=str(path), both=True, on_closed=lambda _: None)
    legs.recordings.begin(order)
    facts = media.export()
    first.on_event = lambda _: None
    # Nothing of what is told from here on was acknowledged.
    first.acknowledge = lambda _: None  # type: ignore[method-assign]
    first.on_heard = lambda _: None
    await first.leave()

    second = MediaEngine(config, generation=2)
    adopted = await second.start(keep_back=True)
    assert adopted is not None
    again = MediaLegs(second, "127.0.0.1", first_id=1000)
    second.on_event = again.handle
    closed: asyncio.Future[RecordingClosed] = asyncio.get_running_loop().create_future()
    restored = again.restore(facts, A, telling.post, after=heard)
    restored.remote = remote
    again.recordings.restore(replace(order, media=restored, on_closed=closed.set_result))
    again.expect(adopted.sessions)
    second.release()
    again.reconcile(adopted.sessions)
    assert {type(each) for each in await telling.until(2)} == {happened.PlaybackEnded, happened.DigitsSent}
    assert again.counts() == {"legs": 1, "playbacks": 0, "digits": 0, "recordings": 1}
    ended = asyncio.Event()
    again.close(restored, lambda _: ended.set())
    await ended.wait()
    reason = (await asyncio.wait_for(closed, 5)).reason
    await second.stop()
    assert len(telling.posted) == 2
    assert reason == "closed"
    packets = []
    with contextlib.suppress(TimeoutError):
        while True:
            packets.append(await peer.receive(0.2))
    peer.close()
    assert sum(each.payload_type == 101 and each.marker for each in packets) == 1, "one key"
    loud = [each for each in packets if each.payload_type == 8 and len(set(each.payload)) > 10]
    assert len(loud) == 10, "the whole sound, once"
    assert path.stat().st_size > 44
