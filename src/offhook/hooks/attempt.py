"""One webhook asked for within one budget of time: its tries, their redirects, and when to give up.

Pure: `runtime/webhooks.py` sends what comes out and says what came back. Blocks no address: that is the URL guard's.
"""

from dataclasses import dataclass, replace

from offhook.hooks.errors import HookCause, HookFailure, WrongHookUrl
from offhook.hooks.overrides import NOTHING_ASKED, RetryOn, is_kind, overrides_of
from offhook.hooks.request import (
    Headers,
    Method,
    Purpose,
    WebhookRequest,
    Wire,
    as_get,
    redirected,
    wire,
)

OK_STATUSES = range(200, 205)
REDIRECTS = {Method.GET: frozenset({301, 302, 303, 307, 308}), Method.POST: frozenset({307, 308})}
ALL_REDIRECTS = frozenset({301, 302, 303, 307, 308})
METHOD_NOT_ALLOWED = 405
GET_INSTEAD = "The web server takes no POST there (405), so it was asked with GET: give GET as the method."


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptPolicy:
    """How long and how often. Seconds; `max_body_bytes` is the size of an answer.

    `budget_s` is for all tries together; a try gets half of what is left, but at least `shortest_try_s`, and none is
    begun that could not have that much. `retries` are for connection errors and 5xx; a time-out is tried again only
    with `retry_timeouts`. `retry_on` names other failures in their place. With `read_s`, the longest silence while an
    answer is waited for or read, a try may have all that is left. The fragment of a URL goes before all of it
    (`with_overrides`). `get_after_405` is for documents that may be files, which
    many web servers give for GET alone (`Dialect.files`).
    """

    budget_s: float = 10.0
    connect_s: float = 3.0
    shortest_try_s: float = 2.0
    retries: int = 1
    retry_timeouts: bool = False
    retry_on: frozenset[RetryOn] | None = None
    read_s: float | None = None
    max_redirects: int = 5
    max_body_bytes: int = 64 * 1024
    get_after_405: bool = False


CONTROL = AttemptPolicy()
"""A call waits (`webhook_timeout_s` is its budget)."""

OWED = AttemptPolicy(budget_s=15.0, shortest_try_s=15.0, retries=0)
"""One try of a delivery: nobody waits, and the pauses between tries are the delivery policy's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Send this. `number` counts tries from 1, `hop` redirects within the try from 0.

    A connection is to stand within `connect_s` and the whole answer to be here within `timeout_s`, from now; between
    two packets of it no more than `read_s` may pass, if there is one.
    """

    number: int
    hop: int
    method: Method
    url: str
    headers: Headers
    body: bytes | None
    connect_s: float
    timeout_s: float
    read_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """An answer that counts: status 200 to 204. `url` is the one that gave it."""

    status: int
    body: bytes
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveUp:
    """No answer that counts; the failure of the last try. `url` is where that happened."""

    failure: HookFailure
    url: str


Output = Try | Done | GiveUp


