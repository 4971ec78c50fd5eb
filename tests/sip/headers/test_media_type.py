"""Content-Type, Content-Disposition and Accept: RFC 3261 sections 20.1, 20.11 and 20.15."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.headers.media_type import Disposition, MediaType, parse_accept


def test_media_type() -> None:
    kind = MediaType.parse('Multipart / Mixed ; boundary="a b"')
    assert (kind.essence, kind.param("Boundary"), str(kind)) == (
        "multipart/mixed",
        "a b",
        'multipart/mixed;boundary="a b"',
    )
    for text in ("", "sdp", "a/", "a/b c", "a/b;"):
        with pytest.raises(SyntaxFault):
            MediaType.parse(text)


def test_disposition() -> None:
    optional = Disposition.parse("Icon ; handling=OPTIONAL")
    assert (optional.type, optional.optional, str(optional)) == ("icon", True, "icon;handling=OPTIONAL")
    assert not Disposition.parse("session").optional
    with pytest.raises(SyntaxFault):
        Disposition.parse(";handling=optional")


def test_accept() -> None:
    ranges = parse_accept(["", "application/sdp;level=1", "text/*", "*/*"])
    assert [kind.covers("Application/SDP") for kind in ranges] == [True, False, True]
