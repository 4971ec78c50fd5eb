"""The REST API and real calls together: what is set there happens on the line, and what happened is shown there."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.digest import authorization
from tests.support.line import Line, Party, pairs
from tests.support.sip_peer import SipPeer, Talk, sip_peer, token
from tests.support.sound_checks import voice
from tests.support.topics import topic

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOST = "127.0.0.1"


@asynccontextmanager
async def phone(line: Line, user: str, secret: str) -> AsyncIterator[SipPeer]:
    """A SIP phone that has registered."""
    async with sip_peer(line.peer.server) as peer:
        response = await register(peer, user, secret)
        assert response == 200
        yield peer


async def register(peer: SipPeer, user: str, secret: str) -> int:
    """REGISTER, answer the challenge, and say how that went."""
    uri = f"sip:{HOST}"
    aor = f"<sip:{user}@{HOST}>"
    talk = Talk(peer=peer, call_id=token(), local=f"{aor};tag={token()}", remote=aor, target=uri)
    talk.request("REGISTER", headers="Expires: 60")
    challenge = await talk.answered(401, 403, 404)
    if challenge.status != 401:
        return challenge.status
    proof = authorization(challenge.all("WWW-Authenticate")[-1], "REGISTER", uri, user, secret)
    talk.request("REGISTER", headers=f"Expires: 60\nAuthorization: {proof}")
    return (await talk.answered(200, 401, 403)).status


async def charged(line: Line) -> list[dict[str, Any]]:
    answer = await line.ok("GET", "/billing")
    return list(answer["data"])


# ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("rest calls")
async def test_official_curl(line: Line) -> None:
    """The service's own curl example, with `+` not encoded in `from`, `to` and the action: understood everywhere."""
    action = json.dumps({"connect": line.far(2)})
    body = f"from={line.number}&to={line.far()}&voice_start={action}".encode()
    status, made = await line.a1("POST", "/calls", body=body)
    assert status == 200, made
    assert (made["from"], made["to"], made["state"]) == (line.number, line.far(), "ongoing")
    assert list(made) == ["direction", "from", "created", "to", "state", "id"]
    a = await line.rings()
    await a.pick_up()
    b = await line.rings()
    assert f"{line.far(2)}@" in b.invite.uri
    await b.refuse(486)
    await a.hung_up()


@topic("rest calls")
async def test_by_get(line: Line) -> None:
    """`GET /a1/calls/POST?…` makes a call."""
    made = await line.ok(
        "GET", "//Calls/POST/", from_=line.number, to=line.far(), voice_start='{"hangup":"reject"}', colour="blue"
    )
    party = await line.rings()
    await party.pick_up()
    await party.hung_up()
    assert (await line.over(made["id"]))["actions"] == [{"hangup": "reject", "result": "ok"}]


@topic("rest calls")
async def test_ongoing_call_is_shown(line: Line) -> None:
    """A call that goes on is `ongoing`, cannot be deleted, and has `start` once it is answered; afterwards it can."""
    made = await line.place(voice_start='{"play":"sound/dialtone"}', timeout="7")
    shown = await line.call(made["id"])
    assert "start" not in shown
    assert (shown["state"], shown["timeout"], shown["owner"]) == ("ongoing", 7, line.account)
    assert shown["created"] == made["created"][:-3] + "000"
    party = await line.rings()
    await party.pick_up()
    await line.noted(made["id"], "leg.answered")
    assert "start" in await line.call(made["id"])
    assert (await line.a1("DELETE", f"/calls/{made['id']}"))[0] == 403
    await party.hang_up()
    await line.over(made["id"])
    deleted = await line.ok("DELETE", f"/calls/{made['id']}")
    assert deleted["id"] == made["id"]
    assert await line.a1("GET", f"/calls/{made['id']}") == (404, "Not found")


@topic("rest calls")
async def test_incoming_call_is_shown(line: Line) -> None:
    """An incoming call: `direction`, a hidden `from`, no `timeout`; the same fields while it lasts and afterwards."""
    start = line.on("/start", {"connect": line.far(), "next": {"play": "sound/dialtone"}})
    a = await line.calls_in(start, headers="Privacy: id")
    cid = (await line.hook("/start")).fields["callid"]
    b = await line.rings()
    await b.pick_up()
    await a.answered()
    await b.hang_up()
    await a.voice.hears_tone(425.0)
    live = await line.call(cid)
    leg = {"duration": 0, "to": line.far(), "state": "success", "from": "anonymous"}
    assert live == {
        "id": cid,
        "direction": "incoming",
        "from": "anonymous",
        "to": line.number,
        "created": live["created"],
        "state": "ongoing",
        "owner": line.account,
        "start": live["start"],
        "actions": [{"connect": line.far(), "result": "success"}],
        "legs": [{**leg, "duration": live["legs"][0]["duration"]}],
    }
    assert (await line.ok("GET", "/calls"))["data"] == [live]
    await a.hang_up()
    over = await line.over(cid)
    assert over.pop("duration") in range(5)
    last = {"play": "sound/dialtone", "result": "failed", "why": "hangup"}
    assert over == {**live, "state": "success", "actions": [*live["actions"], last]}


