"""How values are written: what each form takes, what it makes of that, and what it says of anything else."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from offhook import setting_values as forms
from offhook.setting_values import Bootstrap, HostPort, Listen, PortRange, VoiceRule

ID = "u" + "0" * 32


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (forms.http_listen, " 127.0.0.1:8046 ", HostPort("127.0.0.1", 8046)),
        (forms.http_listen, "[::1]:80", HostPort("::1", 80)),
        (forms.sip_listen, "udp:0.0.0.0, tcp:[::]:5070", (Listen("udp", "0.0.0.0", 5060), Listen("tcp", "::", 5070))),
        (forms.port_range, "20000 - 20003", PortRange(20000, 20003)),
        (forms.networks, "10.1.2.3/8 ::1", (ip_network("10.0.0.0/8"), ip_network("::1/128"))),
        (forms.hosts, "SIP.example.com,192.0.2.7/24", ("sip.example.com", "192.0.2.0/24")),
        (forms.digests, "SHA-256,md5,md5", ("sha-256", "md5")),
        (forms.bootstrap, f"{ID}:sixteen-or-more-x", Bootstrap(ID, "sixteen-or-more-x")),
        (forms.sound, "none", ""),
        (forms.sound, None, ""),
        (forms.sound, " sound/busy/us ", "sound/busy/us"),
        (forms.speech_url, "http://127.0.0.1:8880/v1/audio/speech", "http://127.0.0.1:8880/v1/audio/speech"),
        (forms.speech_url, "", None),
        (forms.address, " 203.0.113.7 ", "203.0.113.7"),
        (forms.address, "", None),
        (forms.public_url, "https://voice.example.com/x/", "https://voice.example.com/x"),
        (forms.public_url, None, None),
        (forms.database_url, "sqlite:////var/lib/x.db", "sqlite:////var/lib/x.db"),
        (forms.database_url, "", None),
    ],
)
def test_what_is_written_well(form: Callable[[Any], Any], text: Any, value: Any) -> None:
    assert form(text) == value


@pytest.mark.parametrize(
    ("form", "value"),
    [
        (forms.http_listen, HostPort("::1", 80)),
        (forms.sip_listen, (Listen("udp", "::", 5060), Listen("tcp", "127.0.0.1", 5070))),
        (forms.port_range, PortRange(20000, 20003)),
        (forms.networks, (ip_network("10.0.0.0/8"),)),
        (forms.bootstrap, Bootstrap(ID, "sixteen-or-more-x")),
        (forms.voice_rules, (VoiceRule(language="sv", voice="*", engine="espeak", name=""),)),
    ],
)
def test_a_value_passes(form: Callable[[Any], Any], value: Any) -> None:
    assert form(value) == value


@pytest.mark.parametrize("text", ["127.0.0.1:8046", "[::1]:80"])
def test_an_address_is_written_as_it_is_read(text: str) -> None:
    assert str(forms.http_listen(text)) == text
    assert str(forms.sip_listen(f"udp:{text}")[0]) == f"udp:{text}"


def test_the_secret_of_an_account_is_not_written() -> None:
    assert str(Bootstrap(ID, "sixteen-or-more-x")) == f"{ID}:…"


@pytest.mark.parametrize("form", [forms.sip_listen, forms.networks, forms.hosts, forms.digests, forms.voice_rules])
def test_several_are_a_list_or_words(form: Callable[[Any], Any]) -> None:
    with pytest.raises(ValueError, match="a list, or words with commas"):
        form(7)


@pytest.mark.parametrize(
    ("ports", "pairs"), [("20000-29999", 5000), ("20000-20003", 2), ("20001-20004", 1), ("20001-20005", 2)]
)
def test_pairs_of_ports(ports: str, pairs: int) -> None:
    assert forms.port_range(ports).pairs == pairs


def test_who_speaks_what() -> None:
    rules = forms.voice_rules("en_GB/woman=flite:slt, SV=piper:/srv/my.onnx,*/Bob=http:robert fr=espeak")
    assert [str(rule) for rule in rules] == [
        "en-gb/woman=flite:slt",
        "sv=piper:/srv/my.onnx",
        "*/bob=http:robert",
        "fr=espeak",
    ]
    assert rules[0].fits("en-gb", "woman")
    assert not rules[0].fits("en-us", "woman")
    assert not rules[0].fits("en-gb", "man")
    assert rules[1].fits("sv-se", "man")
    assert rules[2].fits("nb", "bob")
