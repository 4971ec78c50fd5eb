"""Session descriptions as text: RFC 8866, read tolerantly and written strictly. Parse, or say why not.

What peers are known to get wrong is forgiven and listed in `parse`; what would leave us guessing about an address or a
port is refused with the line. Nothing here knows what a codec is or whose turn it is to speak (`offer_answer.py`).
"""

from dataclasses import dataclass

MAX_DESCRIPTION_BYTES = 32_768
MAX_LINES = 1_000
MAX_LINE_BYTES = 4_096
MAX_MEDIA_LINES = 32
MAX_FORMATS_PER_MEDIA = 128
MAX_PORT = 65_535


class SdpError(ValueError):
    """A description that cannot be used. Theirs, not ours: an offer like it is owed a 488 (RFC 3261 §13.3.1.3)."""

    def __init__(self, reason: str, *, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"line {line}: {reason}")
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """`o=` (RFC 8866 §5.2). Identifier and version stay text: peers write more digits than any integer type holds."""

    username: str = "-"
    session_id: str
    version: str
    address_type: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """`c=` (§5.7) without a TTL or count: a literal address or a name, as written."""

    address_type: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """`a=` (§5.13): a flag when `value` is None."""

    name: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """`m=` (§5.14) with what belongs to it. `port` 0 is a stream refused or removed (RFC 3264 §6, §8.2)."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = ()

    def values(self, name: str) -> tuple[str, ...]:
        """The values of every attribute called `name`, in their order; flags are left out."""
        return tuple(a.value for a in self.attributes if a.name == name and a.value is not None)

    def has(self, name: str) -> bool:
        return any(a.name == name for a in self.attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A whole description. Lines that say nothing to an endpoint of a call (i u e p b k z r) are not kept."""

    origin: Origin
    name: str = "-"
    connection: Connection | None = None
    attributes: tuple[Attribute, ...] = ()
    media: tuple[Media, ...] = ()

    def connection_of(self, media: Media) -> Connection | None:
        """The media's own `c=`, else the session's (§5.7)."""
        return media.connection if media.connection is not None else self.connection

    def has(self, name: str) -> bool:
        return any(a.name == name for a in self.attributes)


def parse(data: bytes) -> Description:
    """Reads a description, or raises `SdpError` with the line.

    Forgiven, because peers in service do it: any line ending, blank lines, NUL bytes; a missing or empty `s=`; no
    `t=`; blanks after `=`; spaces within the user name of `o=`; a TTL on a unicast address; lines out of order; text
    that is not UTF-8; type letters we do not know (§5 would have the whole description discarded).
    """
    if len(data) > MAX_DESCRIPTION_BYTES:
        raise SdpError(f"{len(data)} bytes are more than the {MAX_DESCRIPTION_BYTES} that are read")
    reader = _Reader()
    # NULs go before decoding: taken out later, they could join two stray bytes to one character.
    text = (
        data.replace(b"\0", b"").decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n").rstrip()
    )
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise SdpError(f"{len(lines)} lines are more than the {MAX_LINES} that are read")
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE_BYTES:
            raise SdpError(f"longer than {MAX_LINE_BYTES} characters", line=number)
        if line.strip():
            reader.take(number, line)
    return reader.finish()


def serialise(description: Description) -> bytes:
    """Writes what `parse` reads back as an equal value, in the order of §9, with CRLF."""
    origin = description.origin
    lines = [
        "v=0",
        f"o={origin.username} {origin.session_id} {origin.version} IN {origin.address_type} {origin.address}",
        f"s={description.name}",
    ]
    if description.connection is not None:
        lines.append(_connection_line(description.connection))
    lines.append("t=0 0")
    lines.extend(_attribute_line(a) for a in description.attributes)
    for media in description.media:
        lines.append(f"m={media.kind} {media.port} {media.protocol} {' '.join(media.formats)}")
        if media.connection is not None:
            lines.append(_connection_line(media.connection))
        lines.extend(_attribute_line(a) for a in media.attributes)
    return ("\r\n".join(lines) + "\r\n").encode("utf-8", "surrogateescape")


def _connection_line(connection: Connection) -> str:
    return f"c=IN {connection.address_type} {connection.address}"


def _attribute_line(attribute: Attribute) -> str:
    return f"a={attribute.name}" if attribute.value is None else f"a={attribute.name}:{attribute.value}"


