"""Sound files by HTTP, behind the URL guard: the same client as webhooks, with limits and freshness of their own.

Freshness is RFC 9111's, for a cache with one use: max-age less Age, else Expires less Date, else nothing is assumed and
every play asks again (cheaply, with the ETag). A server's `no-store` is heeded by remembering nothing to ask with.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Protocol

from offhook.hooks.attempt import AttemptPolicy
from offhook.hooks.errors import HookCause, HookFailure
from offhook.hooks.request import Headers, Method, Purpose, WebhookRequest
from offhook.runtime.sound.decode import BadSource
from offhook.runtime.sound.library import FetchedSound, Unreachable
from offhook.runtime.webhooks import HookResult

__all__ = ["SOUND_POLICY", "HttpSoundFetcher"]

SOUND_MAX_BYTES = 20 * 1024 * 1024
"""Twenty minutes of good MP3, or of uncompressed telephone sound."""
FRESH_MAX_S = 24 * 3600.0
"""However long a server says that a sound holds."""
SOUND_POLICY = AttemptPolicy(
    budget_s=30.0, connect_s=3.0, shortest_try_s=10.0, retries=1, max_body_bytes=SOUND_MAX_BYTES
)
"""A caller waits for it too, but a file may be large: half of thirty seconds, and once more if the connection broke."""

_FAR_END_AWAY = frozenset(
    {
        HookCause.DNS,
        HookCause.REFUSED,
        HookCause.UNREACHABLE,
        HookCause.CONNECT_TIMEOUT,
        HookCause.TLS,
        HookCause.RESET,
        HookCause.TIMEOUT,
        HookCause.BROKEN,
    }
)


class Performer(Protocol):
    """What sends: `Webhooks`."""

    async def perform(
        self, request: WebhookRequest, policy: AttemptPolicy = ..., *, headers: Headers = ()
    ) -> HookResult: ...


class HttpSoundFetcher:
    """The `SoundFetcher` of a server: `SoundLibrary(cache, HttpSoundFetcher(webhooks))`.

    A GET with redirects (at most five, each through the guard). A status of 200 to 204 brings the file, 304 says that
    the one we have holds. `Unreachable` is for what is the network's or a 5xx, where an older copy is better than
    silence (RFC 5861 §4); everything else is `BadSource`, and its text is the sentence for the customer's timeline.
    """

    def __init__(self, webhooks: Performer, *, clock: Callable[[], float] = time.time) -> None:
        """`clock`: Unix time, for Expires without a Date."""
        self._webhooks = webhooks
        self._clock = clock

    async def get(self, url: str, *, etag: str | None, last_modified: str | None) -> FetchedSound:
        request = WebhookRequest(id=f"sound {url}", purpose=Purpose.CONTROL, call="", url=url, method=Method.GET)
        result = await self._webhooks.perform(request, SOUND_POLICY, headers=_conditions(etag, last_modified))
        conditional = etag is not None or last_modified is not None
        if result.status == 304 and conditional:
            return FetchedSound(content=None, fresh_s=self._fresh_s(result.headers))
        if result.failure is not None:
            raise _bad(result.failure)
        if _forbids_keeping(result.headers):
            return FetchedSound(content=result.body)
        return FetchedSound(
            content=result.body,
            etag=result.headers.get("etag"),
            last_modified=result.headers.get("last-modified"),
            fresh_s=self._fresh_s(result.headers),
        )

    def _fresh_s(self, headers: Mapping[str, str]) -> float:
        """For how many seconds it need not be asked again (RFC 9111 §4.2)."""
        directives = _directives(headers)
        if "no-cache" in directives or "no-store" in directives:
            return 0.0
        if "max-age" in directives:
            lifetime_s = _seconds(directives["max-age"]) - _seconds(headers.get("age", "0"))
        else:
            lifetime_s = self._until_expiry_s(headers)
        return min(max(lifetime_s, 0.0), FRESH_MAX_S)

    def _until_expiry_s(self, headers: Mapping[str, str]) -> float:
        expires = _date(headers.get("expires"))
        if expires is None:
            return 0.0
        date = _date(headers.get("date"))
        return expires - (self._clock() if date is None else date)


def _conditions(etag: str | None, last_modified: str | None) -> Headers:
    """RFC 9110 §13.1: both, since a server that knows entity tags ignores the date."""
    headers: list[tuple[str, str]] = []
    if etag is not None:
        headers.append(("If-None-Match", etag))
    if last_modified is not None:
        headers.append(("If-Modified-Since", last_modified))
    return tuple(headers)


def _bad(failure: HookFailure) -> BadSource:
    away = failure.cause in _FAR_END_AWAY or (failure.status is not None and failure.status >= 500)
    return Unreachable(failure.sentence) if away else BadSource(failure.sentence)


def _directives(headers: Mapping[str, str]) -> dict[str, str]:
    """Cache-Control by name, in lower case (RFC 9111 §5.2); the first of equal ones counts."""
    found: dict[str, str] = {}
    for part in headers.get("cache-control", "").split(","):
        name, _, value = part.strip().partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found


def _forbids_keeping(headers: Mapping[str, str]) -> bool:
    return "no-store" in _directives(headers)


def _seconds(text: str) -> float:
    """RFC 9111 §1.2.2; what is no number is stale."""
    text = text.strip()
    return float(text[:12]) if text.isascii() and text.isdigit() else 0.0


def _date(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        parsed = parsedate_to_datetime(text)
    except ValueError:
        # `Expires: 0` is the common way to say that it is over (RFC 9111 §5.3).
        return 0.0
    return (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)).timestamp()
