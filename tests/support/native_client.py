"""Asks `/v1` of a world: as the operator unless told who."""

import json
from typing import Any

from tests.support.asgi import ask, basic
from tests.support.rest_cases import SECRET, World

__all__ = ["Client"]


class Client:
    """One application, asked again and again."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.app = world.app()
        self.token = (world.storage.data_dir / "admin.token").read_text().strip()

    async def __call__(self, method: str, target: str, body: Any = None, *, account: str | None = None) -> Any:
        """Status and JSON."""
        headers = {"authorization": f"Bearer {self.token}"} if account is None else basic(account, SECRET)
        sent = b"" if body is None else json.dumps(body).encode()
        if sent:
            headers["content-type"] = "application/json"
        reply = await ask(self.app, method, target, sent, headers)
        return reply.status, json.loads(reply.body)

    async def ok(self, method: str, target: str, body: Any = None, *, account: str | None = None) -> Any:
        """The JSON of a 200."""
        status, value = await self(method, target, body, account=account)
        assert status == 200, value
        return value

    async def error(self, method: str, target: str, body: Any = None, *, account: str | None = None) -> tuple[int, str]:
        """Status and name of an error."""
        status, value = await self(method, target, body, account=account)
        assert value["error"]["message"]
        return status, value["error"]["name"]
