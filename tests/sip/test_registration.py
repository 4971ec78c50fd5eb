"""Our registration at a trunk: RFC 3261 section 10.2 and the pauses of RFC 5626 section 4.5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.bench import ACCOUNT, HOP, US, Bench, statuses

from offhook.sip.commands import RegistrationId, RegistrationOrder
from offhook.sip.events import RegistrationChanged, RegistrationState
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop, HopChange
from offhook.sip.message import Message
from offhook.sip.registration import BACK_OFF_MAX_S, TABLE, Input
from offhook.sip.uri import Uri

S = RegistrationState


def begin(bench: Bench, **changes: object) -> tuple[RegistrationId, Message]:
    fields: dict[str, object] = {
        "registrar": Uri.parse("sip:192.0.2.9"),
        "aor": NameAddr.parse("<sip:+4610@trunk.test>"),
        "account": ACCOUNT,
        "expires_s": 600,
        **changes,
    }
    ident = bench.endpoint.register(RegistrationOrder(**fields), bench.now)  # type: ignore[arg-type]
    (register,) = bench.sent()
    return ident, register


def granted(bench: Bench, register: Message, seconds: int = 600) -> list[Message]:
    contact = register.headers.get("Contact")
    return bench.receive(bench.reply(register, 200, headers=f"Contact: {contact};expires={seconds}"))


def test_10_2_a_register_holds_what_it_must() -> None:
    bench = Bench()
    ident, register = begin(bench)
    assert register.from_.uri == register.to.uri == Uri.parse("sip:+4610@trunk.test")
    assert register.headers.get("Contact") == "<sip:+4610@192.0.2.1:5060>"
    assert (register.expires, str(register.cseq)) == (600, "1 REGISTER")
    assert register.raw_uri == "sip:192.0.2.9"  # type: ignore[union-attr]
    granted(bench, register)
    changed = bench.one(RegistrationChanged)
    assert (changed.registration, changed.state, changed.status, changed.expires_s) == (ident, S.REGISTERED, 200, 600)


def test_10_2_4_it_is_refreshed_before_it_expires_with_the_same_call_id() -> None:
    bench = Bench()
    _, first = begin(bench)
    granted(bench, first, 300)
    bench.events()
    assert bench.pass_time(300 * 0.75 - 0.1) == []
    out = bench.pass_time(300 * 0.15 + 0.2)
    assert statuses(out)[0] == "REGISTER"
    assert (out[0].call_id, out[0].from_.tag, out[0].cseq.number) == (first.call_id, first.from_.tag, 2)
    granted(bench, out[0], 300)
    assert bench.events() == [], "a refresh that works is no news"


def test_22_a_challenge_is_answered_and_serves_the_refresh() -> None:
    bench = Bench()
    _, register = begin(bench)
    challenge = 'WWW-Authenticate: Digest realm="trunk.test", nonce="n1", algorithm=MD5, qop="auth"'
    (again,) = bench.receive(bench.reply(register, 401, headers=challenge))
    assert (str(again.cseq), again.call_id) == ("2 REGISTER", register.call_id)
    assert "nc=00000001" in (again.headers.get("Authorization") or "")
    granted(bench, again)
    refresh = bench.pass_time(545)[0]
    assert "nc=00000002" in (refresh.headers.get("Authorization") or "")
    assert refresh.cseq.number == 3


def test_10_2_8_423_is_followed() -> None:
    bench = Bench()
    _, register = begin(bench, expires_s=60)
    (again,) = bench.receive(bench.reply(register, 423, headers="Min-Expires: 1800"))
    assert (again.expires, again.cseq.number) == (1800, 2)
    assert bench.receive(bench.reply(again, 423, headers="Min-Expires: 1800")) == [], "asking the same is no use"
    assert bench.one(RegistrationChanged).state is S.WAITING


def test_rfc_5626_4_5_failures_space_the_tries() -> None:
    bench = Bench()
    _, register = begin(bench)
    low, high = 15.0, 30.0
    for _ in range(8):
        bench.receive(bench.reply(register, 500))
        assert bench.one(RegistrationChanged).state is S.WAITING
        begun = bench.mono
        assert bench.pass_time(low - 0.1) == []
        register = bench.next_sent(high - low + 0.2)[0]
        assert bench.mono - begun <= high + 0.2
        low, high = min(low * 2, 900.0), min(high * 2, BACK_OFF_MAX_S)
    granted(bench, register)
    assert bench.one(RegistrationChanged).state is S.REGISTERED


def test_retry_after_is_heeded() -> None:
    bench = Bench()
    _, register = begin(bench)
    bench.receive(bench.reply(register, 503, headers="Retry-After: 200"))
    assert bench.pass_time(199) == []
    assert statuses(bench.pass_time(2))[0] == "REGISTER"


def test_silence_is_a_failure() -> None:
    bench = Bench()
    begin(bench)
    bench.pass_time(32.1)
    changed = bench.one(RegistrationChanged)
    assert (changed.state, changed.status, changed.reason) == (S.WAITING, 408, "No Answer")
    bench = Bench()
    begin(bench)
    bench.endpoint.handle_hop(HopChange.FAILED, HOP, bench.now)
    assert bench.one(RegistrationChanged).reason == "Unreachable"


@pytest.mark.parametrize("status", [403, 404, 302])
def test_a_refusal_is_not_tried_again_soon(status: int) -> None:
    bench = Bench()
    _, register = begin(bench)
    bench.receive(bench.reply(register, status))
    assert bench.one(RegistrationChanged).status == status
    assert bench.pass_time(BACK_OFF_MAX_S - 1) == []
    assert statuses(bench.pass_time(2))[0] == "REGISTER"


def test_10_2_2_unregistering_removes_the_binding() -> None:
    bench = Bench()
    ident, register = begin(bench)
    granted(bench, register)
    bench.events()
    bench.endpoint.unregister(ident, bench.now)
    (leaving,) = bench.sent()
    assert (leaving.expires, leaving.cseq.number) == (0, 2)
    bench.receive(bench.reply(leaving, 200))
    assert bench.one(RegistrationChanged).state is S.GONE
    bench.endpoint.unregister(ident, bench.now)
    assert bench.pass_time(4000) == []


def test_10_2_unregistering_waits_for_the_register_under_way() -> None:
    bench = Bench()
    ident, register = begin(bench)
    bench.endpoint.unregister(ident, bench.now)
    assert bench.sent() == []
    (leaving,) = granted(bench, register)
    assert leaving.expires == 0
    bench.pass_time(33)
    assert bench.one(RegistrationChanged).state is S.GONE
    bench = Bench()
    ident, register = begin(bench)
    bench.endpoint.unregister(ident, bench.now)
    bench.receive(bench.reply(register, 403))
    assert bench.one(RegistrationChanged).state is S.GONE


def test_a_connection_that_closes_is_registered_anew() -> None:
    bench = Bench()
    _, register = begin(bench, registrar=Uri.parse("sip:192.0.2.9;transport=tcp"))
    stream = Hop("tcp", US, ("192.0.2.9", 5060), 3)
    bench.endpoint.handle_hop(HopChange.OPENED, stream, bench.now)
    contact = register.headers.get("Contact")
    bench.receive(bench.reply(register, 200, headers=f"Contact: {contact};expires=600"), stream)
    bench.endpoint.handle_hop(HopChange.CLOSED, stream, bench.now)
    assert statuses(bench.sent()) == ["REGISTER"]
    assert bench.raw[-1][1] == Hop("tcp", US, ("192.0.2.9", 5060))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ("Contact: <sip:+4610@192.0.2.1:5060>;expires=100, <sip:other@h.test>;expires=7", 100),
        ("Contact: <sip:other@h.test>;expires=7\nExpires: 90", 90),
        ("Expires: 80", 80),
        ("Contact: *", 600),
    ],
)
def test_10_2_4_what_was_granted(headers: str, seconds: int) -> None:
    bench = Bench()
    _, register = begin(bench)
    bench.receive(bench.reply(register, 200, headers=headers))
    assert bench.one(RegistrationChanged).expires_s == seconds


def test_a_registrar_that_grants_nothing_is_not_stormed() -> None:
    bench = Bench()
    _, register = begin(bench)
    granted(bench, register, 0)
    assert bench.pass_time(7) == []


def test_an_outbound_proxy_and_another_contact_user() -> None:
    bench = Bench()
    _, register = begin(bench, routes=(Uri.parse("sip:192.0.2.50"),), contact_user="line one", account=None)
    assert register.headers.get("Route") == "<sip:192.0.2.50;lr>"
    assert bench.raw[-1][1].remote == ("192.0.2.50", 5060)
    assert register.headers.get("Contact") == "<sip:line%20one@192.0.2.1:5060>"


def test_the_table_is_sound() -> None:
    assert {after for _, after in TABLE.values()} | {S.NEW} == set(S)
    answers = (Input.ACCEPTED, Input.TOO_BRIEF, Input.FAILED, Input.REFUSED)
    for state in (S.REGISTERING, S.REFRESHING, S.STOPPING, S.LEAVING):
        assert all((state, given) in TABLE for given in answers), "every answer leads somewhere"
    assert not [state for state, _ in TABLE if state is S.GONE]


@given(st.lists(st.sampled_from(["200", "401", "403", "423", "500", "wait", "stop", "cut"]), max_size=25))
def test_whatever_happens_it_ends_or_goes_on(steps: list[str]) -> None:
    bench = Bench()
    ident, last = begin(bench)
    for step in steps:
        out: list[Message] = []
        if step == "wait":
            out = bench.pass_time(2000)
        elif step == "stop":
            bench.endpoint.unregister(ident, bench.now)
            out = bench.sent()
        elif step == "cut":
            bench.endpoint.handle_hop(HopChange.CLOSED, Hop("tcp", US, ("192.0.2.9", 5060), 3), bench.now)
            out = bench.sent()
        else:
            out = bench.receive(bench.reply(last, int(step), headers="Min-Expires: 700"))
        last = out[-1] if out else last
    registrations = bench.endpoint._inside.registrations.by_id
    if ident in registrations:
        waiting = registrations[ident].state in (S.REGISTERED, S.WAITING)
        assert bench.endpoint.poll_deadline() is not None or not waiting, "it never sleeps for ever"
