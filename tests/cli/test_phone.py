"""`offhook phone run` as it is typed: where the phone goes, and what cannot be."""

from pathlib import Path
from typing import Any

import pytest

from offhook.cli.connection import CliError
from offhook.cli.phone import server_uri


@pytest.mark.parametrize(
    ("addresses", "uri"),
    [
        (["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"], "sip:127.0.0.1:5060"),
        (["tcp:192.0.2.1:5070", "udp:192.0.2.1:5080"], "sip:192.0.2.1:5080"),
        (["tcp:192.0.2.1:5070"], "sip:192.0.2.1:5070;transport=tcp"),
        (["udp:0.0.0.0:5060"], "sip:127.0.0.1:5060"),
        (["udp:[::]:5060"], "sip:[::1]:5060"),
    ],
)
def test_where_a_server_is_reached(addresses: list[str], uri: str) -> None:
    assert str(server_uri(addresses)) == uri


def test_a_server_without_a_way_for_it() -> None:
    with pytest.raises(CliError, match="--server"):
        server_uri(["tls:192.0.2.1:5061"])


def test_no_server_runs(run: Any) -> None:
    said = run("phone", "run", "--as", "+4600100")
    assert (said.status, said.out) == (1, "")
    assert "offhook serve --dev" in said.err


def test_keys_that_are_none(run: Any) -> None:
    said = run("phone", "run", "--as", "+4600100", "--digits", "12x")
    assert said.status == 1
    assert "'12x' are no keys" in said.err


def test_a_recording_has_to_go_somewhere(run: Any, tmp_path: Path) -> None:
    said = run("phone", "run", "--as", "+4600100", "--record", "nowhere/heard.wav")
    assert said.status == 1
    assert f"{tmp_path / 'nowhere'} is no directory" in said.err


def test_what_is_said_must_be_there(run: Any) -> None:
    said = run("phone", "run", "--as", "+4600100", "--play", "nothing.wav")
    assert said.status == 2


def test_a_server_that_is_no_address(run: Any) -> None:
    said = run("phone", "run", "--as", "+4600100", "--server", "sip:a b", "--password", "pw")
    assert said.status == 1
    assert "sip:HOST" in said.err


def test_a_phone_that_the_server_does_not_know(run: Any, running: Any) -> None:
    said = run("phone", "run", "--as", "+4600999", "--account", "Main")
    assert said.status == 2  # the number is the phone's; no account is asked for
    said = run("phone", "run", "--as", "+4600999")
    assert said.status == 1
    assert "offhook phone add +4600999" in said.err
