"""What a media line means to a telephone."""

import pytest
from tests.support.sdp_corpus import body

from offhook.sdp.description import Connection, SdpError, parse
from offhook.sdp.formats import Audio, Codec, Direction, direction, read_audio


def audio(lines: str, *, address: str = "192.0.2.1", session: str = "") -> Audio:
    family = "IP6" if ":" in address else "IP4"
    text = f"v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN {family} {address}\nt=0 0\n{session}{lines}\n"
    description = parse(text.encode())
    return read_audio(description, description.media[0])


def corpus(name: str) -> Audio:
    description = parse(body(name))
    return read_audio(description, description.media[0])


@pytest.mark.parametrize(
    ("name", "codecs", "event", "flash"),
    [
        ("asterisk", ((0, Codec.PCMU), (8, Codec.PCMA)), 101, True),
        ("linphone", ((0, Codec.PCMU), (8, Codec.PCMA)), 100, False),
        ("baresip", ((8, Codec.PCMA), (0, Codec.PCMU)), 101, False),
        ("cisco", ((8, Codec.PCMA),), 101, True),
        ("freeswitch", ((0, Codec.PCMU), (8, Codec.PCMA)), 101, True),
        ("3cx", ((8, Codec.PCMA), (0, Codec.PCMU)), 101, False),
        ("bare_gateway", ((8, Codec.PCMA),), 97, False),
        ("ipv6_phone", ((0, Codec.PCMU),), 98, False),
    ],
)
def test_payload_types_of_known_peers(
    name: str, codecs: tuple[tuple[int, Codec], ...], event: int, flash: bool
) -> None:
    found = corpus(name)
    assert (found.codecs, found.telephone_event, found.flash) == (codecs, event, flash)


@pytest.mark.parametrize(
    ("lines", "codecs"),
    [
        ("m=audio 4 RTP/AVP 8 0", ((8, Codec.PCMA), (0, Codec.PCMU))),  # RFC 3551 §6: static
        ("m=audio 4 RTP/AVP 96\na=rtpmap:96 pcma/8000", ((96, Codec.PCMA),)),  # RFC 8866 §6.6: names ignore case
        ("m=audio 4 RTP/AVP 96\na=rtpmap:96 PCMU/8000/1", ((96, Codec.PCMU),)),
        ("m=audio 4 RTP/AVP 96\na=rtpmap:96 PCMA/16000", ()),
        ("m=audio 4 RTP/AVP 96\na=rtpmap:96 PCMA/8000/2", ()),
        ("m=audio 4 RTP/AVP 96\na=rtpmap:96 PCMA", ()),
        ("m=audio 4 RTP/AVP 96\na=rtpmap:x PCMA/8000", ()),
        ("m=audio 4 RTP/AVP 8\na=rtpmap:8 G729/8000", ()),
        ("m=audio 4 RTP/AVP 8 8 x 128 9999", ((8, Codec.PCMA),)),
        ("m=audio 4 RTP/AVP 96 97\na=rtpmap:96 iLBC/8000", ()),
    ],
)
def test_codecs(lines: str, codecs: tuple[tuple[int, Codec], ...]) -> None:
    assert audio(lines).codecs == codecs


@pytest.mark.parametrize(
    ("fmtp", "flash"),
    [
        ("101 0-16", True),
        ("101 0-15", False),
        ("101 0-11,16", True),
        ("101 0-15,32-49", False),
        ("101 events=0-16", True),
        ("100 0-16", False),
        ("101 rubbish-x", False),
        ("101", False),
    ],
)
def test_flash(fmtp: str, flash: bool) -> None:
    assert audio(f"m=audio 4 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000\na=fmtp:{fmtp}").flash is flash


def test_the_first_telephone_event_of_our_clock_counts() -> None:
    lines = "m=audio 4 RTP/AVP 8 99 100\na=rtpmap:99 telephone-event/8000\na=rtpmap:100 telephone-event/8000"
    assert audio(lines).telephone_event == 99
    assert audio("m=audio 4 RTP/AVP 8 99\na=rtpmap:99 telephone-event/16000").telephone_event is None


@pytest.mark.parametrize(
    ("line", "ptime_ms"),
    [
        ("20", 20),
        ("30", 30),
        ("60", 60),
        ("20.0", 20),
        ("25", 20),
        ("0", 20),
        ("500", 20),
        ("", 20),
        ("x", 20),
        ("²", 20),
    ],
)
def test_packet_time(line: str, ptime_ms: int) -> None:
    assert audio(f"m=audio 4 RTP/AVP 8\na=ptime:{line}").ptime_ms == ptime_ms


