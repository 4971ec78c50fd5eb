"""What of a URL may be seen in a timeline."""

import pytest

from offhook.call.masking import shown_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://app.example/hook", "https://app.example/hook"),
        ("https://user:pass@app.example:8443/hook", "https://…@app.example:8443/hook"),
        ("https://app.example/hook?key=s3cret&step=2", "https://app.example/hook?key=…&step=…"),
        ("https://app.example/hook?s3cret#f", "https://app.example/hook?…"),
        ("not a url", "not a url"),
        ("http://[broken/hook", "http://[broken/hook"),
    ],
)
def test_secrets_are_blanked(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_it_is_cut_to_size() -> None:
    assert len(shown_url("https://app.example/" + "x" * 1000)) == 300
    assert len(shown_url("http://[" + "x" * 1000)) == 300
