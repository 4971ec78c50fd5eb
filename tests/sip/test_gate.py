"""Requests that wait for the application: digest as a server (RFC 3261 section 22.4), decisions, and no decision."""

import pytest
from tests.support.bench import Bench, statuses

from offhook.sip.digest import Algorithm, DigestClient, Login, Verdict, compute_ha1
from offhook.sip.events import EndCause, Ended, IncomingInvite, RegisterReceived
from offhook.sip.message import Request, Response
from offhook.sip.parser import parse_datagram

REALM = "example.test"
LOGIN = Login(username="phone", password="pw")
HA1 = {algorithm: compute_ha1(algorithm, "phone", REALM, "pw") for algorithm in (Algorithm.MD5, Algorithm.SHA256)}


def parsed(bench: Bench, method: str, **changes: str) -> Request:
    message = parse_datagram(bench.request(method, **changes).replace("\n", "\r\n").encode())  # type: ignore[arg-type]
    assert isinstance(message, Request)
    return message


def challenged(bench: Bench, request: Request) -> Response:
    """Send a request, have the application challenge it, and return the 401."""
    bench.receive(request)
    handle = next(event.handle for event in bench.events() if isinstance(event, IncomingInvite | RegisterReceived))
    assert bench.endpoint.check_credentials(handle, HA1, bench.now) is None
    bench.endpoint.challenge(handle, bench.now)
    answer = bench.sent()[-1]
    assert isinstance(answer, Response)
    assert answer.status == 401
    return answer


@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
def test_22_4_a_phone_proves_itself(method: str) -> None:
    bench = Bench()
    request = parsed(bench, method)
    answer = challenged(bench, request)
    assert [challenge.get("algorithm") for challenge in answer.www_authenticate] == ["SHA-256", "MD5"]
    again = parsed(bench, method, cseq=2)  # type: ignore[arg-type]
    assert DigestClient(LOGIN).answer(again, answer, cnonce="c0ffee")
    bench.receive(again)
    event = next(event for event in bench.events() if isinstance(event, IncomingInvite | RegisterReceived))
    assert event.credentials[0].get("username") == "phone"
    assert bench.endpoint.check_credentials(event.handle, HA1, bench.now) is Verdict.OK
    assert bench.endpoint.check_credentials(event.handle, HA1, bench.now) is Verdict.REPLAY


def test_rfc_8760_2_4_only_the_algorithms_asked_for() -> None:
    bench = Bench(digest_algorithms=(Algorithm.MD5,))
    answer = challenged(bench, parsed(bench, "REGISTER"))
    assert [challenge.get("algorithm") for challenge in answer.www_authenticate] == ["MD5"]


def test_22_4_a_wrong_secret_and_an_old_nonce() -> None:
    bench = Bench()
    answer = challenged(bench, parsed(bench, "REGISTER"))
    again = parsed(bench, "REGISTER", cseq=2)  # type: ignore[arg-type]
    assert DigestClient(LOGIN).answer(again, answer, cnonce="c0ffee")
    bench.receive(again)
    handle = bench.one(RegisterReceived).handle
    assert bench.endpoint.check_credentials(handle, {}, bench.now) is Verdict.WRONG
    bench.mono += 10_000
    assert bench.endpoint.check_credentials(handle, HA1, bench.now) is Verdict.STALE
    bench.endpoint.challenge(handle, bench.now, stale=True)
    (stale,) = bench.sent()
    assert stale.www_authenticate[0].get("stale") == "true"  # type: ignore[union-attr]


def test_nonces_outlive_a_restart_when_the_secret_is_given() -> None:
    secret = b"sixteen octets!!" * 2
    first, second = Bench(digest_secret=secret), Bench(digest_secret=secret)
    answer = challenged(first, parsed(first, "REGISTER"))
    again = parsed(second, "REGISTER", cseq=2)  # type: ignore[arg-type]
    assert DigestClient(LOGIN).answer(again, answer, cnonce="c0ffee")
    second.receive(again)
    handle = second.one(RegisterReceived).handle
    assert second.endpoint.check_credentials(handle, HA1, second.now) is Verdict.OK


def test_a_challenged_call_is_over_and_the_next_try_is_a_new_one() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE"))
    event = bench.one(IncomingInvite)
    bench.endpoint.challenge(event.handle, bench.now)
    assert statuses(bench.sent()) == [401]
    assert bench.one(Ended) == Ended(session=event.session, cause=EndCause.LOCAL)
    bench.receive(bench.request("INVITE", cseq=2))
    assert bench.one(IncomingInvite).session != event.session


def test_a_request_can_be_refused() -> None:
    bench = Bench()
    bench.receive(bench.request("REGISTER"))
    handle = bench.one(RegisterReceived).handle
    bench.endpoint.reject_request(handle, 404, bench.now, (("X-Why", "unknown"),))
    (refusal,) = bench.sent()
    assert (statuses([refusal]), refusal.headers.get("X-Why")) == ([404], "unknown")
    bench.endpoint.reject_request(handle, 404, bench.now)
    bench.endpoint.accept_register(handle, bench.now)
    bench.endpoint.challenge(handle, bench.now)
    assert bench.sent() == [], "once is enough"
    bench.receive(bench.request("INVITE", call_id="c2"))
    bench.endpoint.reject_request(bench.one(IncomingInvite).handle, 403, bench.now)
    assert statuses(bench.sent()) == [403]


def test_rfc_4320_nobody_decided_so_nothing_is_said() -> None:
    bench = Bench(decision_timeout_s=5.0)
    bench.receive(bench.request("REGISTER"))
    handle = bench.one(RegisterReceived).handle
    assert bench.pass_time(60) == []
    assert bench.endpoint.poll_deadline() is None
    bench.endpoint.accept_register(handle, bench.now)
    bench.endpoint.reject_request(handle, 403, bench.now)
    assert bench.sent() == []
    with pytest.raises(LookupError, match="no longer waits"):
        bench.endpoint.check_credentials(handle, HA1, bench.now)
    bench.endpoint._inside.gate.on_timer("gone")


def test_a_star_is_told_as_such() -> None:
    bench = Bench()
    bench.receive(bench.request("REGISTER", contact="*", headers="Expires: 0\nUser-Agent: Desk\n"))
    event = bench.one(RegisterReceived)
    assert (event.star, event.contacts, event.user_agent) == (True, (), "Desk")
    bench.endpoint.accept_register(event.handle, bench.now)
    assert statuses(bench.sent()) == [200]
