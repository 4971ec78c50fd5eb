"""Webhooks and fetches on the wire: aiohttp, driven by the pure attempt machine, behind the URL guard.

One session for all of it: keep-alive to customers' servers is most of the speed. No cookies, no proxy of the
environment, no redirects of aiohttp's own, no compression (a small answer could unfold to a large one).
"""

import asyncio
import errno
import time
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

import aiohttp
from yarl import URL

from offhook.hooks.attempt import CONTROL, OK_STATUSES, Attempt, AttemptPolicy, Done, GiveUp, Output, Try
from offhook.hooks.errors import HookCause, HookFailure
from offhook.hooks.request import Headers, Method, WebhookRequest
from offhook.runtime.signing import Signer
from offhook.runtime.url_guard import AddressBlocked, GuardedResolver, UrlGuard

__all__ = ["HookResult", "TryMade", "Webhooks"]

DNS_CACHE_S = 30
KEEP_ALIVE_S = 60.0
CHUNK_BYTES = 64 * 1024
BEGINNING_MAX_BYTES = 2 * 1024
"""What is read of the body of an answer that does not count: its beginning, for the timeline."""
BEGINNING_WITHIN_S = 0.25
"""How long that may take, and never more than a quarter of what its try has left: nobody waits for it."""
OUT_OF_SOMETHING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Errors of the system that are about this machine and not about whom it would speak to."""
WENT_WRONG = (aiohttp.ClientError, OSError, TimeoutError, ValueError)
"""What aiohttp and the system say of what a customer's server or URL does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryMade:
    """One request that was sent, for the timeline. Seconds, counted from the beginning of the whole attempt."""

    number: int
    hop: int
    method: Method
    url: str
    began_s: float
    took_s: float
    status: int | None
    """What HTTP said, also where the rest of the answer was of no use."""
    failure: HookFailure | None
    content_type: str = ""
    body: bytes = b""
    """The answer's; of one that does not count, no more than `BEGINNING_MAX_BYTES`."""
    size: int | None = None
    """Octets of the whole body: as they were counted, or as the sender says. `None`: nobody knows."""
    cut: bool = False
    """There is more of the body than was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HookResult:
    """What became of a request. `failure` is None for a status of 200 to 204, and only then `body` is the answer's.

    `status` and `headers` (names in lower case, the last of equal ones) are the last answer's, also of one that failed.
    """

    status: int | None
    body: bytes
    headers: dict[str, str]
    final_url: str
    tries: tuple[TryMade, ...]
    failure: HookFailure | None
    warnings: tuple[str, ...] = ()
    """What of the URL's fragment could not be used."""

    @property
    def ok(self) -> bool:
        return self.failure is None

    @property
    def took_s(self) -> float:
        return max((made.began_s + made.took_s for made in self.tries), default=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What came of one request. With a `failure` it counts for nothing, whatever of an answer there was."""

    failure: HookFailure | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    size: int | None = None
    cut: bool = False


class Webhooks:
    """The client. `async with Webhooks(guard) as webhooks: result = await webhooks.perform(request)`.

    `perform` never raises for what a customer's server or URL does: that is in the result, with its cause. It takes no
    longer than the policy's budget. Any number may run at a time; none waits for another, since connections are not
    rationed (how many requests there are is decided by calls and by the outbox).
    """

    def __init__(self, guard: UrlGuard, *, signer: Signer = lambda *_: ()) -> None:
        """`signer`: what adds a signature to each try."""
        self._guard = guard
        self._signer = signer
        self._session: aiohttp.ClientSession | None = None
        self._user_agent = f"Offhook/{_version()}"

    async def __aenter__(self) -> "Webhooks":
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(self._guard),
            socket_factory=self._guard.make_socket,
            limit=0,
            limit_per_host=0,
            ttl_dns_cache=DNS_CACHE_S,
            keepalive_timeout=KEEP_ALIVE_S,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._user_agent, "Accept": "*/*", "Accept-Encoding": "identity"},
            skip_auto_headers=("Content-Type",),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def perform(
        self, request: WebhookRequest, policy: AttemptPolicy = CONTROL, *, headers: Headers = ()
    ) -> HookResult:
        """Asks until it is done or given up. `headers` are added to every request (conditions of a fetch)."""
        attempt = Attempt(request, policy)
        began = time.monotonic()
        tries: list[TryMade] = []
        last: _Heard | None = None
        output = attempt.begin(began)
        while isinstance(output, Try):
            sent_at = time.monotonic()
            signed = self._signer(request, output.body or b"")
            heard = await self._send(output, (*headers, *signed), policy.max_body_bytes)
            now = time.monotonic()
            tries.append(
                TryMade(
                    number=output.number,
                    hop=output.hop,
                    method=output.method,
                    url=output.url,
                    began_s=sent_at - began,
                    took_s=now - sent_at,
                    status=heard.status,
                    failure=heard.failure,
                    content_type=heard.headers.get("content-type", ""),
                    body=heard.body,
                    size=heard.size,
                    cut=heard.cut,
                )
            )
            last = heard if heard.failure is None else None
            output = _step(attempt, heard, now)
        return _result(output, last, tuple(tries), attempt.warnings)

    async def _send(self, one: Try, headers: Headers, max_body_bytes: int) -> _Heard:
        """One request and its whole answer, or why not. A failure whose cause is TIMEOUT ran out of the try's time."""
        if self._session is None:
            raise RuntimeError("Webhooks is used outside its `async with`")
        try:
            self._guard.check_literal(URL(one.url, encoded=True).raw_host or "")
            async with self._session.request(
                one.method.value,
                URL(one.url, encoded=True),
                data=one.body,
                headers=(*one.headers, *headers),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=one.timeout_s, connect=one.connect_s, sock_read=one.read_s),
            ) as response:
                return await _read(response, max_body_bytes, one)
        except WENT_WRONG as error:
            return _Heard(failure=_failure(error, one))


