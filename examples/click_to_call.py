"""Click to call, in DIDforSale's words: a visitor leaves a number, is called, and talks to the call centre at once.

    python examples/click_to_call.py --center 18005797676 --api http://127.0.0.1:8046 --apikey SECRET

Then, as the button on your web site would: curl http://127.0.0.1:8080/call --data-urlencode customer=19499300360

No `url` goes with the request, so whoever answers is connected to the FROM number. `--digits WWWW101` keys in an
extension for a customer behind a switchboard: four seconds after the answer, 101.
"""

import aiohttp
from aiohttp import web
from serving import Options, serve

routes = web.RouteTableDef()


@routes.post("/call")
async def call(request: web.Request) -> web.Response:
    """Call the customer. What becomes of both legs is told to `/events`."""
    options = request.app[Options]
    order = {
        "apikey": options.apikey,
        "from": options.center,
        "to": str((await request.post())["customer"]),
        "senddigits": options.digits,
        "statusCallback": f"{request.url.origin()}/events",
        "statusCallbackEvent": "initiated,ringing,answered,completed",
        "secretKey": "proves-who-calls-back",
        "optional": "token=123456",
    }
    url = f"{options.api}/didforsaleapi/index.php/api/V2/CallTermination/"
    async with aiohttp.ClientSession() as session, session.post(url, data=order) as made:
        return web.Response(status=made.status, text=await made.text(), content_type="application/json")


@routes.post("/events")
async def events(request: web.Request) -> web.Response:
    """One event of one leg; `Called` says which. The key is the one that went with the request."""
    told = await request.post()
    return web.Response(status=200 if told["apikey"] == "proves-who-calls-back" else 403)


if __name__ == "__main__":
    serve(
        __doc__,
        routes,
        center="the call centre's number, which the customer sees",
        api="where Offhook is",
        apikey="the API key of the account",
        digits=("", "keys sent when the customer answers"),
    )
