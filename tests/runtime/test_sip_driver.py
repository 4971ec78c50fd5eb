"""Two whole endpoints on loopback sockets: what arrives is handled, what is due is done, one fault stops nobody."""

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.sip_party import DEADLINE_S, Party, description, driven, party

from offhook.runtime import sip_driver as module
from offhook.runtime.sip_driver import SipDriver, now
from offhook.runtime.sip_sockets import ListenAddress
from offhook.sip import events as sip
from offhook.sip.commands import EndpointConfig, InviteOrder
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.uri import Uri


def test_the_time_is_told_twice() -> None:
    told = now()
    assert abs(told.mono - time.monotonic()) < 1
    assert abs(told.wall - time.time()) < 1


async def test_a_call_from_the_first_word_to_the_last() -> None:
    async with party() as alice, party() as bob:
        session = alice.call(bob.address, offer=description(30_000))
        invite = await bob.wait(sip.IncomingInvite)
        assert invite.hop.remote == alice.address
        bob.endpoint.ring(invite.session, now())
        bob.say()
        assert (await alice.wait(sip.Progress)).status == 180
        bob.endpoint.answer(invite.session, description(30_002), now())
        bob.say()
        assert (await alice.wait(sip.Answered)).body == description(30_002)
        await bob.wait(sip.Established)
        alice.endpoint.hang_up(session, now())
        alice.say()
        assert (await bob.wait(sip.RemoteHungUp)).how is sip.HangUpKind.BYE
        assert (await alice.wait(sip.Ended)).session == session


async def test_what_is_heard_is_dealt_with_before_it_is_answered() -> None:
    """A 200 to a BYE waits for the facts that the BYE leads to, so these must be known when it is held."""
    async with party() as alice, party() as bob:
        session = alice.call(bob.address, offer=description(30_000))
        invite = await bob.wait(sip.IncomingInvite)
        bob.endpoint.answer(invite.session, description(30_002), now())
        bob.say()
        await alice.wait(sip.Answered)
        await bob.wait(sip.Established)
        order: list[str] = []
        heard, held = bob.driver.on_event, bob.driver.hold

        def hear(event: sip.Event) -> None:
            order.append(type(event).__name__)
            heard(event)

        def hold(say: Callable[[], None], *, patient: bool = False) -> None:
            order.append("held")
            assert patient, "nobody waits for a 200 to a BYE"
            held(say)

        bob.driver.on_event, bob.driver.hold = hear, hold
        alice.endpoint.hang_up(session, now())
        alice.say()
        await alice.wait(sip.Ended)
        assert order.index("RemoteHungUp") < order.index("held")


async def test_the_answer_to_a_cancel_waits_for_nothing_and_comes_before_the_end_of_the_invite() -> None:
    async with party() as alice, party() as bob:
        session = alice.call(bob.address, offer=description(30_000))
        invite = await bob.wait(sip.IncomingInvite)
        bob.endpoint.ring(invite.session, now())
        bob.say()
        await alice.wait(sip.Progress)
        said: list[str] = []
        send = bob.driver.sockets.send

        def sent(data: bytes, *where: Any) -> None:
            head = data.decode("latin-1")
            said.append(f"{head[8:11]} {head.partition('CSeq: ')[2].split()[1]}")
            send(data, *where)

        bob.driver.sockets.send = sent  # type: ignore[method-assign]
        bob.driver.hold = lambda _, **__: said.append("held")
        alice.endpoint.hang_up(session, now())
        alice.say()
        await bob.wait(sip.RemoteHungUp)
        await alice.wait(sip.Ended)
        assert said == ["200 CANCEL", "487 INVITE"]


async def test_a_stream_is_opened_when_it_is_needed_and_its_refusal_is_heard() -> None:
    async with party(transports=("udp", "tcp")) as alice, party(transports=("udp", "tcp")) as bob:
        place = next(way.local for way in bob.ways if way.transport == "tcp")
        for port, heard in ((place[1], sip.Progress), (_closed_port(), sip.Refused)):
            target = Uri.parse(f"sip:bob@127.0.0.1:{port};transport=tcp")
            alice.endpoint.invite(
                InviteOrder(
                    target=target, from_=NameAddr.parse("<sip:alice@x>"), to=NameAddr(uri=target), offer=description()
                ),
                now(),
            )
            alice.say()
            if heard is sip.Progress:
                invite = await bob.wait(sip.IncomingInvite)
                assert invite.hop.transport == "tcp"
                bob.endpoint.ring(invite.session, now())
                bob.say()
            await alice.wait(heard)


