"""46elks as a dialect: it holds nothing, and joins its reader and its words. What they do is in their cases."""

from datetime import UTC, datetime

from offhook.flow.dialects import elks_reading, elks_words
from offhook.flow.dialects.elks import Elks
from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.view import CallId, CallView, Direction, RecordingView

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
VIEW = CallView(
    id=CallId("0" * 32), direction=Direction.OUTGOING, from_="+46700000001", to="+46700000002", created=NOON
)


def test_it_is_called_elks_and_one_is_as_good_as_another() -> None:
    assert Elks().name == "elks"
    assert Elks() == Elks()


def test_it_reads_with_the_address_and_tells_in_its_words() -> None:
    body = b'{"play": "sound/beep", "next": "/next"}'
    recording = RecordingView(index=0, created=NOON, duration_s=1, wav_url="https://voice.example/r.wav")
    outcome = Outcome(kind=OutcomeKind.BUSY)
    assert Elks().read(body, "https://app.example/a") == elks_reading.read(body, "https://app.example/a")
    assert Elks().begun(VIEW) == elks_words.begun(VIEW)
    assert Elks().continued(VIEW, outcome) == elks_words.continued(VIEW, outcome)
    assert Elks().recorded(VIEW, recording) == elks_words.recorded(VIEW, recording)
    assert Elks().ended(VIEW) == elks_words.ended(VIEW)
    assert Elks().actions(VIEW) == elks_words.actions(VIEW)
