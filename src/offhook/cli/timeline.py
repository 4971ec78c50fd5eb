"""Following a call: each entry of its timeline as it comes, a line each; over a restart of the server too."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from offhook.cli.connection import Connection, ServerGone, path
from offhook.cli.output import console, error_console, plain

__all__ = ["ending", "follow", "show_event"]

WAIT_S = 20
BACK_WITHIN_S = 20.0
"""How long a server that has gone away is waited for: calls outlive a restart."""
LOOK_EVERY_S = 0.2
BAD = ("failed", "error", "busy", "rejected")


def follow(server: Connection, call: str, show: Callable[[Mapping[str, Any]], None]) -> Any:
    """Shows the entries of a call until it is over; the call as it ended. Raises `CliError`."""
    after, over = 0, False
    while not over:
        page = _patiently(server, path("calls", call, "events"), after=after, wait=WAIT_S)
        for event in page["events"]:
            show(event)
        after = page["next"]
        over = page["over"]
    return _patiently(server, path("calls", call))


def _patiently(server: Connection, target: str, **query: Any) -> Any:
    """Asks, and waits for a server that restarts. Raises `CliError`."""
    gone_since: float | None = None
    while True:
        try:
            return server.get(target, **query)
        except ServerGone:
            if gone_since is None:
                gone_since = time.monotonic()
                error_console().print("the server has gone away; waiting for it to come back", style="dim")
            elif time.monotonic() - gone_since > BACK_WITHIN_S:
                raise
            time.sleep(LOOK_EVERY_S)


def show_event(event: Mapping[str, Any]) -> None:
    """Local time to the millisecond, kind, and what belongs to it."""
    at = datetime.fromisoformat(event["at"]).astimezone()
    line = Text(f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}  ", style="dim")
    line.append(f"{event['kind']:<24}", style="red" if any(word in event["kind"] for word in BAD) else "cyan")
    line.append(" ".join(f"{plain(name)}={_plain(value)}" for name, value in event["data"].items()), style="not dim")
    console().print(line)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + " ".join(f"{plain(name)}={_plain(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + " ".join(map(_plain, value)) + "]"
    text = plain(value if isinstance(value, str) else str(value))
    return f'"{text}"' if " " in text or not text else text


def ending(call: Mapping[str, Any]) -> str:
    """How it ended, in a sentence."""
    if call["state"] == "ongoing":
        return "The call goes on."
    lasted = f" after {call['duration_s']} s" if call["duration_s"] is not None else ""
    why = f" ({call['cause'].replace('_', ' ')})" if call["cause"] else ""
    return f"The call ended: {call['state']}{why}{lasted}."
