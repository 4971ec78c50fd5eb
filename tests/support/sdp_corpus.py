"""Descriptions in the shape that well-known peers write them, with values of our own. Test data: no test in here."""

from pathlib import Path

FOLDER = Path(__file__).parent.parent / "sdp" / "corpus"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.sdp")))


def body(name: str) -> bytes:
    """The description called `name` as it travels: with CRLF."""
    return (FOLDER / f"{name}.sdp").read_bytes().replace(b"\n", b"\r\n")