@topic("rest calls")
async def test_nowhere_to_go(line: Line) -> None:
    """A number that no trunk takes is no error of the request: the call fails, and `whenhangup` says so."""
    made = await line.place(to="+99912345678", voice_start=line.url("/start"), whenhangup=line.on("/end", ""))
    assert made["state"] in ("ongoing", "failed")
    assert dict(pairs(await line.hook("/end")))["state"] == "failed"
    assert line.got("/start") == []


@topic("rest lists")
async def test_walking_the_pages(line: Line) -> None:
    """Walking by `next` meets every call once, newest first, and ends where `next` is not there."""
    talks = []
    await line.runs({"hangup": "busy"})
    spoken = await line.voice()
    for n in range(7):
        talks.append(line.peer.invite(line.number, spoken.sdp, from_=f"+46709{n:06d}"))
    await asyncio.gather(*(talk.refused(486) for talk in talks))
    seen: list[str] = []
    page = await line.ok("GET", "/calls", limit=3, start="3000-01-01T00:00:00.000000", end="1970-01-01")
    while True:
        seen += [call["id"] for call in page["data"]]
        if "next" not in page:
            break
        page = await line.ok("GET", "/calls", limit=3, start=page["next"])
    assert len(seen) == len(set(seen)) == 7


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("rest numbers")
async def test_life_of_a_number(line: Line) -> None:
    """Allocated, configured, called, deallocated for ever: calls follow at once."""
    number = f"+4620{line.prefix[5:]}"
    await line.free_number(number)
    spoken = await line.voice()
    await line.peer.invite(number, spoken.sdp).refused(404)
    made = await line.ok("POST", "/numbers", country="se", capabilities="voice", number=number)
    assert (made["number"], made["active"], made["capabilities"]) == (number, "yes", ["voice"])
    await line.peer.invite(number, spoken.sdp).refused(480)
    for start, status in (('{"hangup":"busy"}', 486), ("none", 480), ('{"hangup":"404"}', 404), (" ", 480)):
        answer = await line.ok("POST", f"/Numbers/{made['id']}", voice_start=start)
        assert answer["voice_start"] == (start if start.startswith("{") else "")
        await line.peer.invite(number, spoken.sdp).refused(status)
    gone = await line.ok("POST", f"/numbers/{made['id']}", active="no")
    assert (gone["active"], "deallocated" in gone) == ("no", True)
    await line.peer.invite(number, spoken.sdp).refused(404)
    listed = {row["number"]: row["active"] for row in (await line.ok("GET", "/numbers"))["data"]}
    assert listed[number] == "no"
    assert await line.ok("GET", f"/numbers/{made['id']}") == gone
    assert (await line.a1("POST", f"/numbers/{made['id']}", voice_start='{"hangup":"busy"}'))[0] == 403


@topic("rest numbers")
async def test_phone_number(line: Line) -> None:
    """Category `voip`: a number `+4600…` and a secret that a SIP phone registers with; then it can be called."""
    made = await line.ok("POST", "/numbers", country="se", category="voip")
    number, secret = made["number"], made["secret"]
    assert number.startswith("+4600")
    assert all("secret" not in row for row in (await line.ok("GET", "/numbers"))["data"])
    async with sip_peer(line.peer.server) as stranger:
        assert await register(stranger, number[1:], "wrong") == 401
        assert await register(stranger, "4600000000000", secret) == 401
    a = await line.calls_in({"connect": number, "failed": {"hangup": "404"}})
    await a.talk.refused(404)
    async with phone(line, number[1:], secret) as registered:
        a = await line.calls_in({"connect": number})
        b = Party(await registered.called(), await line.voice())
        await b.pick_up()
        await a.answered()
        await b.voice.say(voice(31, 0.8))
        await a.voice.hears(voice(31, 0.6))
        await b.hang_up()
        await a.hung_up()


@topic("rest numbers")
async def test_originate_from_a_phone(line: Line) -> None:
    """The usual way out for a phone: POST /calls rings it first, then `connect` calls the other from its number."""
    made = await line.ok("POST", "/numbers", country="se", category="webrtc")
    async with phone(line, made["number"][1:], made["secret"]) as registered:
        start = json.dumps({"connect": line.far(), "callerid": line.number})
        await line.place(to=made["number"], voice_start=start)
        a = Party(await registered.called(), await line.voice())
        await a.pick_up()
        b = await line.rings()
        assert line.number in b.invite["From"]
        await b.pick_up()
        await a.voice.say(voice(32, 0.8))
        await b.voice.hears(voice(32, 0.6))
        await a.hang_up()
        await b.hung_up()


