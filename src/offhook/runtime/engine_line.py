"""What the sound of legs needs of the engine's process: commands out, and events in that hold nobody else up."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import structlog

from offhook.media import commands as engine

__all__ = ["EngineLine", "told"]

log = structlog.get_logger(__name__)

T = TypeVar("T")


class EngineLine(Protocol):
    """What is needed of the engine's process."""

    heard: int
    """Number of the event that is being handed on, or was last."""
    engine_generation: int
    """Of the engine; another one numbers its events anew."""

    def send(self, command: engine.Command) -> None:
        """Give a command; never waits."""


def told(who: Callable[[T], None], what: T) -> None:
    """Tell somebody something. A fault of theirs is theirs alone: others wait for what comes behind."""
    try:
        who(what)
    except Exception:
        log.exception("media.event.fault", what=type(what).__name__)
