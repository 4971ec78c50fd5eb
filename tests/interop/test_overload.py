"""A server that takes no more calls says so with 503 at once (RFC 3261 section 21.5.4), and keeps those it has."""

import signal
from pathlib import Path

import pytest
from tests.support.exchange import CARRIER, exchange
from tests.support.rtp_party import rtp_peer
from tests.support.sip_peer import sdp, sip_peer
from tests.support.sound_checks import find, voice

pytestmark = [pytest.mark.interop]


async def test_while_it_drains_new_calls_get_503_and_running_ones_go_on(tmp_path: Path) -> None:
    wanted = voice(81, 3.0)
    async with exchange(tmp_path) as ex:
        number = await ex.number({"play": ex.sound(wanted)})
        async with sip_peer(ex.udp, CARRIER) as peer:
            with rtp_peer(host=CARRIER) as sound:
                running = peer.invite(number, sdp(CARRIER, sound.port))
                await running.accepted()
                await sound.hears(0.2)
                ex.server.process.send_signal(signal.SIGTERM)
                for _ in range(20):
                    refused = peer.invite(number, sdp(CARRIER, sound.port))
                    answer = await refused.answered("2xx", 503)
                    if answer.status == 503:
                        break
                    # The signal has not arrived yet: this call was taken, and is given back.
                    refused.confirm(answer)
                    refused.request("ACK", cseq=1)
                    await refused.bye()
                assert answer.status == 503
                assert int(answer["Retry-After"].split()[0]) > 0
                await running.ended()
                assert find(sound.heard(), wanted).likeness > 0.9
        assert await ex.server.stop() == 0