@topic("first webhook")
async def test_call_from_a_phone(line: Line) -> None:
    """A phone that dials asks its own number's `voice_start`: `from` is the phone, and the id has both its names."""
    made = await line.ok(
        "POST", "/numbers", country="se", category="voip", voice_start=line.on("/dial", {"hangup": "busy"})
    )
    user = made["number"][1:]
    async with phone(line, user, made["secret"]) as registered:
        spoken = await line.voice()
        uri = f"sip:{line.far()}@{HOST}"
        me = f"<sip:{user}@{HOST}>;tag={token()}"
        talk = Talk(peer=registered, call_id=token(), local=me, remote=f"<{uri}>", target=uri)
        talk.request("INVITE", spoken.sdp)
        challenge = await talk.refused(401, 407)
        name = "Authorization" if challenge.status == 401 else "Proxy-Authorization"
        asked = challenge["WWW-Authenticate" if challenge.status == 401 else "Proxy-Authenticate"]
        proof = authorization(asked, "INVITE", uri, user, made["secret"])
        talk.request("INVITE", spoken.sdp, f"{name}: {proof}")
        await talk.refused(486)
    fields = dict(pairs(line.got("/dial")[0]))
    assert (fields["from"], fields["to"], fields["direction"]) == (made["number"], line.far(), "incoming")
    assert fields["id"] == fields["callid"]


# ── subaccounts ──────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("rest subaccounts")
async def test_subaccount(line: Line) -> None:
    """A subaccount's calls and numbers are its own; deactivated, it may do nothing more."""
    sub = await line.ok("POST", "/subaccounts", name="Sales")
    auth = (sub["id"], sub["secret"])
    status, made = await line.a1(
        "POST", "/calls", auth=auth, from_=line.number, to=line.far(), voice_start='{"hangup":"reject"}'
    )
    assert status == 200
    party = await line.rings()
    await party.pick_up()
    await party.hung_up()
    _, shown = await line.a1("GET", f"/calls/{made['id']}", auth=auth)
    assert shown["owner"] == sub["id"]
    assert await line.a1("GET", f"/calls/{made['id']}") == (404, "Not found")
    assert [call["id"] for call in (await line.a1("GET", "/calls", auth=auth))[1]["data"]] == [made["id"]]
    _, own = await line.a1("POST", "/numbers", auth=auth, category="voip", country="se")
    assert await line.a1("GET", f"/numbers/{own['id']}") == (404, "Invalid number id")
    assert (await line.ok("POST", f"/subaccounts/{sub['id']}", active="no"))["active"] == "no"
    assert (await line.a1("GET", "/me", auth=auth))[0] == 401


@topic("rest subaccounts")
async def test_usage_limit(line: Line) -> None:
    """A subaccount's `usagelimit` holds: what it used is counted, and then its calls are refused."""
    sub = await line.ok("POST", "/subaccounts", name="Sales", usagelimit=7000)
    auth = (sub["id"], sub["secret"])
    order = {"from_": line.number, "to": line.dear(), "voice_start": '{"hangup":"reject"}'}
    assert (await line.a1("POST", "/calls", auth=auth, **order))[0] == 200
    party = await line.rings()
    await party.pick_up()
    await party.hung_up()
    used = await line.ok("GET", f"/subaccounts/{sub['id']}")
    assert (used["balanceused"], used["usage"], used["usagelimit"]) == (7000, 7000, 7000)
    status, sentence = await line.a1("POST", "/calls", auth=auth, **order)
    assert status == 403
    assert sentence.startswith("Not enough credits")
    (row,) = await charged(line)
    assert (row["subaccount"], row["cost"]) == (sub["id"], 7000)


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("rest money")
async def test_what_a_call_costs(line: Line) -> None:
    """Set-up and a minute by the longest prefix, drawn from the balance, shown in the call, the webhook and billing."""
    await line.balance(20000)
    start = {"connect": line.dear(2), "next": {"hangup": "reject"}}
    cid, a = await line.talks(start, to=line.dear(1), whenhangup=line.on("/end", ""))
    b = await line.rings()
    await b.pick_up()
    await b.hang_up()
    await a.hung_up()
    assert dict(pairs(await line.hook("/end")))["cost"] == "14000"
    assert (await line.call(cid))["cost"] == 14000
    assert (await line.ok("GET", "/me"))["balance"] == 6000
    rows = await charged(line)
    assert [(row["reference"], row["cost"]) for row in rows] == [(f"/Calls/{cid}", 7000)] * 2


