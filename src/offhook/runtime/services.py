"""What every live call is served by, in one place: a call has the same services as every other."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from offhook.call.care import STANDARD, Care
from offhook.runtime.book import Book
from offhook.runtime.hook_desk import HookDesk
from offhook.runtime.keeper import Keeper
from offhook.runtime.leaving import Leaving
from offhook.runtime.media_legs import MediaLegs
from offhook.runtime.own_recordings import OwnRecordings
from offhook.runtime.rooms import Rooms
from offhook.runtime.routing import Routing
from offhook.runtime.sip_legs import SipLegs
from offhook.runtime.sound.library import SoundLibrary
from offhook.storage.directory import Directory
from offhook.storage.facts import Fact

if TYPE_CHECKING:
    from offhook.runtime.live_call import LiveCall

__all__ = ["Services"]


@dataclass(slots=True, kw_only=True)
class Services:
    """Made once by `app.py`."""

    loop: asyncio.AbstractEventLoop
    legs: SipLegs
    media: MediaLegs
    sounds: SoundLibrary
    hooks: HookDesk
    book: Book
    routing: Routing
    rooms: Rooms
    keeper: Keeper
    leaving: Leaving
    directory: Directory
    domain: str
    """Realm and domain of our phones."""
    recordings_dir: Path
    own_recordings: OwnRecordings
    care: Care = STANDARD
    """What is heard where a web application is slow or fails."""
    fact_of: "Callable[[LiveCall], Fact]"
    """What is to be kept of a call."""
    forget: "Callable[[LiveCall], None]" = lambda _: None
    """Told of a call that is over; set by the switchboard."""
