"""didML as a dialect: it holds nothing, and joins its reader and its words. What they do is in their cases."""

from datetime import UTC, datetime

from offhook.flow.dialects import didml_reading, didml_words
from offhook.flow.dialects.didml import Didml
from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.targets import LegStage
from offhook.flow.view import CallId, CallState, CallView, Direction, LegView, RecordingView

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
VIEW = CallView(
    id=CallId("0" * 32), direction=Direction.OUTGOING, from_="+18005797676", to="+19499300360", created=NOON
)
LEG = LegView(to="+19499300360", from_="+18005797676", state=CallState.ONGOING, duration_s=0)


def test_it_is_called_didml_and_one_is_as_good_as_another() -> None:
    assert Didml().name == "didml"
    assert Didml() == Didml()


def test_it_reads_with_the_address_and_tells_in_its_words() -> None:
    body = b"<Response><play>a.mp3</play></Response>"
    recording = RecordingView(index=0, created=NOON, duration_s=1, wav_url="https://voice.example/r.wav")
    outcome = Outcome(kind=OutcomeKind.BUSY)
    assert Didml().read(body, "https://app.example/a") == didml_reading.read(body, "https://app.example/a")
    assert Didml().begun(VIEW) == didml_words.begun(VIEW)
    assert Didml().continued(VIEW, outcome) == didml_words.continued(VIEW, outcome)
    assert Didml().recorded(VIEW, recording) == didml_words.recorded(VIEW, recording)
    assert Didml().ended(VIEW) == didml_words.ended(VIEW)
    assert Didml().actions(VIEW) == didml_words.actions(VIEW)
    told = (VIEW, LEG, LegStage.RINGING, (("token", "1"),))
    assert Didml().status(*told) == didml_words.status(*told)
