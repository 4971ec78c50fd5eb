"""Requests of ours: RFC 3263 failover, section 18.1.1 by size, challenges, names that must be looked up."""

import pytest
from tests.support.bench import ACCOUNT, OFFER, US, Bench, statuses

from offhook.sip.commands import InviteOrder
from offhook.sip.events import Ended, OptionsAnswered, Progress, Refused, Resolve
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop, HopChange
from offhook.sip.next_hop import SrvRecord
from offhook.sip.outgoing import bracketed
from offhook.sip.uri import Uri

ALICE = NameAddr.parse("<sip:alice@example.test>")


def order(bench: Bench, target: str, **changes: object) -> None:
    fields = {"target": Uri.parse(target), "from_": ALICE, "to": ALICE, "offer": OFFER, **changes}
    bench.endpoint.invite(InviteOrder(**fields), bench.now)  # type: ignore[arg-type]


def resolve(bench: Bench, *answers: SrvRecord | str) -> Resolve:
    asked = bench.one(Resolve)
    bench.endpoint.handle_resolved(asked.query, answers, bench.now)  # type: ignore[arg-type]
    return asked


def two_addresses(bench: Bench) -> None:
    order(bench, "sip:bob@trunk.test:5060")
    resolve(bench, "192.0.2.21", "192.0.2.22")


def test_rfc_3263_names_are_asked_for_step_by_step() -> None:
    bench = Bench()
    order(bench, "sip:bob@trunk.test")
    asked = resolve(bench, SrvRecord(priority=1, weight=1, port=5080, host="gw.trunk.test"))
    assert (asked.kind, asked.name) == ("srv", "_sip._udp.trunk.test")
    asked = resolve(bench, "192.0.2.21")
    assert (asked.kind, asked.name) == ("address", "gw.trunk.test")
    (invite,) = bench.sent()
    assert bench.raw[-1][1] == Hop("udp", US, ("192.0.2.21", 5080))
    assert statuses([invite]) == ["INVITE"]


def test_rfc_3263_4_3_503_goes_on_to_the_next_address_with_a_new_branch() -> None:
    bench = Bench()
    two_addresses(bench)
    (first,) = bench.sent()
    out = bench.receive(bench.reply(first, 503))
    assert statuses(out) == ["ACK", "INVITE"]
    assert bench.raw[-1][1].remote == ("192.0.2.22", 5060)
    assert out[1].via.branch != first.via.branch
    assert out[1].cseq == first.cseq, "the same request"
    assert bench.events() == []
    bench.receive(bench.reply(out[1], 503))
    assert [event.status for event in bench.events() if isinstance(event, Refused)] == [503]


def test_rfc_3263_4_3_silence_and_transport_errors_go_on_too() -> None:
    for how in ("silence", "error"):
        bench = Bench()
        two_addresses(bench)
        bench.sent()
        if how == "silence":
            bench.pass_time(32.01)
        else:
            bench.endpoint.handle_hop(HopChange.FAILED, Hop("udp", US, ("192.0.2.21", 5060)), bench.now)
        bench.sent()
        assert bench.raw[-1][1].remote == ("192.0.2.22", 5060)
        assert bench.events() == []


def test_a_busy_phone_is_not_another_address() -> None:
    bench = Bench()
    two_addresses(bench)
    (first,) = bench.sent()
    assert statuses(bench.receive(bench.reply(first, 486))) == ["ACK"]


def test_a_name_that_does_not_exist_is_503() -> None:
    bench = Bench()
    order(bench, "sip:bob@trunk.test:5060")
    resolve(bench)
    assert [type(event) for event in bench.events()] == [Refused, Ended]


def test_an_answer_that_nobody_waits_for_is_ignored() -> None:
    bench = Bench()
    order(bench, "sip:bob@trunk.test:5060")
    asked = resolve(bench, "192.0.2.21")
    bench.sent()
    bench.endpoint.handle_resolved(asked.query, ("192.0.2.22",), bench.now)
    assert bench.sent() == []


def test_after_hanging_up_no_other_address_is_tried() -> None:
    bench = Bench()
    order(bench, "sip:bob@trunk.test:5060")
    resolve(bench, "192.0.2.21", "192.0.2.22")
    (first,) = bench.sent()
    session = next(iter(bench.endpoint._inside.sessions.by_id))
    bench.endpoint.hang_up(session, bench.now)  # type: ignore[arg-type]
    assert statuses(bench.receive(bench.reply(first, 503))) == ["ACK"]
    assert [type(event) for event in bench.events()] == [Ended]


LARGE = (("X-Large", "x" * 1300),)


def test_18_1_1_a_large_request_goes_by_tcp() -> None:
    bench = Bench()
    order(bench, "sip:bob@192.0.2.9", headers=LARGE)
    (invite,) = bench.sent()
    assert bench.raw[-1][1] == Hop("tcp", US, ("192.0.2.9", 5060))
    assert invite.via.transport == "TCP"
    assert str(invite.contacts[0].uri).endswith(";transport=tcp")  # type: ignore[index]


