"""Webhooks of calls over real HTTP: asked within their budget, owed until they arrive, both in the timeline."""

import asyncio
import contextlib
import os
import resource
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from tests.support.faulty_application import Fault, faulty_application
from tests.support.receivers import LOOPBACK, Receiver, receiver, unused_port

from offhook.call.commands import (
    FetchDocument,
    LegId,
    OweHangup,
    OweNotice,
    OweRecording,
    OweStatus,
    RequestId,
)
from offhook.call.masking import BODY_MAX_CHARS
from offhook.flow.targets import LegStage
from offhook.flow.view import CallId, RecordingView
from offhook.hooks.attempt import AttemptPolicy
from offhook.hooks.breaker import FAILURES_IN_A_ROW, PAUSE_S
from offhook.hooks.delivery import Delivered, DeliveryEvent, Now
from offhook.hooks.policy import DIDFORSALE, ELKS, DeliveryPolicy, Listed
from offhook.hooks.request import Headers, WebhookRequest
from offhook.runtime.hook_desk import Answer, HookDesk, asked_id
from offhook.runtime.outbox import Outbox
from offhook.runtime.webhooks import HookResult, Webhooks

DEADLINE_S = 5.0
CALL = CallId("c" * 32)
ACCOUNT = "u" + "1" * 32
POLICY = AttemptPolicy(budget_s=2.0, shortest_try_s=0.5)


class Desk:
    """A desk on a real client and outbox, and what it entered in the timeline."""

    def __init__(self, client: Webhooks, outbox: Outbox) -> None:
        self.desk = HookDesk(client=client, outbox=outbox, policy=POLICY, delivery=self.policy)
        self.asked_for: list[tuple[str, str]] = []
        self.notes: list[tuple[str, Mapping[str, Any]]] = []

    def policy(self, account: str, dialect: str) -> DeliveryPolicy:
        self.asked_for.append((account, dialect))
        return Listed(pauses_s=(0.01, 0.01))

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        self.notes.append((kind, data))


@asynccontextmanager
async def desk() -> AsyncIterator[tuple[Desk, "asyncio.Queue[DeliveryEvent]"]]:
    told: asyncio.Queue[DeliveryEvent] = asyncio.Queue()

    def listen(event: DeliveryEvent, result: HookResult | None) -> None:
        told.put_nowait(event)

    async with Webhooks(LOOPBACK) as client, Outbox(client, listener=listen) as outbox:
        yield Desk(client, outbox), told


def fetch(url: str, method: str = "POST") -> FetchDocument:
    return FetchDocument(request=RequestId(7), url=url, method=method, params=(("from", "+46 70"), ("to", "é")))


def form(here: Receiver, at: int = 0) -> list[tuple[str, str]]:
    return parse_qsl(here.seen[at].body.decode())


async def test_an_answer_comes_with_the_address_it_came_from() -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/start":
            raise web.HTTPTemporaryRedirect("/moved")
        return web.Response(text='{"hangup":"busy"}')

    async with receiver(handler) as here, desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch(f"{here.url}/start"), board.note)
    assert (answer.body, answer.url, answer.detail) == (b'{"hangup":"busy"}', f"{here.url}/moved", "")
    assert form(here) == [("from", "+46 70"), ("to", "é")]
    ((kind, data),) = board.notes
    assert (kind, data["request"], data["bytes"]) == ("hook.tries", 7, 17)
    assert (data["type"], data["body"]) == ("text/plain; charset=utf-8", '{"hangup":"busy"}')
    assert data["webhook"] == asked_id(CALL, fetch(f"{here.url}/start"))
    assert [made["status"] for made in data["tries"]] == [307, 200]
    assert all(made["took_ms"] >= 0 for made in data["tries"])
    assert [(made["try"], made.get("hop"), made.get("url")) for made in data["tries"]] == [
        (1, None, None), (1, 1, f"{here.url}/moved")
    ]  # fmt: skip


async def test_an_answer_is_shown_without_its_secrets_and_not_to_its_end() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text='{"play":"https://u:s3cret@a.example/?apikey=s3cret"} ' + "x " * 5_000)

    async with receiver(handler) as here, desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch(here.url), board.note)
    assert answer.body is not None
    assert b"s3cret" in answer.body
    ((_, data),) = board.notes
    assert data["body"].startswith('{"play":"https://…@a.example/?apikey=…"} x x')
    assert (data["bytes"], len(data["body"])) == (len(answer.body), BODY_MAX_CHARS)


