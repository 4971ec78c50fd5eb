"""Accounts, caller IDs, trunks and numbers, held in memory: every call looks them up.

Loaded at the start and changed only through here, so that a running server sees a change at once; the rows follow
through the writer. One process at a time has a database open for writing (`store.py`), so memory is the truth.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from secrets import randbelow
from typing import Any, TypeVar

from sqlalchemy import Connection, Table, select

from offhook.storage import schema, statements
from offhook.storage.keys import ServerKey, new_id, new_secret
from offhook.storage.rows import AccountRow, CallerIdRow, ChargeRow, NumberRow, TransactionRow, TrunkRow, columns_of
from offhook.storage.writer import Writer

__all__ = ["AlreadyThere", "Directory", "NewAccount", "NewPhone", "utc_now"]

PHONE_PREFIX = "+4600"
PHONE_DIGITS = 7
R = TypeVar("R", AccountRow, CallerIdRow, NumberRow, TrunkRow)


class AlreadyThere(Exception):
    """What was to be added exists; the text names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account with what is shown only once."""

    row: AccountRow
    secret: str
    api_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPhone:
    """A phone's number with its password."""

    row: NumberRow
    secret: str


def utc_now() -> datetime:
    """Now, aware."""
    return datetime.now(UTC)


class Directory:
    """Look-ups of microseconds, and changes that never wait."""

    def __init__(self, connection: Connection, writer: Writer, key: ServerKey) -> None:
        self._writer = writer
        self._key = key
        self._accounts: dict[str, AccountRow] = {}
        self._by_api_key: dict[bytes, str] = {}
        self._numbers: dict[str, NumberRow] = {}
        self._by_number: dict[str, str] = {}
        self._trunks: dict[str, TrunkRow] = {}
        self._by_prefix: dict[str, list[str]] = {}
        self._caller_ids: defaultdict[str, dict[str, CallerIdRow]] = defaultdict(dict)
        self._phone_secrets: dict[str, str] = {}
        for account in _load(connection, schema.accounts, AccountRow):
            self._keep_account(account)
        for number in _load(connection, schema.numbers, NumberRow):
            self._keep_number(number)
        for trunk in _load(connection, schema.trunks, TrunkRow):
            self._trunks[trunk.id] = trunk
        self._index_prefixes()
        for caller_id in _load(connection, schema.caller_ids, CallerIdRow):
            self._caller_ids[caller_id.account][caller_id.number] = caller_id

    # ── accounts ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def account(self, account_id: str) -> AccountRow | None:
        """An account or subaccount by id."""
        return self._accounts.get(account_id)

    def accounts(self) -> list[AccountRow]:
        """All accounts, without subaccounts, oldest first."""
        return sorted((row for row in self._accounts.values() if row.parent is None), key=lambda row: row.created)

    def subaccounts(self, parent: str) -> list[AccountRow]:
        """An account's subaccounts, newest first."""
        return _newest_first(row for row in self._accounts.values() if row.parent == parent)

    def authenticate(self, account_id: str, secret: str) -> AccountRow | None:
        """The account, if the secret is its own and it (and its parent) is active."""
        row = self._accounts.get(account_id)
        if row is None or not self._key.matches(secret, row.secret_hash) or not self._is_active(row):
            return None
        return row

    def account_of_api_key(self, api_key: str) -> AccountRow | None:
        """The account whose API key this is, if it is active."""
        found = self._by_api_key.get(self._key.hash(api_key))
        row = None if found is None else self._accounts[found]
        return row if row is not None and self._is_active(row) else None

    def add_account(
        self,
        name: str,
        *,
        account_id: str | None = None,
        secret: str | None = None,
        api_key: str | None = None,
        currency: str = "SEK",
        email: str = "",
        mobile_number: str = "",
    ) -> NewAccount:
        """Makes an account; what is not given is made up. Raises `AlreadyThere`."""
        account_id = account_id or new_id("u")
        if account_id in self._accounts:
            raise AlreadyThere(f"account {account_id}")
        secret, api_key = secret or new_secret(), api_key or new_secret()
        row = AccountRow(
            id=account_id,
            parent=None,
            name=name,
            email=email,
            mobile_number=mobile_number,
            currency=currency,
            created=utc_now(),
            secret_hash=self._key.hash(secret),
            api_key_hash=self._key.hash(api_key),
        )
        self._save_account(row)
        return NewAccount(row=row, secret=secret, api_key=api_key)

    def add_subaccount(
        self, parent: str, name: str, *, secret: str | None = None, usage_limit: int | None = None
    ) -> AccountRow:
        """Makes a subaccount; its secret can be shown again by `secret_of`."""
        secret = secret or new_secret()
        row = AccountRow(
            id=new_id("a"),
            parent=parent,
            name=name,
            currency=self._accounts[parent].currency,
            usage_limit=usage_limit,
            created=utc_now(),
            secret_hash=self._key.hash(secret),
            sealed_secret=self._key.seal(secret),
        )
        self._save_account(row)
        return row

    def change_account(self, account_id: str, *, secret: str | None = None, **changes: Any) -> AccountRow:
        """Replaces columns of an account; `secret` only of a subaccount."""
        row = replace(self._accounts[account_id], **changes)
        if secret is not None:
            row = replace(row, secret_hash=self._key.hash(secret), sealed_secret=self._key.seal(secret))
        self._save_account(row)
        return row

    def delivery_of(self, account_id: str) -> Mapping[str, Any] | None:
        """The account's own policy for what is owed to it, else its parent's; `None`: neither has one."""
        row = self._accounts.get(account_id)
        if row is not None and row.delivery is None and row.parent is not None:
            row = self._accounts[row.parent]
        return None if row is None else row.delivery

    def retries_timeouts(self, account_id: str) -> bool:
        """Whether the account, or its parent, wants applications asked again that did not answer in time."""
        row = self._accounts.get(account_id)
        parent = None if row is None or row.parent is None else self._accounts[row.parent]
        return any(one.retry_timeouts for one in (row, parent) if one is not None)

    def secret_of(self, row: AccountRow | NumberRow) -> str | None:
        """The secret of a subaccount or phone, as the API shows it again."""
        return None if row.sealed_secret is None else self._key.unseal(row.sealed_secret)

    def _is_active(self, row: AccountRow) -> bool:
        return row.active and (row.parent is None or self._accounts[row.parent].active)

    def _keep_account(self, row: AccountRow) -> None:
        self._accounts[row.id] = row
        if row.api_key_hash is not None:
            self._by_api_key[row.api_key_hash] = row.id

    def _save_account(self, row: AccountRow) -> None:
        self._keep_account(row)
        self._writer.put(statements.SAVE_ACCOUNT, columns_of(row), key=row.id)

    # ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def credit_left(self, account_id: str) -> int | None:
        """What may still be spent, in 1/10000; `None`: without limit. May be below zero."""
        row = self._accounts[account_id]
        limits = []
        if row.usage_limit is not None:
            limits.append(row.usage_limit - row.balance_used)
        payer = row if row.parent is None else self._accounts[row.parent]
        if payer.credit_limited:
            limits.append(payer.balance)
        return min(limits) if limits else None

    def charge(self, account_id: str, cost: int, reference: str) -> ChargeRow:
        """Draws money, whatever is left: what a call has used is owed. A subaccount's comes from its parent."""
        row = self._accounts[account_id]
        payer = row if row.parent is None else self._accounts[row.parent]
        charge = ChargeRow(
            id=new_id("b"),
            account=payer.id,
            subaccount=row.id if row.parent is not None else None,
            reference=reference,
            cost=cost,
            created=utc_now(),
        )
        self._save_account(replace(payer, balance=payer.balance - cost))
        if row.parent is not None:
            self._save_account(replace(row, balance_used=row.balance_used + cost))
        self._writer.put(statements.INSERT_CHARGE, columns_of(charge))
        return charge

    def set_balance(self, account_id: str, amount: int | None, details: str = "set by the operator") -> AccountRow:
        """Sets the balance, from which on calls are refused when it is gone; `None`: no limit any more."""
        row = self._accounts[account_id]
        if amount is None:
            return self.change_account(account_id, credit_limited=False)
        transaction = TransactionRow(
            id=new_id("t"), account=account_id, details=details, amount=amount - row.balance, created=utc_now()
        )
        self._writer.put(statements.INSERT_TRANSACTION, columns_of(transaction))
        return self.change_account(account_id, balance=amount, credit_limited=True)

    # ── caller IDs ───────────────────────────────────────────────────────────────────────────────────────────────────

    def caller_ids(self, account_id: str) -> list[CallerIdRow]:
        """Numbers that an account may show besides its own."""
        return sorted(self._caller_ids[account_id].values(), key=lambda row: row.number)

    def add_caller_id(self, account_id: str, number: str) -> CallerIdRow:
        """Lets an account show a number; again is no error."""
        found = self._caller_ids[account_id].get(number)
        if found is not None:
            return found
        row = CallerIdRow(account=account_id, number=number, created=utc_now())
        self._caller_ids[account_id][number] = row
        self._writer.put(statements.INSERT_CALLER_ID, columns_of(row))
        return row

    def remove_caller_id(self, account_id: str, number: str) -> bool:
        """Whether it was there."""
        if self._caller_ids[account_id].pop(number, None) is None:
            return False
        self._writer.put(statements.DELETE_CALLER_ID, {"of_account": account_id, "of_number": number})
        return True

    def may_show(self, account_id: str, number: str) -> bool:
        """Whether it is a number of the account, or one of its caller IDs."""
        row = self.number(number)
        return (row is not None and row.account == account_id) or number in self._caller_ids.get(account_id, ())

    # ── trunks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def trunks(self) -> list[TrunkRow]:
        """All trunks, oldest first."""
        return sorted(self._trunks.values(), key=lambda row: row.created)

    def trunk(self, name_or_id: str) -> TrunkRow | None:
        """By id, or by name."""
        found = self._trunks.get(name_or_id)
        if found is not None:
            return found
        return next((row for row in self._trunks.values() if row.name == name_or_id), None)

    def trunks_to(self, number: str) -> list[TrunkRow]:
        """The trunks that a number may be dialled through: those of the longest matching prefix, oldest first."""
        for length in range(len(number), 0, -1):
            found = self._by_prefix.get(number[:length])
            if found:
                return [self._trunks[trunk_id] for trunk_id in found]
        return []

    def trunks_from(self, address: str) -> list[TrunkRow]:
        """The trunks whose calls may come from an IP address (by their `from_addresses` alone)."""
        source = ip_address(address)
        return [row for row in self.trunks() if any(source in ip_network(network) for network in row.from_addresses)]

    def add_trunk(
        self,
        name: str,
        address: str,
        *,
        username: str = "",
        password: str = "",
        register: bool = False,
        prefixes: Iterable[str] = (),
        from_addresses: Iterable[str] = (),
    ) -> TrunkRow:
        """Adds a carrier. Raises `AlreadyThere`."""
        if self.trunk(name) is not None:
            raise AlreadyThere(f"trunk {name}")
        row = TrunkRow(
            id=new_id("k"),
            name=name,
            address=address,
            username=username,
            sealed_password=self._key.seal(password) if password else None,
            register=register,
            prefixes=tuple(prefixes),
            from_addresses=tuple(from_addresses),
            created=utc_now(),
        )
        self._trunks[row.id] = row
        self._index_prefixes()
        self._writer.put(statements.SAVE_TRUNK, columns_of(row), key=row.id)
        return row

    def remove_trunk(self, trunk_id: str) -> None:
        """Forgets a carrier; its numbers stay and cannot be called."""
        del self._trunks[trunk_id]
        self._index_prefixes()
        self._writer.put(statements.DELETE_TRUNK, {"of_id": trunk_id})

    def trunk_password(self, row: TrunkRow) -> str:
        """What we register and answer challenges with."""
        return self._key.unseal(row.sealed_password) if row.sealed_password is not None else ""

    def _index_prefixes(self) -> None:
        self._by_prefix = {}
        for row in self.trunks():
            for prefix in row.prefixes:
                self._by_prefix.setdefault(prefix, []).append(row.id)

    # ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def number(self, number: str) -> NumberRow | None:
        """The number as it is now, free or in use; `+` first."""
        found = self._by_number.get(number)
        return None if found is None else self._numbers[found]

    def number_by_id(self, number_id: str) -> NumberRow | None:
        """Also one that was deallocated."""
        return self._numbers.get(number_id)

    def numbers(self) -> list[NumberRow]:
        """All that are not deallocated, oldest first."""
        return sorted((row for row in self._numbers.values() if row.active), key=lambda row: row.created)

    def numbers_of(self, account_id: str) -> list[NumberRow]:
        """An account's numbers, deallocated ones too, by `allocated`, newest first."""
        mine = (row for row in self._numbers.values() if row.account == account_id)
        return sorted(mine, key=lambda row: (row.allocated or row.created, row.id), reverse=True)

    def free_number(
        self,
        *,
        country: str | None = None,
        category: str | None = None,
        capabilities: Iterable[str] = (),
        number: str | None = None,
    ) -> NumberRow | None:
        """The oldest free number that is all that was asked for."""
        wanted = frozenset(capabilities)
        for row in self.numbers():
            if (
                row.account is None
                and row.pooled
                and country in (None, row.country)
                and category in (None, row.category)
                and number in (None, row.number)
                and wanted <= frozenset(row.capabilities)
            ):
                return row
        return None

    def add_number(self, number: str, **columns: Any) -> NumberRow:
        """Adds a number of a trunk; with `account` it is allocated at once. Raises `AlreadyThere`."""
        if number in self._by_number:
            raise AlreadyThere(f"number {number}")
        now = utc_now()
        allocated = now if columns.get("account") is not None else None
        row = NumberRow(id=new_id("n"), number=number, kind="trunk", created=now, allocated=allocated, **columns)
        self._save_number(row)
        return row

    def add_phone(self, account_id: str, number: str | None = None, *, kind: str = "voip", **columns: Any) -> NewPhone:
        """Adds a number that a phone registers as; made up if not given. Raises `AlreadyThere`."""
        if number is None:
            number = self._unused_phone_number()
        elif number in self._by_number:
            raise AlreadyThere(f"number {number}")
        now, secret = utc_now(), new_secret()
        row = NumberRow(
            id=new_id("n"),
            number=number,
            kind=kind,
            account=account_id,
            category=kind,
            created=now,
            allocated=now,
            sealed_secret=self._key.seal(secret),
            **columns,
        )
        self._save_number(row)
        return NewPhone(row=row, secret=secret)

    def allocate(self, number_id: str, account_id: str, **columns: Any) -> NumberRow:
        """Gives a free number to an account."""
        row = replace(self._numbers[number_id], account=account_id, allocated=utc_now(), **columns)
        self._save_number(row)
        return row

    def change_number(self, number_id: str, **columns: Any) -> NumberRow:
        """Replaces columns of a number."""
        row = replace(self._numbers[number_id], **columns)
        self._save_number(row)
        return row

    def deallocate(self, number_id: str) -> NumberRow:
        """Takes a number away for ever; one that came from the free ones is free again, under a new id."""
        row = replace(self._numbers[number_id], active=False, deallocated=utc_now(), sealed_secret=None)
        self._save_number(row)
        if row.pooled:
            again = NumberRow(
                id=new_id("n"),
                number=row.number,
                kind=row.kind,
                trunk=row.trunk,
                country=row.country,
                category=row.category,
                capabilities=row.capabilities,
                cost=row.cost,
                pooled=True,
                created=utc_now(),
            )
            self._save_number(again)
        return row

    def phone(self, user: str) -> NumberRow | None:
        """The phone that registers under a user name, with or without `+`."""
        row = self.number("+" + user.removeprefix("+"))
        return row if row is not None and row.kind != "trunk" else None

    def phone_secret(self, row: NumberRow) -> str | None:
        """A phone's password; unsealed once."""
        if row.sealed_secret is None:
            return None
        secret = self._phone_secrets.get(row.id)
        if secret is None:
            secret = self._phone_secrets[row.id] = self._key.unseal(row.sealed_secret)
        return secret

    def _unused_phone_number(self) -> str:
        while True:
            number = f"{PHONE_PREFIX}{10 ** (PHONE_DIGITS - 1) + randbelow(9 * 10 ** (PHONE_DIGITS - 1))}"
            if number not in self._by_number:
                return number

    def _keep_number(self, row: NumberRow) -> None:
        self._numbers[row.id] = row
        if row.active:
            self._by_number[row.number] = row.id
        elif self._by_number.get(row.number) == row.id:
            del self._by_number[row.number]

    def _save_number(self, row: NumberRow) -> None:
        self._keep_number(row)
        self._writer.put(statements.SAVE_NUMBER, columns_of(row), key=row.id)


def _load(connection: Connection, table: Table, kind: Callable[..., R]) -> list[R]:
    rows = []
    for row in connection.execute(select(table)):
        values: dict[str, Any] = dict(row._mapping)
        rows.append(
            kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
        )
    return rows


def _newest_first(rows: Iterable[AccountRow]) -> list[AccountRow]:
    return sorted(rows, key=lambda row: (row.created, row.id), reverse=True)
