"""We register with a carrier: SIPp as its registrar, which challenges, limits the time, and is down at first."""

import re
from pathlib import Path

import pytest
from tests.support.exchange import CARRIER, Exchange
from tests.support.ports import free_port
from tests.support.sip_peer import sdp, sip_peer
from tests.support.sipp import scenario_text, sipp
from tests.support.sipp_steps import reply

pytestmark = [pytest.mark.interop("sipp"), pytest.mark.asyncio(loop_scope="module")]

ASKED = '  <recv request="REGISTER"/>'
CHALLENGE = 'WWW-Authenticate: Digest realm="carrier", nonce="c0ffee", algorithm=MD5, qop="auth"'
LOGIN = {"username": "offhook", "password": "sesame", "register": True}


def granted(seconds: int) -> str:
    """200 with the Contact that was asked for."""
    step = reply(200, "OK", headers=f"[last_Contact:];expires={seconds}")
    return re.sub(r"\n\s*Contact: <sip:\[local_ip\][^\n]*", "", step)


async def test_registers_with_proof_and_again_before_the_time_is_over(ex: Exchange, tmp_path: Path) -> None:
    registrar = scenario_text(
        "registrar", ASKED, reply(401, "Unauthorized", headers=CHALLENGE), ASKED, granted(3), ASKED, granted(60)
    )
    async with sipp(tmp_path, registrar, host=CARRIER) as carrier:
        await ex.trunk(carrier.port, **LOGIN)
        messages = await carrier.done()
    requests = re.findall(r"^REGISTER .*?(?=\n\n|\r\n\r\n)", messages, re.M | re.S)
    assert len(requests) == 3
    assert 'username="offhook"' in requests[1]
    calls = {re.search(r"^Call-ID: (\S+)", request, re.M | re.I)[1] for request in requests}  # type: ignore[index]
    assert len(calls) == 1, "RFC 3261 section 10.2: one Call-ID for all"
    numbers = [int(number) for number in re.findall(r"^CSeq: (\d+) REGISTER", "\n".join(requests), re.M | re.I)]
    assert numbers == sorted(set(numbers)), "and a growing CSeq"


async def test_a_carrier_that_is_down_is_tried_again(ex: Exchange, tmp_path: Path) -> None:
    down = scenario_text(
        "registrar", ASKED, reply(503, "Service Unavailable", headers="Retry-After: 1"), ASKED, granted(60)
    )
    # The first pause is 15 to 30 s (RFC 5626 section 4.5), whatever shorter time the carrier names.
    async with sipp(tmp_path, down, host=CARRIER, timeout_s=60) as carrier:
        await ex.trunk(carrier.port, **LOGIN)
        await carrier.done()


async def test_removed_trunk_unregisters(ex: Exchange, tmp_path: Path) -> None:
    registrar = scenario_text("registrar", ASKED, granted(60), ASKED, granted(0))
    async with sipp(tmp_path, registrar, host=CARRIER) as carrier:
        number = await ex.trunk(carrier.port, **LOGIN)
        await carrier.message("SIP/2.0 200 OK")
        status, _ = await ex.server.v1("DELETE", f"/trunks/trunk{number[:-2]}")
        assert status == 200
        messages = await carrier.done()
    assert re.search(r"expires[=:]\s*0\b", messages, re.I)


async def test_calls_of_a_registered_trunk_come_to_the_contact(ex: Exchange) -> None:
    """A carrier sends its calls to the Contact that we registered."""
    async with sip_peer(ex.udp, "127.0.1.3") as carrier:
        await ex.trunk(carrier.port, host="127.0.1.3", **LOGIN)
        request = await carrier.receive("REGISTER")
        contact = request.contact
        text = f"SIP/2.0 200 OK\r\nVia: {request['Via']}\r\nFrom: {request['From']}\r\nTo: {request['To']};tag=r\r\n"
        text += f"Call-ID: {request.call_id}\r\nCSeq: {request['CSeq']}\r\nContact: <{contact}>;expires=60\r\n"
        carrier.send(text + "Content-Length: 0\r\n\r\n", request.source)
        assert str(ex.udp[1]) in contact
        number = await ex.number({"hangup": "busy"})
        talk = carrier.invite(number, sdp("127.0.1.3", free_port()))
        await talk.refused(486)
