"""The offer/answer exchange of one session, RFC 3264, for a telephone: one audio stream, G.711, RFC 4733 digits.

Knows whose turn it is, what was agreed and which numbers mean what. Knows nothing of SIP: `runtime/sip_legs.py` carries
the bodies, and says when a refusal or a CANCEL has ended an exchange (`withdraw`).
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from offhook.sdp.description import (
    Attribute,
    Connection,
    Description,
    Media,
    Origin,
    SdpError,
    parse,
    serialise,
)
from offhook.sdp.formats import (
    CLOCK_HZ,
    DEFAULT_PTIME_MS,
    PLAIN_PROTOCOLS,
    STATIC_NUMBER,
    Audio,
    Codec,
    Direction,
    read_audio,
)

EXPORT_VERSION = 1
FIRST_EVENT_NUMBER = 101
DYNAMIC_NUMBERS = range(96, 128)
EVENTS = "0-15"
EVENTS_WITH_FLASH = "0-16"


class NothingFits(SdpError):
    """A sound description with no audio stream that we can carry: 488, Not Acceptable Here (RFC 3261 §21.4.26)."""


class OutOfTurn(RuntimeError):
    """Our own fault: an offer while one is open, or an answer while none is (RFC 3264 §4; on the wire a 491)."""


class Preference(Enum):
    """Whose order decides among the codecs that both speak."""

    THEIRS = "theirs"
    """The offerer's, which RFC 3264 §6.1 recommends: no surprise to the peer. The default."""
    OURS = "ours"
    """`LocalAudio.codecs`: keeps two legs of a bridge on one codec, so that packets pass unchanged."""


