"""What a media line means to a telephone: payload types, telephone-event, direction, packet time, RTCP's place.

RFC 3551 §6 (static payload types), RFC 4733 §2.4 (telephone-event), RFC 3264 §5.1 and §6.1 (direction), RFC 3605
(`a=rtcp`). Reads one `m=audio` of a description; takes no decision about what to answer.
"""

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address

from offhook.sdp.description import Connection, Description, Media, SdpError

CLOCK_HZ = 8000
DEFAULT_PTIME_MS = 20
MIN_PTIME_MS = 10
MAX_PTIME_MS = 60
MAX_PAYLOAD_TYPE = 127
# What RTP/AVPF adds is a permission to send feedback early (RFC 4585 §3.1); who never does so speaks RTP/AVP.
PLAIN_PROTOCOLS = frozenset({"RTP/AVP", "RTP/AVPF"})


class Codec(Enum):
    """The codecs we speak, by their names in `a=rtpmap` (RFC 3551 §4.5.14)."""

    PCMA = "PCMA"
    PCMU = "PCMU"


STATIC_PAYLOAD_TYPES = {0: Codec.PCMU, 8: Codec.PCMA}
STATIC_NUMBER = {codec: number for number, codec in STATIC_PAYLOAD_TYPES.items()}


class Direction(Enum):
    """Which way sound goes, as the writer of the description sees it."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    def seen_from_the_other_side(self) -> "Direction":
        return direction(sends=self.receives, receives=self.sends)

    def within(self, other: "Direction") -> "Direction":
        """What both allow: the answerer's wish within what the offer leaves open (RFC 3264 §6.1)."""
        return direction(sends=self.sends and other.sends, receives=self.receives and other.receives)


def direction(*, sends: bool, receives: bool) -> Direction:
    if sends:
        return Direction.SENDRECV if receives else Direction.SENDONLY
    return Direction.RECVONLY if receives else Direction.INACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """An `m=audio` as a telephone understands it. Times in ms; addresses are literals.

    `codecs` holds what we know, in the writer's order. `direction` is the writer's, with an old-style hold
    (`c=0.0.0.0`, RFC 3264 §8.4) already taken as "does not receive". `numbers` are all payload types that the writer
    has given a meaning: they keep it for the whole session (RFC 3264 §8.3.2).
    """

    address: str
    port: int
    rtcp_address: str
    rtcp_port: int
    rtcp_mux: bool
    codecs: tuple[tuple[int, Codec], ...]
    telephone_event: int | None
    flash: bool
    numbers: tuple[int, ...]
    ptime_ms: int
    direction: Direction


def read_audio(description: Description, media: Media) -> Audio:
    """Reads an `m=audio` whose port is not 0.

    Raises `SdpError` where the address is no unicast literal: a name would have to be looked up while a caller waits,
    and no telephone in service sends one.
    """
    connection = description.connection_of(media)
    if connection is None:
        raise SdpError("m=audio has no address")
    address = _literal(connection)
    codecs, telephone_event, numbers = _payload_types(media)
    written = _direction(description, media)
    if address.is_unspecified:
        written = direction(sends=written.sends, receives=False)
    rtcp_address, rtcp_port = _rtcp(media, str(address))
    return Audio(
        address=str(address),
        port=media.port,
        rtcp_address=rtcp_address,
        rtcp_port=rtcp_port,
        rtcp_mux=media.has("rtcp-mux"),
        codecs=codecs,
        telephone_event=telephone_event,
        flash=telephone_event is not None and _names_flash(media, telephone_event),
        numbers=numbers,
        ptime_ms=_ptime_ms(media),
        direction=written,
    )


def _literal(connection: Connection) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(connection.address)
    except ValueError:
        raise SdpError(f"c= holds {connection.address[:60]!r}, which is no IP address") from None
    why = _unsendable(address)
    if why:
        raise SdpError(f"c= holds the {why} address {address}")
    return address


