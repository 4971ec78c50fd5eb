"""Flows as text for people: one line per verb with all that it was given or defaulted to, branches indented below it.

For checking documents, timelines and test cases. Not a language: nothing reads it back.
"""

import json
import re
from collections.abc import Iterator
from enum import Enum
from typing import Any

from offhook.flow.plain import TAGS, said_fields
from offhook.flow.program import Document, Flow, Next, Step
from offhook.flow.verbs import Verb

__all__ = ["describe_flow", "describe_verb"]

_INDENT = "  "
_BARE = re.compile(r"[^\s\"(),\[\]]+")


def describe_flow(flow: Flow) -> str:
    """Lines without a trailing newline; an empty flow is `end`."""
    return "\n".join(_flow_lines(flow))


def describe_verb(verb: Verb) -> str:
    """One line: `play sounds=[named_sound(beep)] loop=1 skippable=yes`."""
    given = (f"{field.name}={_text(getattr(verb, field.name))}" for field in said_fields(verb))
    return " ".join([TAGS[type(verb)], *given])


def _flow_lines(flow: Flow) -> Iterator[str]:
    if not flow.steps:
        yield "end"
    for step in flow.steps:
        yield from _step_lines(step)


def _step_lines(step: Step) -> Iterator[str]:
    yield describe_verb(step.verb)
    named = [
        *((f"keys {keys}", following) for keys, following in step.digits.items()),
        *((kind.value, following) for kind, following in step.branches.items()),
    ]
    if step.otherwise is not None:
        named.append(("otherwise", step.otherwise))
    for name, following in named:
        first, *rest = _next_lines(following)
        if isinstance(following, Document) or not following.steps:
            yield f"{_INDENT}{name} -> {first}"
        else:
            yield f"{_INDENT}{name} ->"
            yield from (_INDENT * 2 + line for line in (first, *rest))


def _next_lines(following: Next) -> list[str]:
    if isinstance(following, Document):
        return [f"{following.method} {following.url}"]
    return list(_flow_lines(following))


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value:g}"
        case Enum():
            return str(value.value)
        case str():
            return value if _BARE.fullmatch(value) else json.dumps(value, ensure_ascii=False)
        case frozenset():
            return _set_text(value)
        case tuple():
            return f"[{', '.join(_text(item) for item in value)}]"
        case _:
            return _nested(value)


def _set_text(value: frozenset[Any]) -> str:
    """Keys stand side by side; words need something between them."""
    words = sorted(_text(item) for item in value)
    return ("" if all(len(word) == 1 for word in words) else "+").join(words) or "none"


def _nested(value: Any) -> str:
    given = [(field.name, _text(getattr(value, field.name))) for field in said_fields(value)]
    inside = given[0][1] if len(given) == 1 else ", ".join(f"{name}={text}" for name, text in given)
    return f"{TAGS[type(value)]}({inside})"
