"""The commands of the media engine as values; their bytes are tested in test_wire.py."""

import dataclasses

import pytest

from offhook.media import commands as c
from offhook.media import wire

SESSION = c.SessionId(1)


def test_what_usually_holds_need_not_be_said() -> None:
    play = c.Play(session=SESSION, playback=c.PlaybackId(2), files=("a",))
    assert (play.repeat, play.gap_ms, play.start_ms) == (1, 0, 0)
    opened = c.OpenSession(session=SESSION, local="::1")
    assert (opened.near, opened.port) == (c.NO_SESSION, 0)
    remote = c.SetRemote(
        session=SESSION, remote=("192.0.2.1", 4000), send_codec=c.Codec.PCMA, send_payload_type=8, receive=()
    )
    assert (remote.direction, remote.latch, remote.ptime_ms) == (c.Direction.SEND_RECV, c.Latch.SYMMETRIC, 20)
    assert remote.remote_rtcp is remote.send_events is remote.receive_events is None


def test_static_payload_types_are_the_codecs_numbers() -> None:
    """RFC 3551 table 4."""
    assert (c.Codec.PCMU, c.Codec.PCMA) == (0, 8)


@pytest.mark.parametrize("kind", [*wire.COMMANDS, c.PayloadMap, c.DigitTone])
def test_every_command_is_a_value(kind: type) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert not hasattr(kind, "__dict__") or "__slots__" in vars(kind)
    assert all(field.kw_only for field in dataclasses.fields(kind))
