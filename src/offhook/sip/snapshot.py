"""Export and restore of an endpoint: everything alive as versioned plain data (see ``plain``), and back.

Deadlines are kept on the wall clock. Half a message on a stream is not kept: its sender will repeat what matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from offhook.sip.commands import Account, SessionId
from offhook.sip.digest import DigestClient, Login
from offhook.sip.hop import Hop
from offhook.sip.outgoing import Outgoing
from offhook.sip.plain import from_plain, to_plain
from offhook.sip.registrar import Record, record_key
from offhook.sip.registration import Registration
from offhook.sip.session.state import Session
from offhook.sip.timers import Owner
from offhook.sip.transaction.layer import Transaction

if TYPE_CHECKING:
    from offhook.sip.dispatch import Dispatch

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """One timer."""

    owner: Owner
    id: str
    name: str
    at: float
    """Wall clock, seconds."""


@dataclass(slots=True, kw_only=True)
class Snapshot:
    """What an export holds."""

    version: int
    transactions: list[Transaction]
    outgoing: list[Outgoing]
    sessions: list[Session]
    registrations: list[Registration]
    records: list[Record]
    waiting: dict[str, Hop]
    logins: dict[str, Any]
    """What digest clients learned, without their passwords, by who ordered."""
    connections: list[Hop]
    deadlines: list[Deadline]


def take(inside: Dispatch, session: SessionId | None) -> dict[str, Any]:
    """Everything, or what belongs to one session (nothing, if it is unknown or over)."""
    core = inside.core
    transactions = list(inside.layer.by_key.values())
    outgoing = list(inside.outgoing.by_id.values())
    sessions = list(inside.sessions.by_id.values())
    if session is not None:
        sessions = [each for each in sessions if each.id == session]
        outgoing = [out for out in outgoing if out.owner == session]
        owners = {session, *(out.id for out in outgoing)}
        transactions = [tx for tx in transactions if tx.owner in owners]
    whole = session is None
    kept = {tx.key for tx in transactions} | {out.id for out in outgoing} | {each.id for each in sessions}
    shift = core.now.wall - core.now.mono
    data = to_plain(
        Snapshot(
            version=VERSION,
            transactions=transactions,
            outgoing=outgoing,
            sessions=sessions,
            registrations=list(inside.registrations.by_id.values()) if whole else [],
            records=list(inside.registrar.records.values()) if whole else [],
            waiting=dict(inside.gate.waiting) if whole else {},
            logins={owner: login.export() for owner, login in inside.outgoing.logins.items() if whole or owner in kept},
            connections=list(core.connections.values()) if whole else [],
            deadlines=[
                Deadline(owner=owner, id=ident, name=name, at=at + shift)
                for (owner, ident, name), at in core.timers.items()
                if whole or ident in kept
            ],
        )
    )
    assert isinstance(data, dict)
    return data


def put(inside: Dispatch, part: Mapping[str, Any]) -> None:
    """Take an export in, beside what is there. Raises ``ValueError`` if it cannot be read."""
    if part.get("version") != VERSION:
        raise ValueError(f"an export of version {part.get('version')!r} cannot be restored here; this is {VERSION}")
    try:
        snapshot = from_plain(Snapshot, dict(part))
    except (TypeError, KeyError, AttributeError) as fault:
        raise ValueError(f"the export is damaged: {fault}") from fault
    core = inside.core
    for hop in snapshot.connections:
        core.connections[hop.transport, hop.remote] = hop
    for tx in snapshot.transactions:
        inside.layer.adopt(tx)
    for each in snapshot.sessions:
        inside.sessions.add(each)
    for registration in snapshot.registrations:
        inside.registrations.by_id[registration.id] = registration
    for record in snapshot.records:
        inside.registrar.records[record_key(record.aor)] = record
    inside.gate.waiting.update(snapshot.waiting)
    shift = core.now.mono - core.now.wall
    for deadline in snapshot.deadlines:
        core.timers.set(deadline.owner, deadline.id, deadline.name, deadline.at + shift)
    for out in snapshot.outgoing:
        inside.outgoing.adopt(out)
    for owner, state in snapshot.logins.items():
        account = _account(inside, owner)
        if account is not None:
            login = Login(username=account.username, password=account.password)
            inside.outgoing.logins[owner] = DigestClient.restore(login, state)


def _account(inside: Dispatch, owner: str) -> Account | None:
    """Whose password a digest client used; an OPTIONS has none worth keeping."""
    session = inside.sessions.by_id.get(owner)
    if session is not None:
        return session.account
    registration = inside.registrations.by_id.get(owner)
    return None if registration is None else registration.order.account
