"""Ids of calls and recordings, written and read again, and nothing else taken for one."""

import pytest

from offhook.flow.ids import call_id, read_call_id, recording_id
from offhook.flow.view import CallId

ID = CallId("719b1eefbf65b1f89c013e6433dbf537")


def test_ids() -> None:
    assert call_id(ID) == "c719b1eefbf65b1f89c013e6433dbf537"
    assert read_call_id("c719b1eefbf65b1f89c013e6433dbf537") == ID
    assert recording_id(ID, 1) == "c719b1eefbf65b1f89c013e6433dbf537-r1"


@pytest.mark.parametrize("text", ["", ID, "c" + ID.upper(), f"s{ID}", f"c{ID}0", f"c{ID}\n"])
def test_what_is_no_call_id(text: str) -> None:
    assert read_call_id(text) is None
