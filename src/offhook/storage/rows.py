"""Rows as plain values. What they mean is decided elsewhere; storage only keeps them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Any

__all__ = [
    "AccountRow",
    "CallRow",
    "CallerIdRow",
    "ChargeRow",
    "DeliveryRow",
    "EventRow",
    "FactRow",
    "IdempotencyRow",
    "NumberRow",
    "RecordingRow",
    "SigningKeyRow",
    "TransactionRow",
    "TrunkRow",
    "columns_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account, or a subaccount of one. Money is in 1/10000 of `currency`."""

    id: str
    """`u` and 32 hex digits; a subaccount: `a` and 32."""
    parent: str | None
    """The account that a subaccount belongs to."""
    name: str
    email: str = ""
    mobile_number: str = ""
    currency: str = "SEK"
    balance: int = 0
    """What is left; falls below zero where `credit_limited` is false. A subaccount draws on its parent's."""
    credit_limited: bool = False
    """Whether calls are refused when the balance is gone."""
    credit_alert: int = 0
    usage_limit: int | None = None
    """The most that a subaccount may use in all; `None`: no limit of its own."""
    balance_used: int = 0
    """What a subaccount has used."""
    active: bool = True
    created: datetime
    deactivated: datetime | None = None
    secret_hash: bytes
    api_key_hash: bytes | None = None
    sealed_secret: bytes | None = None
    """Encrypted; only where the API shows it again (subaccounts)."""
    delivery: Mapping[str, Any] | None = None
    """How often what is owed to it is tried, in plain data; `None`: as its API has it."""
    fallback: str = ""
    """A URL or a document: what its calls go on with where a web application fails, unless the number or the call has
    one of its own; empty: none."""
    quirks: tuple[str, ...] = ()
    """Peculiarities of a service that its applications rely on, by name."""
    retry_timeouts: bool = False
    """Whether its applications are asked again that did not answer in time: it does no harm if they acted all the
    same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerIdRow:
    """A number that an account may show though it is not one of ours."""

    account: str
    number: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkRow:
    """A carrier."""

    id: str
    name: str
    address: str
    """A SIP URI."""
    username: str = ""
    sealed_password: bytes | None = None
    register: bool = False
    prefixes: tuple[str, ...] = ()
    """Which numbers may be dialled through it; none: none."""
    from_addresses: tuple[str, ...] = ()
    """Networks its calls come from."""
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRow:
    """A number of ours: of a trunk, or one that a phone registers as."""

    id: str
    number: str
    kind: str
    """`trunk`, `voip` or `webrtc`."""
    trunk: str | None = None
    account: str | None = None
    """`None`: free, to be allocated."""
    country: str = ""
    """Two lower-case letters."""
    category: str = "fixed"
    capabilities: tuple[str, ...] = ("voice",)
    name: str = ""
    voice_start: str = ""
    dialect: str = "elks"
    method: str = "POST"
    sms_url: str = ""
    mms_url: str = ""
    sms_replies: bool = False
    cost: int = 0
    """Per month."""
    active: bool = True
    pooled: bool = False
    """Goes back to the free numbers when it is deallocated."""
    created: datetime
    allocated: datetime | None = None
    deallocated: datetime | None = None
    sealed_secret: bytes | None = None
    """A phone's password, encrypted."""
    fallback: str = ""
    """As an account's; goes before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRow:
    """A call as lists show it: a projection, replaced as the call goes on."""

    id: str
    """32 hex digits, undressed."""
    owner: str
    direction: str
    from_number: str
    to_number: str
    created: datetime
    started: datetime | None = None
    """When it was answered."""
    ended: datetime | None = None
    state: str = "ongoing"
    cause: str | None = None
    cost: int | None = None
    ring_timeout_s: int | None = None
    actions: tuple[Mapping[str, Any], ...] = ()
    """What ran, as its customer wrote it, each with its `result` in the words of the call's dialect."""
    legs: tuple[Mapping[str, Any], ...] = ()
    """Who was called, in order: `to`, `from`, `state`, and `duration` in whole seconds."""
    recordings: tuple[str, ...] = ()
    deleted: datetime | None = None
    """Its customer deleted it; parties and actions are gone, the row stays for the accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An entry of a call's timeline."""

    call_id: str
    seq: int
    """From 1, without gaps."""
    at: datetime
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """A post that is owed to a customer, or was."""

    id: str
    """The same over all tries, restarts and replays."""
    call_id: str
    """Empty outside calls."""
    account: str
    kind: str
    """What it tells of: `hangup`, `recording`."""
    sequence: int
    """Which one of its call's it is, from 1."""
    created: datetime
    """When it was owed."""
    state: str = "owed"
    """`owed`, `delivered` or `dead`."""
    tries: int = 0
    next_try: datetime | None = None
    done: datetime | None = None
    """When it was delivered, or given up."""
    status: int | None = None
    """The last answer's, if there was one."""
    why: str = ""
    """What was wrong with the last try."""
    data: Mapping[str, Any]
    """Request and policy, for whoever goes on with it."""
    receiver: str = ""
    """Scheme, host and port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyRow:
    """A key under which an API was asked for something, and what it answered."""

    owner: str
    key: str
    fingerprint: bytes
    """Of the whole request: the same key with another one is refused."""
    call_id: str
    """What the call is called, if the request makes one: durable before it is placed."""
    created: datetime
    status: int | None = None
    """`None`: the answer was never written down; the process died before it."""
    content_type: str = ""
    sealed_body: bytes | None = None
    """Encrypted: an answer may hold a secret that is shown once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRow:
    """A finished recording."""

    call_id: str
    number: int
    """From 0, in the order of completion."""
    owner: str
    path: str
    """Of the WAV file, relative to the recordings folder of the data directory, or absolute."""
    created: datetime
    duration_s: float
    bytes: int
    expires: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRow:
    """Money drawn."""

    id: str
    account: str
    subaccount: str | None = None
    reference: str
    """`/Calls/<id>`; the second part is the category."""
    cost: int
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """What a server that dies would forget of one machine."""

    kind: str
    key: str
    """Which one of its kind."""
    version: int
    sealed: bytes
    """Encrypted JSON: it holds secrets of trunks and phones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeyRow:
    """A key that an account's webhooks are signed with."""

    account: str
    number: int
    """From 1; the highest is the newest."""
    sealed: bytes
    """Encrypted: it signs, and is shown again."""
    created: datetime
    expires: datetime | None = None
    """Until when it signs beside a newer one; `None`: it is the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionRow:
    """Money put in or taken out by the operator."""

    id: str
    account: str
    details: str
    amount: int
    created: datetime


def columns_of(row: Any) -> dict[str, Any]:
    """A row as statements take it: tuples are lists, which JSON columns want. (`asdict` copies deeply, and is slow.)"""
    names, take = _COLUMNS.get(type(row)) or _columns(type(row))
    values = dict(zip(names, take(row), strict=True))
    for name, value in values.items():
        if type(value) is tuple:
            values[name] = list(value)
    return values


_COLUMNS: dict[type[Any], tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]] = {}


def _columns(kind: type[Any]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The names of a row's columns, and what takes all of them; worked out once."""
    names = tuple(column.name for column in fields(kind))
    found = _COLUMNS[kind] = names, attrgetter(*names)
    return found
