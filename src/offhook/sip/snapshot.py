"""Export and restore of an endpoint: everything alive as versioned plain data (see ``plain``), and back.

Deadlines are kept on the wall clock. Half a message on a stream is not kept: its sender will repeat what matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from offhook.sip.commands import Account, SessionId
from offhook.sip.digest import DigestClient, Login
from offhook.sip.hop import Hop
from offhook.sip.outgoing import Outgoing
from offhook.sip.plain import from_plain, to_plain
from offhook.sip.registrar import Record, record_key
from offhook.sip.registration import Registration
from offhook.sip.session.sessions import TIMERS
from offhook.sip.session.state import Session
from offhook.sip.timers import Key, Owner
from offhook.sip.transaction.layer import TIMERS_OF, Transaction
from offhook.sip.uri import Uri

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


def take(inside: Dispatch) -> dict[str, Any]:
    """Everything."""
    core = inside.core
    shift = core.now.wall - core.now.mono
    return _written(
        Snapshot(
            version=VERSION,
            transactions=list(inside.layer.by_key.values()),
            outgoing=list(inside.outgoing.by_id.values()),
            sessions=list(inside.sessions.by_id.values()),
            registrations=list(inside.registrations.by_id.values()),
            records=[_moved(record, shift) for record in inside.registrar.records.values()],
            waiting=dict(inside.gate.waiting),
            logins={owner: login.export() for owner, login in inside.outgoing.logins.items()},
            connections=list(core.connections.values()),
            deadlines=[
                Deadline(owner=owner, id=ident, name=name, at=at + shift)
                for (owner, ident, name), at in core.timers.items()
            ],
        )
    )


def take_session(inside: Dispatch, ident: SessionId) -> dict[str, Any]:
    """What belongs to one session (nothing, if it is unknown or over), found without a look at the others."""
    session = inside.sessions.by_id.get(ident)
    outgoing = list(inside.outgoing.by_owner.get(ident, {}).values())
    transactions = [tx for owner in (ident, *(out.id for out in outgoing)) for tx in inside.layer.owned_by(owner)]
    login = inside.outgoing.logins.get(ident)
    timers = [(Owner.TRANSACTION, tx.key, name) for tx in transactions for name in TIMERS_OF[tx.kind]]
    timers += [(Owner.OUTGOING, out.id, "linger") for out in outgoing]
    timers += [(Owner.SESSION, ident, name) for name in TIMERS]
    return _written(
        _nothing(
            transactions=transactions,
            outgoing=outgoing,
            sessions=[] if session is None else [session],
            logins={} if login is None else {ident: login.export()},
            deadlines=_deadlines(inside, timers),
        )
    )


def take_record(inside: Dispatch, aor: Uri) -> dict[str, Any] | None:
    """The bindings of one address of record; None if there are none."""
    key = record_key(aor)
    record = inside.registrar.records.get(key)
    if record is None:
        return None
    moved = _moved(record, inside.core.now.wall - inside.core.now.mono)
    return _written(_nothing(records=[moved], deadlines=_deadlines(inside, [(Owner.BINDING, key, "expiry")])))


def _moved(record: Record, by_s: float) -> Record:
    """A record whose bindings end by another clock."""
    bindings = [replace(binding, expires_at=binding.expires_at + by_s) for binding in record.bindings]
    return Record(aor=record.aor, bindings=bindings)


def _nothing(**given: Any) -> Snapshot:
    """A snapshot with these in it and nothing else."""
    empty: dict[str, Any] = {
        "transactions": [],
        "outgoing": [],
        "sessions": [],
        "registrations": [],
        "records": [],
        "waiting": {},
        "logins": {},
        "connections": [],
        "deadlines": [],
    }
    return Snapshot(version=VERSION, **{**empty, **given})


def _deadlines(inside: Dispatch, names: list[Key]) -> list[Deadline]:
    core = inside.core
    shift = core.now.wall - core.now.mono
    found = ((owner, ident, name, core.timers.at(owner, ident, name)) for owner, ident, name in names)
    return [
        Deadline(owner=owner, id=ident, name=name, at=at + shift) for owner, ident, name, at in found if at is not None
    ]


def _written(snapshot: Snapshot) -> dict[str, Any]:
    data = to_plain(snapshot)
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
    shift = core.now.mono - core.now.wall
    for record in snapshot.records:
        inside.registrar.records[record_key(record.aor)] = _moved(record, shift)
    inside.gate.waiting.update(snapshot.waiting)
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
