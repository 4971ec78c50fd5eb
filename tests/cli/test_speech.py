"""`offhook voices` and `offhook say`, with a running server and without."""

import wave
from pathlib import Path
from typing import Any

import numpy as np

from offhook.runtime.speech.provider import OfferedVoice


def test_voices_without_a_server(run: Any) -> None:
    run("account", "add", "Ann")
    listed = run("voices", "--language", "sv_SE")
    assert listed.status == 0, listed.err
    assert [line.split() for line in listed.out.splitlines()] == [
        ["LANGUAGE", "VOICE", "ENGINE", "NAME"],
        ["sv", "man", "espeak", "m1"],
        ["sv", "woman", "espeak", "f5"],
    ]
    assert len({row["language"] for row in run("voices", "--json").json}) > 50
    assert "Nobody speaks that" in run("voices", "--language", "tlh").out


def test_voices_of_a_running_server(run: Any, running: Any) -> None:
    running.board.offered_voices = [OfferedVoice(language="", voice="anna", engine="http", name="alloy")]
    assert "any       anna   http    alloy" in run("voices").out


def test_what_is_said_is_written(run: Any, tmp_path: Path) -> None:
    said = run("say", "Your pin is 8 9 70", "--out", str(tmp_path / "pin.wav"), "--voice", "man", "--language", "sv")
    assert said.status == 0, said.err
    with wave.open(str(tmp_path / "pin.wav")) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (8000, 2, 1)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    assert 1 < len(samples) / 8000 < 4
    assert np.max(np.abs(samples)) > 5000
    assert f"pin.wav: {len(samples) / 8000:.1f} s" in said.out


def test_how_it_was_said_as_json(run: Any, tmp_path: Path) -> None:
    said = run("say", "Ring 08-123 456", "-o", str(tmp_path / "a.wav"), "--language", "sv", "--json").json
    assert (said["engine"], said["name"], said["read"]) == ("espeak", "f5", "Ring 0 8, 1 2 3, 4 5 6")
    assert said["seconds"] > 1


def test_what_is_not_as_asked_is_told(run: Any, tmp_path: Path) -> None:
    said = run("say", "Qapla", "--out", str(tmp_path / "a.wav"), "--language", "tlh")
    assert said.status == 0
    assert "warning: nobody speaks tlh" in said.err


def test_what_cannot_be_said_or_written(run: Any, tmp_path: Path) -> None:
    nothing = run("say", "...", "--out", str(tmp_path / "a.wav"))
    assert (nothing.status, "nothing to say" in nothing.err) == (1, True)
    nowhere = run("say", "Hello", "--out", str(tmp_path / "no" / "a.wav"))
    assert (nowhere.status, "cannot be written" in nowhere.err) == (1, True)
