"""`/v1`: everything, as our own command line and console use it; described by `/openapi.json`.

For the operator (Bearer token of `admin.token`) all of it, for an account (Basic) what is its own.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

import offhook
from offhook.config import Settings
from offhook.storage.store import Storage
from offhook.storage.writer import StorageUnavailable
from offhook.web.api import (
    native_accounts,
    native_calls,
    native_changes,
    native_deliveries,
    native_events,
    native_numbers,
    native_restart,
    native_rooms,
    native_speech,
)
from offhook.web.api.native_request import Admin, Native, NativeError
from offhook.web.auth import AdminToken
from offhook.web.event_stream import Streams
from offhook.web.port import ServerPort

__all__ = ["create_native"]

log = logging.getLogger(__name__)

HEADERS: Mapping[int, Mapping[str, str]] = MappingProxyType(
    {401: {"WWW-Authenticate": 'Basic realm="offhook", Bearer realm="offhook"'}, 503: {"Retry-After": "1"}}
)
"""What goes with a status: how to say who one is (RFC 9110 section 15.5.2), when to come again."""
MESSAGE_MOST_CHARS = 1000
MISTAKES_MOST = 10
"""As many as are told at a time."""


def create_native(
    server: ServerPort, storage: Storage, settings: Settings, token: AdminToken, streams: Streams | None = None
) -> FastAPI:
    """The ASGI application of `/v1` and `/openapi.json`."""
    app = FastAPI(
        title="Offhook",
        version="1",
        description=offhook.__doc__ or "",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        # `/v1/calls/` is no address of ours. A redirect would be made of the request's Host, without TLS.
        redirect_slashes=False,
    )
    app.state.native = Native(
        server=server, storage=storage, settings=settings, token=token, streams=streams or Streams()
    )
    app.include_router(native_accounts.router)
    app.include_router(native_numbers.router)
    app.include_router(native_calls.router)
    app.include_router(native_changes.router)
    app.include_router(native_events.router)
    app.include_router(native_deliveries.router)
    app.include_router(native_rooms.router)
    app.include_router(native_restart.router)
    app.include_router(native_speech.router)
    app.get("/v1/status", tags=["status"])(status)
    app.add_exception_handler(NativeError, _native_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(StorageUnavailable, _storage_error)
    app.add_exception_handler(Exception, _fault)
    return app


async def status(caller: Admin) -> dict[str, Any]:
    """How the server is: whether calls can be made and why not, storage, figures."""
    native = caller.native
    health = native.storage.writer.health()
    return {
        "not_ready": native.server.not_ready(),
        "storage": {
            "pending": health.pending,
            "failing": health.failing_since is not None,
            "error": health.error,
            "dropped": health.dropped,
        },
        "server": dict(native.server.status()),
    }


def _error(
    status_code: int, name: str, message: str, headers: Mapping[str, str] = MappingProxyType({})
) -> JSONResponse:
    said = {"error": {"name": name, "message": _sayable(message)}}
    return JSONResponse(said, status_code, {**HEADERS.get(status_code, {}), **headers})


def _sayable(message: str) -> str:
    """A message quotes what was sent: half characters, which UTF-8 does not have, or a hundred thousand whole ones."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in message)
    half = MESSAGE_MOST_CHARS // 2
    return clean if len(clean) <= MESSAGE_MOST_CHARS else f"{clean[:half]} … {clean[-half:]}"


async def _native_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, NativeError)
    return _error(error.status, error.name, error.message)


async def _validation_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    return _error(400, "invalid_request", "; ".join(map(_mistake, error.errors()[:MISTAKES_MOST])))


def _mistake(entry: Mapping[str, Any]) -> str:
    """One mistake, with its place."""
    place = ".".join(map(str, entry["loc"][1:]))
    if entry["type"] == "json_invalid":
        return f"the body is no JSON: {entry['ctx']['error']}, at character {place}"
    if entry["loc"] == ("body",):
        return "the body: send a JSON object, with Content-Type: application/json"
    if entry["type"] == "extra_forbidden":
        return f"{place}: there is no such key; /openapi.json names those that there are"
    return f"{place}: {entry['msg']}"


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    names = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    return _error(
        error.status_code,
        names.get(error.status_code, "http_error"),
        f"{error.detail}; see /openapi.json",
        error.headers or {},
    )


async def _storage_error(_request: Request, error: Exception) -> JSONResponse:
    log.error("a change could not be made durable in time: %s", error)
    return _error(503, "storage_unavailable", f"the change is not stored yet ({error}); ask before repeating it")


async def _fault(_request: Request, error: Exception) -> JSONResponse:
    log.error("a request of /v1 failed", exc_info=error)
    return _error(500, "internal_error", "a fault of ours; the server's log has it")
