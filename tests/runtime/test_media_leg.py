"""What is remembered of a session of the engine goes through JSON and comes back."""

import json

from offhook.call import commands as call
from offhook.call import events as happened
from offhook.media import commands as engine
from offhook.runtime.media_leg import MediaLeg, Playback


def test_an_export_says_all_that_a_restored_session_must_know() -> None:
    posted: list[happened.Event] = []
    other = MediaLeg(engine.SessionId(8), call.LegId(1), posted.append)
    media = MediaLeg(engine.SessionId(7), call.LegId(0), posted.append, address=("127.0.0.1", 20_000), rtcp_port=20_001)
    media.playing[call.PlaybackId(3)] = Playback(("/a", "/b"), 0)
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
