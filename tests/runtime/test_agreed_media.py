"""Two descriptions agree, and the engine is told: from real SDP bodies to the command."""

import pytest

from offhook.media import commands as engine
from offhook.media import wire
from offhook.runtime.agreed_media import keep_outside, remote_of
from offhook.sdp.description import SdpError
from offhook.sdp.formats import Codec, Direction
from offhook.sdp.offer_answer import LocalAudio, Negotiated, OfferAnswer

SESSION = engine.SessionId(5)
LOCAL = LocalAudio(address="192.0.2.1", port=20_000)
HEAD = "v=0\r\no=- 1 1 IN IP4 198.51.100.2\r\ns=-\r\nc=IN IP4 198.51.100.2\r\nt=0 0\r\n"


def agreed(media: str) -> Negotiated:
    """What comes of answering this offer."""
    machine = OfferAnswer(session_id=1)
    machine.receive_offer((HEAD + media).encode())
    return machine.answer(LOCAL)[1]


def test_everything_that_was_agreed_reaches_the_engine() -> None:
    remote = remote_of(
        agreed("m=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\na=rtcp:4005\r\n"),
        SESSION,
        media_timeout_ms=60_000,
    )
    assert remote.session == SESSION
    assert (remote.remote, remote.remote_rtcp) == (("198.51.100.2", 4000), ("198.51.100.2", 4005))
    assert (remote.send_codec, remote.send_payload_type) == (engine.Codec.PCMA, 8)
    assert remote.receive == (engine.PayloadMap(payload_type=8, codec=engine.Codec.PCMA),)
    assert (remote.send_events, remote.receive_events) == (96, 96)
    assert remote.ptime_ms == 30
    assert remote.direction is engine.Direction.SEND_RECV
    assert remote.media_timeout_ms == 60_000
    assert not remote.inband_digits
    assert remote.send_silence
    assert remote.latch is engine.Latch.SYMMETRIC
    wire.encode_command(remote)


def test_tones_are_listened_for_where_the_peer_takes_no_events() -> None:
    remote = remote_of(agreed("m=audio 4000 RTP/AVP 0\r\n"), SESSION, media_timeout_ms=0)
    assert remote.inband_digits
    assert (remote.send_events, remote.receive_events) == (None, None)
    assert remote.send_codec is engine.Codec.PCMU


def test_the_answer_to_our_offer_lets_both_codecs_in() -> None:
    machine = OfferAnswer(session_id=1)
    machine.offer(LOCAL)
    remote = remote_of(
        machine.receive_answer((HEAD + "m=audio 4000 RTP/AVP 0\r\n").encode()), SESSION, media_timeout_ms=0
    )
    assert {each.codec for each in remote.receive} == {engine.Codec.PCMA, engine.Codec.PCMU}
    assert remote.send_codec is engine.Codec.PCMU


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("sendrecv", engine.Direction.SEND_RECV),
        ("sendonly", engine.Direction.RECV_ONLY),
        ("recvonly", engine.Direction.SEND_ONLY),
        ("inactive", engine.Direction.INACTIVE),
    ],
)
def test_a_hold_is_seen_from_our_side(theirs: str, ours: engine.Direction) -> None:
    """RFC 3264 section 6.1."""
    remote = remote_of(agreed(f"m=audio 4000 RTP/AVP 8\r\na={theirs}\r\n"), SESSION, media_timeout_ms=0)
    assert remote.direction is ours


def test_every_word_of_a_description_has_one_of_the_engine() -> None:
    base = agreed("m=audio 4000 RTP/AVP 8\r\n")
    for codec in Codec:
        for direction in Direction:
            made = {field: getattr(base, field) for field in base.__slots__}
            negotiated = Negotiated(**{**made, "codec": codec, "receive": ((8, codec),), "direction": direction})
            remote = remote_of(negotiated, SESSION, media_timeout_ms=0)
            assert remote.send_codec.name == codec.name
            wire.encode_command(remote)


def test_an_ipv6_peer_with_one_port_for_all() -> None:
    base = agreed("m=audio 4000 RTP/AVP 8\r\n")
    made = {field: getattr(base, field) for field in base.__slots__}
    negotiated = Negotiated(
        **{**made, "remote_address": "2001:db8::2", "rtcp_address": "2001:db8::2", "rtcp_port": 4000, "rtcp_mux": True}
    )
    remote = remote_of(negotiated, SESSION, media_timeout_ms=0)
    assert remote.rtcp_mux
    assert remote.remote == ("2001:db8::2", 4000)
    wire.encode_command(remote)


@pytest.mark.parametrize(
    "lines",
    [
        "c=IN IP4 127.0.0.1\r\n",
        "c=IN IP4 127.1.2.3\r\n",
        "c=IN IP6 ::1\r\n",
        "c=IN IP6 ::ffff:127.0.0.1\r\n",
        "a=rtcp:53 IN IP4 127.0.0.1\r\n",
    ],
)
def test_no_peer_points_sound_at_this_machine_itself(lines: str) -> None:
    found = agreed(f"m=audio 4000 RTP/AVP 8\r\n{lines}")
    with pytest.raises(SdpError, match="this machine itself"):
        keep_outside(found, "192.0.2.1")
    assert keep_outside(found, "127.0.0.1") is found


def test_a_phone_behind_nat_may_name_its_own_address() -> None:
    found = agreed("m=audio 4000 RTP/AVP 8\r\nc=IN IP4 192.168.1.20\r\n")
    assert keep_outside(found, "192.0.2.1") is found
