"""Exports: versioned, what JSON can say, whole or of one session, and refused when damaged."""

import json

import pytest
from tests.support.bench import ACCOUNT, ANSWER, US, Bench, statuses

from offhook.sip.commands import RegistrationOrder
from offhook.sip.endpoint import Endpoint
from offhook.sip.events import IncomingInvite, RegisterReceived, Resolve
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop, HopChange
from offhook.sip.uri import Uri


def restored(bench: Bench, *parts: dict[str, object]) -> None:
    """Let a new endpoint go on from exports, which pass through JSON."""
    kept = [json.loads(json.dumps(part)) for part in parts]
    bench.endpoint = Endpoint.restore(kept, bench.config, bench.entropy, bench.now)


def test_everything_that_lives_is_kept() -> None:
    bench = Bench()
    bench.established_callee()
    _, invite = bench.call(account=ACCOUNT)
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n1", algorithm=MD5, qop="auth"'
    bench.receive(bench.reply(invite, 401, headers=challenge))
    order = RegistrationOrder(
        registrar=Uri.parse("sip:192.0.2.9"), aor=NameAddr.parse("<sip:a@t.test>"), account=ACCOUNT
    )
    bench.endpoint.register(order, bench.now)
    bench.receive(bench.request("REGISTER", call_id="r"))
    bench.endpoint.accept_register(bench.one(RegisterReceived).handle, bench.now)
    bench.receive(bench.request("REGISTER", call_id="r2"))
    bench.endpoint.handle_hop(HopChange.OPENED, Hop("tcp", US, ("192.0.2.8", 5060), 2), bench.now)
    bench.sent()
    before = bench.endpoint.export()
    assert before["version"] == 1
    assert all(before[name] for name in before), "each kind of machine is in this one"
    restored(bench, before)
    assert bench.endpoint.export() == before


def test_one_session_can_be_kept_apart() -> None:
    bench = Bench()
    first, tag = bench.established_callee()
    second, _ = bench.established_callee(call_id="call-2")
    part = bench.endpoint.export(first)
    assert [session["id"] for session in part["sessions"]] == [first]
    restored(bench, part)
    assert bench.endpoint.sessions_count == 1
    assert statuses(bench.receive(bench.request("BYE", to_tag=tag, cseq=2))) == [200]
    assert second not in bench.endpoint._inside.sessions.by_id


def test_parts_add_up() -> None:
    bench = Bench()
    sessions = [bench.established_callee(call_id=f"call-{number}")[0] for number in range(3)]
    restored(bench, *(bench.endpoint.export(session) for session in sessions))
    assert bench.endpoint.sessions_count == 3


def test_an_answer_that_waits_for_its_ack_is_still_repeated() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE", body="v=0 offer\r\n"))
    session = bench.one(IncomingInvite).session
    bench.endpoint.answer(session, ANSWER, bench.now)
    tag = bench.sent()[0].to.tag or ""
    restored(bench, bench.endpoint.export(session))
    assert statuses(bench.pass_time(0.6)) == [200]
    bench.receive(bench.request("ACK", to_tag=tag))
    assert bench.pass_time(60) == []


def test_deadlines_that_passed_meanwhile_are_due_at_once() -> None:
    bench = Bench()
    bench.call()
    part = bench.endpoint.export()
    bench.mono += 20
    restored(bench, part)
    assert statuses(bench.pass_time(0)) == ["INVITE"]


def test_a_look_up_that_was_under_way_is_asked_for_again() -> None:
    bench = Bench()
    order = RegistrationOrder(
        registrar=Uri.parse("sip:trunk.test"), aor=NameAddr.parse("<sip:a@trunk.test>"), account=ACCOUNT
    )
    bench.endpoint.register(order, bench.now)
    first = bench.one(Resolve)
    restored(bench, bench.endpoint.export())
    again = bench.one(Resolve)
    assert again == first
    bench.endpoint.handle_resolved(again.query, (), bench.now)
    assert bench.one(Resolve).name == "_sip._tcp.trunk.test"


def test_a_digest_client_without_its_owner_is_let_go() -> None:
    bench = Bench()
    part = bench.endpoint.export()
    part["logins"] = {"nobody": {"version": 1, "spaces": []}}
    restored(bench, part)
    assert bench.endpoint._inside.outgoing.logins == {}


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 2},
        {"version": None},
        {"sessions": [{"id": "x"}]},
        {"transactions": None},
        {"deadlines": [{"owner": "weather", "id": "x", "name": "y", "at": 1.0}]},
        {"surprise": 1},
    ],
)
def test_a_damaged_export_is_refused_with_a_reason(damage: dict[str, object]) -> None:
    bench = Bench()
    part = bench.endpoint.export() | damage
    with pytest.raises(ValueError, match=r"export|owner|Owner"):
        restored(bench, part)


def test_what_a_session_owns_is_kept_with_it_and_nothing_else() -> None:
    bench = Bench()
    first, _ = bench.call()
    bench.call()
    whole, part = bench.endpoint.export(), bench.endpoint.export(first)
    owned = {out["id"] for out in whole["outgoing"] if out["owner"] == first}
    assert [out["id"] for out in part["outgoing"]] == list(owned)
    assert part["transactions"] == [tx for tx in whole["transactions"] if tx["owner"] in {first, *owned}]
    names = {first, *owned, *(tx["key"] for tx in part["transactions"])}
    assert sorted(map(str, part["deadlines"])) == sorted(
        str(each) for each in whole["deadlines"] if each["id"] in names
    )


def test_a_session_that_is_over_leaves_nothing_to_export() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    bench.receive(bench.request("BYE", to_tag=tag, cseq=2))
    bench.pass_time(70)
    part = bench.endpoint.export(session)
    assert not any(part[name] for name in part if name != "version")


def test_the_bindings_of_a_phone_can_be_kept_apart() -> None:
    bench = Bench()
    bench.receive(bench.request("REGISTER", call_id="r"))
    event = bench.one(RegisterReceived)
    assert bench.endpoint.export_bindings(event.aor) is None
    bench.endpoint.accept_register(event.handle, bench.now)
    part = bench.endpoint.export_bindings(event.aor)
    assert part is not None
    before = bench.endpoint.lookup(event.aor, bench.now)
    restored(bench, part)
    assert bench.endpoint.lookup(event.aor, bench.now) == before
    bench.mono += 7300
    bench.endpoint.handle_timer(bench.now)
    assert bench.endpoint.lookup(event.aor, bench.now) == ()


def test_an_export_goes_by_the_wall_clock_as_it_is_now() -> None:
    """Not as it was at the last input: it may have been set since, and nobody says so before a restart."""
    bench = Bench()
    bench.receive(bench.request("REGISTER", call_id="r", headers="Expires: 120\n"))
    bench.endpoint.accept_register(bench.one(RegisterReceived).handle, bench.now)
    bench.sent()
    (aor,) = bench.endpoint.registered()
    bench.wall += 7200.0
    part = bench.endpoint.export_bindings(aor, bench.now)
    assert part is not None
    whole = bench.endpoint.export(now=bench.now)
    assert part["records"] == whole["records"]
    restored(bench, part)
    bench.pass_time(119)
    assert bench.endpoint.lookup(aor, bench.now)
    bench.pass_time(2)
    assert bench.endpoint.lookup(aor, bench.now) == ()
    assert bench.endpoint.registered() == []
