"""Every case in `webhooks/`: a call as plain data, and what 46elks' customers are told of it.

The second part begins with what is told (`begun`, `continued`, `recorded`, `ended`, `created` or `object`), then has a
parameter a line; a third part is the body as it goes over the wire.
"""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.support.cases import Case, cases_in
from tests.support.dialect_cases import params_text, recording_of, view_of

from offhook.flow.dialects import elks_words
from offhook.flow.dialects.dialect import Params
from offhook.flow.dialects.elks import Elks
from offhook.runtime.book import row_of
from offhook.web.api.elks_calls import row_object

CASES = list(cases_in(Path(__file__).parent / "webhooks"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path.stem)
def test_webhook(case: Case) -> None:
    _, expected, *wires = case.parts
    kind, *_ = expected.splitlines()
    text, params = told(kind, case)
    assert f"{kind}\n{text}" == expected
    for wire in wires:
        assert urlencode(params) == wire


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path.stem)
def test_a_stored_call_is_shown_as_the_live_one_was(case: Case) -> None:
    """Lists show a live call from what it knows, and one that is over from its row; nothing may differ."""
    elks = Elks()
    view = view_of({"owner": "u" + "1" * 32, **json.loads(case.parts[0])}, elks)
    assert list(row_object(row_of(view, elks)).items()) == list(elks_words.call_object(view).items())


def told(kind: str, case: Case) -> tuple[str, Params]:
    elks = Elks()
    data = json.loads(case.parts[0])
    view = view_of(data, elks)
    match kind:
        case "begun":
            params = elks.begun(view)
        case "continued":
            params = elks.continued(view, view.performed[-1].outcome)
        case "recorded":
            params = elks.recorded(view, recording_of(view, data["recording"]))
        case "ended":
            params = elks.ended(view)
        case "created":
            return json.dumps(elks_words.created_object(view), indent=1), ()
        case "object":
            return json.dumps(elks_words.call_object(view), indent=1), ()
        case _:
            raise ValueError(f"{case.path}: nothing is told by the name of {kind}")
    return params_text(params), params
