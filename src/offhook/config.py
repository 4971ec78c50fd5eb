"""Settings, declared once: the documentation, the environment names and the help text come from here.

Read from `offhook.toml`, over it `OFFHOOK_NAME` from the environment, over that what a command was given. Nothing here
asks the machine anything: what must be found out (the public address) is `None` until whoever can finds it out. How
values are written is in `offhook.setting_values`.
"""

import difflib
import tomllib
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from offhook import setting_values
from offhook.setting_values import Bootstrap, HostPort, Listen, Network, PortRange, VoiceRule

__all__ = [
    "DEFAULT_FILE",
    "Settings",
    "SettingsError",
    "load_settings",
    "settings_reference",
]

DEFAULT_FILE = "offhook.toml"
ENV_PREFIX = "OFFHOOK_"
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class SettingsError(Exception):
    """The settings cannot be used. The text names each setting, where it stands and what to write instead."""


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_as_text = PlainSerializer(str, return_type=str)
_as_texts = PlainSerializer(lambda values: [str(value) for value in values], return_type=list[str])


class Settings(BaseSettings):
    """Every setting. Field order is the order of the documentation."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="forbid", frozen=True, arbitrary_types_allowed=True)

    data_dir: Annotated[Path, Field(description="Where the database, keys, recordings and cached sound lie.")] = Path(
        "./offhook-data"
    )
    database_url: Annotated[
        str | None,
        BeforeValidator(setting_values.database_url),
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
        HostPort, NoDecode, BeforeValidator(setting_values.http_listen), _as_text, Field(description="API: HOST:PORT.")
    ] = HostPort("127.0.0.1", 8046)
    sip_listen: Annotated[
        tuple[Listen, ...],
        NoDecode,
        BeforeValidator(setting_values.sip_listen),
        _as_texts,
        Field(description="Where SIP listens: `udp:HOST:PORT`, `tcp:`; several with commas or as a list."),
    ] = (Listen("udp", "127.0.0.1", 5060), Listen("tcp", "127.0.0.1", 5060))
    rtp_ports: Annotated[
        PortRange,
        NoDecode,
        BeforeValidator(setting_values.port_range),
        _as_text,
        Field(description="UDP ports for sound, both ends included; a call's leg takes two."),
    ] = PortRange(20000, 29999)
    public_address: Annotated[
        str | None,
        BeforeValidator(setting_values.address),
        Field(
            description="The IP address that SDP, Contact and Via say. Without it: found out, else the listen address."
        ),
    ] = None
    public_url: Annotated[
        str | None,
        BeforeValidator(setting_values.public_url),
        Field(description="Base of the URLs of ours that webhooks carry. Without it: made from `http_listen`."),
    ] = None
    bootstrap_account: Annotated[
        Bootstrap | None,
        NoDecode,
        BeforeValidator(setting_values.bootstrap),
        Field(
            description="`ID:SECRET` of an account to create at the first start, so that scripts know it; its API key"
            " is the secret."
        ),
    ] = None
    webhook_allow: Annotated[
        tuple[Network, ...],
        NoDecode,
        BeforeValidator(setting_values.networks),
        _as_texts,
        Field(description="Private networks that webhooks and sound may be fetched from. `--dev` adds loopback."),
    ] = ()
    webhook_timeout_s: Annotated[
        float, Field(gt=0, le=120, description="Seconds for a control webhook, all tries together.")
    ] = 10.0
    comfort_sound: Annotated[
        str,
        BeforeValidator(setting_values.sound),
        Field(
            description="What a caller hears who has waited for a web application for 2 s, until it answers: a URL,"
            " `sound/NAME`, a text to be spoken (`en_US/One moment`), or `none`."
        ),
    ] = "sound/comfort"
    apology: Annotated[
        str,
        BeforeValidator(setting_values.sound),
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
        BeforeValidator(setting_values.hosts),
        Field(description="SIP hosts and networks that flows may name. `--dev` adds loopback."),
    ] = ()
    sip_digest: Annotated[
        tuple[Literal["md5", "sha-256"], ...],
        NoDecode,
        BeforeValidator(setting_values.digests),
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
            description="Whether the keys that callers press are left out of timelines, of calls that are over and of"
            " deliveries as they are shown, as card numbers must be. Webhooks carry them all the same, and what is owed"
            " stays in the database with them until `delivery_retention_days` after it was delivered or given up."
        ),
    ] = False
    speech_voices: Annotated[
        tuple[VoiceRule, ...],
        NoDecode,
        BeforeValidator(setting_values.voice_rules),
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
        BeforeValidator(setting_values.speech_url),
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
            description="For trying things: lets webhooks and SIP URIs go to loopback, allows any caller ID; a warning"
            " says where settings open it to others than this machine. The same as `offhook serve --dev`."
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
    def open_to_others(self) -> tuple[str, ...]:
        """What is listened on beyond loopback."""
        listens: tuple[HostPort | Listen, ...] = (self.http_listen, *self.sip_listen)
        return tuple(str(each) for each in listens if not _is_loopback(each.host))

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
        if entry["type"] == "dataclass_type":  # a number, say, where a text was wanted
            reason = f"write a text, as in {_default_text(Settings.model_fields[name].default)}"
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
