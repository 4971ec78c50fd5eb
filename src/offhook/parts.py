"""Everything that a server runs, put together and not yet open to anybody: `offhook.app` opens the doors.

One of the few files that know all rooms. It wires, and gives each part what the settings say of it; it decides nothing
about a call.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog

from offhook.call.care import OWN, Care
from offhook.config import Settings, SettingsError
from offhook.flow.dialects import elks_values
from offhook.flow.verbs import Sound, UnusableSound
from offhook.flow.view import CallId
from offhook.hooks.attempt import CONTROL
from offhook.hooks.delivery import DeliveryEvent
from offhook.hooks.policy import DeliveryPolicy, Steady, policy_from, policy_of_api
from offhook.runtime import hook_entries
from offhook.runtime.book import Book
from offhook.runtime.call_facts import call_fact
from offhook.runtime.hook_desk import HookDesk
from offhook.runtime.keeper import Keeper
from offhook.runtime.leaving import Leaving
from offhook.runtime.media_legs import MediaLegs
from offhook.runtime.media_process import Adopted, EngineConfig, MediaEngine
from offhook.runtime.outbox import HELD_MOST, Outbox
from offhook.runtime.own_recordings import OwnRecordings
from offhook.runtime.restoring import (
    Remembered,
    first_id,
    keep_facts,
    remembered,
)
from offhook.runtime.rooms import Rooms
from offhook.runtime.routing import Routing
from offhook.runtime.services import Services
from offhook.runtime.signing import KeysOf, signed_by
from offhook.runtime.sip_driver import SipDriver
from offhook.runtime.sip_driver import now as sip_now
from offhook.runtime.sip_legs import SipLegs
from offhook.runtime.sound.cache import SoundCache
from offhook.runtime.sound.fetch import HttpSoundFetcher
from offhook.runtime.sound.library import SoundLibrary
from offhook.runtime.speech.desk import SpeechDesk
from offhook.runtime.speech.engines import speech_desk
from offhook.runtime.supervisor import Supervisor
from offhook.runtime.switchboard import Switchboard
from offhook.runtime.trunks import Trunks
from offhook.runtime.url_guard import UrlGuard
from offhook.runtime.webhooks import HookResult, Webhooks
from offhook.runtime.wellness import Ports, descriptors, tightest
from offhook.storage.deliveries import LeftOver, entries_of_unfinished, left_over
from offhook.storage.directory import Directory
from offhook.storage.prices import PriceList, read_price_list
from offhook.storage.records import unfinished_calls
from offhook.storage.rows import CallRow
from offhook.storage.store import Storage

__all__ = ["Before", "Parts", "Place", "assemble"]

log = structlog.get_logger(__name__)

LOCK_WAIT_S = 3.0
"""A command that works on the data directory itself, or a server that is being stopped, is gone by then."""
MEDIA_TIMEOUT_MS = 120_000
"""A leg from which nothing came for so long is gone, whatever signalling believes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a server is, as others find it."""

    host: str
    """Our address in what SIP and descriptions say."""
    domain: str
    """Domain and realm of our phones."""
    base_url: Callable[[], str]
    """What the URLs begin with that we give out; known once HTTP listens."""
    trunk_at: Callable[[str], str | None]
    """The id of the trunk that is known by its name and has this address."""


@dataclass(slots=True)
class Before:
    """What the last server left."""

    found: Remembered
    unfinished: Sequence[CallRow]
    """Calls that were going on."""
    entries: Mapping[str, int]
    """The last entry of their timelines."""
    adopted: Adopted | None = None


@dataclass(slots=True)
class Parts:
    """Everything that runs."""

    storage: Storage
    engine: MediaEngine
    driver: SipDriver
    switchboard: Switchboard
    supervisor: Supervisor
    trunks: Trunks
    book: Book
    outbox: Outbox
    prices: PriceList
    services: Services
    speech: SpeechDesk
    before: Before
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


async def assemble(settings: Settings, place: Place, stack: AsyncExitStack) -> Parts:
    """Everything but the doors to the outside; closing the stack stops it. Raises errors whose texts say what to do."""
    storage = _storage(settings, stack)
    hooks = await stack.enter_async_context(
        Webhooks(UrlGuard(settings.webhook_networks), signer=signed_by(_signing_keys(storage)))
    )
    book = _book(settings, place, storage)
    left = storage.read_blocking(lambda connection: left_over(connection, HELD_MOST))
    before = _what_is_left(storage, book, left)
    keeper = Keeper(storage.facts, storage.writer, asyncio.get_running_loop())
    outbox = await stack.enter_async_context(
        Outbox(
            hooks,
            store=storage.deliveries,
            when_durable=keeper.when_durable,
            left=left,
            remember=book.remember,
            listener=lambda event, result: _note_delivery(book, event, result),
        )
    )
    speech = speech_desk(settings)
    stack.push_async_callback(speech.close)
    sounds = SoundLibrary(SoundCache(settings.data_dir / "sound"), HttpSoundFetcher(hooks), speech=speech)
    stack.push_async_callback(sounds.close)
    engine, media, before.adopted = await _engine(settings, stack, first_id(before.found, storage.facts))
    driver = SipDriver()
    stack.push_async_callback(driver.close)
    prices = _prices(settings)
    services = _services(
        settings,
        place,
        storage=storage,
        keeper=keeper,
        driver=driver,
        media=media,
        book=book,
        hooks=HookDesk(
            client=hooks,
            outbox=outbox,
            policy=replace(CONTROL, budget_s=settings.webhook_timeout_s),
            delivery=_delivery_policies(storage.directory, settings),
            retry_timeouts=storage.directory.retries_timeouts,
        ),
        sounds=sounds,
        prices=prices,
    )
    switchboard = Switchboard(driver=driver, services=services)
    trunks = Trunks(driver, storage.directory)
    switchboard.on_registration.append(trunks.heard)
    driver.on_event = switchboard.handle
    supervisor = _supervisor(settings, storage, driver, engine, media)
    supervisor.on_clock_set = switchboard.keep_all
    keep_facts(services, engine, driver)
    return Parts(
        storage, engine, driver, switchboard, supervisor, trunks, book, outbox, prices, services, speech, before
    )


# ── storage, and what it holds ───────────────────────────────────────────────────────────────────────────────────────


def _storage(settings: Settings, stack: AsyncExitStack) -> Storage:
    storage = Storage.open(
        settings.data_dir, settings.sqlalchemy_url, durability=settings.durability, wait_s=LOCK_WAIT_S
    )
    stack.callback(storage.close)
    _bootstrap(storage, settings)
    storage.recordings_dir.mkdir(parents=True, exist_ok=True)
    return storage


def _bootstrap(storage: Storage, settings: Settings) -> None:
    """The account that scripts know, made at the first start."""
    wanted = settings.bootstrap_account
    if wanted is None or storage.directory.account(wanted.id) is not None:
        return
    storage.directory.add_account("bootstrap", account_id=wanted.id, secret=wanted.secret, api_key=wanted.secret)


def _book(settings: Settings, place: Place, storage: Storage) -> Book:
    return Book(
        records=storage.records,
        writer=storage.writer,
        directory=storage.directory,
        base_url=place.base_url,
        retention=timedelta(days=settings.recording_retention_days),
        link_key=storage.key.link_key,
        mask_digits=settings.mask_digits,
    )


def _what_is_left(storage: Storage, book: Book, left: LeftOver) -> Before:
    """What the last server was doing; timelines of its calls can go on from here."""
    entries = storage.read_blocking(entries_of_unfinished)
    book.remember(left.entries)
    book.remember(entries)
    found = remembered(storage.read_blocking(storage.facts.load))
    return Before(found, storage.read_blocking(unfinished_calls), entries)


# ── what runs on it ──────────────────────────────────────────────────────────────────────────────────────────────────


async def _engine(
    settings: Settings, stack: AsyncExitStack, first_id: int
) -> tuple[MediaEngine, MediaLegs, Adopted | None]:
    engine = MediaEngine(
        EngineConfig(
            data_dir=settings.data_dir,
            rtp_ports=(settings.rtp_ports.first, settings.rtp_ports.last),
            orphan_s=round(settings.engine_orphan_s),
        ),
        on_fault=lambda why: log.warning("media.engine", why=why),
    )
    media = MediaLegs(engine, settings.sip_listen[0].host, first_id=first_id)
    engine.on_event, engine.on_lost = media.handle, media.engine_died
    found = await engine.start(keep_back=True)
    stack.push_async_callback(engine.stop)
    return engine, media, found


def _services(
    settings: Settings,
    place: Place,
    *,
    storage: Storage,
    keeper: Keeper,
    driver: SipDriver,
    media: MediaLegs,
    book: Book,
    hooks: HookDesk,
    sounds: SoundLibrary,
    prices: PriceList,
) -> Services:
    routing = Routing(
        directory=storage.directory,
        prices=prices,
        bindings=lambda aor: driver.endpoint.lookup(aor, sip_now()),
        domain=place.domain,
        sip_hosts=settings.sip_hosts,
        any_caller_id=settings.dev,
        trunk_at=place.trunk_at,
    )
    loop = asyncio.get_running_loop()
    legs = SipLegs(driver=driver, media=media, media_host=place.host, media_timeout_ms=MEDIA_TIMEOUT_MS)
    return Services(
        loop=loop,
        legs=legs,
        keeper=keeper,
        leaving=Leaving(keeper, legs),
        fact_of=call_fact,
        media=media,
        rooms=Rooms(media=media, loop=loop),
        sounds=sounds,
        hooks=hooks,
        book=book,
        routing=routing,
        directory=storage.directory,
        domain=place.domain,
        recordings_dir=storage.recordings_dir,
        own_recordings=OwnRecordings(storage, place.base_url),
        care=Care(comfort=_sound("comfort_sound", settings.comfort_sound), apology=_sound("apology", settings.apology)),
    )


def _supervisor(
    settings: Settings, storage: Storage, driver: SipDriver, engine: MediaEngine, media: MediaLegs
) -> Supervisor:
    return Supervisor(
        driver=driver,
        storage=storage,
        loop=asyncio.get_running_loop(),
        keep_deliveries=timedelta(days=settings.delivery_retention_days),
        descriptors=lambda: tightest(descriptors(), descriptors(engine.pid)),
        ports=lambda: Ports(media.busy_ports(), settings.rtp_ports.pairs),
    )


# ── what customers are told ──────────────────────────────────────────────────────────────────────────────────────────


def _note_delivery(book: Book, event: DeliveryEvent, result: HookResult | None) -> None:
    """What became of a post that is owed belongs to its call's timeline."""
    kind, told = hook_entries.owed(event, result)
    book.noted_late(CallId(event.request.call), kind, told)


