"""RFC 3263 and RFC 2782: where a URI leads, as questions and candidates."""

import pytest
from tests.support.wire import seeded

from offhook.sip.hop import Target, Transport
from offhook.sip.next_hop import (
    CANDIDATES_MAX,
    Lookup,
    Question,
    SrvRecord,
    Unroutable,
    answer,
    bare_host,
    is_numeric,
    next_step,
    start,
)
from offhook.sip.uri import Uri

BOTH: tuple[Transport, ...] = ("udp", "tcp")
ENTROPY = seeded("dns")


def lookup(uri: str, transports: tuple[Transport, ...] = BOTH) -> Lookup:
    return start(Uri.parse(uri), transports)


def record(host: str, priority: int = 0, weight: int = 0, port: int = 5060) -> SrvRecord:
    return SrvRecord(priority=priority, weight=weight, port=port, host=host)


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("sip:a@192.0.2.9", Target("udp", "192.0.2.9", 5060)),
        ("sip:a@192.0.2.9:5070", Target("udp", "192.0.2.9", 5070)),
        ("sip:a@192.0.2.9;transport=TCP", Target("tcp", "192.0.2.9", 5060)),
        ("sip:a@192.0.2.9;transport=udp", Target("udp", "192.0.2.9", 5060)),
        ("sip:a@[2001:db8::1]:5080", Target("udp", "2001:db8::1", 5080)),
        ("sip:a@name.test;maddr=192.0.2.7", Target("udp", "192.0.2.7", 5060)),
    ],
)
def test_4_2_a_numeric_host_is_tried_as_it_is(uri: str, target: Target) -> None:
    walk = lookup(uri)
    assert next_step(walk) == target
    assert next_step(walk) is None


def test_4_1_tls_by_scheme_or_parameter() -> None:
    for uri in ("sips:a@192.0.2.9", "sip:a@192.0.2.9;transport=tls"):
        assert next_step(lookup(uri, ("udp", "tls"))) == Target("tls", "192.0.2.9", 5061)


@pytest.mark.parametrize("uri", ["tel:+4610", "mailto:a@b.test", "sip:a@192.0.2.9;transport=sctp", "sips:a@b.test"])
def test_what_leads_nowhere_we_can_go(uri: str) -> None:
    with pytest.raises(Unroutable):
        lookup(uri)


def test_4_2_a_name_with_a_port_needs_only_its_addresses() -> None:
    walk = lookup("sip:a@proxy.test:5070")
    assert next_step(walk) == Question(kind="address", name="proxy.test")
    assert next_step(walk) == Question(kind="address", name="proxy.test"), "it stands until it is answered"
    answer(walk, ["192.0.2.1", "2001:db8::5"], ENTROPY)
    assert next_step(walk) == Target("udp", "192.0.2.1", 5070)
    assert next_step(walk) == Target("udp", "2001:db8::5", 5070)
    assert next_step(walk) is None


def test_4_2_srv_for_each_transport_and_then_their_addresses() -> None:
    walk = lookup("sip:trunk.test")
    assert next_step(walk) == Question(kind="srv", name="_sip._udp.trunk.test")
    answer(walk, [record("b.trunk.test.", priority=20), record("a.trunk.test.", priority=10, port=5090)], ENTROPY)
    assert next_step(walk) == Question(kind="address", name="a.trunk.test")
    answer(walk, ["192.0.2.1"], ENTROPY)
    assert next_step(walk) == Target("udp", "192.0.2.1", 5090)
    assert next_step(walk) == Question(kind="address", name="b.trunk.test")
    answer(walk, [], ENTROPY)
    assert next_step(walk) == Question(kind="srv", name="_sip._tcp.trunk.test")
    answer(walk, [], ENTROPY)
    assert next_step(walk) is None, "SRV records were found, so the bare name is not tried"


def test_4_2_without_any_srv_the_name_itself_with_the_default_port() -> None:
    walk = lookup("sip:trunk.test")
    for _ in range(2):
        assert isinstance(next_step(walk), Question)
        answer(walk, [], ENTROPY)
    assert next_step(walk) == Question(kind="address", name="trunk.test")
    answer(walk, ["192.0.2.3"], ENTROPY)
    assert next_step(walk) == Target("udp", "192.0.2.3", 5060)
    assert next_step(walk) is None


def test_4_1_a_named_transport_asks_only_for_its_service() -> None:
    assert next_step(lookup("sip:trunk.test;transport=tcp")) == Question(kind="srv", name="_sip._tcp.trunk.test")
    assert next_step(lookup("sips:trunk.test", ("tls",))) == Question(kind="srv", name="_sips._tcp.trunk.test")


def test_rfc_2782_a_dot_as_target_says_that_there_is_no_service() -> None:
    walk = lookup("sip:trunk.test;transport=udp")
    answer(walk, [record(".")], ENTROPY)
    assert next_step(walk) == Question(kind="address", name="trunk.test")


def test_rfc_2782_weights_share_the_load() -> None:
    first = {"heavy": 0, "light": 0, "none": 0}
    entropy = seeded("weights")
    for _ in range(1000):
        walk = lookup("sip:trunk.test;transport=udp")
        answer(walk, [record("none", weight=0), record("heavy", weight=80), record("light", weight=20)], entropy)
        question = next_step(walk)
        assert isinstance(question, Question)
        first[question.name] += 1
    assert 700 < first["heavy"] < 880
    assert 120 < first["light"] < 280
    assert first["none"] < 50


def test_rfc_2782_lower_priority_numbers_always_come_first() -> None:
    for seed in range(20):
        walk = lookup("sip:trunk.test;transport=udp")
        answer(walk, [record("late", priority=2, weight=100), record("soon", priority=1)], seeded(seed))
        assert next_step(walk) == Question(kind="address", name="soon")


def test_a_zone_that_lists_too_many_is_cut() -> None:
    walk = lookup("sip:proxy.test:5060")
    answer(walk, [f"192.0.2.{number}" for number in range(200)], ENTROPY)
    count = 0
    while next_step(walk) is not None:
        count += 1
    assert count == CANDIDATES_MAX


def test_numeric_hosts_are_told_from_names() -> None:
    assert is_numeric("192.0.2.1")
    assert is_numeric("[2001:db8::1]")
    assert not is_numeric("1.2.3.4.test")
    assert not is_numeric("trunk.test")
    assert bare_host("[::1]") == "::1"
    assert bare_host("192.0.2.1") == "192.0.2.1"
