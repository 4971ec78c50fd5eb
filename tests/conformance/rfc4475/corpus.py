"""RFC 4475's messages, typed in the notation of its section 2 and expanded to octets.

`messages/NAME.txt` holds one message, lines ended by LF that stand for CRLF. `<allOneLine>` joins its lines (section
2.1), `<hex>` holds octets (2.2), `<repeat count=N>` repeats (2.3). `SHA256SUMS` are the sums of the octets that the
RFC's appendix encloses.
"""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
_ONE_LINE = re.compile(r"<allOneLine>\n(.*?)\n</allOneLine>", re.DOTALL)
_REPEAT = re.compile(r"<repeat count=([0-9]+)>(.*?)</repeat>")
_HEX = re.compile(rb"<hex>([0-9A-F]*)</hex>")


def names() -> list[str]:
    """The names of all messages, as the RFC gives them."""
    return sorted(path.stem for path in (FOLDER / "messages").glob("*.txt"))


def octets(name: str) -> bytes:
    """The message `name` as it is on the wire."""
    text = (FOLDER / "messages" / f"{name}.txt").read_text(encoding="utf-8")
    text = _ONE_LINE.sub(lambda found: found.group(1).replace("\n", ""), text)
    text = _REPEAT.sub(lambda found: found.group(2) * int(found.group(1)), text)
    data = text.replace("\n", "\r\n").encode()
    return _HEX.sub(lambda found: bytes.fromhex(found.group(1).decode()), data)


def sums() -> dict[str, str]:
    """SHA-256 of every message by name."""
    pairs = (line.split() for line in (FOLDER / "SHA256SUMS").read_text(encoding="ascii").splitlines())
    return {name.removesuffix(".dat"): digest for digest, name in pairs}
