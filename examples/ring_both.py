"""Two phones ring at once, and the first to answer has the call.

    python examples/ring_both.py --first +4600101 --second +4600102

Set a number's `voice_start` to http://127.0.0.1:8080/start.
"""

from aiohttp import web
from serving import Options, answer, serve

routes = web.RouteTableDef()


@routes.post("/start")
async def start(request: web.Request) -> web.Response:
    """Numbers with commas between them ring together. Nobody answers within 20 seconds, or all are busy: say so."""
    options = request.app[Options]
    sorry = {"play": f"{request.url.origin()}/sounds/sorry.wav"}
    return answer({"connect": f"{options.first},{options.second}", "timeout": 20, "busy": sorry, "failed": sorry})


if __name__ == "__main__":
    serve(__doc__, routes, first="a number", second="another")
