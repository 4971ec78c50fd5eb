"""How commands reach the data: by `/v1` of the running server, or, when none runs, by the same `/v1` in this process.

One way of doing things, whoever does it: the server that runs sees a change at once, and a change made while none runs
went through the same checks.
"""

import asyncio
import http.client
import json
import logging
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlencode

from offhook.call.changes import Change, Objection
from offhook.config import Settings, SettingsError, load_settings
from offhook.flow.view import CallId, CallView
from offhook.hooks.delivery import Turn
from offhook.runtime.rooms import RoomEntry, RoomName, RoomView
from offhook.runtime.speech.provider import OfferedVoice
from offhook.storage.database import DatabaseError
from offhook.storage.deliveries import OWED
from offhook.storage.keys import KeyFileError
from offhook.storage.rows import CallRow, DeliveryRow
from offhook.storage.store import InUse, Storage
from offhook.web.auth import TOKEN_FILE, AdminToken, announced
from offhook.web.port import CallOrder, Overloaded

__all__ = ["CliError", "Connection", "NotRunning", "ServerGone", "connect", "path", "running", "settings_of"]
__all__ += ["the_running"]

TIMEOUT_S = 90.0
"""Longer than the server waits for the next entry of a timeline."""
ALIVE_WITHIN_S = 3.0
"""A server answers at once. Where none is, but its media engine waits for the next one, a connection is made all the
same."""


class CliError(Exception):
    """Shown without a traceback; the text says what to do."""


class ServerGone(CliError):
    """The server that was being asked answers no longer: it restarts, or has ended."""


class NotRunning(Exception):
    """No server answers."""


class _Transport(Protocol):
    def ask(self, method: str, target: str, body: bytes) -> tuple[int, bytes]: ...
    def close(self) -> None: ...


class Connection:
    """`/v1`, asked one thing after another. Use as a context manager."""

    def __init__(self, transport: _Transport, *, online: bool, of: str) -> None:
        """`of`: whose data it is, for errors."""
        self._transport = transport
        self._of = of
        self.online = online

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()

    def get(self, target: str, **query: Any) -> Any:
        """A query parameter that is `None` is not sent."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", f"{target}?{urlencode(given)}" if given else target)

    def post(self, target: str, body: Mapping[str, Any]) -> Any:
        """What is `None` in the body is not sent."""
        return self._ask("POST", target, {name: value for name, value in body.items() if value is not None})

    def put(self, target: str, body: Mapping[str, Any]) -> Any:
        """The body as it is."""
        return self._ask("PUT", target, body)

    def delete(self, target: str) -> Any:
        """No body."""
        return self._ask("DELETE", target)

    def _ask(self, method: str, target: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            status, answer = self._transport.ask(method, target, b"" if body is None else json.dumps(body).encode())
        except NotRunning as error:
            raise ServerGone(
                f"the server has gone away ({error}); see its log, and start it with: offhook serve"
            ) from None
        try:
            value = json.loads(answer)
        except ValueError:
            raise CliError(f"what answers {target} with status {status} is no Offhook; check http_listen") from None
        if status >= 400:
            raise CliError(self._why(value, target, status))
        return value

    def _why(self, value: Any, target: str, status: int) -> str:
        try:
            why = str(value["error"]["message"])
        except (LookupError, TypeError):
            return f"what answers {target} with status {status} is no Offhook; check http_listen"
        # Whoever is in another folder than his server looks into other data.
        return why if self.online or status != 404 else f"{why} (no server runs; these are the data in {self._of})"


def path(*parts: str) -> str:
    """A path of `/v1`, its parts encoded."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def settings_of(config: Path | None) -> Settings:
    """The settings. Raises `CliError`."""
    try:
        return load_settings(config)
    except SettingsError as error:
        raise CliError(str(error)) from None


def connect(settings: Settings) -> Connection:
    """To the running server of these settings, else to its data. Raises `CliError`."""
    found = running(settings)
    return found or Connection(_InProcess(settings), online=False, of=str(settings.data_dir))


def the_running(settings: Settings) -> Connection:
    """To the running server, for what its data alone cannot do. Raises `CliError`."""
    found = running(settings)
    if found is None:
        raise CliError(f"no server runs on {settings.data_dir}; start one with: offhook serve")
    return found


def running(settings: Settings) -> Connection | None:
    """To the running server of these settings, if there is one. Touches no data. Raises `CliError`."""
    token = settings.data_dir / TOKEN_FILE
    try:
        secret = token.read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None  # no server has ever run here
    except (OSError, UnicodeDecodeError):
        raise CliError(f"{token} cannot be read; run this as the user that the server runs as") from None
    for url in dict.fromkeys(filter(None, (announced(settings.data_dir), settings.http_local))):
        server = _Http(url, secret)
        try:
            status, _ = server.ask("GET", "/v1/status", b"", within_s=ALIVE_WITHIN_S)
        except NotRunning:
            continue
        if status not in (401, 404):  # else somebody else's server, or no Offhook at all
            return Connection(server, online=True, of=str(settings.data_dir))
    return None