def _unsendable(address: IPv4Address | IPv6Address) -> str:
    """What keeps sound from being sent to an address, whoever asks for it; "" if nothing does.

    Multicast has rules of its own (RFC 3264 §5.2); broadcast and the reserved block are nobody. Link-local is where
    clouds answer for a machine's credentials, and no peer beyond the next switch has such an address.
    """
    meant = getattr(address, "ipv4_mapped", None) or address
    if meant.is_multicast:
        return "multicast"
    if meant.is_link_local:
        return "link-local"
    return "reserved" if meant.version == 4 and meant.is_reserved else ""


def _payload_types(media: Media) -> tuple[tuple[tuple[int, Codec], ...], int | None, tuple[int, ...]]:
    encodings = _rtpmaps(media)
    codecs: list[tuple[int, Codec]] = []
    telephone_event: int | None = None
    numbers: list[int] = []
    for text in media.formats:
        if not (text.isascii() and text.isdigit()) or len(text) > 3 or int(text) > MAX_PAYLOAD_TYPE:
            continue
        number = int(text)
        if number in numbers:
            continue
        numbers.append(number)
        encoding = encodings.get(number)
        static = STATIC_PAYLOAD_TYPES.get(number)
        if static is not None:
            # RFC 3551 §6: a static number needs no rtpmap, and many phones send none. Nor can one change its meaning.
            if encoding is None or encoding == static.value:
                codecs.append((number, static))
        elif encoding is None:
            continue
        elif encoding == "TELEPHONE-EVENT":
            telephone_event = number if telephone_event is None else telephone_event
        elif encoding in Codec.__members__:
            codecs.append((number, Codec[encoding]))
    return tuple(codecs), telephone_event, tuple(numbers)


def _rtpmaps(media: Media) -> dict[int, str]:
    """Payload type to encoding name in capitals; another clock or more channels than ours make it a stranger ("")."""
    found: dict[int, str] = {}
    for value in media.values("rtpmap"):
        number, _, encoding = value.partition(" ")
        parts = encoding.strip().split("/")
        if not (number.isascii() and number.isdigit()) or len(number) > 3:
            continue
        ours = len(parts) >= 2 and parts[1].strip() == str(CLOCK_HZ) and (len(parts) == 2 or parts[2].strip() == "1")
        found.setdefault(int(number), parts[0].upper() if ours else "")
    return found


def _names_flash(media: Media, number: int) -> bool:
    """Whether event 16 is among those the writer takes; without `a=fmtp` it means 0-15 (RFC 4733 §2.4.1)."""
    for value in media.values("fmtp"):
        head, _, events = value.partition(" ")
        if head != str(number):
            continue
        for part in events.replace("events=", "").split(","):
            low, dash, high = part.strip().partition("-")
            if low.isdecimal() and (not dash or high.isdecimal()) and int(low) <= 16 <= int(high if dash else low):
                return True
    return False


def _ptime_ms(media: Media) -> int:
    """The packet time the writer wishes to receive, where a telephone can do it; else 20 ms."""
    for value in media.values("ptime"):
        # Some phones write 20.0.
        whole = value.partition(".")[0]
        if whole.isascii() and whole.isdigit() and len(whole) <= 3:
            wished = int(whole)
            if MIN_PTIME_MS <= wished <= MAX_PTIME_MS and wished % MIN_PTIME_MS == 0:
                return wished
    return DEFAULT_PTIME_MS


def _direction(description: Description, media: Media) -> Direction:
    """RFC 8866 §6.7: the media's own, else the session's, else sendrecv."""
    for place in (media, description):
        for each in Direction:
            if place.has(each.value):
                return each
    return Direction.SENDRECV


def _elsewhere(text: str) -> str | None:
    """Another address for RTCP, if it is one that can be sent to."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return None if _unsendable(address) or address.is_unspecified else str(address)


def _rtcp(media: Media, address: str) -> tuple[str, int]:
    """RFC 3605 §2.1: a port, and perhaps an address; without it the next port (RFC 3550 §11)."""
    if media.has("rtcp-mux"):
        return address, media.port
    for value in media.values("rtcp"):
        parts = value.split()
        if parts and parts[0].isascii() and parts[0].isdigit() and 0 < len(parts[0]) <= 5 and 0 < int(parts[0]) < 65536:
            return (_elsewhere(parts[3]) if len(parts) == 4 else None) or address, int(parts[0])
    return address, min(media.port + 1, 65_535)
