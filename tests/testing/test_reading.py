"""Scenario files: every form there is, and an error with its line for everything else."""

import math
from pathlib import Path

import pytest

from offhook.call.events import Tariff
from offhook.flow.view import Cause
from offhook.testing.reading import BadScenario, read_scenario, read_scenario_file
from offhook.testing.scenario import Act, ActKind, Calls, Expected, Page, Phone, PlacesCall, Scenario, When, WhenKind

WHEN = "when\n  +1 calls +2\n"
THEN = "then\n  0.0  +1 calls +2\n"


def given(text: str) -> Scenario:
    indented = "\n".join(f"  {line}" for line in text.splitlines())
    return read_scenario(f"# It works.\ngiven\n{indented}\n{WHEN}{THEN}")


def acts(*lines: str) -> tuple[Act, ...]:
    below = "".join(f"    {line}\n" for line in lines)
    (begins,) = read_scenario(f"# It works.\nwhen\n  +1 calls +2\n{below}{THEN}").begins
    assert isinstance(begins, Calls)
    return begins.acts


def test_the_least_there_can_be() -> None:
    scenario = read_scenario(f"# It\n# works.\n\n{WHEN}\n{THEN}")
    assert scenario == Scenario(
        title="It works.",
        begins=(Calls(from_="+1", to="+2"),),
        expected=(Expected(line=8, time=0.0, text="+1 calls +2"),),
    )


def test_a_fallback() -> None:
    assert given("fallback https://b/start").fallback == "https://b/start"
    assert given('fallback\n  {"play":\n   "x"}').fallback == '{"play":\n"x"}'


def test_a_number_may_speak_a_dialect() -> None:
    scenario = given("number +2 in elks runs https://a\nnumber +3 runs https://b")
    assert scenario.numbers == {"+2": "https://a", "+3": "https://b"}
    assert scenario.dialects == {"+2": "elks"}
    with pytest.raises(BadScenario, match="a dialect is one of `elks`"):
        given("number +2 in latin runs https://a")


def test_numbers_and_pages() -> None:
    scenario = given(
        "number +2 runs https://a/start\n"
        "number +3 runs\n"
        '  {"play":\n'
        '   "x"}\n'
        "# a comment\n"
        "page https://a/start when result=1 answers 500 after 2.5 s\n"
        "page https://a/start\n"
        "  {}\n"
        "page https://a/start never answers\n"
        "page https://a/start is unreachable\n"
        "page https://a/start answers 307 to https://b/start"
    )
    assert scenario.numbers == {"+2": "https://a/start", "+3": '{"play":\n"x"}'}
    url = "https://a/start"
    assert scenario.pages == (
        Page(url=url, status=500, delay_s=2.5, only_if=("result", "1")),
        Page(url=url, body=b"{}"),
        Page(url=url, delay_s=math.inf),
        Page(url=url, status=None),
        Page(url=url, status=307, location="https://b/start"),
    )


def test_phones() -> None:
    scenario = given(
        "phone +1 rings\n"
        "phone +2 answers after 3 s\n"
        "  hangs up after 5 s\n"
        "phone +3 is heard after 1 s, is busy after 2 s\n"
        "phone +4 is unavailable"
    )
    assert scenario.phones == (
        Phone(address="+1"),
        Phone(
            address="+2",
            answers_after=3.0,
            acts=(Act(kind=ActKind.HANGS_UP, when=When(kind=WhenKind.ANSWERED, seconds=5.0)),),
        ),
        Phone(address="+3", heard_after=1.0, refuses=Cause.BUSY, refuses_after=2.0),
        Phone(address="+4", refuses=Cause.UNAVAILABLE, rings=False),
    )


def test_sounds_and_money() -> None:
    scenario = given(
        "sound https://a/1.mp3 lasts 2.5 s\nsound https://a/2.mp3 is no sound\n"
        "price +46 set-up 1 minute 2\nprice incoming set-up 0 minute 5\ncredit 100"
    )
    assert [(each.url, each.seconds) for each in scenario.sounds] == [
        ("https://a/1.mp3", 2.5),
        ("https://a/2.mp3", None),
    ]
    assert scenario.prices.by_prefix == {"+46": Tariff(set_up=1, per_minute=2)}
    assert (scenario.prices.incoming, scenario.prices.credit) == (Tariff(per_minute=5), 100)


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("hangs up", When(kind=WhenKind.ANSWERED)),
        ("hangs up after 2 s", When(kind=WhenKind.ANSWERED, seconds=2.0)),
        ("hangs up at 2 s", When(kind=WhenKind.AT, seconds=2.0)),
        ("hangs up when it hears x/y", When(kind=WhenKind.HEARS, sound="x/y")),
        (
            "hangs up when it hears x the third time after 1 s",
            When(kind=WhenKind.HEARS, sound="x", time=3, seconds=1.0),
        ),
        ("hangs up when it is recorded after 1 s", When(kind=WhenKind.RECORDED, seconds=1.0)),
        ("hangs up when it talks", When(kind=WhenKind.TALKS)),
    ],
)
def test_when_somebody_does_something(text: str, when: When) -> None:
    assert acts(text) == (Act(kind=ActKind.HANGS_UP, when=when),)


