"""What calls and recordings are called where no dialect speaks: in `/v1`, on the command line, in links.

46elks' ids are the same, so that whoever reads its webhooks finds the call here; didML dresses an id as a UUID.
"""

import re

from offhook.flow.view import CallId

__all__ = ["call_id", "read_call_id", "recording_id"]

_CALL_ID = re.compile(r"c([0-9a-f]{32})")


def call_id(identifier: CallId) -> str:
    """`c` and 32 hex digits."""
    return f"c{identifier}"


def read_call_id(text: str) -> CallId | None:
    """What `call_id` gave; `None` for anything else."""
    match = _CALL_ID.fullmatch(text)
    return None if match is None else CallId(match[1])


def recording_id(identifier: CallId, index: int) -> str:
    """`<call id>-r0`, `-r1`, … in the order of completion."""
    return f"{call_id(identifier)}-r{index}"
