"""Phones (baresip) that register here, call and are called: digest, bindings, sound both ways, hold, forked calls."""

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.baresip import Baresip, baresip
from tests.support.exchange import Exchange, PhoneAccount
from tests.support.sound_checks import Samples, find, silence, voice

pytestmark = [pytest.mark.interop("baresip"), pytest.mark.asyncio(loop_scope="module")]


def phone(
    ex: Exchange, directory: Path, account: PhoneAccount, says: Samples | None = None, **more: Any
) -> AbstractAsyncContextManager[Baresip]:
    """A phone with an account's settings, that registers."""
    server = ex.tcp if more.get("transport") == "tcp" else ex.udp
    settings = {"password": account.password, "register_s": 60, "server": server, "says": says, **more}
    return baresip(directory, account.username, **settings)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_registers_is_called_and_hears(ex: Exchange, tmp_path: Path, transport: str) -> None:
    account, wanted = await ex.phone(), voice(31)
    end = ex.answers("end", "")
    async with phone(ex, tmp_path, account, transport=transport) as anna:
        await anna.event("REGISTER_OK")
        call = await ex.call(account.number, {"play": ex.sound(wanted)}, whenhangup=end)
        await anna.event("CALL_INCOMING")
        await anna.accept()
        await anna.event("CALL_CLOSED")
        assert find(await anna.heard(), wanted).likeness > 0.9
    fields = await ex.hook(end)
    assert (fields["id"], fields["to"], fields["state"]) == (call, account.number, "success")


async def test_a_wrong_password_is_refused_and_the_phone_is_not_called(ex: Exchange, tmp_path: Path) -> None:
    account = await ex.phone()
    wrong = PhoneAccount(account.number, account.username, "wrong")
    async with phone(ex, tmp_path, wrong) as thief:
        failed = await thief.event("REGISTER_FAIL")
        assert "401" in str(failed) or "403" in str(failed)
        assert thief.got("REGISTER_OK") == []
        assert (await ex.over(await ex.call(account.number, {"play": "sound/beep"})))["state"] == "failed"
        assert thief.got("CALL_INCOMING") == []


async def test_registers_again_and_goes(ex: Exchange, tmp_path: Path) -> None:
    account = await ex.phone()
    # `rwait` is the part of the time after which baresip registers again, in percent.
    async with phone(ex, tmp_path, account, register_s=60, rwait=5) as anna:
        await anna.event("REGISTER_OK", count=2)
        await anna.command("uadel", f"sip:{account.username}@{ex.udp[0]}", ok=False)
        await ex.registered(account)
    await ex.registered(account, count=0)
    assert (await ex.over(await ex.call(account.number, {"play": "sound/beep"})))["state"] == "failed"


async def test_refuses(ex: Exchange, tmp_path: Path) -> None:
    account = await ex.phone()
    async with phone(ex, tmp_path, account) as anna:
        await anna.event("REGISTER_OK")
        call = await ex.call(account.number, {"play": "sound/beep"})
        await anna.event("CALL_INCOMING")
        await anna.hang_up()
        assert (await ex.over(call))["state"] in ("busy", "failed")


async def test_phone_calls_phone_through_its_own_flow(ex: Exchange, tmp_path: Path) -> None:
    """Sound both ways, keys through the bridge, both parties in the recording; the called one hangs up."""
    anna_says, bo_says = voice(32), voice(33)
    # Who speaks before both are connected is not heard.
    anna_file, bo_file = (np.concatenate((silence(1.0), said)) for said in (anna_says, bo_says))
    end, posted, after = ex.answers("end", ""), ex.answers("posted", ""), ex.answers("after", {})
    bo_account = await ex.phone()
    start = ex.answers("start", {"connect": bo_account.number, "recordcall": posted, "next": after, "whenhangup": end})
    anna_account = await ex.phone(start)
    async with phone(ex, tmp_path, anna_account, anna_file) as anna, phone(ex, tmp_path, bo_account, bo_file) as bo:
        await asyncio.gather(anna.event("REGISTER_OK"), bo.event("REGISTER_OK"))
        await anna.dial(bo_account.number)
        await bo.event("CALL_INCOMING")
        await anna.event("CALL_RINGING")
        assert anna.got("CALL_ESTABLISHED") == [], "not answered before the far end picks up"
        await bo.accept()
        await asyncio.gather(anna.event("CALL_ESTABLISHED"), bo.event("CALL_ESTABLISHED"))
        await anna.press("5")
        await bo.event("CALL_DTMF_START")
        await until_heard(bo, 3.5)
        await bo.hang_up()
        await anna.event("CALL_CLOSED")
        assert find(await anna.heard(), bo_says).likeness > 0.9
        assert find(await bo.heard(), anna_says).likeness > 0.9
    first = await ex.hook(start)
    assert (first["from"], first["to"]) == (anna_account.number, bo_account.number)
    assert (await ex.hook(after))["result"] == "success"
    both = await ex.recording(await ex.hook(posted))
    assert find(both, anna_says).likeness > 0.6
    assert find(both, bo_says).likeness > 0.6
    assert '"state": "success"' in (await ex.hook(end))["legs"]


