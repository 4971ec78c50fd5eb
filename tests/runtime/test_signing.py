"""Signatures of webhooks: by the vector that its libraries share, and over real HTTP as a receiver checks them."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError
from tests.support.receivers import LOOPBACK, receiver

from offhook.hooks.attempt import AttemptPolicy
from offhook.hooks.request import Method, Purpose, WebhookRequest
from offhook.runtime.signing import signed_by
from offhook.runtime.webhooks import Webhooks

OLD, NEW, OTHER = "whsec_" + "b2xk" * 8, "whsec_" + "bmV3" * 8, "whsec_" + "eHh4" * 8


def request(url: str = "http://h/", **more: object) -> WebhookRequest:
    values: dict[str, object] = {
        "id": "msg_1",
        "purpose": Purpose.OWED,
        "call": "c",
        "url": url,
        "account": "u1",
        **more,
    }
    return WebhookRequest(**values)  # type: ignore[arg-type]


def test_the_vector_of_the_specifications_libraries() -> None:
    """The vector that the libraries of Standard Webhooks are tested with."""
    at = datetime.fromtimestamp(1614265330, UTC)
    signer = signed_by(lambda *_: ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",), lambda: at)
    one = request(id="msg_p5jXN8AQM9LWM0D4loKWxJek")
    assert signer(one, b'{"test": 2432232314}') == (
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    )


def test_what_is_nobodys_is_not_signed() -> None:
    def keys(account: str, now: datetime) -> tuple[str, ...]:
        raise AssertionError

    assert signed_by(keys)(request(account=""), b"") == ()


def test_a_post_that_is_owed_says_which_one_of_its_call_it_is() -> None:
    assert ("offhook-sequence", "3") in signed_by(lambda *_: (NEW,))(request(sequence=3), b"")


async def test_each_try_is_signed_with_its_own_time_by_every_key_in_force() -> None:
    moments = iter([datetime.now(UTC) - timedelta(seconds=9), datetime.now(UTC)])
    asked: list[str] = []

    def keys(account: str, now: datetime) -> tuple[str, ...]:
        asked.append(account)
        return NEW, OLD

    statuses = iter([500])

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=next(statuses, 200))

    async with (
        receiver(handle) as here,
        Webhooks(LOOPBACK, signer=signed_by(keys, lambda: next(moments))) as webhooks,
    ):
        one = request(here.url, params=(("to", "+46 70é"),))
        assert (await webhooks.perform(one, AttemptPolicy(budget_s=9.0))).ok
    assert asked == ["u1", "u1"]
    first, second = here.seen
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "msg_1"
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) in (8, 9)
    for seen in here.seen:
        for key in (OLD, NEW):
            Webhook(key).verify(seen.body, seen.headers, json_parse=False)
        with pytest.raises(WebhookVerificationError):
            Webhook(OTHER).verify(seen.body, seen.headers, json_parse=False)
        with pytest.raises(WebhookVerificationError):
            Webhook(NEW).verify(seen.body + b"1", seen.headers, json_parse=False)


async def test_a_get_is_signed_with_an_empty_body() -> None:
    async def handle(_: web.Request) -> web.Response:
        return web.Response()

    async with receiver(handle) as here, Webhooks(LOOPBACK, signer=signed_by(lambda *_: (NEW,))) as webhooks:
        await webhooks.perform(request(here.url, method=Method.GET, params=(("a", "b"),)))
    Webhook(NEW).verify(b"", here.seen[0].headers, json_parse=False)


async def test_without_a_signer_nothing_is_added() -> None:
    async def handle(_: web.Request) -> web.Response:
        return web.Response()

    async with receiver(handle) as here, Webhooks(LOOPBACK) as webhooks:
        await webhooks.perform(request(here.url))
    assert not [name for name in here.seen[0].headers if name.startswith("webhook")]
