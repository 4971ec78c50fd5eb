"""What an entry may hold: short ones pass as they are, long, deep and wide ones are cut, secrets and keys blanked."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.runtime.timeline_entry import (
    DEPTH_MAX,
    ENTRY_MAX_CHARS,
    ITEMS_MAX,
    TEXT_MAX_CHARS,
    shown,
    without_digits,
)


def test_what_is_short_passes_as_it_is() -> None:
    data = {"leg": 0, "what": "INVITE", "seconds": 1.5, "early_media": False, "jitter_ms": None}
    assert shown(data) is data


def test_texts_are_cut() -> None:
    cut = shown({"detail": "x" * (TEXT_MAX_CHARS + 1)})["detail"]
    assert (len(cut), cut[-2:]) == (TEXT_MAX_CHARS, "x…")
    assert shown({"detail": "x" * TEXT_MAX_CHARS}) == {"detail": "x" * TEXT_MAX_CHARS}


def test_an_entry_has_a_size_whatever_it_is_made_of() -> None:
    wide = shown({"params": {f"p{number}": "x" * 1000 for number in range(1000)}})
    assert len(wide["params"]) == ITEMS_MAX + 1
    assert wide["params"]["…"] == "1000 in all"
    assert sum(map(len, wide["params"].values())) < ENTRY_MAX_CHARS + 2 * ITEMS_MAX
    long = shown({"tries": ["x"] * 1000})
    assert long["tries"] == ["x"] * ITEMS_MAX + ["1000 in all"]
    many = shown({f"n{number}": number for number in range(1000)})
    assert len(many) == ITEMS_MAX + 1


def test_what_is_deep_ends() -> None:
    data: Any = "bottom"
    for _ in range(DEPTH_MAX + 3):
        data = {"in": [data]}
    found = shown(data)
    assert "bottom" not in str(found)
    assert "…" in str(found)


@pytest.mark.parametrize("name", ["apikey", "secretKey", "Authorization", "signature", "PASSWORD"])
def test_secrets_among_parameters_are_blanked(name: str) -> None:
    for value in ("s3cret", ["s3cret"], {"a": "s3cret"}):
        assert shown({"params": {name: value, "to": "+46700000001"}}) == {"params": {name: "…", "to": "+46700000001"}}


def test_addresses_are_shown_without_their_secrets_wherever_they_stand() -> None:
    secret, shown_so = "https://u:s3cret@a.example/x?k=s3cret", "https://…@a.example/x?k=…"
    for data in (
        {"why": f"({secret}) cannot be used"},
        {"tries": [{"why": f"({secret}) cannot be used"}]},
        {"params": {"url": secret}},
        {"warnings": [secret]},
    ):
        assert "s3cret" not in str(shown(data))
        assert shown_so in str(shown(data))
    assert shown({"url": shown_so}) == {"url": shown_so}
    long = shown({"why": f"{'x ' * 1500}{secret * 100}"})
    assert "s3cret" not in str(long)


def test_keys_are_blanked_if_they_are_to_be() -> None:
    entries = [
        {"verb": "gather", "result": "4111111111111111"},
        {"leg": 0, "digit": "4"},
        {"leg": 1, "keys": "4111w1111"},
        {"params": {"result": "4111", "Digits": "4111", "to": "+46700000001"}},
    ]
    assert [shown(entry) for entry in entries] == entries
    assert [shown(entry, mask_digits=True) for entry in entries] == [
        {"verb": "gather", "result": "…"},
        {"leg": 0, "digit": "…"},
        {"leg": 1, "keys": "…"},
        {"params": {"result": "…", "Digits": "…", "to": "+46700000001"}},
    ]
    assert shown({"verb": "play", "result": "ok"}, mask_digits=True) == {"verb": "play", "result": "ok"}


def test_keys_in_the_log_of_a_call_too() -> None:
    log = [{"ivr": "https://a", "result": "4111"}, {"play": "x", "result": "success"}, {"hangup": "busy"}]
    assert without_digits(log) == ({"ivr": "https://a", "result": "…"}, log[1], log[2])


def test_other_values_become_text() -> None:
    assert shown({"why": ValueError("x"), "raw": b"ab"}) == {"why": "x", "raw": "b'ab'"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3000) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=70) | st.dictionaries(st.text(max_size=20), inner, max_size=70),
    max_leaves=80,
)


@given(st.dictionaries(st.text(max_size=20), JSON, max_size=70), st.booleans())
def test_whatever_is_told_fits_and_is_json(data: dict[str, Any], mask_digits: bool) -> None:
    json.dumps(shown(data, mask_digits=mask_digits))
