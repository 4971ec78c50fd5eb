"""What all parts of a session share: finding, forgetting, telling."""

import pytest
from tests.support.bench import ANSWER, HOP, Bench

from offhook.sip.commands import Body, SessionId
from offhook.sip.endpoint import UnknownSession
from offhook.sip.events import EndCause, Ended, Milestone
from offhook.sip.message import Headers, Request
from offhook.sip.session.sessions import body_of, put_body


def test_an_unknown_session_is_an_error_except_to_hang_up() -> None:
    bench = Bench()
    nobody = SessionId("nobody")
    with pytest.raises(UnknownSession, match="nobody"):
        bench.endpoint.answer(nobody, ANSWER, bench.now)
    bench.endpoint.hang_up(nobody, bench.now)
    assert bench.sent() == []


def test_ended_is_told_once_and_is_the_last() -> None:
    bench = Bench()
    session, _ = bench.established_callee()
    desk = bench.endpoint._inside.sessions
    found = desk.get(session)
    desk.end(found, EndCause.LOCAL)
    desk.end(found, EndCause.REMOTE)
    desk.trace(found, True, "BYE", HOP)
    assert bench.endpoint.poll_event() == Ended(session=session, cause=EndCause.LOCAL)
    assert bench.endpoint.poll_event() is None
    assert desk.by_id == {}
    assert desk.by_dialog == {}


def milestones(bench: Bench) -> list[tuple[bool, str]]:
    out = []
    while (event := bench.endpoint.poll_event()) is not None:
        if isinstance(event, Milestone):
            out.append((event.sent, event.what))
    return out


def test_milestones_tell_the_call_in_order() -> None:
    bench = Bench()
    session, invite = bench.call()
    bench.receive(bench.reply(invite, 180))
    bench.receive(bench.reply(invite, 200, body="v=0\r\n"))
    bench.endpoint.hang_up(session, bench.now)
    assert milestones(bench) == [
        (True, "INVITE"),
        (False, "180 Ringing"),
        (False, "200 OK"),
        (True, "ACK"),
        (True, "BYE"),
    ]


def test_milestones_carry_the_reason_and_the_name_of_the_call() -> None:
    bench = Bench()
    _, invite = bench.call()
    bench.receive(bench.reply(invite, 486, headers='Reason: Q.850;cause=17;text="user busy"\r\n'))
    told = []
    while (event := bench.endpoint.poll_event()) is not None:
        if isinstance(event, Milestone):
            told.append(event)
    assert [each.reason for each in told] == [None, 'Q.850;cause=17;text="user busy"']
    assert {each.call_id for each in told} == {invite.call_id}


def test_milestones_can_be_left_out() -> None:
    bench = Bench(trace=False)
    bench.call()
    assert milestones(bench) == []


def test_bodies_are_carried_unread() -> None:
    request = Request("INVITE", "sip:a@192.0.2.1", Headers())
    put_body(request, None)
    assert body_of(request) is None
    put_body(request, Body(b"\x00\xff", "application/x"))
    assert body_of(request) == Body(b"\x00\xff", "application/x")
    request.headers.remove("Content-Type")
    assert body_of(request) == Body(b"\x00\xff", "application/sdp")
