"""`Idempotency-Key`: a POST that is repeated makes nothing twice, and is answered as it was the first time.

As the IETF's draft "The Idempotency-Key HTTP Header Field" has it, where it says something. Repetitions that come while
the first is still worked on wait for it. It does not touch requests without the header, and none whose sender is not
known.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from secrets import token_hex

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from offhook.flow.view import CallId
from offhook.storage.idempotency import idempotency_key
from offhook.storage.rows import IdempotencyRow
from offhook.storage.store import Storage
from offhook.storage.writer import StorageUnavailable
from offhook.web.api.didforsale_request import failure, is_didforsale
from offhook.web.auth import AdminToken
from offhook.web.http import MAX_BODY_BYTES, Answer, basic_credentials, header, send_answer

__all__ = ["Idempotency", "Reserved", "reserved", "stored"]

HEADER = b"idempotency-key"
KEY_MAX_CHARS = 255
DURABLE_WITHIN_S = 2.0
CHANGE_WITHIN_S = 5.0
"""How long a change waits for the disk before whoever asked is told that it is not stored yet."""
RETRY_AFTER_S = 1
UNWRITTEN_MOST = 10_000
"""Answers, and keys to be forgotten, that are kept in memory while the disk does not take them."""
OPERATOR = "operator"
MAKES_A_CALL = (("a1", "calls"), ("v1", "calls"))
"""Paths whose POST makes a call, and which make a call that was promised before a crash good (`Reserved.resumed`)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What a request that bears a key has been promised."""

    call: CallId
    """The id of the call, if it makes one. It is durable."""
    resumed: bool
    """A process promised it, and died before it had answered: the call may be there. It is not to be placed again."""


def reserved(scope: Scope) -> Reserved | None:
    """What the request has been promised; `None` for one without a key."""
    found = scope.get("offhook.reserved")
    assert found is None or isinstance(found, Reserved)
    return found


async def stored(storage: Storage, scope: Scope) -> None:
    """Waits until what a request changed is durable. Raises `StorageUnavailable`: it is changed, and not durable yet.

    For a request with a key `Idempotency` waits, when it has the answer: who asks again is to be given that.
    """
    if reserved(scope) is None:
        await storage.writer.flush(CHANGE_WITHIN_S)


Whose = Callable[[Scope, Receive], Awaitable[str | None]]
"""Says which account a request is of, if any."""


class _Refusal(Exception):
    def __init__(self, *, status: int, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.name = name
        self.sentence = sentence


class Idempotency:
    """Stands before the APIs. One for the whole server: that is what makes repetitions wait for each other."""

    def __init__(self, storage: Storage, token: AdminToken) -> None:
        self._storage = storage
        self._token = token
        self._busy: dict[tuple[str, str], asyncio.Event] = {}
        self._unwritten: OrderedDict[tuple[str, str], IdempotencyRow] = OrderedDict()
        self._forgotten: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Keys whose rows are still to be deleted: a promise that reads find meanwhile is none."""

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, application: ASGIApp, whose: Whose | None = None
    ) -> None:
        """A request, and who is to answer it. `whose`: for an API whose requests say in their body who asks."""
        given = header(scope, HEADER)
        owner = None if given is None or whose is not None else self._owner(scope)
        if given is None or not _posts(scope) or (owner is None and whose is None):
            await application(scope, receive, send)
            return
        messages, body = await _whole(receive)
        if whose is not None:
            owner = await whose(scope, _replaying(messages, receive))
        again = _replaying(messages, receive)
        if body is None or owner is None:  # too large, its sender has gone, or nobody's: the application says so
            await application(scope, again, send)
            return
        try:
            name = owner, _key(given)
            while (other := self._busy.get(name)) is not None:
                await other.wait()
            self._busy[name] = asyncio.Event()
            try:
                answer = await self._answered(name, scope, again, _fingerprint(scope, body), application)
            finally:
                self._busy.pop(name).set()
        except _Refusal as refusal:
            answer = _refused(scope, refusal)
        await send_answer(send, answer)

    def _owner(self, scope: Scope) -> str | None:
        """Whose key it is: two accounts may use the same one."""
        if self._token.matches(header(scope, b"authorization")):
            return OPERATOR
        credentials = basic_credentials(scope)
        account = None if credentials is None else self._storage.directory.authenticate(*credentials)
        return None if account is None else account.id

    async def _answered(
        self, name: tuple[str, str], scope: Scope, receive: Receive, fingerprint: bytes, application: ASGIApp
    ) -> Answer:
        """The first answer, or that again. Raises `_Refusal`."""
        known = await self._known(name)
        if known is not None and known.fingerprint != fingerprint:
            raise _Refusal(
                status=409,
                name="idempotency_key_reused",
                sentence="this Idempotency-Key was used for another request; take a new key for each thing to be made",
            )
        if known is not None and known.status is not None:
            if name in self._unwritten:
                await self._written(name, needed=_changes(scope, known.status))
            return _again(self._stored(known))
        if known is not None and not _makes_a_call(scope):
            raise _Refusal(
                status=409,
                name="idempotency_unknown",
                sentence="the server stopped while it carried this request out; look whether it was done, and take a"
                " new key if it was not",
            )
        row = known or await self._promise(name, fingerprint)
        scope = {**scope, "offhook.reserved": Reserved(call=CallId(row.call_id), resumed=known is not None)}
        answer = await _asked(application, scope, receive)
        if answer.status < 500:
            self._keep(row, answer)
            await self._written(name, needed=_changes(scope, answer.status))
        elif answer.status == 503 and known is None:
            # Refused for load: nothing was made (what is made and not durable is an answer, see `stored`), and the same
            # key may be used again.
            self._forget(row)
            with contextlib.suppress(StorageUnavailable):
                await self._storage.idempotency.flush(DURABLE_WITHIN_S)
                self._forgotten.pop(name, None)
        return answer if known is None else _again(answer)

    async def _known(self, name: tuple[str, str]) -> IdempotencyRow | None:
        # However old: what is too old goes with the housekeeping, which a clock that is set forward does not deceive.
        row = self._unwritten.get(name)
        if row is None and name not in self._forgotten:
            row = await self._storage.read(lambda connection: idempotency_key(connection, *name))
        return row

    async def _promise(self, name: tuple[str, str], fingerprint: bytes) -> IdempotencyRow:
        """Key and id are durable before anything is made. Raises `_Refusal`."""
        row = IdempotencyRow(
            owner=name[0], key=name[1], fingerprint=fingerprint, call_id=token_hex(16), created=datetime.now(UTC)
        )
        self._forgotten.pop(name, None)
        self._storage.idempotency.save(row)
        try:
            await self._storage.idempotency.flush(DURABLE_WITHIN_S)
        except StorageUnavailable:
            self._forget(row)
            raise _Refusal(
                status=503,
                name="storage_unavailable",
                sentence="the key cannot be stored now, so nothing was made; try again with the same key",
            ) from None
        return row

    def _forget(self, row: IdempotencyRow) -> None:
        self._forgotten[row.owner, row.key] = None
        while len(self._forgotten) > UNWRITTEN_MOST:
            self._forgotten.popitem(last=False)
        self._storage.idempotency.forget(row)

    def _keep(self, row: IdempotencyRow, answer: Answer) -> None:
        done = replace(
            row,
            status=answer.status,
            content_type=answer.content_type,
            sealed_body=self._storage.key.seal(answer.body.decode("utf-8")),
        )
        name = done.owner, done.key
        self._unwritten[name] = done
        while len(self._unwritten) > UNWRITTEN_MOST:
            self._unwritten.popitem(last=False)
        self._storage.idempotency.save(done)

    async def _written(self, name: tuple[str, str], *, needed: bool) -> None:
        """Waits until an answer, and the change it tells of, is durable. Raises `_Refusal` where that is needed."""
        try:
            await self._storage.idempotency.flush(CHANGE_WITHIN_S if needed else DURABLE_WITHIN_S)
        except StorageUnavailable:
            log.warning("the answer under an idempotency key is not stored yet")
            if needed:
                raise _Refusal(
                    status=503,
                    name="storage_unavailable",
                    sentence="what was asked for is done and not stored yet; ask again with the same key",
                ) from None
        else:
            self._unwritten.pop(name, None)

    def _stored(self, row: IdempotencyRow) -> Answer:
        assert row.status is not None
        assert row.sealed_body is not None
        return Answer(row.status, self._storage.key.unseal(row.sealed_body).encode(), row.content_type)


# ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _posts(scope: Scope) -> bool:
    """A POST, or a GET that 46elks takes for one (`GET .../POST`)."""
    return scope["method"] == "POST" or (scope["method"] == "GET" and _path(scope)[-1:] == ["post"])


def _path(scope: Scope) -> list[str]:
    return [part.lower() for part in scope["path"].split("/") if part]


def _makes_a_call(scope: Scope) -> bool:
    path = _path(scope)
    return tuple(path[:-1] if path[-1:] == ["post"] else path) in MAKES_A_CALL or is_didforsale(scope["path"])


def _changes(scope: Scope, status: int) -> bool:
    """Whether an answer tells of a change that was to be `stored`. What calls promise is waited for where they are
    placed; those are on their way, whatever the disk does."""
    about_calls = tuple(_path(scope)[:2]) in MAKES_A_CALL or is_didforsale(scope["path"])
    return status < 400 and not about_calls


def _key(given: bytes) -> str:
    """Raises `_Refusal`."""
    key = given.decode("latin-1").strip()
    if not key or len(key) > KEY_MAX_CHARS or not (key.isascii() and key.isprintable()):
        raise _Refusal(
            status=400,
            name="idempotency_key",
            sentence=f"an Idempotency-Key has 1 to {KEY_MAX_CHARS} printable ASCII characters, such as a UUID",
        )
    return key


