"""A voice application: Offhook asks it what a caller hears and where a key leads, and it answers with JSON.

    python app.py --sounds DIRECTORY --colleague +4600102

Whoever is called hears menu.wav; key 1 leads to the colleague; the whole call is recorded.
"""

import argparse
import json

from aiohttp import web
from aiohttp.typedefs import Handler

COLLEAGUE = web.AppKey("colleague", str)


async def start(request: web.Request) -> web.Response:
    """The call was answered: play the menu, wait for a key, and record everything from here on."""
    here = request.url.origin()
    menu = {"ivr": f"{here}/sounds/menu.wav", "digits": 1, "timeout": 10, "next": f"{here}/key"}
    return web.json_response({**menu, "recordcall": f"{here}/recorded"})


async def key(request: web.Request) -> web.Response:
    """`result` is the key that was pressed, or `failed` if there was none in time."""
    result = (await request.post())["result"]
    if result == "1":
        return web.json_response({"connect": request.app[COLLEAGUE], "timeout": 20})
    return web.json_response({"play": "sound/beep"})


async def told(_: web.Request) -> web.Response:
    """A recording is ready, or the call is over: there is nothing to say to that."""
    return web.Response()


@web.middleware
async def show(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Print every webhook: its path, and what it says."""
    if request.method == "POST":
        print("webhook", request.path, json.dumps(dict(await request.post())), flush=True)
    return await handler(request)


def main() -> None:
    """Serve until Ctrl-C."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=8080)
    options.add_argument("--sounds", required=True, help="a directory with menu.wav")
    options.add_argument("--colleague", required=True, help="the number that key 1 leads to")
    given = options.parse_args()
    app = web.Application(middlewares=[show])
    app[COLLEAGUE] = given.colleague
    app.add_routes([web.post("/start", start), web.post("/key", key), web.static("/sounds", given.sounds)])
    app.add_routes([web.post("/recorded", told), web.post("/over", told)])
    web.run_app(app, host="127.0.0.1", port=given.port)


if __name__ == "__main__":
    main()
