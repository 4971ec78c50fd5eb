"""Webhooks as they pass on the wire: bytes, headers and order, and what is done when the application misbehaves."""

import asyncio
import itertools
import json
import re
import socket
from typing import Any

import pytest
from aiohttp import web
from tests.conformance.elks.calls.conftest import RETRY_S, WEBHOOK_TIMEOUT_S
from tests.support.customer import Hook
from tests.support.line import CALLER, Line, pairs
from tests.support.topics import topic

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOW = r"\d{4}-\d\d-\d\dT\d\d%3A\d\d%3A\d\d\.\d{6}"
CALL = "c[0-9a-f]{32}"
FIRST_TRY_S = 2.0
"""Half of the time for all tries, but never less than this."""


def redirect(status: int, to: str) -> Any:
    return lambda _: web.Response(status=status, headers={"Location": to})


def answer(status: int, body: str = "", content_type: str = "text/plain") -> Any:
    return lambda _: web.Response(status=status, text=body, content_type=content_type)


@topic("first webhook")
async def test_first_of_incoming(line: Line) -> None:
    """The first webhook of an incoming call, byte for byte."""
    party = await line.calls_in(line.on("/start", {"hangup": "busy"}))
    await party.talk.refused(486)
    (hook,) = line.got("/start")
    assert hook.method == "POST"
    assert hook.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert re.fullmatch(
        rf"callid={CALL}&direction=incoming&from=%2B{CALLER[1:]}&to=%2B{line.number[1:]}"
        rf"&created={NOW}&result=newincoming",
        hook.body.decode(),
    )


@topic("first webhook")
async def test_first_of_outgoing(line: Line) -> None:
    """`voice_start` is asked when an outgoing call is answered, not before."""
    line.on("/start", {"hangup": "reject"})
    made = await line.place(voice_start=line.url("/start"))
    party = await line.rings()
    party.ring()
    await line.noted(made["id"], "leg.ringing")
    assert line.got("/start") == []
    await party.pick_up()
    hook = await line.hook("/start")
    assert re.fullmatch(
        rf"callid={made['id']}&direction=outgoing&from=%2B{line.number[1:]}&to=%2B{line.far()[1:]}"
        rf"&created={NOW}&result=newoutgoing",
        hook.body.decode(),
    )
    await party.hung_up()


@topic("first webhook")
async def test_query_and_userinfo(line: Line) -> None:
    """A URL's own query and its userinfo are kept: the one as written, the other as a Basic header."""
    line.on("/start", {"hangup": "reject"})
    url = line.url("/start?key=s%2Bt&x=%C3%A5&empty=").replace("http://", "http://us%40er:p%3Aw@")
    await (await line.calls_in(url)).talk.refused(603)
    (hook,) = line.got("/start")
    assert hook.target == f"{line.folder}/start?key=s%2Bt&x=%C3%A5&empty="
    assert hook.headers["Authorization"] == "Basic dXNAZXI6cDp3"
    assert dict(pairs(hook))["result"] == "newincoming"


@topic("following webhooks")
async def test_following(line: Line) -> None:
    """After an action: `callid`, `direction`, `from`, `to`, `result`, and `why` with `failed` alone."""
    line.on("/start", {"play": "no sound at all", "next": line.url("/after")})
    line.on("/after", {"play": "sound/beep", "next": line.url("/last")})
    line.on("/last", {})
    cid, party = await line.talks(line.url("/start"))
    await party.hung_up()
    who = f"callid={cid}&direction=outgoing&from=%2B{line.number[1:]}&to=%2B{line.far()[1:]}"
    assert [hook.body.decode() for hook in line.got("/after")] == [f"{who}&result=failed&why=badsource"]
    assert [hook.body.decode() for hook in line.got("/last")] == [f"{who}&result=ok"]


@topic("hang-up webhook")
async def test_hangup_hook_bytes(line: Line) -> None:
    """The service's own example: order of the fields, `actions` with blanks after comma and colon, `+` for a blank."""
    end = line.on("/end", "")
    cid, party = await line.talks({"play": "sound/dialtone"}, whenhangup=end)
    await party.voice.hears_tone(425)
    await party.hang_up()
    hook = await line.hook("/end")
    assert re.fullmatch(
        rf"direction=outgoing&from=%2B{line.number[1:]}&start={NOW}&created={NOW}"
        r"&actions=%5B%7B%22play%22%3A\+%22sound%2Fdialtone%22%2C\+%22result%22%3A\+%22failed%22%2C\+"
        r"%22why%22%3A\+%22hangup%22%7D%5D"
        rf"&to=%2B{line.far()[1:]}&state=success&cost=0&duration=\d+&id={cid}&callid={cid}",
        hook.body.decode(),
    )