class _Http:
    """Over HTTP, with the operator's token."""

    def __init__(self, base: str, token: str) -> None:
        self._base = base
        self._token = token

    def ask(self, method: str, target: str, body: bytes, *, within_s: float = TIMEOUT_S) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            request = urllib.request.Request(self._base + target, body or None, headers, method=method)
            with opener.open(request, timeout=within_s) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except (OSError, ValueError, http.client.HTTPException) as error:  # the second: no address, or no token
            raise NotRunning(str(error) or type(error).__name__) from None

    def close(self) -> None:
        """Nothing stays open."""


class _Nobody:
    """The switchboard of a server that does not run."""

    def __init__(self, storage: Storage, settings: Settings) -> None:
        self._storage = storage
        self._settings = settings

    async def place_call(self, order: CallOrder) -> CallView:
        raise Overloaded("no server runs; start one with: offhook serve")

    async def give_up(self, order: CallOrder) -> CallView:
        raise Overloaded("no server runs")

    def live_view(self, call_id: CallId) -> CallView | None:
        return None

    def live_row(self, call_id: CallId) -> CallRow | None:
        return None

    async def hang_up(self, call_id: CallId) -> bool:
        return False

    async def change_call(self, call_id: CallId, wanted: Change) -> Objection | None:
        return Objection.CALL_OVER

    async def wait_for_event(self, call_id: CallId, after: int, timeout_s: float, *, late: bool = False) -> None:
        return

    def write_down(self, call_id: CallId) -> None:
        """Nothing is going on that could be written down."""

    def timeline_open(self, call_id: CallId) -> bool:
        return False

    def owes(self, call_id: CallId) -> bool:
        return False

    async def replay(self, deliveries: Sequence[DeliveryRow]) -> None:
        from offhook.runtime.outbox import owed_again  # it loads all of HTTP out, which no other command wants

        for row in deliveries:
            if row.state != OWED:  # what is owed still is tried by whoever starts next anyway
                self._storage.deliveries.save(owed_again(row, datetime.now(UTC)))

    async def replay_one(self, delivery: DeliveryRow) -> Turn:
        await self.replay((delivery,))
        return Turn.SERVER

    def erased(self, call_id: CallId) -> None:
        """Nothing is going on that could write about it."""

    def rooms(self) -> Sequence[RoomView]:
        return ()

    def room_log(self, room: RoomName) -> Sequence[RoomEntry]:
        return ()

    async def voices(self) -> Sequence[OfferedVoice]:
        from offhook.runtime.speech.engines import speech_desk

        desk = speech_desk(self._settings)
        try:
            return await desk.offered()
        finally:
            await desk.close()

    def directory_changed(self) -> None:
        """Whoever starts next reads it."""

    def not_ready(self) -> str | None:
        return "no server runs"

    def status(self) -> Mapping[str, Any]:
        return {"instance": ""}

    def restart(self) -> None:
        """There is no process to replace."""


class _InProcess:
    """The same application on the database itself."""

    def __init__(self, settings: Settings) -> None:
        from offhook.web.api.native import create_native

        try:
            self._storage = Storage.open(settings.data_dir, settings.sqlalchemy_url, durability=settings.durability)
        except InUse as error:
            raise CliError(f"{error}. Nothing answers at {settings.http_local}: check http_listen") from None
        except (DatabaseError, KeyFileError) as error:
            raise CliError(str(error)) from None
        except OSError as error:
            raise CliError(f"{settings.data_dir} cannot be used ({error.strerror}); check data_dir") from None
        logging.getLogger("offhook").addHandler(logging.NullHandler())
        self._token = AdminToken.make(settings.data_dir)
        self._app = create_native(_Nobody(self._storage, settings), self._storage, settings, self._token)
        self._secret = (settings.data_dir / TOKEN_FILE).read_text(encoding="ascii").strip()

    def ask(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        return asyncio.run(self._ask(method, target, body))

    async def _ask(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        raw, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(raw),
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "headers": [
                (b"authorization", f"Bearer {self._secret}".encode()),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
            "client": None,
            "server": None,
        }
        status, answer = 0, bytearray()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                answer.extend(message.get("body", b""))

        await self._app(scope, receive, send)
        return status, bytes(answer)

    def close(self) -> None:
        self._storage.close()
