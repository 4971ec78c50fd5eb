"""Settings, declared once: the documentation, the environment names and the help text come from here.

Read from `offhook.toml`, over it `OFFHOOK_NAME` from the environment, over that what a command was given. Nothing here
asks the machine anything: what must be found out (the public address) is `None` until whoever can finds it out.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, PlainSerializer, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

__all__ = [
    "DEFAULT_FILE",
    "Bootstrap",
    "HostPort",
    "Listen",
    "Network",
    "PortRange",
    "Settings",
    "SettingsError",
    "VoiceRule",
    "load_settings",
    "settings_reference",
]

DEFAULT_FILE = "offhook.toml"
ENV_PREFIX = "OFFHOOK_"
DEFAULT_SIP_PORT = {"udp": 5060, "tcp": 5060}
SPEECH_ENGINES = ("espeak", "flite", "piper", "http")
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

Network = IPv4Network | IPv6Network


class SettingsError(Exception):
    """The settings cannot be used. The text names each setting, where it stands and what to write instead."""


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


def _http_listen(value: Any) -> Any:
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
    return Listen(transport, host, DEFAULT_SIP_PORT[transport] if port is None else _port(port))  # type: ignore[arg-type]


def _items(value: Any) -> list[Any]:
    """A list of TOML, or words with commas or blanks between them as the environment has them."""
    if isinstance(value, str):
        return [item for item in re.split(r"[,\s]+", value) if item]
    if isinstance(value, list | tuple):
        return list(value)
    raise ValueError("write a list, or words with commas between them")


def _sip_listen(value: Any) -> Any:
    listens = tuple(_one_listen(item) if isinstance(item, str) else item for item in _items(value))
    if not listens:
        raise ValueError("write at least one address, as in udp:127.0.0.1:5060")
    return listens


def _port_range(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*(\d+)\s*-\s*(\d+)\s*", value)
    if not match:
        raise ValueError("write FIRST-LAST, as in 20000-29999")
    first, last = _port(match[1]), _port(match[2])
    if first < 1024 or last - first < 3:
        raise ValueError("write a range of at least four ports from 1024 up, as in 20000-29999")
    return PortRange(first, last)


def _networks(value: Any) -> Any:
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


def _hosts(value: Any) -> Any:
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


def _digests(value: Any) -> Any:
    found = tuple(dict.fromkeys(str(item).strip().lower() for item in _items(value)))
    unknown = [name for name in found if name not in ("md5", "sha-256")]
    if unknown or not found:
        raise ValueError(f"'{' '.join(unknown)}' is no digest algorithm; write md5, or sha-256,md5")
    return found


def _bootstrap(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    account, _, secret = value.partition(":")
    if not re.fullmatch(r"u[0-9a-f]{32}", account):
        raise ValueError("write ID:SECRET, where ID is the letter u and 32 hexadecimal digits in lower case")
    if len(secret) < 16:
        raise ValueError("the secret after the colon must have 16 characters or more")
    return Bootstrap(account, secret)


def _sound(value: Any) -> Any:
    text = "" if value is None else str(value).strip()
    if text in ("", "none"):
        return ""
    if not re.fullmatch(r"(?s)https?://\S+|sound/[a-z]+(/[a-z]{2})?|[a-z]{2}_[A-Z]{2}/.+", text):
        raise ValueError("write a URL, sound/NAME, a text to be spoken as in en_US/One moment, or none")
    return text


def _voice_rules(value: Any) -> Any:
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


def _speech_url(value: Any) -> Any:
    if value in (None, ""):
        return None
    parts = urlsplit(str(value))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path in ("", "/"):
        raise ValueError("write the address of the service's method, as in http://127.0.0.1:8880/v1/audio/speech")
    return str(value)


def _address(value: Any) -> Any:
    if value in (None, ""):
        return None
    try:
        return str(ip_address(str(value).strip()))
    except ValueError:
        raise ValueError("write the IP address under which callers reach this machine, as in 203.0.113.7") from None


def _public_url(value: Any) -> Any:
    if value in (None, ""):
        return None
    parts = urlsplit(str(value))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write http://HOST or https://HOST, with a port and a path if need be")
    return str(value).rstrip("/")


def _database_url(value: Any) -> Any:
    if value in (None, ""):
        return None
    text = str(value)
    if text.startswith("postgresql"):
        raise ValueError("PostgreSQL is not supported yet; write sqlite:///PATH or leave it out")
    if not text.startswith("sqlite:///"):
        raise ValueError("write sqlite:///PATH, or leave it out for the database in data_dir")
    return text


_as_text = PlainSerializer(str, return_type=str)
_as_texts = PlainSerializer(lambda values: [str(value) for value in values], return_type=list[str])


# ── the settings ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Settings(BaseSettings):
    """Every setting. Field order is the order of the documentation."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True, arbitrary_types_allowed=True)

    data_dir: Annotated[Path, Field(description="Where the database, keys, recordings and cached sound lie.")] = Path(
        "./offhook-data"
    )
    database_url: Annotated[
        str | None,
        BeforeValidator(_database_url),
        Field(description="`sqlite:///PATH`. Without it: `offhook.db` in `data_dir`. PostgreSQL is not supported yet."),
    ] = None
    durability: Annotated[
        Literal["process", "power"],
        Field(
            description="What a committed row survives: `process` (a killed process loses nothing, a power cut may lose"
            " the last moments) or `power` (nothing is lost; each group of writes waits for the disk)."
        ),
    ] = "process"
    http_listen: Annotated[
        HostPort, NoDecode, BeforeValidator(_http_listen), _as_text, Field(description="API: HOST:PORT.")
    ] = HostPort("127.0.0.1", 8046)
    sip_listen: Annotated[
        tuple[Listen, ...],
        NoDecode,
        BeforeValidator(_sip_listen),
        _as_texts,
        Field(description="Where SIP listens: `udp:HOST:PORT`, `tcp:`; several with commas or as a list."),
    ] = (Listen("udp", "127.0.0.1", 5060), Listen("tcp", "127.0.0.1", 5060))
    rtp_ports: Annotated[
        PortRange,
        NoDecode,
        BeforeValidator(_port_range),
        _as_text,
        Field(description="UDP ports for sound, both ends included; a call's leg takes two."),
    ] = PortRange(20000, 29999)
    public_address: Annotated[
        str | None,
        BeforeValidator(_address),
        Field(
            description="The IP address that SDP, Contact and Via say. Without it: found out, else the listen address."
        ),
    ] = None
    public_url: Annotated[
        str | None,
        BeforeValidator(_public_url),
        Field(description="Base of the URLs of ours that webhooks carry. Without it: made from `http_listen`."),
    ] = None
    bootstrap_account: Annotated[
        Bootstrap | None,
        NoDecode,
        BeforeValidator(_bootstrap),
        Field(
            description="`ID:SECRET` of an account to create at the first start, so that scripts know it; its API key"
            " is the secret."
        ),
    ] = None
    webhook_allow: Annotated[
        tuple[Network, ...],
        NoDecode,
        BeforeValidator(_networks),
        _as_texts,
        Field(description="Private networks that webhooks and sound may be fetched from. `--dev` adds loopback."),
    ] = ()
    webhook_timeout_s: Annotated[
        float, Field(gt=0, le=120, description="Seconds for a control webhook, all tries together.")
    ] = 10.0
    comfort_sound: Annotated[
        str,
        BeforeValidator(_sound),
        Field(
            description="What a caller hears who has waited for a web application for 2 s, until it answers: a URL,"
            " `sound/NAME`, a text to be spoken (`en_US/One moment`), or `none`."
        ),
    ] = "sound/comfort"
    apology: Annotated[
        str,
        BeforeValidator(_sound),
        Field(
            description="What a caller hears before a call is ended because its web application failed and there is no"
            " fallback; written as `comfort_sound`. `sound/own`: a falling tone for 46elks, a sentence for DIDforSale."
        ),
    ] = "sound/own"
    sip_domain: Annotated[
        str | None, Field(description="Domain and realm of our phones. Without it: the public address.")
    ] = None
    sip_allow: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_hosts),
        Field(description="SIP hosts and networks that flows may name. `--dev` adds loopback."),
    ] = ()
    sip_digest: Annotated[
        tuple[Literal["md5", "sha-256"], ...],
        NoDecode,
        BeforeValidator(_digests),
        Field(
            description="Digest algorithms that phones are asked for, the preferred one first: `md5`, `sha-256`. Older"
            " phones give up at a challenge that names `sha-256`, even beside `md5`."
        ),
    ] = ("md5",)
    didforsale_second_leg_shows: Annotated[
        Literal["to", "from"],
        Field(
            description="Caller ID on the second leg of a DIDforSale call without `url`: the number called first"
            " (`to`), so that an agent sees the customer, or the number that is being connected (`from`)."
        ),
    ] = "to"
    drain_s: Annotated[
        float, Field(ge=0, description="Seconds that running calls may go on after SIGTERM, before they are ended.")
    ] = 30.0
    engine_orphan_s: Annotated[
        float, Field(ge=0, description="Seconds that the media engine waits for a new control process.")
    ] = 120.0
    price_list: Annotated[
        Path | None,
        Field(description="CSV of prefix, set-up, per minute, in 1/10000 of the currency. Without it calls are free."),
    ] = None
    delivery_retry_s: Annotated[
        float,
        Field(gt=0, description="Pause in seconds between tries of what is owed (hang-up, recording, status posts)."),
    ] = 300.0
    delivery_retention_days: Annotated[
        float,
        Field(
            gt=0,
            description="Days that posts are kept after they were delivered or given up, to be looked at and replayed.",
        ),
    ] = 7.0
    recording_retention_days: Annotated[
        float, Field(gt=0, description="Days that recordings are kept; then they answer 404 and their files go.")
    ] = 30.0
    mask_digits: Annotated[
        bool,
        Field(
            description="Whether the keys that callers press are left out of timelines and of calls that are over, as"
            " card numbers must be. Webhooks carry them all the same."
        ),
    ] = False
    speech_voices: Annotated[
        tuple[VoiceRule, ...],
        NoDecode,
        BeforeValidator(_voice_rules),
        _as_texts,
        Field(
            description="Who speaks what, the first rule that fits: `LANGUAGE[/VOICE]=ENGINE[:NAME]`, where ENGINE is"
            " `espeak`, `flite`, `piper:MODEL.onnx` or `http:VOICE`, and `*` any language. Without a rule: `flite` for"
            " English where it is installed, else `espeak`."
        ),
    ] = ()
    speech_voice: Annotated[
        Literal["woman", "man"], Field(description="The voice of a text that asks for none: `woman` or `man`.")
    ] = "woman"
    speech_language: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*$",
            description="Read in it is what nobody speaks the language of.",
        ),
    ] = "en"
    speech_timeout_s: Annotated[
        float, Field(gt=0, le=120, description="Seconds for a text to be spoken, its waiting for others included.")
    ] = 10.0
    speech_url: Annotated[
        str | None,
        BeforeValidator(_speech_url),
        Field(
            description="The speech method of a service in OpenAI's form, for the engine `http`:"
            " `https://HOST/v1/audio/speech`."
        ),
    ] = None
    speech_model: Annotated[str, Field(description="The model that is asked of that service.")] = "tts-1"
    speech_api_key: Annotated[
        SecretStr, Field(description="The key for that service; sent to it as a Bearer token and shown nowhere.")
    ] = SecretStr("")
    dev: Annotated[
        bool,
        Field(
            description="For trying things: listens on loopback only, lets webhooks and SIP URIs go to loopback, allows"
            " any caller ID. The same as `offhook serve --dev`."
        ),
    ] = False

    file_values: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What a command was given goes before the environment, and that before the file."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=dict(cls.file_values))

    @property
    def webhook_networks(self) -> tuple[Network, ...]:
        """`webhook_allow`, with loopback under `dev`."""
        return (*self.webhook_allow, *LOOPBACK) if self.dev else self.webhook_allow

    @property
    def sip_hosts(self) -> tuple[str, ...]:
        """`sip_allow`, with loopback under `dev`."""
        return (*self.sip_allow, *map(str, LOOPBACK), "localhost") if self.dev else self.sip_allow

    @property
    def sqlalchemy_url(self) -> str:
        """`database_url`, or the embedded database of `data_dir`."""
        return self.database_url or f"sqlite:///{self.data_dir / 'offhook.db'}"

    @property
    def http_base(self) -> str:
        """`public_url`, or what `http_listen` amounts to on this machine; without a slash at the end."""
        return self.public_url or self.http_local

    @property
    def http_local(self) -> str:
        """The API as this machine itself reaches it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.http_listen.host, self.http_listen.host)
        return f"http://{HostPort(host, self.http_listen.port)}"


def load_settings(file: Path | None = None, **given: Any) -> Settings:
    """The settings in force: `given` (a command's options; `None` means not given), the environment, the file.

    `file` must exist; without it `offhook.toml` of the working directory is read if there is one. Raises
    `SettingsError`.
    """
    path = file or Path(DEFAULT_FILE)
    values = _read_file(path) if file is not None or path.exists() else {}
    reader = type("Settings", (Settings,), {"file_values": values, "__module__": __name__})
    overrides = {name: value for name, value in given.items() if value is not None}
    try:
        settings = reader(**overrides)
    except ValidationError as error:
        raise SettingsError(_explain(error, overrides, values, path)) from None
    assert isinstance(settings, Settings)
    return settings


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist; write it, or leave --config out") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None


def _explain(error: ValidationError, given: Mapping[str, Any], values: Mapping[str, Any], path: Path) -> str:
    lines = []
    for entry in error.errors():
        name = str(entry["loc"][0])
        if entry["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, Settings.model_fields, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; the settings are: {', '.join(Settings.model_fields)}"
            lines.append(f"{path}: there is no setting {name}{hint}")
            continue
        if name in given:
            place = "as given to the command"
        else:
            place = f"in {path}" if name in values and not _in_environment(name) else f"from {ENV_PREFIX}{name.upper()}"
        reason = entry["msg"].removeprefix("Value error, ")
        lines.append(f"setting {name} ({place}): {reason}")
    return "\n".join(dict.fromkeys(lines))


def _in_environment(name: str) -> bool:
    import os  # only for the wording of an error

    return f"{ENV_PREFIX}{name}".upper() in {key.upper() for key in os.environ}


# ── the documentation ────────────────────────────────────────────────────────────────────────────────────────────────


def settings_reference() -> str:
    """`docs/reference/settings.md`, generated from the declarations above."""
    rows = [
        "# Settings",
        "",
        "Generated from `src/offhook/config.py`; change it there.",
        "",
        f"Settings stand in `{DEFAULT_FILE}` in the working directory, or in the file that `--config` names. Each is",
        f"also an environment variable, `{ENV_PREFIX}` and its name in capitals, which goes before the file; an option",
        "given to a command goes before both. Lists are TOML lists, or words with commas between them.",
        "",
        "| setting | environment | default | meaning |",
        "|---|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        rows.append(
            f"| `{name}` | `{ENV_PREFIX}{name.upper()}` | {_default_text(field.default)} | {_cell(field.description)} |"
        )
    return "\n".join(rows) + "\n"


def _cell(description: str | None) -> str:
    return (description or "").replace("|", "\\|")


def _default_text(default: Any) -> str:
    if default is None or default == () or default == SecretStr(""):
        return "none"
    if isinstance(default, tuple):
        return f"`{','.join(str(item) for item in default)}`"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, float) and default.is_integer():
        return f"`{int(default)}`"
    if isinstance(default, Path):
        return f"`./{default}`"
    return f"`{default}`"
