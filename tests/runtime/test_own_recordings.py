"""A recording is found by the URL that its customer was given, by nobody else and by no other URL."""

from datetime import UTC, datetime, timedelta

import pytest

from offhook.runtime.own_recordings import OwnRecordings
from offhook.storage.rows import RecordingRow
from offhook.storage.store import Storage

BASE = "https://voice.example"
CALL = "a" * 32
URL = f"{BASE}/a1/recordings/c{CALL}-r0.wav"


def stored(storage: Storage, **changes: object) -> OwnRecordings:
    now = datetime.now(UTC)
    what = {
        "call_id": CALL, "number": 0, "owner": "u1", "path": f"{CALL}-1.wav", "created": now, "duration_s": 2.0,
        "bytes": 32044, "expires": now + timedelta(days=1), **changes,
    }  # fmt: skip
    storage.records.save_recording(RecordingRow(**what))  # type: ignore[arg-type]
    return OwnRecordings(storage, lambda: BASE)


async def test_its_account_has_the_file_at_once(storage: Storage) -> None:
    assert await stored(storage).find("u1", URL) == storage.recordings_dir / f"{CALL}-1.wav"


async def test_another_account_has_not(storage: Storage) -> None:
    assert await stored(storage).find("u2", URL) is None


async def test_one_that_is_kept_no_longer(storage: Storage) -> None:
    assert await stored(storage, expires=datetime.now(UTC) - timedelta(seconds=1)).find("u1", URL) is None


@pytest.mark.parametrize(
    "url",
    [
        URL.replace("voice", "other"),
        URL.replace("-r0", "-r1"),
        URL.replace("a" * 32, "b" * 32),
        URL + "x",
        URL.replace("-r0.wav", "/../../offhook.db"),
        f"{BASE}/sound.wav",
        "",
    ],
)
async def test_other_urls_are_not_ours(storage: Storage, url: str) -> None:
    assert await stored(storage).find("u1", url) is None
