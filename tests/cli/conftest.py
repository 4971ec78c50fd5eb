"""Commands as they are typed, in a folder of their own; with a running server where a test asks for one."""

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from tests.support.board import Board
from tests.support.rest_cases import World

from offhook.cli import main
from offhook.config import Settings
from offhook.storage.store import Storage
from offhook.web.auth import announce


@dataclass(slots=True)
class Typed:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Typed]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OFFHOOK_{name.upper()}", raising=False)
    # Nobody answers there, whatever else runs on this machine.
    monkeypatch.setenv("OFFHOOK_HTTP_LISTEN", "127.0.0.1:1")

    def typed(*words: str) -> Typed:
        monkeypatch.setattr(sys, "argv", ["offhook", *words])
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else 1
        said = capsys.readouterr()
        return Typed(status, said.out, said.err)

    return typed


class Running:
    """A server in a thread, on the data of the test's folder."""

    def __init__(self, data_dir: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.storage = Storage.open(data_dir)
        self.world = World(self.storage)
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        app = self.world.app()
        announce(data_dir, self.url)
        self.server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        self.thread = threading.Thread(target=self._serve, args=(listening,))
        self.thread.start()

    def _serve(self, listening: socket.socket) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.server.serve([listening]))
        self.loop.close()
        listening.close()

    @property
    def board(self) -> Board:
        return self.world.board

    def do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.storage.close()


@pytest.fixture
def running(run: Run, tmp_path: Path) -> Iterator[Running]:
    started = Running(tmp_path / "offhook-data")
    yield started
    started.stop()
