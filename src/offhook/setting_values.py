"""How the values of settings are written: an address, a range of ports, a rule for voices. Text in, values out.

What cannot be used raises `ValueError`, whose text says what to write; what is no text is a value already and passes.
Which settings there are is `offhook.config`'s.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Literal
from urllib.parse import urlsplit

__all__ = [
    "Bootstrap",
    "HostPort",
    "Listen",
    "Network",
    "PortRange",
    "VoiceRule",
    "address",
    "bootstrap",
    "database_url",
    "digests",
    "hosts",
    "http_listen",
    "networks",
    "port_range",
    "public_url",
    "sip_listen",
    "sound",
    "speech_url",
    "voice_rules",
]

DEFAULT_SIP_PORT = {"udp": 5060, "tcp": 5060}
SPEECH_ENGINES = ("espeak", "flite", "piper", "http")

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class HostPort:
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Listen:
    """A transport and an address that SIP listens on."""

    transport: Literal["udp", "tcp"]
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.transport}:{HostPort(self.host, self.port)}"


@dataclass(frozen=True, slots=True)
class PortRange:
    """UDP ports, both ends included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @property
    def pairs(self) -> int:
        """How many legs can have sound at once: RTP takes an even port, RTCP the next (RFC 3550 section 11)."""
        return (self.last - (self.first + self.first % 2) + 1) // 2


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """An account whose credentials scripts know beforehand."""

    id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.id}:…"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceRule:
    """Which engine speaks a language with a voice."""

    language: str
    """As BCP 47 has it, in lower case; `en` is every English, `*` any language."""
    voice: str
    """What customers ask for: `man`, `woman`, or a name of the operator's; `*`: any."""
    engine: str
    name: str
    """The engine's own name for the voice; empty: one of its own that fits."""

    def __str__(self) -> str:
        voice = "" if self.voice == "*" else f"/{self.voice}"
        return f"{self.language}{voice}={self.engine}{f':{self.name}' if self.name else ''}"

    def fits(self, language: str, voice: str) -> bool:
        """Whether it is about this language (`en-us`) and voice."""
        spoken = self.language in ("*", language, language.partition("-")[0])
        return spoken and self.voice in ("*", voice)


# ── from text to values ──────────────────────────────────────────────────────────────────────────────────────────────


def _split_host_port(text: str) -> tuple[str, str | None]:
    bracketed = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?", text)
    if bracketed:
        return bracketed[1], bracketed[2]
    if text.count(":") > 1:
        raise ValueError("put an IPv6 address in brackets, as in [::1]:8046")
    host, _, port = text.partition(":")
    return host, port or None


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise ValueError(f"{text} is no port; ports are 0 to 65535")
    return int(text)


def http_listen(value: Any) -> Any:
    """`HOST:PORT`."""
    if not isinstance(value, str):
        return value
    host, port = _split_host_port(value.strip())
    if not host or port is None:
        raise ValueError("write HOST:PORT, as in 127.0.0.1:8046")
    return HostPort(host, _port(port))


def _one_listen(text: str) -> Listen:
    transport, _, rest = text.partition(":")
    if transport in ("ws", "tls"):
        raise ValueError(f"{transport}: is not built yet; write udp: or tcp:")
    if transport not in DEFAULT_SIP_PORT:
        raise ValueError(f"'{text}' does not begin with udp: or tcp:; write udp:HOST:PORT, as in udp:0.0.0.0:5060")
    host, port = _split_host_port(rest)
    if not host:
        raise ValueError("write TRANSPORT:HOST:PORT, as in udp:0.0.0.0:5060")
    try:
        ip_address(host)
    except ValueError:
        raise ValueError(f"{host} is no IP address; write one of this machine's, as in udp:0.0.0.0:5060") from None
    return Listen(transport, host, DEFAULT_SIP_PORT[transport] if port is None else _port(port))  # type: ignore[arg-type]


def _items(value: Any) -> list[Any]:
    """A list of TOML, or words with commas or blanks between them as the environment has them."""
    if isinstance(value, str):
        return [item for item in re.split(r"[,\s]+", value) if item]
    if isinstance(value, list | tuple):
        return list(value)
    raise ValueError("write a list, or words with commas between them")


def sip_listen(value: Any) -> Any:
    """`TRANSPORT:HOST[:PORT]`, one or several."""
    listens = tuple(_one_listen(item) if isinstance(item, str) else item for item in _items(value))
    if not listens:
        raise ValueError("write at least one address, as in udp:127.0.0.1:5060")
    return listens


