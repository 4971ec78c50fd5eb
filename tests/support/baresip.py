"""baresip, a real SIP phone, with a configuration of its own: what it says is a WAV of the test's, what it hears is
recorded by its `sndfile` module, and it is steered over `ctrl_tcp` (JSON in netstrings), whose events a test awaits.
"""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.support.sound_checks import Samples, read_wav, silence, write_wav

__all__ = ["BARESIP", "MODULES", "Baresip", "baresip"]

BARESIP = shutil.which("baresip")
MODULES = next(
    (p for p in (Path("/usr/lib/baresip/modules"), Path("/usr/local/lib/baresip/modules")) if p.exists()), None
)
READY_WITHIN_S = 10.0
WITHIN_S = 12.0
POLL_S = 0.01
RTP_PORTS = 40
"""How many ports one phone may use for its calls."""

CONFIG = """poll_method epoll
sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
call_max_calls 4
audio_source aufile,{says}
audio_path {directory}
ausrc_srate 8000
ausrc_channels 1
rtp_ports {rtp_first}-{rtp_last}
jitter_buffer_delay 2-10
module_path {modules}
module g711.so
module sndfile.so
module aufile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
snd_path {directory}
ctrl_tcp_listen 127.0.0.1:{control}
"""


@dataclass(slots=True)
class Baresip:
    """A phone that runs."""

    process: asyncio.subprocess.Process
    directory: Path
    port: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    events: list[dict[str, Any]] = field(default_factory=list)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    _asked: int = 0

    async def listen(self) -> None:
        """Keeps what the phone reports, until it ends."""
        try:
            while True:
                length = int((await self.reader.readuntil(b":"))[:-1])
                said = json.loads((await self.reader.readexactly(length + 1))[:-1])
                if "event" in said:
                    self.events.append({**said, "at": time.monotonic()})
                else:
                    self.answers[str(said.get("token"))] = said
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    async def command(self, command: str, params: str = "", *, ok: bool = True) -> str:
        """Tells the phone to do something; answers what it printed."""
        self._asked += 1
        token = str(self._asked)
        text = json.dumps({"command": command, "params": params, "token": token}).encode()
        self.writer.write(b"%d:%s," % (len(text), text))
        deadline = time.monotonic() + WITHIN_S
        while token not in self.answers:
            assert time.monotonic() < deadline, f"no answer to {command} {params}\n{self.evidence()}"
            await asyncio.sleep(POLL_S)
        answer = self.answers.pop(token)
        assert answer["ok"] or not ok, f"{command} {params}: {answer}\n{self.evidence()}"
        return str(answer.get("data", ""))

    async def event(self, kind: str, count: int = 1, within_s: float = WITHIN_S) -> dict[str, Any]:
        """Waits for the `count`th event of a type, such as `CALL_ESTABLISHED`."""
        deadline = time.monotonic() + within_s
        while len(self.got(kind)) < count:
            assert time.monotonic() < deadline, f"no {kind} number {count} within {within_s} s\n{self.evidence()}"
            await asyncio.sleep(POLL_S)
        return self.got(kind)[count - 1]

    def got(self, kind: str) -> list[dict[str, Any]]:
        """The events of a type so far."""
        return [event for event in self.events if event["type"] == kind]

    async def dial(self, uri: str) -> None:
        """Calls someone."""
        await self.command("dial", uri)

    async def accept(self) -> None:
        """Answers the call that rings."""
        await self.command("accept")

    async def hang_up(self) -> None:
        """Ends, or refuses, the current call."""
        await self.command("hangup")

    async def press(self, digits: str) -> None:
        """Presses keys (RFC 4733)."""
        await self.command("sndcode", digits)

    async def hold(self) -> None:
        """Puts the call on hold by re-INVITE."""
        await self.command("hold")

    async def resume(self) -> None:
        """Takes the call back by re-INVITE."""
        await self.command("resume")

    async def heard(self, call: int = 1) -> Samples:
        """What it heard in its `call`th call, once that has ended (the recorder writes the length at the end)."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            files = sorted(self.directory.glob("dump-*-dec.wav"))
            if len(files) >= call and files[call - 1].stat().st_size > 44:
                sound = read_wav(files[call - 1])
                if len(sound):
                    return sound
            assert time.monotonic() < deadline, f"nothing recorded: {files}\n{self.evidence()}"
            await asyncio.sleep(POLL_S)

    def evidence(self) -> str:
        """What it reported and printed."""
        printed = (self.directory / "output.log").read_text(errors="replace")[-6000:]
        reported = [f"{event['type']} {event.get('param', '')}" for event in self.events]
        return f"(phone's directory: {self.directory})\nevents: {reported}\n{printed}"


@asynccontextmanager
async def baresip(
    directory: Path,
    name: str,
    *,
    server: tuple[str, int],
    password: str | None = None,
    transport: str = "udp",
    says: Samples | None = None,
    codecs: str = "PCMA,PCMU",
    answer: str = "manual",
    register_s: int = 0,
    rwait: int = 90,
) -> AsyncIterator[Baresip]:
    """A phone with one account `name` at `server`; registers if `register_s`. `says`: what it speaks in each call, once
    (made longer by silence, since a call ends when its file does)."""
    assert BARESIP is not None
    assert MODULES is not None, "baresip is not installed"
    directory = directory / f"baresip-{name.strip('+')}"
    directory.mkdir(parents=True)
    import numpy as np

    spoken = silence(60) if says is None else np.concatenate((says, silence(60)))
    write_wav(directory / "says.wav", spoken)
    port, control, rtp_first = free_port(), free_port(), free_port()
    (directory / "config").write_text(
        CONFIG.format(
            port=port, says=directory / "says.wav", directory=directory, rtp_first=rtp_first & ~1,
            rtp_last=(rtp_first & ~1) + RTP_PORTS, modules=MODULES, control=control,
        )
    )  # fmt: skip
    account = f"<sip:{name}@{server[0]}:{server[1]};transport={transport}>;audio_codecs={codecs};answermode={answer}"
    account += f";regint={register_s};rwait={rwait}" + (f";auth_pass={password}" if password else "")
    (directory / "accounts").write_text("")
    (directory / "contacts").write_text("")
    with (directory / "output.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(BARESIP, "-f", str(directory), "-s"),
            cwd=directory, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
    try:
        reader, writer = await _connect(control, process, directory)
        phone = Baresip(process, directory, port, reader, writer)
        listening = asyncio.create_task(phone.listen())
        try:
            # Only now, so that no event of its registration is missed.
            await phone.command("uanew", account)
            yield phone
        finally:
            listening.cancel()
            writer.close()
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 3)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _connect(
    control: int, process: asyncio.subprocess.Process, directory: Path
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", control)
        except OSError:
            output = (directory / "output.log").read_text(errors="replace")
            assert process.returncode is None, f"baresip ended at once\n{output}"
            assert time.monotonic() < deadline, f"baresip did not listen\n{output}"
            await asyncio.sleep(POLL_S)
