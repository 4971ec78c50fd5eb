"""The keys that an account's webhooks are signed with: one, or for a while after a rotation the older ones beside it.

Held in memory like the directory, since every webhook needs them; sealed under the server key in the database.
"""

import base64
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from offhook.storage import schema, statements
from offhook.storage.keys import ServerKey
from offhook.storage.rows import SigningKeyRow, columns_of
from offhook.storage.writer import Writer

__all__ = ["KEY_PREFIX", "SigningKey", "SigningKeys"]

KEY_PREFIX = "whsec_"
KEY_BYTES = 32
"""Standard Webhooks wants 24 to 64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key as its account knows it."""

    text: str
    """`whsec_` and base64."""
    created: datetime
    expires: datetime | None


class SigningKeys:
    """Look-ups of microseconds, and changes that never wait."""

    def __init__(self, connection: Connection, writer: Writer, key: ServerKey) -> None:
        self._writer = writer
        self._key = key
        self._rows: dict[str, list[SigningKeyRow]] = {}
        """Of each account, the newest first."""
        self._texts: dict[bytes, str] = {}
        table = schema.signing_keys
        for row in connection.execute(select(table).order_by(table.c.number.desc())):
            found = SigningKeyRow(**row._mapping)
            self._rows.setdefault(found.account, []).append(found)

    def in_force(self, account: str, now: datetime) -> tuple[SigningKey, ...]:
        """All keys that sign now, the newest first; the first of an account is made when it is asked for."""
        rows = self._rows.get(account)
        if rows is None:
            self._add(account, now)
            rows = self._rows[account]
        return tuple(self._shown(row) for row in rows if row.expires is None or row.expires > now)

    def rotate(self, account: str, now: datetime, overlap: timedelta) -> SigningKey:
        """A new key; those before it go on signing for the overlap, or as long as they still had if that is less."""
        self.in_force(account, now)
        until = now + overlap
        kept = []
        for row in self._rows[account]:
            ending = replace(row, expires=until if row.expires is None else min(row.expires, until))
            assert ending.expires is not None
            if ending.expires > now:
                kept.append(ending)
                self._save(ending)
            else:
                self._texts.pop(row.sealed, None)
                self._writer.put(statements.DELETE_SIGNING_KEY, {"of_account": row.account, "of_number": row.number})
        newest = self._rows[account][0].number
        self._rows[account] = kept
        self._add(account, now, newest + 1)
        return self.in_force(account, now)[0]

    def _add(self, account: str, now: datetime, number: int = 1) -> None:
        text = KEY_PREFIX + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode("ascii")
        row = SigningKeyRow(account=account, number=number, sealed=self._key.seal(text), created=now)
        self._rows.setdefault(account, []).insert(0, row)
        self._save(row)

    def _save(self, row: SigningKeyRow) -> None:
        self._writer.put(statements.SAVE_SIGNING_KEY, columns_of(row), key=f"{row.account}-{row.number}")

    def _shown(self, row: SigningKeyRow) -> SigningKey:
        text = self._texts.get(row.sealed)
        if text is None:
            text = self._texts[row.sealed] = self._key.unseal(row.sealed)
        return SigningKey(text=text, created=row.created, expires=row.expires)
