"""Programs that speak, on real pipes: kept, shared, killed when they hang, started again when they died."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from offhook.runtime.speech.provider import SpeechFailed
from offhook.runtime.speech.worker import Workers

PROGRAM = """
import json, os, struct, sys, time

def say(kind, content=b""):
    sys.stdout.buffer.write(struct.pack("<I", len(content) + 1) + kind + content)
    sys.stdout.buffer.flush()

while len(head := sys.stdin.buffer.read(4)) == 4:
    asked = json.loads(sys.stdin.buffer.read(struct.unpack("<I", head)[0]))
    match asked["do"]:
        case "speak":
            say(b"s", str(os.getpid()).encode()); say(b"s", b"more"); say(b"e")
        case "refuse": say(b"f", "not that".encode())
        case "hang": time.sleep(600)
        case "begin and hang": say(b"s", b"x"); time.sleep(600)
        case "die": os._exit(3)
        case "begin and die": say(b"s", b"x"); os._exit(3)
        case "babble": sys.stdout.buffer.write(b"Segmentation fault, sorry"); sys.stdout.buffer.flush(); time.sleep(600)
"""


@pytest.fixture
async def workers(tmp_path: Path) -> AsyncIterator[Workers]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    made = Workers("it", (sys.executable, "-I", "-S", str(program)), 2)
    yield made
    await made.close()
    assert made.pids == ()


async def _ask(workers: Workers, what: str) -> list[bytes]:
    async with asyncio.timeout(20), aclosing(workers.ask({"do": what})) as frames:
        return [content async for _, content in frames]


async def test_one_is_kept_for_the_next(workers: Workers) -> None:
    first, second = await _ask(workers, "speak"), await _ask(workers, "speak")
    assert first == second == [str(workers.pids[0]).encode(), b"more"]


async def test_no_more_than_may_be(workers: Workers) -> None:
    answers = await asyncio.gather(*(_ask(workers, "speak") for _ in range(10)))
    assert len({answer[0] for answer in answers}) <= 2
    assert len(workers.pids) <= 2


async def test_a_refusal_is_an_error_and_the_worker_goes_on(workers: Workers) -> None:
    (pid,) = {(await _ask(workers, "speak"))[0]}
    with pytest.raises(SpeechFailed, match="not that"):
        await _ask(workers, "refuse")
    assert (await _ask(workers, "speak"))[0] == pid


@pytest.mark.parametrize(
    ("what", "why"), [("die", "before it spoke"), ("begin and die", "in the middle"), ("babble", "understood")]
)
async def test_what_goes_wrong_is_said_and_another_one_starts(workers: Workers, what: str, why: str) -> None:
    before = (await _ask(workers, "speak"))[0]
    with pytest.raises(SpeechFailed, match=why):
        await _ask(workers, what)
    assert (await _ask(workers, "speak"))[0] != before


@pytest.mark.parametrize("what", ["hang", "begin and hang"])
async def test_one_that_hangs_is_killed(workers: Workers, what: str) -> None:
    pid = int((await _ask(workers, "speak"))[0])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await _ask(workers, what)
    assert workers.pids == ()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert (await _ask(workers, "speak"))[0] != str(pid).encode()


async def test_leaving_in_the_middle_ends_it(workers: Workers) -> None:
    async with asyncio.timeout(20), aclosing(workers.ask({"do": "begin and hang"})) as frames:
        assert await anext(frames) == (b"s", b"x")
    assert workers.pids == ()


async def test_one_that_died_while_it_waited_is_replaced(workers: Workers) -> None:
    pid = int((await _ask(workers, "speak"))[0])
    os.kill(pid, signal.SIGKILL)
    assert (await _ask(workers, "speak"))[0] != str(pid).encode()


async def test_a_program_that_is_not_there() -> None:
    workers = Workers("it", ("/nowhere/at-all",), 1)
    with pytest.raises(SpeechFailed, match="it cannot be started"):
        await _ask(workers, "speak")
