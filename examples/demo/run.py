"""`make demo`: a real call on this machine, over SIP and RTP, and proof that it happened.

Starts `offhook serve` on a database of its own, the voice application `app.py`, and two phones; has the first one
called; checks what was heard by comparing sound with sound. Exit status 0 only if everything happened. What it makes
lies in demo-output/, and what it starts it ends.
"""

import asyncio
import base64
import json
import os
import secrets
import shutil
import socket
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))

from programs import Program, StepFailed
from tunes import ANSWER, COLLEAGUE, MENU, compose, silence, write_wav

from offhook.media.frames import Samples
from offhook.testing.listening import NotHeard, find, read_wav

HERE = Path(__file__).resolve().parent
OFFHOOK = (sys.executable, "-m", "offhook")
OUTPUT = Path("demo-output")
MARK = ".made-by-make-demo"

CALLER, ANN, BOB = "+46700000000", "+4600101", "+4600102"
ALIKE = 0.9
"""The least likeness that counts as heard: G.711 leaves over 0.98, another tune has under 0.3."""
KEY_AFTER_S = 2.5
"""When Ann presses 1: after the tune of the menu, which lasts 2.3 s."""
ANN_WAITS_S = 3.7
"""After the key, before her tune: until Bob's, which lasts 3.3 s, is over."""
BOB_STAYS_S = 5.6
"""For both tunes, and a little."""

START_WITHIN_S = 30.0
REGISTER_WITHIN_S = 20.0
ANSWER_WITHIN_S = 10.0
STEP_WITHIN_S = 15.0
END_WITHIN_S = 10.0
CALL_WITHIN_S = 40.0


