"""Every message of RFC 4475 is sent to a whole endpoint, which does with it what the manifest says, and goes on."""

import pytest
from tests.conformance.rfc4475.corpus import octets
from tests.conformance.rfc4475.page import Entry, entries

from offhook.sip.commands import EndpointConfig
from offhook.sip.endpoint import Endpoint
from offhook.sip.events import Milestone
from offhook.sip.hop import Hop, Now, Way

HERE, THERE = ("192.0.2.1", 5060), ("192.0.2.99", 5060)
START = Now(0.0, 1_000_000_000.0)
HOP = Hop("udp", HERE, THERE)


def endpoint() -> Endpoint:
    drawn = iter(range(1_000_000))
    way = Way(transport="udp", local=HERE, advertised=HERE)
    return Endpoint(
        EndpointConfig(ways=(way,), domain="example.com"), lambda count: next(drawn).to_bytes(count, "big"), START
    )


def outcome(stack: Endpoint) -> tuple[list[int], list[str]]:
    """The statuses that leave and the events that come, milestones left out."""
    statuses, events = [], []
    while (sent := stack.poll_transmit()) is not None:
        statuses.append(int(sent[0].split(b" ", 2)[1]))
    while (event := stack.poll_event()) is not None:
        if not isinstance(event, Milestone):
            events.append(type(event).__name__)
    return statuses, events


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_an_endpoint_does_what_the_manifest_says(entry: Entry) -> None:
    stack = endpoint()
    stack.handle_datagram(octets(entry.name), HOP, START)
    statuses, events = outcome(stack)
    if entry.becomes.isdecimal():
        assert (statuses, events) == ([int(entry.becomes)], [])
    else:
        # A call is told that somebody tries; a registration waits for its application; what is dropped gets nothing.
        assert (statuses, events) == ([100] if entry.becomes == "IncomingInvite" else [], [entry.becomes])


def test_what_is_rejected_is_rejected_with_the_status_of_the_manifest() -> None:
    assert {e.name: e.becomes for e in entries() if e.status is not None} == {
        e.name: str(e.status) for e in entries() if e.status is not None
    }


def test_one_endpoint_takes_them_all_and_still_answers() -> None:
    stack = endpoint()
    for entry in entries():
        stack.handle_datagram(octets(entry.name), HOP, START)
    outcome(stack)
    stack.handle_datagram(octets("zeromf").replace(b"jfaiuasf", b"another1"), HOP, START)
    assert outcome(stack)[0][-1:] == [200]