async def test_a_get_carries_its_parameters_in_the_query() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="{}")

    async with receiver(handler) as here, desk() as (board, _):
        await board.desk.ask(CALL, fetch(here.url, "GET"), board.note)
    assert (here.seen[0].method, here.seen[0].body) == ("GET", b"")
    assert "to=%C3%A9" in here.seen[0].query


async def test_a_file_that_takes_no_post_is_asked_with_get_in_one_dialect_alone() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=405 if request.method == "POST" else 200, text="<Response/>")

    async with receiver(handler) as here, desk() as (board, _):
        elks = await board.desk.ask(CALL, fetch(here.url), board.note, "a", files=False)
        didml = await board.desk.ask(CALL, fetch(here.url), board.note, "a", files=True)
    assert (elks.body, elks.status, didml.body) == (None, 405, b"<Response/>")
    assert [seen.method for seen in here.seen] == ["POST", "POST", "GET"]


async def test_a_failure_says_why_and_shows_every_try() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=500, text="no database at https://u:s3cret@db.example/")

    async with receiver(handler) as here, desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch(here.url), board.note)
    assert answer.body is None
    assert "500" in answer.detail
    (_, data) = board.notes[0]
    said = "no database at https://…@db.example/"
    assert [(made["try"], made["status"]) for made in data["tries"]] == [(1, 500), (2, 500)]
    assert (data["tries"][0]["bytes"], data["tries"][0]["body"]) == (43, said)
    assert (data["bytes"], data["body"], "body" in data["tries"][1]) == (43, said, False)


async def test_a_server_that_is_not_there() -> None:
    async with desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch(f"http://127.0.0.1:{await unused_port()}/"), board.note)
    assert answer.body is None
    assert answer.detail
    (_, data) = board.notes[0]
    assert all("status" not in made and made["why"] for made in data["tries"])
    assert "bytes" not in data, "there was no answer that could have a size"


async def test_an_address_that_is_not_allowed_is_never_asked() -> None:
    async with desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch("http://10.0.0.1/"), board.note)
    assert answer.body is None
    assert "10.0.0.1" in answer.detail or "private" in answer.detail


async def test_what_a_fragment_asks_is_done_and_what_is_wrong_in_it_is_said() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=404)

    async with receiver(handler) as here, desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch(f"{here.url}/x#rc=2&rp=4xx&ct=1"), board.note)
    assert (answer.why, answer.status) == ("hook_status", 404)
    assert [seen.path for seen in here.seen] == ["/x"] * 3
    (_, data) = board.notes[0]
    assert len(data["tries"]) == 3
    assert ["ct" in warning for warning in data["warnings"]] == [True]


async def test_silence_in_an_answer_ends_a_try_where_the_url_says_so() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(DEADLINE_S)
        return web.Response(text="{}")

    async with receiver(handler) as here, desk() as (board, _):
        began = asyncio.get_running_loop().time()
        answer = await board.desk.ask(CALL, fetch(f"{here.url}/#rt=100&rc=1&rp=rt&tt=2000"), board.note)
        took_s = asyncio.get_running_loop().time() - began
    assert answer.why == "hook_timeout"
    assert len(here.seen) == 2
    assert took_s < 2.0


async def test_silence_is_asked_again_where_the_account_wants_that() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    policy = AttemptPolicy(budget_s=0.4, shortest_try_s=0.1)
    async with Webhooks(LOOPBACK) as client, Outbox(client) as outbox, receiver(handler) as here:
        board = HookDesk(client=client, outbox=outbox, policy=policy, retry_timeouts=lambda account: account == "b")
        for account, asked in (("a", 1), ("b", 3)):
            answer = await board.ask(CALL, fetch(here.url), lambda *_: None, account)
            assert (answer.why, len(here.seen)) == ("hook_timeout", asked)


