"""Peculiarities of a service that an account's applications rely on."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    with op.batch_alter_table("accounts") as changed:
        changed.add_column(sa.Column("quirks", sa.JSON(), nullable=False, server_default="[]"))
