"""Which dialect a document is, and whether a setting is a document or a URL. The one file that knows all dialects.

A new dialect is one line in `DIALECTS`, and one in `_OPENINGS` if its documents can be told by their first character.
"""

from collections.abc import Mapping
from types import MappingProxyType

from offhook.flow.dialects.dialect import Dialect, Reading
from offhook.flow.dialects.didml import Didml
from offhook.flow.dialects.didml_words import MISSPELLED_DURATION
from offhook.flow.dialects.elks import Elks
from offhook.flow.dialects.urls import absolute_url
from offhook.flow.errors import WrongUrl, excerpt
from offhook.flow.program import Document

__all__ = ["DIALECTS", "QUIRKS", "choose", "read_document", "read_start"]

DIALECTS: Mapping[str, Dialect] = MappingProxyType({"elks": Elks(), "didml": Didml()})
"""By name, as numbers and settings have it."""

QUIRKS: Mapping[str, str] = MappingProxyType(
    {MISSPELLED_DURATION: "status callbacks carry the duration under the misspelt name of DIDforSale's page too"}
)
"""Peculiarities of a service that an account can ask for, each with what it does (`CallView.quirks`)."""

_OPENINGS: Mapping[bytes, str] = MappingProxyType({b"{": "elks", b"<": "didml"})
_BLANKS = b" \t\r\n\xef\xbb\xbf"
"""The last three are a UTF-8 byte order mark."""


def choose(body: bytes, asked: Dialect) -> Dialect:
    """The dialect of a document by its first character after blanks; else the one of the number or API that asked."""
    name = _OPENINGS.get(body.lstrip(_BLANKS)[:1])
    return asked if name is None else DIALECTS[name]


def read_document(body: bytes, address: str, asked: Dialect) -> tuple[Dialect, Reading]:
    """A document that came from `address`, in whichever dialect it is. Raises `DocumentError`."""
    dialect = choose(body, asked)
    return dialect, dialect.read(body, address)


def read_start(text: str, asked: Dialect, *, key: str = "voice_start", method: str = "POST") -> Document | Reading:
    """What a call begins with: a document written out in a setting, or the URL that one is fetched from.

    Raises `DocumentError`: `WrongUrl`, naming `key`, for a text that is neither.
    """
    body = text.encode("utf-8", "surrogatepass")
    if body.lstrip(_BLANKS)[:1] in _OPENINGS:
        return read_document(body, "", asked)[1]
    url = absolute_url(text, "")
    if url is None:
        raise WrongUrl(key=key, found=f"the text “{excerpt(text)}”")
    return Document(url=url, method=method)
