"""What an entry of a timeline may hold: cut to size, secrets blanked, and so many of a call and no more.

Runs for every entry of every call, so that it looks twice only at what is long, deep or named like a secret.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from offhook.call.masking import BLANK, BODY_MAX_CHARS, DIGIT_NAMES, SECRET_NAMES, is_keys, shown_urls

__all__ = ["ENTRIES_MAX", "ENTRIES_OF_THE_END_MAX", "FULL", "OF_THE_END", "full_data", "shown", "without_digits"]

ENTRIES_MAX = 5_000
"""Of a call. The last one is `timeline.full`; after it, only how the call ends is told."""
ENTRIES_OF_THE_END_MAX = 200
"""Beyond `ENTRIES_MAX`."""
TEXT_MAX_CHARS = BODY_MAX_CHARS
"""Of one value; the longest is a document."""
ENTRY_MAX_CHARS = 8_192
"""Of all texts of an entry together."""
ITEMS_MAX = 64
"""Of a list or a mapping in an entry."""
DEPTH_MAX = 4
SHOWN_ALREADY = ("url", "body")
"""Names at the top whose values come masked."""
SHORT_CHARS = ENTRY_MAX_CHARS // ITEMS_MAX
"""Texts of no more than this fit in any number."""

_PLAIN = frozenset((int, float, bool, type(None)))

FULL = "timeline.full"
OF_THE_END = frozenset(
    (
        "call.ended",
        "call.watchdog",
        "flow.stopped",
        "hook.dead",
        "hook.delivered",
        "hook.owed",
        "leg.ended",
        "leg.statistics",
        "recording.ended",
        "recording.owed",
    )
)
"""What is told of a call however long its timeline is."""


def full_data() -> dict[str, Any]:
    """What the last entry says."""
    return {"entries": ENTRIES_MAX, "why": "the timeline is full; from here on it tells only how the call ends"}


def shown(data: Mapping[str, Any], *, mask_digits: bool = False) -> Mapping[str, Any]:
    """An entry's data as it may be kept. Values that are no JSON become text.

    Names at the top are ours and name no secret; those within (a webhook's parameters) are a customer's.
    """
    for value in data.values():
        kind = type(value)
        if kind is str:
            if len(value) > SHORT_CHARS or "://" in value:
                break
        elif kind not in _PLAIN:
            break
    else:
        if len(data) <= ITEMS_MAX and not (mask_digits and not DIGIT_NAMES.isdisjoint(data)):
            return data
    return _Cutter(mask_digits).mapping(data, 1)


class _Cutter:
    __slots__ = ("_left", "_mask_digits")

    def __init__(self, mask_digits: bool) -> None:
        self._mask_digits = mask_digits
        self._left = ENTRY_MAX_CHARS

    def mapping(self, data: Mapping[str, Any], depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in data.items():
            kind = type(value)
            if kind is str:
                found[name] = self.text(name, value, depth)
            elif kind in _PLAIN:
                found[name] = value
            else:
                found[name] = BLANK if name.lower() in SECRET_NAMES else self.other(value, depth)
        if len(found) > ITEMS_MAX:
            found = {name: found[name] for name in list(found)[:ITEMS_MAX]} | {BLANK: f"{len(data)} in all"}
        return found

    def text(self, name: str, text: str, depth: int) -> str:
        low = name.lower()
        if low in SECRET_NAMES:
            return BLANK
        if self._mask_digits and low in DIGIT_NAMES and is_keys(text):
            return BLANK
        return self.cut(text, depth == 1 and name in SHOWN_ALREADY)

    def cut(self, text: str, shown_already: bool = False) -> str:
        if "://" in text and not shown_already:
            text = shown_urls(text)
        room = TEXT_MAX_CHARS if self._left > TEXT_MAX_CHARS else self._left
        if len(text) > room:
            text = text[: room - 1] + BLANK if room > 0 else BLANK
        self._left -= len(text)
        return text

    def other(self, value: Any, depth: int) -> Any:
        if isinstance(value, Mapping):
            return self.mapping(value, depth + 1) if depth < DEPTH_MAX else BLANK
        if isinstance(value, Sequence) and not isinstance(value, str | bytes):
            if depth >= DEPTH_MAX:
                return BLANK
            items = [self.item(each, depth + 1) for each in value[:ITEMS_MAX]]
            return items if len(value) <= ITEMS_MAX else [*items, f"{len(value)} in all"]
        return self.cut(str(value))

    def item(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.cut(value)
        if value is None or isinstance(value, int | float):
            return value
        return self.other(value, depth)


def without_digits(actions: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """A call's log as lists keep it, without the keys that were pressed."""
    return tuple(
        {**action, "result": BLANK} if isinstance(result := action.get("result"), str) and is_keys(result) else action
        for action in actions
    )
