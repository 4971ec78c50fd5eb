"""Whom a command asks: the server that runs, else the data itself."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from offhook.storage.store import Storage
from offhook.web.auth import announce


def test_a_running_server_sees_a_change_at_once(run: Any, running: Any) -> None:
    made = run("account", "add", "Ann", "--json").json
    assert running.storage.directory.authenticate(made["id"], made["secret"]) is not None


def test_without_a_server_the_change_is_in_the_data(run: Any, tmp_path: Path) -> None:
    made = run("account", "add", "Ann", "--json").json
    storage = Storage.open(tmp_path / "offhook-data")
    assert storage.directory.authenticate(made["id"], made["secret"]) is not None
    storage.close()


def test_data_that_a_silent_server_holds(run: Any, tmp_path: Path) -> None:
    storage = Storage.open(tmp_path / "offhook-data")
    refused = run("account", "list")
    storage.close()
    assert refused.status == 1
    assert "is in use by process" in refused.err
    assert "check http_listen" in refused.err


def test_another_servers_address_is_not_believed(run: Any, running: Any, tmp_path: Path) -> None:
    """The token of this folder does not fit there, so the data itself is asked."""
    (tmp_path / "mine.toml").write_text('data_dir = "mine"\n')
    run("account", "add", "Mine", "--config", "mine.toml")
    announce(tmp_path / "mine", running.url)
    assert [row["name"] for row in run("account", "list", "--config", "mine.toml", "--json").json] == ["Mine"]


def test_settings_that_are_wrong(run: Any, tmp_path: Path) -> None:
    (tmp_path / "offhook.toml").write_text("rtp_ports = 7\nhttp_lisen = 1\n")
    refused = run("calls")
    assert refused.status == 1
    assert "did you mean http_listen?" in refused.err
    assert "does not exist" in run("calls", "--config", "none.toml").err


def test_a_folder_that_cannot_be_made(run: Any, tmp_path: Path) -> None:
    (tmp_path / "offhook-data").write_text("a file")
    refused = run("calls")
    assert refused.status == 1
    assert "check data_dir" in refused.err


def test_a_key_that_others_can_read(run: Any, tmp_path: Path) -> None:
    run("account", "list")
    (tmp_path / "offhook-data/server.key").chmod(0o644)
    assert "chmod 600" in run("account", "list").err


def test_what_is_not_there_says_where_was_looked(run: Any) -> None:
    """Whoever stands in another folder than his server would else believe that his call is lost."""
    refused = run("timeline", "c" + "0" * 32)
    assert refused.status == 1
    assert "no server runs; these are the data in offhook-data" in refused.err


@contextmanager
def somebody(answer: bytes) -> Iterator[str]:
    """Answers whatever is asked with these octets."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n", "There are no calls yet"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "There are no calls yet"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>", "is no Offhook; check http_listen"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n[]", "is no Offhook; check http_listen"),
        (b'HTTP/1.1 400 No\r\nContent-Length: 13\r\n\r\n{"error": "x"}', "is no Offhook; check http_listen"),
    ],
)
def test_whatever_else_listens_there(run: Any, tmp_path: Path, answer: bytes, said: str) -> None:
    run("account", "list")
    with somebody(answer) as url:
        announce(tmp_path / "offhook-data", url)
        done = run("calls")
    assert said in done.out + done.err
    assert "Traceback" not in done.err


def test_a_folder_that_is_not_ours_to_read(run: Any, tmp_path: Path) -> None:
    (tmp_path / "offhook-data" / "admin.token").mkdir(parents=True)
    refused = run("calls")
    assert refused.status == 1
    assert "cannot be read" in refused.err


@pytest.mark.parametrize(
    ("file", "content"),
    [("http.address", "nonsense"), ("http.address", "http://[::"), ("admin.token", "a\nb"), ("admin.token", "")],
)
def test_files_that_were_damaged(run: Any, tmp_path: Path, file: str, content: str) -> None:
    """By a full disk, say."""
    run("account", "list")
    announce(tmp_path / "offhook-data", "http://127.0.0.1:1")
    (tmp_path / "offhook-data" / file).write_text(content)
    assert "There are no calls yet" in run("calls").out
