"""Hops are values; what they say about transports is section 17's."""

import pytest

from offhook.sip.hop import DEFAULT_PORT, Hop, Transport

LOCAL, REMOTE = ("192.0.2.1", 5060), ("192.0.2.9", 5060)


@pytest.mark.parametrize(("transport", "reliable"), [("udp", False), ("tcp", True), ("tls", True)])
def test_section_17_only_udp_is_unreliable(transport: Transport, reliable: bool) -> None:
    assert Hop(transport, LOCAL, REMOTE).reliable is reliable


def test_hops_compare_as_values() -> None:
    assert Hop("tcp", LOCAL, REMOTE, 7) == Hop("tcp", LOCAL, REMOTE, 7)
    assert Hop("tcp", LOCAL, REMOTE, 7) != Hop("tcp", LOCAL, REMOTE, 8)
    assert len({Hop("udp", LOCAL, REMOTE), Hop("udp", LOCAL, REMOTE)}) == 1


def test_section_19_1_2_default_ports() -> None:
    assert DEFAULT_PORT == {"udp": 5060, "tcp": 5060, "tls": 5061}