class Attempt:
    """A small machine: `begin` once, then one input for each `Try` that came out, until `Done` or `GiveUp`.

        begin(now)                              -> Try | GiveUp (a URL that cannot be asked)
        answered(status, location, body, now)   -> Done | Try (redirect, or retry after 5xx) | GiveUp
        failed(failure, now)                    -> Try (retry) | GiveUp
        timed_out(now)                          -> Try (only if time-outs are retried) | GiveUp

    `now` is monotonic seconds. A redirect belongs to its try and spends the same time; a retry starts again at the
    customer's own URL. With the default policy that is: at most two tries, 5 s for the first, half of what is left for
    the second. Redirects are followed for GET, and for POST on 307 and 308 alone: the others would turn a POST into a
    GET without its fields (RFC 9110 §15.4). With `get_after_405` a control webhook whose POST is answered with 405 is
    asked with GET in the same try, its fields in the query: web servers give files for nothing else (§15.5.6).
    """

    def __init__(self, request: WebhookRequest, policy: AttemptPolicy = CONTROL) -> None:
        self._request = request
        self._policy, self.warnings = with_overrides(policy, request.url)
        self._ends_at = 0.0
        self._try_ends_at = 0.0
        self._number = 0
        self._hop = 0
        self._sent: Wire | None = None

    @property
    def policy(self) -> AttemptPolicy:
        return self._policy

    def begin(self, now: float) -> Output:
        self._ends_at = now + self._policy.budget_s
        return self._next_try(now)

    def answered(self, status: int, location: str | None, body: bytes, now: float) -> Output:
        """A whole answer is here. `location` is its Location header."""
        assert self._sent is not None
        if status in OK_STATUSES:
            return Done(status=status, body=body, url=self._sent.url)
        if status in ALL_REDIRECTS:
            return self._redirect(status, location, now)
        if status == METHOD_NOT_ALLOWED and self._may_get_instead and now < self._try_ends_at:
            return self._get_instead(now)
        return self.failed(HookFailure(cause=HookCause.STATUS, detail=str(status), status=status), now)

    def failed(self, failure: HookFailure, now: float) -> Output:
        """The try came to nothing, otherwise than by running out of time."""
        kinds = self._policy.retry_on
        return self._again_or_not(failure, failure.worth_a_retry if kinds is None else is_kind(failure, kinds), now)

    def timed_out(self, now: float) -> Output:
        """The `timeout_s` of the try is over. (No connection within `connect_s` is a failure: nothing was asked.)"""
        spent_s = self._policy.budget_s - (self._ends_at - now)
        failure = HookFailure(cause=HookCause.TIMEOUT, detail=f"{spent_s:.1f} s")
        kinds = self._policy.retry_on or frozenset()
        return self._again_or_not(failure, self._policy.retry_timeouts or is_kind(failure, kinds), now)

    def _again_or_not(self, failure: HookFailure, worth: bool, now: float) -> Output:
        if worth and self._number <= self._policy.retries and self._ends_at - now >= self._policy.shortest_try_s:
            return self._next_try(now)
        return self._give_up(failure)

    def _give_up(self, failure: HookFailure) -> GiveUp:
        return GiveUp(failure=failure, url=self._request.url if self._sent is None else self._sent.url)

    def _next_try(self, now: float) -> Output:
        left_s = self._ends_at - now
        share_s = left_s if self._policy.read_s is not None else left_s / 2
        self._try_ends_at = now + min(left_s, max(share_s, self._policy.shortest_try_s))
        self._number += 1
        self._hop = 0
        try:
            self._sent = wire(self._request)
        except WrongHookUrl as error:
            return self._give_up(HookFailure(cause=HookCause.URL, detail=str(error)))
        return self._try(now)

    def _redirect(self, status: int, location: str | None, now: float) -> Output:
        assert self._sent is not None
        if status not in REDIRECTS[self._sent.method]:
            return self._refuse_redirect(f"{status} would make a GET of a POST; 307 and 308 keep it", status)
        if not location:
            return self._refuse_redirect(f"{status} without a Location", status)
        if self._hop >= self._policy.max_redirects:
            return self._refuse_redirect(f"more than {self._policy.max_redirects} of them", status)
        try:
            target = redirected(self._sent, location)
        except WrongHookUrl as error:
            return self._refuse_redirect(f"to a URL that cannot be used: {error}", status)
        if now >= self._try_ends_at:
            return self.timed_out(now)
        self._sent = target
        self._hop += 1
        return self._try(now)

    @property
    def _may_get_instead(self) -> bool:
        """What is owed is no question: a GET would not deliver it."""
        if not self._policy.get_after_405 or self._request.purpose is not Purpose.CONTROL:
            return False
        return self._sent is not None and self._sent.method is Method.POST

    def _get_instead(self, now: float) -> Try:
        assert self._sent is not None
        self.warnings = (*self.warnings, GET_INSTEAD)
        self._sent = as_get(self._sent, self._request.params)
        self._hop += 1
        return self._try(now)

    def _refuse_redirect(self, reason: str, status: int) -> GiveUp:
        return self._give_up(HookFailure(cause=HookCause.REDIRECT, detail=reason, status=status))

    def _try(self, now: float) -> Try:
        assert self._sent is not None
        timeout_s = self._try_ends_at - now
        return Try(
            number=self._number,
            hop=self._hop,
            method=self._sent.method,
            url=self._sent.url,
            headers=self._sent.headers,
            body=self._sent.body,
            connect_s=min(self._policy.connect_s, timeout_s),
            timeout_s=timeout_s,
            read_s=self._policy.read_s,
        )


def with_overrides(policy: AttemptPolicy, url: str) -> tuple[AttemptPolicy, tuple[str, ...]]:
    """The policy as a URL's fragment changes it, and what of the fragment could not be used.

    The shortest try shrinks where the URL wants more tries or less time than would otherwise fit.
    """
    asked = overrides_of(url)
    if asked == NOTHING_ASKED:
        return policy, ()
    changed = replace(
        policy,
        retries=policy.retries if asked.retries is None else asked.retries,
        retry_on=policy.retry_on if asked.retry_on is None else asked.retry_on,
        retry_timeouts=policy.retry_timeouts or asked.retry_timeouts,
        connect_s=policy.connect_s if asked.connect_s is None else asked.connect_s,
        read_s=policy.read_s if asked.read_s is None else asked.read_s,
        budget_s=policy.budget_s if asked.total_s is None else asked.total_s,
    )
    if asked.retries is None and asked.total_s is None and asked.read_s is None:
        return changed, asked.warnings
    even_share_s = changed.budget_s / (changed.retries + 1)
    # Half of it, or the last try would fall to what the others took beyond their time.
    shortest_s = min(changed.shortest_try_s, even_share_s / 2, changed.read_s or even_share_s)
    return replace(changed, shortest_try_s=shortest_s), asked.warnings