def _fingerprint(scope: Scope, body: bytes) -> bytes:
    parts = (scope["method"].encode(), scope["path"].encode(), scope["query_string"], body)
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


async def _whole(receive: Receive) -> tuple[list[Message], bytes | None]:
    """The messages of a body, and the body; `None` for one that is too large or breaks off."""
    messages: list[Message] = []
    body = bytearray()
    while True:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if message["type"] == "http.disconnect" or len(body) > MAX_BODY_BYTES:
            return messages, None
        if not message.get("more_body", False):
            return messages, bytes(body)


def _replaying(messages: list[Message], receive: Receive) -> Receive:
    """`receive`, once more from the beginning."""
    waiting = iter(messages)

    async def from_the_beginning() -> Message:
        for message in waiting:
            return message
        return await receive()

    return from_the_beginning


async def _asked(application: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """An application's answer, whole."""
    status, body = 0, bytearray()
    headers: tuple[tuple[bytes, bytes], ...] = ()

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], tuple(message["headers"])
        else:
            body.extend(message.get("body", b""))

    try:
        await application(scope, receive, send)
    except Exception:
        if not status:
            raise
        # FastAPI says 500, and then raises for the server's log; whoever asked is answered all the same.
        log.exception("a request under an idempotency key failed")
    kept: Mapping[bytes, bytes] = {bytes(name).lower(): bytes(value) for name, value in headers}
    others = tuple((name, value) for name, value in kept.items() if name not in (b"content-type", b"content-length"))
    return Answer(status, bytes(body), kept.get(b"content-type", b"text/plain").decode("latin-1"), others)


def _again(answer: Answer) -> Answer:
    return replace(answer, headers=(*answer.headers, (b"idempotency-replayed", b"true")))


def _refused(scope: Scope, refusal: _Refusal) -> Answer:
    """In the words of the API that was asked; a 503 says when to come again (RFC 9110 section 10.2.3)."""
    headers = ((b"retry-after", str(RETRY_AFTER_S).encode()),) if refusal.status == 503 else ()
    sentence = refusal.sentence[0].upper() + refusal.sentence[1:]
    if _path(scope)[:1] == ["a1"]:
        return Answer.text(refusal.status, sentence, *headers)
    if is_didforsale(scope["path"]):
        return failure(refusal.status, sentence, *headers)
    answer = Answer.json({"error": {"name": refusal.name, "message": refusal.sentence}}, refusal.status)
    return replace(answer, headers=headers)
