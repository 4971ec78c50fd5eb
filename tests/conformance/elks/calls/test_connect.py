"""`connect` and `hangup`, and incoming calls before and after they are answered, against real far ends."""

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from tests.support.line import CALLER, Line, Party, pairs
from tests.support.sip_peer import Message, media_of, parse, sip_peer, token
from tests.support.sound_checks import voice
from tests.support.topics import topic

pytestmark = pytest.mark.asyncio(loop_scope="session")

SYSTEM = random.SystemRandom()
SIP_PORT = 5060


def user(uri: str) -> str:
    """The user part of a SIP URI."""
    return uri.split(":", 1)[1].partition("@")[0]


@asynccontextmanager
async def over_tcp(host: str, port: int) -> AsyncIterator["asyncio.Queue[Message]"]:
    """A SIP server over TCP where everybody is busy; gives the INVITEs that came."""
    came: asyncio.Queue[Message] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                message = parse(head, (host, port))
                await reader.readexactly(int(message["Content-Length"]))
                if message.method != "INVITE":
                    continue
                came.put_nowait(message)
                lines = [
                    "SIP/2.0 486 Busy Here",
                    *(f"Via: {via}" for via in message.all("Via")),
                    f"From: {message['From']}",
                    f"To: {message['To']};tag={token()}",
                    f"Call-ID: {message.call_id}",
                    f"CSeq: {message['CSeq']}",
                    "Content-Length: 0",
                ]
                writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
                await writer.drain()
        writer.close()

    running = await asyncio.start_server(serve, host, port)
    try:
        yield came
    finally:
        running.close()


async def caller_and_callee(line: Line, start: Any) -> tuple[Party, Party]:
    """An incoming call that is passed on and answered."""
    a = await line.calls_in(start)
    b = await line.rings()
    b.ring()
    await a.talk.answered(180, 183)
    await b.pick_up()
    await a.answered()
    return a, b


# ── connect ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("connect")
async def test_passed_on(line: Line) -> None:
    """An incoming call rings until the far end answers; both hear each other; the caller's number is shown."""
    a, b = await caller_and_callee(line, {"connect": line.far(), "next": line.on("/next", {})})
    assert user(b.invite["From"].partition("<")[2].partition(">")[0]) == CALLER
    assert user(b.invite.uri) == line.far()
    one, other = voice(21, 1.0), voice(22, 1.0)
    await asyncio.gather(a.voice.say(one), b.voice.say(other))
    await asyncio.gather(a.voice.hears(other), b.voice.hears(one))
    await b.hang_up()
    assert dict(pairs(await line.hook("/next")))["result"] == "success"
    await a.hung_up()


@topic("connect")
async def test_caller_leaves(line: Line) -> None:
    """The caller ends the talk: no `next` is asked, the other is let go; the log says `hangup`, the leg `success`."""
    a, b = await caller_and_callee(
        line, {"connect": line.far(), "next": line.on("/next", {}), "whenhangup": line.on("/end", "")}
    )
    await a.hang_up()
    await b.hung_up()
    fields = dict(pairs(await line.hook("/end")))
    assert line.got("/next") == []
    (leg,) = json.loads(fields["legs"])
    assert (leg["state"], leg["from"], leg["to"]) == ("success", CALLER, line.far())
    (action,) = json.loads(fields["actions"])
    assert (action["result"], action["why"]) == ("failed", "hangup")
    assert fields["state"] == "success"


@topic("connect")
async def test_caller_gives_up(line: Line) -> None:
    """A caller who gives up while it rings was never answered: `failed`, and the phone that rang is let go."""
    a = await line.calls_in({"connect": line.far(), "next": line.on("/next", {}), "whenhangup": line.on("/end", "")})
    b = await line.rings()
    b.ring()
    await a.talk.answered(180)
    a.talk.request("CANCEL", cseq=a.talk.cseq)
    await a.talk.answered("200 CANCEL")
    await a.talk.refused(487)
    b.talk.respond(await line.peer.receive("CANCEL", call_id=b.talk.call_id), 200)
    await b.refuse(487)
    fields = dict(pairs(await line.hook("/end")))
    assert fields["state"] == "failed"
    assert json.loads(fields["actions"])[0]["why"] == "hangup"
    assert json.loads(fields["legs"])[0]["state"] == "failed"
    assert "start" not in fields
    assert line.got("/next") == []


