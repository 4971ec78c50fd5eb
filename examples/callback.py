"""Call back with a whisper: a visitor leaves a number, a colleague hears who it is about, then both are connected.

    python examples/callback.py --colleague +4600101 --number +46101234567 \\
        --api http://127.0.0.1:8046 --account "$(cat offhook-data/dev-account)"

Then, as the form on your web site would: curl http://127.0.0.1:8080/callback --data-urlencode customer=+4600102
"""

import base64
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from serving import Options, answer, serve

routes = web.RouteTableDef()


@routes.post("/callback")
async def callback(request: web.Request) -> web.Response:
    """Call the colleague. When they answer, `/whisper` says what happens; it is told the customer in its URL."""
    options = request.app[Options]
    customer = urlencode({"customer": str((await request.post())["customer"])})
    order = {
        "from": options.number,
        "to": options.colleague,
        "voice_start": f"{request.url.origin()}/whisper?{customer}",
    }
    credentials = base64.b64encode(options.account.encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    url = f"{options.api}/a1/calls"
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=order) as made:
        return web.Response(status=made.status, text=await made.text())


@routes.post("/whisper")
async def whisper(request: web.Request) -> web.Response:
    """The colleague answered and alone hears this; then the customer is called, and sees our number."""
    connect = {"connect": request.query["customer"], "callerid": request.app[Options].number, "timeout": 30}
    return answer({"play": f"{request.url.origin()}/sounds/whisper.wav", "skippable": False, "next": connect})


if __name__ == "__main__":
    serve(
        __doc__,
        routes,
        colleague="who is called first",
        number="the number that both see",
        api="where Offhook is",
        account="ID:SECRET of the account",
    )
