"""What is almost XML, as didML's own pages and their readers write it, read as what was meant; every repair is said.

Understands: attributes without quotation marks or with curly ones, ends that name another element or the same in
another case, `<dial/>` for `</dial>`, elements that are never closed inside one that is, `&` and `<` as characters,
several XML declarations, blanks before one, text after the end. Refuses document types, what is cut off, and text or
elements where they cannot have been meant. Looks at each character a bounded number of times.
"""

import re
from typing import NoReturn

from offhook.flow.dialects.didml_tree import ROOT, Element, TreeBuilder, Warnings
from offhook.flow.errors import BrokenDocument, DocumentTypeRefused, TooManyAttributes, excerpt
from offhook.flow.limits import MAX_ATTRIBUTES

__all__ = ["CURLY_QUOTES", "repaired"]

CURLY_QUOTES = "“”„‟″‘’‚‛′"

_NAME = re.compile(r"[^\W\d][\w.:-]*")
_END_TAG = re.compile(r"</\s*([^\s<>/]*)[^<>]*(>?)")
_BLANKS = re.compile(r"\s*")
_ATTRIBUTE_NAME = re.compile(rf"[^\s=<>/\"'{CURLY_QUOTES}]+")
_EQUALS = re.compile(r"\s*=\s*")
_AFTER_VALUE = r"(?=[\s/>]|[\w:.-]+\s*=)"
_QUOTED = re.compile(rf"\"([^\"<]*)\"{_AFTER_VALUE}|'([^'<]*)'{_AFTER_VALUE}")
_CURLY = re.compile(rf"[\"'{CURLY_QUOTES}]([^<]*?)[\"'{CURLY_QUOTES}](?=[\s/>])")
_BARE = re.compile(r"(?:[^\s<>/]|/(?!>))*")
_REFERENCE = re.compile(r"&(?:#([0-9]{1,7});|#x([0-9a-f]{1,6});|(amp|lt|gt|quot|apos);)?", re.IGNORECASE)
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_DECLARATION = re.compile(r"<\?xml\s", re.IGNORECASE)


def repaired(text: str, warnings: Warnings) -> Element:
    """The root of a document that strict XML refuses. Raises `DocumentError`."""
    # XML 1.0 §2.11: every line ends in a line feed before anything else is looked at.
    return _Repair(text.replace("\r\n", "\n").replace("\r", "\n"), warnings).root()


