"""How calls begin: from the API, from the carrier, from phones that prove who they are; and who is turned away."""

import asyncio
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest
from aiohttp import web
from tests.support.indoors import FAR, OURS, PHONE, Exchange, exchange
from tests.support.receivers import receiver
from tests.support.sip_party import DEADLINE_S, DOMAIN, Party, description, party

from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.targets import LegStage, StatusHook
from offhook.flow.verbs import UnusableTarget
from offhook.flow.view import CallId, Cause
from offhook.runtime.live_call import FACT, LiveCall
from offhook.runtime.sip_driver import now
from offhook.runtime.sip_legs import SipLegs
from offhook.runtime.switchboard import new_call_id
from offhook.sip import events as sip
from offhook.sip.commands import Account, Body, InviteOrder, RegistrationOrder, SessionId
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.uri import Uri
from offhook.storage.records import unfinished_calls
from offhook.storage.store import Storage


def test_ids_of_calls_are_128_bits_of_chance() -> None:
    assert len({new_call_id() for _ in range(100)}) == 100
    assert int(new_call_id(), 16) < 2**128


# ── from the API ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_by_order_is_live_at_once_and_forgotten_when_it_is_over(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial()
        assert x.board.view(view.id) == view
        await x.far_answers()
        await x.far.wait(sip.RemoteHungUp)
        await x.over()
        assert x.board.view(view.id) is None
        row = await x.row(view.id)
        assert (row.state, row.cause, row.direction) == ("success", "normal", "outgoing")
        assert row.started is not None


async def test_a_call_that_was_promised_or_answered_is_never_durable_without_its_facts(storage: Storage) -> None:
    async with exchange(storage) as x:
        storage.writer.flush_blocking()

        def known() -> set[str]:
            """What a server would find that came after this one in this very turn of the loop."""
            storage.writer.flush_blocking()
            rows = {row.id for row in storage.read_blocking(unfinished_calls)}
            facts = {fact.key for fact in storage.read_blocking(storage.facts.load) if fact.kind == FACT}
            assert rows <= facts
            return rows

        view = x.dial(hangup_hook="https://app.example/bye")
        assert known() == {view.id}
        x.runs('{"play": "sound/ringback"}')
        x.call_us()
        await x.far.wait(sip.Answered)
        assert len(known()) == 2


async def test_a_promised_call_that_is_given_up_is_over_and_its_customer_told(storage: Storage) -> None:
    async def take(_: web.Request) -> web.Response:
        return web.Response()

    async with receiver(take) as customer, exchange(storage) as x:
        order = x.order(hangup_hook=f"{customer.url}/bye", id=CallId("c" * 32))
        view = x.board.give_up(order)
        (told,) = await customer.has_seen(1)
        said = dict(parse_qsl(told.body.decode()))
        assert (said["id"], said["state"]) == (f"c{view.id}", "failed")
        row = await x.row(view.id)
        assert (row.state, row.cause, row.from_number, row.to_number) == ("failed", "server_restart", OURS, FAR)
        kinds = [kind for kind, _ in await x.timeline(view.id)]
        assert kinds[:5] == ["call.begun", "leg.placed", "leg.ended", "call.ended", "hook.owed"]
        assert x.far.events == []
        assert x.board.view(view.id) is None


async def test_a_promised_call_that_is_given_up_has_its_status_told_once(storage: Storage) -> None:
    """DIDforSale's `statusCallbackEvent`: every leg is completed, also one that nobody will hear of again."""

    async def take(_: web.Request) -> web.Response:
        return web.Response()

    async with receiver(take) as customer, exchange(storage) as x:
        told = StatusHook(url=f"{customer.url}/leg", method="POST", stages=frozenset(LegStage))
        order = replace(x.order(id=CallId("d" * 32), told=told), dialect=DIALECTS["didml"])
        x.board.give_up(order)
        seen = await customer.has_seen(2)
        stages = [dict(parse_qsl(each.body.decode()))["CallStatus"] for each in seen]
        assert stages == ["initiated", "completed"]
        await x.over()
        kinds = [kind for kind, _ in await x.timeline(CallId("d" * 32))]
        assert kinds.count("status.owed") == 2


