"""RFC 3264 for one telephone: who may speak, what is answered to what peers write, and what stays for the session."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sdp_corpus import NAMES, body

from offhook.sdp.description import Media, SdpError, parse
from offhook.sdp.formats import Codec, Direction
from offhook.sdp.offer_answer import (
    LocalAudio,
    Negotiated,
    NothingFits,
    OfferAnswer,
    OutOfTurn,
    Preference,
    Turn,
    negotiated_from,
    plain_negotiated,
)

OURS = LocalAudio(address="203.0.113.1", port=20_000)
THEIRS = LocalAudio(address="198.51.100.9", port=30_000)


def machine(session_id: int = 1000) -> OfferAnswer:
    return OfferAnswer(session_id=session_id)


def offered(lines: str, *, address: str = "192.0.2.1") -> bytes:
    return f"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 {address}\nt=0 0\n{lines}\n".encode()


def media(data: bytes, at: int = 0) -> Media:
    return parse(data).media[at]


def direction_of(data: bytes, at: int = 0) -> str:
    names = [a.name for a in media(data, at).attributes if a.name in {each.value for each in Direction}]
    assert len(names) == 1
    return names[0]


def answered(data: bytes, local: LocalAudio = OURS, wish: Direction = Direction.SENDRECV) -> tuple[bytes, Negotiated]:
    ours = machine()
    ours.receive_offer(data)
    return ours.answer(local, wish)


# --- our offer ---------------------------------------------------------------------------------------------------


def test_the_offer_to_the_letter() -> None:
    assert machine().offer(OURS).decode() == (
        "v=0\r\no=- 1000 1000 IN IP4 203.0.113.1\r\ns=-\r\nc=IN IP4 203.0.113.1\r\nt=0 0\r\n"
        "m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
        "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
    )


def test_an_offer_over_ipv6_with_rtcp_elsewhere_and_one_codec() -> None:
    local = LocalAudio(
        address="2001:db8::1", port=20_000, rtcp_port=20_005, codecs=(Codec.PCMU,), telephone_event=False
    )
    data = machine().offer(local, Direction.SENDONLY)
    assert b"c=IN IP6 2001:db8::1\r\n" in data
    assert media(data).formats == ("0",)
    # RFC 3605 §2.1: said where it is not the next port.
    assert media(data).values("rtcp") == ("20005",)
    assert direction_of(data) == "sendonly"
    assert not media(machine().offer(LocalAudio(address="::1", port=20_000, rtcp_port=20_001))).has("rtcp")


@pytest.mark.parametrize("name", ["asterisk", "baresip", "cisco", "freeswitch", "3cx", "linphone"])
def test_their_descriptions_as_answers_to_our_offer(name: str) -> None:
    ours = machine()
    ours.offer(OURS)
    negotiated = ours.receive_answer(body(name))
    first = {"asterisk": 0, "baresip": 8, "cisco": 8, "freeswitch": 0, "3cx": 8, "linphone": 0}[name]
    assert negotiated.send_payload_type == first
    assert negotiated.send_event == (100 if name == "linphone" else 101)
    # Ours to hear by the numbers of our offer, whatever the answer prefers.
    assert negotiated.receive == ((8, Codec.PCMA), (0, Codec.PCMU))
    assert negotiated.receive_event == 101
    assert negotiated.direction is Direction.SENDRECV
    assert not negotiated.held_by_peer
    assert ours.turn is Turn.NOBODY
    assert ours.negotiated == negotiated


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ("m=audio 0 RTP/AVP 8", "port 0"),
        ("m=video 4000 RTP/AVP 96", "refuses"),
        ("m=audio 4000 RTP/SAVP 8", "RTP/SAVP"),
        ("m=audio 4000 RTP/AVP 18", "no codec"),
        ("", "no line"),
    ],
)
def test_answers_that_leave_nothing(lines: str, word: str) -> None:
    ours = machine()
    ours.offer(OURS)
    with pytest.raises(NothingFits, match=word):
        ours.receive_answer(offered(lines))
    # A later one may do better (a 183 of one kind, a 200 of another).
    assert ours.receive_answer(offered("m=audio 4000 RTP/AVP 8")).codec is Codec.PCMA


def test_an_answer_with_a_codec_we_left_out_of_the_offer() -> None:
    ours = machine()
    ours.offer(LocalAudio(address="203.0.113.1", port=20_000, codecs=(Codec.PCMA,)))
    with pytest.raises(NothingFits):
        ours.receive_answer(offered("m=audio 4000 RTP/AVP 0"))


def test_an_answer_without_telephone_event() -> None:
    ours = machine()
    ours.offer(OURS)
    negotiated = ours.receive_answer(offered("m=audio 4000 RTP/AVP 8"))
    assert (negotiated.send_event, negotiated.receive_event) == (None, None)


def test_a_later_answer_to_the_same_offer_counts() -> None:
    ours = machine()
    ours.offer(OURS)
    ours.receive_answer(offered("m=audio 4000 RTP/AVP 8"))
    later = ours.receive_answer(offered("m=audio 5000 RTP/AVP 0"))
    assert (later.remote_port, later.codec) == (5000, Codec.PCMU)
    assert ours.negotiated == later


@pytest.mark.parametrize(
    ("wish", "answer", "agreed"),
    [
        (Direction.SENDRECV, "sendrecv", Direction.SENDRECV),
        (Direction.SENDRECV, "recvonly", Direction.SENDONLY),
        (Direction.SENDRECV, "sendonly", Direction.RECVONLY),
        (Direction.SENDRECV, "inactive", Direction.INACTIVE),
        (Direction.SENDONLY, "recvonly", Direction.SENDONLY),
        # Not allowed by §6.1, and seen: the answerer repeats its default.
        (Direction.SENDONLY, "sendrecv", Direction.SENDONLY),
    ],
)
def test_direction_after_an_answer(wish: Direction, answer: str, agreed: Direction) -> None:
    ours = machine()
    ours.offer(OURS, wish)
    assert ours.receive_answer(offered(f"m=audio 4000 RTP/AVP 8\na={answer}")).direction is agreed


# --- their offer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "formats", "remote"),
    [
        ("asterisk", ("0", "101"), ("198.51.100.20", 14382, "198.51.100.20", 14383)),
        ("linphone", ("0", "100"), ("192.0.2.44", 41010, "192.0.2.44", 51077)),
        ("baresip", ("8", "101"), ("203.0.113.7", 15802, "203.0.113.7", 15803)),
        ("cisco", ("8", "101"), ("192.0.2.91", 17466, "192.0.2.91", 17467)),
        ("freeswitch", ("0", "101"), ("198.51.100.66", 26754, "198.51.100.66", 26755)),
        ("3cx", ("8", "101"), ("192.0.2.150", 9042, "192.0.2.150", 9043)),
        ("bare_gateway", ("8", "97"), ("192.0.2.3", 4000, "192.0.2.3", 4001)),
        ("ipv6_phone", ("0", "98"), ("2001:db8::15", 5004, "2001:db8::16", 6001)),
    ],
)
def test_answers_to_known_peers(name: str, formats: tuple[str, ...], remote: tuple[str, int, str, int]) -> None:
    data, negotiated = answered(body(name))
    assert media(data).formats == formats
    assert (
        negotiated.remote_address,
        negotiated.remote_port,
        negotiated.rtcp_address,
        negotiated.rtcp_port,
    ) == remote
    assert negotiated.receive == ((negotiated.send_payload_type, negotiated.codec),)
    assert str(negotiated.send_event) == str(negotiated.receive_event) == formats[1]
    # RFC 3264 §6: as many lines as the offer, in its order; what is not wanted has port 0.
    theirs = parse(body(name)).media
    assert [line.kind for line in parse(data).media] == [line.kind for line in theirs]
    assert [line.port for line in parse(data).media] == [20_000] + [0] * (len(theirs) - 1)


def test_a_refused_line_repeats_protocol_and_formats_and_nothing_else() -> None:
    data, _ = answered(body("freeswitch"))
    assert media(data, 1) == Media(kind="image", port=0, protocol="udptl", formats=("t38",))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (body("browser"), "UDP/TLS/RTP/SAVPF is not spoken here"),
        (offered("m=audio 4000 RTP/SAVP 8"), "RTP/SAVP is not spoken here"),
        (offered("m=audio 4000 RTP/AVP 18 3"), "among 18 3"),
        (offered("m=video 4000 RTP/AVP 96"), "no audio stream"),
        (offered("m=audio 0 RTP/AVP 8"), "no audio stream"),
        (offered(""), "no audio stream"),
        (offered("m=audio 4 RTP/AVP 8", address="pbx.example.com"), "no IP address"),
    ],
)
def test_nothing_fits(data: bytes, word: str) -> None:
    ours = machine()
    with pytest.raises(NothingFits, match=word):
        ours.receive_offer(data)
    assert ours.turn is Turn.NOBODY


def test_the_plain_one_of_two_lines_is_taken() -> None:
    data, negotiated = answered(body("srtp_or_plain"))
    assert [line.port for line in parse(data).media] == [0, 20_000]
    assert negotiated.remote_port == 6002


def test_feedback_profile_is_answered_as_offered() -> None:
    data, _ = answered(offered("m=audio 4000 RTP/AVPF 8\na=rtcp-fb:* nack"))
    assert media(data).protocol == "RTP/AVPF"
    assert not media(data).has("rtcp-fb")


def test_whose_order_decides() -> None:
    for preference, number in ((Preference.THEIRS, 0), (Preference.OURS, 8)):
        ours = machine()
        ours.receive_offer(body("asterisk"))
        _, negotiated = ours.answer(OURS, preference=preference)
        assert negotiated.send_payload_type == number


def test_dynamic_numbers_are_the_offerers() -> None:
    lines = "m=audio 4000 RTP/AVP 97 96\na=rtpmap:97 PCMA/8000\na=rtpmap:96 telephone-event/8000\na=fmtp:96 0-16"
    data, negotiated = answered(offered(lines))
    assert media(data).formats == ("97", "96")
    assert media(data).values("fmtp") == ("96 0-16",)
    assert (negotiated.send_payload_type, negotiated.send_event) == (97, 96)


def test_no_digits_where_we_want_none() -> None:
    local = LocalAudio(address="203.0.113.1", port=20_000, telephone_event=False)
    data, negotiated = answered(body("asterisk"), local)
    assert media(data).formats == ("0",)
    assert (negotiated.send_event, negotiated.receive_event) == (None, None)


@pytest.mark.parametrize(
    ("written", "wish", "answer"),
    [
        # RFC 3264 §6.1, row by row.
        ("sendrecv", Direction.SENDRECV, Direction.SENDRECV),
        ("sendrecv", Direction.SENDONLY, Direction.SENDONLY),
        ("sendrecv", Direction.RECVONLY, Direction.RECVONLY),
        ("sendrecv", Direction.INACTIVE, Direction.INACTIVE),
        ("sendonly", Direction.SENDRECV, Direction.RECVONLY),
        ("sendonly", Direction.SENDONLY, Direction.INACTIVE),
        ("recvonly", Direction.SENDRECV, Direction.SENDONLY),
        ("recvonly", Direction.RECVONLY, Direction.INACTIVE),
        ("inactive", Direction.SENDRECV, Direction.INACTIVE),
    ],
)
def test_direction_of_an_answer(written: str, wish: Direction, answer: Direction) -> None:
    data, negotiated = answered(offered(f"m=audio 4000 RTP/AVP 8\na={written}"), wish=wish)
    assert direction_of(data) == answer.value
    assert negotiated.direction is answer


def test_old_style_hold_is_never_sent_to() -> None:
    data, negotiated = answered(body("old_hold"))
    assert negotiated.held_by_peer
    assert negotiated.remote_address == "0.0.0.0"
    assert direction_of(data) == "recvonly"


def test_rtcp_on_the_same_port() -> None:
    willing = LocalAudio(address="203.0.113.1", port=20_000, rtcp_mux=True)
    data, negotiated = answered(body("baresip"), willing)
    assert media(data).has("rtcp-mux")
    assert (negotiated.rtcp_mux, negotiated.rtcp_port) == (True, 15802)
    data, negotiated = answered(body("baresip"))
    assert not media(data).has("rtcp-mux")
    assert (negotiated.rtcp_mux, negotiated.rtcp_port) == (False, 15803)
    data, _ = answered(body("asterisk"), willing)
    assert not media(data).has("rtcp-mux")


def test_answering_with_codecs_that_were_not_there() -> None:
    ours = machine()
    ours.receive_offer(offered("m=audio 4000 RTP/AVP 0"))
    with pytest.raises(NothingFits):
        ours.answer(LocalAudio(address="203.0.113.1", port=20_000, codecs=(Codec.PCMA,)))
    assert ours.turn is Turn.THEIRS


def test_only_what_we_say_we_speak_fits() -> None:
    with pytest.raises(NothingFits):
        machine().receive_offer(offered("m=audio 4000 RTP/AVP 0"), codecs=[Codec.PCMA])


# --- the life of a session ---------------------------------------------------------------------------------------


def test_the_version_goes_up_when_the_text_differs_and_only_then() -> None:
    ours = machine(session_id=7)

    def version(data: bytes) -> str:
        assert parse(data).origin.session_id == "7"
        return parse(data).origin.version

    assert version(ours.offer(OURS)) == "7"
    ours.receive_answer(body("baresip"))
    assert version(ours.offer(OURS)) == "7"
    ours.withdraw()
    assert version(ours.offer(OURS, Direction.SENDONLY)) == "8"
    ours.receive_answer(body("baresip"))
    ours.receive_offer(body("baresip"))
    data, _ = ours.answer(OURS)
    assert version(data) == "9"
    assert ours.last_sent == data


def test_hold_resume_and_a_changed_address() -> None:
    ours = machine()
    ours.receive_offer(body("3cx"))
    ours.answer(OURS)
    for written, expected in (("sendonly", Direction.RECVONLY), ("inactive", Direction.INACTIVE)):
        ours.receive_offer(body("3cx").replace(b"sendrecv", written.encode()))
        _, held = ours.answer(OURS)
        assert held.direction is expected
        assert held.held_by_peer
    ours.receive_offer(body("3cx").replace(b"192.0.2.150\r\nt=", b"192.0.2.151\r\nt=").replace(b"9042", b"9100"))
    _, moved = ours.answer(OURS)
    assert (moved.remote_address, moved.remote_port) == ("192.0.2.151", 9100)
    assert moved.direction is Direction.SENDRECV


def test_our_later_offer_keeps_places_and_numbers() -> None:
    ours = machine()
    lines = (
        "m=video 4002 RTP/AVP 96\na=rtpmap:96 VP8/90000\n"
        "m=audio 4000 RTP/AVP 97 98\na=rtpmap:97 PCMU/8000\na=rtpmap:98 telephone-event/8000"
    )
    ours.receive_offer(offered(lines))
    ours.answer(OURS)
    later = ours.offer(OURS, Direction.SENDONLY)
    assert [(line.kind, line.port) for line in parse(later).media] == [("video", 0), ("audio", 20_000)]
    assert media(later, 1).formats == ("8", "97", "98")
    assert ours.receive_answer(offered(lines)).send_payload_type == 97


def test_a_number_they_gave_another_meaning_is_not_ours() -> None:
    ours = machine()
    ours.receive_offer(offered("m=audio 4000 RTP/AVP 101 8\na=rtpmap:101 opus/48000/2"))
    ours.answer(OURS)
    assert media(ours.offer(OURS)).formats == ("8", "0", "96")
    ours.withdraw()
    ours.receive_offer(offered("m=audio 4000 RTP/AVP 8 96\na=rtpmap:96 iLBC/8000"))
    ours.answer(OURS)
    assert media(ours.offer(OURS)).formats == ("8", "0", "97")


def test_a_codec_whose_number_they_reuse_goes_back_to_its_own() -> None:
    ours = machine()
    ours.receive_offer(offered("m=audio 4000 RTP/AVP 97\na=rtpmap:97 PCMA/8000"))
    ours.answer(OURS)
    ours.receive_offer(offered("m=audio 4000 RTP/AVP 97\na=rtpmap:97 PCMU/8000"))
    ours.answer(OURS)
    assert media(ours.offer(OURS)).formats == ("8", "97", "101")


def test_a_peer_that_took_every_number() -> None:
    ours = machine()
    numbers = " ".join(str(number) for number in range(96, 128))
    ours.receive_offer(offered(f"m=audio 4000 RTP/AVP 8 {numbers}"))
    ours.answer(OURS)
    assert media(ours.offer(OURS)).formats == ("8", "0", "101")


def test_the_line_in_use_stays_in_use() -> None:
    ours = machine()
    ours.receive_offer(body("srtp_or_plain"))
    ours.answer(OURS)
    ours.receive_offer(body("srtp_or_plain").replace(b"RTP/SAVP", b"RTP/AVP"))
    data, negotiated = ours.answer(OURS)
    assert [line.port for line in parse(data).media] == [0, 20_000]
    assert negotiated.remote_port == 6002


def test_a_refused_offer_leaves_what_was_agreed() -> None:
    ours = machine()
    ours.receive_offer(body("3cx"))
    _, agreed = ours.answer(OURS)
    with pytest.raises(NothingFits):
        ours.receive_offer(offered("m=audio 4000 RTP/SAVP 8"))
    with pytest.raises(SdpError):
        ours.receive_offer(b"rubbish")
    ours.receive_offer(body("asterisk"))
    ours.withdraw()
    ours.offer(OURS)
    ours.withdraw()
    assert ours.negotiated == agreed
    assert ours.turn is Turn.NOBODY


def test_each_fork_has_an_answer_of_its_own() -> None:
    ours = machine()
    ours.offer(OURS)
    other = ours.copy()
    assert ours.receive_answer(offered("m=audio 4000 RTP/AVP 8")).codec is Codec.PCMA
    assert other.turn is Turn.OURS
    assert other.receive_answer(offered("m=audio 5000 RTP/AVP 0")).codec is Codec.PCMU


def test_out_of_turn() -> None:
    ours = machine()
    assert ours.last_sent is None
    for early in (lambda: ours.receive_answer(body("3cx")), lambda: ours.answer(OURS), ours.withdraw):
        with pytest.raises(OutOfTurn):
            early()
    ours.offer(OURS)
    for crossed in (lambda: ours.offer(OURS), lambda: ours.receive_offer(body("3cx")), lambda: ours.answer(OURS)):
        with pytest.raises(OutOfTurn):
            crossed()
    ours.withdraw()
    with pytest.raises(OutOfTurn):
        ours.receive_answer(body("3cx"))
    ours.receive_offer(body("3cx"))
    with pytest.raises(OutOfTurn):
        ours.offer(OURS)


@pytest.mark.parametrize("values", [{"address": "here"}, {"port": 0}, {"port": 65_536}, {"codecs": ()}])
def test_local_audio_is_checked(values: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        LocalAudio(**{"address": "192.0.2.1", "port": 4000, **values})  # type: ignore[arg-type]


def test_a_state_from_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match="version 99"):
        OfferAnswer.restore({**machine().export(), "v": 99})


LOCALS = st.builds(
    LocalAudio,
    address=st.sampled_from(["203.0.113.1", "2001:db8::1"]),
    port=st.integers(min_value=1, max_value=65_535),
    rtcp_port=st.none() | st.integers(min_value=1, max_value=65_535),
    codecs=st.permutations(list(Codec)).map(tuple) | st.sampled_from([(Codec.PCMA,), (Codec.PCMU,)]),
    telephone_event=st.booleans(),
    rtcp_mux=st.booleans(),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), LOCALS, st.sampled_from(Direction)),
        st.tuples(st.just("answer"), LOCALS, st.sampled_from(Direction)),
        st.tuples(st.just("receive_offer"), st.sampled_from(NAMES)),
        st.tuples(st.just("receive_answer"), st.sampled_from(NAMES)),
        st.tuples(st.just("withdraw")),
    ),
    max_size=10,
)


def step(ours: OfferAnswer, name: str, *arguments: object) -> object:
    given_ = [body(argument) if isinstance(argument, str) else argument for argument in arguments]
    try:
        return getattr(ours, name)(*given_)
    except (SdpError, OutOfTurn) as error:
        return str(error)


@given(STEPS)
def test_restored_at_any_point_it_goes_on_as_the_first_would_have(steps: list[tuple[object, ...]]) -> None:
    first, other = machine(), machine()
    for name, *arguments in steps:
        other = OfferAnswer.restore(json.loads(json.dumps(other.export())))
        assert step(first, str(name), *arguments) == step(other, str(name), *arguments)
        assert first.export() == other.export()
        if first.last_sent is not None:
            # RFC 3264 §8.3.2 and RFC 8866 §5.14: one meaning to a number.
            for line in parse(first.last_sent).media:
                assert len(set(line.formats)) == len(line.formats)


@given(
    st.lists(
        st.tuples(st.booleans(), LOCALS, LOCALS, st.sampled_from(Direction), st.sampled_from(Direction)), max_size=6
    )
)
def test_two_of_us_always_agree_on_the_same_thing(
    rounds: list[tuple[bool, LocalAudio, LocalAudio, Direction, Direction]],
) -> None:
    pair = (machine(1), machine(2))
    for forward, local, remote, wish, other_wish in rounds:
        offerer, answerer = pair if forward else pair[::-1]
        try:
            answerer.receive_offer(offerer.offer(local, wish))
            data, theirs = answerer.answer(remote, other_wish)
        except NothingFits:
            offerer.withdraw()
            if answerer.turn is Turn.THEIRS:
                answerer.withdraw()
            continue
        ours = offerer.receive_answer(data)
        assert ours.direction is theirs.direction.seen_from_the_other_side()
        assert ours.codec is theirs.codec
        assert (ours.send_payload_type, ours.codec) in theirs.receive
        assert (theirs.send_payload_type, theirs.codec) in ours.receive
        assert (ours.send_event, ours.receive_event) == (theirs.receive_event, theirs.send_event)
        assert (ours.remote_port, theirs.remote_port) == (remote.port, local.port)
        assert negotiated_from(json.loads(json.dumps(plain_negotiated(ours)))) == ours
