"""The server key: made once, private, and the only one that opens what it sealed."""

from pathlib import Path

import pytest

from offhook.storage.keys import KeyFileError, ServerKey, new_id, new_secret


def test_is_made_once_and_private(tmp_path: Path) -> None:
    first, second = ServerKey.load(tmp_path), ServerKey.load(tmp_path)
    assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o600
    assert first.hash("secret") == second.hash("secret")
    assert second.unseal(first.seal("pässword")) == "pässword"


def test_checks_secrets(tmp_path: Path) -> None:
    key = ServerKey.load(tmp_path)
    assert key.matches("right", key.hash("right"))
    assert not key.matches("wrong", key.hash("right"))
    assert b"right" not in key.hash("right")
    assert b"right" not in key.seal("right")


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    sealed = ServerKey(b"a" * 32).seal("secret")
    assert ServerKey(b"a" * 32).hash("s") != ServerKey(b"b" * 32).hash("s")
    with pytest.raises(KeyFileError, match=r"another server\.key"):
        ServerKey(b"b" * 32).unseal(sealed)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    ServerKey.load(tmp_path)
    (tmp_path / "server.key").chmod(0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        ServerKey.load(tmp_path)


def test_a_damaged_key_is_refused(tmp_path: Path) -> None:
    ServerKey.load(tmp_path)
    (tmp_path / "server.key").write_bytes(b"short")
    with pytest.raises(KeyFileError, match="5 bytes instead of 32"):
        ServerKey.load(tmp_path)


def test_ids_and_secrets() -> None:
    assert new_id("u").startswith("u")
    assert len(new_id("u")) == 33
    assert len({new_secret() for _ in range(100)}) == 100
    secret = new_secret()
    assert (len(secret), secret.upper()) == (32, secret)


def test_data_is_sealed_each_time_anew_and_opened_by_its_own_key_alone() -> None:
    key = ServerKey(b"a" * 32)
    sealed = [key.seal_data(b"hush-hush") for _ in range(2)]
    assert sealed[0] != sealed[1]
    assert b"hush" not in sealed[0]
    assert [key.unseal_data(each) for each in sealed] == [b"hush-hush"] * 2
    for wrong in (b"", b"no", sealed[0][:-1], sealed[0][:-1] + b"x"):
        with pytest.raises(KeyFileError):
            key.unseal_data(wrong)
    with pytest.raises(KeyFileError):
        ServerKey(b"b" * 32).unseal_data(sealed[0])