class _Reader:
    """Collects lines; a media section is open from its `m=` to the next."""

    def __init__(self) -> None:
        self._version_seen = False
        self._origin: Origin | None = None
        self._name = "-"
        self._connection: Connection | None = None
        self._attributes: list[Attribute] = []
        self._media: list[Media] = []
        self._open: _OpenMedia | None = None

    def take(self, number: int, line: str) -> None:
        kind, equals, value = line[:1], line[1:2], line[2:].strip()
        if equals != "=":
            raise SdpError(f"not of the form <type>=<value>: {line[:40]!r}", line=number)
        if not self._version_seen:
            if kind != "v" or value != "0":
                raise SdpError("a description begins with v=0 (RFC 8866 §5.1)", line=number)
            self._version_seen = True
        elif kind == "o" and self._origin is None:
            self._origin = _origin(value, number)
        elif kind == "s":
            self._name = value or "-"
        elif kind == "c":
            connection = _connection(value, number)
            if self._open is None:
                self._connection = connection
            elif self._open.connection is None:
                # Several are alternatives for layered multicast (§5.7); the first is the base layer.
                self._open.connection = connection
        elif kind == "m":
            self._close_media()
            if len(self._media) >= MAX_MEDIA_LINES:
                raise SdpError(f"more than {MAX_MEDIA_LINES} media lines", line=number)
            self._open = _OpenMedia(value, number)
        elif kind == "a":
            attribute = _attribute(value, number)
            (self._attributes if self._open is None else self._open.attributes).append(attribute)

    def finish(self) -> Description:
        self._close_media()
        if not self._version_seen:
            raise SdpError("empty")
        if self._origin is None:
            raise SdpError("no o= line (RFC 8866 §5.2)")
        for media in self._media:
            if media.port and media.connection is None and self._connection is None:
                raise SdpError(f"m={media.kind} has no c= line, nor has the session (RFC 8866 §5.7)")
        return Description(
            origin=self._origin,
            name=self._name,
            connection=self._connection,
            attributes=tuple(self._attributes),
            media=tuple(self._media),
        )

    def _close_media(self) -> None:
        if self._open is not None:
            self._media.append(self._open.close())
            self._open = None


class _OpenMedia:
    def __init__(self, value: str, number: int) -> None:
        parts = value.split()
        if len(parts) < 4:
            raise SdpError("m= wants kind, port, protocol and at least one format (RFC 8866 §5.14)", line=number)
        self.kind, port, self.protocol, *formats = parts
        if len(formats) > MAX_FORMATS_PER_MEDIA:
            raise SdpError(f"more than {MAX_FORMATS_PER_MEDIA} formats", line=number)
        self.port = _port(port.partition("/")[0], number)
        self.formats = tuple(formats)
        self.connection: Connection | None = None
        self.attributes: list[Attribute] = []

    def close(self) -> Media:
        return Media(
            kind=self.kind,
            port=self.port,
            protocol=self.protocol,
            formats=self.formats,
            connection=self.connection,
            attributes=tuple(self.attributes),
        )


def _port(text: str, number: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or int(text) > MAX_PORT:
        raise SdpError(f"no port: {text[:20]!r}", line=number)
    return int(text)


def _origin(value: str, number: int) -> Origin:
    # From the right: user names with blanks in them are the common fault, and only the user name can hold them.
    parts = value.rsplit(maxsplit=5)
    if len(parts) != 6:
        raise SdpError("o= wants six fields (RFC 8866 §5.2)", line=number)
    username, session_id, version, _net_type, address_type, address = parts
    return Origin(
        username=username, session_id=session_id, version=version, address_type=address_type.upper(), address=address
    )


def _connection(value: str, number: int) -> Connection:
    parts = value.split()
    if len(parts) != 3 or parts[0].upper() != "IN" or parts[1].upper() not in ("IP4", "IP6"):
        raise SdpError("c= wants IN, IP4 or IP6, and an address (RFC 8866 §5.7)", line=number)
    address = parts[2].partition("/")[0]
    if not address:
        raise SdpError("c= has no address", line=number)
    return Connection(address_type=parts[1].upper(), address=address)


def _attribute(value: str, number: int) -> Attribute:
    name, colon, text = value.partition(":")
    name = name.strip()
    if not name:
        raise SdpError("a= without a name (RFC 8866 §5.13)", line=number)
    return Attribute(name=name, value=text.strip() if colon else None)
