"""Call flows as text, after the catalogues of RFC 3665 and RFC 5407: what is done, and what passes on the wire for it.

A line with ``*`` does something; the lines below it are all that then passes, in order, as "who sends what". Every flow
ends with nothing left on either side.
"""

import pytest
from tests.support.bench import ANSWER, OFFER
from tests.support.wire import Party, Wire

from offhook.sip.commands import Body, InviteOrder, SessionId
from offhook.sip.events import Ended, Event, IncomingInvite, OfferReceived
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.uri import Uri

SETTLE_S = 0.45
"""Less than T1, so that nothing is repeated while a step settles."""

FLOWS = {
    "RFC 3665 3.1: a call": """
        * alice calls
        alice INVITE
        bob 100
        * bob rings
        bob 180
        * bob answers
        bob 200
        alice ACK
        * bob hangs up
        bob BYE
        alice 200
        """,
    "RFC 3665 3.7: the called party is busy": """
        * alice calls
        alice INVITE
        bob 100
        * bob rejects 486
        bob 486
        alice ACK
        """,
    "RFC 3665 3.8: no answer, and the caller gives up": """
        * alice calls
        alice INVITE
        bob 100
        * bob rings
        bob 180
        * alice hangs up
        alice CANCEL
        bob 200
        bob 487
        alice ACK
        """,
    "the call is answered while the CANCEL is on its way": """
        * alice calls
        alice INVITE
        bob 100
        * bob rings
        bob 180
        * together: bob answers, alice hangs up
        alice CANCEL
        bob 200
        bob 200
        alice ACK
        alice BYE
        bob 200
        """,
    "the CANCEL is lost and repeated": """
        * alice calls
        alice INVITE
        bob 100
        * bob rings
        bob 180
        * lose 1 CANCEL
        * alice hangs up
        alice CANCEL
        * wait 0.2
        alice CANCEL
        bob 200
        bob 487
        alice ACK
        """,
    "the INVITE is lost and repeated": """
        * lose 2 INVITE
        * alice calls
        alice INVITE
        * wait 1.2
        alice INVITE
        alice INVITE
        bob 100
        * bob answers
        bob 200
        alice ACK
        * alice hangs up
        alice BYE
        bob 200
        """,
    "the 100 is lost, so the INVITE is repeated and gets it again": """
        * lose 1 100
        * alice calls
        alice INVITE
        bob 100
        * wait 0.2
        alice INVITE
        bob 100
        * bob answers
        bob 200
        alice ACK
        * alice hangs up
        alice BYE
        bob 200
        """,
    "the 200 is lost and repeated": """
        * alice calls
        alice INVITE
        bob 100
        * lose 1 200
        * bob answers
        bob 200
        * wait 0.2
        bob 200
        alice ACK
        * bob hangs up
        bob BYE
        alice 200
        """,
    "the ACK of a 200 is lost and given again": """
        * alice calls
        alice INVITE
        bob 100
        * lose 1 ACK
        * bob answers
        bob 200
        alice ACK
        * wait 0.2
        bob 200
        alice ACK
        * bob hangs up
        bob BYE
        alice 200
        """,
    "the ACK of a refusal is lost and given again": """
        * alice calls
        alice INVITE
        bob 100
        * lose 1 ACK
        * bob rejects 404
        bob 404
        alice ACK
        * wait 0.2
        bob 404
        alice ACK
        """,
    "the BYE is lost and repeated": """
        * alice calls
        alice INVITE
        bob 100
        * bob answers
        bob 200
        alice ACK
        * lose 1 BYE
        * alice hangs up
        alice BYE
        * wait 0.2
        alice BYE
        bob 200
        """,
    "the answer to the BYE is lost and given again": """
        * alice calls
        alice INVITE
        bob 100
        * bob answers
        bob 200
        alice ACK
        * lose 1 200
        * alice hangs up
        alice BYE
        bob 200
        * wait 0.2
        alice BYE
        bob 200
        """,
    "RFC 5407 3.2.3: both hang up at once": """
        * alice calls
        alice INVITE
        bob 100
        * bob answers
        bob 200
        alice ACK
        * together: alice hangs up, bob hangs up
        alice BYE
        bob BYE
        bob 200
        alice 200
        """,
    "RFC 3665 3.10: the caller hangs up before it rings": """
        * alice calls
        alice INVITE
        bob 100
        * alice hangs up
        alice CANCEL
        bob 200
        bob 487
        alice ACK
        """,
    "the callee hangs up before the ACK came": """
        * alice calls
        alice INVITE
        bob 100
        * lose 1 ACK
        * together: bob answers, bob hangs up
        bob 200
        alice ACK
        * wait 0.2
        bob 200
        alice ACK
        bob BYE
        alice 200
        """,
    "RFC 3665 3.6: a call without offer": """
        * alice calls without offer
        alice INVITE
        bob 100
        * bob answers
        bob 200
        * alice acknowledges
        alice ACK
        * alice hangs up
        alice BYE
        bob 200
        """,
    "hold and resume": """
        * alice calls
        alice INVITE
        bob 100
        * bob answers
        bob 200
        alice ACK
        * alice reoffers
        alice INVITE
        bob 100
        * bob accepts
        bob 200
        alice ACK
        * bob reoffers
        bob INVITE
        alice 100
        * alice accepts
        alice 200
        bob ACK
        * alice hangs up
        alice BYE
        bob 200
        """,
    "a change is refused and the call goes on": """
        * alice calls
        alice INVITE
        bob 100
        * bob answers
        bob 200
        alice ACK
        * bob reoffers
        bob INVITE
        alice 100
        * alice refuses
        alice 488
        bob ACK
        * bob hangs up
        bob BYE
        alice 200
        """,
    "the call ends while a change is open": """
        * alice calls
        alice INVITE
        bob 100
        * bob answers
        bob 200
        alice ACK
        * alice reoffers
        alice INVITE
        bob 100
        * bob hangs up
        bob 487
        bob BYE
        alice ACK
        alice 200
        """,
    "RFC 5407 3.1.4: a change overtakes the lost ACK": """
        * alice calls
        alice INVITE
        bob 100
        * lose 1 ACK
        * bob answers
        bob 200
        alice ACK
        * alice reoffers
        alice INVITE
        bob 100
        * bob accepts
        bob 200
        alice ACK
        * alice hangs up
        alice BYE
        bob 200
        """,
    "a change that waits until the call is answered": """
        * alice calls
        alice INVITE
        bob 100
        * alice reoffers
        * bob answers
        bob 200
        alice ACK
        alice INVITE
        bob 100
        * bob accepts
        bob 200
        alice ACK
        * alice hangs up
        alice BYE
        bob 200
        """,
}


