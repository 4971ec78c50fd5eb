"""Webhooks over real sockets on loopback: what is sent, and what every kind of bad answer is called."""

import asyncio
import datetime
import socket
import ssl
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support.receivers import LOOPBACK, raw_receiver, receiver, unused_port

from offhook.hooks.attempt import CONTROL
from offhook.hooks.errors import HookCause
from offhook.hooks.request import FORM, Method, Purpose, WebhookRequest
from offhook.runtime.url_guard import UrlGuard
from offhook.runtime.webhooks import BEGINNING_MAX_BYTES, HookResult, Webhooks

QUICK = replace(CONTROL, budget_s=0.6, connect_s=0.3, shortest_try_s=0.05, retries=0)
"""So that a test of a time-out takes a third of a second."""


def request(url: str, method: Method = Method.POST) -> WebhookRequest:
    return WebhookRequest(
        id="h1", purpose=Purpose.CONTROL, call="c1", url=url, method=method, params=(("from", "+46700"), ("b", "å c"))
    )


async def perform(
    url: str, method: Method = Method.POST, *, quick: bool = False, guard: UrlGuard = LOOPBACK
) -> HookResult:
    async with Webhooks(guard) as webhooks:
        return await webhooks.perform(request(url, method), QUICK if quick else CONTROL)


def cause(result: HookResult) -> HookCause:
    assert result.failure is not None
    assert not result.ok
    assert result.body == b""
    return result.failure.cause


async def says(text: str, status: int = 200, content_type: str = "application/json") -> web.Response:
    return web.Response(text=text, status=status, content_type=content_type)


async def test_a_post_on_the_wire() -> None:
    async with receiver(lambda _: says('{"play": "x"}', content_type="text/html")) as server:
        result = await perform(server.url.replace("//", "//user:pass@") + "/hook?key=1#frag")
        (seen,) = server.seen
    assert result.ok
    assert (result.status, result.body) == (200, b'{"play": "x"}')
    assert result.final_url == server.url + "/hook?key=1"
    assert (seen.method, seen.path, seen.query) == ("POST", "/hook", "key=1")
    assert seen.body == b"from=%2B46700&b=%C3%A5+c"
    assert seen.headers["content-type"] == FORM
    assert seen.headers["content-length"] == str(len(seen.body))
    assert seen.headers["authorization"] == "Basic dXNlcjpwYXNz"
    assert seen.headers["user-agent"].startswith("Offhook/")
    (made,) = result.tries
    assert (made.number, made.hop, made.status, made.failure) == (1, 0, 200, None)
    assert 0 < made.took_s <= result.took_s < 5


async def test_a_get_on_the_wire() -> None:
    async with receiver(lambda _: says("{}")) as server:
        await perform(server.url + "/hook?key=%7E", Method.GET)
        (seen,) = server.seen
    assert (seen.method, seen.query, seen.body) == ("GET", "key=%7E&from=%2B46700&b=%C3%A5+c", b"")
    assert "content-type" not in seen.headers


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204])
async def test_fine_statuses_with_and_without_a_body(status: int) -> None:
    async with receiver(lambda _: says("", status)) as server:
        result = await perform(server.url)
    assert result.ok
    assert (result.status, result.body) == (status, b"")


async def test_one_connection_serves_many() -> None:
    peers = set()

    async def handle(asked: web.Request) -> web.Response:
        assert asked.transport is not None
        peers.add(asked.transport.get_extra_info("peername"))
        return web.Response(text="{}")

    async with receiver(handle) as server, Webhooks(LOOPBACK) as webhooks:
        for _ in range(5):
            assert (await webhooks.perform(request(server.url))).ok
    assert len(peers) == 1


async def test_one_retry_after_a_5xx() -> None:
    statuses = iter([503, 200])
    async with receiver(lambda _: says("{}", next(statuses))) as server:
        result = await perform(server.url)
    assert result.ok
    assert [made.status for made in result.tries] == [503, 200]
    assert len(server.seen) == 2


async def test_a_404_is_final() -> None:
    async with receiver(lambda _: says("no", 404)) as server:
        result = await perform(server.url)
    assert cause(result) is HookCause.STATUS
    assert result.status == 404
    assert len(server.seen) == 1


async def test_a_refused_connection_is_tried_twice() -> None:
    result = await perform(f"http://127.0.0.1:{await unused_port()}/")
    assert cause(result) is HookCause.REFUSED
    assert len(result.tries) == 2
    assert result.status is None


async def test_redirects_are_followed_with_the_body() -> None:
    async def handle(asked: web.Request) -> web.Response:
        return await says("{}") if asked.path == "/there" else web.Response(status=307, headers={"Location": "/there"})

    async with receiver(handle) as server:
        result = await perform(server.url + "/here")
    assert result.final_url == server.url + "/there"
    assert [seen.body for seen in server.seen] == [b"from=%2B46700&b=%C3%A5+c"] * 2
    assert [(made.number, made.hop) for made in result.tries] == [(1, 0), (1, 1)]


