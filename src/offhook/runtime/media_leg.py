"""One session of the media engine, whose it is, and what it is doing: enough to do it again, or to go on from there.

Playbacks and digits have the same numbers here, in the call and in the engine, so that a call that a restart sent back
a moment, and that asks for the same again, finds it done. Decides nothing and sends nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from offhook.call import commands as call
from offhook.call import events as happened
from offhook.media import commands as engine
from offhook.media import events as said

__all__ = ["MediaLeg", "Playback"]

Post = Callable[[happened.Event], None]


@dataclass(frozen=True, slots=True)
class Playback:
    """What plays."""

    files: tuple[str, ...]
    loop: int


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
    """What the engine played when this leg was restored."""
    found_with: int = 0
    """The session that the engine had it bridged with when this leg was restored, until they part."""
    ended_early: dict[int, bool] = field(default_factory=dict)
    """Playbacks whose end was told before a restored call had asked for them (again), and whether they failed."""
    sent_early: set[int] = field(default_factory=set)
    """Likewise keys."""

    def export(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "session": self.session,
            "address": None if self.address is None else list(self.address),
            "rtcp_port": self.rtcp_port,
            "playing": [[playback, list(each.files), each.loop] for playback, each in self.playing.items()],
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
            call.PlaybackId(playback): Playback(tuple(files), loop) for playback, files, loop in data["playing"]
        }
        made.stopping = {call.PlaybackId(playback) for playback in data["stopping"]}
        made.sending = {call.RequestId(request): keys for request, keys in data["sending"]}
        if data["mix"] is not None:
            made.mix = (engine.MixId(data["mix"][0]), data["mix"][1])
        return made