@topic("hang-up webhook")
async def test_hangup_hook_with_legs(line: Line) -> None:
    """A call that was connected tells its legs, each with `duration`, `to`, `state` and `from`."""
    end = line.on("/end", "")
    _, first = await line.talks({"connect": line.far(2)}, whenhangup=end)
    second = await line.rings()
    await second.pick_up()
    await second.hang_up()
    await first.hung_up()
    fields = dict(pairs(await line.hook("/end")))
    assert json.loads(fields["actions"]) == [{"connect": line.far(2), "result": "success"}]
    (leg,) = json.loads(fields["legs"])
    assert list(leg) == ["duration", "to", "state", "from"]
    assert (leg["to"], leg["state"]) == (line.far(2), "success")
    assert fields["legs"] == json.dumps([leg])


@topic("hang-up webhook")
@pytest.mark.parametrize(("status", "state"), [(486, "busy"), (603, "failed"), (404, "failed"), (480, "failed")])
async def test_hangup_hook_of_a_call_never_answered(line: Line, status: int, state: str) -> None:
    """A call that was never answered has the short set of fields, and its `voice_start` is never asked."""
    start, end = line.on("/start", {}), line.on("/end", "")
    made = await line.place(voice_start=start, whenhangup=end)
    party = await line.rings()
    await party.refuse(status)
    hook = await line.hook("/end")
    assert re.fullmatch(
        rf"direction=outgoing&from=%2B{line.number[1:]}&created={NOW}&to=%2B{line.far()[1:]}"
        rf"&state={state}&id={made['id']}&callid={made['id']}",
        hook.body.decode(),
    )
    assert line.got("/start") == []
    shown = await line.call(made["id"])
    assert {"start", "duration", "cost", "actions", "legs"}.isdisjoint(shown)
    assert shown["state"] == state


@topic("hang-up webhook")
async def test_not_answered_in_time(line: Line) -> None:
    """Nobody answers within `timeout`: the phone is let go by CANCEL, and the state is `failed`."""
    end = line.on("/end", "")
    await line.place(voice_start=line.url("/start"), whenhangup=end, timeout=1)
    party = await line.rings()
    party.ring()
    cancel = await line.peer.receive("CANCEL", call_id=party.talk.call_id)
    party.talk.respond(cancel, 200)
    await party.refuse(487)
    assert dict(pairs(await line.hook("/end")))["state"] == "failed"


@topic("hang-up webhook")
async def test_retried_until_taken(line: Line) -> None:
    """The post at the end is repeated, the same bytes, until a status of 200 to 204 comes."""
    end = line.on("/end", answer(500), answer(404), answer(204))
    cid, party = await line.talks({"play": "sound/dialtone"}, whenhangup=end)
    await party.hang_up()
    await line.noted(cid, "hook.delivered")
    hooks = line.got("/end")
    assert len({hook.body for hook in hooks}) == 1
    assert len(hooks) == 3
    pauses = [after.at - before.at for before, after in itertools.pairwise(hooks)]
    assert min(pauses) >= RETRY_S * 0.9


@topic("hang-up webhook")
async def test_what_is_answered_to_it_means_nothing(line: Line) -> None:
    """The answer to the post at the end is not read: an action in it calls nobody, and it is posted once."""
    end = line.on("/end", {"connect": line.far(2), "whenhangup": line.url("/again")})
    cid, party = await line.talks({"play": "sound/dialtone"}, whenhangup=end)
    await party.hang_up()
    await line.noted(cid, "hook.delivered")
    assert (await line.over(cid))["actions"] == [{"play": "sound/dialtone", "result": "failed", "why": "hangup"}]
    assert (len(line.got("/end")), line.got("/again"), line.peer.came("INVITE")) == (1, [], [])


@topic("hang-up webhook")
async def test_last_one_wins(line: Line) -> None:
    """Of several `whenhangup` the last one that was set is told, once, and no other."""
    first, second, third = (line.on(path, "") for path in ("/end1", "/end2", "/end3"))
    _, party = await line.talks(
        {"play": "sound/beep", "whenhangup": second, "next": {"play": "sound/beep", "whenhangup": third}},
        whenhangup=first,
    )
    await party.hung_up()
    await line.hook("/end3")
    assert (len(line.got("/end1")), len(line.got("/end2")), len(line.got("/end3"))) == (0, 0, 1)


@topic("webhook answers")
@pytest.mark.parametrize("status", [200, 201, 202, 203])
async def test_status_that_is_taken(line: Line, status: int) -> None:
    """Any status from 200 to 203 brings a document, whatever its content type says."""
    start = line.on("/start", answer(status, '{"hangup": "busy"}', "text/html"))
    await (await line.calls_in(start)).talk.refused(486)