def test_what_somebody_does() -> None:
    now = When(kind=WhenKind.ANSWERED)
    assert acts("presses 12#", "speaks for 3 s", "holds", "resumes") == (
        Act(kind=ActKind.PRESSES, when=now, keys="12#"),
        Act(kind=ActKind.SPEAKS, when=now, seconds=3.0),
        Act(kind=ActKind.HOLDS, when=now),
        Act(kind=ActKind.RESUMES, when=now),
    )


def test_a_call_by_the_api_and_what_is_looked_at() -> None:
    scenario = read_scenario(
        '# It works.\nwhen\n  POST /a1/calls\n    from=+1\n    voice_start={"a": "b=c"}\n'
        "then in part\n  1.5   POST   https://a\n    result=a=b\n    no why\n"
    )
    assert scenario.begins == (PlacesCall(params={"from": "+1", "voice_start": '{"a": "b=c"}'}),)
    assert scenario.in_part
    assert scenario.expected == (
        Expected(line=7, time=1.5, text="POST https://a", params=(("result", "a=b"), ("why", None))),
    )


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (f"{WHEN}{THEN}", 1, "a sentence that says what it shows"),
        (f"# t\n  x\n{WHEN}{THEN}", 2, "before the first section"),
        (f"# t\nwhere\n{WHEN}{THEN}", 2, "a section is one of `given`, `when`, `then`"),
        (f"# t\n{WHEN}{WHEN}{THEN}", 4, "each once"),
        (f"# t\n{THEN}", 3, "`when` needs a line"),
        (f"# t\nwhen\n  +1 calls +2 later\n{THEN}", 3, "`+46… calls +46… [at 3 s]`"),
        (f"# t\n{WHEN}", 3, "`then` is missing"),
        (
            f"# t\nwhen\n  +1 rings +2\n{THEN}",
            3,
            "should be `+46… calls +46… [at 3 s]` or `POST /a1/calls [at 3 s]`; found `+1 rings +2`",
        ),
        (f"# t\nwhen\n  POST /a1/calls\n    from\n{THEN}", 4, "a parameter is `name=value`; found `from`"),
        (f"# t\nwhen\n  POST /a1/calls\n    timeout=soon\n{THEN}", 4, "`timeout` is seconds"),
        (f"# t\nwhen\n  +1 calls +2\n    sings\n{THEN}", 4, "`presses 12#`, `speaks for 3 s`"),
        (f"# t\nwhen\n  +1 calls +2\n    hangs up soon\n{THEN}", 4, "when is `at 3 s`"),
        (f"# t\nwhen\n  +1 calls +2\n    hangs up when it hears x the last time\n{THEN}", 4, "when is `at 3 s`"),
        (f"# t\ngiven\n  weather fine\n{WHEN}{THEN}", 3, "given are `number`, `page`, `sound`, `phone`"),
        (f"# t\ngiven\n  number +1\n{WHEN}{THEN}", 3, "`number +46… runs URL`"),
        (f"# t\ngiven\n  page x soon\n{WHEN}{THEN}", 3, "`page URL [when result=1]"),
        (f"# t\ngiven\n  sound x\n{WHEN}{THEN}", 3, "`sound URL lasts 3 s`"),
        (f"# t\ngiven\n  phone x\n{WHEN}{THEN}", 3, "`phone +46… answers after 3 s`"),
        (f"# t\ngiven\n  phone x sleeps\n{WHEN}{THEN}", 3, "a phone does one of `rings`, `answers`"),
        (f"# t\ngiven\n  phone x answers after lunch\n{WHEN}{THEN}", 3, "`after lunch` should be such as `after 3 s`"),
        (f"# t\ngiven\n  price x\n{WHEN}{THEN}", 3, "`price +46 set-up 100 minute 200`"),
        (f"# t\ngiven\n  credit lots\n{WHEN}{THEN}", 3, "`credit 1000`"),
        (f"# t\n{WHEN}then\n  soon\n", 5, "a time in seconds and what happens"),
    ],
)
def test_errors_name_the_line_and_say_what_could_stand_there(text: str, line: int, says: str) -> None:
    with pytest.raises(BadScenario) as error:
        read_scenario(text, "x.case")
    assert str(error.value).startswith(f"x.case, line {line}: ")
    assert says in str(error.value)


def test_a_file_is_named_in_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "bad.case"
    path.write_text("nothing")
    with pytest.raises(BadScenario, match=r"bad\.case, line 1"):
        read_scenario_file(path)


def test_several_calls_begin_at_their_times() -> None:
    scenario = read_scenario(
        "# t\nwhen\n  +1 calls +2\n    hangs up after 3 s\n  +3 calls +2 at 1.5 s\n"
        f"  POST /a1/calls at 4 s\n    to=+4\n{THEN}"
    )
    hangs_up = Act(kind=ActKind.HANGS_UP, when=When(kind=WhenKind.ANSWERED, seconds=3.0))
    assert scenario.begins == (
        Calls(from_="+1", to="+2", acts=(hangs_up,)),
        Calls(from_="+3", to="+2", at_s=1.5),
        PlacesCall(params={"to": "+4"}, at_s=4.0),
    )
