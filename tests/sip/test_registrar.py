"""The registrar: RFC 3261 section 10.3, step by step, as phones and as the wire see it."""

import pytest
from tests.support.bench import HOP, US, Bench, statuses

from offhook.sip.commands import RegistrarPolicy
from offhook.sip.events import BindingsChanged, RegisterReceived
from offhook.sip.hop import Hop, HopChange
from offhook.sip.message import Response
from offhook.sip.registrar import record_key
from offhook.sip.uri import Uri

AOR = Uri.parse("sip:+4610@192.0.2.1")


def register(bench: Bench, headers: str, *, cseq: int = 1, hop: Hop = HOP, call_id: str = "reg-1") -> Response:
    """A REGISTER that the application accepts; returns the answer. ``headers`` hold the contacts."""
    asked = bench.request("REGISTER", cseq=cseq, headers=headers, contact="", uri="sip:192.0.2.1", call_id=call_id)
    assert bench.receive(asked, hop) == []
    event = next(event for event in bench.events() if isinstance(event, RegisterReceived))
    bench.endpoint.accept_register(event.handle, bench.now)
    (answer,) = bench.sent()
    assert isinstance(answer, Response)
    return answer


def contacts(bench: Bench) -> list[str]:
    return [str(binding.contact) for binding in bench.endpoint.lookup(AOR, bench.now)]


def test_step_8_a_binding_is_kept_and_told_with_its_time() -> None:
    bench = Bench()
    answer = register(bench, "Contact: <sip:phone@192.0.2.9:5070>\nExpires: 120\nUser-Agent: Desk 1\n")
    assert answer.status == 200
    assert answer.headers.all("Contact") == ["<sip:phone@192.0.2.9:5070>;expires=120"]
    changed = bench.one(BindingsChanged)
    assert changed.aor == AOR
    (binding,) = changed.bindings
    assert (str(binding.contact), binding.hop, binding.user_agent) == ("sip:phone@192.0.2.9:5070", HOP, "Desk 1")
    assert binding.expires_at == bench.now.mono + 120
    assert contacts(bench) == ["sip:phone@192.0.2.9:5070"]


def test_a_refresh_is_silent_about_nothing_and_tells_the_new_time() -> None:
    bench = Bench()
    register(bench, "Contact: <sip:phone@192.0.2.9>\nExpires: 120\n")
    bench.events()
    bench.pass_time(100)
    answer = register(bench, "Contact: <sip:phone@192.0.2.9>\nExpires: 120\n", cseq=2)
    assert answer.headers.all("Contact") == ["<sip:phone@192.0.2.9>;expires=120"]
    bench.pass_time(119)
    assert contacts(bench)
    bench.events()
    bench.pass_time(2)
    assert bench.one(BindingsChanged).bindings == ()
    assert contacts(bench) == []
    assert bench.endpoint._inside.registrar.records == {}


def test_step_7_a_query_changes_nothing() -> None:
    bench = Bench()
    register(bench, "Contact: <sip:phone@192.0.2.9>\n")
    bench.events()
    answer = register(bench, "", cseq=2)
    assert answer.headers.all("Contact") == ["<sip:phone@192.0.2.9>;expires=3600"]
    assert bench.events() == []


def test_step_6_star_removes_everything() -> None:
    bench = Bench()
    register(bench, "Contact: <sip:a@192.0.2.9>, <sip:b@192.0.2.9>\n")
    bench.events()
    answer = register(bench, "Contact: *\nExpires: 0\n", cseq=2)
    assert (answer.status, answer.headers.all("Contact")) == (200, [])
    assert bench.one(BindingsChanged).bindings == ()


def test_step_6_star_without_expires_0_is_400() -> None:
    bench = Bench()
    register(bench, "Contact: <sip:a@192.0.2.9>\n")
    assert register(bench, "Contact: *\nExpires: 60\n", cseq=2).status == 400
    assert register(bench, "Contact: *\n", cseq=3).status == 400
    assert contacts(bench)


def test_10_2_2_expires_0_removes_one() -> None:
    bench = Bench()
    register(bench, "Contact: <sip:a@192.0.2.9>, <sip:b@192.0.2.9>\n")
    register(bench, "Contact: <sip:a@192.0.2.9>;expires=0\n", cseq=2)
    assert contacts(bench) == ["sip:b@192.0.2.9"]


def test_step_7_too_brief_is_423_and_long_is_cut() -> None:
    bench = Bench()
    answer = register(bench, "Contact: <sip:a@192.0.2.9>;expires=10\n")
    assert (answer.status, answer.min_expires) == (423, 60)
    assert contacts(bench) == []
    answer = register(bench, "Contact: <sip:a@192.0.2.9>\nExpires: 999999\n", cseq=2)
    assert answer.headers.all("Contact") == ["<sip:a@192.0.2.9>;expires=7200"]