async def until_heard(one: Baresip, seconds: float) -> None:
    """Waits until the phone has heard so much: the recorder's file grows as sound comes."""
    deadline = asyncio.get_running_loop().time() + 15
    while not any(file.stat().st_size > seconds * 16_000 for file in one.directory.glob("dump-*-dec.wav")):
        assert asyncio.get_running_loop().time() < deadline, f"did not hear {seconds} s\n{one.evidence()}"
        await asyncio.sleep(0.02)


async def test_two_ring_one_answers_the_other_is_cancelled(ex: Exchange, tmp_path: Path) -> None:
    accounts = [await ex.phone() for _ in range(3)]
    after = ex.answers("after", {})
    start = {"connect": ",".join(account.number for account in accounts[1:]), "next": after}
    caller_account = await ex.phone(ex.answers("start", start))
    async with AsyncExitStack() as stack:
        caller, one, other = [
            await stack.enter_async_context(phone(ex, tmp_path, account))
            for account in (caller_account, accounts[1], accounts[2])
        ]
        await asyncio.gather(*(each.event("REGISTER_OK") for each in (caller, one, other)))
        await caller.dial("+46101234567")
        await asyncio.gather(one.event("CALL_INCOMING"), other.event("CALL_INCOMING"))
        await other.accept()
        closed = await one.event("CALL_CLOSED")
        assert one.got("CALL_ESTABLISHED") == [], closed
        await caller.event("CALL_ESTABLISHED")
        await other.event("CALL_ESTABLISHED")
        await caller.hang_up()
        await other.event("CALL_CLOSED")
    assert ex.hooks(after) == [], "the caller has gone: nobody is there to be steered"


async def test_no_answer_and_busy_branches(ex: Exchange, tmp_path: Path) -> None:
    bo_account, wanted = await ex.phone(), voice(34, 1.0)
    got = ex.answers("got", {"play": ex.sound(wanted)})
    busy = {"connect": bo_account.number, "busy": got, "failed": ex.answers("wrong", {})}
    first = {"connect": bo_account.number, "timeout": "1", "failed": busy, "busy": ex.answers("wrong", {})}
    anna_account = await ex.phone(ex.answers("start", first))
    async with phone(ex, tmp_path, anna_account) as anna, phone(ex, tmp_path, bo_account) as bo:
        await asyncio.gather(anna.event("REGISTER_OK"), bo.event("REGISTER_OK"))
        await anna.dial("+46101234567")
        await bo.event("CALL_INCOMING")
        await bo.event("CALL_CLOSED")
        await bo.event("CALL_INCOMING", count=2)
        await bo.hang_up()
        assert (await ex.hook(got))["result"] == "busy"
        await anna.event("CALL_CLOSED")
        assert find(await anna.heard(), wanted).likeness > 0.9


async def test_hold_and_resume(ex: Exchange, tmp_path: Path) -> None:
    """By re-INVITE. What is heard meanwhile is tried in `test_dialogs`: baresip's recorder stops at a hold."""
    account, got = await ex.phone(), ex.answers("got", {})
    async with phone(ex, tmp_path, account) as anna:
        await anna.event("REGISTER_OK")
        call = await ex.call(account.number, {"ivr": ex.sound(voice(35, 8.0)), "next": got})
        await anna.event("CALL_INCOMING")
        await anna.accept()
        await anna.event("CALL_ESTABLISHED")
        await until_heard(anna, 0.3)
        await anna.hold()
        await ex.timeline(call, "leg.held")
        await anna.resume()
        await ex.timeline(call, "leg.resumed")
        await anna.press("7")
        assert (await ex.hook(got))["result"] == "7"
        await anna.event("CALL_CLOSED")
    assert (await ex.over(call))["state"] == "success"
