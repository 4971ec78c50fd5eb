"""`offhook restart`: the server's process is replaced by a new one, for an upgrade or new settings; calls go on.

It asks the running server, which keeps its process id, so that whatever supervises it sees nothing of it.
"""

import time

from offhook.cli.connection import CliError, path, running, settings_of, the_running
from offhook.cli.output import ConfigOption, JsonOption, console, show_json
from offhook.config import Settings

__all__ = ["restart"]

BACK_WITHIN_S = 60.0
LOOK_EVERY_S = 0.1


def restart(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Replace the running server by a new process, without ending a call.

    Example: offhook restart
    """
    settings = settings_of(config)
    with the_running(settings) as server:
        calls = server.get("/v1/status")["server"]["calls"]
        gone = server.post(path("restart"), {})["instance"]
    begun = time.monotonic()
    now = _back(settings, gone, begun + BACK_WITHIN_S)
    took_s = time.monotonic() - begun
    if as_json:
        show_json({"seconds": round(took_s, 2), "calls_before": calls, "calls": now})
    else:
        console().print(f"restarted in {took_s:.1f} s; calls: {calls} before, {now} now")


def _back(settings: Settings, gone: str, until: float) -> int:
    """Wait for another server than the one that went; how many calls it has. Raises `CliError`."""
    while time.monotonic() < until:
        calls = _calls_of_another(settings, gone)
        if calls is not None:
            return calls
        time.sleep(LOOK_EVERY_S)
    raise CliError(
        f"the new server did not come within {BACK_WITHIN_S:.0f} s; its log says why. The media engine keeps the calls"
        f" for {settings.engine_orphan_s:.0f} s: start a server before that"
    )


def _calls_of_another(settings: Settings, gone: str) -> int | None:
    # Never the data themselves: the new server is about to take hold of them.
    try:
        server = running(settings)
        found = None if server is None else server.get("/v1/status")
    except CliError:
        return None
    if found is None:
        return None
    if found["not_ready"] is not None or found["server"]["instance"] == gone:
        return None
    return int(found["server"]["calls"])
