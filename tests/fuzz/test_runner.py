"""The fuzz runner finds what is there, says how to find it again, and the SIP targets hold for a batch each."""

from __future__ import annotations

import pytest
from fuzz.runner import BATCH_EXAMPLES, fuzz, run
from hypothesis import strategies as st

from fuzz import sip, sip_message, sip_stream, sip_values


def no_seven(value: int) -> None:
    assert value % 7 or not value


def test_a_clean_target_runs_a_batch_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    run("target", st.integers(min_value=0), lambda value: None, ["--seconds", "0", "--seed", "5"])
    assert capsys.readouterr().out == (f"target: seed 5, 0 s\ntarget: {BATCH_EXAMPLES} examples, nothing found\n")


def test_a_find_is_reported_with_its_seed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AssertionError):
        run("target", st.integers(min_value=0), no_seven, ["--seconds", "0", "--seed", "5"])
    assert "python -m fuzz.target --seconds 0 --seed 5" in capsys.readouterr().out


def test_a_seed_repeats_its_examples() -> None:
    seen: list[list[int]] = [[], []]
    for examples in seen:
        fuzz(st.integers(), examples.append, seconds=0, first_seed=9)
    assert seen[0] == seen[1]
    assert len(seen[0]) == BATCH_EXAMPLES


@pytest.mark.parametrize("target", [sip, sip_message, sip_stream, sip_values], ids=lambda target: target.__name__)
def test_sip_targets(target: object) -> None:
    assert fuzz(target.STRATEGY, target.check, seconds=0, first_seed=1) >= BATCH_EXAMPLES  # type: ignore[attr-defined]
