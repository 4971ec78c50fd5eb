"""Every case in `webhooks/`: a call as plain data, and what DIDforSale's customers are told of it.

The second part begins with what is told (`begun`, `continued`, `recorded`, `ended`, or `status` with its stage), then
has a parameter a line; a third part is the body as it goes over the wire.
"""

import json
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.support.cases import Case, cases_in
from tests.support.dialect_cases import leg_of, params_text, recording_of, view_of

from offhook.flow.dialects.dialect import Params
from offhook.flow.dialects.didml import Didml
from offhook.flow.targets import LegStage

CASES = list(cases_in(Path(__file__).parent / "webhooks"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path.stem)
def test_webhook(case: Case) -> None:
    _, expected, *wires = case.parts
    kind, *_ = expected.splitlines()
    params = told(kind, case)
    assert f"{kind}\n{params_text(params)}" == expected
    for wire in wires:
        assert urlencode(params) == wire


def told(kind: str, case: Case) -> Params:
    didml = Didml()
    data = json.loads(case.parts[0])
    view = view_of(data, didml)
    match kind.split():
        case ["begun"]:
            return didml.begun(view)
        case ["continued"]:
            return didml.continued(view, view.performed[-1].outcome)
        case ["recorded"]:
            return didml.recorded(view, recording_of(view, data["recording"]))
        case ["ended"]:
            return didml.ended(view)
        case ["status", stage]:
            extra = tuple((name, value) for name, value in data.get("extra", ()))
            return didml.status(view, leg_of(data["of"]), LegStage(stage), extra)
        case _:
            raise ValueError(f"{case.path}: nothing is told by the name of {kind}")
