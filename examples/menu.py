"""A menu: 1 for sales, 2 for support, and patience with whoever presses something else.

    python examples/menu.py --sales +4600101 --support +4600102

Set a number's `voice_start` to http://127.0.0.1:8080/start.
"""

from aiohttp import web
from serving import Options, answer, serve

routes = web.RouteTableDef()


@routes.post("/start")
async def start(request: web.Request) -> web.Response:
    """Play the menu twice at most. The two keys lead straight to a number; everything else is asked about."""
    here, options = request.url.origin(), request.app[Options]
    return answer(
        {
            "ivr": f"{here}/sounds/menu.wav",
            "timeout": 5,
            "repeat": 2,
            "1": {"connect": options.sales, "timeout": 20},
            "2": {"connect": options.support, "timeout": 20},
            "next": f"{here}/other",
        }
    )


@routes.post("/other")
async def other(request: web.Request) -> web.Response:
    """No key at all (`result` is `failed`): say goodbye. Another key: say so, and begin again."""
    here = request.url.origin()
    if (await request.post())["result"] == "failed":
        return answer({"play": f"{here}/sounds/goodbye.wav"})
    return answer({"play": f"{here}/sounds/no-such-key.wav", "next": f"{here}/start"})


if __name__ == "__main__":
    serve(__doc__, routes, sales="the number behind key 1", support="the number behind key 2")
