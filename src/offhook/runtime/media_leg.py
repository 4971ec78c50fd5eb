"""One session of the media engine, whose it is, and what it is doing: enough to do it again, or to go on from there.

The engine's numbers of playbacks and digits come of what they are and of their number in the call, so that a call that
a restart sent back a moment finds done what it asks for again. What it asks for instead, should it decide otherwise
this time, has another number there, though it has the same one in the call. Decides nothing and sends nothing.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

from offhook.call import commands as call
from offhook.call import events as happened
from offhook.media import commands as engine
from offhook.media import events as said

__all__ = ["MediaLeg", "Playback", "digits_number"]

Post = Callable[[happened.Event], None]

ANEW_MOST = 2
"""How often a sound is begun anew: when a 183 has left late, and when a 200 has."""


@dataclass(frozen=True, slots=True)
class Playback:
    """What plays."""

    files: tuple[str, ...]
    loop: int
    anew: int = 0
    """How often it was begun from its beginning, the first time aside."""

    def number(self, playback: call.PlaybackId) -> engine.PlaybackId:
        """The engine's."""
        return engine.PlaybackId(_number(playback, self.files, self.loop, self.anew))

    def begun_anew(self) -> "Iterator[Playback]":
        """What it would be, begun anew once and again."""
        return (replace(self, anew=self.anew + times) for times in range(1, ANEW_MOST + 1))


def digits_number(request: call.RequestId, keys: str) -> engine.RequestId:
    """The engine's, of keys that are to be sent."""
    return engine.RequestId(_number(request, keys))


def _number(*what: Any) -> int:
    """32 bits; 0 means none. Two that are the same by chance would have to be of one leg, within one restart."""
    return crc32(json.dumps(what).encode()) or 1


def _ignore(media: "MediaLeg") -> None:
    """Until somebody listens."""


@dataclass(slots=True, eq=False)
class MediaLeg:
    """A session. Its fields are `MediaLegs`' to change."""

    session: engine.SessionId
    leg: call.LegId
    post: Post
    on_open: Callable[["MediaLeg"], None] = _ignore
    on_lost: Callable[["MediaLeg"], None] = _ignore
    """The engine lost the session, or nothing was heard for too long."""
    address: engine.Address | None = None
    """Where we receive; known once it is open."""
    rtcp_port: int = 0
    closing: bool = False
    reopening: bool = False
    """Its engine died, and it is being made again."""
    statistics: said.SessionStatistics | None = None
    on_closed: Callable[["MediaLeg"], None] | None = None
    remote: engine.SetRemote | None = None
    """What the engine was told last of the peer."""
    playing: dict[call.PlaybackId, Playback] = field(default_factory=dict)
    """Playbacks whose end has not come."""
    stopping: set[call.PlaybackId] = field(default_factory=set)
    """Those of them that are to stop."""
    sending: dict[call.RequestId, str] = field(default_factory=dict)
    """Keys whose end has not come."""
    partner: "MediaLeg | None" = None
    """Whom it is bridged with."""
    mix: tuple[engine.MixId, bool] | None = None
    """The conference it is in, and whether it is muted there."""
    muted: bool = False
    """Nobody hears it, whatever it is joined to."""
    after: int = 0
    """Events of the engine up to this one are in the facts this leg was restored from."""
    absent: bool = False
    """It was restored, and its engine died with the last control process."""
    found_playing: int = 0
    """The engine's number of what it played when this leg was restored, until it is asked for or stopped."""
    found_with: int = 0
    """The session that the engine had it bridged with when this leg was restored, until they part."""
    ended_early: dict[int, bool] = field(default_factory=dict)
    """The engine's numbers of playbacks whose end was told before a restored call had asked for them (again), and
    whether they failed."""
    sent_early: set[int] = field(default_factory=set)
    """Likewise keys."""

    def playback_of(self, number: int) -> call.PlaybackId | None:
        """Which of those that play has this number of the engine's."""
        return next((each for each, wanted in self.playing.items() if wanted.number(each) == number), None)

    def believe_begun_anew(self, number: int) -> None:
        """What the engine plays may have been begun anew after the facts were written: then the end of what it was
        before is none."""
        for playback, wanted in self.playing.items():
            for begun in wanted.begun_anew():
                if begun.number(playback) == number:
                    self.playing[playback] = begun
                    return

    def heard_to_end(self, playback: call.PlaybackId, wanted: Playback) -> bool | None:
        """Whether it failed, of a sound whose end was told already; `None`: it was not."""
        numbers = (each.number(playback) for each in (wanted, *wanted.begun_anew()))
        return next((self.ended_early.pop(each) for each in numbers if each in self.ended_early), None)

    def request_of(self, number: int) -> call.RequestId | None:
        """Likewise of keys."""
        return next((each for each, keys in self.sending.items() if digits_number(each, keys) == number), None)

    def export(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "session": self.session,
            "address": None if self.address is None else list(self.address),
            "rtcp_port": self.rtcp_port,
            "playing": [[playback, list(each.files), each.loop, each.anew] for playback, each in self.playing.items()],
            "stopping": sorted(self.stopping),
            "sending": [[request, keys] for request, keys in self.sending.items()],
            "partner": 0 if self.partner is None else self.partner.session,
            "mix": None if self.mix is None else list(self.mix),
            "muted": self.muted,
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any], leg: call.LegId, post: Post) -> "MediaLeg":
        """From `export`; who its partner is, is found when all are there."""
        made = cls(engine.SessionId(data["session"]), leg, post)
        if data["address"] is not None:
            made.address = (data["address"][0], data["address"][1])
        made.rtcp_port, made.muted = data["rtcp_port"], data["muted"]
        made.playing = {
            call.PlaybackId(playback): Playback(tuple(files), loop, anew)
            for playback, files, loop, anew in data["playing"]
        }
        made.stopping = {call.PlaybackId(playback) for playback in data["stopping"]}
        made.sending = {call.RequestId(request): keys for request, keys in data["sending"]}
        if data["mix"] is not None:
            made.mix = (engine.MixId(data["mix"][0]), data["mix"][1])
        return made
