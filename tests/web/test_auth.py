"""The operator's token."""

from pathlib import Path

import pytest

from offhook.web.auth import AdminToken, announce, announced


def test_is_made_once_and_private(tmp_path: Path) -> None:
    first = AdminToken.make(tmp_path)
    path = tmp_path / "admin.token"
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text().strip()
    assert len(text) >= 43
    assert AdminToken.make(tmp_path).matches(f"Bearer {text}".encode())
    assert first.matches(f"bearer {text} ".encode())


@pytest.mark.parametrize("damaged", [b"", b"short\n", b"a b" * 30, b"\xff" * 43])
def test_a_file_that_lets_nobody_in_is_made_anew(tmp_path: Path, damaged: bytes) -> None:
    path = tmp_path / "admin.token"
    path.write_bytes(damaged)
    path.chmod(0o644)
    made = AdminToken.make(tmp_path)
    assert made.matches(b"Bearer " + path.read_bytes())
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["admin.token"]


def test_nothing_else_matches(tmp_path: Path) -> None:
    token = AdminToken.make(tmp_path)
    text = (tmp_path / "admin.token").read_text().strip()
    for wrong in ("", "Bearer ", "Bearer x", text, f"Basic {text}", f"Bearer {text}x"):
        assert not token.matches(wrong.encode())
    assert not token.matches(None)


def test_an_emptied_file_lets_nobody_in() -> None:
    assert not AdminToken("").matches(b"Bearer ")


def test_the_address_of_the_api(tmp_path: Path) -> None:
    assert announced(tmp_path) is None
    announce(tmp_path, "http://127.0.0.1:1")
    announce(tmp_path, "http://127.0.0.1:2")
    assert announced(tmp_path) == "http://127.0.0.1:2"


def test_an_address_that_cannot_be_written_keeps_no_server_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "http.address").mkdir()
    announce(tmp_path, "http://127.0.0.1:1")
    assert "http.address cannot be written: Is a directory" in caplog.text
