"""The first tables. Times are microseconds since 1970, money is in 1/10000 of the currency."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _accounts()
    _caller_ids()
    _calls()
    _charges()
    _events()
    _numbers()
    _recordings()
    _transactions()
    _trunks()


def _accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(length=33), nullable=False),
        sa.Column("parent", sa.String(length=33), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("mobile_number", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("credit_limited", sa.Boolean(), nullable=False),
        sa.Column("credit_alert", sa.BigInteger(), nullable=False),
        sa.Column("usage_limit", sa.BigInteger(), nullable=True),
        sa.Column("balance_used", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("deactivated", sa.BigInteger(), nullable=True),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("api_key_hash", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def _caller_ids() -> None:
    op.create_table(
        "caller_ids",
        sa.Column("account", sa.String(length=33), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "number"),
    )


def _calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("owner", sa.String(length=33), nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("from_number", sa.Text(), nullable=False),
        sa.Column("to_number", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("started", sa.BigInteger(), nullable=True),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=True),
        sa.Column("cost", sa.BigInteger(), nullable=True),
        sa.Column("ring_timeout_s", sa.Integer(), nullable=True),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("legs", sa.JSON(), nullable=False),
        sa.Column("recordings", sa.JSON(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("calls_by_created", "calls", ["created"], unique=False)
    op.create_index("calls_by_owner", "calls", ["owner", "created"], unique=False)
    op.create_index("calls_by_state", "calls", ["state"], unique=False)


def _charges() -> None:
    op.create_table(
        "charges",
        sa.Column("id", sa.String(length=33), nullable=False),
        sa.Column("account", sa.String(length=33), nullable=False),
        sa.Column("subaccount", sa.String(length=33), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("charges_by_account", "charges", ["account", "created"], unique=False)


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "seq"),
        sqlite_with_rowid=False,
    )


def _numbers() -> None:
    op.create_table(
        "numbers",
        sa.Column("id", sa.String(length=33), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("trunk", sa.String(length=33), nullable=True),
        sa.Column("account", sa.String(length=33), nullable=True),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("capabilities", sa.JSON(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("voice_start", sa.Text(), nullable=False),
        sa.Column("dialect", sa.String(length=16), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("sms_url", sa.Text(), nullable=False),
        sa.Column("mms_url", sa.Text(), nullable=False),
        sa.Column("sms_replies", sa.Boolean(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("pooled", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("allocated", sa.BigInteger(), nullable=True),
        sa.Column("deallocated", sa.BigInteger(), nullable=True),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("numbers_by_number", "numbers", ["number"], unique=False)


def _recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=33), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "number"),
    )
    op.create_index("recordings_by_expiry", "recordings", ["expires"], unique=False)
    op.create_index("recordings_by_owner", "recordings", ["owner", "created"], unique=False)


def _transactions() -> None:
    op.create_table(
        "transactions",
        sa.Column("id", sa.String(length=33), nullable=False),
        sa.Column("account", sa.String(length=33), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("transactions_by_account", "transactions", ["account", "created"], unique=False)


def _trunks() -> None:
    op.create_table(
        "trunks",
        sa.Column("id", sa.String(length=33), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("sealed_password", sa.LargeBinary(), nullable=True),
        sa.Column("register", sa.Boolean(), nullable=False),
        sa.Column("prefixes", sa.JSON(), nullable=False),
        sa.Column("from_addresses", sa.JSON(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
