"""The schema's history, run at start. `HEAD` names the newest: a start without changes need not load Alembic."""

HEAD = "0009"
