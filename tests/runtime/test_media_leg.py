"""What is remembered of a session of the engine goes through JSON and comes back."""

import json

from offhook.call import commands as call
from offhook.call import events as happened
from offhook.media import commands as engine
from offhook.runtime.media_leg import MediaLeg, Playback, digits_number

P1, P2 = call.PlaybackId(1), call.PlaybackId(2)


def test_an_export_says_all_that_a_restored_session_must_know() -> None:
    posted: list[happened.Event] = []
    other = MediaLeg(engine.SessionId(8), call.LegId(1), posted.append)
    media = MediaLeg(engine.SessionId(7), call.LegId(0), posted.append, address=("127.0.0.1", 20_000), rtcp_port=20_001)
    media.playing[call.PlaybackId(3)] = Playback(("/a", "/b"), 0, anew=2)
    media.sending[call.RequestId(9)] = "12p"
    media.stopping.add(call.PlaybackId(3))
    media.partner, media.mix, media.muted = other, (engine.MixId(5), True), True
    data = json.loads(json.dumps(media.export()))
    assert data["partner"] == 8
    back = MediaLeg.restore(data, call.LegId(0), posted.append)
    assert (back.session, back.address, back.rtcp_port) == (7, ("127.0.0.1", 20_000), 20_001)
    assert (back.playing, back.stopping, back.sending) == (media.playing, {3}, {9: "12p"})
    assert (back.mix, back.muted) == (media.mix, True)


def test_one_that_waits_for_its_ports_is_kept_too() -> None:
    media = MediaLeg(engine.SessionId(7), call.LegId(0), lambda _: None)
    data = json.loads(json.dumps(media.export()))
    assert (data["partner"], data["mix"]) == (0, None)
    back = MediaLeg.restore(data, call.LegId(0), lambda _: None)
    assert (back.address, back.playing, back.partner, back.mix) == (None, {}, None, None)
    back.on_open(back)
    back.on_lost(back)


def test_the_engine_has_one_number_for_the_same_thing_and_another_for_each_other() -> None:
    x = Playback(("/x",), 1)
    other = {
        x.number(P2),
        Playback(("/y",), 1).number(P1),
        Playback(("/x", "/x"), 1).number(P1),
        Playback(("/x",), 0).number(P1),
        Playback(("/x",), 1, anew=1).number(P1),
    }
    assert Playback(("/x",), 1).number(P1) == x.number(P1)
    assert len(other | {x.number(P1), 0}) == 7
    keys = {digits_number(call.RequestId(1), "1"), digits_number(call.RequestId(1), "2")}
    assert len(keys | {digits_number(call.RequestId(2), "1"), 0}) == 4


def test_what_the_engine_tells_of_is_found_by_its_number() -> None:
    media = MediaLeg(engine.SessionId(7), call.LegId(0), lambda _: None)
    media.playing[P1] = Playback(("/x",), 1)
    media.sending[call.RequestId(4)] = "1"
    assert media.playback_of(Playback(("/x",), 1).number(P1)) == P1
    assert media.playback_of(Playback(("/y",), 1).number(P1)) is None
    assert media.request_of(digits_number(call.RequestId(4), "1")) == 4
    assert media.request_of(digits_number(call.RequestId(4), "2")) is None
