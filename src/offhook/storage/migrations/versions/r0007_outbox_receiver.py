"""Whose server a post is for, so that what is owed to one that is down for long need not be held in memory."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    with op.batch_alter_table("outbox") as outbox:
        outbox.add_column(sa.Column("receiver", sa.Text(), nullable=False, server_default=""))
        outbox.drop_index("outbox_by_state")
        outbox.create_index("outbox_by_state", ["state", "account", "receiver", "created"], unique=False)
