"""Who guesses is refused for a while, and remembering that costs only so much."""

import asyncio
from pathlib import Path

import pytest
from tests.support.digest import authorization
from tests.support.server import Server, server
from tests.support.sip_peer import SipPeer, Talk, sip_peer, token

from offhook.runtime import source_guard
from offhook.runtime.source_guard import GUESSES_MAX, REFUSE_S, SourceGuard

HOST = "198.51.100.7"


def guess(guard: SourceGuard, host: str, times: int, at: float = 0.0) -> list[bool]:
    return [guard.guessed(host, at) for _ in range(times)]


def test_an_address_that_guesses_too_often_is_refused_and_others_are_not() -> None:
    guard = SourceGuard()
    assert not guard.refuses(HOST, 0.0)
    assert not any(guess(guard, HOST, GUESSES_MAX - 1))
    assert not guard.refuses(HOST, 0.0)
    assert guess(guard, HOST, 2) == [True, False]
    assert guard.refuses(HOST, 1.0)
    assert not guard.refuses("198.51.100.8", 1.0)


def test_after_a_while_it_may_try_again_from_the_beginning() -> None:
    guard = SourceGuard()
    guess(guard, HOST, GUESSES_MAX)
    assert guard.refuses(HOST, REFUSE_S - 0.1)
    assert not guard.refuses(HOST, REFUSE_S)
    assert not any(guess(guard, HOST, GUESSES_MAX - 1, at=REFUSE_S))


@pytest.mark.parametrize(
    ("one", "other"), [("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"), ("::ffff:198.51.100.7", "198.51.100.7")]
)
def test_addresses_of_one_sender_count_together(one: str, other: str) -> None:
    guard = SourceGuard()
    guess(guard, one, GUESSES_MAX)
    assert guard.refuses(other, 0.0)


def test_what_is_no_address_is_counted_as_it_stands() -> None:
    guard = SourceGuard()
    guess(guard, "somewhere", GUESSES_MAX)
    assert guard.refuses("somewhere", 0.0)


def test_memory_is_bounded_and_the_longest_quiet_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_guard, "SOURCES_MAX", 3)
    guard = SourceGuard()
    guess(guard, "192.0.2.1", GUESSES_MAX)
    for last in range(2, 5):
        guard.guessed(f"192.0.2.{last}", 1.0)
    assert len(guard) == 3
    assert not guard.refuses("192.0.2.1", 1.0)


# ── on a real server ──

SERVER_HOST = "127.0.0.1"
PHONE = "4600100"
UNHEARD_S = 0.7
"""Longer than T1: a request that was heard would have its answer."""


async def register(peer: SipPeer, user: str, secret: str) -> int:
    """REGISTER and answer the challenge; the last status."""
    uri, aor = f"sip:{SERVER_HOST}", f"<sip:{user}@{SERVER_HOST}>"
    talk = Talk(peer=peer, call_id=token(), local=f"{aor};tag={token()}", remote=aor, target=uri)
    talk.request("REGISTER", headers="Expires: 60")
    challenge = await talk.answered(401, 403, 404)
    if challenge.status != 401:
        return challenge.status
    proof = authorization(challenge.all("WWW-Authenticate")[-1], "REGISTER", uri, user, secret)
    talk.request("REGISTER", headers=f"Expires: 60\nAuthorization: {proof}")
    return (await talk.answered(200, 401, 403)).status


async def phone_of(running: Server) -> str:
    status, made = await running.v1("POST", "/phones", {"number": f"+{PHONE}"})
    assert status == 200, made
    return str(made["secret"])


async def test_who_guesses_is_not_heard_for_a_while_and_learns_nothing(tmp_path: Path) -> None:
    async with server(tmp_path / "data") as running:
        secret = await phone_of(running)
        async with sip_peer(running.sip["udp"]) as peer:
            assert await register(peer, PHONE, secret) == 200
            for user in (PHONE, "4600999"):
                # A phone that is not there looks like one whose password is wrong.
                assert await register(peer, user, "wrong") == 401
            for _ in range(GUESSES_MAX - 2):
                assert await register(peer, PHONE, "wrong") == 401
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(register(peer, PHONE, secret), UNHEARD_S)
            status, told = await running.v1("GET", "/status")
            assert status == 200
            assert told["server"]["sip_strays"]["unheard"] >= 1
            # A trunk is always heard, whatever else comes from its address.
            await running.v1(
                "POST",
                "/trunks",
                {"name": "t", "address": f"sip:{SERVER_HOST}:5999", "from_addresses": [f"{SERVER_HOST}/32"]},
            )
            assert await register(peer, PHONE, secret) == 200