class _Repair:
    def __init__(self, text: str, warnings: Warnings) -> None:
        self._all = text
        self._warnings = warnings
        self._tree = TreeBuilder(warnings)
        self._line = 1
        self._counted = 0

    def root(self) -> Element:
        at = 0
        while (start := self._all.find("<", at)) != -1:
            self._text(self._all[at:start], at)
            at = self._markup(start)
        self._text(self._all[at:], at)
        if self._tree.root is None:
            self._refuse_end()
        return self._tree.root

    def _refuse_end(self) -> NoReturn:
        if self._tree.path:
            self._refuse(
                f"<{self._tree.path[0].written}> is never closed, so the document may be cut off", len(self._all)
            )
        self._refuse(f"there is no <{ROOT}>", 0)

    # ── what is between the marks ────────────────────────────────────────────────────────────────────────────────────

    def _text(self, raw: str, at: int) -> None:
        if self._tree.path:
            self._tree.text(self._decoded(raw, at))
        elif raw.strip("\ufeff \t\n"):
            self._text_outside(raw, at)

    def _text_outside(self, raw: str, at: int) -> None:
        if self._tree.root is None:
            self._refuse(f"the text “{excerpt(raw)}” stands before <{ROOT}>", at)
        self._warn(at, f"the text “{excerpt(raw)}” after </{ROOT}> was passed over")

    def _decoded(self, raw: str, at: int) -> str:
        def character(found: re.Match[str]) -> str:
            decimal, hexadecimal, named = found.groups()
            if named is not None:
                return _NAMED[named.lower()]
            code = -1 if decimal is None and hexadecimal is None else int(decimal or hexadecimal, 10 if decimal else 16)
            if code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000:
                return chr(code)
            self._warn(at + found.start(), "an `&` that begins no character was taken as it is; in XML it is `&amp;`")
            return found[0]

        return _REFERENCE.sub(character, raw)

    # ── marks ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _markup(self, start: int) -> int:
        """Reads what begins with `<` at `start`; where it ends."""
        if self._all.startswith("<?", start):
            return self._instruction(start)
        if self._all.startswith("<!--", start):
            return self._end_of("-->", start, start + 4, "a comment")
        if self._all.startswith("<![CDATA[", start):
            end = self._end_of("]]>", start, start + 9, "a CDATA section")
            self._raw(self._all[start + 9 : end - 3], start)
            return end
        if self._all.startswith("<!", start):
            raise DocumentTypeRefused
        if self._all.startswith("</", start):
            return self._end_tag(start)
        name = _NAME.match(self._all, start + 1)
        if name is None:
            self._warn(start, "a `<` that begins no element was taken as it is; in XML it is `&lt;`")
            self._raw("<", start)
            return start + 1
        return self._start_tag(name[0], start, name.end())

    def _raw(self, text: str, at: int) -> None:
        if self._tree.path:
            self._tree.text(text)
        elif text.strip():
            self._text_outside(text, at)

    def _end_of(self, mark: str, start: int, at: int, what: str) -> int:
        end = self._all.find(mark, at)
        if end == -1:
            self._refuse(f"{what} has no end", start)
        return end + len(mark)

    def _instruction(self, start: int) -> int:
        end = self._end_of("?>", start, start + 2, "a processing instruction")
        if start and _DECLARATION.match(self._all, start):
            self._warn(start, "an XML declaration that is not the very first thing was passed over")
        return end

    # ── elements ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start_tag(self, name: str, start: int, at: int) -> int:
        if self._tree.root is not None:
            self._refuse(f"<{name}> stands after </{ROOT}>", start)
        attributes: list[tuple[str, str]] = []
        while True:
            at = self._after_blanks(at)
            if self._all.startswith(">", at):
                return self._opened(name, attributes, start, at + 1)
            if self._all.startswith("/>", at):
                return self._empty(name, attributes, start, at + 2)
            if at >= len(self._all) or self._all[at] == "<":
                self._refuse(f"the tag <{name}> has no `>`", start)
            at = self._attribute(name, attributes, at)
            if len(attributes) > MAX_ATTRIBUTES:
                raise TooManyAttributes(element=name, limit=MAX_ATTRIBUTES)

    def _opened(self, name: str, attributes: list[tuple[str, str]], start: int, end: int) -> int:
        self._tree.open(name, attributes, self._line_at(start))
        return end

    def _empty(self, name: str, attributes: list[tuple[str, str]], start: int, end: int) -> int:
        path = self._tree.path
        if path and path[-1].name == name.lower() and not attributes:
            self._warn(start, f"<{name}/> inside <{path[-1].written}> was taken as its end, </{path[-1].written}>")
        else:
            self._tree.open(name, attributes, self._line_at(start))
        self._tree.close()
        return end

    def _end_tag(self, start: int) -> int:
        tag = _END_TAG.match(self._all, start)
        assert tag is not None
        name, bracket = tag.groups()
        if not bracket:
            self._refuse(f"the tag </{excerpt(name)}> has no `>`", start)
        path = self._tree.path
        if not path:
            self._refuse(f"</{excerpt(name)}> stands outside <{ROOT}>", start)
        self._close(name, start)
        return tag.end()

    def _close(self, name: str, start: int) -> None:
        """The innermost of that name, with all that was never closed in it; else the innermost, but never the root."""
        path = self._tree.path
        innermost = path[-1]
        if innermost.written == name:
            self._tree.close()
            return
        depth = next((n for n, each in enumerate(reversed(path), 1) if each.name == name.lower()), 0)
        if not depth and len(path) == 1:
            self._warn(start, f"</{excerpt(name)}> ends nothing and was passed over")
            return
        if depth != 1:
            self._warn(
                start, f"<{innermost.written}> was closed by </{excerpt(name)}>; in XML its end has its own name"
            )
        else:
            self._warn(start, f"<{innermost.written}> was closed by </{name}>; in XML both are spelled alike")
        for _ in range(depth or 1):
            self._tree.close()

    # ── attributes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _attribute(self, element: str, attributes: list[tuple[str, str]], at: int) -> int:
        found = _ATTRIBUTE_NAME.match(self._all, at)
        if found is None:
            self._warn(at, f"`{self._all[at]}` in the tag <{element}> was passed over")
            return at + 1
        name = found[0]
        equals = _EQUALS.match(self._all, found.end())
        if equals is None:
            self._warn(at, f"`{excerpt(name)}` in the tag <{element}> has no value")
            attributes.append((name, ""))
            return found.end()
        raw, end = self._value(name, equals.end())
        # XML 1.0 §3.3.3: what separates words is a blank, unless it is written as a reference.
        attributes.append((name, self._decoded(raw.replace("\n", " ").replace("\t", " "), equals.end())))
        return end

    def _value(self, name: str, at: int) -> tuple[str, int]:
        quoted = _QUOTED.match(self._all, at)
        if quoted is not None:
            return (quoted[1] if quoted[2] is None else quoted[2]), quoted.end()
        curly = _CURLY.match(self._all, at)
        if curly is not None:
            self._warn(at, f"the quotation marks of `{excerpt(name)}` are no straight pair")
            return curly[1], curly.end()
        bare = _BARE.match(self._all, at)
        assert bare is not None
        self._warn(at, f"the value of `{excerpt(name)}` has no quotation marks around it")
        return bare[0].strip(f"\"'{CURLY_QUOTES}"), bare.end()

    def _after_blanks(self, at: int) -> int:
        found = _BLANKS.match(self._all, at)
        assert found is not None
        return found.end()

    # ── saying so ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _warn(self, at: int, what: str) -> None:
        self._warnings.add(f"Line {self._line_at(at)}: {what}.")

    def _refuse(self, detail: str, at: int) -> NoReturn:
        column = at - self._all.rfind("\n", 0, at)
        raise BrokenDocument(language="XML", detail=detail, line=self._all.count("\n", 0, at) + 1, column=column)

    def _line_at(self, at: int) -> int:
        """Lines are counted on from where they were counted to, so that each is counted once."""
        if at >= self._counted:
            self._line += self._all.count("\n", self._counted, at)
            self._counted = at
            return self._line
        return self._line - self._all.count("\n", at, self._counted)