@topic("webhook answers")
@pytest.mark.parametrize("body", ["", "{}", "  \r\n"])
async def test_nothing_to_do(line: Line, body: str) -> None:
    """An empty body or an empty object has nothing to do: an answered call is ended, and that is no failure."""
    cid, party = await line.talks(line.on("/start", answer(200, body)))
    await party.hung_up()
    shown = await line.over(cid)
    assert shown["state"] == "success"
    assert "actions" not in shown


@topic("webhook answers")
async def test_no_content(line: Line) -> None:
    """204 is as good as an empty body."""
    cid, party = await line.talks(line.on("/start", answer(204)))
    await party.hung_up()
    assert "actions" not in await line.over(cid)


@topic("webhook answers")
@pytest.mark.parametrize("status", [205, 206, 400, 401, 403, 404, 405, 410, 429])
async def test_status_that_ends_the_call(line: Line, status: int) -> None:
    """Any other status ends the call at once, nothing being asked again, and `actions` says that the webhook failed."""
    start = line.on("/start", answer(status, '{"play": "sound/beep"}'))
    cid, party = await line.talks(start)
    await party.hung_up()
    assert len(line.got("/start")) == 1
    assert (await line.over(cid))["actions"] == [{"hangup": "hookfailed", "result": "failed", "why": "hookfailed"}]
    assert str(status) in (await line.noted(cid, "hook.failed"))["detail"]


@topic("webhook answers")
async def test_server_fault_is_asked_once_more(line: Line) -> None:
    """A 5xx is asked once more, and what comes then counts."""
    start = line.on("/start", answer(503), {"hangup": "busy"})
    await (await line.calls_in(start)).talk.refused(486)
    first, second = line.got("/start")
    assert first.body == second.body


@topic("webhook answers")
async def test_server_fault_twice(line: Line) -> None:
    """A second 5xx ends the call; a caller who was not answered gets 503, so that a trunk can go elsewhere."""
    start = line.on("/start", answer(500))
    await (await line.calls_in(start)).talk.refused(503)
    assert len(line.got("/start")) == 2


