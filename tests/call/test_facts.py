"""What a call remembers, written and read again, and everything else refused."""

from typing import Any

import pytest
from tests.support.calls import PlainWords, outgoing

from offhook.call.call import Call
from offhook.call.events import Now
from offhook.call.facts import VERSION, read_facts
from offhook.flow.errors import NotOurExport
from offhook.flow.verbs import Play, UrlSound

NOW = Now(0.0, 1_700_000_000.0)


def export() -> dict[str, Any]:
    return outgoing(Play(sounds=(UrlSound(url="https://app.example/1.wav"),))).call.export()


def test_it_is_versioned() -> None:
    assert export()["version"] == VERSION
    with pytest.raises(NotOurExport, match="version 99"):
        read_facts({**export(), "version": 99}, NOW)
    with pytest.raises(NotOurExport, match="version None"):
        read_facts({}, NOW)


@pytest.mark.parametrize(
    "broken",
    [
        {"version": VERSION},
        {"version": VERSION, "facts": None},
        {"version": VERSION, "facts": {}},
        {"version": VERSION, "facts": []},
    ],
)
def test_what_does_not_hold_together_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(NotOurExport):
        read_facts(broken, NOW)


def test_a_performer_that_is_not_known_is_refused() -> None:
    data = export()
    data["facts"]["scripts"][0][1]["performer"]["is"] = "Juggling"
    with pytest.raises(NotOurExport):
        Call.restore(data, PlainWords(), NOW)