@dataclass(slots=True)
class Demo:
    """What is known so far."""

    output: Path
    account: str = field(default_factory=lambda: "u" + secrets.token_hex(16))
    secret: str = field(default_factory=lambda: secrets.token_hex(16).upper())
    api: str = ""
    app: str = ""
    call: str = ""
    happened: list[tuple[str, str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """For every program: our own settings and nobody else's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")}
        if (engine := os.environ.get("OFFHOOK_MEDIA_BINARY")) is not None:
            kept["OFFHOOK_MEDIA_BINARY"] = engine
        return {
            **kept,
            "PYTHONUNBUFFERED": "1",
            "OFFHOOK_DATA_DIR": str(self.output / "data"),
            "OFFHOOK_HTTP_LISTEN": "127.0.0.1:0",
            "OFFHOOK_SIP_LISTEN": "udp:127.0.0.1:0,tcp:127.0.0.1:0",
            "OFFHOOK_BOOTSTRAP_ACCOUNT": f"{self.account}:{self.secret}",
            "OFFHOOK_ENGINE_ORPHAN_S": "5",
        }

    async def start(self, stack: AsyncExitStack, name: str, *command: str | Path) -> Program:
        """Start a program that ends with the demo."""
        log = self.output / f"{name}.log"
        program = await Program.start(name, *command, log=log, environment=self.environment)
        stack.push_async_callback(program.end)
        return program

    def note(self, what: str, detail: str) -> None:
        """Something happened that had to."""
        self.happened.append((what, detail))


async def demo(run: Demo) -> None:
    """The whole of it. Raises `StepFailed`."""
    menu, colleague, answer = compose(MENU), compose(COLLEAGUE), compose(ANSWER)
    sounds = run.output / "sounds"
    sounds.mkdir()
    write_wav(sounds / "menu.wav", menu)
    write_wav(sounds / "colleague.wav", colleague)
    write_wav(sounds / "answer.wav", np.concatenate([silence(ANN_WAITS_S), answer]))
    async with AsyncExitStack() as stack:
        app = await start_servers(run, stack, sounds)
        ann, bob = await start_phones(run, stack, sounds)
        await place_call(run)
        following = asyncio.ensure_future(follow(run))
        stack.callback(following.cancel)
        await ann.says('"what": "answered"', ANSWER_WITHIN_S)
        run.note("Ann's phone was called and answered", f"call {run.call}")
        pressed = json.loads((await app.says(r"webhook /key (.*)", STEP_WITHIN_S))[1])
        if pressed.get("result") != "1":
            raise StepFailed(f"the application was told {pressed.get('result')!r} instead of key 1")
        run.note("Ann pressed 1", "the application was told so: result=1")
        await bob.says('"what": "answered"', ANSWER_WITHIN_S)
        run.note("Ann was connected to Bob", "his phone rang and answered")
        await asyncio.wait_for(following, CALL_WITHIN_S)
        for phone in (ann, bob):
            await phone.says('"what": "recorded"', STEP_WITHIN_S)
        recorded = json.loads((await app.says(r"webhook /recorded (.*)", STEP_WITHIN_S))[1])
        await fetch_recording(run, recorded["wav"])
        check_heard(run, "Ann heard the menu", menu, "ann-heard.wav")
        check_heard(run, "Ann heard Bob's tune", colleague, "ann-heard.wav")
        check_heard(run, "Bob heard Ann's tune", answer, "bob-heard.wav")
        for name, tune in (("the menu", menu), ("Bob", colleague), ("Ann", answer)):
            check_heard(run, f"the call was recorded: {name}", tune, "recording.wav")
        over = json.loads((await app.says(r"webhook /over (.*)", STEP_WITHIN_S))[1])
        if over.get("state") != "success":
            raise StepFailed(f"the application was told that the call ended with {over}")
        run.note("the application was told of the end", f"state={over['state']} duration={over['duration']}")


async def start_servers(run: Demo, stack: AsyncExitStack, sounds: Path) -> Program:
    """Offhook, and the application that tells it what to do."""
    server = await run.start(stack, "server", *OFFHOOK, "serve", "--dev")
    port = free_port()
    app = await run.start(
        stack,
        "application",
        *(sys.executable, HERE / "app.py", "--port", str(port), "--sounds", sounds, "--colleague", BOB),
    )
    await app.says(r"Running on", START_WITHIN_S)
    ready = await server.says(r"^ready api=(\S+) sip=(\S+)", START_WITHIN_S)
    run.api, run.app = ready[1], f"http://127.0.0.1:{port}"
    say(f"  server       {run.api}, SIP on {ready[2]}")
    say(f"  application  {run.app}")
    return app


async def start_phones(run: Demo, stack: AsyncExitStack, sounds: Path) -> tuple[Program, Program]:
    """Ann's, which will be called and press a key; Bob's, which key 1 leads to."""
    await asyncio.gather(add_phone(run, stack, "ann", ANN), add_phone(run, stack, "bob", BOB))
    phone = (*OFFHOOK, "phone", "run", "--json", "--answer", "--as")
    keys = "w" * round(KEY_AFTER_S / 0.5) + "1"
    ann = await run.start(
        stack,
        "ann",
        *(*phone, ANN, "--record", run.output / "ann-heard.wav", "--play", sounds / "answer.wav", "--digits", keys),
    )
    bob = await run.start(
        stack,
        "bob",
        *(*phone, BOB, "--record", run.output / "bob-heard.wav", "--play", sounds / "colleague.wav"),
        *("--hang-up-after", str(BOB_STAYS_S)),
    )
    for name, number, program in (("Ann", ANN, ann), ("Bob", BOB, bob)):
        await program.says('"what": "registered"', REGISTER_WITHIN_S)
        say(f"  phone        {name}, {number}, registered")
    return ann, bob


async def add_phone(run: Demo, stack: AsyncExitStack, name: str, number: str) -> None:
    """A number that a phone registers as."""
    adding = await run.start(stack, f"{name}-added", *OFFHOOK, "phone", "add", number, "--json")
    await adding.says('"secret"', START_WITHIN_S)
    await adding.end(within_s=END_WITHIN_S)


async def place_call(run: Demo) -> None:
    """POST /a1/calls, as any application written for 46elks does."""
    order = {"from": CALLER, "to": ANN, "voice_start": f"{run.app}/start", "whenhangup": f"{run.app}/over"}
    say("\nPOST /a1/calls " + " ".join(f"{name}={value}" for name, value in order.items()))
    async with web(run) as session, session.post(f"{run.api}/a1/calls", data=order) as answer:
        said = await answer.text()
        if answer.status != 200:
            raise StepFailed(f"POST /a1/calls was answered {answer.status} {said}")
    run.call = json.loads(said)["id"]


def web(run: Demo) -> aiohttp.ClientSession:
    """HTTP as the account."""
    credentials = base64.b64encode(f"{run.account}:{run.secret}".encode()).decode()
    return aiohttp.ClientSession(
        headers={"Authorization": f"Basic {credentials}"}, timeout=aiohttp.ClientTimeout(total=STEP_WITHIN_S)
    )


async def follow(run: Demo) -> None:
    """Show the timeline while it grows; returns when the call is over."""
    say("\nThe call, as it happens:\n")
    process = await asyncio.create_subprocess_exec(
        *(*OFFHOOK, "timeline", run.call, "--follow"), env=run.environment, cwd=run.output
    )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def fetch_recording(run: Demo, url: str) -> None:
    """The WAV that the webhook names, with Basic auth."""
    async with web(run) as session, session.get(url) as answer:
        content = await answer.read()
        if answer.status != 200:
            raise StepFailed(f"GET {url} was answered {answer.status} {content[:200]!r}")
    (run.output / "recording.wav").write_bytes(content)


def check_heard(run: Demo, what: str, wanted: Samples, recorded: str) -> None:
    """Compare sound with sound."""
    try:
        match = find(wanted, read_wav(run.output / recorded))
    except NotHeard as error:
        raise StepFailed(f"{what}: {recorded}: {error}") from None
    if match.likeness < ALIKE:
        raise StepFailed(f"{what}: not in {recorded}, likeness {match.likeness:.2f} where {ALIKE} is wanted")
    run.note(what, f"in {recorded} at {match.at_s:.2f} s, likeness {match.likeness:.3f}")


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fresh(output: Path) -> Path:
    """An empty directory; what an earlier demo left is removed, and nothing else. Raises `StepFailed`."""
    if output.exists():
        if not (output / MARK).exists():
            raise StepFailed(f"{output} is there, and no demo made it: move it away, then try again")
        shutil.rmtree(output)
    output.mkdir()
    (output / MARK).touch()
    return output.absolute()


def say(text: str) -> None:
    """A line, at once."""
    print(text, flush=True)


def colour(text: str, code: int) -> str:
    """On a terminal only."""
    return f"\033[{code}m{text}\033[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def main() -> int:
    """Run the demo and say what happened; the exit status."""
    say("A real call on this machine, over SIP and RTP.\n")
    failed = ""
    run = None
    try:
        run = Demo(fresh(OUTPUT))
        asyncio.run(demo(run))
    except (StepFailed, TimeoutError) as error:
        failed = str(error) or f"the call was not over within {CALL_WITHIN_S:g} s"
    except KeyboardInterrupt:
        failed = "interrupted"
    say("\nWhat happened:\n")
    for what, detail in run.happened if run is not None else ():
        say(f"  {colour('yes', 32)}  {what:<38} {detail}")
    if failed:
        say(f"  {colour('NO', 31)}   {failed}")
        return 1
    assert run is not None
    say(f"\nTo listen to, in {OUTPUT}/:\n")
    say("  recording.wav   the whole call, as Offhook recorded it")
    say("  ann-heard.wav   what Ann's phone heard")
    say("  bob-heard.wav   what Bob's phone heard")
    return 0


if __name__ == "__main__":
    sys.exit(main())
