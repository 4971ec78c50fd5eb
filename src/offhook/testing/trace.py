"""What happened in a scenario, line by line, and whether it is what was expected.

A mismatch is told with the whole trace as it was, in the form that scenario files have, so that a line can be taken
over by hand once it has been found to be right. Nothing rewrites a scenario file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from offhook.testing.scenario import Expected, Scenario

__all__ = ["Line", "difference", "time_text", "trace_text"]

SAME_TIME_S = 0.005


@dataclass(frozen=True, slots=True)
class Line:
    """Something that happened."""

    time: float
    text: str
    params: Mapping[str, str] = field(default_factory=dict)
    """Of a post to the web application."""


def time_text(time: float) -> str:
    """Seconds, with one or two digits after the point."""
    text = f"{time:.2f}"
    return text[:-1] if text.endswith("0") else text


def trace_text(lines: Sequence[Line]) -> str:
    """A trace in the form of scenario files."""
    shown = []
    for line in lines:
        shown.append(f"  {time_text(line.time):>6}  {line.text}")
        shown += [f"            {name}={value}" for name, value in line.params.items()]
    return "\n".join(shown)


def difference(scenario: Scenario, lines: Sequence[Line]) -> str | None:
    """What is not as expected, for a person; `None` if all is."""
    found = _in_part(scenario.expected, lines) if scenario.in_part else _exactly(scenario.expected, lines)
    return None if found is None else f"{found}\n\nWhat happened:\n{trace_text(lines)}"


def _exactly(expected: Sequence[Expected], lines: Sequence[Line]) -> str | None:
    for place, wanted in enumerate(expected):
        if place == len(lines):
            return f"line {wanted.line}: expected `{_wanted_text(wanted)}`, and nothing more happened"
        wrong = _wrong(wanted, lines[place])
        if wrong is not None:
            return f"line {wanted.line}: {wrong}"
    if len(lines) > len(expected):
        more = lines[len(expected)]
        return (
            f"after line {expected[-1].line}: more happened than expected, beginning with"
            f" `{time_text(more.time)}  {more.text}`"
        )
    return None


def _in_part(expected: Sequence[Expected], lines: Sequence[Line]) -> str | None:
    rest = list(lines)
    for wanted in expected:
        nearest = next((line for line in rest if _same(wanted, line)), None)
        while rest and _wrong(wanted, rest[0]) is not None:
            rest.pop(0)
        if not rest:
            if nearest is not None:
                return f"line {wanted.line}: {_wrong(wanted, nearest)}"
            return f"line {wanted.line}: `{_wanted_text(wanted)}` did not happen after the line before it"
        rest.pop(0)
    return None


def _same(wanted: Expected, line: Line) -> bool:
    return abs(wanted.time - line.time) < SAME_TIME_S and wanted.text == line.text


def _wrong(wanted: Expected, line: Line) -> str | None:
    """How a line differs from what was wanted; `None` if it does not."""
    if not _same(wanted, line):
        return f"expected `{_wanted_text(wanted)}`, and `{time_text(line.time)}  {line.text}` happened"
    for name, value in wanted.params:
        if value is None and name in line.params:
            return f"`{name}` should not be there, and is `{line.params[name]}`"
        if value is not None and name not in line.params:
            return f"`{name}` is missing; there are {', '.join(f'`{each}`' for each in line.params) or 'no parameters'}"
        if value is not None and line.params[name] != value:
            return f"`{name}` should be `{value}`, and is `{line.params[name]}`"
    return None


def _wanted_text(wanted: Expected) -> str:
    return f"{time_text(wanted.time)}  {wanted.text}"
