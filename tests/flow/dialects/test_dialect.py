"""Whatever is registered as a dialect does what calls and the world ask of one."""

from datetime import UTC, datetime

import pytest

from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.dialects.dialect import Dialect, Params
from offhook.flow.program import Flow, Outcome, OutcomeKind
from offhook.flow.targets import LegStage
from offhook.flow.view import CallId, CallState, CallView, Direction, LegView, RecordingView

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
VIEW = CallView(
    id=CallId("0" * 32), direction=Direction.INCOMING, from_="+46700000001", to="+46700000002", created=NOON
)
RECORDING = RecordingView(index=0, created=NOON, duration_s=1, wav_url="https://voice.example/r.wav")
LEG = LegView(to="+46700000003", from_="+46700000002", state=CallState.ONGOING, duration_s=0, number=1)
dialects = pytest.mark.parametrize("name", DIALECTS)


@dialects
def test_a_dialect_is_registered_under_its_own_name(name: str) -> None:
    assert DIALECTS[name].name == name


@dialects
def test_an_empty_document_has_nothing_to_do(name: str) -> None:
    reading = DIALECTS[name].read(b"", "")
    assert (reading.flow, reading.warnings) == (Flow(), ())


def told(dialect: Dialect) -> list[Params]:
    return [
        dialect.begun(VIEW),
        dialect.continued(VIEW, Outcome(kind=OutcomeKind.OK)),
        dialect.recorded(VIEW, RECORDING),
        dialect.ended(VIEW),
        dialect.status(VIEW, LEG, LegStage.RINGING, (("token", "123456"),)),
    ]


@dialects
def test_parameters_are_texts_and_none_stands_twice(name: str) -> None:
    for params in told(DIALECTS[name]):
        assert all(isinstance(value, str) for _, value in params)
        assert len({key for key, _ in params}) == len(params) > 0