async def test_a_call_can_be_ended_while_it_rings(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial()
        invite = await x.far.wait(sip.IncomingInvite)
        x.far.endpoint.ring(invite.session, now())
        x.far.say()
        assert x.board.hang_up(view.id)
        assert (await x.far.wait(sip.RemoteHungUp)).how is sip.HangUpKind.CANCEL
        await x.over()
        assert not x.board.hang_up(view.id)
        assert (await x.row(view.id)).state == "failed"
        asked = [data for kind, data in await x.timeline(view.id) if kind == "call.hangup_asked"]
        assert asked == [{"cause": "normal"}], "the timeline says that it was somebody outside"


async def test_a_call_that_cannot_even_begin_is_over_and_kept(storage: Storage) -> None:
    async with exchange(storage) as x:
        for more, cause in (
            ({"target": UnusableTarget(text="nobody")}, "not_found"),
            ({"to": "+4930123456"}, "not_allowed"),
            ({"to": PHONE}, "unavailable"),
        ):
            view = x.dial(**more)  # type: ignore[arg-type]
            await x.over()
            row = await x.row(view.id)
            assert (row.state, row.cause) == ("failed", cause)
        assert x.far.events == []


async def test_a_server_that_stops_waits_for_its_calls_and_ends_those_that_stay(storage: Storage) -> None:
    async with exchange(storage) as x:
        assert await x.board.drained(0.0)
        view = x.dial('{"play":"sound/ringback"}')
        await x.far_answers()
        assert not await x.board.drained(0.01)
        x.board.end_all(Cause.SERVER_SHUTDOWN)
        await x.over()
        assert (await x.row(view.id)).cause == "server_shutdown"
        await x.far.wait(sip.RemoteHungUp)


# ── from the carrier ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("voice_start", "status"),
    [('{"hangup":"busy"}', 486), ('{"hangup":"reject"}', 603), ('{"hangup":"404"}', 404), ("", 480), ("  ", 480)],
)
async def test_a_number_answers_as_it_was_told(storage: Storage, voice_start: str, status: int) -> None:
    async with exchange(storage) as x:
        x.runs(voice_start)
        x.call_us()
        call = await _begun(x)
        assert (await x.far.wait(sip.Refused)).status == status
        await x.over()
        row = await x.row(call)
        assert (row.direction, row.from_number, row.to_number, row.state) == (
            "incoming", FAR, OURS, "busy" if status == 486 else "failed",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("why", "status", "cause"),
    [("no credit", 403, "no_credit"), ("no codec", 488, "incompatible_media"), ("no sdp", 488, "incompatible_media")],
)
async def test_a_call_refused_before_its_flow_asks_nobody_and_has_its_timeline(
    storage: Storage, why: str, status: int, cause: str
) -> None:
    """RFC 3261 section 21.4.26: an offer without a codec of ours is refused at the INVITE, not after a webhook."""

    async def asked(_: web.Request) -> web.Response:
        raise AssertionError("nobody is to be asked")

    async with receiver(asked) as customer, exchange(storage) as x:
        x.runs(f"{customer.url}/start")
        if why == "no credit":
            storage.directory.set_balance(x.account, 0)
        offer = {"no codec": description(codecs="18"), "no sdp": Body(b"v=0")}.get(why, description())
        x.far.call(x.address, user=OURS, from_=f"<sip:{FAR}@carrier.example>", offer=offer)
        call = await _begun(x)
        assert (await x.far.wait(sip.Refused)).status == status
        await x.over()
        row = await x.row(call)
        assert (row.state, row.cause, row.started) == ("failed", cause, None)
        timeline = await x.timeline(call)
        assert customer.seen == []
    kinds = [kind for kind, _ in timeline]
    assert kinds[:4] == ["sip.received", "leg.arrived", "call.refused", "call.begun"]
    assert {"sip.sent", "call.ended", "leg.ended", "leg.statistics"} <= set(kinds)
    found = dict(timeline)
    assert found["leg.arrived"] == {"leg": 0, "way": "trunk", "trunk": "carrier"}
    assert found["call.refused"]["cause"] == cause
    assert found["sip.received"]["what"] == "INVITE"
    assert found["sip.received"]["call_id"]
    assert found["sip.sent"]["what"].startswith(str(status))


