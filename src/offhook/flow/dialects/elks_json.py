"""JSON as 46elks' customers send it: strict, but for commas before a closing bracket, which the service's own page has.

Refuses what is no JSON with the place where it breaks; never raises anything but a `DocumentError`.
"""

import json
import re
from typing import Any, NoReturn

from offhook.flow.errors import BrokenDocument, NestingTooDeep, NotText
from offhook.flow.limits import MAX_DEPTH

__all__ = ["TRAILING_COMMA", "read_json"]

TRAILING_COMMA = "A comma before a closing bracket was passed over; strict JSON does not allow it."

_STRING_OR_TRAILING_COMMA = re.compile(r'"(?:[^"\\]|\\.)*"?|,(?=\s*[}\]])', re.DOTALL)
"""A string is taken whole, closed or not, so that each character is looked at once."""

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def read_json(body: bytes) -> tuple[Any, tuple[str, ...]]:
    """The value of a body and warnings about it; an empty object for a body of nothing but blanks.

    Raises `NotText`, `BrokenDocument` or `NestingTooDeep`.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotText(f"byte {error.start + 1}") from error
    if not text.strip():
        return {}, ()
    value, warnings = _lenient(text)
    if _SURROGATE_ESCAPE.search(text):
        _refuse_half_characters(value)
    return value, warnings


def _lenient(text: str) -> tuple[Any, tuple[str, ...]]:
    try:
        return _strict(text), ()
    except json.JSONDecodeError as error:
        without = _STRING_OR_TRAILING_COMMA.sub(lambda found: "" if found[0] == "," else found[0], text)
        if without == text:
            raise _broken(error) from error
        try:
            return _strict(without), (TRAILING_COMMA,)
        except json.JSONDecodeError:
            raise _broken(error) from error


def _strict(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError as error:
        raise NestingTooDeep(limit=MAX_DEPTH) from error
    except json.JSONDecodeError:
        raise
    except ValueError as error:
        # Python refuses to make an integer of thousands of digits.
        raise BrokenDocument(language="JSON", detail="a number has too many digits") from error


def _no_constant(word: str) -> NoReturn:
    raise BrokenDocument(language="JSON", detail=f"{word} is no JSON value")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise BrokenDocument(language="JSON", detail="a number is too large")
    return value


def _broken(error: json.JSONDecodeError) -> BrokenDocument:
    return BrokenDocument(language="JSON", detail=error.msg, line=error.lineno, column=error.colno)


def _refuse_half_characters(value: Any) -> None:
    """An escape such as `\\ud83d` without its second half makes a text that no encoding can carry to anybody."""
    # A list of what is still to be looked at, not a recursion: no depth can hurt it.
    waiting = [value]
    while waiting:
        match waiting.pop():
            case dict() as item:
                waiting += [*item.keys(), *item.values()]
            case list() as items:
                waiting += items
            case str() as text if _SURROGATE.search(text):
                raise NotText("an escape that is half a character")
            case _:
                pass