class Turn(Enum):
    NOBODY = "nobody"
    """No offer is open."""
    OURS = "ours"
    """We have offered and wait for the answer."""
    THEIRS = "theirs"
    """They have offered and wait for our answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAudio:
    """Where we hear, and what we can speak. `address` is a literal; `rtcp_port` None means `port` + 1.

    `rtcp_mux`: the media engine can share one port (RFC 5761), so an offer of it is taken up. We never ask for it.
    """

    address: str
    port: int
    rtcp_port: int | None = None
    codecs: tuple[Codec, ...] = (Codec.PCMA, Codec.PCMU)
    telephone_event: bool = True
    rtcp_mux: bool = False

    def __post_init__(self) -> None:
        ipaddress.ip_address(self.address)
        if not self.codecs or not 0 < self.port < 65_536:
            raise ValueError("local audio wants a port and at least one codec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """What was agreed, in the words of who sends packets. Ports and payload types are numbers, `ptime_ms` milliseconds.

    `receive` maps the payload types that may come in to their codec; `receive_event` is telephone-event's. `send_event`
    is None where the peer takes no telephone-event: then digits are sent and listened for in band. `direction` is ours:
    SENDRECV in a normal call, RECVONLY when the peer holds us, SENDONLY when we hold it. With an address of 0.0.0.0 or
    `::` it never sends (RFC 3264 §8.4).
    """

    remote_address: str
    remote_port: int
    rtcp_address: str
    rtcp_port: int
    rtcp_mux: bool
    codec: Codec
    send_payload_type: int
    receive: tuple[tuple[int, Codec], ...]
    send_event: int | None
    receive_event: int | None
    ptime_ms: int
    direction: Direction

    @property
    def held_by_peer(self) -> bool:
        return not self.direction.sends


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slot:
    """A media line of the last description sent. Its place is kept for the life of the session (RFC 3264 §8)."""

    kind: str
    protocol: str
    formats: tuple[str, ...]


class OfferAnswer:
    """One session's descriptions: a machine of three states, `turn` saying which.

    *Nobody* (at first, and between exchanges) → `offer()` → *ours* → `receive_answer()` → nobody; or
    nobody → `receive_offer()` → *theirs* → `answer()` → nobody. `withdraw()` ends either without agreement: what was
    agreed before stands (RFC 3264 §8). Anything else raises `OutOfTurn`. `receive_answer()` may be called again after
    an answer, until the next offer: an unreliable 183 and the 200 both carry one, and some networks let them differ
    (early media from an announcement server, then the phone); the last one counts.

    A request that forks gives several answers to one offer: `copy()` the machine before the first answer, one for each
    early dialog.

    What is kept for the life of the session, as the RFC asks: the place of every media line, refused ones too (§8); the
    meaning of every payload type either side has named (§8.3.2), so that a telephone-event number once agreed as 97
    stays 97 in our own later offers; the session id, with a version that goes up by one whenever the text differs from
    the last one sent, and stays when it does not (§5, §8).

    Which codec: an answer names one codec (and telephone-event), chosen by `Preference`, so that no peer changes its
    mind between packets. An answer to us is used in its own order: we send its first, and take any we offered.

    A stream is audio over RTP/AVP or RTP/AVPF with a port; others (video, T.38, RTP/SAVP) are answered with port 0, and
    when none is left the whole offer is refused: `NothingFits`. ICE, DTLS, bundle and feedback attributes are ignored
    and left out of answers, which their RFCs define as "not supported".
    """

    def __init__(self, *, session_id: int) -> None:
        """`session_id`: chance, from the caller, 62 bits or fewer (RFC 8866 §5.2)."""
        self._session_id = session_id
        self._version = 0
        self._turn = Turn.NOBODY
        self._sent: str | None = None
        self._offered: str | None = None
        self._local: LocalAudio | None = None
        self._offer_direction = Direction.SENDRECV
        self._answerable = False
        self._slots: tuple[_Slot, ...] = ()
        self._agreed_slots: tuple[_Slot, ...] = ()
        self._audio_at = 0
        self._numbers: dict[Codec, int] = dict(STATIC_NUMBER)
        self._event_number: int | None = None
        self._taken: frozenset[int] = frozenset()
        self._negotiated: Negotiated | None = None

    @property
    def turn(self) -> Turn:
        return self._turn

    @property
    def negotiated(self) -> Negotiated | None:
        """The last agreement, or None before the first."""
        return self._negotiated

    @property
    def last_sent(self) -> bytes | None:
        """The last description we sent, for a 200 that repeats the 183's."""
        return None if self._sent is None else _encode(self._sent)

    # --- we offer -----------------------------------------------------------------------------------------------

    def offer(self, local: LocalAudio, direction: Direction = Direction.SENDRECV) -> bytes:
        """Our offer (RFC 3264 §5, and §8 for a later one). SENDONLY holds the peer, INACTIVE when it holds us too."""
        if self._turn is not Turn.NOBODY:
            raise OutOfTurn("an offer is open")
        codecs = tuple((self._numbers[codec], codec) for codec in local.codecs)
        if local.telephone_event and self._event_number is None:
            self._event_number = self._free_number()
        event = self._event_number if local.telephone_event else None
        place = self._agreed_slots[self._audio_at] if self._agreed_slots else None
        audio = _audio_line(
            local,
            "RTP/AVP" if place is None else place.protocol,
            codecs,
            event,
            EVENTS_WITH_FLASH,
            direction,
            mux=False,
        )
        media = [_refusal(slot) for slot in self._agreed_slots] or [audio]
        media[self._audio_at] = audio
        self._local, self._offer_direction = local, direction
        self._turn = Turn.OURS
        return self._send(local, media)

    def receive_answer(self, body: bytes) -> Negotiated:
        """Reads the answer to our offer (RFC 3264 §7).

        Raises `SdpError` (unreadable) or `NothingFits` (our stream refused, or answered with what we did not offer);
        the offer is then still open: a later answer may do better, else `withdraw()`.
        """
        if self._local is None or not (self._turn is Turn.OURS or self._answerable):
            raise OutOfTurn("no offer of ours is open")
        description = parse(body)
        if self._audio_at >= len(description.media):
            raise NothingFits("the answer has no line for our audio (RFC 3264 §6)")
        line = description.media[self._audio_at]
        if line.kind != "audio" or line.port == 0:
            raise NothingFits("the answer refuses our audio (port 0, RFC 3264 §6)")
        if line.protocol not in PLAIN_PROTOCOLS:
            raise NothingFits(f"the answer speaks {line.protocol}, which was not offered")
        audio = read_audio(description, line)
        fitting = [(number, codec) for number, codec in audio.codecs if codec in self._local.codecs]
        if not fitting:
            raise NothingFits("the answer names no codec that was offered")
        number, codec = fitting[0]
        receives_events = self._local.telephone_event and audio.telephone_event is not None
        direction = self._offer_direction.within(audio.direction.seen_from_the_other_side())
        self._taken |= frozenset(audio.numbers)
        self._turn, self._answerable = Turn.NOBODY, True
        self._agreed_slots = self._slots
        self._negotiated = _negotiated(
            audio,
            send=(number, codec),
            # What we offered is ours to hear by its number, whatever numbers the answerer prefers (RFC 3264 §5.1, §7).
            receive=tuple((self._numbers[each], each) for each in self._local.codecs),
            receive_event=self._event_number if receives_events else None,
            send_event=audio.telephone_event if receives_events else None,
            direction=direction,
            mux=False,
        )
        return self._negotiated

    # --- they offer ---------------------------------------------------------------------------------------------

    def receive_offer(self, body: bytes, *, codecs: Iterable[Codec] = (Codec.PCMA, Codec.PCMU)) -> Audio:
        """Reads their offer and keeps it for `answer()`. Gives back the stream that would be used.

        Raises `SdpError` or `NothingFits`, and then nothing has changed: the request is owed a 488.
        """
        if self._turn is not Turn.NOBODY:
            raise OutOfTurn("an offer is open")
        description = parse(body)
        _, audio = self._choose(description, tuple(codecs))
        self._offered = body.decode("utf-8", "surrogateescape")
        self._turn, self._answerable = Turn.THEIRS, False
        return audio

    def answer(
        self,
        local: LocalAudio,
        direction: Direction = Direction.SENDRECV,
        *,
        preference: Preference = Preference.THEIRS,
    ) -> tuple[bytes, Negotiated]:
        """Our answer (RFC 3264 §6). `direction` is our wish; the offer may leave less of it.

        Raises `NothingFits` if `local` speaks nothing of what `receive_offer` found; the offer is then still open.
        """
        if self._turn is not Turn.THEIRS or self._offered is None:
            raise OutOfTurn("no offer of theirs is open")
        description = parse(_encode(self._offered))
        at, audio = self._choose(description, local.codecs)
        number, codec = _pick(audio, local.codecs, preference)
        event = audio.telephone_event if local.telephone_event else None
        direction = direction.within(audio.direction.seen_from_the_other_side())
        mux = audio.rtcp_mux and local.rtcp_mux
        events = EVENTS_WITH_FLASH if audio.flash else EVENTS
        media = [_refusal(_slot(line)) for line in description.media]
        media[at] = _audio_line(
            local, description.media[at].protocol, ((number, codec),), event, events, direction, mux=mux
        )
        self._learn_numbers(audio)
        self._local, self._audio_at = local, at
        self._turn, self._offered = Turn.NOBODY, None
        sent = self._send(local, media)
        self._agreed_slots = self._slots
        self._negotiated = _negotiated(
            audio,
            send=(number, codec),
            receive=((number, codec),),
            receive_event=event,
            send_event=event,
            direction=direction,
            mux=mux,
        )
        return sent, self._negotiated

    def withdraw(self) -> None:
        """The open offer came to nothing: it was refused, cancelled or crossed another. What was agreed stands."""
        if self._turn is Turn.NOBODY:
            raise OutOfTurn("no offer is open")
        self._turn, self._offered = Turn.NOBODY, None

    def copy(self) -> "OfferAnswer":
        """The same machine once more: one for each early dialog of a request that forked (RFC 3261 §13.2.2.4)."""
        return OfferAnswer.restore(self.export())

    # --- within -------------------------------------------------------------------------------------------------

    def _choose(self, description: Description, codecs: tuple[Codec, ...]) -> tuple[int, Audio]:
        """The line in use if it still fits, else the first that does; the reasons of all of them if none."""
        places = sorted(range(len(description.media)), key=lambda at: (at != self._audio_at, at))
        reasons: list[str] = []
        for at in places:
            line = description.media[at]
            if line.kind != "audio" or line.port == 0:
                continue
            if line.protocol not in PLAIN_PROTOCOLS:
                reasons.append(f"{line.protocol} is not spoken here")
                continue
            try:
                audio = read_audio(description, line)
            except SdpError as error:
                reasons.append(error.reason)
                continue
            if any(codec in codecs for _, codec in audio.codecs):
                return at, audio
            reasons.append("no codec of ours among " + " ".join(line.formats[:16]))
        raise NothingFits("; ".join(reasons) or "no audio stream is offered")

    def _learn_numbers(self, audio: Audio) -> None:
        """Takes over the offerer's payload types for our own later offers (RFC 3264 §8.3.2)."""
        for codec, number in self._numbers.items():
            if number in audio.numbers:
                # Theirs now; where they gave our number another meaning, back to the one nobody can redefine.
                self._numbers[codec] = STATIC_NUMBER[codec]
        self._numbers.update({codec: number for number, codec in reversed(audio.codecs)})
        if audio.telephone_event is not None or self._event_number in audio.numbers:
            self._event_number = audio.telephone_event
        self._taken |= frozenset(audio.numbers)

    def _free_number(self) -> int:
        candidates: tuple[int, ...] = (FIRST_EVENT_NUMBER, *DYNAMIC_NUMBERS)
        for number in candidates:
            if number not in self._taken and number not in self._numbers.values():
                return number
        # All 32 are taken by a peer that offered everything; it has then named a telephone-event of its own, or none.
        return FIRST_EVENT_NUMBER

    def _send(self, local: LocalAudio, media: list[Media]) -> bytes:
        self._slots = tuple(_slot(line) for line in media)
        if self._sent is not None and self._describe(local, media) != self._sent:
            self._version += 1
        self._sent = self._describe(local, media)
        return _encode(self._sent)

    def _describe(self, local: LocalAudio, media: list[Media]) -> str:
        family = _family(local.address)
        description = Description(
            origin=Origin(
                session_id=str(self._session_id),
                version=str(self._session_id + self._version),
                address_type=family,
                address=local.address,
            ),
            connection=Connection(address_type=family, address=local.address),
            media=tuple(media),
        )
        return serialise(description).decode("utf-8", "surrogateescape")

    # --- kept ---------------------------------------------------------------------------------------------------

    def export(self) -> dict[str, Any]:
        """All of it as plain data (JSON holds it). `restore` goes on as this one would have."""
        return {
            "v": EXPORT_VERSION,
            "session_id": self._session_id,
            "version": self._version,
            "turn": self._turn.value,
            "sent": self._sent,
            "offered": self._offered,
            "local": None if self._local is None else _plain_local(self._local),
            "offer_direction": self._offer_direction.value,
            "answerable": self._answerable,
            "slots": [_plain_slot(slot) for slot in self._slots],
            "agreed_slots": [_plain_slot(slot) for slot in self._agreed_slots],
            "audio_at": self._audio_at,
            "numbers": {codec.value: number for codec, number in self._numbers.items()},
            "event_number": self._event_number,
            "taken": sorted(self._taken),
            "negotiated": None if self._negotiated is None else plain_negotiated(self._negotiated),
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> "OfferAnswer":
        """From `export()`. Raises `ValueError` for a version this program does not know."""
        if data["v"] != EXPORT_VERSION:
            raise ValueError(f"offer/answer state of version {data['v']} is not known here")
        machine = cls(session_id=data["session_id"])
        machine._version = data["version"]
        machine._turn = Turn(data["turn"])
        machine._sent = data["sent"]
        machine._offered = data["offered"]
        machine._local = None if data["local"] is None else _local_from(data["local"])
        machine._offer_direction = Direction(data["offer_direction"])
        machine._answerable = data["answerable"]
        machine._slots = tuple(_slot_from(slot) for slot in data["slots"])
        machine._agreed_slots = tuple(_slot_from(slot) for slot in data["agreed_slots"])
        machine._audio_at = data["audio_at"]
        machine._numbers = {Codec(name): number for name, number in data["numbers"].items()}
        machine._event_number = data["event_number"]
        machine._taken = frozenset(data["taken"])
        machine._negotiated = None if data["negotiated"] is None else negotiated_from(data["negotiated"])
        return machine


def _pick(audio: Audio, codecs: tuple[Codec, ...], preference: Preference) -> tuple[int, Codec]:
    """The codec of an answer: the first that both speak, in the order of whom `preference` names."""
    common = [(number, codec) for number, codec in audio.codecs if codec in codecs]
    if preference is Preference.OURS:
        common.sort(key=lambda pair: codecs.index(pair[1]))
    return common[0]


def _negotiated(
    audio: Audio,
    *,
    send: tuple[int, Codec],
    receive: tuple[tuple[int, Codec], ...],
    receive_event: int | None,
    send_event: int | None,
    direction: Direction,
    mux: bool,
) -> Negotiated:
    separate = audio.rtcp_mux and not mux
    return Negotiated(
        remote_address=audio.address,
        remote_port=audio.port,
        rtcp_address=audio.address if separate else audio.rtcp_address,
        # Offered and not taken up, RTCP goes where it would have without (RFC 5761 §5.1.1).
        rtcp_port=min(audio.port + 1, 65_535) if separate else audio.rtcp_port,
        rtcp_mux=mux,
        codec=send[1],
        send_payload_type=send[0],
        receive=receive,
        send_event=send_event,
        receive_event=receive_event,
        ptime_ms=audio.ptime_ms,
        direction=direction,
    )


def _audio_line(
    local: LocalAudio,
    protocol: str,
    codecs: tuple[tuple[int, Codec], ...],
    event: int | None,
    events: str,
    direction: Direction,
    *,
    mux: bool,
) -> Media:
    formats = [str(number) for number, _ in codecs]
    attributes = [Attribute(name="rtpmap", value=f"{number} {codec.value}/{CLOCK_HZ}") for number, codec in codecs]
    if event is not None:
        formats.append(str(event))
        attributes.append(Attribute(name="rtpmap", value=f"{event} telephone-event/{CLOCK_HZ}"))
        attributes.append(Attribute(name="fmtp", value=f"{event} {events}"))
    attributes.append(Attribute(name="ptime", value=str(DEFAULT_PTIME_MS)))
    if mux:
        attributes.append(Attribute(name="rtcp-mux"))
    elif local.rtcp_port is not None and local.rtcp_port != local.port + 1:
        attributes.append(Attribute(name="rtcp", value=str(local.rtcp_port)))
    attributes.append(Attribute(name=direction.value))
    return Media(kind="audio", port=local.port, protocol=protocol, formats=tuple(formats), attributes=tuple(attributes))


def _refusal(slot: _Slot) -> Media:
    """A line that keeps its place and carries nothing (RFC 3264 §6): the formats must be there, and mean nothing."""
    return Media(kind=slot.kind, port=0, protocol=slot.protocol, formats=slot.formats)


def _slot(line: Media) -> _Slot:
    return _Slot(kind=line.kind, protocol=line.protocol, formats=line.formats)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _family(address: str) -> str:
    return "IP6" if ipaddress.ip_address(address).version == 6 else "IP4"


def _plain_slot(slot: _Slot) -> list[Any]:
    return [slot.kind, slot.protocol, list(slot.formats)]


def _slot_from(data: list[Any]) -> _Slot:
    return _Slot(kind=data[0], protocol=data[1], formats=tuple(data[2]))


def _plain_local(local: LocalAudio) -> dict[str, Any]:
    return {
        "address": local.address,
        "port": local.port,
        "rtcp_port": local.rtcp_port,
        "codecs": [codec.value for codec in local.codecs],
        "telephone_event": local.telephone_event,
        "rtcp_mux": local.rtcp_mux,
    }


def _local_from(data: Mapping[str, Any]) -> LocalAudio:
    return LocalAudio(**{**data, "codecs": tuple(Codec(name) for name in data["codecs"])})


def plain_negotiated(negotiated: Negotiated) -> dict[str, Any]:
    """An agreement as plain data, for what else is kept about a leg."""
    return {
        "remote_address": negotiated.remote_address,
        "remote_port": negotiated.remote_port,
        "rtcp_address": negotiated.rtcp_address,
        "rtcp_port": negotiated.rtcp_port,
        "rtcp_mux": negotiated.rtcp_mux,
        "codec": negotiated.codec.value,
        "send_payload_type": negotiated.send_payload_type,
        "receive": [[number, codec.value] for number, codec in negotiated.receive],
        "send_event": negotiated.send_event,
        "receive_event": negotiated.receive_event,
        "ptime_ms": negotiated.ptime_ms,
        "direction": negotiated.direction.value,
    }


def negotiated_from(data: Mapping[str, Any]) -> Negotiated:
    """The reverse of `plain_negotiated`."""
    return Negotiated(
        **{
            **data,
            "codec": Codec(data["codec"]),
            "receive": tuple((number, Codec(name)) for number, name in data["receive"]),
            "direction": Direction(data["direction"]),
        }
    )
