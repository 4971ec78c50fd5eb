"""The conformance pages are current, every case has a topic, and every topic has the cases that it promises."""

import pytest
from tests.conformance.page import (
    CASE_FOLDERS,
    DIALECTS,
    SCENARIOS,
    VERDICTS,
    cases_of,
    manifest_of,
    page_of,
    page_path,
    scenarios_of,
)

dialects = pytest.mark.parametrize("dialect", DIALECTS)


@dialects
def test_the_page_is_current(dialect: str) -> None:
    assert page_path(dialect).read_text(encoding="utf-8") == page_of(dialect), "run python -m tests.conformance.page"


@dialects
def test_every_case_has_a_topic(dialect: str) -> None:
    topics = {topic["name"] for topic in manifest_of(dialect)["topic"]}
    assert [case.path.name for case in cases_of(dialect) if case.topic not in topics] == []


@dialects
def test_every_topic_is_proved_in_each_folder_that_it_names(dialect: str) -> None:
    proved = {(case.topic, case.path.parent.name) for case in cases_of(dialect)}
    promised = {(topic["name"], folder) for topic in manifest_of(dialect)["topic"] for folder in topic["folders"]}
    assert promised - proved == set()


@dialects
def test_every_topic_has_a_verdict_and_says_what_is_missing(dialect: str) -> None:
    for topic in manifest_of(dialect)["topic"]:
        assert topic["verdict"] in VERDICTS
        assert ("missing" in topic) == (topic["verdict"] != "done"), topic["name"]
        assert set(topic["folders"]) <= set(CASE_FOLDERS)
        assert topic["folders"] or topic["verdict"] == "absent", topic["name"]


@dialects
def test_no_two_cases_prove_the_same_in_the_same_words(dialect: str) -> None:
    said = [(case.topic, case.proves) for case in cases_of(dialect)]
    assert sorted({pair for pair in said if said.count(pair) > 1}) == []


def test_every_scenario_is_on_one_page_once() -> None:
    named = sorted(case.path.name for dialect in DIALECTS for case in scenarios_of(dialect))
    assert named == sorted(path.name for path in SCENARIOS.glob("*.case"))