@topic("connect")
@pytest.mark.parametrize(
    ("status", "result", "why"),
    [
        (486, "busy", None),
        (600, "busy", None),
        (603, "failed", "rejected"),
        (404, "failed", "notfound"),
        (480, "failed", "unavailable"),
        (403, "failed", "notallowed"),
        (503, "failed", "congestion"),
        (500, "failed", "networkerror"),
        (302, "failed", "unavailable"),
    ],
)
async def test_refused(line: Line, status: int, result: str, why: str | None) -> None:
    """How the far end refuses is told as `busy` or `failed`, with why in one word; the branch for it goes first."""
    branch = line.on("/branch", {"hangup": "busy"})
    a = await line.calls_in({"connect": line.far(), result: branch, "next": line.url("/next")})
    await (await line.rings()).refuse(status)
    fields = dict(pairs(await line.hook("/branch")))
    assert (fields["result"], fields.get("why")) == (result, why)
    await a.talk.refused(486)
    assert line.got("/next") == []


@topic("connect")
async def test_busy_does_not_fall_to_failed(line: Line) -> None:
    """`busy` without its branch goes to `next`, not to `failed`."""
    start = {"connect": line.far(), "failed": line.url("/failed"), "next": line.on("/next", {"hangup": "busy"})}
    a = await line.calls_in(start)
    await (await line.rings()).refuse(486)
    assert dict(pairs(await line.hook("/next")))["result"] == "busy"
    await a.talk.refused(486)
    assert line.got("/failed") == []


@topic("connect")
async def test_nothing_follows(line: Line) -> None:
    """Without a branch or `next` the caller, never answered, is told what the far end said."""
    a = await line.calls_in({"connect": line.far()})
    await (await line.rings()).refuse(404)
    await a.talk.refused(404)


@topic("connect")
async def test_ring_time(line: Line) -> None:
    """Nobody answers within `timeout` (here a text, as in the service's example): `failed`, and the next is tried."""
    first = {"connect": line.far(1), "timeout": "1", "failed": {"connect": line.far(2), "timeout": 1}}
    a = await line.calls_in(first)
    b = await line.rings()
    b.ring()
    b.talk.respond(await line.peer.receive("CANCEL", call_id=b.talk.call_id, within_s=3), 200)
    await b.refuse(487)
    c = await line.rings()
    assert user(c.invite.uri) == line.far(2)
    await c.pick_up()
    await a.answered()
    await c.hang_up()
    await a.hung_up()


@topic("connect")
async def test_list(line: Line) -> None:
    """A comma list rings all at once; the first to answer wins, the others are let go; a leg for each."""
    targets = [line.far(n) for n in (1, 2, 3)]
    a = await line.calls_in({"connect": ", ".join(targets), "whenhangup": line.on("/end", "")})
    rung = {user(party.invite.uri): party for party in [await line.rings() for _ in targets]}
    assert sorted(rung) == targets
    for party in rung.values():
        party.ring()  # before a provisional answer a CANCEL may not be sent (RFC 3261 section 9.1)
    await rung[targets[1]].pick_up()
    for number in (targets[0], targets[2]):
        other = rung[number]
        cancel = await line.peer.receive("CANCEL", call_id=other.talk.call_id)
        other.talk.respond(cancel, 200)
        await other.refuse(487)
    await a.answered()
    await rung[targets[1]].hang_up()
    await a.hung_up()
    legs = json.loads(dict(pairs(await line.hook("/end")))["legs"])
    assert [(leg["to"], leg["state"]) for leg in legs] == list(
        zip(targets, ("failed", "success", "failed"), strict=True)
    )


