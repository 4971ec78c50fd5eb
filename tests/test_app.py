"""A whole server in this process, with its real media engine: it starts, calls, outlives its engine, and stops."""

import asyncio
import json
import os
import signal
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from standardwebhooks import Webhook
from tests.support.customer import customer
from tests.support.ports import free_port
from tests.support.settings_here import ACCOUNT, SECRET, settings_here
from tests.support.sip_party import DEADLINE_S, Party, description, party

from offhook.app import Server, local_address_towards, serve
from offhook.flow.view import CallId
from offhook.runtime import supervisor
from offhook.runtime.media_legs import PORTS_REST_S
from offhook.runtime.sip_driver import now
from offhook.sip import events as sip
from offhook.storage.records import call_by_id
from offhook.storage.rows import CallRow
from offhook.storage.store import Storage

pytestmark = pytest.mark.native

CUSTOMER = f"Basic {b64encode(f'{ACCOUNT}:{SECRET}'.encode()).decode()}"
FAR = "+46700000001"
ENGINE_BACK_S = 10.0


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whether calls are refused under load is tried in runtime/test_supervisor.py; here the machine may be busy.
    monkeypatch.setattr(supervisor, "REFUSE_ABOVE_S", 3600.0)


class Caller:
    """A customer of the server, by its API."""

    def __init__(self, server: Server, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session

    @property
    def _operator(self) -> str:
        return f"Bearer {(self.server.settings.data_dir / 'admin.token').read_text().strip()}"

    async def post(self, path: str, body: Any, *, operator: bool = False) -> tuple[int, Any]:
        headers = {"Authorization": self._operator if operator else CUSTOMER}
        async with self._session.post(
            self.server.http_address + path,
            headers=headers,
            **({"json": body} if operator else {"data": body}),
        ) as answer:
            text = await answer.text()
            return answer.status, await answer.json() if answer.content_type == "application/json" else text

    async def get(self, path: str) -> tuple[int, Any]:
        async with self._session.get(self.server.http_address + path, headers={"Authorization": CUSTOMER}) as answer:
            return answer.status, await answer.json() if answer.content_type == "application/json" else None

    async def follow(self, call: str, last: int | None = None) -> tuple[list[tuple[int, str]], bool]:
        """A call's timeline as a stream, up to its end: number and kind of each entry, and whether the end was said."""
        headers = {"Authorization": CUSTOMER, "Accept": "text/event-stream"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        entries, ended = [], False
        async with self._session.get(f"{self.server.http_address}/v1/calls/{call}/events", headers=headers) as answer:
            async for line in answer.content:
                if line.startswith(b"data: ") and len(line) > len(b"data: {}\n"):
                    entry = json.loads(line[6:])
                    entries.append((entry["seq"], entry["kind"]))
                ended = ended or line == b"event: end\n"
        return entries, ended

    async def entry(self, call: str, kind: str) -> None:
        """Wait for an entry of a call's timeline."""
        after = 0
        async with asyncio.timeout(DEADLINE_S):
            while True:
                _, page = await self.get(f"/v1/calls/{call}/events?after={after}&wait=1")
                if kind in [entry["kind"] for entry in page["events"]]:
                    return
                after = page["next"]

    async def trunk(self, far: Party) -> None:
        status, said = await self.post(
            "/v1/trunks",
            {"name": "carrier", "address": f"sip:127.0.0.1:{far.address[1]}", "prefixes": ["+46"]},
            operator=True,
        )
        assert status == 200, said

    async def call(self, start: str, **more: str) -> str:
        status, said = await self.post("/a1/calls", {"from": "+46101000001", "to": FAR, "voice_start": start, **more})
        assert status == 200, said
        return str(said["id"])


@asynccontextmanager
async def running(folder: Path, **more: Any) -> AsyncIterator[tuple[Server, Caller]]:
    async with Server(settings_here(folder, **more)) as server, aiohttp.ClientSession() as session:
        yield server, Caller(server, session)


@asynccontextmanager
async def ear() -> AsyncIterator[tuple[int, "asyncio.Queue[bytes]"]]:
    """A UDP port, and the packets that come there."""
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            heard.put_nowait(data)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1], heard
    finally:
        transport.close()


async def answers(far: Party, port: int = 30_000) -> sip.IncomingInvite:
    invite = await far.wait(sip.IncomingInvite)
    far.endpoint.answer(invite.session, description(port), now())
    far.say()
    return invite


# ── running ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_by_api_is_heard_at_the_far_end(folder: Path) -> None:
    async with running(folder) as (server, caller), party() as far, ear() as (port, heard):
        assert server.not_ready() is None
        assert (await caller.get("/healthz"))[0] == 200
        await caller.trunk(far)
        call = await caller.call('{"play":"sound/ringback"}')
        await answers(far, port)
        packets = [await asyncio.wait_for(heard.get(), DEADLINE_S) for _ in range(5)]
        assert all(packet[0] == 0x80 and packet[1] & 0x7F == 8 for packet in packets if len(packet) == 172)
        assert sum(len(packet) == 172 for packet in packets) >= 3, "20 ms of G.711 each"
        assert server.status()["calls"] == 1
        live = server.live_view(CallId(call.removeprefix("c")))
        assert live is not None
        assert live.start is not None
        assert await server.hang_up(live.id)
        await far.wait(sip.RemoteHungUp)
        assert not await server.hang_up(CallId("0" * 32))
        assert server.live_view(CallId("0" * 32)) is None


async def test_a_call_is_followed_while_it_happens_and_taken_up_where_the_reader_was(folder: Path) -> None:
    """Server-Sent Events over a real server, from the INVITE to the delivery of the hang-up post."""
    async with customer() as app, running(folder) as (server, caller), party() as far, ear() as (port, _):
        await caller.trunk(far)
        call = await caller.call('{"play":"sound/ringback"}', whenhangup=app.on("/end", ""))
        told = asyncio.ensure_future(caller.follow(call))
        await answers(far, port)
        await caller.entry(call, "leg.answered")
        await server.hang_up(CallId(call.removeprefix("c")))
        async with asyncio.timeout(2 * DEADLINE_S):
            entries, end = await told
        assert end
        assert [seq for seq, _ in entries] == list(range(1, len(entries) + 1))
        kinds = [kind for _, kind in entries]
        assert {"sip.sent", "leg.answered", "call.ended", "leg.statistics", "hook.delivered"} <= set(kinds)
        again, _ = await caller.follow(call, last=len(entries) - 2)
        assert again == entries[-2:]
        assert await caller.follow(call, last=len(entries)) == ([], False), "204: there is nothing to come back for"


async def test_a_server_that_stops_ends_the_streams_of_calls_that_go_on(folder: Path) -> None:
    async with party() as far, ear() as (port, _):
        async with running(folder) as (_, caller):
            await caller.trunk(far)
            call = await caller.call('{"play":"sound/ringback"}')
            await answers(far, port)
            told = asyncio.ensure_future(caller.follow(call))
            await caller.entry(call, "leg.answered")
            async with asyncio.timeout(DEADLINE_S):
                await caller.server._stack.aclose()
                entries, end = await told
        assert entries
        assert not end


async def test_an_engine_that_dies_is_replaced_and_its_calls_go_on(folder: Path) -> None:
    async with running(folder) as (server, caller), party() as far, ear() as (port, heard):
        await caller.trunk(far)
        call = await caller.call('{"play":"sound/ringback"}')
        await answers(far, port)
        await asyncio.wait_for(heard.get(), DEADLINE_S)
        engine = server._running.engine
        assert engine.pid is not None
        first = engine.pid
        back, again = asyncio.Event(), engine.on_up

        def up() -> None:
            again()
            back.set()

        engine.on_up = up
        os.kill(first, signal.SIGKILL)
        await asyncio.wait_for(back.wait(), ENGINE_BACK_S)
        assert engine.pid != first
        assert server.not_ready() is None
        while not heard.empty():
            heard.get_nowait()
        await asyncio.wait_for(heard.get(), DEADLINE_S)
        _, said = await caller.get(f"/a1/calls/{call}")
        assert said["state"] == "ongoing"
        assert not far.of(sip.RemoteHungUp)


async def test_every_webhook_of_a_call_is_signed_the_control_ones_too(folder: Path) -> None:
    async with party() as far, customer() as app, running(folder) as (_, caller):
        await caller.trunk(far)
        start = app.on("/start", {"play": "sound/beep", "next": app.on("/next", {"hangup": "normal"})})
        await caller.call(start, whenhangup=app.on("/end", ""))
        await answers(far)
        hooks = [await app.hook(path) for path in ("/start", "/next", "/end")]
        _, key = await caller.get("/v1/accounts/-/signing-key")
        for hook in hooks:
            Webhook(key["signing_key"]).verify(hook.body, hook.headers, json_parse=False)
        ids = [hook.headers["webhook-id"] for hook in hooks]
        assert len(set(ids)) == 3, "each is another"
        assert ["offhook-sequence" in hook.headers for hook in hooks] == [False, False, True]


async def test_a_server_that_drains_takes_nothing_new_and_says_the_end_of_what_it_had(folder: Path) -> None:
    async with party() as far, customer() as app:
        app.on("/end", "")
        async with running(folder) as (server, caller):
            await caller.trunk(far)
            start = f'{{"play":"sound/ringback","whenhangup":"{app.url}/end"}}'
            call = await caller.call(start)
            await answers(far)
            draining = asyncio.ensure_future(server.drain(0.05))
            await asyncio.sleep(0)
            assert server.not_ready() == "the server is stopping"
            status, said = await caller.post("/a1/calls", {"from": "+46101000001", "to": FAR, "voice_start": "{}"})
            assert (status, said) == (503, "the server is stopping")
            await asyncio.wait_for(draining, DEADLINE_S)
            await far.wait(sip.RemoteHungUp)
        assert (await app.hook("/end")).fields["id"] == call
    storage = Storage.open(folder)
    row = storage.read_blocking(lambda connection: call_by_id(connection, call.removeprefix("c")))
    storage.close()
    assert row is not None
    assert row.cause == "server_shutdown"


async def test_signals_are_handed_on_and_stop_nothing_by_themselves(folder: Path) -> None:
    async with serve(settings_here(folder)) as (server, stop):
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), DEADLINE_S)
        assert server.not_ready() is None
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def test_what_a_dead_server_left_is_over_when_the_next_one_starts(folder: Path) -> None:
    storage = Storage.open(folder)
    storage.records.save_call(
        CallRow(
            id="d" * 32, owner=ACCOUNT, direction="outgoing", from_number="+46101000001", to_number=FAR,
            created=datetime.now(UTC), state="ongoing", cost=None, ring_timeout_s=60,
        )
    )  # fmt: skip
    storage.close()
    async with running(folder) as (_, caller):
        _, said = await caller.get(f"/a1/calls/c{'d' * 32}")
    assert said["state"] == "failed"


