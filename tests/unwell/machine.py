"""A machine in trouble, really: a small disk that can be filled, a disk that stops answering, a locked database.

Disks are mounted where the server alone sees them (`unshare`), so that nothing is left mounted however a test ends.
"""

import contextlib
import errno
import os
import shlex
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.server import Server, server

__all__ = ["Disk", "served_from"]

THAWED_AFTER_S = 40
"""Whatever becomes of the test: a process that waits for a frozen disk cannot be killed."""
IMAGE_BYTES = 32 << 20
CHUNK = 64 << 10


class Disk:
    """The disk of a server's data directory, seen from outside of its mount namespace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self) -> None:
        """To the last byte."""
        with self._ballast.open("ab", buffering=0) as file:
            size = CHUNK
            while size:
                try:
                    file.write(b"\0" * size)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    size //= 2

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def make_room(self) -> None:
        """What filled it is deleted."""
        self._ballast.unlink()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Whoever writes waits, and gets no error: what a disk does whose controller or network has gone."""
        thaw = ["fsfreeze", "--unfreeze", str(self.folder)]
        guard = subprocess.Popen(["sh", "-c", f"sleep {THAWED_AFTER_S}; {shlex.join(thaw)}"], stderr=subprocess.DEVNULL)
        subprocess.run(["fsfreeze", "--freeze", str(self.folder)], check=True)
        try:
            yield
        finally:
            subprocess.run(thaw, check=True)
            guard.kill()
            guard.wait()


@asynccontextmanager
async def served_from(tmp_path: Path, mount: str, **settings: str) -> AsyncIterator[tuple[Server, Disk]]:
    """A server whose data directory is on a disk of its own: `tmpfs`, or `ext4` in a file."""
    data, image = tmp_path / "d", tmp_path / "image"
    data.mkdir()
    where = shlex.quote(str(data))
    if mount == "tmpfs":
        mounting = f"mount -t tmpfs -o size=12m,mode=700 offhook-test {where}"
    else:
        with image.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
        mounting = f"mount -o loop {shlex.quote(str(image))} {where}"
    apart = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    tried = subprocess.run([*apart, "sh", "-c", mounting], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no disk of {mount} can be mounted here, so this was NOT tested: {tried.stderr.strip()}")
    started_by = [*apart, "sh", "-c", f'{mounting} && exec "$@"', "sh"]
    async with server(data, started_by=started_by, log_path=tmp_path / "server.log", **settings) as running:
        running.data_dir = Path(f"/proc/{running.process.pid}/root{data}")
        # The engine outlives the server, and a later server has to see the same disk.
        engine = running.engine_pid
        running.data_dir = Path(f"/proc/{engine}/root{data}")
        into = ["nsenter", f"--target={engine}", "--mount"]
        running.started_by = into if os.geteuid() == 0 else [*into, "--user", "--preserve-credentials"]
        yield running, Disk(running.data_dir)