@topic("rest money")
async def test_not_answered_costs_nothing(line: Line) -> None:
    """A call that nobody answers costs nothing."""
    await line.balance(20000)
    made = await line.place(to=line.dear(), voice_start='{"hangup":"reject"}')
    await (await line.rings()).refuse(486)
    assert "cost" not in await line.over(made["id"])
    assert (await line.ok("GET", "/me"))["balance"] == 20000


@topic("rest money")
async def test_refused_without_credit(line: Line) -> None:
    """When the balance does not bear the first minute, POST /calls is refused, and so are incoming calls at nothing."""
    await line.balance(6999)
    status, sentence = await line.a1(
        "POST", "/calls", from_=line.number, to=line.dear(), voice_start='{"hangup":"reject"}'
    )
    assert status == 403
    assert sentence.startswith("Not enough credits")
    await line.balance(0)
    party = await line.calls_in({"hangup": "busy"})
    await party.talk.refused(403)
    assert line.peer.came("INVITE") == []


@topic("rest money")
async def test_ended_when_credit_is_gone(line: Line) -> None:
    """A call whose next charge the balance does not bear is ended, and `actions` says `creditslow`."""
    await line.balance(8000)
    cid, a = await line.talks({"connect": line.dear(2)}, to=line.dear(1), whenhangup=line.on("/end", ""))
    b = await line.rings()
    await b.pick_up()
    await b.hung_up()
    await a.hung_up()
    actions = json.loads(dict(pairs(await line.hook("/end")))["actions"])
    assert actions[-1] == {"hangup": "creditslow", "result": "failed", "why": "creditslow"}
    assert (await line.call(cid))["state"] == "success"
    assert (await line.ok("GET", "/me"))["balance"] == -6000


# ── who may do what ──────────────────────────────────────────────────────────────────────────────────────────────────


@topic("rest errors")
async def test_other_accounts_things(line: Line) -> None:
    """Another account's call, number and recording are not there; wrong credentials are 401 with the realm."""
    party = await line.calls_in(line.on("/start", {"hangup": "busy"}))
    await party.talk.refused(486)
    cid = line.got("/start")[0].fields["callid"]
    _, other = await line.server.v1("POST", "/accounts", {"name": f"other {line.account}"})
    auth = (other["id"], other["secret"])
    for path in (f"/calls/{cid}", f"/recordings/{cid}-r0", "/sms", "/mms", "/images/x", "/nothing", "/"):
        assert await line.a1("GET", path, auth=auth) == (404, "Not found"), path
    assert await line.a1("GET", f"/numbers/{line.number_id}", auth=auth) == (404, "Invalid number id")
    assert (await line.a1("DELETE", f"/calls/{cid}", auth=auth))[0] == 404
    url = f"{line.server.http}/a1/calls"
    async with line.server.session.get(url) as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="46elks API"')
        assert answer.content_type == "text/plain"
        assert await answer.text() == "API access requires Basic HTTP authentication. Read documentation or examples."


@topic("rest errors")
@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"from_": ""}, "Missing key from"),
        ({"to": ""}, "Missing key to"),
        ({"voice_start": ""}, "Missing key voice_start"),
        ({"to": "12"}, "Invalid to number"),
        ({"from_": "Company"}, "Invalid from number"),
        ({"whenhangup": "ftp://a/b"}, "The whenhangup you tried to use is not a valid URL"),
        ({"voice_start": "Hi! This is your message."}, "The voice_start you tried to use is not a valid URL"),
        ({"timeout": "soon"}, "Invalid timeout"),
    ],
)
async def test_wrong_parameters(line: Line, changes: dict[str, str], sentence: str) -> None:
    """A wrong parameter is 403 with a plain sentence that names it, and nothing is called."""
    order = {"from_": line.number, "to": line.far(), "voice_start": '{"hangup":"reject"}', **changes}
    assert await line.a1("POST", "/calls", **order) == (403, sentence)
    assert (await line.ok("GET", "/calls"))["data"] == []


@topic("incoming")
async def test_stranger(line: Line) -> None:
    """Who says it is a phone of ours and cannot prove it is challenged, whatever address it calls from."""
    made = await line.ok("POST", "/numbers", country="se", category="voip", voice_start='{"hangup":"busy"}')
    spoken = await line.voice()
    uri = f"sip:{line.number}@{HOST}"
    me = f"<sip:{made['number'][1:]}@{HOST}>;tag={token()}"
    talk = Talk(peer=line.peer, call_id=token(), local=me, remote=f"<{uri}>", target=uri)
    talk.request("INVITE", spoken.sdp)
    await talk.refused(401, 407)
    assert (await line.ok("GET", "/calls"))["data"] == []
