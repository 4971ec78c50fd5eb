"""How the operator's commands find the server and prove themselves: `http.address` and `admin.token` in `data_dir`."""

import hmac
import os
import secrets
from pathlib import Path

__all__ = ["TOKEN_FILE", "AdminToken", "announce", "announced"]

TOKEN_FILE = "admin.token"
ADDRESS_FILE = "http.address"
TOKEN_BYTES = 32


class AdminToken:
    """The operator's token; whoever can read the file may do everything."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    @classmethod
    def make(cls, data_dir: Path) -> "AdminToken":
        """The token in `data_dir/admin.token`, made (mode 600) if there is none."""
        path = data_dir / TOKEN_FILE
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return cls(path.read_text(encoding="ascii").strip())
        token = secrets.token_urlsafe(TOKEN_BYTES)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token + "\n")
        return cls(token)

    def matches(self, authorization: bytes | None) -> bool:
        """Whether an Authorization header bears it: `Bearer <token>`."""
        if authorization is None or authorization[:7].lower() != b"bearer ":
            return False
        return len(self._token) >= TOKEN_BYTES and hmac.compare_digest(authorization[7:].strip(), self._token)


def announce(data_dir: Path, url: str) -> None:
    """Says in `data_dir/http.address` where the API is: it need not be where the settings say."""
    (data_dir / ADDRESS_FILE).write_text(url + "\n", encoding="utf-8")


def announced(data_dir: Path) -> str | None:
    """Where the last server of this data directory had its API; it may be gone."""
    try:
        return (data_dir / ADDRESS_FILE).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
