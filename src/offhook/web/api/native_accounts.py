"""`/v1/accounts`: accounts, their balance and caller IDs."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from offhook.flow.dialects.choose import DIALECTS, QUIRKS
from offhook.flow.view import HIDDEN_CALLER
from offhook.hooks.policy import ELKS, GROWING, plain_policy, policy_from
from offhook.runtime.book import row_of
from offhook.storage.directory import utc_now
from offhook.storage.rows import AccountRow
from offhook.storage.signing_keys import SigningKey
from offhook.web.api.native_calls import call_json
from offhook.web.api.native_numbers import FallbackBody, check_start
from offhook.web.api.native_request import Admin, Amount, Asking, Body, Caller, Line, NativeError, e164, moment
from offhook.web.port import CallOrder, Overloaded
from offhook.web.verifying import says_code

__all__ = ["account_json", "router"]

OVERLAP_H = 24.0
PAUSE_LEAST_S = 1.0
PAUSE_MOST_S = 24 * 3600.0
DELIVERY_MOST_S = 14 * 24 * 3600.0
OVERLAP_MOST_H = 30 * 24.0

router = APIRouter(prefix="/v1/accounts", tags=["accounts"])


class NewAccountBody(Body):
    """An account to be made."""

    name: Annotated[Line, Field(min_length=1, max_length=100)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "SEK"
    email: Line = ""
    mobile_number: Line = ""


class BalanceBody(Body):
    """What is to be left."""

    amount: Annotated[Amount | None, Field(description="In 1/10000 of the currency; null: no limit any more.")]


class SteadyBody(Body):
    """A try every `every_s` for `for_s` after the first."""

    kind: Literal["steady"]
    every_s: Annotated[float, Field(ge=PAUSE_LEAST_S, le=PAUSE_MOST_S)] = ELKS.every_s
    for_s: Annotated[float, Field(ge=0, le=DELIVERY_MOST_S)] = ELKS.for_s


class ListedBody(Body):
    """One try more than there are pauses."""

    kind: Literal["listed"]
    pauses_s: Annotated[list[Annotated[float, Field(ge=PAUSE_LEAST_S, le=PAUSE_MOST_S)]], Field(max_length=100)]


class GrowingBody(Body):
    """Pauses from `first_s`, each `factor` times the one before, up to `longest_s`, shortened by chance by up to
    `jitter` of themselves."""

    kind: Literal["growing"]
    first_s: Annotated[float, Field(ge=PAUSE_LEAST_S, le=PAUSE_MOST_S)] = GROWING.first_s
    factor: Annotated[float, Field(ge=1, le=10)] = GROWING.factor
    longest_s: Annotated[float, Field(ge=PAUSE_LEAST_S, le=PAUSE_MOST_S)] = GROWING.longest_s
    for_s: Annotated[float, Field(ge=0, le=DELIVERY_MOST_S)] = GROWING.for_s
    jitter: Annotated[float, Field(ge=0, le=1)] = GROWING.jitter


class DeliveryBody(Body):
    """How often and how long what is owed is tried. Seconds."""

    policy: Annotated[SteadyBody | ListedBody | GrowingBody, Field(discriminator="kind")] | None


class RotationBody(Body):
    """How a signing key is exchanged."""

    overlap_h: Annotated[
        float, Field(ge=0, le=OVERLAP_MOST_H, description="Hours that the old key goes on signing beside the new one.")
    ] = OVERLAP_H


class QuirksBody(Body):
    """Peculiarities of a service, by name."""

    quirks: Annotated[list[str], Field(max_length=20)]


class VerifyingBody(Body):
    """A number that is to be shown to be somebody's."""

    number: str
    code: Annotated[str, Field(pattern="^[0-9]{4,10}$", description="What is said, digit by digit.")]


class WebhooksBody(Body):
    """How an account's web applications are asked."""

    retry_timeouts: Annotated[
        bool, Field(description="Ask once more where there was no answer in time, though the first try may have acted.")
    ]


class CallerIdBody(Body):
    """A number that may be shown."""

    number: str


def account_json(row: AccountRow) -> dict[str, Any]:
    """An account; calls are refused when its balance is gone only where it is `limited`."""
    return {
        "id": row.id,
        "name": row.name,
        "parent": row.parent,
        "currency": row.currency,
        "balance": row.balance,
        "limited": row.credit_limited,
        "active": row.active,
        "fallback": row.fallback,
        "quirks": list(row.quirks),
        "retry_timeouts": row.retry_timeouts,
        "created": moment(row.created),
        "delivery": row.delivery,
    }


@router.get("")
async def list_accounts(caller: Asking) -> dict[str, Any]:
    """All accounts, oldest first; for an account, itself."""
    rows = caller.native.storage.directory.accounts() if caller.account is None else [caller.account]
    return {"accounts": [account_json(row) for row in rows]}


@router.post("")
async def add_account(caller: Admin, body: NewAccountBody) -> dict[str, Any]:
    """Makes an account. Its secret and API key are shown this once, its signing key again."""
    storage = caller.native.storage
    made = storage.directory.add_account(
        body.name, currency=body.currency, email=body.email, mobile_number=body.mobile_number
    )
    signing_key = storage.signing_keys.in_force(made.row.id, utc_now())[0].text
    await caller.stored()
    return {
        **account_json(made.row),
        "secret": made.secret,
        "api_key": made.api_key,
        "signing_key": signing_key,
    }


@router.put("/{account}/balance")
async def set_balance(caller: Admin, account: str, body: BalanceBody) -> dict[str, Any]:
    """Sets the balance, from which on calls are refused when it is gone."""
    storage = caller.native.storage
    row = storage.directory.set_balance(caller.which(_named(account)).id, body.amount)
    await caller.stored()
    return account_json(row)


