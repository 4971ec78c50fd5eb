"""Voicemail: a greeting, a beep, and the message as a file in a directory.

    python examples/voicemail.py --inbox messages --account "$(cat offhook-data/dev-account)"

Set a number's `voice_start` to http://127.0.0.1:8080/start.
"""

import base64
from pathlib import Path

import aiohttp
from aiohttp import web
from serving import Options, answer, serve

routes = web.RouteTableDef()


@routes.post("/start")
async def start(request: web.Request) -> web.Response:
    """Greeting, beep, recording: three seconds of silence, or hanging up, end it."""
    here = request.url.origin()
    record = {"record": f"{here}/message", "timelimit": 60, "next": {"play": f"{here}/sounds/thanks.wav"}}
    return answer({"play": f"{here}/sounds/greeting.wav", "next": {"play": "sound/beep", "next": record}})


@routes.post("/message")
async def message(request: web.Request) -> web.Response:
    """A message is ready: fetch it with the account's id and secret, and keep it."""
    said = await request.post()
    options = request.app[Options]
    content = await fetch(str(said["wav"]), options.account)
    path = keep(Path(options.inbox), f"{str(said['from']).lstrip('+')}-{said['callid']}.wav", content)
    print("kept", path)
    return answer()


async def fetch(url: str, account: str) -> bytes:
    """A recording; who asks must be the account that it belongs to."""
    credentials = base64.b64encode(account.encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as recording:
        recording.raise_for_status()
        return await recording.read()


def keep(inbox: Path, name: str, content: bytes) -> Path:
    """Write a file into the inbox."""
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / name).write_bytes(content)
    return inbox / name


if __name__ == "__main__":
    serve(__doc__, routes, inbox="the directory for messages", account="ID:SECRET of the account")