@topic("connect")
async def test_list_all_busy(line: Line) -> None:
    """A list of which everybody is busy is `busy`; if one failed otherwise it is `failed`."""
    for statuses, result in (((486, 486), "busy"), ((486, 404), "failed")):
        a = await line.calls_in(
            {"connect": f"{line.far(1)},{line.far(2)}", "next": line.on("/next", {"hangup": "404"})}
        )
        for status in statuses:
            await (await line.rings()).refuse(status)
        await a.talk.refused(404)
        assert line.got("/next")[-1].fields["result"] == result


@topic("connect")
async def test_time_limit(line: Line) -> None:
    """`timelimit` ends the talk, not the call: `success` runs."""
    cid, a = await line.talks({"connect": line.far(2), "timelimit": 1, "success": {"play": "sound/beep"}})
    b = await line.rings()
    await b.pick_up()
    await b.hung_up(3)
    await a.voice.hears_tone(1000.0)
    await a.hung_up()
    assert [each["result"] for each in (await line.over(cid))["actions"]] == ["success", "ok"]


@topic("connect")
async def test_ring_back(line: Line) -> None:
    """An answered caller hears ringing while the other phone rings, and then the other party."""
    _, a = await line.talks({"connect": line.far(2)})
    b = await line.rings()
    b.ring()
    await a.voice.hears_tone(425.0)
    await b.pick_up()
    await b.voice.say(voice(23, 1.0))
    await a.voice.hears(voice(23, 1.0))
    await b.hang_up()
    await a.hung_up()


@topic("connect")
async def test_early_media(line: Line) -> None:
    """What the far end says before it answers is heard by a caller who is not answered either."""
    a = await line.calls_in({"connect": line.far()})
    b = await line.rings()
    b.talk.respond(b.invite, 183, b.voice.sdp)
    progress = await a.talk.answered(183)
    assert "m=audio" in progress.body
    b.voice.to = media_of(b.invite.body)
    await b.voice.say(voice(24, 1.0))
    await a.voice.hears(voice(24, 0.8))
    await b.refuse(486)
    await a.talk.refused(486)


@topic("connect")
async def test_caller_id(line: Line) -> None:
    """`callerid` is what the far end sees; a blank for its `+` is understood."""
    for written in (line.number, line.number.replace("+", " ")):
        _, a = await line.talks({"connect": line.far(2), "callerid": written})
        b = await line.rings()
        assert user(b.invite["From"].partition("<")[2].partition(">")[0]) == line.number
        await b.refuse(486)
        await a.hung_up()


@topic("connect")
async def test_hidden_caller(line: Line) -> None:
    """A caller who hides is `anonymous`, and stays so when the call is passed on."""
    a = await line.calls_in(line.on("/start", {"connect": line.far()}), headers="Privacy: id")
    b = await line.rings()
    assert dict(pairs(line.got("/start")[0]))["from"] == "anonymous"
    assert CALLER not in b.invite["From"]
    assert b.invite["Privacy"] == "id"
    await b.refuse(486)
    await a.talk.refused(486)


@topic("connect")
@pytest.mark.parametrize("user_part", ["desk@", ""])
async def test_sip_uri(line: Line, user_part: str) -> None:
    """A SIP URI, also one that names nobody: then it is the number that was called."""
    async with sip_peer(line.peer.server) as other:
        a = await line.calls_in({"connect": f"sip:{user_part}{other.host}:{other.port};transport=udp"})
        talk = await other.called()
        assert talk.first is not None
        assert user(talk.first.uri) == (user_part.rstrip("@") or line.number)
        talk.respond(talk.first, 486)
        await a.talk.refused(486)


