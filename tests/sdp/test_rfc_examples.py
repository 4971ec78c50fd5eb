"""Exchanges in the shape of the worked examples of RFC 3264 §10 and RFC 4317, played from our side.

Their peers speak more than we do, so some answers differ from ours; the reason stands there. Addresses are our own.
"""

import pytest

from offhook.sdp.description import parse
from offhook.sdp.formats import Codec, Direction
from offhook.sdp.offer_answer import LocalAudio, NothingFits, OfferAnswer, Preference

OURS = LocalAudio(address="203.0.113.1", port=20_000)
HEAD = "v=0\no=alice 2890844526 2890844526 IN IP4 host.anywhere.example\ns=\nc=IN IP4 192.0.2.10\nt=0 0\n"


def lines(*texts: str) -> bytes:
    return (HEAD + "\n".join(texts) + "\n").encode()


def ports(data: bytes) -> list[int]:
    return [line.port for line in parse(data).media]


def test_rfc_3264_10_1_audio_and_two_videos() -> None:
    """Basic exchange: audio is accepted; we carry no video, so both videos are refused (there: one)."""
    ours = OfferAnswer(session_id=1)
    ours.receive_offer(
        lines(
            "m=audio 49170 RTP/AVP 0",
            "a=rtpmap:0 PCMU/8000",
            "m=video 51372 RTP/AVP 31",
            "a=rtpmap:31 H261/90000",
            "m=video 53000 RTP/AVP 32",
            "a=rtpmap:32 MPV/90000",
        )
    )
    answer, negotiated = ours.answer(OURS)
    assert ports(answer) == [20_000, 0, 0]
    assert parse(answer).media[2].formats == ("32",)
    assert negotiated.codec is Codec.PCMU
    # Then the answerer moves its audio: same line, new port, version up by one.
    moved = ours.offer(LocalAudio(address="203.0.113.1", port=20_002))
    assert ports(moved) == [20_002, 0, 0]
    assert parse(moved).origin.version == "2"
    # And a third line is added by the peer in its turn, for DTMF alone: refused, the call goes on.
    ours.receive_answer(lines("m=audio 49170 RTP/AVP 0", "m=video 0 RTP/AVP 31", "m=video 0 RTP/AVP 32"))
    ours.receive_offer(
        lines(
            "m=audio 49170 RTP/AVP 0",
            "m=video 0 RTP/AVP 31",
            "m=video 0 RTP/AVP 32",
            "m=audio 53122 RTP/AVP 110",
            "a=rtpmap:110 telephone-event/8000",
            "a=sendonly",
        )
    )
    answer, negotiated = ours.answer(OURS)
    assert ports(answer) == [20_000, 0, 0, 0]
    assert negotiated.direction is Direction.SENDRECV


def test_rfc_3264_10_2_one_of_n_codecs() -> None:
    """Three codecs offered, one taken: we name one in the first answer already, so no second exchange is needed."""
    ours = OfferAnswer(session_id=1)
    ours.receive_offer(
        lines(
            "m=audio 62986 RTP/AVP 0 4 18",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:4 G723/8000",
            "a=rtpmap:18 G729/8000",
            "a=inactive",
        )
    )
    answer, negotiated = ours.answer(OURS)
    assert parse(answer).media[0].formats == ("0",)
    assert negotiated.direction is Direction.INACTIVE
    ours.receive_offer(lines("m=audio 62986 RTP/AVP 0", "a=rtpmap:0 PCMU/8000"))
    _, negotiated = ours.answer(OURS)
    assert negotiated.direction is Direction.SENDRECV


def test_rfc_4317_2_1_audio_and_video_with_several_codecs() -> None:
    ours = OfferAnswer(session_id=1)
    ours.receive_offer(
        lines(
            "m=audio 49170 RTP/AVP 0 8 97",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:97 iLBC/8000",
            "m=video 51372 RTP/AVP 31 32",
            "a=rtpmap:31 H261/90000",
            "a=rtpmap:32 MPV/90000",
        )
    )
    answer, negotiated = ours.answer(OURS, preference=Preference.OURS)
    assert ports(answer) == [20_000, 0]
    assert parse(answer).media[0].formats == ("8",)
    # No telephone-event was offered, so none is answered (RFC 3264 §6.1) and digits come in band.
    assert negotiated.receive_event is None


def test_rfc_4317_2_4_audio_and_telephone_event_as_lines_of_their_own() -> None:
    ours = OfferAnswer(session_id=1)
    ours.receive_offer(
        lines(
            "m=audio 49170 RTP/AVP 0 97",
            "a=rtpmap:0 PCMU/8000",
            "a=rtpmap:97 iLBC/8000",
            "m=audio 49172 RTP/AVP 98",
            "a=rtpmap:98 telephone-event/8000",
            "a=sendonly",
        )
    )
    answer, negotiated = ours.answer(OURS)
    assert ports(answer) == [20_000, 0]
    assert negotiated.send_event is None


def test_rfc_4317_3_hold_and_unhold() -> None:
    """Second offer holds with sendonly, answered recvonly; the third resumes."""
    ours = OfferAnswer(session_id=1)
    offer = ("m=audio 49170 RTP/AVP 0 97", "a=rtpmap:0 PCMU/8000", "a=rtpmap:97 iLBC/8000")
    for extra, expected in (
        ((), Direction.SENDRECV),
        (("a=sendonly",), Direction.RECVONLY),
        ((), Direction.SENDRECV),
    ):
        ours.receive_offer(lines(*offer, *extra))
        answer, negotiated = ours.answer(OURS)
        assert negotiated.direction is expected
        assert parse(answer).media[0].has(expected.value)
    assert parse(answer).origin.version == "3"


def test_rfc_4317_4_1_second_audio_line_added_later() -> None:
    ours = OfferAnswer(session_id=1)
    first = ("m=audio 49170 RTP/AVP 0", "a=rtpmap:0 PCMU/8000")
    ours.receive_offer(lines(*first))
    ours.answer(OURS)
    ours.receive_offer(lines(*first, "m=audio 49172 RTP/AVP 8", "a=rtpmap:8 PCMA/8000"))
    answer, negotiated = ours.answer(OURS)
    # One stream is all we carry: the one in use stays.
    assert ports(answer) == [20_000, 0]
    assert negotiated.remote_port == 49170


def test_rfc_3264_8_2_the_stream_in_use_is_removed_and_another_offered() -> None:
    ours = OfferAnswer(session_id=1)
    ours.receive_offer(lines("m=audio 49170 RTP/AVP 0"))
    ours.answer(OURS)
    ours.receive_offer(lines("m=audio 0 RTP/AVP 0", "m=audio 49180 RTP/AVP 8"))
    answer, negotiated = ours.answer(OURS)
    assert ports(answer) == [0, 20_000]
    assert (negotiated.remote_port, negotiated.codec) == (49180, Codec.PCMA)
    # RFC 3264 §8.2: our next offer leaves the removed line where it was.
    assert ports(ours.offer(OURS)) == [0, 20_000]


def test_rfc_3264_6_all_streams_gone_is_nothing_that_fits() -> None:
    ours = OfferAnswer(session_id=1)
    ours.receive_offer(lines("m=audio 49170 RTP/AVP 0"))
    _, agreed = ours.answer(OURS)
    with pytest.raises(NothingFits):
        ours.receive_offer(lines("m=audio 0 RTP/AVP 0"))
    assert ours.negotiated == agreed
