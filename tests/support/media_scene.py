"""Legs on one engine that only remembers what it was told, and what was told of them."""

from typing import Any

from tests.support.engine_line import Line

from offhook.call import commands as call
from offhook.call import events as happened
from offhook.media import commands as do
from offhook.runtime.media_legs import MediaLeg, MediaLegs
from offhook.runtime.media_recordings import RecordingClosed, RecordingOrder

__all__ = ["P1", "P2", "A", "B", "Scene"]

A, B = call.LegId(0), call.LegId(1)
P1, P2 = call.PlaybackId(1), call.PlaybackId(2)


class Scene:
    """Two calls' worth of legs on one engine, and what was told of them."""

    def __init__(self, *, opens: bool = True, first_id: int = 1) -> None:
        self.line = Line(opens=opens)
        self.legs = MediaLegs(self.line, "127.0.0.1", first_id=first_id)
        self.line.tell = self.legs.handle
        self.posted: list[happened.Event] = []
        self.told: list[tuple[str, MediaLeg]] = []
        self.closings: list[RecordingClosed] = []

    def open(self, leg: call.LegId = A, near: MediaLeg | None = None) -> MediaLeg:
        return self.legs.open(
            leg,
            self.posted.append,
            on_open=lambda media: self.told.append(("open", media)),
            on_lost=lambda media: self.told.append(("lost", media)),
            near=near,
        )

    def order(self, media: MediaLeg, path: str = "/dev/null/x.wav", **more: Any) -> RecordingOrder:
        """To record both sides of a leg, unless `more` says otherwise."""
        what: dict[str, Any] = {"both": True, "on_closed": self.closings.append, **more}
        number = what.pop("number", None) or self.legs.recordings.new_number()
        return RecordingOrder(number=number, media=media, path=path, **what)

    def record(self, media: MediaLeg, path: str = "/dev/null/x.wav", **more: Any) -> do.RecordingId:
        order = self.order(media, path, **more)
        self.legs.recordings.begin(order)
        return order.number

    def of(self, what: str) -> list[MediaLeg]:
        return [media for word, media in self.told if word == what]
