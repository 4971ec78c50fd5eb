"""examples/ring_both.py with real phones: both ring, one answers, the other stops; nobody answers."""

from pathlib import Path

import pytest
from examples.sounds import tune, wav
from tests.support.phones import ALIKE, Stage

pytestmark = pytest.mark.native

CALLER, FIRST, SECOND = "+4600100", "+4600101", "+4600102"


async def test_the_first_to_answer_has_the_call(theatre: Stage, tmp_path: Path) -> None:
    url, _ = await theatre.example("ring_both", "--first", FIRST, "--second", SECOND)
    hello = tmp_path / "hello.wav"
    hello.write_bytes(wav(tune("hello")))
    slow = await theatre.phone(FIRST)
    quick = await theatre.phone(SECOND, "--answer", "--answer-after", "0.5", "--play", hello, "--hang-up-after", "3")
    caller = await theatre.phone(CALLER, "--dial", "+46101234567", voice_start=f"{url}/start")
    await slow.says("called")
    assert (await quick.says("called"))["from"] == CALLER
    await quick.says("answered")
    ended = await slow.says("ended")
    assert ended["cause"] != "normal", "it rang in vain"
    assert await quick.done() == 0
    assert await caller.done() == 0
    assert caller.heard(tune("hello")).likeness > ALIKE


async def test_nobody_is_there(theatre: Stage) -> None:
    url, _ = await theatre.example("ring_both", "--first", FIRST, "--second", SECOND)
    caller = await theatre.phone(CALLER, "--dial", "+46101234567", voice_start=f"{url}/start")
    assert await caller.done() == 0
    assert caller.heard(tune("sorry")).likeness > ALIKE
