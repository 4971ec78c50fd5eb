"""`/a1/recordings`: list, show, and the WAV itself. Spec: 46elks `get-recordings`, `get-recording-id`."""

import hmac
import re
from typing import Any
from urllib.parse import parse_qs

from starlette.responses import FileResponse
from starlette.types import Scope

from offhook.flow import ids
from offhook.flow.dialects.elks_words import stored_time
from offhook.flow.view import CallId
from offhook.storage.directory import utc_now
from offhook.storage.records import recording_by_id, recordings_page
from offhook.storage.rows import AccountRow, RecordingRow
from offhook.web.api.elks_calls import settled
from offhook.web.api.elks_request import Bounds, Elks, ElksRequest, not_found, paged

__all__ = ["handle", "linked", "recording_object"]

_PATH = re.compile(r"/a1/recordings/c([0-9a-f]{32})-r([0-9]{1,4})\.wav")
_NAME = re.compile(r"c([0-9a-f]{32})-r([0-9]{1,4})(\.wav)?")


async def handle(elks: Elks, request: ElksRequest) -> dict[str, Any] | None:
    """Any request below `/a1/recordings`; `None`: the file was sent. Raises `ElksError`."""
    match request.method, request.parts:
        case "GET", ():
            return await _list(elks, request)
        case "GET", (name,):
            match = _NAME.fullmatch(name.lower())
            if match is None:
                raise not_found()
            row = await _row(elks, request, match[1], int(match[2]))
            if match[3] is None:
                return recording_object(row)
            await _send_file(elks, request, row)
            return None
        case _:
            raise not_found()


async def linked(elks: Elks, scope: Scope) -> AccountRow | None:
    """Whose recording it is that a link asks for which needs no credentials; `None`: no such link."""
    keys = parse_qs(scope["query_string"].decode("latin-1")).get("key", [])
    match = _PATH.fullmatch(scope["path"].lower())
    if scope["method"] not in ("GET", "HEAD") or match is None or len(keys) != 1:
        return None
    name = ids.recording_id(CallId(match[1]), int(match[2]))
    if not hmac.compare_digest(elks.storage.key.link_key(name).encode(), keys[0].encode()):
        return None
    await settled(elks)
    now = utc_now()
    row = await elks.storage.read(lambda connection: recording_by_id(connection, match[1], int(match[2]), now))
    return None if row is None else elks.storage.directory.account(row.owner)


def recording_object(row: RecordingRow) -> dict[str, Any]:
    """A finished recording."""
    return {
        "id": ids.recording_id(CallId(row.call_id), row.number),
        "callid": ids.call_id(CallId(row.call_id)),
        "created": stored_time(row.created),
        "duration": round(row.duration_s),
        "bytes": row.bytes,
    }


async def _list(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    bounds, owner, now = Bounds.of(request), request.account.id, utc_now()
    await settled(elks)
    page = await elks.storage.read(
        lambda connection: recordings_page(
            connection, owner, now, before=bounds.before, after=bounds.after, limit=bounds.limit
        )
    )
    return paged(page, recording_object)


async def _row(elks: Elks, request: ElksRequest, identifier: str, number: int) -> RecordingRow:
    await settled(elks)
    now = utc_now()
    row = await elks.storage.read(lambda connection: recording_by_id(connection, identifier, number, now))
    if row is None or row.owner != request.account.id:
        raise not_found()
    return row


async def _send_file(elks: Elks, request: ElksRequest, row: RecordingRow) -> None:
    path = elks.storage.recordings_dir / row.path
    if not path.is_file():
        raise not_found()
    await FileResponse(path, media_type="audio/wav")(request.scope, request.receive, request.send)
