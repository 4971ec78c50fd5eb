"""How the operator's commands find the server and prove themselves: `http.address` and `admin.token` in `data_dir`."""

import contextlib
import hmac
import logging
import os
import re
import secrets
from pathlib import Path

__all__ = ["TOKEN_FILE", "AdminToken", "announce", "announced"]

TOKEN_FILE = "admin.token"
ADDRESS_FILE = "http.address"
TOKEN_BYTES = 32
USABLE = re.compile(rb"[\x21-\x7e]{%d,}" % TOKEN_BYTES)

log = logging.getLogger(__name__)


class AdminToken:
    """The operator's token; whoever can read the file may do everything."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    @classmethod
    def make(cls, data_dir: Path) -> "AdminToken":
        """The token in `data_dir/admin.token`, made (mode 600) if there is none, or none that could let anybody in: a
        file that a full disk cut short would keep the operator out for good."""
        path = data_dir / TOKEN_FILE
        with contextlib.suppress(FileNotFoundError):
            found = path.read_bytes().strip()
            if USABLE.fullmatch(found):
                return cls(found.decode("ascii"))
        token = secrets.token_urlsafe(TOKEN_BYTES)
        new = path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            file.write(token + "\n")
        new.replace(path)
        return cls(token)

    def matches(self, authorization: bytes | None) -> bool:
        """Whether an Authorization header bears it: `Bearer <token>`."""
        if authorization is None or authorization[:7].lower() != b"bearer ":
            return False
        return len(self._token) >= TOKEN_BYTES and hmac.compare_digest(authorization[7:].strip(), self._token)


def announce(data_dir: Path, url: str) -> None:
    """Says in `data_dir/http.address` where the API is: it need not be where the settings say.

    A full disk is no reason not to start: calls that a dead server left wait for this one.
    """
    if announced(data_dir) == url:
        return
    try:
        (data_dir / ADDRESS_FILE).write_text(url + "\n", encoding="utf-8")
    except OSError as error:
        log.warning("%s cannot be written: %s", data_dir / ADDRESS_FILE, error.strerror)


def announced(data_dir: Path) -> str | None:
    """Where the last server of this data directory had its API; it may be gone."""
    try:
        return (data_dir / ADDRESS_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
