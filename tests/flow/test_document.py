"""Documents to be fetched."""

import dataclasses

import pytest

from offhook.flow.document import Document


def test_a_document_is_asked_for_by_post_and_never_changes() -> None:
    document = Document(url="https://app.example/")
    assert document == Document(url="https://app.example/", method="POST")
    with pytest.raises(dataclasses.FrozenInstanceError):
        document.method = "GET"  # type: ignore[misc]