# ── starting ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_start_that_fails_leaves_nothing_behind(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="set http_listen"):
            async with Server(settings_here(folder, http_listen=f"127.0.0.1:{port}")):
                raise AssertionError("it started")
    async with running(folder) as (server, _):
        assert server.not_ready() is None


async def test_sip_that_is_taken_says_what_to_do(folder: Path) -> None:
    async with party() as other:
        with pytest.raises(OSError, match="change sip_listen"):
            async with Server(settings_here(folder, sip_listen=f"udp:127.0.0.1:{other.address[1]}")):
                raise AssertionError("it started")


async def test_prices_are_what_calls_cost(folder: Path) -> None:
    prices = folder / "prices.csv"
    prices.write_text("prefix,set-up,per-minute\n+46,100,600\n")
    async with running(folder, price_list=prices) as (server, caller), party() as far:
        await caller.trunk(far)
        call = await caller.call('{"play":"sound/ringback"}')
        await answers(far)
        async with asyncio.timeout(DEADLINE_S):
            after = 0
            while (view := server.live_view(CallId(call.removeprefix("c")))) is not None and view.cost is None:
                await server.wait_for_event(view.id, after, DEADLINE_S)
                after += 1
        assert view is not None
        assert view.cost == 700


# ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_address_that_others_see_is_one() -> None:
    assert not ip_address(local_address_towards()).is_unspecified
    assert local_address_towards(("127.0.0.1", 9)) == "127.0.0.1"
    assert local_address_towards(("255.255.255.255", 9)) == "127.0.0.1", "no way there"


