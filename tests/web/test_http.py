"""HTTP at the edge: bodies to a limit, forms, credentials."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.web.http import (
    MAX_BODY_BYTES,
    MAX_PARAMETERS,
    Answer,
    BodyTooLarge,
    ClientLeft,
    NotAForm,
    basic_credentials,
    form,
    header,
    limited,
    read_body,
)


def scope(**headers: str) -> dict[str, Any]:
    return {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}


def receiving(*messages: dict[str, Any]) -> Any:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        return left.pop(0)

    return receive


def chunk(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_pieces() -> None:
    assert await read_body(scope(), receiving(chunk(b"a=", more=True), chunk(b"1"))) == b"a=1"


async def test_a_body_too_large_whether_announced_or_not() -> None:
    with pytest.raises(BodyTooLarge):
        await read_body(scope(content_length=str(MAX_BODY_BYTES + 1)), receiving())
    half = bytes(MAX_BODY_BYTES // 2 + 1)
    with pytest.raises(BodyTooLarge):
        await read_body(scope(), receiving(chunk(half, more=True), chunk(half)))
    assert len(await read_body(scope(), receiving(chunk(bytes(MAX_BODY_BYTES))))) == MAX_BODY_BYTES


async def test_a_client_that_leaves() -> None:
    with pytest.raises(ClientLeft):
        await read_body(scope(content_length="some"), receiving(chunk(b"a", more=True), {"type": "http.disconnect"}))


def test_forms() -> None:
    assert form(b"a=1&b=&a=2&c=%2B46&d=x+y&e=%ff") == {"a": "2", "b": "", "c": "+46", "d": "x y", "e": "\ufffd"}
    assert form(b"a=1", b"text/plain") == {"a": "1"}
    for kind in (b"application/json", b"Multipart/Form-Data; boundary=x", b"text/xml"):
        with pytest.raises(NotAForm, match="application/x-www-form-urlencoded"):
            form(b"", kind)
    with pytest.raises(NotAForm, match=f"More than {MAX_PARAMETERS}"):
        form(b"a=1&" * (MAX_PARAMETERS + 1))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_form(body: bytes) -> None:
    assert isinstance(form(body), dict)


@given(st.binary(max_size=60))
def test_any_credentials_are_read_or_refused(value: bytes) -> None:
    found = basic_credentials({"headers": [(b"authorization", b"Basic " + value)]})
    assert found is None or len(found) == 2


def test_credentials() -> None:
    assert basic_credentials(scope(authorization="basic dTpwOnE=")) == ("u", "p:q")
    assert basic_credentials(scope(authorization="Basic w6U6w6U=")) == ("å", "å")
    for wrong in ("", "Bearer dTpw", "Basic", "Basic dQ==", "Basic ***", "Basic /w=="):
        assert basic_credentials(scope(authorization=wrong)) is None
    assert basic_credentials(scope()) is None


def test_headers_and_answers() -> None:
    assert header(scope(a="1"), b"b") is None
    assert Answer.json({"a": "å"}).body == b'{"a": "\\u00e5"}'
    assert Answer.text(404, "Not found").body == b"Not found"


async def test_a_limit_for_those_who_read_bodies_themselves() -> None:
    with pytest.raises(BodyTooLarge):
        limited(scope(content_length=str(MAX_BODY_BYTES + 1)), receiving())
    receive = limited(scope(), receiving(chunk(bytes(MAX_BODY_BYTES), more=True), chunk(b"1")))
    assert len((await receive())["body"]) == MAX_BODY_BYTES
    with pytest.raises(BodyTooLarge):
        await receive()
