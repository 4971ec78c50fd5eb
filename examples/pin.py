"""An announcement behind a PIN, with three tries.

    python examples/pin.py --pin 4711

Set a number's `voice_start` to http://127.0.0.1:8080/start.
"""

import hmac

from aiohttp import web
from serving import Options, answer, serve

TRIES = 3
routes = web.RouteTableDef()


@routes.post("/start")
async def start(request: web.Request) -> web.Response:
    """Ask for the PIN; `#` ends it early. Which try it is travels in the URL, so nothing has to be remembered here."""
    here, attempt = request.url.origin(), int(request.query.get("try", "1"))
    digits = len(request.app[Options].pin)
    ask = f"{here}/sounds/pin.wav"
    return answer({"ivr": ask, "digits": digits, "timeout": 8, "repeat": 1, "next": f"{here}/check?try={attempt}"})


@routes.post("/check")
async def check(request: web.Request) -> web.Response:
    """Right: the announcement. Wrong, or nothing keyed in: again, until the tries are used up."""
    here, attempt = request.url.origin(), int(request.query["try"])
    keyed = str((await request.post())["result"])
    if hmac.compare_digest(keyed, request.app[Options].pin):
        return answer({"play": f"{here}/sounds/announcement.wav"})
    if attempt < TRIES:
        return answer({"play": f"{here}/sounds/wrong.wav", "next": f"{here}/start?try={attempt + 1}"})
    return answer({"hangup": "reject"})


if __name__ == "__main__":
    serve(__doc__, routes, pin="the digits to key in")
