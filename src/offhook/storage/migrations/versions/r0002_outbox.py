"""What is owed to customers, and an account's own policy for it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("accounts") as accounts:
        accounts.add_column(sa.Column("delivery", sa.JSON(), nullable=True))
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("call_id", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=33), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.BigInteger(), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("outbox_by_call", "outbox", ["call_id", "sequence"], unique=False)
    op.create_index("outbox_by_account", "outbox", ["account", "created"], unique=False)
    op.create_index("outbox_by_state", "outbox", ["state", "created"], unique=False)
    op.create_index("outbox_by_created", "outbox", ["created"], unique=False)
    op.create_index("outbox_by_done", "outbox", ["done"], unique=False)