@topic("connect")
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_sip_transport_and_default_port(line: Line, transport: str) -> None:
    """`transport=tcp` goes over TCP, nothing said over UDP, and without a port both go to 5060."""
    host = f"127.{SYSTEM.randrange(1, 255)}.{SYSTEM.randrange(256)}.{SYSTEM.randrange(1, 255)}"
    async with over_tcp(host, SIP_PORT) as came, sip_peer(line.peer.server, host, SIP_PORT) as datagrams:
        a = await line.calls_in({"connect": f"sip:desk@{host}" + (";transport=tcp" if transport == "tcp" else "")})
        if transport == "udp":
            talk = await datagrams.called()
            assert talk.first is not None
            invite = talk.first
            talk.respond(invite, 486)
        else:
            invite = await asyncio.wait_for(came.get(), 10)
        await a.talk.refused(486)
    assert (invite.method, user(invite.uri)) == ("INVITE", "desk")
    assert invite["Via"].startswith(f"SIP/2.0/{transport.upper()} ")
    assert came.empty()
    assert datagrams.came("INVITE") == []


@topic("connect")
@pytest.mark.parametrize("target", ["sip:desk@192.0.2.7", "sips:desk@pbx.example"])
async def test_sip_host_that_is_not_allowed(line: Line, target: str) -> None:
    """A SIP host that the operator does not allow is not called: `failed`, `notallowed`."""
    a = await line.calls_in({"connect": target, "failed": line.on("/failed", {"hangup": "busy"})})
    fields = dict(pairs(await line.hook("/failed")))
    assert (fields["result"], fields["why"]) == ("failed", "notallowed")
    await a.talk.refused(486)


@topic("connect")
@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("+4600999999999", "notfound"),
        ("+1", "notfound"),
        ("nobody", "notfound"),
        ("sip:@:x", "notfound"),
        ("+99912345678", "notallowed"),
    ],
    ids=["no-phone", "too-short", "no-number", "no-sip-address", "no-trunk"],
)
async def test_nowhere(line: Line, target: str, why: str) -> None:
    """A phone that is not there and what is no number are `notfound`, a number that no trunk takes `notallowed`."""
    a = await line.calls_in({"connect": target, "failed": line.on("/failed", {"hangup": "busy"})})
    fields = dict(pairs(await line.hook("/failed")))
    assert (fields["result"], fields["why"]) == ("failed", why)
    await a.talk.refused(486)


@topic("connect")
async def test_phone_that_has_not_registered(line: Line) -> None:
    """A phone of ours that is not registered is `unavailable`."""
    made = await line.ok("POST", "/numbers", country="se", category="voip")
    a = await line.calls_in({"connect": made["number"], "failed": line.on("/failed", {"hangup": "busy"})})
    fields = dict(pairs(await line.hook("/failed")))
    assert (fields["result"], fields["why"]) == ("failed", "unavailable")
    await a.talk.refused(486)


@topic("connect")
async def test_one_bad_in_a_list(line: Line) -> None:
    """One that cannot be called does not keep the others of a list from ringing."""
    a = await line.calls_in({"connect": f"nobody,{line.far()}"})
    await (await line.rings()).refuse(486)
    await a.talk.refused(480, 404, 486)


@topic("connect")
async def test_chain(line: Line) -> None:
    """Trace D of the service's pages: busy, then voicemail, each branch an action that needs no webhook."""
    voicemail = {"play": "sound/beep", "next": {"record": line.on("/vm", ""), "silencedetection": "no"}}
    start = {"connect": line.far(), "timeout": 15, "busy": voicemail, "failed": voicemail}
    a = await line.calls_in(start)
    await (await line.rings()).refuse(486)
    await a.answered()
    await a.voice.hears_tone(1000.0)
    said = voice(25, 2.0)  # longer than the rest of the beep and the shortest message
    await a.voice.say(said)
    await a.hang_up()
    fields = dict(pairs(await line.hook("/vm")))
    assert (fields["from"], fields["to"], fields["direction"]) == (CALLER, line.number, "incoming")


