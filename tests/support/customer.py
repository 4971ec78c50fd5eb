"""A customer's web application, scripted: answers webhooks as a test says, serves sound, remembers everything."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

__all__ = ["Customer", "Hook", "customer"]

WAIT_S = 15.0

Answer = Any
"""A dict (sent as JSON), text, bytes, a `web.Response`, or a function of the hook that gives one of those."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One request that came in."""

    path: str
    target: str
    """Path and query as they came."""
    method: str
    fields: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float
    """Loop time, seconds."""


@dataclass(slots=True)
class Customer:
    """The application while it runs."""

    url: str
    answers: dict[str, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    hooks: list[Hook] = field(default_factory=list)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def on(self, path: str, *answers: Answer) -> str:
        """Answer requests to `path`, one answer after another; the last one stays. Returns the URL."""
        self.answers[path] = list(answers)
        return self.url + path

    def serve(self, path: str, content: bytes, content_type: str = "audio/wav") -> str:
        """Serve a file. Returns its URL."""
        return self.on(path, lambda _: web.Response(body=content, content_type=content_type))

    def got(self, path: str) -> list[Hook]:
        """The requests for a path so far."""
        return [hook for hook in self.hooks if hook.path == path]

    async def hook(self, path: str, count: int = 1, within_s: float = WAIT_S) -> Hook:
        """Wait for the `count`th request for a path."""

        def there() -> bool:
            return len(self.got(path)) >= count

        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait_for(there), within_s)
            except TimeoutError:
                paths = [f"{hook.method} {hook.path} {hook.fields}" for hook in self.hooks]
                raise AssertionError(
                    f"no request number {count} for {path} within {within_s} s; came: {paths}"
                ) from None
        return self.got(path)[count - 1]

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Record a request and answer it."""
        body = await request.read()
        posted = await request.post() if request.method == "POST" else request.query
        hook = Hook(
            path=request.path,
            target=request.raw_path,
            method=request.method,
            fields={name: str(value) for name, value in posted.items()},
            headers=dict(request.headers),
            body=body,
            at=asyncio.get_running_loop().time(),
        )
        async with self._changed:
            self.hooks.append(hook)
            self._changed.notify_all()
        waiting = self.answers.get(request.path)
        if not waiting:
            return web.Response(status=404, text="nothing here")
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return await _response(answer, hook)


async def _response(answer: Answer, hook: Hook) -> web.StreamResponse:
    if callable(answer):
        made: Callable[[Hook], Any] = answer
        answer = made(hook)
    if isinstance(answer, Awaitable):
        answer = await answer
    if isinstance(answer, web.StreamResponse):
        return answer
    if isinstance(answer, bytes):
        return web.Response(body=answer)
    if isinstance(answer, str):
        return web.Response(text=answer)
    return web.Response(text=json.dumps(answer), content_type="application/json")


@asynccontextmanager
async def customer() -> AsyncIterator[Customer]:
    """A customer's application on a free loopback port."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    runner = web.AppRunner(app, handler_cancellation=True)
    made: list[Customer] = []

    async def take(request: web.Request) -> web.StreamResponse:
        return await made[0].take(request)

    app.router.add_route("*", "/{rest:.*}", take)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    made.append(Customer(f"http://{host}:{port}"))
    try:
        yield made[0]
    finally:
        await runner.cleanup()
