"""Whether a control webhook that was not answered in time is asked again: what an account wants."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    with op.batch_alter_table("accounts") as changed:
        changed.add_column(sa.Column("retry_timeouts", sa.Boolean(), nullable=False, server_default="0"))