def _closed_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def test_names_are_looked_up_for_the_endpoint() -> None:
    async with party() as alice, party() as bob:
        target = Uri.sip("bob", "localhost", bob.address[1])
        alice.endpoint.invite(
            InviteOrder(
                target=target, from_=NameAddr.parse("<sip:alice@x>"), to=NameAddr(uri=target), offer=description()
            ),
            now(),
        )
        alice.say()
        assert (await bob.wait(sip.IncomingInvite)).uri.host == "localhost"


async def test_a_name_that_cannot_be_looked_up_ends_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: object, name: str) -> list[str]:
        raise RuntimeError("a fault of the resolver")

    monkeypatch.setattr(module.Resolver, "addresses", broken)
    async with party() as alice:
        target = Uri.sip("bob", "somewhere.example", 5060)
        alice.endpoint.invite(
            InviteOrder(target=target, from_=NameAddr.parse("<sip:a@x>"), to=NameAddr(uri=target), offer=description()),
            now(),
        )
        alice.say()
        refused = await alice.wait(sip.Refused)
        assert refused.status == 503


async def test_deadlines_are_kept_without_any_message() -> None:
    """RFC 3261 section 17.1.1.2: an INVITE that nobody answers is sent again after T1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.setblocking(False)
        loop = asyncio.get_running_loop()
        async with party() as alice:
            alice.call(silent.getsockname(), offer=description())
            first = await asyncio.wait_for(loop.sock_recv(silent, 65_535), DEADLINE_S)
            again = await asyncio.wait_for(loop.sock_recv(silent, 65_535), DEADLINE_S)
    assert first == again
    assert first.startswith(b"INVITE ")


async def test_rubbish_is_counted_and_dropped() -> None:
    async with party() as alice:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as noisy:
            for rubbish in (b"\x00\x01", b"hello\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n"):
                noisy.sendto(rubbish, alice.address)
        async with party() as bob:
            bob.call(alice.address, offer=description())
            await alice.wait(sip.IncomingInvite)
        assert sum(alice.driver.strays.values()) == 3


async def test_a_fault_in_the_application_stops_no_other_call() -> None:
    heard: list[str] = []
    more = asyncio.Event()

    def hear(event: sip.Event) -> None:
        if isinstance(event, sip.IncomingInvite):
            heard.append(event.uri.username or "")
            more.set()
            raise RuntimeError("a fault in the application")

    async with party(hears=hear) as shaky, party() as bob:
        for user in ("one", "two"):
            more.clear()
            bob.call(shaky.address, user=user, offer=description())
            await asyncio.wait_for(more.wait(), DEADLINE_S)
            assert (await bob.wait(sip.Refused)).status == 500, "a caller whom nobody takes up is told so"
    assert heard == ["one", "two"]


async def test_words_spoken_while_events_are_handed_out_leave_at_once() -> None:
    """The application answers from within its event, and asks for a pump that is already under way."""
    made: list[Party] = []

    def hear(event: sip.Event) -> None:
        if isinstance(event, sip.IncomingInvite):
            made[0].endpoint.reject(event.session, 486, now())
            made[0].say()

    async with party(hears=hear) as busy, party() as bob:
        made.append(busy)
        bob.call(busy.address, offer=description())
        assert (await bob.wait(sip.Refused)).status == 486


async def test_a_driver_that_is_closed_says_nothing_more() -> None:
    driver = SipDriver(lambda _: None)
    ways = await driven(driver)
    target = Uri.sip("bob", "127.0.0.1", ways[0].local[1])
    order = InviteOrder(target=target, from_=NameAddr(uri=target), to=NameAddr(uri=target), offer=description())
    driver.endpoint.invite(order, now())
    driver.pump()
    assert driver._timer is not None
    await driver.close()
    driver.endpoint.invite(order, now())
    driver.pump()
    assert driver._timer is None
    assert driver.endpoint.poll_transmit() is not None, "it was not even taken"


async def test_an_address_that_is_taken_says_what_to_do() -> None:
    async with party() as alice:
        driver = SipDriver(lambda _: None)
        with pytest.raises(OSError, match="change sip_listen"):
            await driver.start(
                [ListenAddress(transport="udp", host="127.0.0.1", port=alice.address[1])],
                configure=lambda ways: EndpointConfig(ways=ways, domain="x"),
                advertise=lambda _, local: local,
            )
        await driver.close()
