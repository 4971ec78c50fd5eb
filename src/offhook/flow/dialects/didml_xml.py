"""didML documents from bytes to elements: strict XML 1.0 first (expat), and `didml_repair` for what that refuses.

Document types and entities are refused before anything of them is read, so nothing can grow or be fetched. Never raises
anything but a `DocumentError`; what was repaired is in the warnings.
"""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from types import MappingProxyType
from typing import NoReturn
from xml.parsers import expat

from offhook.flow.dialects.didml_repair import repaired
from offhook.flow.dialects.didml_tree import Element, TreeBuilder, Warnings
from offhook.flow.errors import BrokenDocument, DocumentTypeRefused, NotText, UnknownEncoding

__all__ = ["ENCODINGS", "read_xml"]

ENCODINGS: Mapping[str, str] = MappingProxyType(
    {
        "utf-8": "utf-8",
        "utf8": "utf-8",
        "us-ascii": "utf-8",
        "ascii": "utf-8",
        "iso-8859-1": "latin-1",
        "latin1": "latin-1",
        "latin-1": "latin-1",
        "iso-8859-15": "iso8859-15",
        "windows-1252": "cp1252",
        "cp1252": "cp1252",
    }
)
"""What a document may say that it is in, and how that is read. UTF-16 is known by its byte order mark."""

_DECLARED = re.compile(rb"\s*<\?xml\b[^<>]{0,200}?\bencoding\s*=\W{0,3}([A-Za-z][\w.:-]*)")
_UTF_16 = re.compile(r"utf-?16(le|be)?")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""XML 1.0 §2.2, production 2."""


def read_xml(body: bytes, warnings: Warnings) -> Element:
    """The root of a document. Raises `DocumentError`."""
    text = _text(body, warnings)
    wrong = _NOT_XML.search(text)
    if wrong is not None:
        line = text.count("\n", 0, wrong.start()) + 1
        column = wrong.start() - text.rfind("\n", 0, wrong.start())
        raise BrokenDocument(
            language="XML", detail=f"U+{ord(wrong[0]):04X} is no character of it", line=line, column=column
        )
    try:
        return _strict(text, warnings)
    except expat.ExpatError as error:
        # Its columns count from 0; people's count from 1.
        place = f"line {error.lineno}, column {error.offset + 1}"
        warnings.add(
            f"The document is not well-formed XML ({expat.ErrorString(error.code)}, {place}): it was repaired."
        )
    return repaired(text, warnings)


def _text(body: bytes, warnings: Warnings) -> str:
    encoding = "utf-8"
    if body.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        encoding = "utf-16"
    elif (declared := _DECLARED.match(body.removeprefix(b"\xef\xbb\xbf"))) is not None:
        encoding = _known_encoding(declared[1].decode("ascii", "replace"), warnings)
    try:
        return body.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise NotText(f"byte {error.start + 1}") from error


def _known_encoding(word: str, warnings: Warnings) -> str:
    declared = word.lower()
    if _UTF_16.fullmatch(declared):
        # UTF-16 begins with a byte order mark (XML 1.0 §4.3.3); frameworks that print into a text claim it wrongly.
        warnings.add(f"The document says that it is in {word}, and is not; it was read as UTF-8.")
        return "utf-8"
    if declared not in ENCODINGS:
        raise UnknownEncoding(encoding=word)
    return ENCODINGS[declared]


def _strict(text: str, warnings: Warnings) -> Element:
    # Said again by the repairing pass if this one fails, so they are kept apart until it is known.
    said = Warnings()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.ordered_attributes = True
    builder = TreeBuilder(said)

    def start(name: str, attributes: list[str]) -> None:
        builder.open(name, zip(attributes[::2], attributes[1::2], strict=True), parser.CurrentLineNumber)

    def end(name: str) -> None:
        builder.close()

    def refuse(*_: object) -> NoReturn:
        raise DocumentTypeRefused

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.Parse(text, True)
    assert builder.root is not None
    warnings.take(said)
    return builder.root
