"""A PIN by telephone, in DIDforSale's words: the customer is called and hears the digits that your web site asks for.

    python examples/spoken_pin.py --number 18005797676 --api http://127.0.0.1:8046 --apikey SECRET

Then: curl http://127.0.0.1:8080/authenticate --data-urlencode customer=19499300360

The document is made for the one call and fetched when the customer has answered.
"""

import secrets
from xml.sax.saxutils import escape

import aiohttp
from aiohttp import web
from serving import Options, serve

routes = web.RouteTableDef()
pins = web.AppKey("pins", dict[str, str])


@routes.post("/authenticate")
async def authenticate(request: web.Request) -> web.Response:
    """Call the customer with a PIN of four digits; a web site would now show a field to type it into."""
    options = request.app[Options]
    customer = str((await request.post())["customer"])
    pin = options.pin or f"{secrets.randbelow(10_000):04}"
    order = {
        "apikey": options.apikey,
        "from": options.number,
        "to": customer,
        "url": f"{request.url.origin()}/{customer}-authenticate.xml?pin={pin}",
        "Method": "GET",
    }
    url = f"{options.api}/didforsaleapi/index.php/api/V2/CallTermination/"
    async with aiohttp.ClientSession() as session, session.post(url, data=order) as made:
        return web.Response(status=made.status, text=await made.text(), content_type="application/json")


@routes.get("/{customer}-authenticate.xml")
async def document(request: web.Request) -> web.Response:
    """What the customer hears. Blanks between the digits have them read one by one, the last two as a number."""
    pin = request.query["pin"]
    spoken = escape(f"Your pin is {pin[0]} {pin[1]} {pin[2:]}")
    return web.Response(text=f"<Response><say>{spoken}</say></Response>", content_type="text/xml")


if __name__ == "__main__":
    serve(
        __doc__,
        routes,
        number="the number that the customer sees",
        api="where Offhook is",
        apikey="the API key of the account",
        pin=("", "always this PIN, for trying it out"),
    )
