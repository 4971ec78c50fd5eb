"""Keeps trunks registered that want to be, and says how each stands.

Follows the directory: a trunk that is added registers, one that is removed takes its registration back.
"""

from dataclasses import dataclass

import structlog

from offhook.runtime.sip_driver import SipDriver, now
from offhook.sip.commands import Account, RegistrationId, RegistrationOrder
from offhook.sip.errors import SyntaxFault
from offhook.sip.events import RegistrationChanged, RegistrationState
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.uri import Uri
from offhook.storage.directory import Directory
from offhook.storage.rows import TrunkRow

__all__ = ["Trunks"]

log = structlog.get_logger(__name__)

EXPIRES_S = 600


@dataclass(slots=True)
class _Registered:
    trunk: TrunkRow
    id: RegistrationId
    state: RegistrationState = RegistrationState.NEW
    why: str = ""


class Trunks:
    """All registrations of ours."""

    def __init__(self, driver: SipDriver, directory: Directory) -> None:
        self._driver = driver
        self._directory = directory
        self._registered: dict[str, _Registered] = {}

    def follow(self) -> None:
        """Bring the registrations in line with the directory."""
        wanted = {trunk.id: trunk for trunk in self._directory.trunks() if trunk.register}
        for trunk_id, standing in list(self._registered.items()):
            if wanted.get(trunk_id) != standing.trunk:
                self._driver.endpoint.unregister(standing.id, now())
                del self._registered[trunk_id]
        for trunk_id, trunk in wanted.items():
            if trunk_id in self._registered:
                continue
            try:
                self._registered[trunk_id] = _Registered(trunk, self._register(trunk))
            except (SyntaxFault, ValueError) as error:
                # One address that is none must not keep the others, or the server, from working.
                log.error("trunk.unusable", trunk=trunk.name, why=str(error))
        self._driver.pump()

    def heard(self, event: RegistrationChanged) -> None:
        """A registration changed its state."""
        for standing in self._registered.values():
            if standing.id == event.registration:
                standing.state = event.state
                standing.why = "" if event.status in (None, 200) else f"{event.status} {event.reason}".strip()
                log.info("trunk.registration", trunk=standing.trunk.name, state=event.state.value, why=standing.why)

    def leave(self) -> None:
        """Take every registration back."""
        for standing in self._registered.values():
            self._driver.endpoint.unregister(standing.id, now())
        self._registered.clear()
        self._driver.pump()

    def states(self) -> dict[str, str]:
        """By trunk name, for people."""
        return {
            standing.trunk.name: f"{standing.state.value} {standing.why}".strip()
            for standing in self._registered.values()
        }

    def _register(self, trunk: TrunkRow) -> RegistrationId:
        address = Uri.parse(trunk.address)
        account = None
        if trunk.username:
            account = Account(username=trunk.username, password=self._directory.trunk_password(trunk))
        user = trunk.username or address.username
        order = RegistrationOrder(
            registrar=Uri(address.scheme, None, None, address.host, address.port, address.params),
            aor=NameAddr(uri=Uri.sip(user, address.host)),
            account=account,
            expires_s=EXPIRES_S,
        )
        return self._driver.endpoint.register(order, now())