@topic("webhook answers")
async def test_nobody_listens(line: Line) -> None:
    """A connection that is refused is tried once more, then the call ends."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host, port = unused.getsockname()
        cid, party = await line.talks(f"http://{host}:{port}/start")
        await party.hung_up()
        tries = (await line.noted(cid, "hook.tries"))["tries"]
    assert [sorted(made) for made in tries] == [["after_ms", "took_ms", "try", "why"]] * 2
    assert (await line.over(cid))["actions"][-1]["why"] == "hookfailed"


@topic("webhook answers")
async def test_slow_application(line: Line) -> None:
    """An answer that does not come in time ends the call and is not asked for again: the application may have acted."""
    never = asyncio.Event()

    async def slow(_: Hook) -> str:
        await never.wait()
        return ""

    start = line.on("/start", lambda hook: slow(hook))
    party = await line.calls_in(start)
    asked = await line.hook("/start")
    refused = await party.talk.refused(503, within_s=WEBHOOK_TIMEOUT_S + 5)
    never.set()
    assert len(line.got("/start")) == 1
    assert FIRST_TRY_S - 0.1 < refused.at - asked.at < WEBHOOK_TIMEOUT_S + 1


@topic("webhook answers")
async def test_one_long_try(line: Line) -> None:
    """With `rt` in the fragment of the URL one try has all of the time: an answer that would be too late is taken."""

    async def slow(_: Hook) -> dict[str, str]:
        thought = asyncio.Event()
        asyncio.get_running_loop().call_later(FIRST_TRY_S + 1, thought.set)
        await thought.wait()
        return {"hangup": "busy"}

    start = line.on("/start", lambda hook: slow(hook))
    await (await line.calls_in(f"{start}#rt=10000&tt=6000")).talk.refused(486)
    await (await line.calls_in(start)).talk.refused(503)
    assert len(line.got("/start")) == 2


@topic("webhook answers")
@pytest.mark.parametrize("status", [307, 308])
async def test_redirect_that_keeps_the_post(line: Line, status: int) -> None:
    """307 and 308 are followed with the same body, and relative URLs of the document start from where it came."""
    start = line.on("/start", redirect(status, f"{line.folder}/deep/moved"))
    line.on("/deep/moved", {"play": "sound/beep", "next": "./after"})
    line.on("/deep/after", {})
    _, party = await line.talks(start)
    await party.hung_up()
    assert line.got("/deep/moved")[0].body == line.got("/start")[0].body
    assert len(line.got("/deep/after")) == 1


@topic("webhook answers")
@pytest.mark.parametrize("status", [301, 302, 303])
async def test_redirect_that_would_lose_the_post(line: Line, status: int) -> None:
    """301, 302 and 303 would make a GET of the post and lose its fields: the call ends."""
    start = line.on("/start", redirect(status, line.url("/moved")))
    cid, party = await line.talks(start)
    await party.hung_up()
    assert line.got("/moved") == []
    assert (await line.over(cid))["actions"][-1]["why"] == "hookfailed"


@topic("webhook answers")
async def test_redirects_without_end(line: Line) -> None:
    """Five redirects are followed, not more."""
    start = line.on("/start", redirect(307, line.url("/start")))
    cid, party = await line.talks(start)
    await party.hung_up()
    assert len(line.got("/start")) == 6
    assert "redirect" in (await line.noted(cid, "hook.failed"))["detail"].lower()


@topic("url guard")
@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "[fe80::1]",
        "[fd00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "0x0a000001", "167772161", "224.0.0.1",
    ],
)  # fmt: skip
async def test_private_address(line: Line, host: str) -> None:
    """Private, link-local and metadata addresses are not asked, however they are written."""
    cid, party = await line.talks(f"http://{host}/start")
    await party.hung_up()
    failed = await line.noted(cid, "hook.failed")
    assert failed["cause"] == "hook_failed"
    assert re.search("allow|private|cannot be used", failed["detail"]), failed
    tries = (await line.noted(cid, "hook.tries"))["tries"]
    assert not any("status" in made for made in tries)


@topic("url guard")
async def test_redirect_to_a_private_address(line: Line) -> None:
    """A redirect does not lead there either."""
    start = line.on("/start", redirect(307, "http://169.254.169.254/latest/meta-data/"))
    cid, party = await line.talks(start)
    await party.hung_up()
    assert "169.254.169.254" in (await line.noted(cid, "hook.failed"))["detail"]


BROKEN = {
    "broken-json": '{"play": ',
    "not-json": "Hello",
    "html": "<html><body>500</body></html>",
    "list": '[{"play": "sound/beep"}]',
    "text": '"play"',
    "number": "42",
    "unknown-action": '{"dance": "tango"}',
    "wrong-type": '{"play": 12}',
    "wrong-option": '{"connect": "+46701234567", "timeout": [1]}',
    "two-actions": '{"play": "sound/beep", "connect": "+46701234567"}',
    "too-large": json.dumps({"play": "sound/beep", "pad": "x" * 100_000}),
    "not-utf8": b'{"play": "\xff"}',
}


@topic("document errors")
@pytest.mark.parametrize("document", BROKEN.values(), ids=BROKEN)
async def test_document_that_cannot_be_run(line: Line, document: str | bytes) -> None:
    """A document that cannot be run ends the call with a cause that `actions`, the webhook and the timeline show."""
    body = document if isinstance(document, bytes) else document.encode()
    start = line.on("/start", lambda _: web.Response(body=body, content_type="application/json"))
    end = line.on("/end", "")
    cid, party = await line.talks(start, whenhangup=end)
    await party.hung_up()
    fields = dict(pairs(await line.hook("/end")))
    (action,) = json.loads(fields["actions"])
    large = document is BROKEN["too-large"]
    assert action["why"] in (("baddocument", "hookfailed") if large else ("baddocument",))
    assert fields["state"] == "success"
    assert (await line.call(cid))["actions"] == [action]
    detail = (await line.noted(cid, "hook.failed"))["detail"]
    assert len(detail) > 15
    assert "Traceback" not in detail


@topic("limits")
async def test_endless_loop(line: Line) -> None:
    """A page that sends the call to itself without end, no time passing on the line, ends it with `flowloop`."""
    start = line.on("/start", {"play": "no sound", "next": line.url("/start")})
    cid, party = await line.talks(start)
    await party.hung_up()
    assert (await line.over(cid))["actions"][-1] == {"hangup": "flowloop", "result": "failed", "why": "flowloop"}
    assert len(line.got("/start")) == 20


@topic("documents")
async def test_lenient_document(line: Line) -> None:
    """A trailing comma, numbers as texts and unknown keys are understood; the timeline has the warnings."""
    text = '{"ivr": "sound/beep", "digits": "2", "timeout": "3", "colour": "red", "next": "./after",}'
    line.on("/start", answer(200, text, "text/html"))
    line.on("/after", {})
    cid, party = await line.talks(line.url("/start"))
    await party.voice.press("07")
    await party.hung_up()
    assert line.got("/after")[0].fields["result"] == "07"
    assert len((await line.noted(cid, "hook.answered"))["warnings"]) == 2