async def test_a_call_to_a_number_that_runs_nothing_has_its_timeline(storage: Storage) -> None:
    async with exchange(storage) as x:
        x.runs("")
        x.call_us()
        call = await _begun(x)
        await x.far.wait(sip.Refused)
        await x.over()
        kinds = [kind for kind, _ in await x.timeline(call)]
    assert kinds[:3] == ["sip.received", "leg.arrived", "call.begun"]


async def test_a_call_out_says_which_way_it_took_and_what_the_carrier_said(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial()
        invite = await x.far.wait(sip.IncomingInvite)
        x.far.endpoint.reject(invite.session, 486, now(), headers=(("Reason", "Q.850;cause=17"),))
        x.far.say()
        await x.over()
        timeline = await x.timeline(view.id)
    assert dict(timeline)["leg.routed"] == {"leg": 0, "way": "trunk", "trunk": "carrier"}
    sent = [data for kind, data in timeline if kind == "sip.sent"]
    assert [data["what"] for data in sent] == ["INVITE"]
    assert sent[0]["call_id"] == invite.headers.get("Call-ID")
    assert (sent[0]["transport"], sent[0]["peer"]) == ("udp", f"127.0.0.1:{x.far.address[1]}")
    heard = [data for kind, data in timeline if kind == "sip.received"]
    assert (heard[-1]["what"], heard[-1]["reason"]) == ("486 Busy Here", "Q.850;cause=17")


async def _begun(x: Exchange) -> CallId:
    """The id of the next call, even if it is over in a moment."""
    began: asyncio.Future[CallId] = asyncio.get_running_loop().create_future()
    enter = x.board._enter

    def watched(*what: object) -> LiveCall:
        live = enter(*what)  # type: ignore[arg-type]
        began.set_result(live.id)
        return live

    x.board._enter = watched  # type: ignore[method-assign]
    return await asyncio.wait_for(began, DEADLINE_S)


async def test_a_number_whose_document_cannot_be_read_says_so_in_the_timeline(storage: Storage) -> None:
    async with exchange(storage) as x:
        x.runs('{"play":')
        x.call_us()
        call = await _begun(x)
        assert (await x.far.wait(sip.Refused)).status == 480
        await x.over()
        (why,) = [data for kind, data in await x.timeline(call) if kind == "number.unusable"]
        assert why["number"] == OURS
        assert why["why"]


async def test_who_is_turned_away_at_the_door(storage: Storage) -> None:
    async with exchange(storage) as x, party() as stranger:
        x.runs('{"play":"sound/beep"}')
        x.call_us(user="+46101999999")
        assert (await x.far.wait(sip.Refused)).status == 404
        x.storage.directory.set_balance(x.account, 0)
        x.call_us()
        assert (await x.far.wait(sip.Refused)).status == 403
        x.storage.directory.remove_trunk(x.trunk.id)
        x.call_us()
        assert (await x.far.wait(sip.Refused)).status == 403
        stranger.call(x.address, offer=description())
        assert (await stranger.wait(sip.Refused)).status == 403
        assert x.board.live == {}
        assert x.services.media.open_sessions == 0


async def test_a_free_number_is_nobodys(storage: Storage) -> None:
    async with exchange(storage) as x:
        x.storage.directory.add_number("+46101000009", trunk=x.trunk.id, pooled=True)
        x.call_us(user="+46101000009")
        assert (await x.far.wait(sip.Refused)).status == 404


async def test_a_caller_who_gives_up_leaves_nothing(storage: Storage) -> None:
    async with exchange(storage) as x:
        x.runs(f'{{"connect":"{FAR}"}}')
        session = x.call_us()
        call = await _begun(x)
        onward = await x.far.wait(sip.IncomingInvite)
        x.far.endpoint.ring(onward.session, now())
        x.far.endpoint.hang_up(session, now())
        x.far.say()
        assert (await x.far.wait(sip.RemoteHungUp)).session == onward.session
        await x.over()
        assert (await x.row(call)).cause == "cancelled"
        assert x.line.open == set()


async def test_a_fault_of_ours_refuses_the_caller_and_leaves_no_call(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with exchange(storage) as x:
        x.runs('{"play":"sound/beep"}')

        def broken(*_: object) -> None:
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(SipLegs, "incoming", broken)
        x.call_us()
        assert (await x.far.wait(sip.Refused)).status == 500
        assert x.board.live == {}
        assert await x.board.drained(DEADLINE_S)


# ── phones ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def registers(phone: Party, x: Exchange, *, user: str = "4600100", password: str | None = None) -> None:
    """Register at the exchange."""
    phone.endpoint.register(
        RegistrationOrder(
            registrar=Uri.sip(None, DOMAIN),
            aor=NameAddr(uri=Uri.sip(user, DOMAIN)),
            account=Account(username=user, password=x.phone.secret if password is None else password),
            routes=(Uri.parse(f"sip:127.0.0.1:{x.address[1]};lr"),),
        ),
        now(),
    )
    phone.say()


def dials(
    phone: Party, x: Exchange, to: str, *, from_: str = "4600100", user: str = "4600100", password: str | None = None,
    headers: tuple[tuple[str, str], ...] = (),
) -> SessionId:  # fmt: skip
    """Call through the exchange."""
    target = Uri.sip(to, DOMAIN)
    session = phone.endpoint.invite(
        InviteOrder(
            target=target,
            from_=NameAddr(uri=Uri.sip(from_, DOMAIN)),
            to=NameAddr(uri=target),
            offer=description(30_100),
            account=Account(username=user, password=x.phone.secret if password is None else password),
            routes=(Uri.parse(f"sip:127.0.0.1:{x.address[1]};lr"),),
            headers=headers,
        ),
        now(),
    )
    phone.say()
    return session


@pytest.mark.parametrize("user", ["4600100", "+4600100"])
async def test_a_phone_registers_and_is_called(storage: Storage, user: str) -> None:
    async with exchange(storage) as x, party() as phone:
        registers(phone, x, user=user)
        assert (await phone.wait(sip.RegistrationChanged)).state is sip.RegistrationState.REGISTERED
        x.dial(to=PHONE)
        invite = await phone.wait(sip.IncomingInvite)
        assert invite.from_.uri.username == OURS
        phone.endpoint.reject(invite.session, 486, now())
        phone.say()
        await x.over()


@pytest.mark.parametrize(("user", "password"), [("4600100", "wrong"), ("4600999", "x"), ("46101000001", "x")])
async def test_who_does_not_register_learns_no_more_than_that(storage: Storage, user: str, password: str) -> None:
    async with exchange(storage) as x, party() as phone:
        registers(phone, x, user=user, password=password)
        change = await phone.wait(sip.RegistrationChanged)
        assert (change.state, change.status) == (sip.RegistrationState.WAITING, 401)
        assert x.driver.endpoint.lookup(Uri.sip(user, DOMAIN), now()) == ()


async def test_a_phone_that_was_taken_away_registers_no_more(storage: Storage) -> None:
    async with exchange(storage) as x, party() as phone:
        x.storage.directory.deallocate(x.phone.row.id)
        registers(phone, x)
        assert (await phone.wait(sip.RegistrationChanged)).status == 401


async def test_a_phone_calls_and_its_own_number_decides(storage: Storage) -> None:
    async with exchange(storage) as x, party() as phone:
        x.runs(f'{{"connect":"{FAR}"}}', PHONE)
        dials(phone, x, "0701234567")
        onward = await x.far_answers()
        assert onward.from_.uri.username == PHONE
        await phone.wait(sip.Answered)
        call = x.only_call
        x.far.endpoint.hang_up(onward.session, now())
        x.far.say()
        await phone.wait(sip.RemoteHungUp)
        await x.over()
        row = await x.row(call)
        assert (row.from_number, row.to_number, row.state) == (PHONE, "0701234567", "success")


async def test_what_a_phone_dials_is_no_number_it_may_show(storage: Storage) -> None:
    """Else anybody with a phone could show any number: it would dial it and be connected on with it."""
    async with exchange(storage) as x, party() as phone:
        victim = "+46812345678"
        x.runs(f'{{"connect":"{FAR}","callerid":"{victim}","failed":{{"hangup":"reject"}}}}', PHONE)
        dials(phone, x, victim)
        assert (await phone.wait(sip.Refused)).status == 603
        await x.over()
        assert x.far.of(sip.IncomingInvite) == []


async def test_the_carriers_callers_number_may_be_shown_on(storage: Storage) -> None:
    async with exchange(storage) as x:
        x.runs(f'{{"connect":"{FAR}"}}')
        x.call_us(from_="<sip:+46733333333@carrier.example>")
        assert (await x.far.wait(sip.IncomingInvite)).from_.uri.username == "+46733333333"
        x.board.end_all(Cause.NORMAL)
        await x.over()


@pytest.mark.parametrize(
    ("from_", "name"),
    [
        ('"Eva Ek" <sip:+46733333333@carrier.example>', "Eva Ek"),
        ("<sip:+46733333333@carrier.example>", ""),
        ('"Eva Ek" <sip:anonymous@anonymous.invalid>', ""),
    ],
)
async def test_the_name_that_the_network_gives_a_caller_is_known(storage: Storage, from_: str, name: str) -> None:
    async with exchange(storage) as x:
        x.runs('{"play":"sound/ringback"}')
        x.call_us(from_=from_)
        await x.far.wait(sip.Answered)
        view = x.board.view(x.only_call)
        assert view is not None
        assert view.caller_name == name
        x.board.end_all(Cause.NORMAL)
        await x.over()


async def test_a_phone_with_a_wrong_password_calls_nobody(storage: Storage) -> None:
    async with exchange(storage) as x, party() as phone:
        x.runs('{"play":"sound/beep"}', PHONE)
        dials(phone, x, FAR, password="wrong")
        assert (await phone.wait(sip.Refused)).status == 401
        assert x.board.live == {}


async def test_a_phone_cannot_call_in_another_ones_name(storage: Storage) -> None:
    async with exchange(storage) as x, party() as phone:
        other = x.storage.directory.add_phone(x.account, "+4600200", voice_start='{"play":"sound/beep"}')
        dials(phone, x, FAR, from_="4600200")
        assert (await phone.wait(sip.Refused)).status == 401
        registers(phone, x, user="4600200")
        assert (await phone.wait(sip.RegistrationChanged)).status == 401, "another one's name with its own password"
        assert x.board.live == {}
        dials(phone, x, FAR, from_="4600200", user="+4600200", password=other.secret)
        await phone.wait(sip.Answered)
        x.board.end_all(Cause.NORMAL)
        await x.over()


async def test_credentials_for_somebody_else_are_passed_over(storage: Storage) -> None:
    """RFC 3261 section 22.3: a request may carry answers to proxies on the way."""
    proxy = 'Digest username="proxy-user", realm="elsewhere", nonce="x", uri="sip:x", response="00"'
    async with exchange(storage) as x, party() as phone:
        x.runs('{"play":"sound/beep"}', PHONE)
        dials(phone, x, FAR, headers=(("Proxy-Authorization", proxy),))
        await phone.wait(sip.Answered)
        x.board.end_all(Cause.NORMAL)
        await x.over()