async def test_a_host_that_is_down_is_not_asked_by_calls_that_have_a_fallback_until_it_is_back() -> None:
    moment, status = Now(mono=0.0, wall=0.0), 500

    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="{}", status=status)

    async with Webhooks(LOOPBACK) as client, Outbox(client) as outbox, receiver(handler) as here:
        notes: list[tuple[str, Mapping[str, Any]]] = []
        board = HookDesk(client=client, outbox=outbox, policy=POLICY, clock=lambda: moment)

        async def ask(account: str = "a", may_avoid: bool = True) -> Answer:
            command = replace(fetch(f"{here.url}/#rc=0"), may_avoid=may_avoid)
            return await board.ask(CALL, command, lambda kind, data: notes.append((kind, data)), account)

        for _ in range(FAILURES_IN_A_ROW):
            assert (await ask()).why == "hook_status"
        assert ("hook.host", {"host": here.url, "state": "open", "pause_s": PAUSE_S}) in notes
        asked = len(here.seen)
        avoided = await ask()
        assert (avoided.body, avoided.why, len(here.seen)) == (None, "hook_avoided", asked)
        assert notes[-1] == ("hook.avoided", {"request": 7, "host": here.url})
        assert here.url in avoided.detail
        # Another account has had no failure there, and a call without fallback has nowhere else to go.
        assert (await ask("b")).why == "hook_status"
        assert (await ask(may_avoid=False)).why == "hook_status"
        assert board.hosts() == {"closed": 1, "open": 1, "half_open": 0}
        moment, status = Now(mono=PAUSE_S, wall=PAUSE_S), 200
        assert (await ask()).body == b"{}"
        assert [data["state"] for kind, data in notes if kind == "hook.host"] == ["open", "half_open", "closed"]
        assert (await ask()).body == b"{}"


async def test_a_host_that_says_404_is_there() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=404)

    async with receiver(handler) as here, desk() as (board, _):
        for _ in range(2 * FAILURES_IN_A_ROW):
            answer = await board.desk.ask(CALL, replace(fetch(here.url), may_avoid=True), board.note)
            assert answer.status == 404


async def test_a_url_that_is_none_is_nobodys_host() -> None:
    async with desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch("mailto:me"), board.note)
    assert answer.why == "hook_url"
    assert board.desk.hosts()["closed"] == 0


async def test_what_is_owed_is_repeated_until_it_arrives() -> None:
    tries = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal tries
        tries += 1
        return web.Response(status=500 if tries == 1 else 200)

    async with receiver(handler) as here, desk() as (board, told):
        board.desk.owe(CALL, ACCOUNT, "elks", OweHangup(url=here.url, params=(("state", "success"),)))
        await asyncio.wait_for(told.get(), DEADLINE_S)
        event = await asyncio.wait_for(told.get(), DEADLINE_S)
    assert isinstance(event, Delivered)
    assert (event.request.call, event.tries) == (CALL, 2)
    assert [seen.method for seen in here.seen] == ["POST", "POST"]
    assert form(here, 1) == [("state", "success")]


async def test_what_is_owed_goes_by_the_method_that_was_asked_for() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    status = OweStatus(
        url="/s?a=1", method="GET", params=(("CallStatus", "ringing"),), leg=LegId(1), stage=LegStage.RINGING
    )
    notice = OweNotice(request=RequestId(1), url="/n", method="POST", params=(("To", "1"),))
    async with receiver(handler) as here, desk() as (board, told):
        for command in (status, notice):
            board.desk.owe(CALL, ACCOUNT, "elks", replace(command, url=f"{here.url}{command.url}"))
            assert isinstance(await asyncio.wait_for(told.get(), DEADLINE_S), Delivered)
    assert [(seen.method, seen.path) for seen in here.seen] == [("GET", "/s"), ("POST", "/n")]
    assert form(here, 1) == [("To", "1")]


async def test_a_recording_is_owed_before_the_hangup_that_comes_after_it() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    async with receiver(handler) as here, desk() as (board, told):
        recording = RecordingView(index=0, created=datetime.now(UTC), duration_s=1, wav_url="http://x/r.wav")
        board.desk.owe(
            CALL, ACCOUNT, "elks", OweRecording(url=f"{here.url}/r", params=(("wav", "x"),), recording=recording)
        )
        board.desk.owe(CALL, ACCOUNT, "elks", OweHangup(url=f"{here.url}/h", params=()))
        for _ in range(2):
            assert isinstance(await asyncio.wait_for(told.get(), DEADLINE_S), Delivered)
    assert [seen.path for seen in here.seen] == ["/r", "/h"]