def _delivery_policies(directory: Directory, settings: Settings) -> Callable[[str, str], DeliveryPolicy]:
    """How often what is owed is tried: as the account has it, or its parent, or else its API."""

    def policy(account: str, dialect: str) -> DeliveryPolicy:
        own = directory.delivery_of(account)
        if own is not None:
            return policy_from(own)
        found = policy_of_api(account, dialect)
        return replace(found, every_s=settings.delivery_retry_s) if isinstance(found, Steady) else found

    return policy


def _signing_keys(storage: Storage) -> KeysOf:
    return lambda account, now: tuple(key.text for key in storage.signing_keys.in_force(account, now))


# ── what settings say ────────────────────────────────────────────────────────────────────────────────────────────────


def _sound(setting: str, text: str) -> Sound | None:
    """A sound as a setting has it; empty: none. Raises `SettingsError`."""
    if not text:
        return None
    if text == f"sound/{OWN.name}":
        return OWN
    found = elks_values.sound(text)
    if isinstance(found, UnusableSound):
        raise SettingsError(f"{setting}: {text!r} is no sound; write a URL, sound/beep, en_US/One moment, or none")
    return found


def _prices(settings: Settings) -> PriceList:
    if settings.price_list is None:
        return PriceList({})
    with settings.price_list.open(encoding="utf-8") as lines:
        return read_price_list(lines)
