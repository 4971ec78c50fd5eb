"""What of a customer's URL may stand in a timeline: all but what may be a secret.

Passwords stand before the host, and shared keys in queries are the documented way to know 46elks; both are blanked.
"""

from urllib.parse import urlsplit

__all__ = ["shown_url"]

BLANK = "…"
URL_MAX_CHARS = 300


def shown_url(url: str) -> str:
    """A URL without its user and with the values of its query blanked; a text that is no URL, cut to size."""
    try:
        parts = urlsplit(url)
        authority = parts.netloc.rpartition("@")[2]
    except ValueError:
        return url[:URL_MAX_CHARS]
    before = f"{BLANK}@" if "@" in parts.netloc else ""
    query = "&".join(_blanked(pair) for pair in parts.query.split("&") if pair)
    return parts._replace(netloc=before + authority, query=query, fragment="").geturl()[:URL_MAX_CHARS]


def _blanked(pair: str) -> str:
    """A bare word in a query may be the secret itself."""
    name, equals, _ = pair.partition("=")
    return f"{name}={BLANK}" if equals else BLANK
