"""The REST API of DIDforSale: `POST …/api/V2/CallTermination`, which makes a call (the service's page `making-call`).

The path may be in any case, with or without the trailing slash, and as the service's own library builds it at the
second call of a client. It answers as soon as the call is placed, before anything rings. No traceback reaches a
customer.
"""

import logging
from dataclasses import replace
from uuid import UUID

from starlette.types import Receive, Scope, Send

from offhook.config import Settings
from offhook.flow.dialects.dialect import Reading
from offhook.flow.document import Document
from offhook.flow.program import Flow, Step
from offhook.flow.targets import NumberTarget, StatusHook, Treatment
from offhook.flow.verbs import Dial
from offhook.flow.view import CallId
from offhook.storage.prices import PriceList
from offhook.storage.rows import AccountRow
from offhook.storage.store import Storage
from offhook.storage.writer import StorageUnavailable
from offhook.web.api.didforsale_request import DidforsaleError, DidforsaleRequest, failure, read_request
from offhook.web.http import Answer, BodyTooLarge, ClientLeft, basic_credentials, send_answer
from offhook.web.idempotency import Reserved, reserved
from offhook.web.placing import placed_before
from offhook.web.port import CallOrder, Overloaded, ServerPort

__all__ = ["DidforsaleApi"]

RING_TIMEOUT_S = 30
TALK_LIMIT_S = 4 * 3600
WRONG_KEY = "Invalid API key"

log = logging.getLogger(__name__)


class DidforsaleApi:
    """The ASGI application of `DIDFORSALE_PATHS`."""

    def __init__(self, server: ServerPort, storage: Storage, settings: Settings, prices: PriceList) -> None:
        self._server = server
        self._storage = storage
        self._settings = settings
        self._prices = prices

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        try:
            answer = await self._answer(scope, receive)
        except DidforsaleError as error:
            answer = failure(error.status, error.sentence)
        except BodyTooLarge as error:
            answer = failure(413, str(error.detail), (b"connection", b"close"))
        except Overloaded as error:
            answer = failure(503, str(error), (b"retry-after", b"1"))
        except ClientLeft:
            return
        except StorageUnavailable:
            log.exception("a call could not be made durable in time")
            answer = failure(503, "The call could not be stored; ask again", (b"retry-after", b"1"))
        except Exception:
            log.exception("a request of the DIDforSale API failed")
            answer = failure(500, "Internal error")
        await send_answer(send, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            return failure(405, "Make calls with POST", (b"allow", b"POST"))
        request = await read_request(scope, receive)
        account = self._account(request, scope)
        sid = str(UUID(await self._placed(self._order(account, request), reserved(scope))))
        return Answer.json({"status": True, "message": "Call initiated", "uuid": sid, "callSid": sid})

    async def _placed(self, order: CallOrder, promised: Reserved | None) -> CallId:
        if promised is None:
            return (await self._server.place_call(order)).id
        if not promised.resumed:
            return (await self._server.place_call(replace(order, id=promised.call))).id
        if await placed_before(self._server, self._storage, promised.call) is None:
            await self._server.give_up(replace(order, id=promised.call))
        return promised.call

    async def owner(self, scope: Scope, receive: Receive) -> str | None:
        """Whose request it is, for whoever has to know before it is answered; `None`: nobody's that is known."""
        try:
            found = self._known(await read_request(scope, receive), scope)
        except (DidforsaleError, BodyTooLarge, ClientLeft):
            return None
        return None if found is None else found.id

    def _known(self, request: DidforsaleRequest, scope: Scope) -> AccountRow | None:
        directory = self._storage.directory
        basic = basic_credentials(scope)
        found = directory.account_of_api_key(request.key) if request.key else None
        return directory.authenticate(*basic) if found is None and basic is not None else found

    def _account(self, request: DidforsaleRequest, scope: Scope) -> AccountRow:
        found = self._known(request, scope)
        if found is None:
            raise DidforsaleError(401, WRONG_KEY if request.key else "Missing parameter: apikey")
        return found

    def _order(self, account: AccountRow, request: DidforsaleRequest) -> CallOrder:
        from_, to = request.number("from"), request.number("to")
        hook, url = request.status_hook(), request.url("url")
        method = request.method("Method")
        directory = self._storage.directory
        if not self._settings.dev and not directory.may_show(account.id, from_):
            raise DidforsaleError(
                403, "Invalid parameter: from: this account may not show that number; ask the operator to allow it"
            )
        price = self._prices.price(to)
        left = directory.credit_left(account.id)
        if left is not None and left < max(price.cost(1), 1):
            raise DidforsaleError(402, "Not enough credit to make this call")
        return CallOrder(
            owner=account.id,
            from_=from_,
            to=to,
            start=Reading(flow=self._to_the_caller(from_, hook)) if url is None else Document(url=url, method=method),
            dialect="didml",
            ring_timeout_s=RING_TIMEOUT_S,
            time_limit_s=TALK_LIMIT_S,
            record=request.yes("record"),
            send_digits=request.digits("senddigits"),
            told=hook,
            fallback=request.start("fallback"),
        )

    def _to_the_caller(self, from_: str, hook: StatusHook | None) -> Flow:
        """Without `url`: whoever answers is connected to the FROM number, whose leg reports to the same URL."""
        shows_from = self._settings.didforsale_second_leg_shows == "from"
        treatment = Treatment(told=hook, caller_id=from_ if shows_from else None)
        target = NumberTarget(number=from_, treatment=treatment)
        dial = Dial(targets=(target,), ring_timeout_s=RING_TIMEOUT_S, time_limit_s=TALK_LIMIT_S)
        return Flow(steps=(Step(verb=dial),))