async def test_what_is_owed_has_an_id_of_what_it_tells_and_the_number_it_has_in_its_call() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    async with receiver(handler) as here, desk() as (board, told):
        recording = RecordingView(index=1, created=datetime.now(UTC), duration_s=1, wav_url="http://x/r.wav")
        board.desk.owe(CALL, ACCOUNT, "elks", OweRecording(url=here.url, params=(), recording=recording))
        hangup = OweHangup(url=here.url, params=())
        board.desk.owe(CALL, ACCOUNT, "didml", hangup)
        board.desk.owe(CALL, ACCOUNT, "didml", hangup)
        requests = [(await asyncio.wait_for(told.get(), DEADLINE_S)).request for _ in range(2)]
        board.desk.call_over(CALL)
        assert told.empty()
    assert [(one.id, one.sequence, one.account) for one in requests] == [
        (f"msg_{CALL}_recording_1", 1, ACCOUNT),
        (f"msg_{CALL}_hangup", 2, ACCOUNT),
    ]
    assert board.asked_for[:2] == [(ACCOUNT, "elks"), (ACCOUNT, "didml")]


async def test_without_a_policy_of_its_own_it_is_the_services() -> None:
    async with Webhooks(LOOPBACK) as client, Outbox(client) as outbox:
        delivery = HookDesk(client=client, outbox=outbox, policy=POLICY)._delivery
    assert (delivery("u", "elks"), delivery("u", "didml")) == (ELKS, DIDFORSALE)


async def test_what_is_asked_again_after_a_crash_has_the_id_it_had() -> None:
    """Two desks, as of two processes: the same request of the same call is the same webhook, and no other is."""

    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="{}")

    def signer(request: WebhookRequest, body: bytes) -> Headers:
        return (("webhook-id", request.id),)

    async with receiver(handler) as here:
        asked = fetch(here.url)
        for _ in range(2):
            async with Webhooks(LOOPBACK, signer=signer) as client, Outbox(client) as outbox:
                await HookDesk(client=client, outbox=outbox, policy=POLICY).ask(CALL, asked, lambda *_: None)
        assert [seen.headers["webhook-id"] for seen in here.seen] == [asked_id(CALL, asked)] * 2
    others = [
        replace(asked, request=RequestId(8)),
        replace(asked, url=f"{asked.url}/other"),
        replace(asked, method="GET"),
        replace(asked, params=(("from", "+46 70"),)),
    ]
    ids = [asked_id(CALL, each) for each in (asked, *others)] + [asked_id(CallId("d" * 32), asked)]
    assert len(set(ids)) == len(ids)
    assert ids[0].startswith(f"msg_{CALL}_asked_7_")


@pytest.mark.parametrize("fault", Fault)
async def test_a_web_application_that_fails_in_every_way_there_is(fault: Fault) -> None:
    words = {
        Fault.REFUSED: "hook_refused",
        Fault.RESET: "hook_reset",
        Fault.ERROR: "hook_status",
        Fault.SILENCE: "hook_timeout",
        Fault.HALF: "hook_broken",
    }
    async with faulty_application(lambda _: "{}", seed=1, rate=1.0, faults=(fault,)) as app, desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch(app.at("/start")), board.note)
        assert app.failed(fault) > 0
    assert (answer.body, answer.why) == (None, words[fault])


async def test_whatever_fails_every_webhook_ends_within_its_budget() -> None:
    """And with one retry most of them end well, though a third of all requests fail."""
    took: list[float] = []
    loop = asyncio.get_running_loop()

    async def ask(board: Desk, url: str) -> bool:
        began = loop.time()
        answer = await board.desk.ask(CALL, fetch(url), board.note)
        took.append(loop.time() - began)
        return answer.body == b"{}"

    async with faulty_application(lambda _: "{}", seed=20261121) as app, desk() as (board, _):
        well = await asyncio.gather(*(ask(board, app.at(f"/{number}")) for number in range(200)))
        assert all(app.failed(fault) > 0 for fault in Fault)
    assert max(took) < POLICY.budget_s + 1.0
    assert sum(well) > 150


async def test_what_this_machine_lacks_is_not_held_against_a_host() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="{}")

    async with receiver(handler) as here, desk() as (board, _):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        taken: list[int] = []
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 2, hard))
            with contextlib.suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            answers = [await board.desk.ask(CALL, fetch(here.url), board.note) for _ in range(FAILURES_IN_A_ROW)]
        finally:
            for each in taken:
                os.close(each)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert {answer.why for answer in answers} == {"hook_local"}
        assert board.desk.hosts() == {"closed": 0, "open": 0, "half_open": 0}
        assert (await board.desk.ask(CALL, fetch(here.url), board.note)).body == b"{}"
