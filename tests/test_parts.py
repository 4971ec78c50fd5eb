"""The parts of a server, put together for real: no door is open yet, settings reach them, and all of it stops."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.settings_here import ACCOUNT, SECRET, settings_here

from offhook import parts as module
from offhook.call.care import OWN
from offhook.config import SettingsError
from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.verbs import NamedSound
from offhook.flow.view import CallId, CallView, Direction
from offhook.hooks.delivery import Dead, Delivered, Postponed
from offhook.hooks.errors import HookCause, HookFailure
from offhook.hooks.policy import Listed, Steady, plain_policy
from offhook.hooks.request import Purpose, WebhookRequest
from offhook.parts import Parts, Place, assemble
from offhook.storage.directory import utc_now
from offhook.storage.prices import PriceListError
from offhook.storage.records import events_after

CALL = CallId("c" * 32)
PLACE = Place(
    host="127.0.0.1", domain="voice.example", base_url=lambda: "http://voice.example", trunk_at=lambda _: None
)


@asynccontextmanager
async def assembled(folder: Path, **more: Any) -> AsyncIterator[Parts]:
    async with AsyncExitStack() as stack:
        yield await assemble(settings_here(folder, **more), PLACE, stack)


async def test_they_run_without_a_door_and_stop_together(folder: Path) -> None:
    async with assembled(folder) as parts:
        engine = parts.engine
        assert engine.is_up
        assert parts.before.adopted is None
        assert not parts.driver.sockets.listening
        assert parts.services.domain == PLACE.domain
    assert not engine.is_up
    async with assembled(folder) as again:
        assert again.engine.is_up


async def test_the_account_of_the_settings_is_made_once(folder: Path) -> None:
    for secret in (SECRET, "another-secret-for-it"):
        async with assembled(folder, bootstrap_account=f"{ACCOUNT}:{secret}") as parts:
            assert [row.id for row in parts.storage.directory.accounts()] == [ACCOUNT]
            assert parts.storage.directory.authenticate(ACCOUNT, SECRET) is not None


async def test_a_price_list_that_cannot_be_used_is_named(folder: Path) -> None:
    for content, error in ((None, FileNotFoundError), ("+46,x,y\n", PriceListError)):
        prices = folder / "prices.csv"
        if content is not None:
            prices.write_text(content)
        with pytest.raises(error):
            async with assembled(folder, price_list=prices):
                raise AssertionError("it started")


async def test_sounds_of_settings_reach_the_calls_and_what_is_none_is_named(folder: Path) -> None:
    async with assembled(folder, comfort_sound="sound/dialtone", apology=f"sound/{OWN.name}") as parts:
        assert parts.services.care.comfort == NamedSound(name="dialtone")
        assert parts.services.care.apology is OWN
    async with assembled(folder, comfort_sound="none") as parts:
        assert parts.services.care.comfort is None
    with pytest.raises(SettingsError, match="comfort_sound: 'sound/nosuch' is no sound"):
        async with assembled(folder, comfort_sound="sound/nosuch"):
            raise AssertionError("it started")


async def test_what_is_owed_is_tried_as_the_account_has_it_or_else_its_api(folder: Path) -> None:
    async with assembled(folder) as parts:
        directory = parts.storage.directory
        policy = module._delivery_policies(directory, settings_here(folder, delivery_retry_s=7))
        steady = policy(ACCOUNT, "elks")
        assert isinstance(steady, Steady)
        assert steady.every_s == 7, "46elks' policy, at the pace that the operator wants"
        assert isinstance(policy(ACCOUNT, "didml"), Listed)
        directory.change_account(ACCOUNT, delivery=plain_policy(Listed(pauses_s=(1.0,))))
        assert policy(ACCOUNT, "elks") == Listed(pauses_s=(1.0,))


async def test_what_becomes_of_a_post_stands_in_the_timeline_of_its_call(folder: Path) -> None:
    request = WebhookRequest(id="w1", purpose=Purpose.OWED, call=CALL, url="https://app.example/end")
    failure = HookFailure(cause=HookCause.STATUS, detail="500", status=500)
    view = CallView(id=CALL, direction=Direction.INCOMING, from_="+461", to="+462", created=utc_now(), owner=ACCOUNT)
    async with assembled(folder) as parts:
        parts.book.opened(view, DIALECTS["elks"])
        parts.book.note(CALL, "call.begun", {})
        for event in (
            Postponed(request=request, tries=1, failure=failure, next_wall=0.0),
            Dead(request=request, tries=2, failure=failure),
            Delivered(request=request, tries=3, status=204),
        ):
            module._note_delivery(parts.book, event, None)
        await parts.book.flush()
        found = await parts.storage.read(lambda connection: events_after(connection, CALL))
    assert [row.kind for row in found[1:]] == ["hook.postponed", "hook.dead", "hook.delivered"]
    postponed, dead, delivered = (row.data for row in found[1:])
    assert postponed["next"] == "1970-01-01T00:00:00+00:00"
    assert (dead["why"], dead["status"]) == (failure.sentence, 500)
    assert (delivered["webhook"], delivered["tries"], delivered["status"]) == ("w1", 3, 204)
