"""A document to be fetched, as a value that verbs, targets and steps can name. Knows nothing of how it is fetched."""

from dataclasses import dataclass

__all__ = ["Document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document to be fetched from the customer's web application, and gone on with."""

    url: str
    """Absolute; a dialect with relative URLs resolves them while reading."""
    method: str = "POST"
