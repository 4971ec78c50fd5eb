"""The customer's web application, as cheap as one can be: it answers each path with the same bytes, on connections
kept alive, without reading more of a request than its first line and its length. A process of its own, on the
generators' core. `HERE` in an answer stands for its own base URL.

`python -m benchmarks.application FILE`: FILE is JSON, path to {"json": …} or {"hex": …, a WAV file}; prints its
port."""

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from benchmarks.machine import pinned

__all__ = ["HERE", "application"]

HERE = "http://here.invalid"
FRESH_S = 3600


def answer_bytes(kind: str, body: bytes) -> bytes:
    """A whole response."""
    about = f"Content-Type: {kind}\r\nCache-Control: max-age={FRESH_S}\r\nContent-Length: {len(body)}"
    return f"HTTP/1.1 200 OK\r\n{about}\r\n\r\n".encode() + body


class Answering(asyncio.Protocol):
    """One connection. Requests may come in pieces or several at once."""

    def __init__(self, answers: Mapping[bytes, bytes]) -> None:
        self._answers = answers
        self._missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end]
            found = head.lower().find(b"\r\ncontent-length:")
            length = 0 if found < 0 else int(head[found + 17 :].partition(b"\r\n")[0])
            if len(self._rest) < end + 4 + length:
                return
            self._rest = self._rest[end + 4 + length :]
            path = head.split(b" ", 2)[1].partition(b"?")[0]
            self._transport.write(self._answers.get(path, self._missing))


@contextmanager
def application(core: int, answers: Mapping[str, object]) -> Iterator[str]:
    """Run one; yields its base URL. A value that is bytes is a WAV file, anything else JSON."""
    plan = {
        path: {"hex": value.hex()} if isinstance(value, bytes) else {"json": value} for path, value in answers.items()
    }
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "answers.json")
        file.write_text(json.dumps(plan))
        command = pinned(core, sys.executable, "-m", "benchmarks.application", file)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield f"http://127.0.0.1:{int(process.stdout.readline())}"
            finally:
                process.terminate()


async def serve(plan: Mapping[str, Mapping[str, object]]) -> None:
    answers: dict[bytes, bytes] = {}
    server = await asyncio.get_running_loop().create_server(lambda: Answering(answers), "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    for path, each in plan.items():
        if "hex" in each:
            answers[path.encode()] = answer_bytes("audio/wav", bytes.fromhex(str(each["hex"])))
        else:
            text = json.dumps(each["json"]).replace(HERE, f"http://127.0.0.1:{port}")
            answers[path.encode()] = answer_bytes("application/json", text.encode())
    print(port, flush=True)
    await server.serve_forever()


def main() -> None:
    import uvloop

    uvloop.run(serve(json.loads(Path(sys.argv[1]).read_text())))


if __name__ == "__main__":
    main()
