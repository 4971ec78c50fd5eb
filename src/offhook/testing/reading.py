"""Scenario files (`*.case`) to scenarios. The form is described in docs/howto/scenarios.md.

Every error is a `BadScenario` that names the file and the line and says what could stand there.
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from offhook.call.events import Tariff
from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.view import Cause
from offhook.testing.scenario import (
    Act,
    ActKind,
    Calls,
    Expected,
    Page,
    Phone,
    PlacesCall,
    Prices,
    Scenario,
    SoundFile,
    When,
    WhenKind,
)

__all__ = ["BadScenario", "read_scenario", "read_scenario_file"]

SECTIONS = ("given", "when", "then", "then in part")
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5}
REFUSALS = {
    "is busy": Cause.BUSY,
    "rejects": Cause.REJECTED,
    "is unavailable": Cause.UNAVAILABLE,
    "does not exist": Cause.NOT_FOUND,
    "is not allowed": Cause.NOT_ALLOWED,
    "cannot be reached": Cause.NETWORK_ERROR,
    "speaks no codec of ours": Cause.INCOMPATIBLE_MEDIA,
}
NOBODY_RINGS = frozenset({"is unavailable", "does not exist", "is not allowed", "cannot be reached"})
SECONDS = r"([0-9]+(?:\.[0-9]+)?) s"


class BadScenario(Exception):
    """A scenario file that cannot be understood."""


@dataclass(slots=True)
class _Entry:
    """A line of a section, and the deeper lines below it."""

    line: int
    text: str
    below: list[tuple[int, str]] = field(default_factory=list)

    @property
    def body(self) -> str:
        return "\n".join(text for _, text in self.below)


def read_scenario_file(path: Path) -> Scenario:
    """The scenario in a file. Raises `BadScenario`."""
    return read_scenario(path.read_text(encoding="utf-8"), str(path))


def read_scenario(text: str, name: str = "scenario") -> Scenario:
    """A scenario from its text; `name` is for errors. Raises `BadScenario`."""
    return _Reader(name).scenario(text)


class _Reader:
    """One file on its way to a scenario."""

    def __init__(self, name: str) -> None:
        self._name = name

    def wrong(self, line: int, what: str) -> BadScenario:
        return BadScenario(f"{self._name}, line {line}: {what}")

    # ── the whole ────────────────────────────────────────────────────────────────────────────────────────────────────

    def scenario(self, text: str) -> Scenario:
        lines = text.splitlines()
        title = " ".join(line[1:].strip() for line in _leading_comments(lines))
        if not title:
            raise self.wrong(1, "a scenario begins with `# ` and a sentence that says what it shows")
        sections = self._sections(lines)
        when = sections.get("when", [])
        if not when:
            raise self.wrong(
                len(lines), "`when` needs a line that begins a call: `+46… calls +46…` or `POST /a1/calls`"
            )
        expected = sections.get("then", []) + sections.get("then in part", [])
        if not expected:
            raise self.wrong(len(lines), "`then` is missing: what is expected, line by line")
        given = _Given()
        for entry in sections.get("given", []):
            self._given(entry, given)
        return Scenario(
            title=title,
            begins=tuple(self._begins(entry) for entry in when),
            numbers=given.numbers,
            dialects=given.dialects,
            pages=tuple(given.pages),
            sounds=tuple(given.sounds),
            phones=tuple(given.phones),
            prices=Prices(by_prefix=given.prices, incoming=given.incoming, credit=given.credit),
            fallback=given.fallback,
            expected=tuple(self._expected(entry) for entry in expected),
            in_part="then in part" in sections,
        )

    def _sections(self, lines: list[str]) -> dict[str, list[_Entry]]:
        sections: dict[str, list[_Entry]] = {}
        entries: list[_Entry] | None = None
        depth = 0
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            indent = len(line) - len(line.lstrip(" "))
            if indent == 0:
                if line.strip() not in SECTIONS or line.strip() in sections:
                    known = ", ".join(f"`{each}`" for each in SECTIONS)
                    raise self.wrong(number, f"a section is one of {known}, each once; found `{line.strip()}`")
                entries = sections[line.strip()] = []
                depth = 0
            elif entries is None:
                raise self.wrong(number, "this stands before the first section (`given` or `when`)")
            elif not entries or indent <= depth:
                depth = indent
                entries.append(_Entry(number, line.strip()))
            else:
                entries[-1].below.append((number, line.strip()))
        return sections

    # ── given ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _given(self, entry: _Entry, given: "_Given") -> None:
        readers: dict[str, Callable[[_Entry, _Given], None]] = {
            "number": self._number,
            "page": self._page,
            "sound": self._sound,
            "phone": self._phone,
            "price": self._price,
            "credit": self._credit,
            "fallback": self._fallback,
        }
        reader = readers.get(entry.text.split()[0])
        if reader is None:
            known = ", ".join(f"`{each}`" for each in readers)
            raise self.wrong(entry.line, f"given are {known}; found `{entry.text}`")
        reader(entry, given)

    def _number(self, entry: _Entry, given: "_Given") -> None:
        found = self._match(
            entry,
            r"number (\S+)(?: in (\S+))? runs(?: (.+))?",
            "`number +46… runs URL`, or a document below it (`number +46… in DIALECT runs …` for another than 46elks')",
        )
        number, dialect, url = found.groups()
        given.numbers[number] = url or entry.body
        if dialect is not None:
            if dialect not in DIALECTS:
                known = ", ".join(f"`{name}`" for name in DIALECTS)
                raise self.wrong(entry.line, f"a dialect is one of {known}; found `{dialect}`")
            given.dialects[number] = dialect

    def _page(self, entry: _Entry, given: "_Given") -> None:
        found = self._match(
            entry,
            rf"page (\S+)(?: when (\w+)=(\S*))?"
            rf"(?: (never answers|is unreachable)|(?: answers ([0-9]{{3}})(?: to (\S+))?)?(?: after {SECONDS})?)",
            "`page URL [when result=1] [answers 500] [answers 307 to URL] [after 3 s]`, `… never answers` or"
            " `… is unreachable`",
        )
        url, name, value, silence, status, location, delay = found.groups()
        given.pages.append(
            Page(
                url=url,
                body=entry.body.encode(),
                status=None if silence == "is unreachable" else int(status or 200),
                location=location,
                delay_s=math.inf if silence == "never answers" else float(delay or 0),
                only_if=None if name is None else (name, value),
            )
        )

    def _sound(self, entry: _Entry, given: "_Given") -> None:
        found = self._match(
            entry, rf"sound (\S+) (?:lasts {SECONDS}|is no sound)", "`sound URL lasts 3 s` or `sound URL is no sound`"
        )
        given.sounds.append(SoundFile(url=found[1], seconds=None if found[2] is None else float(found[2])))

    def _phone(self, entry: _Entry, given: "_Given") -> None:
        found = self._match(entry, r"phone (\S+) (.+)", "`phone +46… answers after 3 s`")
        phone = Phone(address=found[1], acts=self._acts(entry))
        for clause in found[2].split(","):
            phone = self._clause(entry, phone, clause.strip())
        given.phones.append(phone)

    def _clause(self, entry: _Entry, phone: Phone, clause: str) -> Phone:
        what, _, delay = clause.partition(" after ")
        if delay and re.fullmatch(SECONDS, delay) is None:
            raise self.wrong(entry.line, f"`after {delay}` should be such as `after 3 s`")
        seconds = float(delay[:-2]) if delay else 0.0
        if what == "rings":
            return phone
        if what == "answers":
            return replace(phone, answers_after=seconds)
        if what == "is heard":
            return replace(phone, heard_after=seconds)
        if what in REFUSALS:
            return replace(phone, refuses=REFUSALS[what], refuses_after=seconds, rings=what not in NOBODY_RINGS)
        known = ", ".join(f"`{each}`" for each in ("rings", "answers", "is heard", *REFUSALS))
        raise self.wrong(entry.line, f"a phone does one of {known}; found `{what}`")

    def _price(self, entry: _Entry, given: "_Given") -> None:
        found = self._match(
            entry,
            r"price (\+[0-9]+|incoming) set-up ([0-9]+) minute ([0-9]+)",
            "`price +46 set-up 100 minute 200` or `price incoming set-up 0 minute 50`, in 1/10000",
        )
        tariff = Tariff(set_up=int(found[2]), per_minute=int(found[3]))
        if found[1] == "incoming":
            given.incoming = tariff
        else:
            given.prices[found[1]] = tariff

    def _credit(self, entry: _Entry, given: "_Given") -> None:
        given.credit = int(self._match(entry, r"credit ([0-9]+)", "`credit 1000`, in 1/10000")[1])

    def _fallback(self, entry: _Entry, given: "_Given") -> None:
        found = self._match(entry, r"fallback(?: (\S+))?", "`fallback URL`, or an action below it")
        given.fallback = found[1] or entry.body

    # ── when ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _begins(self, entry: _Entry) -> Calls | PlacesCall:
        found = self._match(
            entry,
            rf"(?:(POST /a1/calls)|(\S+) calls (\S+))(?: at {SECONDS})?",
            "`+46… calls +46… [at 3 s]` or `POST /a1/calls [at 3 s]`",
        )
        at_s = float(found[4] or 0)
        if found[1]:
            return PlacesCall(params=dict(self._form(line, text) for line, text in entry.below), at_s=at_s)
        return Calls(from_=found[2], to=found[3], acts=self._acts(entry), at_s=at_s)

    def _form(self, line: int, text: str) -> tuple[str, str]:
        name, value = self._parameter(line, text)
        if name == "timeout" and re.fullmatch(r"[0-9]*", value) is None:
            raise self.wrong(line, f"`timeout` is seconds, such as `timeout=45`; found `{value}`")
        return name, value

    def _parameter(self, line: int, text: str) -> tuple[str, str]:
        name, equals, value = text.partition("=")
        if not equals:
            raise self.wrong(line, f"a parameter is `name=value`; found `{text}`")
        return name, value

    def _acts(self, entry: _Entry) -> tuple[Act, ...]:
        return tuple(self._act(_Entry(line, text)) for line, text in entry.below)

    def _act(self, entry: _Entry) -> Act:
        found = self._match(
            entry,
            rf"(?:presses ([0-9*#A-D]+)|speaks for {SECONDS}|(hangs up|holds|resumes)) *(.*)",
            "`presses 12#`, `speaks for 3 s`, `hangs up`, `holds` or `resumes`, and when",
        )
        when = self._when(entry, found[4])
        if found[1]:
            return Act(kind=ActKind.PRESSES, when=when, keys=found[1])
        if found[2]:
            return Act(kind=ActKind.SPEAKS, when=when, seconds=float(found[2]))
        return Act(kind=ActKind(found[3]), when=when)

    def _when(self, entry: _Entry, text: str) -> When:
        found = re.fullmatch(
            rf"(?:at {SECONDS}"
            rf"|(?:when it (?:hears (\S+?)(?: the (\w+) time)?|is (recorded)|(talks)) ?)?(?:after {SECONDS})?)",
            text.strip(),
        )
        if found is None or (found[3] is not None and found[3] not in ORDINALS):
            raise self.wrong(
                entry.line,
                "when is `at 3 s` (from the beginning), `after 3 s` (from the answer), `when it hears SOUND [the second"
                f" time] [after 3 s]`, `when it is recorded` or `when it talks`; found `{text}`",
            )
        at, sound, time, recorded, talks, seconds = found.groups()
        if at is not None:
            return When(kind=WhenKind.AT, seconds=float(at))
        delay = float(seconds or 0)
        if sound is not None:
            return When(kind=WhenKind.HEARS, sound=sound, time=ORDINALS[time or "first"], seconds=delay)
        if recorded or talks:
            return When(kind=WhenKind.RECORDED if recorded else WhenKind.TALKS, seconds=delay)
        return When(kind=WhenKind.ANSWERED, seconds=delay)

    # ── then ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _expected(self, entry: _Entry) -> Expected:
        found = self._match(entry, r"([0-9]+(?:\.[0-9]+)?) +(.+)", "a time in seconds and what happens: `3.0  …`")
        return Expected(
            line=entry.line,
            time=float(found[1]),
            text=" ".join(found[2].split()),
            params=tuple(self._looked_at(line, text) for line, text in entry.below),
        )

    def _looked_at(self, line: int, text: str) -> tuple[str, str | None]:
        if text.startswith("no "):
            return text[3:].strip(), None
        return self._parameter(line, text)

    def _match(self, entry: _Entry, pattern: str, form: str) -> "re.Match[str]":
        found = re.fullmatch(pattern, entry.text)
        if found is None:
            raise self.wrong(entry.line, f"this should be {form}; found `{entry.text}`")
        return found


@dataclass(slots=True)
class _Given:
    """What is there, while it is being read."""

    numbers: dict[str, str] = field(default_factory=dict)
    dialects: dict[str, str] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    sounds: list[SoundFile] = field(default_factory=list)
    phones: list[Phone] = field(default_factory=list)
    prices: dict[str, Tariff] = field(default_factory=dict)
    incoming: Tariff = field(default_factory=Tariff)
    credit: int | None = None
    fallback: str = ""


def _leading_comments(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith("#"):
            return
        yield line
