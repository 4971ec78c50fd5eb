"""examples/voicemail.py with a real phone: what the caller says is what lies in the inbox."""

from pathlib import Path

import pytest
from examples.sounds import tune, wav
from tests.support.phones import ALIKE, Stage
from tests.support.server import ACCOUNT, SECRET

from offhook.testing.listening import find, read_wav

pytestmark = pytest.mark.native

CALLER = "+4600100"


async def test_a_message_is_kept(theatre: Stage, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    url, app = await theatre.example("voicemail", "--inbox", str(inbox), "--account", f"{ACCOUNT}:{SECRET}")
    words = tmp_path / "words.wav"
    words.write_bytes(wav(tune("what the caller says")))
    # A phone that dials is asked about at its own number's voice_start. W: what is said waits for greeting and beep.
    caller = await theatre.phone(
        CALLER, "--dial", "+46101234567", "--digits", "WWWW", "--play", words, voice_start=f"{url}/start"
    )
    assert await caller.done() == 0
    assert caller.heard(tune("greeting")).likeness > ALIKE
    assert caller.heard(tune("thanks")).likeness > ALIKE
    kept = Path((await app.says(r"^kept (.*)", 10))[1])
    assert list(inbox.iterdir()) == [kept]
    assert kept.name.startswith("4600100-c")
    assert find(tune("what the caller says"), read_wav(kept)).likeness > ALIKE
