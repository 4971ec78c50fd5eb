"""The REST API of 46elks under `/a1`: who asks, which resource, and errors as plain sentences.

A resource may be written in any case, with doubled or trailing slashes; `GET …/POST` is a POST with its parameters in
the query. Success is always 200. SMS, MMS and images are not here and answer 404. No traceback reaches a customer.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from offhook.storage.writer import StorageUnavailable
from offhook.web.api import elks_account, elks_calls, elks_numbers, elks_recordings
from offhook.web.api.elks_request import Elks, ElksError, ElksRequest, not_found
from offhook.web.http import (
    MAX_BODY_BYTES,
    Answer,
    BodyTooLarge,
    ClientLeft,
    NotAForm,
    basic_credentials,
    form,
    header,
    read_body,
    send_answer,
)
from offhook.web.port import Overloaded

__all__ = ["ElksApi"]

CHALLENGE = Answer.text(
    401,
    "API access requires Basic HTTP authentication. Read documentation or examples.",
    (b"www-authenticate", b'Basic realm="46elks API"'),
)

Handler = Callable[[Elks, ElksRequest], Awaitable[dict[str, Any] | None]]
RESOURCES: Mapping[str, Handler] = {
    "billing": elks_account.handle_billing,
    "calls": elks_calls.handle,
    "me": elks_account.handle_me,
    "numbers": elks_numbers.handle,
    "recordings": elks_recordings.handle,
    "subaccounts": elks_account.handle_subaccounts,
    "transactions": elks_account.handle_transactions,
}

log = logging.getLogger(__name__)


class ElksApi:
    """The ASGI application of `/a1`."""

    def __init__(self, elks: Elks) -> None:
        self._elks = elks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        started = False

        async def noting(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            answer = await self._answer(scope, receive, noting)
        except ElksError as error:
            answer = Answer.text(error.status, error.sentence)
        except NotAForm as error:
            answer = Answer.text(403, str(error))
        except BodyTooLarge:
            answer = Answer.text(413, f"The request has more than {MAX_BODY_BYTES} bytes", (b"connection", b"close"))
        except Overloaded as error:
            answer = Answer.text(503, str(error), (b"retry-after", b"1"))
        except ClientLeft:
            return
        except StorageUnavailable:
            log.exception("a change could not be made durable in time")
            answer = Answer.text(
                503,
                "The change is not stored yet; look whether it is there before repeating it",
                (b"retry-after", b"1"),
            )
        except Exception:
            log.exception("a request of the 46elks API failed")
            if started:
                raise
            answer = Answer.text(500, "")
        if answer is not None:
            await send_answer(send, answer)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> Answer | None:
        credentials = basic_credentials(scope)
        account = None if credentials is None else self._elks.storage.directory.authenticate(*credentials)
        if account is None:
            account = await elks_recordings.linked(self._elks, scope)
        if account is None:
            return CHALLENGE
        parts = [part for part in scope["path"].split("/") if part][1:]
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        if method == "GET" and len(parts) > 1 and parts[-1].upper() == "POST":
            method = "POST"
            parts.pop()
        handler = RESOURCES.get(parts[0].lower()) if parts else None
        if handler is None:
            raise not_found()
        params = form(scope["query_string"])
        if scope["method"] == "POST":
            params |= form(await read_body(scope, receive), header(scope, b"content-type"))
        request = ElksRequest(
            account=account,
            method=method,
            parts=tuple(parts[1:]),
            params=params,
            scope=scope,
            receive=receive,
            send=send,
        )
        result = await handler(self._elks, request)
        return None if result is None else Answer.json(result)
