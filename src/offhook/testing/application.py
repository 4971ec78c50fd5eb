"""A scripted web application: which page answers which request.

Tries, time-outs and redirects are the server's own (`offhook.hooks.attempt`), and documents are read by their real
dialects. No HTTP is spoken.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from offhook.call.commands import FetchDocument
from offhook.call.events import DocumentArrived, DocumentFailed
from offhook.flow.dialects.choose import read_document
from offhook.flow.dialects.dialect import Dialect
from offhook.flow.errors import DocumentError
from offhook.flow.view import Cause
from offhook.hooks.attempt import CONTROL, Attempt, Done, GiveUp, Output, Try
from offhook.hooks.errors import HookCause, HookFailure
from offhook.hooks.request import Method, Params, Purpose, WebhookRequest, encode_form
from offhook.testing.clock import Clock
from offhook.testing.scenario import Page

__all__ = ["Application"]

NOT_THERE = Page(url="", status=404)


@dataclass(slots=True)
class _Asking:
    """A control webhook under way."""

    fetch: FetchDocument
    attempt: Attempt


class Application:
    """The customer's web application."""

    def __init__(
        self,
        pages: tuple[Page, ...],
        clock: Clock,
        dialect: Dialect,
        answer: Callable[[DocumentArrived | DocumentFailed], None],
        asked: Callable[[str, str, tuple[tuple[str, str], ...]], None],
        used: dict[int, int] | None = None,
    ) -> None:
        """`used`: how often each page was, for applications that several calls share."""
        self._pages = pages
        self._clock = clock
        self._dialect = dialect
        self._answer = answer
        self._asked = asked
        self._used: dict[int, int] = {} if used is None else used

    def ask(self, fetch: FetchDocument) -> None:
        """A control webhook; its answer is an event for the call."""
        request = WebhookRequest(
            id=str(fetch.request),
            purpose=Purpose.CONTROL,
            call="",
            url=fetch.url,
            method=Method(fetch.method),
            params=fetch.params,
        )
        asking = _Asking(fetch, Attempt(request, replace(CONTROL, get_after_405=self._dialect.files)))
        self._go_on(asking, asking.attempt.begin(self._clock.now))

    def _go_on(self, asking: _Asking, output: Output) -> None:
        match output:
            case Try():
                self._try(asking, output)
            case Done(body=body, url=url):
                self._read(asking, body, url)
            case GiveUp(failure=failure):
                self._answer(
                    DocumentFailed(
                        request=asking.fetch.request,
                        cause=Cause.HOOK_FAILED,
                        detail=failure.sentence,
                        why=failure.cause.value,
                        status=failure.status,
                    )
                )

    def _try(self, asking: _Asking, now: Try) -> None:
        url = _without(now.url, asking.fetch.params) if now.hop else asking.fetch.url
        self._asked(now.method.value, url, asking.fetch.params)
        page = self._page_for(url, dict(asking.fetch.params))
        attempt, clock = asking.attempt, self._clock
        if page.delay_s >= now.timeout_s:
            clock.after(now.timeout_s, lambda: self._go_on(asking, attempt.timed_out(clock.now)))
        elif page.status is None:
            refused = HookFailure(cause=HookCause.REFUSED, detail=urlsplit(url).netloc)
            clock.after(page.delay_s, lambda: self._go_on(asking, attempt.failed(refused, clock.now)))
        else:
            status = page.status
            clock.after(
                page.delay_s,
                lambda: self._go_on(asking, attempt.answered(status, page.location, page.body, clock.now)),
            )

    def _read(self, asking: _Asking, body: bytes, url: str) -> None:
        request = asking.fetch.request
        try:
            _, reading = read_document(body, url, self._dialect)
        except DocumentError as error:
            self._answer(DocumentFailed(request=request, cause=error.cause, detail=str(error), why=error.name))
        else:
            self._answer(DocumentArrived(request=request, flow=reading.flow, warnings=reading.warnings))

    def _page_for(self, url: str, params: Mapping[str, str]) -> Page:
        """Those with a condition that holds go first; of several that fit each is used once, the last one for ever."""
        fitting = [page for page in self._pages if page.url == url]
        conditional = [
            page for page in fitting if page.only_if is not None and params.get(page.only_if[0]) == page.only_if[1]
        ]
        pages = conditional or [page for page in fitting if page.only_if is None]
        if not pages:
            return NOT_THERE
        first = id(pages[0])
        used = self._used.get(first, 0)
        self._used[first] = used + 1
        return pages[min(used, len(pages) - 1)]


def _without(url: str, params: Params) -> str:
    """A URL as the application knows it, without the query that a GET instead of a POST carries."""
    query = encode_form(params)
    return url.removesuffix(f"?{query}").removesuffix(f"&{query}") if query else url
