"""What of a webhook goes on the wire, letter by letter."""

import base64
import json
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.hooks.errors import WrongHookUrl
from offhook.hooks.request import (
    FORM,
    MAX_URL_CHARS,
    Method,
    Params,
    Purpose,
    Receiver,
    WebhookRequest,
    encode_form,
    merge_query,
    receiver,
    redirected,
    split_credentials,
    wire,
)


def request(url: str, method: Method = Method.POST, params: Params = (("a", "1"),)) -> WebhookRequest:
    return WebhookRequest(id="h1", purpose=Purpose.CONTROL, call="c1", url=url, method=method, params=params)


def basic(user: str, password: str) -> tuple[str, str]:
    return ("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


def test_a_form_as_46elks_writes_it() -> None:
    # The documentation's own example of a hang-up post: JSON with its blanks as +, colons escaped, + as %2B.
    params = (
        ("direction", "outgoing"),
        ("from", "+46766862965"),
        ("start", "2020-05-25T10:09:03.246556"),
        ("actions", json.dumps([{"play": "https://h/a.mp3", "result": "failed"}])),
        ("empty", ""),
        ("who", "Åsa & Ben"),
    )
    assert encode_form(params) == (
        "direction=outgoing&from=%2B46766862965&start=2020-05-25T10%3A09%3A03.246556"
        "&actions=%5B%7B%22play%22%3A+%22https%3A%2F%2Fh%2Fa.mp3%22%2C+%22result%22%3A+%22failed%22%7D%5D"
        "&empty=&who=%C3%85sa+%26+Ben"
    )


@given(st.lists(st.tuples(st.text(min_size=1), st.text())).map(tuple))
def test_any_text_is_ascii_and_comes_back(params: Params) -> None:
    encoded = encode_form(params)
    encoded.encode("ascii")
    back = parse_qsl(encoded, keep_blank_values=True)
    clean = [tuple(text.encode("utf-8", "replace").decode() for text in pair) for pair in params]
    assert back == clean


def test_post() -> None:
    sent = wire(request("https://example.com/hook?key=s%20e+c#frag", params=(("from", "+46"),)))
    assert sent.url == "https://example.com/hook?key=s%20e+c"
    assert sent.body == b"from=%2B46"
    assert sent.headers == (("Content-Type", FORM),)


def test_get_puts_the_fields_behind_what_was_there() -> None:
    sent = wire(request("https://example.com/hook?key=1&&b", Method.GET, (("from", "+46"), ("x", "a b"))))
    assert sent.url == "https://example.com/hook?key=1&&b&from=%2B46&x=a+b"
    assert (sent.body, sent.headers) == (None, ())
    assert wire(request("http://h", Method.GET)).url == "http://h/?a=1"
    assert wire(request("http://h/?q", Method.GET, ())).url == "http://h/?q"
    assert merge_query("http://h/", ()) == "http://h/"


@pytest.mark.parametrize(
    ("url", "expected", "credentials"),
    [
        ("https://user:pass@h/x", "https://h/x", ("user", "pass")),
        ("https://us%40er:p%3Aä@h/x", "https://h/x", ("us@er", "p:ä")),
        ("https://only@h/x", "https://h/x", ("only", "")),
        ("https://a@b:c@h/x", "https://h/x", ("a@b", "c")),
        ("https://@h/x", "https://h/x", ("", "")),
    ],
)
def test_userinfo_becomes_a_basic_header(url: str, expected: str, credentials: tuple[str, str]) -> None:
    assert split_credentials(url) == (expected, (basic(*credentials),))


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (" https://H.Example/x ", "https://h.example/x"),
        ("http://h", "http://h/"),
        ("http://h:8080/a b", "http://h:8080/a%20b"),
        ("http://h/%7Ea/%2F?q=å&r=[1]", "http://h/%7Ea/%2F?q=%C3%A5&r=[1]"),
        ('http://h/"<>', "http://h/%22%3C%3E"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://[2001:db8::1]:81/x", "http://[2001:db8::1]:81/x"),
        ("HTTPS://h:443/", "https://h:443/"),
    ],
)
def test_urls_go_as_they_were_written_but_for_what_http_cannot_hold(written: str, sent: str) -> None:
    assert split_credentials(written) == (sent, ())


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("ftp://h/", "ftp"),
        ("file:///etc/passwd", "file"),
        ("h/x", "missing"),
        ("", "missing"),
        ("https://", "no host"),
        ("https://user:pass@/x", "no host"),
        ("http://h:0/", "port is 0"),
        ("http://h:99999/", "(?i)port"),
        ("http://h:x/", "(?i)port"),
        ("http://[::1/", "(?i)ipv6"),
        ("http://a b/", "character"),
        ("http://a%00b/", "character"),
        ("http://" + "å" * 100 + "/", "host name"),
        ("http://h/" + "x" * MAX_URL_CHARS, "limit"),
    ],
)
def test_urls_that_cannot_be_asked(url: str, word: str) -> None:
    with pytest.raises(WrongHookUrl, match=word):
        wire(request(url))


def test_receiver() -> None:
    assert receiver("http://User:p@Example.com/x") == Receiver(scheme="http", host="example.com", port=80)
    assert str(receiver("https://h/")) == "https://h:443"
    assert receiver("https://h:444/a") == receiver("https://h:444/b?c")


def test_a_redirect_keeps_method_and_body() -> None:
    sent = wire(request("https://user:pass@h/a/b?x=1"))
    there = redirected(sent, "../c?y=2#z")
    assert (there.method, there.url, there.body) == (Method.POST, "https://h/c?y=2", b"a=1")
    assert there.headers == sent.headers


@pytest.mark.parametrize("location", ["http://h/", "https://h:444/", "https://evil.example/", "//evil.example/x"])
def test_credentials_do_not_follow_to_another_receiver(location: str) -> None:
    there = redirected(wire(request("https://user:pass@h/")), location)
    assert there.headers == (("Content-Type", FORM),)


def test_credentials_of_the_location_count() -> None:
    there = redirected(wire(request("https://user:pass@h/")), "https://other:word@h/x")
    assert there.headers == (("Content-Type", FORM), basic("other", "word"))


@pytest.mark.parametrize("location", ["ftp://h/", "http://", "http://[::1/"])
def test_redirects_to_nowhere(location: str) -> None:
    with pytest.raises(WrongHookUrl):
        redirected(wire(request("https://h/")), location)


@given(
    st.builds(
        WebhookRequest,
        id=st.text(),
        purpose=st.sampled_from(Purpose),
        call=st.text(),
        url=st.text(),
        method=st.sampled_from(Method),
        params=st.lists(st.tuples(st.text(), st.text())).map(tuple),
    )
)
def test_restored_it_is_the_same(one: WebhookRequest) -> None:
    assert WebhookRequest.restore(json.loads(json.dumps(one.export()))) == one


def test_account_and_number_are_kept_and_older_data_has_none() -> None:
    one = WebhookRequest(id="a", purpose=Purpose.OWED, call="c", url="http://h/", account="u1", sequence=3)
    kept = one.export()
    assert WebhookRequest.restore(json.loads(json.dumps(kept))) == one
    older = {name: value for name, value in kept.items() if name not in ("account", "sequence")}
    restored = WebhookRequest.restore(older)
    assert (restored.account, restored.sequence) == ("", 0)


def test_a_request_from_the_future_is_refused() -> None:
    with pytest.raises(ValueError, match="version 9"):
        WebhookRequest.restore({**request("http://h/").export(), "v": 9})
