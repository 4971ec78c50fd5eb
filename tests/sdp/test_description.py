"""Reading and writing RFC 8866 descriptions: what is forgiven, what is refused and with which line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sdp_corpus import NAMES, body

from offhook.sdp.description import (
    MAX_DESCRIPTION_BYTES,
    MAX_FORMATS_PER_MEDIA,
    MAX_LINES,
    MAX_MEDIA_LINES,
    Attribute,
    Connection,
    Description,
    Media,
    Origin,
    SdpError,
    parse,
    serialise,
)

HEAD = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
AUDIO = b"m=audio 4000 RTP/AVP 8\r\n"
WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=12)


@pytest.mark.parametrize("name", NAMES)
def test_what_known_peers_write_is_read_and_survives_writing(name: str) -> None:
    description = parse(body(name))
    assert description.media
    assert parse(serialise(description)) == description


def test_the_corpus_is_there() -> None:
    assert {"asterisk", "linphone", "baresip", "cisco", "freeswitch", "3cx"} <= set(NAMES)


def test_every_part_is_found() -> None:
    description = parse(body("cisco"))
    assert description.origin == Origin(
        username="CiscoSystemsSIP-GW-UserAgent",
        session_id="7711",
        version="3090",
        address_type="IP4",
        address="192.0.2.90",
    )
    assert description.name == "SIP Call"
    (audio,) = description.media
    assert (audio.kind, audio.port, audio.protocol) == ("audio", 17466, "RTP/AVP")
    assert audio.formats == ("18", "8", "101", "19")
    # §5.7: the media's own address overrides the session's.
    assert description.connection_of(audio) == Connection(address_type="IP4", address="192.0.2.91")
    assert audio.values("ptime") == ("30",)
    assert Attribute(name="fmtp", value="18 annexb=no") in audio.attributes


def test_flags_and_session_attributes() -> None:
    description = parse(HEAD + b"a=inactive\r\na=group:BUNDLE 0\r\n" + AUDIO + b"a=rtcp-mux\r\n")
    assert description.has("inactive")
    assert not description.has("rtcp-mux")
    assert description.media[0].has("rtcp-mux")
    assert description.media[0].values("rtcp-mux") == ()


@pytest.mark.parametrize(
    "data",
    [
        (HEAD + AUDIO).replace(b"\r\n", b"\n"),
        (HEAD + AUDIO).replace(b"\r\n", b"\r"),
        HEAD + b"\r\n" + AUDIO + b"\r\n\r\n\0",
        HEAD.replace(b"s=-\r\n", b"") + AUDIO,
        HEAD.replace(b"s=-", b"s=") + AUDIO,
        HEAD.replace(b"t=0 0\r\n", b"") + AUDIO,
        HEAD.replace(b"c=IN IP4 192.0.2.1", b"c= IN IP4 192.0.2.1/64") + AUDIO,
        HEAD.replace(b"c=IN IP4", b"c=in ip4") + AUDIO,
        HEAD + b"x=what is this\r\nb=AS:64\r\ni=words\r\n" + AUDIO,
        HEAD + b"m=audio 4000/2 RTP/AVP 8\r\n",
    ],
)
def test_known_faults_are_forgiven(data: bytes) -> None:
    assert parse(data) == parse(HEAD + AUDIO)


def test_a_user_name_with_blanks() -> None:
    assert parse(body("bare_gateway")).origin.username == "Front desk 2 gw"


def test_text_that_is_not_utf_8_comes_through() -> None:
    data = HEAD.replace(b"s=-", b"s=caf\xe9") + AUDIO
    assert b"s=caf\xe9\r\n" in serialise(parse(data))


@pytest.mark.parametrize(
    ("data", "line", "word"),
    [
        (b"", None, "empty"),
        (b"\r\n", None, "empty"),
        (b"o=- 1 1 IN IP4 192.0.2.1\r\n", 1, "v=0"),
        (HEAD.replace(b"v=0", b"v=1"), 1, "v=0"),
        (b"v=0\r\ns=-\r\n", None, "no o="),
        (b"v=0\r\no=- 1 1 IN IP4\r\n", 2, "six fields"),
        (HEAD + b"hello\r\n", 6, "<type>=<value>"),
        (HEAD + b"m=audio 4000 RTP/AVP\r\n", 6, "m= wants"),
        (HEAD + b"m=audio x RTP/AVP 8\r\n", 6, "no port"),
        (HEAD + b"m=audio 65536 RTP/AVP 8\r\n", 6, "no port"),
        (HEAD + b"m=audio 000080 RTP/AVP 8\r\n", 6, "no port"),
        (HEAD + "m=audio ٣ RTP/AVP 8\r\n".encode(), 6, "no port"),
        (HEAD + b"c=IN IP4\r\n", 6, "c= wants"),
        (HEAD + b"c=IN E164 1234\r\n", 6, "c= wants"),
        (HEAD + b"c=ATM NSAP x\r\n", 6, "c= wants"),
        (HEAD + b"c=IN IP4 /24\r\n", 6, "no address"),
        (HEAD + b"a=\r\n", 6, "without a name"),
        (HEAD + b"a=:value\r\n", 6, "without a name"),
        (HEAD.replace(b"c=IN IP4 192.0.2.1\r\n", b"") + AUDIO, None, "no c= line"),
        (HEAD + b"a=x:" + b"y" * 5000, 6, "longer"),
        (b"v=0\r\n" * (MAX_LINES + 1), None, "lines"),
        (b"v" * (MAX_DESCRIPTION_BYTES + 1), None, "bytes"),
        (HEAD + AUDIO * (MAX_MEDIA_LINES + 1), 6 + MAX_MEDIA_LINES, "media lines"),
        (HEAD + b"m=audio 1 RTP/AVP" + b" 8" * (MAX_FORMATS_PER_MEDIA + 1), 6, "formats"),
    ],
)
def test_what_would_leave_us_guessing_is_refused_with_its_line(data: bytes, line: int | None, word: str) -> None:
    with pytest.raises(SdpError, match=word) as refused:
        parse(data)
    assert refused.value.line == line


def test_a_nul_between_stray_bytes_joins_nothing() -> None:
    # Found by fuzzing: C2 and 80 alone are no text, C2 80 together is one character.
    description = parse(HEAD.replace(b"o=-", b"o=\xc2\x00\x80") + AUDIO)
    assert parse(serialise(description)) == description


def test_a_refused_stream_needs_no_address() -> None:
    data = HEAD.replace(b"c=IN IP4 192.0.2.1\r\n", b"") + b"m=audio 0 RTP/AVP 8\r\n"
    assert parse(data).media[0].port == 0


def test_the_first_of_several_addresses_counts() -> None:
    description = parse(HEAD + AUDIO + b"c=IN IP4 192.0.2.8\r\nc=IN IP4 192.0.2.9\r\n")
    assert description.media[0].connection == Connection(address_type="IP4", address="192.0.2.8")


CONNECTIONS = st.none() | st.builds(Connection, address_type=st.sampled_from(["IP4", "IP6"]), address=WORDS)
ATTRIBUTES = st.lists(st.builds(Attribute, name=WORDS, value=st.none() | WORDS), max_size=4).map(tuple)
DESCRIPTIONS = st.builds(
    Description,
    origin=st.builds(
        Origin, username=WORDS, session_id=WORDS, version=WORDS, address_type=st.just("IP4"), address=WORDS
    ),
    name=WORDS,
    connection=st.builds(Connection, address_type=st.just("IP4"), address=WORDS),
    attributes=ATTRIBUTES,
    media=st.lists(
        st.builds(
            Media,
            kind=WORDS,
            port=st.integers(min_value=0, max_value=65_535),
            protocol=WORDS,
            formats=st.lists(WORDS, min_size=1, max_size=4).map(tuple),
            connection=CONNECTIONS,
            attributes=ATTRIBUTES,
        ),
        max_size=4,
    ).map(tuple),
)


@given(DESCRIPTIONS)
def test_what_is_written_is_read_back(description: Description) -> None:
    assert parse(serialise(description)) == description


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda tail: HEAD + AUDIO + tail))
def test_any_bytes_are_a_description_or_an_error(data: bytes) -> None:
    try:
        description = parse(data)
    except SdpError:
        return
    assert parse(serialise(description)) == description
