"""What the routes of `/v1` share: who asks, which account is meant, and errors as JSON.

An error is `{"error": {"name": …, "message": …}}`: the name is stable, the message says what to do.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.types import Scope

from offhook.config import Settings
from offhook.flow.dialects.elks_values import number
from offhook.flow.view import CallId
from offhook.storage.prices import AMOUNT_MOST
from offhook.storage.rows import AccountRow
from offhook.storage.store import Storage
from offhook.web.auth import AdminToken
from offhook.web.event_stream import Streams
from offhook.web.http import basic_credentials, header
from offhook.web.idempotency import stored
from offhook.web.port import ServerPort

__all__ = [
    "Admin",
    "Amount",
    "Asking",
    "Body",
    "Line",
    "Native",
    "NativeError",
    "asking",
    "e164",
    "moment",
]
__all__ += ["native_of", "read_call_id", "utc"]

LINE_MOST_CHARS = 1000
NAMED_MOST = 5
"""Accounts that an error names."""


class Body(BaseModel):
    """What a request says. A key that there is not is a mistake and no wish to be passed over; no number is NaN."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


Line = Annotated[str, Field(max_length=LINE_MOST_CHARS, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A name or the like: no line breaks, which would end a header of SIP or a line of a list."""
Amount = Annotated[int, Field(ge=-AMOUNT_MOST, le=AMOUNT_MOST)]
"""In 1/10000 of a currency."""


class NativeError(Exception):
    """Answered as JSON."""

    def __init__(self, status: int, name: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.name = name
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """What the routes work with."""

    server: ServerPort
    storage: Storage
    settings: Settings
    token: AdminToken
    streams: Streams


def native_of(request: Request) -> Native:
    """The application's own."""
    found = request.app.state.native
    assert isinstance(found, Native)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever asks: the operator (`account` is `None`), or an account for what is its own."""

    native: Native
    account: AccountRow | None
    scope: Scope

    async def stored(self) -> None:
        """Waits until what was changed is durable. Raises `StorageUnavailable`."""
        await stored(self.native.storage, self.scope)

    def which(self, named: str | None) -> AccountRow:
        """The account that is meant, by id or name; without one, the asker's, or the only one. Raises `NativeError`."""
        directory = self.native.storage.directory
        if self.account is not None:
            if named not in (None, self.account.id, self.account.name):
                below = directory.account(named)
                if below is not None and below.parent == self.account.id:
                    return below
                raise NativeError(403, "not_yours", f"{named} is not the account whose credentials these are")
            return self.account
        accounts = directory.accounts()
        if named is None:
            if len(accounts) == 1:
                return accounts[0]
            if not accounts:
                raise NativeError(404, "no_account", "there is no account yet; make one with: offhook account add NAME")
            names = ", ".join(row.name for row in accounts[:NAMED_MOST])
            more = ", …" if len(accounts) > NAMED_MOST else ""
            raise NativeError(
                400, "which_account", f"there are several accounts ({names}{more}); say which with --account ID or NAME"
            )
        by_id = directory.account(named)
        matching = [by_id] if by_id is not None else [row for row in accounts if row.name == named]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise NativeError(400, "which_account", f"several accounts are called {named}; say which with its id")
        raise NativeError(404, "no_account", f"there is no account {named}; offhook account list shows them")

    def owners(self, named: str | None) -> str | None:
        """The owner whose things are listed; `None` (for the operator, who named none): everybody's."""
        return None if self.account is None and named is None else self.which(named).id

    def sees(self, owner: str | None) -> bool:
        """Whether something of that owner is the asker's to see: its own, and its subaccounts'."""
        if self.account is None or self.account.id == owner:
            return True
        below = None if owner is None else self.native.storage.directory.account(owner)
        return below is not None and below.parent == self.account.id


def asking(request: Request) -> Caller:
    """Who asks, and nothing that there is not. Raises `NativeError`."""
    caller = _caller(request)
    _check_query(request)
    return caller


def _check_query(request: Request) -> None:
    """A misspelt `state` would otherwise have everything replayed."""
    route = request.scope.get("route")
    known = {field.alias for field in route.dependant.query_params} if isinstance(route, APIRoute) else set()
    for name in request.query_params:
        if name not in known:
            there_are = f"there are: {', '.join(sorted(known))}" if known else "it takes none"
            raise NativeError(400, "invalid_request", f"{name[:60]}: there is no such parameter here; {there_are}")


def _caller(request: Request) -> Caller:
    native = native_of(request)
    if native.token.matches(header(request.scope, b"authorization")):
        return Caller(native=native, account=None, scope=request.scope)
    credentials = basic_credentials(request.scope)
    account = None if credentials is None else native.storage.directory.authenticate(*credentials)
    if account is None:
        raise NativeError(
            401, "unauthorized", "send the token in admin.token as Bearer, or an account's id and secret as Basic"
        )
    return Caller(native=native, account=account, scope=request.scope)


def _admin(caller: Annotated[Caller, Depends(asking)]) -> Caller:
    if caller.account is not None:
        raise NativeError(403, "operator_only", "only the operator may do this, with the token in admin.token")
    return caller


Asking = Annotated[Caller, Depends(asking)]
Admin = Annotated[Caller, Depends(_admin)]


def e164(text: str, what: str) -> str:
    """A number with its `+`. Raises `NativeError`."""
    found = number(text)
    if found is None:
        raise NativeError(
            400, "invalid_number", f"{what} {text!r} is no number; write it with + and country, +46101234567"
        )
    return found


def read_call_id(text: str) -> CallId:
    """`c` and 32 hex digits, the digits alone, or a UUID. Raises `NativeError`."""
    bare = text.strip().lower()
    try:
        return CallId(UUID(bare.removeprefix("c") if re.fullmatch(r"c[0-9a-f]{32}", bare) else bare).hex)
    except ValueError:
        raise NativeError(404, "no_call", f"{text!r} is no call id; offhook calls shows them") from None


def moment(value: datetime | None) -> Any:
    """RFC 3339 in UTC."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def utc(time: datetime | None) -> datetime | None:
    """A time without a zone is UTC."""
    return time if time is None or time.tzinfo is not None else time.replace(tzinfo=UTC)
