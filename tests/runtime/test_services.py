"""What calls are served by: the same for every call, and told of each one's end."""

import dataclasses

import pytest
from tests.support.indoors import exchange
from tests.support.sip_party import DOMAIN

from offhook.runtime.live_call import LiveCall
from offhook.runtime.services import Services
from offhook.sip import events as sip
from offhook.storage.store import Storage


async def test_every_call_has_the_same_services_and_its_end_is_told(storage: Storage) -> None:
    async with exchange(storage) as x:
        told: list[LiveCall] = []
        board_forgets = x.services.forget

        def forget(live: LiveCall) -> None:
            told.append(live)
            board_forgets(live)

        x.services.forget = forget
        x.dial()
        x.dial()
        first, second = x.board.live.values()
        assert first.services is second.services is x.services
        assert first.services.domain == DOMAIN
        await x.far_answers()
        await x.far_answers()
        await x.far.wait(sip.RemoteHungUp)
        await x.over()
        assert set(map(id, told)) == {id(first), id(second)}


def test_all_but_the_listener_must_be_given() -> None:
    needed = [field.name for field in dataclasses.fields(Services) if field.default is dataclasses.MISSING]
    assert "forget" not in needed
    with pytest.raises(TypeError, match="loop"):
        Services()  # type: ignore[call-arg]
