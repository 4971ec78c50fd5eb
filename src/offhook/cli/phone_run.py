"""`offhook phone run`: a telephone in the terminal, on real SIP and RTP, for trying and for scripts.

Exit status: 0 after a call that was answered, 1 when it could not register, 2 when a call was not answered.
"""

import asyncio
import json
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offhook.app import local_address_towards
from offhook.flow.view import Cause
from offhook.media.events import Event as EngineEvent
from offhook.runtime.media_legs import MediaLegs
from offhook.runtime.media_process import EngineConfig, MediaEngine
from offhook.runtime.phone import Phone, PhoneSettings
from offhook.runtime.sip_driver import SipDriver
from offhook.runtime.sip_legs import SipLegs
from offhook.runtime.sip_sockets import ListenAddress
from offhook.runtime.sound.cache import SoundCache
from offhook.runtime.sound.library import FetchedSound, SoundLibrary, Unreachable
from offhook.sip.commands import EndpointConfig
from offhook.sip.events import Event as SipEvent
from offhook.sip.next_hop import bare_host

__all__ = ["PhoneRun", "run_phone"]

RTP_PORTS = (30_000, 39_999)
"""Others than a server's by default, so that both can run on one machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneRun:
    """What `offhook phone run` was asked for."""

    phone: PhoneSettings
    dial: str | None = None
    calls: int | None = 1
    """Ends after so many calls; `None`: never."""
    as_json: bool = False


class _NoWeb:
    """A phone plays files of this machine only."""

    async def get(self, url: str, *, etag: str | None, last_modified: str | None) -> FetchedSound:
        raise Unreachable(f"a phone plays files, not {url}")


async def run_phone(run: PhoneRun) -> int:
    """Run the phone until it is done; the process's exit status."""
    say = _Teller(run.as_json)
    server = run.phone.server
    local = local_address_towards((bare_host(server.host), server.port or 5060))
    with tempfile.TemporaryDirectory(prefix="offhook-phone-") as folder:
        media_legs: list[MediaLegs] = []
        phones: list[Phone] = []

        def engine_said(event: EngineEvent) -> None:
            media_legs[0].handle(event)

        def sip_said(event: SipEvent) -> None:
            phones[0].handle(event)

        engine = MediaEngine(
            EngineConfig(data_dir=Path(folder), rtp_ports=RTP_PORTS, threads=1, orphan_s=2),
            on_event=engine_said,
            on_lost=lambda sessions: media_legs[0].lost(sessions),
            on_fault=lambda why: say("failed", {"why": why}),
        )
        driver = SipDriver(sip_said)
        sounds = SoundLibrary(SoundCache(Path(folder) / "sound"), _NoWeb())
        await engine.start()
        try:
            transport = (server.param("transport") or "udp").lower()
            await driver.start(
                [ListenAddress(transport="tcp" if transport == "tcp" else "udp", host=local, port=0)],
                configure=lambda ways: EndpointConfig(ways=ways, domain=run.phone.domain, user_agent="Offhook phone"),
                advertise=lambda _, bound: bound,
            )
            media_legs.append(MediaLegs(engine, local))
            legs = SipLegs(driver=driver, media=media_legs[0], media_host=local, media_timeout_ms=0)
            phones.append(Phone(run.phone, driver=driver, legs=legs, media=media_legs[0], sounds=sounds, tell=say))
            return await _live(run, phones[0], say)
        finally:
            await sounds.close()
            await driver.close()
            await engine.stop()


async def _live(run: PhoneRun, phone: Phone, say: "_Teller") -> int:
    why = await phone.register()
    if why:
        say("failed", {"why": f"not registered: {why}"})
        return 1
    say("registered", {"number": run.phone.number})
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if sys.stdin.isatty() and not run.phone.answer:
        say("hint", {"text": "Enter answers or hangs up, digits are keys, Ctrl-C ends"})
        loop.add_reader(sys.stdin, lambda: _typed(phone))
    if run.dial is not None:
        phone.dial(run.dial)
    calls, answered = 0, True
    stopped = asyncio.ensure_future(stop.wait())
    while run.calls is None or calls < run.calls:
        over = asyncio.ensure_future(phone.over())
        await asyncio.wait((over, stopped), return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            phone.hang_up()
            over.cancel()
            break
        calls += 1
        answered = over.result().cause in (Cause.NORMAL, Cause.TIME_LIMIT)
    stopped.cancel()
    await phone.leave()
    return 0 if answered else 2


def _typed(phone: Phone) -> None:
    line = sys.stdin.readline().strip()
    if line:
        phone.press("".join(key for key in line if key in "0123456789*#ABCDabcdwWpP"))
    elif phone.in_call:
        phone.hang_up()
    else:
        phone.pick_up()


class _Teller:
    """Says what happens: a line for people, or JSON for programs."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._began = time.monotonic()

    def __call__(self, what: str, data: Mapping[str, Any]) -> None:
        after = time.monotonic() - self._began
        if self._as_json:
            print(json.dumps({"after_s": round(after, 3), "what": what, **data}), flush=True)
            return
        details = " ".join(f"{name}={value}" for name, value in data.items() if value not in ("", None))
        print(f"{after:8.3f}  {what:<11} {details}".rstrip(), flush=True)