# ── hangup ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("hangup")
@pytest.mark.parametrize(
    ("value", "status"), [("busy", 486), ("reject", 603), ("404", 404), (True, 603), ("true", 603), ("", 603)]
)
async def test_hangup_before_answer(line: Line, value: Any, status: int) -> None:
    """As the first action of an incoming call it is signalled to the network, and the call was never answered."""
    end = line.on("/end", "")
    party = await line.calls_in({"hangup": value, "whenhangup": end})
    await party.talk.refused(status)
    fields = dict(pairs(await line.hook("/end")))
    assert "start" not in fields
    assert fields["state"] == ("busy" if value == "busy" else "failed")


@topic("hangup")
async def test_hangup_after_answer(line: Line) -> None:
    """Once answered it is a plain end, and the call a success; what stands beside it is not played."""
    for value in ("busy", "reject", "404"):
        cid, party = await line.talks({"hangup": value, "play": "sound/beep"})
        await party.hung_up()
        shown = await line.over(cid)
        assert (shown["state"], shown["actions"]) == ("success", [{"hangup": value, "result": "ok"}])


# ── incoming ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("incoming")
async def test_not_answered_before_needed(line: Line) -> None:
    """An incoming call is not answered while its webhook is asked, nor by a hang-up hook; a sound answers it."""
    gate = asyncio.Event()

    async def later(_: Any) -> dict[str, Any]:
        await gate.wait()
        return {"play": "sound/beep"}

    party = await line.calls_in(line.on("/start", lambda hook: later(hook)))
    await line.hook("/start")
    assert party.talk.peer.came(200, party.talk.call_id) == []
    gate.set()
    await party.answered()
    await party.voice.hears_tone(1000.0)
    await party.hung_up()


@topic("incoming")
async def test_nothing_set(line: Line) -> None:
    """A number with no `voice_start` answers 480."""
    party = await line.calls_in()
    await party.talk.refused(480)


@topic("incoming")
async def test_unknown_number(line: Line) -> None:
    """A number that is not ours answers 404, and no call is made of it."""
    spoken = await line.voice()
    talk = line.peer.invite("+4681999999", spoken.sdp)
    await talk.refused(404)
    assert (await line.ok("GET", "/calls"))["data"] == []


@topic("incoming")
async def test_no_codec_in_common(line: Line) -> None:
    """An offer with nothing that we speak is refused with 488 as soon as the call needs sound."""
    await line.runs({"play": "sound/beep"})
    offer = (
        (await line.voice())
        .sdp.replace("8 101", "96")
        .replace("PCMA/8000", "opus/48000")
        .replace("rtpmap:8", "rtpmap:96")
    )
    talk = line.peer.invite(line.number, offer)
    await talk.refused(488)


@topic("incoming")
async def test_hung_up_while_the_application_thinks(line: Line) -> None:
    """A caller who gives up before the webhook is answered: `failed`, and what comes later changes nothing."""
    gate = asyncio.Event()

    async def later(_: Any) -> dict[str, Any]:
        await gate.wait()
        return {"play": "sound/beep"}

    party = await line.calls_in(line.on("/start", lambda hook: later(hook)))
    hook = await line.hook("/start")
    party.talk.request("CANCEL", cseq=party.talk.cseq)
    await party.talk.refused(487)
    gate.set()
    shown = await line.over(hook.fields["callid"])
    assert shown["state"] == "failed"
    assert "start" not in shown


@topic("incoming")
async def test_many_at_once(line: Line) -> None:
    """Calls at the same time do not meet: each has its own id, webhooks and answer."""
    await line.runs(line.on("/start", {"hangup": "busy"}))
    spoken = await line.voice()
    talks = [line.peer.invite(line.number, spoken.sdp, from_=f"+46709{n:06d}") for n in range(20)]
    await asyncio.gather(*(talk.refused(486) for talk in talks))
    ids = {hook.fields["callid"] for hook in line.got("/start")}
    callers = {hook.fields["from"] for hook in line.got("/start")}
    assert (len(ids), len(callers)) == (20, 20)
    data = (await line.ok("GET", "/calls", limit=8))["data"]
    assert len(data) == 8
    created = [call["created"] for call in data]
    assert created == sorted(created, reverse=True)
    assert all(a >= b for a, b in itertools.pairwise(created))