def test_18_1_1_and_by_udp_after_all_if_nobody_listens_there() -> None:
    bench = Bench()
    order(bench, "sip:bob@192.0.2.9", headers=LARGE)
    bench.sent()
    bench.endpoint.handle_hop(HopChange.FAILED, Hop("tcp", US, ("192.0.2.9", 5060)), bench.now)
    (invite,) = bench.sent()
    assert bench.raw[-1][1] == Hop("udp", US, ("192.0.2.9", 5060))
    assert invite.via.transport == "UDP"
    assert bench.events() == []


@pytest.mark.parametrize(("target", "limit"), [("sip:bob@192.0.2.9;transport=udp", 1300), ("sip:bob@192.0.2.9", None)])
def test_18_1_1_unless_the_uri_or_the_setting_says_otherwise(target: str, limit: int | None) -> None:
    bench = Bench(large_request_bytes=limit)
    order(bench, target, headers=LARGE)
    bench.sent()
    assert bench.raw[-1][1].transport == "udp"


def test_18_1_1_an_open_connection_is_used_again() -> None:
    bench = Bench()
    standing = Hop("tcp", US, ("192.0.2.9", 5060), 7)
    bench.endpoint.handle_hop(HopChange.OPENED, standing, bench.now)
    order(bench, "sip:bob@192.0.2.9;transport=tcp")
    bench.sent()
    assert bench.raw[-1][1] == standing


def test_22_2_stale_credentials_are_made_anew() -> None:
    bench = Bench()
    _, invite = bench.call(account=ACCOUNT)
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="{}", algorithm=SHA-256, qop="auth"{}'
    out = bench.receive(bench.reply(invite, 401, headers=challenge.format("n1", "")))
    out = bench.receive(bench.reply(out[1], 401, headers=challenge.format("n2", ", stale=true")))
    assert statuses(out) == ["ACK", "INVITE"]
    assert 'nonce="n2"' in (out[1].headers.get("Authorization") or "")
    assert str(out[1].cseq) == "3 INVITE"


def test_22_3_a_proxy_and_a_server_may_both_ask() -> None:
    bench = Bench()
    _, invite = bench.call(account=ACCOUNT)
    proxy = 'Proxy-Authenticate: Digest realm="p", nonce="n1", algorithm=MD5, qop="auth-int"'
    server = 'WWW-Authenticate: Digest realm="s", nonce="n2", algorithm=MD5, qop="auth"'
    out = bench.receive(bench.reply(invite, 407, headers=proxy))
    out = bench.receive(bench.reply(out[1], 401, headers=server))
    assert "Proxy-Authorization" in out[1].headers
    assert "Authorization" in out[1].headers
    assert "qop=auth-int" in (out[1].headers.get("Proxy-Authorization") or "")


def test_11_options_any_answer_proves_life() -> None:
    bench = Bench()
    ident = bench.endpoint.options(Uri.parse("sip:192.0.2.9"), bench.now)
    (options,) = bench.sent()
    assert (statuses([options]), options.headers.get("Accept")) == (["OPTIONS"], "application/sdp")
    bench.receive(bench.reply(options, 404))
    assert bench.one(OptionsAnswered) == OptionsAnswered(options=ident, status=404, alive=True)
    silent = bench.endpoint.options(Uri.parse("sip:192.0.2.9"), bench.now)
    bench.pass_time(33)
    assert bench.one(OptionsAnswered) == OptionsAnswered(options=silent, status=408, alive=False)


def test_11_options_on_a_flow_with_credentials() -> None:
    bench = Bench()
    flow = Hop("udp", US, ("198.51.100.7", 41000))
    ident = bench.endpoint.options(Uri.parse("sip:phone@10.0.0.1"), bench.now, hop=flow, account=ACCOUNT)
    (options,) = bench.sent()
    assert bench.raw[-1][1] == flow
    headers = 'WWW-Authenticate: Digest realm="r", nonce="n1", algorithm=MD5, qop="auth"'
    (again,) = bench.receive(bench.reply(options, 401, headers=headers), flow)
    assert str(again.cseq) == "2 OPTIONS"
    bench.receive(bench.reply(again, 200), flow)
    assert bench.one(OptionsAnswered) == OptionsAnswered(options=ident, status=200, alive=True)
    assert bench.endpoint._inside.outgoing.logins == {}


def test_early_dialogs_of_an_earlier_attempt_are_forgotten() -> None:
    bench = Bench()
    two_addresses(bench)
    (first,) = bench.sent()
    bench.receive(bench.reply(first, 180))
    assert bench.one(Progress)
    bench.receive(bench.reply(first, 503))
    assert next(iter(bench.endpoint._inside.sessions.by_id.values())).early == {}


def test_ipv6_gets_its_brackets() -> None:
    assert bracketed("2001:db8::1") == "[2001:db8::1]"
    assert bracketed("192.0.2.1") == "192.0.2.1"
