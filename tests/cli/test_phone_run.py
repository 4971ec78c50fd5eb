"""`offhook phone run` at a real server with real engines: it registers, dials, is called, and its exit status tells."""

import asyncio
import json
import os
import signal
import wave
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.engine_binary import engine_binary
from tests.support.indoors import PHONE, Exchange, exchange
from tests.support.settings_here import ACCOUNT, settings_here
from tests.support.sip_party import DEADLINE_S, DOMAIN

from offhook.app import Server
from offhook.cli.phone_run import PhoneRun, _Teller, run_phone
from offhook.flow.view import Cause
from offhook.media.commands import Play
from offhook.runtime import supervisor
from offhook.runtime.phone import PhoneSettings
from offhook.runtime.sip_driver import now
from offhook.sip.uri import Uri
from offhook.storage.store import Storage

pytestmark = pytest.mark.native

MENU = '{"play":"sound/beep","next":{"hangup":"reject"}}'
WITHIN_S = 30.0


@pytest.fixture
async def server(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """A server with one phone, whose own number plays a beep to whatever it dials."""
    # Whether calls are refused under load is tried in runtime/test_supervisor.py; here the machine may be busy.
    monkeypatch.setattr(supervisor, "REFUSE_ABOVE_S", 3600.0)
    async with Server(settings_here(folder)) as running:
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


# ── at an exchange whose engine is a test's ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage.open(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture
def _engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_MEDIA_BINARY", str(engine_binary()))


def asked_for(x: Exchange, *, dial: str | None = None, calls: int | None = 1, **settings: Any) -> PhoneRun:
    password = settings.pop("password", x.phone.secret)
    server = Uri.parse(f"sip:127.0.0.1:{x.address[1]}")
    phone = PhoneSettings(number=PHONE, password=password, domain=DOMAIN, server=server, **settings)
    return PhoneRun(phone=phone, dial=dial, calls=calls, as_json=True)


def words(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The kinds of what it said, in order; the exchange of the test logs between the lines."""
    lines = capsys.readouterr().out.splitlines()
    return [json.loads(line)["what"] for line in lines if line.startswith("{")]


async def registered(x: Exchange) -> None:
    """Wait until the phone can be called."""
    known = asyncio.Event()
    handle = x.driver.on_event

    def hear(event: Any) -> None:
        handle(event)
        if x.driver.endpoint.lookup(Uri.sip("4600100", DOMAIN), now()):
            known.set()

    x.driver.on_event = hear
    await asyncio.wait_for(known.wait(), WITHIN_S)


async def ended(phone: "asyncio.Task[int]") -> int:
    status = await asyncio.wait_for(phone, WITHIN_S)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().remove_signal_handler(number)
    return status


@pytest.mark.usefixtures("_engine")
async def test_it_registers_answers_and_ends_after_its_call(
    storage: Storage, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async with exchange(storage) as x:
        heard = tmp_path / "heard.wav"
        phone = asyncio.ensure_future(run_phone(asked_for(x, answer=True, record=heard, hang_up_after_s=0.05)))
        await registered(x)
        x.dial('{"play":"sound/ringback"}', to=PHONE)
        assert await ended(phone) == 0
        await x.over()
        assert heard.read_bytes()[:4] == b"RIFF"
        assert x.driver.endpoint.lookup(Uri.sip("4600100", DOMAIN), now()) == (), "it has taken its registration back"
    told = words(capsys)
    assert told[:3] == ["registered", "called", "answered"]
    assert {"ended", "recorded", "heard"} <= set(told)


@pytest.mark.usefixtures("_engine")
async def test_one_that_waits_for_ever_hangs_up_when_it_is_told_to_end(
    storage: Storage, capsys: pytest.CaptureFixture[str]
) -> None:
    async with exchange(storage) as x:
        phone = asyncio.ensure_future(run_phone(asked_for(x, answer=True, calls=None)))
        await registered(x)
        call = x.dial('{"play":"sound/ringback"}', to=PHONE).id
        async with asyncio.timeout(DEADLINE_S):
            while not x.line.all(Play):
                await x.line.more()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await ended(phone) == 0
        await x.over()
        assert (await x.row(call)).cause == Cause.NORMAL.value
    assert "answered" in words(capsys)


def test_people_read_a_line_and_programs_read_json(capsys: pytest.CaptureFixture[str]) -> None:
    _Teller(False)("ended", {"cause": "busy", "detail": ""})
    _Teller(True)("ended", {"cause": "busy", "detail": ""})
    line, data = capsys.readouterr().out.splitlines()
    assert line.split()[1:] == ["ended", "cause=busy"]
    assert float(line.split()[0]) >= 0
    told = json.loads(data)
    assert told.pop("after_s") >= 0
    assert told == {"what": "ended", "cause": "busy", "detail": ""}
