"""`/v1/speech`."""

import pytest
from tests.support.native_client import Client
from tests.support.rest_cases import MAIN

from offhook.runtime.speech.provider import OfferedVoice


@pytest.mark.parametrize("account", [None, MAIN])
async def test_voices(account: str | None, client: Client) -> None:
    client.world.board.offered_voices = [
        OfferedVoice(language=language, voice="woman", engine="espeak", name="f5")
        for language in ("", "en-us", "pt", "pt-br")
    ]
    voices = (await client.ok("GET", "/v1/speech/voices", account=account))["voices"]
    assert voices[1] == {"language": "en-us", "voice": "woman", "engine": "espeak", "name": "f5"}
    assert [each["language"] for each in voices] == ["", "en-us", "pt", "pt-br"]
    some = (await client.ok("GET", "/v1/speech/voices?language=pt_PT"))["voices"]
    assert [each["language"] for each in some] == ["", "pt", "pt-br"]
