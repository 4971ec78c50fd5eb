"""What the machines share: chance, our own addresses, and streams that stand."""

import pytest
from tests.support.wire import seeded

from offhook.sip.commands import EndpointConfig
from offhook.sip.core import Core
from offhook.sip.hop import Hop, Now, Way

LOCAL, OTHER, REMOTE = ("192.0.2.1", 5060), ("192.0.2.2", 5060), ("192.0.2.9", 5060)
WAYS = (
    Way(transport="udp", local=LOCAL, advertised=("203.0.113.1", 5060)),
    Way(transport="udp", local=OTHER, advertised=("203.0.113.2", 5060)),
    Way(transport="tcp", local=LOCAL, advertised=("203.0.113.1", 5060)),
)


def core() -> Core:
    return Core(EndpointConfig(ways=WAYS, domain="example.test"), seeded("core"), Now(0.0, 0.0))


def test_an_endpoint_without_a_way_is_none() -> None:
    with pytest.raises(ValueError, match="at least one way"):
        Core(EndpointConfig(ways=(), domain="example.test"), seeded("core"), Now(0.0, 0.0))


def test_tokens_differ_and_branches_have_the_magic_cookie() -> None:
    here = core()
    assert len({here.token() for _ in range(100)}) == 100
    assert here.branch().startswith("z9hG4bK")
    assert all(0.0 <= here.fraction() < 1.0 for _ in range(100))


def test_our_side_of_a_hop_is_the_socket_it_came_by() -> None:
    here = core()
    assert here.transports == ("udp", "tcp")
    assert here.way("udp", OTHER).advertised == ("203.0.113.2", 5060)
    assert here.way("udp", ("0.0.0.0", 1)).local == LOCAL
    assert here.way("tcp").transport == "tcp"
    with pytest.raises(LookupError, match="tls"):
        here.way("tls")


def test_section_18_2_2_a_stream_that_closed_is_replaced() -> None:
    here = core()
    closed = Hop("tcp", LOCAL, REMOTE, 1)
    assert here.live(closed) == Hop("tcp", LOCAL, REMOTE)
    standing = Hop("tcp", LOCAL, REMOTE, 2)
    here.connections["tcp", REMOTE] = standing
    assert here.live(closed) is standing
    assert here.live(Hop("tcp", LOCAL, REMOTE)) is standing
    assert here.live(standing) is standing
    datagram = Hop("udp", LOCAL, REMOTE)
    assert here.live(datagram) is datagram
    here.send(b"x", closed)
    assert here.outbox.popleft() == (b"x", standing)