class Stage:
    """Two parties who do only what a flow says."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.parties = {"alice": self.wire.add("alice", "192.0.2.1"), "bob": self.wire.add("bob", "192.0.2.9")}
        self.sessions: dict[str, SessionId] = {}
        for name, party in self.parties.items():
            party.listener = lambda event, name=name: self._hear(name, event)
        self._seen = 0

    def _hear(self, name: str, event: Event) -> None:
        if isinstance(event, IncomingInvite | OfferReceived):
            self.sessions[name] = event.session

    def act(self, what: str) -> None:
        """One line with a star."""
        if what.startswith("together: "):
            for each in what.removeprefix("together: ").split(", "):
                self._do(*each.split(" ", 1))
        else:
            self._do(*what.split(" ", 1))
        self.wire.run(SETTLE_S)

    def _do(self, who: str, what: str) -> None:
        if who == "lose":
            count, of = what.split(" ")
            self.wire.losing[of] = int(count)
            return
        if who == "wait":
            self.wire.run(float(what))
            return
        party, now = self.parties[who], self.wire.now
        if what.startswith("calls"):
            self.sessions[who] = party.endpoint.invite(order(None if "without" in what else OFFER), now)
            return
        session = self.sessions[who]
        match what.split(" "):
            case ["rings"]:
                party.endpoint.ring(session, now)
            case ["answers"]:
                party.endpoint.answer(session, ANSWER, now)
            case ["rejects", status]:
                party.endpoint.reject(session, int(status), now)
            case ["hangs", "up"]:
                party.endpoint.hang_up(session, now)
            case ["acknowledges"]:
                party.endpoint.acknowledge(session, ANSWER, now)
            case ["reoffers"]:
                party.endpoint.reoffer(session, Body(b"v=0 change\r\n"), now)
            case ["accepts"]:
                party.endpoint.accept_offer(session, ANSWER, now)
            case ["refuses"]:
                party.endpoint.refuse_offer(session, now)
            case _:
                raise AssertionError(f"no flow can say {what}")

    def passed(self) -> list[str]:
        """What passed since the last look."""
        names = {party.config.ways[0].local: name for name, party in self.parties.items()}
        fresh, self._seen = self.wire.log[self._seen :], len(self.wire.log)
        return [f"{names[each.source]} {each.what}" for each in fresh]


def order(offer: Body | None) -> InviteOrder:
    return InviteOrder(
        target=Uri.parse("sip:bob@192.0.2.9"),
        from_=NameAddr.parse("<sip:alice@192.0.2.1>"),
        to=NameAddr.parse("<sip:bob@192.0.2.9>"),
        offer=offer,
    )


def at_rest(party: Party) -> bool:
    left = party.endpoint.export()
    return not (left["transactions"] or left["sessions"] or left["outgoing"] or left["deadlines"])


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS.keys())
def test_flow(flow: str) -> None:
    stage, doing = Stage(), ""
    expected: list[str] = []
    for line in [*(line.strip() for line in flow.strip().splitlines()), "* wait 0"]:
        if not line.startswith("* "):
            expected.append(line)
            continue
        assert stage.passed() == expected, doing
        doing, expected = line[2:], []
        stage.act(doing)
    stage.wire.run(100)
    assert stage.passed() == [], "after the flow there is silence"
    for party in stage.parties.values():
        assert len(party.of(Ended)) == 1
        assert at_rest(party)
