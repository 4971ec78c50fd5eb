"""The tables. `migrations/` makes them; a test holds the two together.

Times are whole microseconds since 1970 UTC, so that they sort, page and compare as numbers. Money is in 1/10000 of the
account's currency. Nothing points at anything with a foreign key: rows of a call may arrive in any order within a
group.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

__all__ = [
    "UtcTime",
    "accounts",
    "caller_ids",
    "calls",
    "charges",
    "events",
    "idempotency_keys",
    "metadata",
    "numbers",
    "outbox",
    "recordings",
    "signing_keys",
    "transactions",
    "trunks",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _microseconds(value: datetime) -> int:
    since = value - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class UtcTime(TypeDecorator[datetime]):
    """An aware datetime, kept as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else _microseconds(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], int | None]:
        """The same without the calls that lie between: there is one in each entry of each timeline."""
        return lambda value: None if value is None else _microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else EPOCH + timedelta(microseconds=value)


metadata = MetaData()

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(33), primary_key=True),  # u and 32 hex digits; a subaccount: a and 32
    Column("parent", String(33), nullable=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("mobile_number", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("balance", BigInteger, nullable=False),
    Column("credit_limited", Boolean, nullable=False),
    Column("credit_alert", BigInteger, nullable=False),
    Column("usage_limit", BigInteger, nullable=True),
    Column("balance_used", BigInteger, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("deactivated", UtcTime, nullable=True),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("api_key_hash", LargeBinary, nullable=True),
    Column("sealed_secret", LargeBinary, nullable=True),
    Column("delivery", JSON(none_as_null=True), nullable=True),
    Column("fallback", Text, nullable=False, server_default=""),
    Column("quirks", JSON, nullable=False, server_default="[]"),
    Column("retry_timeouts", Boolean, nullable=False, server_default="0"),
)

caller_ids = Table(
    "caller_ids",
    metadata,
    Column("account", String(33), primary_key=True),
    Column("number", String(32), primary_key=True),
    Column("created", UtcTime, nullable=False),
)

trunks = Table(
    "trunks",
    metadata,
    Column("id", String(33), primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("address", Text, nullable=False),
    Column("username", Text, nullable=False),
    Column("sealed_password", LargeBinary, nullable=True),
    Column("register", Boolean, nullable=False),
    Column("prefixes", JSON, nullable=False),
    Column("from_addresses", JSON, nullable=False),
    Column("created", UtcTime, nullable=False),
)

numbers = Table(
    "numbers",
    metadata,
    Column("id", String(33), primary_key=True),
    Column("number", String(32), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("trunk", String(33), nullable=True),
    Column("account", String(33), nullable=True),
    Column("country", String(2), nullable=False),
    Column("category", String(16), nullable=False),
    Column("capabilities", JSON, nullable=False),
    Column("name", Text, nullable=False),
    Column("voice_start", Text, nullable=False),
    Column("dialect", String(16), nullable=False),
    Column("method", String(8), nullable=False),
    Column("sms_url", Text, nullable=False),
    Column("mms_url", Text, nullable=False),
    Column("sms_replies", Boolean, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("pooled", Boolean, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("allocated", UtcTime, nullable=True),
    Column("deallocated", UtcTime, nullable=True),
    Column("sealed_secret", LargeBinary, nullable=True),
    Column("fallback", Text, nullable=False, server_default=""),
    Index("numbers_by_number", "number"),
)

calls = Table(
    "calls",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", String(33), nullable=False),
    Column("direction", String(8), nullable=False),
    Column("from_number", Text, nullable=False),
    Column("to_number", Text, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("started", UtcTime, nullable=True),
    Column("ended", UtcTime, nullable=True),
    Column("state", String(16), nullable=False),
    Column("cause", String(32), nullable=True),
    Column("cost", BigInteger, nullable=True),
    Column("ring_timeout_s", Integer, nullable=True),
    Column("actions", JSON, nullable=False),
    Column("legs", JSON, nullable=False),
    Column("recordings", JSON, nullable=False),
    Column("deleted", UtcTime, nullable=True),
    Index("calls_by_owner", "owner", "created"),
    Index("calls_by_created", "created"),
    Index("calls_by_state", "state"),
)

events = Table(
    "events",
    metadata,
    Column("call_id", String(32), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("data", JSON, nullable=False),
    sqlite_with_rowid=False,
)

recordings = Table(
    "recordings",
    metadata,
    Column("call_id", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("owner", String(33), nullable=False),
    Column("path", Text, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("duration_s", Float, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("expires", UtcTime, nullable=False),
    Index("recordings_by_owner", "owner", "created"),
    Index("recordings_by_expiry", "expires"),
)

charges = Table(
    "charges",
    metadata,
    Column("id", String(33), primary_key=True),
    Column("account", String(33), nullable=False),
    Column("subaccount", String(33), nullable=True),
    Column("reference", Text, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("created", UtcTime, nullable=False),
    Index("charges_by_account", "account", "created"),
)

transactions = Table(
    "transactions",
    metadata,
    Column("id", String(33), primary_key=True),
    Column("account", String(33), nullable=False),
    Column("details", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("created", UtcTime, nullable=False),
    Index("transactions_by_account", "account", "created"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("call_id", String(32), nullable=False),  # empty outside calls
    Column("account", String(33), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("state", String(16), nullable=False),  # owed, delivered, dead
    Column("tries", Integer, nullable=False),
    Column("next_try", UtcTime, nullable=True),
    Column("done", UtcTime, nullable=True),
    Column("status", Integer, nullable=True),
    Column("why", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("receiver", Text, nullable=False, server_default=""),
    Index("outbox_by_call", "call_id", "sequence"),
    Index("outbox_by_account", "account", "created"),
    Index("outbox_by_state", "state", "account", "receiver", "created"),
    Index("outbox_by_created", "created"),
    Index("outbox_by_done", "done"),
)

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("account", String(33), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("expires", UtcTime, nullable=True),
)

restore_facts = Table(
    "restore_facts",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("owner", String(33), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("call_id", String(32), nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("status", Integer, nullable=True),
    Column("content_type", Text, nullable=False),
    Column("sealed_body", LargeBinary, nullable=True),
    Index("idempotency_keys_by_created", "created"),
)
