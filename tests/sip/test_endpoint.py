"""Two endpoints on a pretend wire: whole calls in good weather and bad, over UDP and TCP, in virtual time."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.bench import ANSWER, HOP, OFFER, Bench
from tests.support.wire import Party, Weather, Wire

from offhook.sip.commands import Account, Body, InviteOrder, RegistrationOrder, SessionId
from offhook.sip.digest import Algorithm, Verdict, compute_ha1
from offhook.sip.events import (
    BindingsChanged,
    Ended,
    Established,
    Event,
    IncomingInvite,
    OfferAnswered,
    OfferReceived,
    RegisterReceived,
    RegistrationChanged,
    RegistrationState,
    RemoteHungUp,
)
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import HopChange
from offhook.sip.uri import Uri

BAD = Weather(loss=0.2, delay_s=(0.005, 0.6), duplicate=0.1)


def order(target: str = "sip:bob@192.0.2.9", **changes: object) -> InviteOrder:
    fields = {
        "target": Uri.parse(target),
        "from_": NameAddr.parse("<sip:alice@192.0.2.1>"),
        "to": NameAddr.parse("<sip:bob@192.0.2.9>"),
        "offer": OFFER,
        **changes,
    }
    return InviteOrder(**fields)  # type: ignore[arg-type]


def picks_up(wire: Wire, party: Party) -> None:
    """A party that rings, answers, and agrees to every change."""

    def listen(event: Event) -> None:
        endpoint, now = party.endpoint, wire.now
        if isinstance(event, IncomingInvite):
            endpoint.ring(event.session, now)
            endpoint.answer(event.session, ANSWER, now)
        elif isinstance(event, OfferReceived):
            endpoint.accept_offer(event.session, ANSWER, now)

    party.listener = listen


def two(weather: Weather | None = None, seed: int = 1, **start: float) -> tuple[Wire, Party, Party]:
    wire = Wire(weather, seed, **start)
    alice, bob = wire.add("alice", "192.0.2.1"), wire.add("bob", "192.0.2.9")
    picks_up(wire, alice)
    picks_up(wire, bob)
    return wire, alice, bob


def at_rest(*parties: Party) -> None:
    """Nothing is left: no transaction, no session, no timer."""
    for party in parties:
        left = party.endpoint.export()
        assert not left["transactions"]
        assert not left["sessions"]
        assert not left["outgoing"]
        assert party.endpoint.poll_deadline() is None


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_whole_call_in_good_weather(transport: str) -> None:
    wire, alice, bob = two()
    session = alice.endpoint.invite(order(f"sip:bob@192.0.2.9;transport={transport}"), wire.now)
    wire.run(until=lambda: bool(bob.of(Established)))
    assert alice.endpoint.sessions_count == bob.endpoint.sessions_count == 1
    alice.endpoint.hang_up(session, wire.now)
    wire.run(until=lambda: bool(alice.of(Ended)))
    assert [passed.what for passed in wire.log] == ["INVITE", "100", "180", "200", "ACK", "BYE", "200"]
    assert {passed.transport for passed in wire.log} == {transport}
    assert len(bob.of(RemoteHungUp)) == 1
    kept = bob.endpoint.counts()
    # Timer L runs on every transport (RFC 6026 section 8.7), timer J on datagrams alone (17.2.2).
    assert kept["transactions"] == (2 if transport == "udp" else 1)
    wire.run(64)
    at_rest(alice, bob)
    assert not any(count for what, count in bob.endpoint.counts().items() if what not in ("streams", "connections"))


@pytest.mark.parametrize("seed", range(12))
def test_calls_come_and_go_in_bad_weather(seed: int) -> None:
    wire, alice, bob = two(BAD, seed)
    session = alice.endpoint.invite(order(), wire.now)
    wire.run(200, until=lambda: bool(alice.of(Established) and bob.of(Established)) or bool(alice.of(Ended)))
    if alice.of(Established):
        alice.endpoint.reoffer(session, Body(b"v=0 hold\r\n"), wire.now)
        wire.run(70)
        alice.endpoint.hang_up(session, wire.now)
    wire.run(200)
    assert len(alice.of(Ended)) == 1
    assert len(bob.of(Ended)) == len(bob.of(IncomingInvite))
    at_rest(alice, bob)


def test_both_sides_change_the_session_at_once() -> None:
    wire, alice, bob = two()
    calling = alice.endpoint.invite(order(), wire.now)
    wire.run(until=lambda: bool(bob.of(Established)))
    called = bob.of(Established)[0].session  # type: ignore[attr-defined]
    alice.endpoint.reoffer(calling, Body(b"v=0 a\r\n"), wire.now)
    bob.endpoint.reoffer(called, Body(b"v=0 b\r\n"), wire.now)
    wire.run(20, until=lambda: bool(alice.of(OfferAnswered) and bob.of(OfferAnswered)))
    assert Counter(passed.what for passed in wire.log)["491"] == 2, "14.2: each refused the other once"
    assert [len(party.of(OfferReceived)) for party in (alice, bob)] == [1, 1]


def test_a_lost_ack_brings_the_2xx_again() -> None:
    wire, alice, bob = two()
    alice.endpoint.invite(order(), wire.now)
    wire.run(until=lambda: bool(alice.of(Established)))
    # The ACK is on its way and the wire goes bad: it and the next repeats are lost.
    wire._queue.clear()
    wire.run(5, until=lambda: bool(bob.of(Established)))
    assert len(wire.sent(alice, "ACK")) == 2
    assert len(wire.sent(bob, "200")) == 2


def test_a_peer_that_vanishes_is_noticed_when_something_is_asked() -> None:
    wire, alice, bob = two()
    session = alice.endpoint.invite(order(), wire.now)
    wire.run(until=lambda: bool(bob.of(Established)))
    wire.weather = Weather(loss=1.0)
    alice.endpoint.hang_up(session, wire.now)
    wire.run(40, until=lambda: bool(alice.of(Ended)))
    assert bob.endpoint.sessions_count == 1


def test_a_connection_that_breaks_in_a_call_is_made_anew() -> None:
    wire, alice, bob = two()
    session = alice.endpoint.invite(order("sip:bob@192.0.2.9;transport=tcp"), wire.now)
    wire.run(until=lambda: bool(bob.of(Established)))
    wire.cut(alice)
    alice.endpoint.hang_up(session, wire.now)
    wire.run(5, until=lambda: bool(alice.of(Ended) and bob.of(Ended)))


def test_nobody_listens_there() -> None:
    wire, alice, _ = two()
    wire.refusing.add(("192.0.2.9", 5060))
    alice.endpoint.invite(order("sip:bob@192.0.2.9;transport=tcp"), wire.now)
    wire.run(1, until=lambda: bool(alice.of(Ended)))


def test_a_phone_registers_is_called_and_leaves() -> None:
    wire = Wire()
    server, phone = wire.add("server", "192.0.2.1"), wire.add("phone", "192.0.2.9")
    picks_up(wire, phone)
    ha1 = {
        algorithm: compute_ha1(algorithm, "desk", "example.test", "pw")
        for algorithm in (Algorithm.MD5, Algorithm.SHA256)
    }

    def decide(event: Event) -> None:
        if isinstance(event, RegisterReceived):
            if server.endpoint.check_credentials(event.handle, ha1, wire.now) is Verdict.OK:
                server.endpoint.accept_register(event.handle, wire.now)
            else:
                server.endpoint.challenge(event.handle, wire.now)

    server.listener = decide
    aor = NameAddr.parse("<sip:desk@192.0.2.1>")
    ident = phone.endpoint.register(
        RegistrationOrder(
            registrar=Uri.parse("sip:192.0.2.1"),
            aor=aor,
            account=Account(username="desk", password="pw"),
            expires_s=300,
        ),
        wire.now,
    )
    wire.run(1000, until=lambda: len(wire.sent(phone, "REGISTER")) == 6)
    wire.run(5)
    states = [event.state for event in phone.of(RegistrationChanged)]  # type: ignore[attr-defined]
    assert states == [RegistrationState.REGISTERED], "refreshes are silent"
    (binding,) = server.endpoint.lookup(aor.uri, wire.now)
    server.endpoint.invite(order(str(binding.contact), hop=binding.hop), wire.now)
    wire.run(5, until=lambda: bool(phone.of(Established)))
    phone.endpoint.unregister(ident, wire.now)
    wire.run(5)
    assert server.endpoint.lookup(aor.uri, wire.now) == ()
    assert server.of(BindingsChanged)[-1].bindings == ()  # type: ignore[attr-defined]


# Restore


def test_a_call_outlives_the_process() -> None:
    wire, alice, bob = two()
    session = alice.endpoint.invite(order(), wire.now)
    wire.run(until=lambda: bool(bob.of(Established)))
    for party in (alice, bob):
        wire.restart(party)
    alice.endpoint.reoffer(session, Body(b"v=0 hold\r\n"), wire.now)
    wire.run(5, until=lambda: bool(alice.of(OfferAnswered)))
    alice.endpoint.hang_up(session, wire.now)
    wire.run(5, until=lambda: bool(alice.of(Ended) and bob.of(Ended)))
    wire.run(64)
    at_rest(alice, bob)


Step = tuple[str, float]
STEPS = st.lists(
    st.tuples(st.sampled_from(["call", "hang up", "reoffer", "bob reoffers", "bob hangs up", "wait"]), st.floats(0, 3)),
    min_size=1,
    max_size=8,
)


def told(party: Party) -> list[str]:
    """What a party was told, without what chance decides: tags, ids and times."""
    return [type(event).__name__ + getattr(event, "what", "") for event in party.events]


def live_through(steps: list[Step], seed: int, weather: Weather, restarts: set[int]) -> list[list[str]]:
    # Both clocks alike: a deadline that passes through the other clock would else lose its last bits, and with them
    # its place before or after one of the other party's, and from there on chance would fall differently.
    wire, alice, bob = two(weather, seed, wall_at_start=0.0)
    calls: list[SessionId] = []
    for number, (what, pause) in enumerate(steps):
        if what == "call":
            calls.append(alice.endpoint.invite(order(), wire.now))
        elif calls and what == "hang up":
            alice.endpoint.hang_up(calls[-1], wire.now)
        elif calls and what == "reoffer" and calls[-1] in alice.endpoint._inside.sessions.by_id:
            alice.endpoint.reoffer(calls[-1], Body(b"v=0 x\r\n"), wire.now)
        elif what.startswith("bob") and bob.of(Established):
            theirs = bob.of(Established)[-1].session  # type: ignore[attr-defined]
            if what == "bob hangs up":
                bob.endpoint.hang_up(theirs, wire.now)
            elif theirs in bob.endpoint._inside.sessions.by_id:
                bob.endpoint.reoffer(theirs, Body(b"v=0 y\r\n"), wire.now)
        wire.run(pause)
        if number in restarts:
            wire.restart(alice)
            wire.restart(bob)
    for ident in calls:
        alice.endpoint.hang_up(ident, wire.now)
    wire.run(300)
    at_rest(alice, bob)
    return [told(alice), told(bob), [passed.what for passed in wire.log]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, seed=st.integers(0, 50), bad=st.booleans(), restarts=st.sets(st.integers(0, 7), max_size=4))
def test_restored_at_any_point_it_goes_on_as_the_first_would(
    steps: list[Step], seed: int, bad: bool, restarts: set[int]
) -> None:
    weather = BAD if bad else Weather()
    assert live_through(steps, seed, weather, set()) == live_through(steps, seed, weather, restarts)


# Anything at all


REQUESTS = ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "REGISTER", "PRACK", "REFER", "X"]
RESPONSES = ["180", "200", "401", "486", "491", "503"]
VERBS = ["call", "ring", "answer", "reject", "hang up", "reoffer", "accept", "refuse"]
WORLD = ["wait", "wait long", "drop", "full"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*REQUESTS, *RESPONSES, *VERBS, *WORLD]),
        max_size=25,
    ),
    st.sampled_from(["", "tag"]),
)
def test_no_order_of_messages_and_verbs_breaks_it(steps: list[str], which: str) -> None:
    """Whatever comes in whatever order: no exception, ``Ended`` once for each session, and rest in the end."""
    bench, sessions, last, seen = Bench(), list[SessionId](), list[object](), Counter[str]()
    tag, cseq = "", 1

    def look() -> None:
        for event in bench.events():
            if isinstance(event, Ended):
                seen[event.session] += 1
            if isinstance(event, IncomingInvite):
                sessions.append(event.session)

    for step in steps:
        cseq += 1
        out: list[object] = []
        if step.isdecimal():
            requests = [message for message in last if hasattr(message, "method")]
            if requests:
                out = list(bench.receive(bench.reply(requests[-1], int(step))))  # type: ignore[arg-type]
        elif step.isupper():
            text = bench.request(step, cseq=cseq, to_tag=tag if which else "", body="v=0\r\n" if cseq % 2 else "")
            out = list(bench.receive(text))
            tag = next((m.to.tag for m in out if getattr(m, "status", 0) > 100), tag) or tag  # type: ignore[attr-defined]
        else:
            out = verb(bench, step, sessions)
        last = out or last
        look()
    bench.endpoint.take_new()
    for ident in sessions:
        bench.endpoint.hang_up(ident, bench.now)
    bench.pass_time(300)
    look()
    assert set(seen.values()) <= {1}
    assert set(sessions) == set(seen)
    left = bench.endpoint.export()
    assert not left["transactions"]
    assert not left["sessions"]
    assert not left["outgoing"]


def verb(bench: Bench, step: str, sessions: list[SessionId]) -> list[object]:
    endpoint, now = bench.endpoint, bench.now
    if step == "wait":
        return list(bench.pass_time(1))
    if step == "wait long":
        return list(bench.pass_time(40))
    if step == "call":
        sessions.append(bench.call()[0])
        return []
    if step == "drop":
        endpoint.handle_hop(HopChange.FAILED, HOP, now)
    elif step == "full":
        endpoint.refuse_new()
    elif sessions and sessions[-1] in endpoint._inside.sessions.by_id:
        ident = sessions[-1]
        verbs = {
            "ring": lambda: endpoint.ring(ident, now),
            "answer": lambda: endpoint.answer(ident, ANSWER, now),
            "reject": lambda: endpoint.reject(ident, 486, now),
            "hang up": lambda: endpoint.hang_up(ident, now),
            "reoffer": lambda: endpoint.reoffer(ident, OFFER, now),
            "accept": lambda: endpoint.accept_offer(ident, ANSWER, now),
            "refuse": lambda: endpoint.refuse_offer(ident, now),
        }
        try:
            verbs[step]()
        except ValueError:
            # What never fits is refused with a reason; that is not what is looked for here.
            assert step != "hang up"
    return list(bench.sent())