@router.put("/{account}/delivery")
async def set_delivery(caller: Asking, account: str, body: DeliveryBody) -> dict[str, Any]:
    """How often what will be owed to it is tried; what is owed already keeps its policy."""
    storage, owner = caller.native.storage, _of(caller, account)
    policy = None if body.policy is None else plain_policy(policy_from(body.policy.model_dump()))
    row = storage.directory.change_account(owner.id, delivery=policy)
    await caller.stored()
    return account_json(row)


@router.get("/{account}/signing-key")
async def show_signing_key(caller: Asking, account: str) -> dict[str, Any]:
    """The key that its webhooks are signed with, and those that still sign beside it."""
    storage, owner = caller.native.storage, _of(caller, account)
    keys = storage.signing_keys.in_force(owner.id, utc_now())
    await caller.stored()
    return _signing_key_json(owner, keys)


@router.post("/{account}/signing-key/rotate")
async def rotate_signing_key(caller: Asking, account: str, body: RotationBody = RotationBody()) -> dict[str, Any]:
    """Makes a new one; the old one goes on signing beside it for `overlap_h`."""
    storage, owner = caller.native.storage, _of(caller, account)
    now = utc_now()
    storage.signing_keys.rotate(owner.id, now, timedelta(hours=body.overlap_h))
    await caller.stored()
    return _signing_key_json(owner, storage.signing_keys.in_force(owner.id, now))


def _signing_key_json(owner: AccountRow, keys: Sequence[SigningKey]) -> dict[str, Any]:
    newest, *older = keys
    return {
        "account": owner.id,
        "signing_key": newest.text,
        "created": moment(newest.created),
        "older": [{"signing_key": key.text, "expires": moment(key.expires)} for key in older],
    }


@router.put("/{account}/fallback")
async def set_fallback(caller: Asking, account: str, body: FallbackBody) -> dict[str, Any]:
    """Sets what the account's calls go on with where a web application fails; a number's or a call's goes before it."""
    storage, owner = caller.native.storage, _of(caller, account)
    check_start(body.fallback, "elks", "fallback")
    row = storage.directory.change_account(owner.id, fallback=body.fallback.strip())
    await caller.stored()
    return account_json(row)


@router.put("/{account}/quirks")
async def set_quirks(caller: Asking, account: str, body: QuirksBody) -> dict[str, Any]:
    """Says which peculiarities of a service the account's applications rely on; a subaccount has its account's."""
    storage, owner = caller.native.storage, _of(caller, account)
    unknown = next((name for name in body.quirks if name not in QUIRKS), None)
    if unknown is not None:
        raise NativeError(400, "no_quirk", f"there is no {unknown[:60]}; there are: {', '.join(QUIRKS)}")
    row = storage.directory.change_account(owner.id, quirks=tuple(dict.fromkeys(body.quirks)))
    await caller.stored()
    return account_json(row)


@router.put("/{account}/webhooks")
async def set_webhooks(caller: Asking, account: str, body: WebhooksBody) -> dict[str, Any]:
    """Says how the account's web applications are asked; counts for its subaccounts too."""
    storage, owner = caller.native.storage, _of(caller, account)
    row = storage.directory.change_account(owner.id, retry_timeouts=body.retry_timeouts)
    await caller.stored()
    return account_json(row)


@router.get("/{account}/caller-ids")
async def list_caller_ids(caller: Asking, account: str) -> dict[str, Any]:
    """Numbers that the account may show besides its own."""
    rows = caller.native.storage.directory.caller_ids(caller.which(_named(account)).id)
    return {"caller_ids": [{"number": row.number, "created": moment(row.created)} for row in rows]}


@router.post("/{account}/caller-ids")
async def add_caller_id(caller: Admin, account: str, body: CallerIdBody) -> dict[str, Any]:
    """Lets the account show a number that the operator knows to be its own."""
    storage, owner = caller.native.storage, caller.which(_named(account))
    row = storage.directory.add_caller_id(owner.id, e164(body.number, "the caller ID"))
    await caller.stored()
    return {"account": owner.id, "number": row.number, "created": moment(row.created)}


@router.post("/{account}/caller-ids/calls")
async def call_caller_id(caller: Admin, account: str, body: VerifyingBody) -> dict[str, Any]:
    """Calls a number and says a code there, twice. It stands in no log, so whoever can tell it has answered there."""
    native, owner = caller.native, caller.which(_named(account))
    order = CallOrder(
        owner=owner.id,
        from_=HIDDEN_CALLER,
        to=e164(body.number, "the caller ID"),
        start=says_code(body.code, native.settings.speech_language),
        dialect="elks",
    )
    try:
        placed = await native.server.place_call(order)
    except Overloaded as error:
        raise NativeError(503, "overloaded", str(error)) from None
    return call_json(row_of(placed, DIALECTS["elks"]))


@router.delete("/{account}/caller-ids/{number}")
async def remove_caller_id(caller: Admin, account: str, number: str) -> dict[str, Any]:
    """Takes that back."""
    storage, owner = caller.native.storage, caller.which(_named(account))
    if not storage.directory.remove_caller_id(owner.id, e164(number, "the caller ID")):
        raise NativeError(404, "no_caller_id", f"{number} is no caller ID of {owner.name}")
    await caller.stored()
    return {"account": owner.id, "number": number, "removed": True}


def _of(caller: Caller, account: str) -> AccountRow:
    """The account that is meant; an account may name one of its subaccounts too. Raises `NativeError`."""
    found = caller.native.storage.directory.account(account)
    if caller.account is not None and found is not None and found.parent == caller.account.id:
        return found
    return caller.which(_named(account))


def _named(account: str) -> str | None:
    """`-` stands for the only account."""
    return None if account == "-" else account
