"""An `apology` that is spoken, as the operator set it: heard by whom a web application leaves alone.

A server of its own, since the setting is a whole server's.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.customer import Customer
from tests.support.line import Line, line_on
from tests.support.server import server
from tests.support.sound_checks import Samples
from tests.support.topics import topic

from offhook.config import load_settings
from offhook.flow.dialects import elks_values
from offhook.flow.verbs import Speech
from offhook.runtime.speech.engines import speech_desk

pytestmark = pytest.mark.asyncio(loop_scope="session")

APOLOGY = "en_US/We are sorry, please call again later"


@pytest_asyncio.fixture(loop_scope="session")
async def line(tmp_path: Path, application: Customer) -> AsyncIterator[Line]:
    async with (
        server(tmp_path / "data", apology=APOLOGY, webhook_timeout_s="2.5", delivery_retry_s="0.3") as running,
        line_on(running, application) as made,
    ):
        yield made


async def spoken(folder: Path) -> Samples:
    """What the server makes of the setting."""
    speech = elks_values.sound(APOLOGY)
    assert isinstance(speech, Speech)
    desk = speech_desk(load_settings(data_dir=folder))
    try:
        return await desk.speak(await desk.plan(speech))
    finally:
        await desk.close()


@topic("webhook answers")
async def test_spoken_apology(line: Line, tmp_path: Path) -> None:
    """An answered party hears the sentence that `apology` is set to when the next document cannot be had or read, and
    is hung up; the call's cause is that of the failure. An unanswered one gets 503.
    """
    said = await spoken(tmp_path / "speech")
    for next_, cause in ((line.on("/broken", "Fatal error"), "bad_document"), (line.url("/nothing"), "hook_failed")):
        cid, party = await line.talks({"play": "sound/beep", "next": next_}, whenhangup=line.on("/end", ""))
        await party.voice.hears(said)
        await party.hung_up()
        await line.hook("/end")
        assert (await line.over(cid))["state"] == "success"
        told = [(each["kind"], each["data"].get("cause")) for each in await line.timeline(cid)]
        assert ("apology.begun", cause) in told
        assert ("call.ended", cause) in told
        assert "sound.failed" not in [kind for kind, _ in told]
    await line.runs(line.url("/nothing"))
    unanswered = line.peer.invite(line.number, (await line.voice()).sdp)
    await unanswered.refused(503)
