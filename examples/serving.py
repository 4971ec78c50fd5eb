"""What the examples share and yours need not: reading options and starting a web server."""

import argparse
import json

import sounds
from aiohttp import web
from aiohttp.typedefs import Handler

Options = web.AppKey("Options", argparse.Namespace)
"""What the command line said: `request.app[Options].port`."""


def answer(*actions: object) -> web.Response:
    """JSON for a webhook; without an action, an empty answer, which ends the call."""
    return web.json_response(actions[0]) if actions else web.Response()


def serve(description: str, routes: web.RouteTableDef, **options: str | tuple[str, str]) -> None:
    """Serve until Ctrl-C. Each option, named here with its help, must be given on the command line; one with a default
    before its help may be."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8080, help="where webhooks come in, on loopback")
    for name, said in options.items():
        if isinstance(said, tuple):
            parser.add_argument(f"--{name}", default=said[0], help=said[1])
        else:
            parser.add_argument(f"--{name}", required=True, help=said)
    app = web.Application(middlewares=[_show])
    app[Options] = parser.parse_args()
    app.add_routes(routes)
    app.add_routes(sounds.routes)
    web.run_app(app, host="127.0.0.1", port=app[Options].port)


@web.middleware
async def _show(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method == "POST":
        print(request.path_qs, json.dumps({name: str(value) for name, value in (await request.post()).items()}))
    return await handler(request)
