"""Header fields as an ordered multimap: RFC 3261 section 7.3."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.headers.table import Headers, identify


def sample() -> Headers:
    return Headers([("v", "one, two"), ("X-New", "a, b"), ("VIA", "three"), ("To", "t")])


def test_names_fold() -> None:
    assert identify("v") == identify("VIA") == identify("vIa") == ("via", "Via")
    assert identify("x-NEW") == ("x-new", "x-NEW")
    headers = sample()
    assert next(headers.items()) == ("Via", "one, two")
    assert headers.get("x-new") == headers.get("X-NEW") == "a, b"
    assert headers.groups() == {"via": ["one, two", "three"], "x-new": ["a, b"], "to": ["t"]}
    assert ("v" in headers, "From" in headers, 3 in headers) == (True, False, False)
    assert (len(headers), headers.count("via"), headers.count("from")) == (4, 2, 0)


def test_lines_and_values() -> None:
    headers = sample()
    assert headers.all("Via") == ["one, two", "three"]
    assert headers.values("Via") == ["one", "two", "three"]
    assert headers.values("X-New") == ["a, b"]
    assert (headers.get("From"), headers.all("From"), headers.values("From")) == (None, [], [])
    headers.all("Via").append("not ours")
    assert headers.count("Via") == 2
    with pytest.raises(SyntaxFault):
        Headers([("Contact", '"a')]).values("Contact")


def test_changes() -> None:
    headers = sample()
    headers.add("f", "x")
    headers.prepend("Via", "zero")
    headers.prepend("Date", "d")
    assert [name for name, _ in headers.items()] == ["Date", "Via", "Via", "X-New", "Via", "To", "From"]
    headers.set("Via", "only")
    headers.set("Subject", "s")
    assert [name for name, _ in headers.items()] == ["Date", "Via", "X-New", "To", "From", "Subject"]
    headers.remove("Date")
    headers.remove("Date")
    assert headers.get("Date") is None


def test_remove_first_takes_one_element() -> None:
    headers = sample()
    headers.remove_first("Via")
    assert headers.all("Via") == ["two", "three"]
    headers.remove_first("Via")
    assert headers.all("Via") == ["three"]
    headers.remove_first("X-New")
    headers.remove_first("From")
    assert "X-New" not in headers


def test_copies_are_independent_and_views_are_kept() -> None:
    headers = sample()
    copy = headers.copy()
    assert copy == headers
    calls: list[int] = []
    for _ in range(2):
        assert headers.parsed("n", lambda table: calls.append(len(table)) or len(table)) == 4
    headers.add("From", "x")
    assert headers.parsed("n", lambda table: calls.append(len(table)) or len(table)) == 5
    assert calls == [4, 5]
    assert copy != headers
    assert copy != 4
    assert repr(Headers([("i", "1")])) == "Headers([('Call-ID', '1')])"