@pytest.mark.parametrize("location", ["http://10.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/"])
async def test_a_redirect_does_not_lead_past_the_guard(location: str) -> None:
    async with receiver(lambda _: _redirect(location)) as server:
        result = await perform(server.url)
    assert cause(result) is HookCause.BLOCKED
    assert result.final_url == location
    assert len(result.tries) == 2


async def _redirect(location: str) -> web.Response:
    return web.Response(status=307, headers={"Location": location})


async def test_a_redirect_by_name_does_not_lead_past_the_guard() -> None:
    async with receiver(lambda _: says("secret")) as inside, receiver(lambda _: _redirect(there)) as server:
        there = inside.url.replace("127.0.0.1", "localhost")
        # The first server is allowed by its literal, the name leads to what is not.
        guard = UrlGuard()
        result = await perform(there, guard=guard)
        assert cause(result) is HookCause.BLOCKED
        assert (await perform(server.url)).ok
    assert len(inside.seen) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_loopback_is_closed_without_an_allow_list(host: str) -> None:
    async with receiver(lambda _: says("secret")) as server:
        result = await perform(server.url.replace("127.0.0.1", host), guard=UrlGuard())
    assert cause(result) is HookCause.BLOCKED
    assert server.seen == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1"])
async def test_odd_spellings_of_loopback_do_not_pass(host: str) -> None:
    async with receiver(lambda _: says("secret")) as server:
        result = await perform(server.url.replace("127.0.0.1", host), guard=UrlGuard())
    assert cause(result) in (HookCause.BLOCKED, HookCause.URL)
    assert server.seen == []


