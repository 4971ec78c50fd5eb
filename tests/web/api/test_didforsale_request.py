"""Parameters in the three kinds of bodies, in any case, and what each of them becomes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.flow.targets import LegStage
from offhook.web.api.didforsale_request import DidforsaleError, DidforsaleRequest, read_request

MULTIPART = (
    b'--XX\r\nContent-Disposition: form-data; name="FROM"\r\n\r\n+1 800 579-7676\r\n'
    b'--XX\r\nContent-Disposition: form-data; name="apikey"\r\n\r\nk\r\n--XX--\r\n'
)


async def read(body: bytes, kind: str = "", query: bytes = b"", **headers: str) -> DidforsaleRequest:
    sent = {"content-type": kind} | headers if kind else headers
    scope: dict[str, Any] = {
        "type": "http",
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return await read_request(scope, receive)


def of(**params: str | tuple[str, ...]) -> DidforsaleRequest:
    folded = {name.lower(): (value,) if isinstance(value, str) else value for name, value in params.items()}
    return DidforsaleRequest(params=folded, key=None)


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"From=%2B1+800+579-7676&APIKEY=k", "application/x-www-form-urlencoded"),
        (b"from=18005797676&apikey=k", ""),
        (b'{"from": "18005797676", "apikey": "k"}', "application/json; charset=utf-8"),
        (b' {"FROM": 18005797676, "apiKey": "k", "url": null}', "application/x-www-form-urlencoded"),
        (MULTIPART, "multipart/form-data; boundary=XX"),
    ],
)
async def test_every_kind_of_body_says_the_same(body: bytes, kind: str) -> None:
    request = await read(body, kind)
    assert request.number("from") == "+18005797676"
    assert request.key == "k"
    assert request.url("url") is None


async def test_half_characters_are_replaced() -> None:
    """JSON can write what neither a header nor a row can hold."""
    body = b'{"a\\ud800": "1", "apikey": "k\\ud800", "optional": ["\\udfff", "\\ud83d\\ude00"]}'
    request = await read(body, "application/json")
    assert request.key == "k?"
    assert request.params["a?"] == ("1",)
    assert request.params["optional"] == ("?", "\N{GRINNING FACE}")


async def test_the_body_goes_before_the_query_and_that_before_headers() -> None:
    assert (await read(b"apikey=b", query=b"apikey=q", apikey="h")).key == "b"
    assert (await read(b"", query=b"apikey=q", apikey="h")).key == "q"
    assert (await read(b"", apikey="h")).key == "h"
    assert (await read(b"")).key is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b"[1]", "application/json"),
        (b'{"from": {"a": 1}}', "application/json"),
        (b'{"from": [1]}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"nothing of the kind", "multipart/form-data; boundary=XX"),
        (MULTIPART, "multipart/form-data"),
        (b"&".join(b"a%d=1" % n for n in range(2000)), ""),
    ],
)
async def test_a_body_that_cannot_be_read_is_an_error_that_says_so(body: bytes, kind: str) -> None:
    with pytest.raises(DidforsaleError) as wrong:
        await read(body, kind)
    assert wrong.value.status == 400


@given(st.binary(max_size=200), st.sampled_from(["", "application/json", "multipart/form-data; boundary=XX"]))
async def test_any_body_is_read_or_refused(body: bytes, kind: str) -> None:
    refusals = []
    try:
        await read(body, kind)
    except DidforsaleError as error:
        refusals.append(error.status)
    assert refusals in ([], [400])


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "marks"), [("wW1w2#", "PPP1P2#"), ("WWWW101", "PPPPPPPP101"), ("", ""), ("12*A", "12*A")]
)
def test_waits_become_pauses(text: str, marks: str) -> None:
    assert of(senddigits=text).digits("senddigits") == marks


@pytest.mark.parametrize("text", ["1 2", "p", "1" * 201])
def test_what_are_no_keys(text: str) -> None:
    with pytest.raises(DidforsaleError, match="senddigits"):
        of(senddigits=text).digits("senddigits")


@pytest.mark.parametrize(
    ("events", "stages"),
    [
        ("initiated,ringing", {LegStage.INITIATED, LegStage.RINGING}),
        ("initiated ANSWERED", {LegStage.INITIATED, LegStage.ANSWERED}),
        (("ringing", "completed"), {LegStage.RINGING, LegStage.COMPLETED}),
        ("ringing, lunch", {LegStage.RINGING}),
        ("lunch", {LegStage.COMPLETED}),
        ((), {LegStage.COMPLETED}),
    ],
)
def test_events_are_separated_by_anything(events: str | tuple[str, ...], stages: set[LegStage]) -> None:
    hook = of(statusCallback="https://a.example", statusCallbackEvent=events).status_hook()
    assert hook is not None
    assert hook.stages == stages


async def test_events_may_be_an_array() -> None:
    body = {"statusCallback": "https://a.example", "statusCallbackEvent": ["ringing", "answered"]}
    hook = (await read(json.dumps(body).encode(), "application/json")).status_hook()
    assert hook is not None
    assert hook.stages == {LegStage.RINGING, LegStage.ANSWERED}


def test_without_a_callback_nobody_is_told() -> None:
    assert of(statusCallbackEvent="ringing", secretKey="s").status_hook() is None


@pytest.mark.parametrize(
    ("optional", "extra"),
    [
        ("token=123456", (("token", "123456"),)),
        ("a=1&b=2", (("a", "1"), ("b", "2"))),
        ("plain", (("optional", "plain"),)),
        ("apikey=forged", ()),
        ("", ()),
    ],
)
def test_the_token_is_merged_as_pairs(optional: str, extra: tuple[tuple[str, str], ...]) -> None:
    hook = of(statusCallback="https://a.example", secretKey="s", optional=optional).status_hook()
    assert hook is not None
    assert hook.extra == (("apikey", "s"), *extra)


def test_a_token_without_end_is_refused() -> None:
    with pytest.raises(DidforsaleError, match="optional"):
        of(statusCallback="https://a.example", optional="x" * 3000).status_hook()
