"""The log of a real run, with everything in it that is nobody's to read: calls, phones, trunks, webhooks, mistakes.

What must not stand there: secrets of the API, passwords of SIP, shared keys in URLs, whole numbers of people, keys that
were pressed. The same run shows that a timeline keeps them to itself too.
"""

import json
from pathlib import Path

import pytest
from aiohttp import web
from tests.support.asgi import basic
from tests.support.customer import customer
from tests.support.line import Line, line_on
from tests.support.server import ACCOUNT, SECRET, Server, server
from tests.support.sip_party import Party, party

from offhook.runtime.sip_driver import now
from offhook.sip import events as sip
from offhook.sip.commands import Account, RegistrationOrder
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.uri import Uri

pytestmark = pytest.mark.native

CARD = "4111735290168842"
APIKEY, URL_PASSWORD, BODY_SECRET = "k3y-5ecret-of-a-url", "pa55word-of-a-url", "5ecret-of-a-document"
TRUNK_PASSWORD, WRONG_PASSWORD = "pa55word-of-a-trunk", "pa55word-that-is-wrong"
STRANGER, PHONE = "+46735290168", "+460012345"


def with_secrets(url: str) -> str:
    return f"{url.replace('http://', f'http://user:{URL_PASSWORD}@')}?apikey={APIKEY}"


async def registered(there: Party, at: Server, user: str, password: str, domain: str) -> sip.RegistrationChanged:
    """What becomes of a phone's registration."""
    host, port = at.sip["udp"]
    there.endpoint.register(
        RegistrationOrder(
            registrar=Uri.sip(None, domain),
            aor=NameAddr(uri=Uri.sip(user, domain)),
            account=Account(username=user, password=password),
            routes=(Uri.parse(f"sip:{host}:{port};lr"),),
        ),
        now(),
    )
    there.say()
    while True:
        change = await there.wait(sip.RegistrationChanged, 15.0)
        if change.state not in (sip.RegistrationState.REGISTERING, sip.RegistrationState.NEW):
            return change


async def phones(running: Server, there: Party) -> str:
    """One that registers, one with a wrong password, one that does not exist; returns the right password."""
    _, made = await running.v1("POST", "/phones", {"number": PHONE, "account": ACCOUNT})
    user = PHONE.removeprefix("+")
    right = await registered(there, running, user, made["secret"], made["domain"])
    assert right.state is sip.RegistrationState.REGISTERED
    assert (await registered(there, running, user, WRONG_PASSWORD, made["domain"])).status == 401
    assert (await registered(there, running, "4600987654", WRONG_PASSWORD, made["domain"])).status == 401
    return str(made["secret"])


async def trunk_that_registers(running: Server, there: Party) -> None:
    """Ours, at a registrar that takes no password."""
    address = f"sip:{there.address[0]}:{there.address[1]}"
    body = {"name": "registering", "address": address, "username": "us", "password": TRUNK_PASSWORD, "register": True}
    status, answer = await running.v1("POST", "/trunks", body)
    assert status == 200, answer
    asked = await there.wait(sip.RegisterReceived, 15.0)
    there.endpoint.challenge(asked.handle, now())
    there.say()
    again = await there.wait(sip.RegisterReceived, 15.0)
    there.endpoint.reject_request(again.handle, 403, now())
    there.say()


async def card_is_typed(line: Line) -> str:
    """A call whose flow gathers a card number, from a webhook with secrets to one that fails. Its id."""
    document = {
        "ivr": "sound/beep", "digits": len(CARD), "apikey": BODY_SECRET,
        "next": with_secrets(line.on("/next", lambda _: web.Response(status=500))),
    }  # fmt: skip
    line.on("/start", document)
    cid, party = await line.talks(with_secrets(line.url("/start")), whenhangup=with_secrets(line.on("/end", "")))
    await party.voice.press(CARD)
    assert (await line.hook("/next")).fields["result"] == CARD
    await party.hung_up()
    await line.hook("/end")
    await line.over(cid)
    return cid


async def mistakes(running: Server, line: Line) -> None:
    """Wrong credentials, wrong requests, strangers and numbers that are nobody's."""
    for headers in (basic(ACCOUNT, WRONG_PASSWORD), {"Authorization": f"Bearer {WRONG_PASSWORD}"}):
        for path in ("/a1/me", "/v1/calls"):
            async with running.session.get(running.http + path, headers=headers) as answer:
                assert answer.status == 401
    await line.a1("POST", "/calls", from_="x", to=STRANGER, voice_start=with_secrets("http://a.invalid/"))
    unknown = line.peer.invite(STRANGER, (await line.voice()).sdp)
    await unknown.refused(404)


async def secrets_of(running: Server, line: Line, more: list[str]) -> dict[str, str]:
    number_of = {"number": line.number, "far": line.far(), "stranger": STRANGER, "phone": PHONE}
    return {
        "account": SECRET, "line": line.secret, "token": running.admin_token, "card": CARD, "url key": APIKEY,
        "url password": URL_PASSWORD, "document": BODY_SECRET, "trunk": TRUNK_PASSWORD, "wrong": WRONG_PASSWORD,
        **{name: number.removeprefix("+") for name, number in number_of.items()},
        **{f"more {at}": each for at, each in enumerate(more)},
    }  # fmt: skip


def found(text: str, wanted: dict[str, str]) -> list[str]:
    return sorted(name for name, secret in wanted.items() if secret in text)


async def test_a_log_holds_no_secret_and_no_whole_number(tmp_path: Path) -> None:
    settings = {"webhook_timeout_s": "2", "mask_digits": "true"}
    async with (
        customer() as app,
        server(tmp_path / "data", **settings) as running,
        line_on(running, app) as line,
        party() as carrier,
        party() as phone,
    ):
        password = await phones(running, phone)
        await trunk_that_registers(running, carrier)
        call = await card_is_typed(line)
        await mistakes(running, line)
        exported = await export(running, call)
        secrets = await secrets_of(running, line, [password])
    log = running.log_path.read_text(encoding="utf-8")
    for happened in ("phone.bindings", "phone.refused", "trunk.registration", "call.no_number"):
        assert happened in log, "the run was not what it should have been"
    assert found(log, secrets) == []
    kept = {name: secret for name, secret in secrets.items() if name not in ("number", "far", "line", "account")}
    assert found(exported, kept) == []
    assert {"verb.ended", "hook.tries", "sip.sent"} <= {entry["kind"] for entry in json.loads(exported)["events"]}


async def export(running: Server, call: str) -> str:
    """All that is kept of a call, as text."""
    status, answer = await running.v1("GET", f"/calls/{call}/export")
    assert status == 200
    return json.dumps(answer)
