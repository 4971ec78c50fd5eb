"""`offhook doctor`: each thing that can be wrong is found and said."""

import socket
from pathlib import Path
from typing import Any

import pytest

from offhook.runtime.media_process import EngineError


@pytest.fixture(autouse=True)
def _engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    binary = tmp_path / "engine"
    binary.write_text("")
    binary.chmod(0o755)
    monkeypatch.setenv("OFFHOOK_MEDIA_BINARY", str(binary))
    monkeypatch.setenv("OFFHOOK_SIP_LISTEN", "udp:127.0.0.1:0")


def found(run: Any, grade: str) -> list[str]:
    return [finding["what"] for finding in run("doctor", "--json").json if finding["grade"] == grade]


def test_a_new_machine(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_HTTP_LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("OFFHOOK_SIP_LISTEN", "udp:127.0.0.1:0")
    looked = run("doctor")
    assert looked.status == 1
    assert "bad   there is no account\n      make one with: offhook account add NAME\n" in looked.out
    assert "odd   no server runs\n" in looked.out
    run("account", "add", "Ann")
    assert run("doctor").status == 0
    assert found(run, "bad") == []


def test_a_running_server(run: Any, running: Any) -> None:
    running.world.give("number +46100000001")
    running.storage.directory.add_trunk("carrier", "sip:127.0.0.1")
    running.storage.directory.add_trunk("lost", "sip:no.such.host.invalid:5060;transport=tcp", prefixes=["+46"])
    assert "the server runs and takes calls" in found(run, "good")
    odd = found(run, "odd")
    assert "nothing may be dialled through trunk carrier" in odd
    assert "+46100000001 has no voice_start: callers get 480" in odd
    assert any(what.startswith("trunk lost: no.such.host.invalid has no address") for what in odd)
    running.board.reason = "the media engine does not run"
    assert "the server takes no calls: the media engine does not run" in found(run, "bad")


def test_ports_that_are_taken(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        monkeypatch.setenv("OFFHOOK_HTTP_LISTEN", f"127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("OFFHOOK_SIP_LISTEN", f"udp:127.0.0.1:{udp.getsockname()[1]}")
        bad = found(run, "bad")
    assert any(what.startswith("http_listen: 127.0.0.1 port") for what in bad)
    assert any(what.startswith("sip_listen: 127.0.0.1 port") for what in bad)


def test_the_environment(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_COLOUR", "blue")
    monkeypatch.setenv("OFFHOOK_DEV", "true")
    monkeypatch.setenv("OFFHOOK_HTTP_LISTEN", "0.0.0.0:1")
    odd = found(run, "odd")
    assert "OFFHOOK_COLOUR is set, and is no setting" in odd
    assert "dev is set, and 0.0.0.0:1 is open to others" in odd


def test_price_lists(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "prices.csv"
    monkeypatch.setenv("OFFHOOK_PRICE_LIST", str(path))
    assert any("cannot be read" in what for what in found(run, "bad"))
    path.write_text("+46,0,x\n")
    assert any("line 1: prices are whole numbers" in what for what in found(run, "bad"))
    path.write_text("+46,0,1\n")
    assert f"{path} has 1 prices" in found(run, "good")


def test_files_that_others_can_read(run: Any, tmp_path: Path) -> None:
    run("account", "list")
    (tmp_path / "offhook-data/admin.token").chmod(0o644)
    assert f"{Path('offhook-data/admin.token')} can be read by others" in found(run, "bad")


def test_no_engine_no_room_no_rights(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise EngineError("there is no media engine")

    monkeypatch.setattr("offhook.cli.doctor.find_binary", nowhere)
    monkeypatch.setattr("offhook.cli.doctor.LEAST_FREE_BYTES", 2**70)
    monkeypatch.setattr("offhook.cli.doctor.os.access", lambda *_: False)
    bad = found(run, "bad")
    assert "there is no media engine" in bad
    assert any("MB free" in what for what in bad)
    assert any(what.endswith("cannot be written") for what in bad)


def test_an_engine_that_cannot_be_run(run: Any, tmp_path: Path) -> None:
    (tmp_path / "engine").chmod(0o644)
    assert f"the media engine {tmp_path / 'engine'} cannot be run" in found(run, "bad")
