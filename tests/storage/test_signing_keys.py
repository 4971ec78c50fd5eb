"""Signing keys: made when asked for, exchanged with an overlap, sealed in the database."""

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

from offhook.storage.store import Storage

T0 = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def texts(storage: Storage, account: str, now: datetime) -> list[str]:
    return [key.text for key in storage.signing_keys.in_force(account, now)]


def test_the_first_key_is_made_when_it_is_asked_for_and_stays(storage: Storage) -> None:
    (first,) = storage.signing_keys.in_force("u1", T0)
    assert first.text.startswith("whsec_")
    assert len(base64.b64decode(first.text.removeprefix("whsec_"))) == 32
    assert (first.created, first.expires) == (T0, None)
    assert texts(storage, "u1", T0 + HOUR) == [first.text]
    assert texts(storage, "u2", T0) != [first.text]


def test_the_old_key_signs_beside_the_new_one_for_a_while(storage: Storage) -> None:
    (old,) = texts(storage, "u1", T0)
    new = storage.signing_keys.rotate("u1", T0, HOUR)
    assert new.expires is None
    assert texts(storage, "u1", T0) == [new.text, old]
    assert texts(storage, "u1", T0 + HOUR) == [new.text]


def test_a_key_that_ends_at_once_does_so(storage: Storage) -> None:
    (old,) = texts(storage, "u1", T0)
    new = storage.signing_keys.rotate("u1", T0, timedelta())
    assert texts(storage, "u1", T0) == [new.text] != [old]


def test_rotating_twice_prolongs_nothing(storage: Storage) -> None:
    (first,) = texts(storage, "u1", T0)
    second = storage.signing_keys.rotate("u1", T0, HOUR).text
    third = storage.signing_keys.rotate("u1", T0, 5 * HOUR).text
    assert texts(storage, "u1", T0) == [third, second, first]
    assert texts(storage, "u1", T0 + HOUR) == [third, second]
    fourth = storage.signing_keys.rotate("u1", T0 + 2 * HOUR, timedelta()).text
    assert texts(storage, "u1", T0 + 2 * HOUR) == [fourth]


def test_keys_survive_a_restart_and_lie_sealed(tmp_path: Path) -> None:
    storage = Storage.open(tmp_path / "data")
    old = texts(storage, "u1", T0)
    storage.signing_keys.rotate("u1", T0, HOUR)
    storage.signing_keys.rotate("u2", T0, timedelta())
    known = texts(storage, "u1", T0), texts(storage, "u2", T0)
    storage.close()
    assert all(key.removeprefix("whsec_").encode() not in (tmp_path / "data/offhook.db").read_bytes() for key in old)
    again = Storage.open(tmp_path / "data")
    assert (texts(again, "u1", T0), texts(again, "u2", T0)) == known
    again.close()
