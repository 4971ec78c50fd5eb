"""What a server leaves on disk is its user's alone, whatever the folder allows."""

from pathlib import Path

from tests.support.server import server


async def test_nothing_it_writes_can_be_read_by_others(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o755)
    async with server(data_dir) as running:
        made = [path for path in data_dir.rglob("*") if path != running.log_path]
        assert {"offhook.db", "server.key", "admin.token", "recordings", "sound"} <= {path.name for path in made}
        assert [path.name for path in made if path.lstat().st_mode & 0o077 and not path.is_socket()] == []
