"""`/v1/restart`: the server's process is replaced by a new one, while calls go on."""

from typing import Any

from fastapi import APIRouter

from offhook.web.api.native_request import Admin

__all__ = ["router"]

router = APIRouter(prefix="/v1/restart", tags=["status"])


@router.post("", status_code=202)
async def restart(caller: Admin) -> dict[str, Any]:
    """Replaces the server's process by a new one, for an upgrade: calls go on. `instance` is the one that goes."""
    instance = caller.native.server.status()["instance"]
    caller.native.server.restart()
    return {"instance": instance}