def port_range(value: Any) -> Any:
    """`FIRST-LAST`."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+)\s*-\s*(\d+)\s*", value)
    if not match:
        raise ValueError("write FIRST-LAST, as in 20000-29999")
    first, last = _port(match[1]), _port(match[2])
    if first < 1024 or last - first < 3:
        raise ValueError("write a range of at least four ports from 1024 up, as in 20000-29999")
    return PortRange(first, last)


def networks(value: Any) -> Any:
    """Addresses and networks."""
    found: list[Network] = []
    for item in _items(value):
        if not isinstance(item, str):
            found.append(item)
            continue
        try:
            found.append(ip_network(item, strict=False))
        except ValueError:
            raise ValueError(f"'{item}' is no network; write addresses or networks, as in 10.0.0.0/8") from None
    return tuple(found)


def hosts(value: Any) -> Any:
    """Hosts and networks as text; networks in their canonical spelling."""
    found: list[str] = []
    for item in _items(value):
        text = str(item).strip().lower()
        try:
            found.append(str(ip_network(text, strict=False)))
        except ValueError:
            if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", text):
                message = f"'{item}' is neither a host nor a network; write sip.example.com or 192.0.2.0/24"
                raise ValueError(message) from None
            found.append(text)
    return tuple(found)


def digests(value: Any) -> Any:
    """Algorithms of digest, in the order in which they are offered."""
    found = tuple(dict.fromkeys(str(item).strip().lower() for item in _items(value)))
    unknown = [name for name in found if name not in ("md5", "sha-256")]
    if unknown or not found:
        raise ValueError(f"'{' '.join(unknown)}' is no digest algorithm; write md5, or sha-256,md5")
    return found


def bootstrap(value: Any) -> Any:
    """`ID:SECRET`."""
    if not isinstance(value, str):
        return value
    account, _, secret = value.partition(":")
    if not re.fullmatch(r"u[0-9a-f]{32}", account):
        raise ValueError("write ID:SECRET, where ID is the letter u and 32 hexadecimal digits in lower case")
    if len(secret) < 16:
        raise ValueError("the secret after the colon must have 16 characters or more")
    return Bootstrap(account, secret)


def sound(value: Any) -> Any:
    """As 46elks writes a sound, or none."""
    text = "" if value is None else str(value).strip()
    if text in ("", "none"):
        return ""
    if not re.fullmatch(r"(?s)https?://\S+|sound/[a-z]+(/[a-z]{2})?|[a-z]{2}_[A-Z]{2}/.+", text):
        raise ValueError("write a URL, sound/NAME, a text to be spoken as in en_US/One moment, or none")
    return text


def voice_rules(value: Any) -> Any:
    """`LANGUAGE[/VOICE]=ENGINE[:NAME]`, one or several."""
    return tuple(_voice_rule(item) if isinstance(item, str) else item for item in _items(value))


def _voice_rule(text: str) -> VoiceRule:
    found = re.fullmatch(r"(\*|[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]+)*)(?:/(\*|[\w.-]+))?=([a-z]+)(?::(.+))?", text.strip())
    if found is None:
        raise ValueError(f"'{text}' is no rule; write LANGUAGE[/VOICE]=ENGINE[:NAME], as in en/woman=flite:slt")
    language, voice, engine, name = found[1], found[2] or "*", found[3], found[4] or ""
    if engine not in SPEECH_ENGINES:
        raise ValueError(f"there is no engine {engine}; the engines are: {', '.join(SPEECH_ENGINES)}")
    if engine in ("piper", "http") and not name:
        wanted = {"piper": "a model's path, as in sv=piper:/srv/voices/sv.onnx", "http": "a voice, as in *=http:alloy"}
        raise ValueError(f"'{text}' does not say which voice; write {wanted[engine]}")
    return VoiceRule(language=language.replace("_", "-").lower(), voice=voice.lower(), engine=engine, name=name)


def speech_url(value: Any) -> Any:
    """Of a method of a service, or none."""
    if value in (None, ""):
        return None
    parts = urlsplit(str(value))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path in ("", "/"):
        raise ValueError("write the address of the service's method, as in http://127.0.0.1:8880/v1/audio/speech")
    return str(value)


def address(value: Any) -> Any:
    """An IP address, or none."""
    if value in (None, ""):
        return None
    try:
        return str(ip_address(str(value).strip()))
    except ValueError:
        raise ValueError("write the IP address under which callers reach this machine, as in 203.0.113.7") from None


def public_url(value: Any) -> Any:
    """Without a query, and without a slash at its end; or none."""
    if value in (None, ""):
        return None
    parts = urlsplit(str(value))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write http://HOST or https://HOST, with a port and a path if need be")
    return str(value).rstrip("/")


def database_url(value: Any) -> Any:
    """Of SQLite, or none."""
    if value in (None, ""):
        return None
    text = str(value)
    if text.startswith("postgresql"):
        raise ValueError("PostgreSQL is not supported yet; write sqlite:///PATH or leave it out")
    if not text.startswith("sqlite:///"):
        raise ValueError("write sqlite:///PATH, or leave it out for the database in data_dir")
    return text