def _step(attempt: Attempt, heard: _Heard, now: float) -> Output:
    failure = heard.failure
    if failure is None:
        assert heard.status is not None
        return attempt.answered(heard.status, heard.headers.get("location"), heard.body, now)
    return attempt.timed_out(now) if failure.cause is HookCause.TIMEOUT else attempt.failed(failure, now)


def _result(
    output: Done | GiveUp, last: _Heard | None, tries: tuple[TryMade, ...], warnings: tuple[str, ...]
) -> HookResult:
    return HookResult(
        status=last.status if last is not None else None,
        body=output.body if isinstance(output, Done) else b"",
        headers=last.headers if last is not None else {},
        final_url=output.url,
        tries=tries,
        failure=output.failure if isinstance(output, GiveUp) else None,
        warnings=warnings,
    )


async def _read(response: aiohttp.ClientResponse, max_body_bytes: int, one: Try) -> _Heard:
    """An answer that counts, whole; of every other one the beginning of its body."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    body, announced, failure = bytearray(), response.content_length, None
    if response.status not in OK_STATUSES:
        whole = await _read_beginning(response, body, one)
    elif announced is not None and announced > max_body_bytes:
        # It says so before anything is read.
        failure = _too_large(max_body_bytes)
        whole = await _read_beginning(response, body, one)
    else:
        try:
            async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                body += chunk
                if len(body) > max_body_bytes:
                    failure = _too_large(max_body_bytes)
                    break
        except WENT_WRONG as error:
            failure = _failure(error, one)
        whole = failure is None
    return _Heard(
        failure=failure,
        status=response.status,
        headers=headers,
        body=bytes(body if whole else body[:BEGINNING_MAX_BYTES]),
        size=len(body) if whole else announced,
        cut=not whole,
    )


async def _read_beginning(response: aiohttp.ClientResponse, body: bytearray, one: Try) -> bool:
    """Add the beginning of a body that nothing depends on, as much as comes soon; whether it is all there is.

    One that goes on is not read to its end: its connection closes then.
    """
    try:
        async with asyncio.timeout(min(BEGINNING_WITHIN_S, one.timeout_s / 4)):
            while len(body) <= BEGINNING_MAX_BYTES:
                chunk = await response.content.read(BEGINNING_MAX_BYTES + 1 - len(body))
                if not chunk:
                    return True
                body += chunk
    except WENT_WRONG:
        return False
    return False


def _too_large(max_body_bytes: int) -> HookFailure:
    return HookFailure(cause=HookCause.TOO_LARGE, detail=f"{max_body_bytes // 1024} KiB")


def _failure(error: Exception, one: Try) -> HookFailure:
    """What aiohttp and the system say, in our causes; the order goes from the particular to the general."""
    system = _system_error(error)
    cause, detail = HookCause.BROKEN, str(error) or type(error).__name__
    match error:
        case _ if system.errno in OUT_OF_SOMETHING:
            cause, detail = HookCause.LOCAL, system.strerror or str(system)
        case _ if isinstance(system, AddressBlocked):
            cause, detail = HookCause.BLOCKED, str(system)
        case aiohttp.ConnectionTimeoutError():
            cause, detail = HookCause.CONNECT_TIMEOUT, f"{one.connect_s:g} s"
        case aiohttp.SocketTimeoutError() if one.read_s is not None:
            cause, detail = HookCause.TIMEOUT, f"{one.read_s:.3g} s"
        case TimeoutError():
            cause, detail = HookCause.TIMEOUT, f"{one.timeout_s:.3g} s"
        case aiohttp.ClientConnectorDNSError():
            cause, detail = HookCause.DNS, f"{error.host}: {system.strerror or system}"
        case aiohttp.ClientSSLError():
            cause, detail = HookCause.TLS, _tls_detail(error)
        case aiohttp.ClientConnectorError() if system.errno == errno.ECONNREFUSED:
            cause, detail = HookCause.REFUSED, f"{error.host} port {error.port}"
        case aiohttp.ClientConnectorError():
            cause, detail = HookCause.UNREACHABLE, f"{error.host} port {error.port}: {system.strerror or system}"
        case aiohttp.InvalidURL() | ValueError():
            cause = HookCause.URL
        case aiohttp.ClientConnectionError() | OSError():
            cause = HookCause.RESET
    return HookFailure(cause=cause, detail=detail)


def _system_error(error: Exception) -> OSError:
    """What the system said, where aiohttp has wrapped it; a certificate's error has nothing in it."""
    if isinstance(error, aiohttp.ClientConnectorError) and not isinstance(
        error, aiohttp.ClientConnectorCertificateError
    ):
        return error.os_error
    return error if isinstance(error, OSError) else OSError(None, str(error))


def _tls_detail(error: aiohttp.ClientSSLError) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    return str(error.os_error)


def _version() -> str:
    try:
        return version("offhook")
    except PackageNotFoundError:
        return "0"