async def test_the_address_that_was_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name whose answer has a forbidden address first, and one that changes between look-up and connection."""
    async with receiver(lambda _: says("{}")) as server:
        port = int(server.url.rpartition(":")[2])
        answers = iter(["10.0.0.1 127.0.0.1", "10.0.0.1"])

        def look_up(host: str, asked_port: int, **_: object) -> list[tuple[object, ...]]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, asked_port)) for address in next(answers).split()
            ]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        async with Webhooks(LOOPBACK) as webhooks:
            assert (await webhooks.perform(request(f"http://rebind.example:{port}/"))).ok
        async with Webhooks(LOOPBACK) as webhooks:
            assert cause(await webhooks.perform(request(f"http://rebind.example:{port}/"))) is HookCause.BLOCKED
    assert len(server.seen) == 1


async def test_a_name_that_is_not_there() -> None:
    assert cause(await perform("http://nowhere.invalid/")) is HookCause.DNS


async def test_a_url_that_cannot_be_asked() -> None:
    result = await perform("mailto:me@example.com")
    assert cause(result) is HookCause.URL
    assert result.tries == ()


async def test_a_large_answer_by_its_length_and_by_its_bytes() -> None:
    async def stream(asked: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(asked)
        for _ in range(11):
            await response.write(b"x" * 10_000)
        return response

    async with receiver(lambda _: says("x" * 100_000)) as server:
        assert cause(await perform(server.url)) is HookCause.TOO_LARGE
    async with receiver(stream) as server:
        assert cause(await perform(server.url)) is HookCause.TOO_LARGE
    async with receiver(lambda _: says("x" * 65_536)) as server:
        assert len((await perform(server.url)).body) == 65_536


async def _asked(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_answers_that_break_off_or_are_no_http_are_tried_twice(answer: bytes) -> None:
    count = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await _asked(reader)
        writer.write(answer)
        await writer.drain()

    async with raw_receiver(talk) as url:
        result = await perform(url)
    assert cause(result) in (HookCause.RESET, HookCause.BROKEN)
    assert count == 2


async def test_a_reset() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with raw_receiver(talk) as url:
        assert cause(await perform(url)) is HookCause.RESET


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"])
async def test_a_slow_answer_and_a_slow_body_run_out_of_time_once(answer: bytes) -> None:
    count = 0
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        await _asked(reader)
        writer.write(answer)
        await writer.drain()
        await over.wait()

    async with raw_receiver(talk) as url:
        result = await perform(url, quick=True)
        over.set()
    assert cause(result) is HookCause.TIMEOUT
    assert count == 1
    assert result.took_s < QUICK.budget_s


@pytest.mark.parametrize("status", [404, 500, 307])
async def test_the_body_of_an_answer_that_does_not_count_is_read_and_its_connection_serves_on(status: int) -> None:
    peers = set()

    async def handle(asked: web.Request) -> web.Response:
        assert asked.transport is not None
        peers.add(asked.transport.get_extra_info("peername"))
        return web.Response(status=status, text="x" * BEGINNING_MAX_BYTES, content_type="text/html")

    async with receiver(handle) as server, Webhooks(LOOPBACK) as webhooks:
        for _ in range(2):
            result = await webhooks.perform(request(server.url))
    assert result.body == b""
    made = result.tries[-1]
    assert (made.status, made.size, made.cut) == (status, BEGINNING_MAX_BYTES, False)
    assert (made.body, made.content_type) == (b"x" * BEGINNING_MAX_BYTES, "text/html; charset=utf-8")
    assert len(peers) == 1


async def test_of_a_long_error_the_beginning_is_read_and_its_size_is_the_senders_word() -> None:
    async with receiver(lambda _: says("x" * 1_000_000, 404)) as server:
        (made,) = (await perform(server.url)).tries
    assert (len(made.body), made.size, made.cut) == (BEGINNING_MAX_BYTES, 1_000_000, True)


@pytest.mark.parametrize("piece", [b"x", b"x" * 10_000])
async def test_an_error_without_an_end_costs_neither_time_nor_memory(piece: bytes) -> None:
    """Octets that drip, and more than anybody wants: the status counts, and the try ends long before its time."""
    gone = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            gone.set()

    async with raw_receiver(talk) as url, Webhooks(LOOPBACK) as webhooks:
        result = await webhooks.perform(request(url))
        await asyncio.wait_for(gone.wait(), 5.0)
    assert cause(result) is HookCause.STATUS
    (made,) = result.tries
    assert (made.status, made.size, made.cut) == (404, None, True)
    assert 0 < len(made.body) <= BEGINNING_MAX_BYTES
    assert made.took_s < CONTROL.budget_s / 10


@pytest.mark.parametrize(("sent", "said"), [(b"", b""), (b"no da", b"no da")])
async def test_an_error_whose_body_stops_is_still_that_error(sent: bytes, said: bytes) -> None:
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 11\r\n\r\n" + sent)
        await writer.drain()
        await over.wait()

    async with raw_receiver(talk) as url:
        result = await perform(url, quick=True)
        over.set()
    assert cause(result) is HookCause.STATUS
    (made,) = result.tries
    assert (made.status, made.body, made.size, made.cut) == (503, said, 11, True)
    assert made.took_s < QUICK.budget_s / 4


async def test_what_there_was_of_an_answer_that_is_of_no_use_is_kept_for_the_timeline() -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()

    async with raw_receiver(half) as url:
        made = (await perform(url)).tries[-1]
    assert (made.status, made.body, made.size, made.cut) == (200, b"half", 100, True)
    assert made.failure is not None
    async with receiver(lambda _: says("x" * 100_000)) as server:
        (made,) = (await perform(server.url)).tries
    assert (made.status, len(made.body), made.size, made.cut) == (200, BEGINNING_MAX_BYTES, 100_000, True)


@pytest.mark.parametrize(("fragment", "within"), [("", "0.3 s"), ("#rt=100", "0.1 s")])
async def test_a_silence_is_told_with_the_time_that_it_had(fragment: str, within: str) -> None:
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await _asked(reader)
        await over.wait()

    async with raw_receiver(talk) as url:
        result = await perform(url + fragment, quick=True)
        over.set()
    (made,) = result.tries
    assert made.failure is not None
    assert (made.failure.cause, made.failure.detail) == (HookCause.TIMEOUT, within)


async def test_a_connection_that_never_stands() -> None:
    # A listener with a full queue answers no SYN: the oldest way to have a connection hang on loopback.
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(full.getsockname())
            waiting.append(one)
        result = await perform(f"http://127.0.0.1:{full.getsockname()[1]}/", quick=True)
        for one in waiting:
            one.close()
    assert cause(result) in (HookCause.CONNECT_TIMEOUT, HookCause.TIMEOUT)


def certificate(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=certificate(tmp_path))
    port = server.sockets[0].getsockname()[1]
    result = await perform(f"https://127.0.0.1:{port}/")
    server.close()
    assert cause(result) is HookCause.TLS
    assert result.failure is not None
    assert "certificate" in result.failure.sentence


async def test_tls_to_what_speaks_none() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with raw_receiver(talk) as url:
        assert cause(await perform(url.replace("http:", "https:"))) is HookCause.TLS


async def test_headers_of_the_answer_and_of_a_condition() -> None:
    async def handle(asked: web.Request) -> web.Response:
        if asked.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304, headers={"ETag": '"1"'})
        return web.Response(text="x", headers={"ETag": '"1"'})

    async with receiver(handle) as server, Webhooks(LOOPBACK) as webhooks:
        first = await webhooks.perform(request(server.url, Method.GET))
        second = await webhooks.perform(request(server.url, Method.GET), headers=(("If-None-Match", '"1"'),))
    assert first.headers["etag"] == '"1"'
    assert second.status == 304
    assert cause(second) is HookCause.STATUS


async def test_outside_its_with_it_is_a_mistake_of_ours() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await Webhooks(LOOPBACK).perform(request("http://127.0.0.1/"))
