"""`offhook phone run` at a real server with real engines: it registers, dials, is called, and its exit status tells."""

import asyncio
import json
import tempfile
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.engine_binary import engine_binary

from offhook.app import Server
from offhook.cli.phone_run import PhoneRun, run_phone
from offhook.config import load_settings
from offhook.runtime import supervisor
from offhook.runtime.phone import PhoneSettings
from offhook.sip.uri import Uri

pytestmark = pytest.mark.native

ACCOUNT, SECRET = "u" + "0123456789abcdef" * 2, "a-secret-for-tests"
MENU = '{"play":"sound/beep","next":{"hangup":"reject"}}'
WITHIN_S = 30.0


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """A server with one phone, whose own number plays a beep to whatever it dials."""
    monkeypatch.setenv("OFFHOOK_MEDIA_BINARY", str(engine_binary()))
    # Whether calls are refused under load is tried in runtime/test_supervisor.py; here the machine may be busy.
    monkeypatch.setattr(supervisor, "REFUSE_ABOVE_S", 3600.0)
    with tempfile.TemporaryDirectory(prefix="offhook-") as folder:
        settings = load_settings(
            data_dir=folder,
            http_listen="127.0.0.1:0",
            sip_listen="udp:127.0.0.1:0",
            bootstrap_account=f"{ACCOUNT}:{SECRET}",
            rtp_ports="28000-28399",
            dev=True,
        )
        async with Server(settings) as running:
            yield running


def settings(server: Server, *, password: str | None = None, **more: object) -> PhoneSettings:
    directory = server._running.storage.directory
    phone = directory.number("+4600100")
    made = directory.add_phone(ACCOUNT, "+4600100", voice_start=MENU).secret if phone is None else ""
    port = server.sip_addresses[0].rpartition(":")[2]
    return PhoneSettings(
        number="+4600100",
        password=made if password is None else password,
        domain=server.domain,
        server=Uri.parse(f"sip:127.0.0.1:{port}"),
        **more,  # type: ignore[arg-type]
    )


async def ran(run: PhoneRun) -> int:
    return await asyncio.wait_for(run_phone(run), WITHIN_S)


async def test_it_dials_hears_and_records(server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heard = tmp_path / "heard.wav"
    assert await ran(PhoneRun(phone=settings(server, record=heard), dial="+46101234567", as_json=True)) == 0
    # The server of this process logs there as well.
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [entry["what"] for entry in said][:3] == ["registered", "dialling", "answered"]
    assert {"ended", "recorded"} <= {entry["what"] for entry in said}
    assert [entry["after_s"] for entry in said] == sorted(entry["after_s"] for entry in said)
    with wave.open(str(heard)) as recorded:
        assert recorded.getnframes() > 2000


async def test_a_wrong_password_is_said_and_is_exit_status_1(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(server)
    assert await ran(PhoneRun(phone=settings(server, password="wrong"), dial="+46101234567")) == 1
    assert "not registered" in capsys.readouterr().out


async def test_a_call_that_is_refused_is_exit_status_2(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = settings(server)
    number = server._running.storage.directory.number("+4600100")
    assert number is not None
    server._running.storage.directory.change_number(number.id, voice_start='{"hangup":"busy"}')
    assert await ran(PhoneRun(phone=wanted, dial="+46101234567")) == 2
    assert "cause=busy" in capsys.readouterr().out
