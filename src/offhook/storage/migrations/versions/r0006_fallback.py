"""What calls go on with where a web application fails: of an account, and of a number."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for table in ("accounts", "numbers"):
        with op.batch_alter_table(table) as changed:
            changed.add_column(sa.Column("fallback", sa.Text(), nullable=False, server_default=""))
