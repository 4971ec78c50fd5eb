"""Incoming requests that wait for the application's word: INVITE until it has a session's answer, and REGISTER.

Digest verification (section 22.4) is asked for here and decided in ``digest``; who has which secret, only the
application knows. A REGISTER that nobody decides on is dropped unanswered (RFC 4320 section 4.2).
"""

from __future__ import annotations

from collections.abc import Mapping

from offhook.sip.commands import HeaderLines, RequestHandle
from offhook.sip.core import Core
from offhook.sip.digest import Algorithm, DigestServer, Verdict
from offhook.sip.events import RegisterReceived
from offhook.sip.hop import Hop
from offhook.sip.message import Request, Star
from offhook.sip.registrar import Registrar
from offhook.sip.session import answer
from offhook.sip.session.sessions import Lines, Sessions
from offhook.sip.timers import Owner
from offhook.sip.transaction.layer import Kind, Transaction, TransactionLayer

NONCE_CHANCE_BYTES = 16
NONCE_SECRET_BYTES = 32


class Gate:
    """What waits, by its server transaction."""

    __slots__ = ("_core", "_digest", "_layer", "_registrar", "_sessions", "waiting")

    def __init__(self, core: Core, layer: TransactionLayer, sessions: Sessions, registrar: Registrar) -> None:
        self._core = core
        self._layer = layer
        self._sessions = sessions
        self._registrar = registrar
        self._digest: DigestServer | None = None
        self.waiting: dict[str, Hop] = {}
        """REGISTERs: the flow each came by."""

    def registering(self, tx: Transaction, request: Request, hop: Hop) -> None:
        """A REGISTER (section 10.3): the application verifies first."""
        contacts = request.contacts
        self.waiting[tx.key] = hop
        self._core.timers.set(
            Owner.REQUEST, tx.key, "decide", self._core.now.mono + self._core.config.decision_timeout_s
        )
        star = isinstance(contacts, Star)
        self._core.emit(
            RegisterReceived(
                handle=RequestHandle(tx.key),
                aor=request.to.uri.bare,
                contacts=() if isinstance(contacts, Star) else tuple(contacts),
                star=star,
                hop=hop,
                credentials=(*request.authorization, *request.proxy_authorization),
                user_agent=request.headers.get("User-Agent"),
            )
        )

    def check(self, handle: RequestHandle, ha1: Mapping[Algorithm, str]) -> Verdict | None:
        """Verify; None if the request holds no credentials for us. ``LookupError`` if it no longer waits."""
        tx = self._layer.by_key.get(handle)
        if tx is None:
            raise LookupError("the request no longer waits")
        request, digest = tx.request, self._server()
        found = digest.credentials((*request.authorization, *request.proxy_authorization))
        if found is None:
            return None
        return digest.verify(found, method=request.method, body=request.body, ha1=ha1, wall_s=self._core.now.wall)

    def challenge(self, handle: RequestHandle, *, stale: bool) -> None:
        """Answer 401 (section 22.4)."""
        values = self._server().challenge(
            wall_s=self._core.now.wall, chance=self._core.entropy(NONCE_CHANCE_BYTES), stale=stale
        )
        self.reject(handle, 401, tuple(("WWW-Authenticate", value) for value in values))

    def _server(self) -> DigestServer:
        if self._digest is None:
            config = self._core.config
            secret = config.digest_secret or self._core.entropy(NONCE_SECRET_BYTES)
            self._digest = DigestServer(realm=config.domain, secret=secret, algorithms=config.digest_algorithms)
        return self._digest

    def reject(self, handle: RequestHandle, status: int, lines: HeaderLines) -> None:
        """Refuse; nothing happens if the request no longer waits."""
        tx = self._layer.by_key.get(handle)
        if tx is None:
            return
        out: Lines = list(lines)
        if tx.kind is Kind.INVITE_SERVER:
            session = self._sessions.by_id.get(tx.owner)
            if session is not None:
                answer.reject(self._sessions, session, status, None, out)
        elif self._take(handle) is not None:
            self._sessions.respond(tx, status, lines=out)

    def accept_register(self, handle: RequestHandle) -> None:
        """Let the registrar carry it out."""
        tx, hop = self._layer.by_key.get(handle), self._take(handle)
        if tx is None or hop is None:
            return
        verdict = self._registrar.process(tx.request, hop)
        self._sessions.respond(tx, verdict.status, reason=verdict.reason, lines=list(verdict.lines))

    def on_timer(self, handle: str) -> None:
        """Nobody decided."""
        tx = self._layer.by_key.get(handle)
        self.waiting.pop(handle, None)
        if tx is not None:
            self._layer.abandon(tx)

    def forget(self, handle: str) -> None:
        """The transaction is gone."""
        self._take(handle)

    def _take(self, handle: str) -> Hop | None:
        self._core.timers.cancel(Owner.REQUEST, handle, "decide")
        return self.waiting.pop(handle, None)
