"""Registrations at a carrier that is a real registrar: kept, changed, taken back, and one that fails harms no other."""

import asyncio

import pytest
from tests.support.sip_party import DEADLINE_S, Party, party

from offhook.runtime.sip_driver import now
from offhook.runtime.trunks import Trunks
from offhook.sip import events as sip
from offhook.sip.commands import RequestHandle
from offhook.sip.digest import Algorithm, Verdict, compute_ha1
from offhook.sip.uri import Uri
from offhook.storage.store import Storage

REALM = "127.0.0.1"
PASSWORD = "a secret of the carrier's"


class Carrier:
    """A registrar with one user."""

    def __init__(self, far: Party) -> None:
        self.far = far
        self.status: int | None = None
        """What it refuses with, if it does."""
        self.changed = asyncio.Event()
        self.bindings: dict[str, int] = {}
        far.driver.on_event = self.hear

    def hear(self, event: sip.Event) -> None:
        if isinstance(event, sip.RegisterReceived):
            self._registering(event.handle, event.aor)
        elif isinstance(event, sip.BindingsChanged):
            self.bindings[event.aor.username or ""] = len(event.bindings)
            self.changed.set()

    def _registering(self, handle: RequestHandle, aor: Uri) -> None:
        endpoint = self.far.endpoint
        if self.status is not None:
            endpoint.reject_request(handle, self.status, now())
            return
        ha1 = {each: compute_ha1(each, aor.username or "", REALM, PASSWORD) for each in Algorithm}
        if endpoint.check_credentials(handle, ha1, now()) is Verdict.OK:
            endpoint.accept_register(handle, now())
        else:
            endpoint.challenge(handle, now())

    async def has(self, **bindings: int) -> None:
        """Wait until so many places are registered under these users."""
        async with asyncio.timeout(DEADLINE_S):
            while {user: self.bindings.get(user, 0) for user in bindings} != bindings:
                self.changed.clear()
                await self.changed.wait()


class Us:
    """Trunks on their driver."""

    def __init__(self, us: Party, storage: Storage) -> None:
        self.directory = storage.directory
        self.trunks = Trunks(us.driver, storage.directory)
        self.heard = asyncio.Event()
        us.driver.on_event = self.hear

    def hear(self, event: sip.Event) -> None:
        if isinstance(event, sip.RegistrationChanged):
            self.trunks.heard(event)
            self.heard.set()

    async def states(self, **states: str) -> None:
        """Wait until each trunk stands so."""
        async with asyncio.timeout(DEADLINE_S):
            while self.trunks.states() != states:
                self.heard.clear()
                await self.heard.wait()


def add(us: Us, carrier: Carrier, name: str, **more: str) -> None:
    us.directory.add_trunk(
        name,
        f"sip:127.0.0.1:{carrier.far.address[1]}",
        register=True,
        **{"username": name, "password": PASSWORD, **more},  # type: ignore[arg-type]
    )
    us.trunks.follow()


async def test_a_trunk_registers_and_takes_it_back_when_it_goes(storage: Storage) -> None:
    async with party() as here, party(domain=REALM) as far:
        us, carrier = Us(here, storage), Carrier(far)
        add(us, carrier, "one")
        await us.states(one="registered")
        await carrier.has(one=1)
        us.trunks.follow()
        assert us.trunks.states() == {"one": "registered"}, "nothing has changed, so nothing is done"
        trunk = us.directory.trunk("one")
        assert trunk is not None
        us.directory.remove_trunk(trunk.id)
        us.trunks.follow()
        await carrier.has(one=0)
        assert us.trunks.states() == {}


async def test_all_registrations_are_taken_back_at_the_end(storage: Storage) -> None:
    async with party() as here, party(domain=REALM) as far:
        us, carrier = Us(here, storage), Carrier(far)
        add(us, carrier, "one")
        add(us, carrier, "two")
        await carrier.has(one=1, two=1)
        await us.states(one="registered", two="registered")
        us.trunks.leave()
        await carrier.has(one=0, two=0)


@pytest.mark.parametrize(("password", "status", "why"), [("wrong", None, "401"), (PASSWORD, 403, "403")])
async def test_a_refusal_is_told_with_its_reason(storage: Storage, password: str, status: int | None, why: str) -> None:
    async with party() as here, party(domain=REALM) as far:
        us, carrier = Us(here, storage), Carrier(far)
        carrier.status = status
        add(us, carrier, "one", password=password)
        async with asyncio.timeout(DEADLINE_S):
            while not us.trunks.states()["one"].startswith(f"waiting {why}"):
                us.heard.clear()
                await us.heard.wait()


async def test_a_trunk_that_is_not_to_register_does_not(storage: Storage) -> None:
    async with party() as here:
        us = Us(here, storage)
        us.directory.add_trunk("quiet", "sip:127.0.0.1:9")
        us.trunks.follow()
        assert us.trunks.states() == {}


async def test_an_address_that_is_none_keeps_nobody_from_registering(storage: Storage) -> None:
    async with party() as here, party(domain=REALM) as far:
        us, carrier = Us(here, storage), Carrier(far)
        us.directory.add_trunk("broken", "sip:127.0.0.1:99999", register=True, username="x", password="y")
        add(us, carrier, "one")
        await us.states(one="registered")


async def test_a_registration_of_somebody_else_changes_nothing(storage: Storage) -> None:
    async with party() as here:
        us = Us(here, storage)
        us.trunks.heard(
            sip.RegistrationChanged(
                registration="x",
                state=sip.RegistrationState.GONE,
                status=None,
                reason="",
                expires_s=None,  # type: ignore[arg-type]
            )
        )
        assert us.trunks.states() == {}
