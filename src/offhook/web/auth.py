"""Who asks: an account by its credentials, or the operator by the token in `admin.token`."""

import hmac
import os
import secrets
from pathlib import Path

__all__ = ["TOKEN_FILE", "AdminToken"]

TOKEN_FILE = "admin.token"
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
