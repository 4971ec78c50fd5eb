"""The server key: what secrets are checked by and sealed with, and the making of secrets and ids.

API secrets are kept as HMAC-SHA-256 under the key: they have 128 random bits or more, so a slow hash would add nothing,
and the code is found by look-up. Secrets that an API must show again are sealed with Fernet under a key derived apart.
What is written many times a second, and for this server alone, is sealed with AES-GCM, which takes a twentieth of the
time.
"""

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["KEY_FILE", "KeyFileError", "ServerKey", "new_id", "new_secret"]

KEY_FILE = "server.key"
KEY_BYTES = 32
SECRET_BYTES = 16
NONCE_BYTES = 12


class KeyFileError(Exception):
    """The key file cannot be used; the text says what to do."""


def new_id(letter: str) -> str:
    """`letter` and 32 hex digits, 128 random bits."""
    return letter + secrets.token_hex(16)


def new_secret() -> str:
    """128 random bits in the upper-case hex digits that 46elks shows."""
    return secrets.token_hex(SECRET_BYTES).upper()


class ServerKey:
    """Checks and seals secrets."""

    def __init__(self, key: bytes) -> None:
        self._check_key = hmac.digest(key, b"offhook check", "sha256")
        self._link_key = hmac.digest(key, b"offhook link", "sha256")
        self._data = AESGCM(hmac.digest(key, b"offhook data", "sha256"))
        self._fernet = Fernet(base64.urlsafe_b64encode(hmac.digest(key, b"offhook seal", "sha256")))

    @classmethod
    def load(cls, data_dir: Path) -> "ServerKey":
        """The key in `data_dir/server.key`, made (mode 600) if there is none. Raises `KeyFileError`."""
        path = data_dir / KEY_FILE
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
        if path.stat().st_mode & 0o077:
            raise KeyFileError(f"{path} can be read by others; run: chmod 600 {path}")
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise KeyFileError(f"{path} is damaged ({len(key)} bytes instead of {KEY_BYTES}); restore it from a backup")
        return cls(key)

    def hash(self, secret: str) -> bytes:
        """What is kept of a secret."""
        return hmac.digest(self._check_key, secret.encode(), hashlib.sha256)

    def matches(self, secret: str, kept: bytes) -> bool:
        """Whether `kept` is of `secret`, in constant time."""
        return hmac.compare_digest(self.hash(secret), kept)

    def link_key(self, name: str) -> str:
        """What a link to one thing bears, so that whoever has the link needs no credentials: 128 bits, in hex."""
        return hmac.digest(self._link_key, name.encode(), "sha256")[:16].hex()

    def seal(self, secret: str) -> bytes:
        """Encrypts a secret that must be shown again."""
        return self._fernet.encrypt(secret.encode())

    def seal_data(self, data: bytes) -> bytes:
        """Encrypts what only a server reads again. The nonce of 96 bits is chance (NIST SP 800-38D, 8.2.2)."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._data.encrypt(nonce, data, None)

    def unseal_data(self, sealed: bytes) -> bytes:
        """The data again. Raises `KeyFileError` if it was sealed under another key, or is damaged."""
        try:
            return self._data.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], None)
        except (InvalidTag, ValueError):
            raise KeyFileError(f"what was sealed is damaged, or of another {KEY_FILE}") from None

    def unseal(self, sealed: bytes) -> str:
        """The secret again. Raises `KeyFileError` if it was sealed under another key."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            raise KeyFileError(
                f"a secret was sealed under another {KEY_FILE}; restore the one that belongs here"
            ) from None
