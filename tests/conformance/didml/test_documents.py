"""Every case in `documents/`: a didML document, the flow it becomes or its error, and perhaps the trace of a call."""

from pathlib import Path

import pytest
from tests.support.cases import Case, cases_in
from tests.support.dialect_cases import body_of, reading_text, trace_text

from offhook.flow.dialects.didml import Didml

CASES = list(cases_in(Path(__file__).parent / "documents"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path.stem)
def test_document(case: Case) -> None:
    _, expected, *traces = case.parts
    text, flow = reading_text(Didml(), body_of(case))
    assert text == expected
    for trace in traces:
        assert flow is not None
        assert trace_text(Didml(), flow, trace, case.headers.get("call", "incoming")) == trace
