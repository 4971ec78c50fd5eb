"""URLs of webhooks and sounds in documents and settings: http and https, absolute. Shared by dialects.

Says whether a URL can be asked at all; whether it may be asked is for the URL guard.
"""

import re
from urllib.parse import urljoin, urlsplit

__all__ = ["absolute_url", "is_web", "resolved_url"]

_UNSENDABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_WEB = ("http://", "https://")
_RELATIVE = ("/", "./", "../", "?")


def absolute_url(text: str, address: str) -> str | None:
    """An absolute http or https URL, or `None`. `address` is the base for what begins as a path or a query does.

    Blanks inside are encoded: a form that lost a `+` has put them there.
    """
    url = text.strip().replace(" ", "%20")
    if _UNSENDABLE.search(url):
        return None
    try:
        if address and url.startswith(_RELATIVE) and not url.startswith("//"):
            url = urljoin(address, url)
        if not is_web(url):
            return None
        parts = urlsplit(url)
        # Asking for the port is what finds out that it is none.
        return url if parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def resolved_url(text: str, address: str) -> str | None:
    """As `absolute_url`, but whatever is no URL of its own is relative to `address` (RFC 3986 §5): `next.xml` too."""
    url = text.strip()
    if not url or is_web(url):
        return absolute_url(url, "")
    try:
        return absolute_url(urljoin(address, url), "")
    except ValueError:
        return None


def is_web(text: str) -> bool:
    """Whether a text begins as an http or https URL does."""
    return text[:8].lower().startswith(_WEB)