def test_step_7_a_number_out_of_order_fails_as_a_whole() -> None:
    bench = Bench()
    register(bench, "Contact: <sip:a@192.0.2.9>\n", cseq=5)
    answer = register(bench, "Contact: <sip:b@192.0.2.9>, <sip:a@192.0.2.9>\n", cseq=4)
    assert answer.status == 500
    assert contacts(bench) == ["sip:a@192.0.2.9"]
    bench.pass_time(33)
    assert register(bench, "Contact: *\nExpires: 0\n", cseq=5).status == 500
    assert register(bench, "Contact: <sip:a@192.0.2.9>\n", cseq=1, call_id="rebooted").status == 200


def test_q_says_who_is_tried_first() -> None:
    bench = Bench()
    answer = register(bench, "Contact: <sip:a@192.0.2.9>;q=0.3, <sip:b@192.0.2.9>;q=0.8\n")
    assert contacts(bench) == ["sip:b@192.0.2.9", "sip:a@192.0.2.9"]
    assert answer.headers.all("Contact")[0] == "<sip:b@192.0.2.9>;q=0.8;expires=3600"


def test_the_number_of_contacts_is_limited() -> None:
    bench = Bench(registrar=RegistrarPolicy(contacts_max=2))
    many = ", ".join(f"<sip:p{number}@192.0.2.9>" for number in range(3))
    assert register(bench, f"Contact: {many}\n").status == 403
    assert contacts(bench) == []


def test_rfc_5626_a_phone_that_restarted_elsewhere_replaces_itself() -> None:
    bench = Bench()
    instance = '+sip.instance="<urn:uuid:1>"'
    register(bench, f"Contact: <sip:a@10.0.0.1:5060>;{instance}\n")
    answer = register(bench, f"Contact: <sip:a@10.0.0.1:6060>;{instance}\n", call_id="new")
    assert contacts(bench) == ["sip:a@10.0.0.1:6060"]
    assert '+sip.instance="<urn:uuid:1>"' in answer.headers.all("Contact")[0]


def test_19_1_4_contacts_are_compared_as_uris() -> None:
    bench = Bench()
    register(bench, "Contact: <sip:a@Host.test>\n")
    register(bench, "Contact: <sip:%61@hOST.test>\n", cseq=2)
    assert len(contacts(bench)) == 1


def test_a_phones_flow_lives_as_long_as_its_connection() -> None:
    bench = Bench()
    stream = Hop("tcp", US, ("192.0.2.9", 50001), 4)
    bench.endpoint.handle_hop(HopChange.OPENED, stream, bench.now)
    register(bench, "Contact: <sip:a@10.0.0.1;transport=tcp>\n", hop=stream)
    assert bench.endpoint.lookup(AOR, bench.now)[0].hop == stream
    bench.endpoint.handle_hop(HopChange.CLOSED, stream, bench.now)
    assert bench.endpoint.lookup(AOR, bench.now)[0].hop.connection is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:+4610@Example.test", "sip:%2B4610@example.TEST", True),
        ("sip:+4610@example.test", "sip:+4610@example.test;user=phone", True),
        ("sip:a@example.test", "sip:A@example.test", False),
    ],
)
def test_step_5_what_an_address_is_filed_under(one: str, other: str, same: bool) -> None:
    assert (record_key(Uri.parse(one)) == record_key(Uri.parse(other))) is same


def test_an_expiry_that_a_refresh_moved_removes_nothing_early() -> None:
    bench = Bench()
    register(bench, "Contact: <sip:a@192.0.2.9>;expires=60, <sip:b@192.0.2.9>;expires=90\n")
    bench.events()
    bench.pass_time(61)
    assert [str(binding.contact) for binding in bench.one(BindingsChanged).bindings] == ["sip:b@192.0.2.9"]
    bench.endpoint._inside.registrar.on_timer("nobody@example.test")
    bench.endpoint._inside.registrar.on_timer(record_key(AOR))
    assert bench.events() == []
    bench.pass_time(30)
    assert bench.one(BindingsChanged).bindings == ()
    assert statuses(bench.sent()) == []


@pytest.mark.parametrize("jump_s", [7200.0, -7200.0])
def test_a_wall_clock_that_is_set_takes_nobody_away_and_keeps_nobody(jump_s: float) -> None:
    bench = Bench()
    register(bench, "Contact: <sip:phone@192.0.2.9>\nExpires: 120\n")
    bench.wall += jump_s
    bench.pass_time(100)
    assert contacts(bench) == ["sip:phone@192.0.2.9"]
    answer = register(bench, "", cseq=2)
    assert answer.headers.all("Contact") == ["<sip:phone@192.0.2.9>;expires=20"]
    bench.pass_time(21)
    assert contacts(bench) == []
