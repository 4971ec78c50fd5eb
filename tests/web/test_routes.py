"""Every route there is asks who is there, but for those that are open on purpose (docs/reference/http.md)."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.support.asgi import ask, basic
from tests.support.rest_cases import MAIN, World

from offhook.web.api import elks
from offhook.web.api.didforsale_request import DIDFORSALE_PATHS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "http.md"
SOURCE = Path(__file__).parents[2] / "src" / "offhook" / "web"
OPEN = {"GET /healthz", "GET /readyz", "GET /openapi.json"}
"""No secret, no customer's datum: what a load balancer asks, and the description that is public anyway."""
WRONG: dict[str, dict[str, str]] = {
    "nothing": {},
    "a wrong secret": basic(MAIN, "x" * 32),
    "an account that does not exist": basic("u" + "9" * 32, "S" * 32),
    "a wrong token": {"authorization": "Bearer " + "x" * 43},
    "an empty token": {"authorization": "Bearer "},
    "garbage": {"authorization": "Basic !!!"},
}


def paths(template: str) -> str:
    return re.sub(r"\{[^}]*\}", "0" * 32, template)


async def made(world: World) -> list[str]:
    """Method and path of all routes, from the application itself."""
    app: Any = world.app()
    native: Any = await app._native_app()
    described = native.openapi()["paths"]
    found = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    for resource in elks.RESOURCES:
        for method in ("GET", "POST", "PUT", "DELETE"):
            found |= {f"{method} /a1/{resource}", f"{method} /a1/{resource}/{{id}}"}
    return sorted(found | {f"POST {path}" for path in DIDFORSALE_PATHS})


async def test_all_that_is_documented_is_among_them(world: World) -> None:
    documented = set(re.findall(r"^\| `(\w+ /[^`]*)`", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE))
    known = {paths(route) for route in [*await made(world), *OPEN]}
    assert {paths(route).removesuffix(".wav") for route in documented} <= known


async def test_no_route_hides_from_its_description() -> None:
    hiding = [page for page in SOURCE.rglob("*.py") if "include_in_schema" in page.read_text(encoding="utf-8")]
    assert hiding == []


@pytest.mark.parametrize("credentials", WRONG)
async def test_no_route_answers_to_strangers(world: World, credentials: str) -> None:
    app = world.app()
    routes = [route for route in await made(world) if route not in OPEN]
    assert len(routes) > 40
    answered = {}
    for route in routes:
        method, _, path = route.partition(" ")
        reply = await ask(app, method, paths(path), headers=WRONG[credentials])
        answered[route] = reply.status
    assert {route: status for route, status in answered.items() if status != 401} == {}


async def test_what_is_open_is_only_what_is_said_to_be(world: World) -> None:
    app = world.app()
    for route in OPEN:
        method, _, path = route.partition(" ")
        assert (await ask(app, method, path)).status == 200, route
