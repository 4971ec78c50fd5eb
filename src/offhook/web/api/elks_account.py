"""`/a1/me`, `/a1/subaccounts`, `/a1/billing`, `/a1/transactions`. Spec: 46elks `get-subaccount-id`,
`update-subaccount`.

A subaccount sees itself: `me` describes it, its billing is its own share, and it has no subaccounts or transactions.
"""

from typing import Any

from offhook.flow.dialects.elks_words import stored_time
from offhook.storage.directory import utc_now
from offhook.storage.records import charges_page, page_of, transactions_page
from offhook.storage.rows import AccountRow, ChargeRow, TransactionRow
from offhook.web.api.elks_calls import settled
from offhook.web.api.elks_request import (
    Bounds,
    Elks,
    ElksError,
    ElksRequest,
    amount,
    not_found,
    paged,
    required,
    yes_or_no,
)
from offhook.web.idempotency import stored

__all__ = ["handle_billing", "handle_me", "handle_subaccounts", "handle_transactions"]

MIN_SECRET_CHARS = 16
MAX_NAME_CHARS = 100


# ── me ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def handle_me(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    """GET shows the account; POST sets `creditalert` and shows it. Raises `ElksError`."""
    if request.parts or request.method not in ("GET", "POST"):
        raise not_found()
    row = request.account
    alert = request.params.get("creditalert", "").strip()
    if request.method == "POST" and alert:
        row = elks.storage.directory.change_account(row.id, credit_alert=amount(alert, "creditalert"))
        await stored(elks.storage, request.scope)
    return _me(elks, row)


def _me(elks: Elks, row: AccountRow) -> dict[str, Any]:
    left = elks.storage.directory.credit_left(row.id)
    return {
        "id": row.id,
        "displayname": row.name,
        "mobilenumber": row.mobile_number,
        "email": row.email,
        "currency": row.currency,
        "balance": row.balance if left is None else left,
        "creditalert": row.credit_alert,
        "trialactivated": "no",
        "costtype": "normal",
        "invoicing": "yes" if left is None else "no",
        "restricted": "no",
    }


# ── subaccounts ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def handle_subaccounts(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    """Any request below `/a1/subaccounts`. Raises `ElksError`."""
    if request.account.parent is not None:
        raise not_found()
    match request.method, request.parts:
        case "GET", ():
            bounds = Bounds.of(request)
            rows = [row for row in elks.storage.directory.subaccounts(request.account.id) if bounds.hold(row.created)]
            page = page_of(rows, [row.created for row in rows], bounds.limit)
            return paged(page, lambda row: _subaccount(elks, row))
        case "POST", ():
            return await _create(elks, request)
        case "GET", (identifier,):
            return _subaccount(elks, _own(elks, request, identifier))
        case "POST", (identifier,):
            return await _change(elks, request, _own(elks, request, identifier))
        case _:
            raise not_found()


def _own(elks: Elks, request: ElksRequest, identifier: str) -> AccountRow:
    row = elks.storage.directory.account(identifier.lower())
    if row is None or row.parent != request.account.id:
        raise not_found()
    return row


def _subaccount(elks: Elks, row: AccountRow) -> dict[str, Any]:
    described: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "secret": elks.storage.directory.secret_of(row),
        "created": stored_time(row.created),
        "currency": row.currency,
        "usagelimit": row.usage_limit,
        "balanceused": row.balance_used,
        "usage": row.balance_used,
        "active": "yes" if row.active else "no",
    }
    if row.deactivated is not None:
        described["deactivated"] = stored_time(row.deactivated)
    return described


async def _create(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    name = _name(required(request, "name"))
    limit, secret = _usage_limit(request), _secret(request)
    row = elks.storage.directory.add_subaccount(
        request.account.id, name, secret=secret, usage_limit=limit.get("usage_limit")
    )
    await stored(elks.storage, request.scope)
    return _subaccount(elks, row)


async def _change(elks: Elks, request: ElksRequest, row: AccountRow) -> dict[str, Any]:
    changes: dict[str, Any] = _usage_limit(request)
    if request.params.get("name", "").strip():
        changes["name"] = _name(request.params["name"])
    secret, active = _secret(request), yes_or_no(request, "active")
    if not row.active and (changes or secret or active):
        raise ElksError(403, "The subaccount is deactivated for ever")
    if active is False and row.active:
        changes |= {"active": False, "deactivated": utc_now()}
    if changes or secret is not None:
        row = elks.storage.directory.change_account(row.id, secret=secret, **changes)
        await stored(elks.storage, request.scope)
    return _subaccount(elks, row)


def _name(text: str) -> str:
    if len(text.strip()) > MAX_NAME_CHARS:
        raise ElksError(403, f"Too long name: {MAX_NAME_CHARS} characters are the most")
    return text.strip()


def _usage_limit(request: ElksRequest) -> dict[str, int | None]:
    text = request.params.get("usagelimit", "").strip()
    if not text:
        return {}
    if text.lower() == "none":
        return {"usage_limit": None}
    return {"usage_limit": amount(text, "usagelimit")}


def _secret(request: ElksRequest) -> str | None:
    text = request.params.get("secret", "").strip()
    if text and len(text) < MIN_SECRET_CHARS:
        raise ElksError(403, f"Invalid secret: {MIN_SECRET_CHARS} characters are the least")
    return text or None


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def handle_billing(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    """What was charged, newest first. Raises `ElksError`."""
    if request.method != "GET" or request.parts:
        raise not_found()
    bounds, asks = Bounds.of(request), request.account
    await settled(elks)
    page = await elks.storage.read(
        lambda connection: charges_page(
            connection,
            asks.parent or asks.id,
            subaccount=asks.id if asks.parent is not None else None,
            before=bounds.before,
            after=bounds.after,
            limit=bounds.limit,
        )
    )
    return paged(page, _charge)


def _charge(row: ChargeRow) -> dict[str, Any]:
    described = {"id": row.id, "created": stored_time(row.created), "reference": row.reference, "cost": row.cost}
    return described if row.subaccount is None else {**described, "subaccount": row.subaccount}


async def handle_transactions(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    """What was paid in, newest first. Raises `ElksError`."""
    if request.method != "GET" or request.parts:
        raise not_found()
    bounds, account = Bounds.of(request), request.account.id
    await settled(elks)
    page = await elks.storage.read(
        lambda connection: transactions_page(
            connection, account, before=bounds.before, after=bounds.after, limit=bounds.limit
        )
    )
    return paged(page, _transaction)


def _transaction(row: TransactionRow) -> dict[str, Any]:
    return {"id": row.id, "created": stored_time(row.created), "details": row.details, "amount": row.amount}
