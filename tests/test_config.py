"""Settings: sources and their order, each value's grammar, errors that say what to write, current documentation."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from offhook.config import Settings, SettingsError, load_settings, settings_reference
from offhook.setting_values import Bootstrap, HostPort, Listen, PortRange

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OFFHOOK_{name.upper()}", raising=False)


def test_defaults() -> None:
    settings = load_settings()
    assert settings.http_listen == HostPort("127.0.0.1", 8046)
    assert settings.sip_listen == (Listen("udp", "127.0.0.1", 5060), Listen("tcp", "127.0.0.1", 5060))
    assert settings.rtp_ports == PortRange(20000, 29999)
    assert settings.webhook_networks == ()
    assert settings.sip_hosts == ()
    assert settings.sqlalchemy_url == "sqlite:///offhook-data/offhook.db"
    assert settings.http_base == "http://127.0.0.1:8046"


def test_command_goes_before_environment_and_that_before_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("offhook.toml").write_text("webhook_timeout_s = 3\ndelivery_retry_s = 4\nengine_orphan_s = 5\n")
    monkeypatch.setenv("OFFHOOK_DELIVERY_RETRY_S", "40")
    monkeypatch.setenv("OFFHOOK_ENGINE_ORPHAN_S", "50")
    settings = load_settings(engine_orphan_s=500, webhook_timeout_s=None)
    assert (settings.webhook_timeout_s, settings.delivery_retry_s, settings.engine_orphan_s) == (3, 40, 500)


def test_a_named_file_is_read_instead() -> None:
    Path("offhook.toml").write_text("webhook_timeout_s = 3\n")
    Path("other.toml").write_text('sip_listen = ["udp:0.0.0.0", "tcp:[::1]"]\n')
    settings = load_settings(Path("other.toml"))
    assert settings.webhook_timeout_s == 10
    assert settings.sip_listen == (Listen("udp", "0.0.0.0", 5060), Listen("tcp", "::1", 5060))
    assert str(settings.sip_listen[1]) == "tcp:[::1]:5060"


def test_lists_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_WEBHOOK_ALLOW", "10.0.0.0/8, 192.168.1.7")
    monkeypatch.setenv("OFFHOOK_SIP_ALLOW", "SIP.example.com 192.0.2.0/24")
    monkeypatch.setenv("OFFHOOK_RTP_PORTS", "30000-30099")
    monkeypatch.setenv("OFFHOOK_SIP_DIGEST", "SHA-256, md5")
    monkeypatch.setenv("OFFHOOK_BOOTSTRAP_ACCOUNT", "u" + "0" * 32 + ":a-long-enough-secret")
    settings = load_settings()
    assert settings.webhook_allow == (ip_network("10.0.0.0/8"), ip_network("192.168.1.7/32"))
    assert settings.sip_allow == ("sip.example.com", "192.0.2.0/24")
    assert settings.rtp_ports == PortRange(30000, 30099)
    assert settings.sip_digest == ("sha-256", "md5")
    assert settings.bootstrap_account == Bootstrap("u" + "0" * 32, "a-long-enough-secret")
    assert "long-enough" not in str(settings.bootstrap_account)


def test_what_is_open_to_others() -> None:
    for inside in ("127.0.0.1:80", "127.1.2.3:80", "[::1]:80", "localhost:80"):
        assert load_settings(http_listen=inside).open_to_others == ()
    settings = load_settings(http_listen="voice.example:80", sip_listen="udp:0.0.0.0,tcp:[::1]")
    assert settings.open_to_others == ("voice.example:80", "udp:0.0.0.0:5060")


def test_a_number_for_a_text_is_told_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "offhook.toml").write_text("http_listen = 5\n")
    with pytest.raises(SettingsError, match=r"write a text, as in .*127\.0\.0\.1:8046"):
        load_settings(tmp_path / "offhook.toml")


def test_dev_adds_loopback() -> None:
    settings = load_settings(dev=True)
    assert ip_network("127.0.0.0/8") in settings.webhook_networks
    assert "127.0.0.0/8" in settings.sip_hosts
    assert settings.webhook_allow == ()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        *(("none", ""), ("", ""), ("sound/beep", "sound/beep"), ("sound/busy/us", "sound/busy/us")),
        *(("https://a.example/wait.mp3", "https://a.example/wait.mp3"), ("en_US/One moment", "en_US/One moment")),
    ],
)
def test_sounds_of_care(given: str, kept: str) -> None:
    settings = load_settings(comfort_sound=given, apology=given)
    assert (settings.comfort_sound, settings.apology) == (kept, kept)


def test_http_base() -> None:
    assert load_settings(http_listen="0.0.0.0:80").http_base == "http://127.0.0.1:80"
    assert load_settings(http_listen="[::]:80").http_base == "http://[::1]:80"
    assert load_settings(public_url="https://voice.example.com/x/").http_base == "https://voice.example.com/x"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("http_listen", "8046", "write HOST:PORT"),
        ("comfort_sound", "waltz", "or none"),
        ("apology", "sound/", "or none"),
        ("apology", "Sorry", "en_US/One moment"),
        ("http_listen", "::1:80", "brackets"),
        ("http_listen", "localhost:99999", "no port"),
        ("sip_listen", "0.0.0.0:5060", "udp: or tcp:"),
        ("sip_listen", "ws:0.0.0.0:5060", "not built yet"),
        ("sip_listen", "udp:", "TRANSPORT:HOST:PORT"),
        ("sip_listen", "", "at least one"),
        ("sip_listen", "udp:256.1.1.1:5060", "256.1.1.1 is no IP address"),
        ("sip_listen", "udp:localhost", "localhost is no IP address"),
        ("rtp_ports", "20000", "FIRST-LAST"),
        ("rtp_ports", "20000-20001", "at least four"),
        ("public_address", "voice.example.com", "203.0.113.7"),
        ("public_url", "voice.example.com", "https://HOST"),
        ("bootstrap_account", "me:secret", "ID:SECRET"),
        ("bootstrap_account", "u" + "0" * 32 + ":short", "16 characters"),
        ("webhook_allow", "intranet", "no network"),
        ("sip_allow", "sip:host", "neither a host nor a network"),
        ("sip_digest", "md5,sha-1", "sha-1' is no digest algorithm"),
        ("webhook_timeout_s", "soon", "number"),
        ("webhook_timeout_s", "0", "greater than 0"),
        ("database_url", "postgresql+psycopg://h/db", "not supported yet"),
        ("database_url", "mysql://h/db", "sqlite:///PATH"),
        ("durability", "total", "'process' or 'power'"),
        ("speech_voices", "flite", "LANGUAGE[/VOICE]=ENGINE"),
        ("speech_voices", "en=festival", "the engines are: espeak, flite, piper, http"),
        ("speech_voices", "sv=piper", "sv=piper:/srv/voices/sv.onnx"),
        ("speech_voices", "*/anna=http", "*=http:alloy"),
        ("speech_url", "http://127.0.0.1:8880", "/v1/audio/speech"),
        ("speech_voice", "child", "'woman' or 'man'"),
        ("speech_language", "Swedish language", "pattern"),
    ],
)
def test_errors_name_the_setting_its_place_and_what_to_write(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"OFFHOOK_{name.upper()}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert f"setting {name} (from OFFHOOK_{name.upper()})" in str(caught.value)
    assert says in str(caught.value)


def test_the_key_of_a_speech_service_is_not_shown() -> None:
    settings = load_settings(speech_api_key="sk-secret")
    assert "sk-secret" not in repr(settings)
    assert settings.speech_api_key.get_secret_value() == "sk-secret"


def test_error_in_file_and_in_option() -> None:
    Path("offhook.toml").write_text('rtp_ports = "x"\n')
    with pytest.raises(SettingsError, match=r"setting rtp_ports \(in offhook.toml\)"):
        load_settings()
    with pytest.raises(SettingsError, match=r"setting rtp_ports \(as given to the command\)"):
        load_settings(rtp_ports="y")


def test_unknown_setting_suggests_the_nearest() -> None:
    Path("offhook.toml").write_text("http_lisen = 1\nquux = 2\n")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "there is no setting http_lisen; did you mean http_listen?" in str(caught.value)
    assert "there is no setting quux; the settings are: data_dir" in str(caught.value)


def test_unreadable_files() -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(Path("nowhere.toml"))
    Path("bad.toml").write_text("a = = b")
    with pytest.raises(SettingsError, match="not valid TOML"):
        load_settings(Path("bad.toml"))
    Path("folder.toml").mkdir()
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(Path("folder.toml"))


def test_every_setting_is_described() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_reference_is_current() -> None:
    """To renew: python -c 'from offhook.config import *; print(settings_reference(), end="")' > that file."""
    assert (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8") == settings_reference()
