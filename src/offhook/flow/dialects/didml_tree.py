"""Elements of a didML document as values, and what builds them within limits, whoever reads the markup.

Names of elements and attributes are in lower case, since didML's own samples mix them (`<Say>`, `<say>`, `Method`).
Knows no verb: what an element means is `didml_reading`'s. Refuses any root but `<Response>`, and what is over a limit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from offhook.flow.errors import NestingTooDeep, TooManyAttributes, TooManyElements, WrongRoot
from offhook.flow.limits import MAX_ATTRIBUTES, MAX_DEPTH, MAX_ELEMENTS

__all__ = ["MAX_WARNINGS", "ROOT", "Element", "OpenElement", "TreeBuilder", "Warnings"]

ROOT = "Response"
MAX_WARNINGS = 20
"""Of one document; the timeline of a call is no place for more."""


class Warnings:
    """What was leniently understood, in order, none twice, and not without end."""

    def __init__(self) -> None:
        self._said: list[str] = []

    def add(self, text: str) -> None:
        """A sentence for the customer's timeline."""
        if len(self._said) < MAX_WARNINGS and text not in self._said:
            self._said.append(text)

    def take(self, others: "Warnings") -> None:
        """What was said to another."""
        for text in others.all():
            self.add(text)

    def all(self) -> tuple[str, ...]:
        return tuple(self._said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element with what stands in it, in order: texts and elements. Comments are gone."""

    name: str
    """In lower case."""
    attributes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Names in lower case; of two that differ in case alone, the first."""
    content: "tuple[str | Element, ...]" = ()
    line: int = 1

    @property
    def text(self) -> str:
        """The texts directly in it, blanks around them and repeated blanks gone."""
        return " ".join("".join(part for part in self.content if isinstance(part, str)).split())

    @property
    def all_text(self) -> str:
        """The texts in it and in everything inside, as `text` has them."""
        # A list of what is still to be looked at, not a recursion: no depth can hurt it.
        waiting: list[str | Element] = [self]
        found: list[str] = []
        while waiting:
            part = waiting.pop()
            if isinstance(part, str):
                found.append(part)
            else:
                waiting += reversed(part.content)
        return " ".join("".join(found).split())

    @property
    def children(self) -> "tuple[Element, ...]":
        return tuple(part for part in self.content if isinstance(part, Element))


@dataclass(slots=True, kw_only=True)
class OpenElement:
    """An element whose end has not come yet."""

    name: str
    written: str
    """The name as the customer has it."""
    attributes: Mapping[str, str]
    line: int
    content: list[str | Element] = field(default_factory=list)


class TreeBuilder:
    """Takes what a reader of markup finds, in order, and gives the root when that is closed.

    `open` raises `WrongRoot`, `NestingTooDeep`, `TooManyElements` or `TooManyAttributes`.
    """

    def __init__(self, warnings: Warnings) -> None:
        self._warnings = warnings
        self._open: list[OpenElement] = []
        self._count = 0
        self.root: Element | None = None
        """The whole document, once its outermost element is closed."""

    @property
    def path(self) -> tuple[OpenElement, ...]:
        """What is open, the outermost first."""
        return tuple(self._open)

    def open(self, name: str, attributes: Iterable[tuple[str, str]], line: int) -> None:
        if not self._open and name.lower() != ROOT.lower():
            raise WrongRoot(found=name, wanted=ROOT)
        self._count += 1
        if self._count > MAX_ELEMENTS:
            raise TooManyElements(limit=MAX_ELEMENTS)
        if len(self._open) >= MAX_DEPTH:
            raise NestingTooDeep(limit=MAX_DEPTH)
        known: dict[str, str] = {}
        for number, (key, value) in enumerate(attributes):
            if number >= MAX_ATTRIBUTES:
                raise TooManyAttributes(element=name, limit=MAX_ATTRIBUTES)
            if key.lower() in known:
                self._warnings.add(f"Line {line}: <{name}> has `{key.lower()}` twice; the first counts.")
            known.setdefault(key.lower(), value)
        self._open.append(
            OpenElement(name=name.lower(), written=name, attributes=MappingProxyType(known), line=line),
        )

    def text(self, text: str) -> None:
        """Nothing outside the root is kept."""
        if self._open and text:
            self._open[-1].content.append(text)

    def close(self) -> None:
        """The innermost element that is open."""
        done = self._open.pop()
        element = Element(
            name=done.name, attributes=done.attributes, content=tuple(_joined(done.content)), line=done.line
        )
        if self._open:
            self._open[-1].content.append(element)
        else:
            self.root = element


def _joined(parts: list[str | Element]) -> list[str | Element]:
    """Texts that came in pieces as one, so that it cannot be told how they were read."""
    joined: list[str | Element] = []
    pieces: list[str] = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(part)
            continue
        if pieces:
            joined.append("".join(pieces))
            pieces = []
        joined.append(part)
    if pieces:
        joined.append("".join(pieces))
    return joined