@pytest.mark.parametrize("written", list(Direction))
def test_direction_of_the_media_then_of_the_session(written: Direction) -> None:
    assert audio(f"m=audio 4 RTP/AVP 8\na={written.value}").direction is written
    assert audio("m=audio 4 RTP/AVP 8", session=f"a={written.value}\n").direction is written
    assert audio("m=audio 4 RTP/AVP 8\na=sendrecv", session=f"a={written.value}\n").direction is Direction.SENDRECV


def test_sendrecv_is_the_default() -> None:
    assert audio("m=audio 4 RTP/AVP 8").direction is Direction.SENDRECV


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
@pytest.mark.parametrize(
    ("written", "meant"),
    [("sendrecv", Direction.SENDONLY), ("recvonly", Direction.INACTIVE), ("sendonly", Direction.SENDONLY)],
)
def test_old_style_hold(address: str, written: str, meant: Direction) -> None:
    # RFC 3264 §8.4: nothing may be sent to that address.
    assert audio(f"m=audio 4 RTP/AVP 8\na={written}", address=address).direction is meant


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        ("", ("192.0.2.1", 4001)),
        ("a=rtcp:5000", ("192.0.2.1", 5000)),
        ("a=rtcp:5000 IN IP4 192.0.2.9", ("192.0.2.9", 5000)),
        ("a=rtcp:5000 IN IP4 nowhere", ("192.0.2.1", 5000)),
        ("a=rtcp:5000 IN IP4 224.0.0.1", ("192.0.2.1", 5000)),
        ("a=rtcp:5000 IN IP4 169.254.169.254", ("192.0.2.1", 5000)),
        ("a=rtcp:5000 IN IP4 0.0.0.0", ("192.0.2.1", 5000)),
        ("a=rtcp:0", ("192.0.2.1", 4001)),
        ("a=rtcp:70000", ("192.0.2.1", 4001)),
        ("a=rtcp:", ("192.0.2.1", 4001)),
        ("a=rtcp-mux\na=rtcp:5000", ("192.0.2.1", 4000)),
    ],
)
def test_where_rtcp_goes(lines: str, place: tuple[str, int]) -> None:
    found = audio(f"m=audio 4000 RTP/AVP 8\n{lines}")
    assert (found.rtcp_address, found.rtcp_port) == place


def test_the_last_port_has_no_next() -> None:
    assert audio("m=audio 65535 RTP/AVP 8").rtcp_port == 65_535


@pytest.mark.parametrize("address", ["phone.example.com", "224.2.1.1", "ff02::1", "1.2.3", "192.0.2.1x"])
def test_addresses_that_are_no_unicast_literal(address: str) -> None:
    with pytest.raises(SdpError, match="c= holds"):
        audio("m=audio 4 RTP/AVP 8", address=address)


def test_a_line_without_any_address() -> None:
    description = parse(b"v=0\no=- 1 1 IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 8\n")
    with pytest.raises(SdpError, match="no address"):
        read_audio(description, description.media[0])


def test_ipv6() -> None:
    found = corpus("ipv6_phone")
    assert (found.address, found.port) == ("2001:db8::15", 5004)
    assert (found.rtcp_address, found.rtcp_port) == ("2001:db8::16", 6001)
    description = parse(body("ipv6_phone"))
    assert description.connection == Connection(address_type="IP6", address="2001:db8::15")


@pytest.mark.parametrize("sends", [True, False])
@pytest.mark.parametrize("receives", [True, False])
def test_directions_turn_round_and_narrow(sends: bool, receives: bool) -> None:
    made = direction(sends=sends, receives=receives)
    assert (made.sends, made.receives) == (sends, receives)
    turned = made.seen_from_the_other_side()
    assert (turned.sends, turned.receives) == (receives, sends)
    assert made.within(Direction.SENDRECV) is made
    assert made.within(Direction.INACTIVE) is Direction.INACTIVE


@pytest.mark.parametrize(
    "address",
    [
        "224.0.0.251",
        "255.255.255.255",
        "240.0.0.1",
        "169.254.169.254",
        "ff02::fb",
        "fe80::1",
        "::ffff:224.0.0.1",
        "::ffff:169.254.169.254",
    ],
)
def test_no_sound_goes_to_everybody_or_to_a_cloud_s_metadata(address: str) -> None:
    with pytest.raises(SdpError, match="address"):
        audio("m=audio 4000 RTP/AVP 8", address=address)