def test_what_sip_and_phones_are_told(folder: Path) -> None:
    assert Server(settings_here(folder)).domain == "127.0.0.1"
    assert Server(settings_here(folder, public_address="192.0.2.7")).domain == "192.0.2.7"
    named = settings_here(folder, sip_domain="voice.example", public_address="192.0.2.7")
    assert Server(named).domain == "voice.example"
    wild = Server(settings_here(folder, dev=False, sip_listen="udp:0.0.0.0:0"))
    assert not ip_address(wild.domain).is_unspecified


def test_a_server_that_does_not_run_says_so(folder: Path) -> None:
    assert Server(settings_here(folder)).not_ready() == "the server is starting or stopping"


async def test_without_ports_for_sound_new_calls_are_refused_with_the_reason_until_some_are_free(folder: Path) -> None:
    first = free_port() & ~1
    async with running(folder, rtp_ports=f"{first}-{first + 3}") as (server, caller), party() as far:
        await caller.trunk(far)
        calls = [await caller.call('{"play":"sound/ringback"}') for _ in range(2)]
        invites = [await answers(far), await answers(far)]
        async with asyncio.timeout(DEADLINE_S):
            while (await caller.get("/readyz"))[0] == 200:
                pass
        assert server.not_ready() == "2 of 2 pairs of RTP ports are in use or rest; widen rtp_ports"
        form = {"from": "+46101000001", "to": FAR, "voice_start": "{}"}
        status, text = await caller.post("/a1/calls", form)
        assert (status, "rtp_ports" in str(text)) == (503, True)
        # Running calls are none the worse for it, and new ones are taken when they end: nobody need do anything.
        assert all(server.live_view(CallId(call.removeprefix("c"))) is not None for call in calls)
        far.endpoint.hang_up(invites[0].session, now())
        far.say()
        async with asyncio.timeout(PORTS_REST_S + DEADLINE_S):
            while (await caller.get("/readyz"))[0] != 200:
                pass
        await caller.entry(calls[0], "call.ended")
