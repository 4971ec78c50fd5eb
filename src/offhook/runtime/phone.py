"""A telephone in software, on the same SIP stack and media engine as the server: for trying, for scripts, for tests.

It registers, is called or calls, plays a file, presses keys, and records what it hears. One call at a time; a second
caller hears busy.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from offhook.call.commands import LegId, PlaybackId, RequestId
from offhook.call.events import Event, LegAnswered, LegEnded, LegProgress, PlaybackEnded, Tariff
from offhook.flow.view import Cause
from offhook.media import commands as engine
from offhook.runtime.media_legs import MediaLegs
from offhook.runtime.media_recordings import RecordingClosed, RecordingOrder
from offhook.runtime.sip_driver import SipDriver, now
from offhook.runtime.sip_legs import LegState, SipLeg, SipLegs
from offhook.runtime.sound.library import SoundLibrary
from offhook.sip import events as sip
from offhook.sip.commands import Account, InviteOrder, RegistrationId, RegistrationOrder
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.uri import Uri

__all__ = ["Phone", "PhoneSettings"]

log = structlog.get_logger(__name__)

BUSY_HERE, UNAVAILABLE = 486, 480
PARTY = LegId(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneSettings:
    """Who the phone is and what it does by itself."""

    number: str
    """`+4600…`: registers as its digits."""
    password: str = field(repr=False)
    domain: str
    """Realm and domain that it registers with."""
    server: Uri
    """Where it registers: host, port and transport."""
    answer: bool = False
    answer_after_s: float = 0.0
    play: Path | None = None
    """Played once after the call is answered, and after the keys: an engine sends one thing at a time."""
    record: Path | None = None
    """What the phone hears, as WAV."""
    digits: str = ""
    """Keys pressed once after the call is answered; `w` waits half a second, `W` one."""
    hang_up_after_s: float | None = None
    """Ends a call so long after its answer."""


class Phone:
    """Start it with its parts running; `register`, then `dial` or wait."""

    def __init__(
        self,
        settings: PhoneSettings,
        *,
        driver: SipDriver,
        legs: SipLegs,
        media: MediaLegs,
        sounds: SoundLibrary,
        tell: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self._settings = settings
        self._driver = driver
        self._legs = legs
        self._media = media
        self._sounds = sounds
        self._tell = tell
        self._leg: SipLeg | None = None
        self._recording: engine.RecordingId | None = None
        self._registration: RegistrationId | None = None
        self._closed = asyncio.Event()
        self._over: asyncio.Queue[LegEnded] = asyncio.Queue()
        self._registered: asyncio.Queue[sip.RegistrationChanged] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed.set()

    # ── what its user does ───────────────────────────────────────────────────────────────────────────────────────

    async def register(self, within_s: float = 10.0) -> str:
        """Register and stay so. Returns "" or why it failed."""
        aor = NameAddr(uri=Uri.sip(self._user, self._settings.domain))
        server = self._settings.server
        order = RegistrationOrder(
            registrar=Uri.sip(None, self._settings.domain),
            aor=aor,
            account=Account(username=self._user, password=self._settings.password),
            expires_s=300,
            routes=(server.with_param("lr"),),
        )
        self._registration = self._driver.endpoint.register(order, now())
        self._driver.pump()
        try:
            async with asyncio.timeout(within_s):
                while True:
                    change = await self._registered.get()
                    if change.state is sip.RegistrationState.REGISTERED:
                        return ""
                    if change.state is sip.RegistrationState.WAITING:
                        return f"{change.status or ''} {change.reason}".strip()
        except TimeoutError:
            return f"no answer from {server}"

    def dial(self, to: str) -> None:
        """Call a number or a SIP URI; `over` tells how it went."""
        if self._leg is not None:
            raise RuntimeError("the phone is in a call")
        target = Uri.parse(to) if to.startswith(("sip:", "sips:")) else Uri.sip(to, self._settings.domain)
        order = InviteOrder(
            target=target,
            from_=NameAddr(uri=Uri.sip(self._user, self._settings.domain)),
            to=NameAddr(uri=target),
            offer=None,
            account=Account(username=self._user, password=self._settings.password),
            routes=(self._settings.server.with_param("lr"),),
        )
        self._tell("dialling", {"to": to})
        self._leg = self._legs.place(self, PARTY, order, Tariff())

    def pick_up(self) -> None:
        """Answer the call that rings."""
        if self._leg is not None:
            self._legs.answer(self._leg)

    def hang_up(self) -> None:
        """End the call, or refuse the one that rings."""
        if self._leg is not None:
            self._legs.hang_up(self._leg, Cause.NORMAL)

    def press(self, keys: str) -> None:
        """Press keys."""
        if self._leg is not None:
            self._media.send_digits(self._leg.media, RequestId(secrets.randbits(31)), keys)

    @property
    def in_call(self) -> bool:
        """Whether a call was answered and lasts."""
        return self._leg is not None and self._leg.state is LegState.ANSWERED

    async def leave(self, within_s: float = 2.0) -> None:
        """Take the registration back, politely but not for ever."""
        if self._registration is None:
            return
        self._driver.endpoint.unregister(self._registration, now())
        self._driver.pump()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while (await self._registered.get()).state is not sip.RegistrationState.GONE:
                    pass

    async def over(self) -> LegEnded:
        """Wait until a call is over and what was recorded of it is on disk."""
        ended = await self._over.get()
        await self._closed.wait()
        return ended

    # ── what the endpoint says ───────────────────────────────────────────────────────────────────────────────────

    def handle(self, event: sip.Event) -> None:
        """Take an event of the SIP endpoint."""
        match event:
            case sip.IncomingInvite():
                self._invited(event)
            case sip.RegistrationChanged():
                self._registered.put_nowait(event)
            case sip.RegisterReceived():
                self._driver.endpoint.reject_request(event.handle, UNAVAILABLE, now())
            case sip.BindingsChanged() | sip.OptionsAnswered() | sip.Resolve() | sip.CloseHop() | sip.StrayMessage():
                pass
            case _:
                self._legs.handle(event)

    # ── as the owner of its leg ──────────────────────────────────────────────────────────────────────────────────

    def post(self, event: Event) -> None:
        """Something happened to the call."""
        match event:
            case LegProgress():
                self._tell("ringing", {})
            case LegAnswered():
                self._tell("answered", {})
                self._begin()
            case PlaybackEnded():
                self._tell("played", {})
            case LegEnded():
                self._tell("ended", {"cause": event.cause.value, "detail": event.detail})
                self._leg = None
                self._over.put_nowait(event)
            case _:
                pass

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        """What explains the leg."""
        if kind == "leg.statistics":
            self._tell("heard", data)

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _user(self) -> str:
        return self._settings.number.removeprefix("+")

    def _invited(self, invite: sip.IncomingInvite) -> None:
        if self._leg is not None:
            self._driver.endpoint.reject(invite.session, BUSY_HERE, now())
            return
        self._tell("called", {"from": invite.from_.uri.username or ""})
        self._leg = leg = self._legs.incoming(self, PARTY, invite)
        self._legs.ring(leg)
        if self._settings.answer:
            self._work(self._answer_soon(leg))

    async def _answer_soon(self, leg: SipLeg) -> None:
        if self._settings.answer_after_s:
            await asyncio.sleep(self._settings.answer_after_s)
        if self._leg is leg:
            self._legs.answer(leg)

    def _begin(self) -> None:
        assert self._leg is not None
        leg, settings = self._leg, self._settings
        if settings.record is not None:
            self._closed.clear()
            self._recording = self._media.recordings.new_number()
            self._media.recordings.begin(
                RecordingOrder(
                    number=self._recording,
                    media=leg.media,
                    path=str(settings.record),
                    both=False,
                    on_closed=self._recorded,
                )
            )
        if settings.digits:
            self.press(settings.digits)
        if settings.play is not None:
            self._work(self._play(leg, settings.play))
        if settings.hang_up_after_s is not None:
            self._work(self._hang_up_later(leg, settings.hang_up_after_s))

    async def _hang_up_later(self, leg: SipLeg, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if self._leg is leg:
            self.hang_up()

    async def _play(self, leg: SipLeg, path: Path) -> None:
        prepared = await self._sounds.prepare_file(path)
        if self._leg is leg:
            self._media.play(leg.media, PlaybackId(1), [str(prepared.path)], 1)

    def _recorded(self, closed: RecordingClosed) -> None:
        self._tell("recorded", {"file": str(self._settings.record), "seconds": closed.duration_ms / 1000})
        self._closed.set()

    def _work(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._tell("failed", {"why": str(error)})
