"""One webhook within one budget: the numbers are those of the house's decisions, in pretended seconds."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.hooks.attempt import (
    CONTROL,
    GET_INSTEAD,
    OWED,
    Attempt,
    AttemptPolicy,
    Done,
    GiveUp,
    Output,
    Try,
)
from offhook.hooks.errors import HookCause, HookFailure
from offhook.hooks.request import Method, Purpose, WebhookRequest

FILES = replace(CONTROL, get_after_405=True)
REFUSED = HookFailure(cause=HookCause.REFUSED, detail="192.0.2.1 port 80")


def attempt(url: str = "https://h/hook", method: Method = Method.POST, policy: AttemptPolicy = CONTROL) -> Attempt:
    request = WebhookRequest(id="h1", purpose=Purpose.CONTROL, call="c1", url=url, method=method, params=(("a", "1"),))
    return Attempt(request, policy)


def begun(one: Attempt, now: float = 100.0) -> Try:
    return trying(one.begin(now))


def trying(output: Output) -> Try:
    assert isinstance(output, Try)
    return output


def gave_up(output: Output) -> HookFailure:
    assert isinstance(output, GiveUp)
    return output.failure


def test_the_first_try() -> None:
    first = begun(attempt())
    assert (first.number, first.hop) == (1, 0)
    assert (first.method, first.url, first.body) == (Method.POST, "https://h/hook", b"a=1")
    assert first.connect_s == 3
    # Half of the budget of 10 s.
    assert first.timeout_s == 5


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204])
def test_any_of_five_statuses_is_fine(status: int) -> None:
    one = attempt()
    begun(one)
    assert one.answered(status, None, b"{}", 101) == Done(status=status, body=b"{}", url="https://h/hook")


@pytest.mark.parametrize("status", [205, 206, 300, 304, 400, 404, 429])
def test_other_statuses_fail_at_once(status: int) -> None:
    one = attempt()
    begun(one)
    failure = gave_up(one.answered(status, None, b"", 101))
    assert (failure.cause, failure.status) == (HookCause.STATUS, status)


def test_one_retry_on_5xx_within_half_of_what_is_left() -> None:
    one = attempt()
    begun(one)
    second = trying(one.answered(503, None, b"", 102))
    assert (second.number, second.timeout_s) == (2, 4)
    assert gave_up(one.answered(500, None, b"", 103)).status == 500


def test_one_retry_on_a_connection_error() -> None:
    one = attempt()
    begun(one)
    assert trying(one.failed(REFUSED, 100.5)).number == 2
    assert gave_up(one.failed(REFUSED, 101)) == REFUSED


def test_a_retry_may_succeed() -> None:
    one = attempt()
    begun(one)
    one.failed(REFUSED, 100.5)
    assert isinstance(one.answered(200, None, b"", 101), Done)


def test_a_try_has_two_seconds_or_is_not_made() -> None:
    one = attempt()
    begun(one)
    # 3 s left: half is 1.5, so 2.
    assert trying(one.failed(REFUSED, 107)).timeout_s == 2
    late = attempt()
    begun(late)
    assert gave_up(late.failed(REFUSED, 108.5)) == REFUSED


def test_a_time_out_is_not_retried() -> None:
    one = attempt()
    begun(one)
    failure = gave_up(one.timed_out(105))
    assert failure.cause is HookCause.TIMEOUT
    assert "5.0 s" in failure.sentence


@pytest.mark.parametrize(
    ("url", "policy"),
    [("https://h/#retry=timeout", CONTROL), ("https://h/", replace(CONTROL, retry_timeouts=True))],
)
def test_a_time_out_is_retried_where_the_url_or_the_account_asks(url: str, policy: AttemptPolicy) -> None:
    one = attempt(url, policy=policy)
    begun(one)
    second = trying(one.timed_out(105))
    assert second.timeout_s == 2.5
    assert gave_up(one.timed_out(107.5)).cause is HookCause.TIMEOUT


def test_a_refused_certificate_or_a_large_answer_is_not_retried() -> None:
    for cause in (HookCause.TLS, HookCause.TOO_LARGE, HookCause.BLOCKED):
        one = attempt()
        begun(one)
        assert gave_up(one.failed(HookFailure(cause=cause, detail="x"), 100)).cause is cause


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_is_sent_on(status: int) -> None:
    one = attempt()
    begun(one)
    there = trying(one.answered(status, "/else", b"", 101))
    assert (there.number, there.hop, there.url, there.body) == (1, 1, "https://h/else", b"a=1")
    # The time of the try runs on.
    assert there.timeout_s == 4
    assert one.answered(200, None, b"x", 102) == Done(status=200, body=b"x", url="https://h/else")


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_is_not_made_a_get(status: int) -> None:
    one = attempt()
    begun(one)
    failure = gave_up(one.answered(status, "/else", b"", 101))
    assert (failure.cause, failure.status) == (HookCause.REDIRECT, status)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_get_is_sent_on_without_its_fields(status: int) -> None:
    one = attempt(method=Method.GET)
    assert begun(one).url == "https://h/hook?a=1"
    assert trying(one.answered(status, "https://other/", b"", 101)).url == "https://other/"


def test_five_redirects_and_no_more() -> None:
    one = attempt(method=Method.GET)
    begun(one)
    for hop in range(1, 6):
        assert trying(one.answered(302, f"/{hop}", b"", 101)).hop == hop
    failure = gave_up(one.answered(302, "/6", b"", 101))
    assert failure.cause is HookCause.REDIRECT
    assert "more than 5" in failure.sentence


@pytest.mark.parametrize("location", [None, "", "ftp://h/", "http://"])
def test_redirects_to_nowhere(location: str | None) -> None:
    one = attempt(method=Method.GET)
    begun(one)
    output = one.answered(302, location, b"", 101)
    assert gave_up(output).cause is HookCause.REDIRECT
    assert isinstance(output, GiveUp)
    assert output.url == "https://h/hook?a=1"


def test_a_redirect_that_comes_too_late() -> None:
    one = attempt(method=Method.GET)
    begun(one)
    assert gave_up(one.answered(302, "/x", b"", 105)).cause is HookCause.TIMEOUT


def test_after_a_redirect_a_retry_starts_at_the_customers_url() -> None:
    one = attempt(method=Method.GET)
    begun(one)
    one.answered(302, "/x", b"", 101)
    again = trying(one.failed(REFUSED, 101))
    assert (again.number, again.hop, again.url) == (2, 0, "https://h/hook?a=1")


def test_a_url_that_cannot_be_asked() -> None:
    output = attempt("mailto:me").begin(100)
    assert gave_up(output).cause is HookCause.URL
    assert isinstance(output, GiveUp)
    assert output.url == "mailto:me"


def test_a_short_budget_is_one_try_of_all_of_it() -> None:
    first = begun(attempt(policy=replace(CONTROL, budget_s=1.0)))
    assert (first.timeout_s, first.connect_s) == (1, 1)


def test_what_is_owed_gets_one_try_of_fifteen_seconds() -> None:
    one = attempt(policy=OWED)
    assert begun(one).timeout_s == 15
    assert one.policy == OWED
    assert gave_up(one.failed(REFUSED, 101)) == REFUSED


INPUTS = st.one_of(
    st.tuples(st.just("answered"), st.sampled_from([200, 302, 307, 404, 500, 503])),
    st.tuples(st.just("failed"), st.sampled_from(HookCause)),
    st.tuples(st.just("timed_out"), st.none()),
)


@given(
    st.lists(st.tuples(INPUTS, st.floats(min_value=0, max_value=6)), min_size=20, max_size=40),
    st.sampled_from(Method),
    st.booleans(),
)
def test_it_always_ends_within_its_budget_and_its_tries(
    inputs: list[tuple[tuple[str, object], float]], method: Method, retry_timeouts: bool
) -> None:
    one = attempt(method=method, policy=replace(CONTROL, retry_timeouts=retry_timeouts))
    now = 0.0
    output = one.begin(now)
    tries = 0
    for (kind, value), spent in inputs:
        if not isinstance(output, Try):
            break
        tries = max(tries, output.number)
        assert output.timeout_s > 0
        assert now + output.timeout_s <= CONTROL.budget_s
        now += min(spent, output.timeout_s)
        match kind, value:
            case "answered", int(status):
                output = one.answered(status, "/next", b"", now)
            case "failed", HookCause() as cause:
                output = one.failed(HookFailure(cause=cause, detail="x"), now)
            case _:
                output = one.timed_out(now)
    assert not isinstance(output, Try)
    assert tries <= 2


def client_error(one: Attempt, now: float) -> Output:
    return one.answered(404, None, b"", now)


def test_a_url_may_ask_for_more_tries_and_name_what_they_are_for() -> None:
    one = attempt("https://h/hook#rc=3&rp=4xx")
    assert begun(one).url == "https://h/hook"
    for number in (2, 3, 4):
        assert trying(client_error(one, 100)).number == number
    assert gave_up(client_error(one, 100)).status == 404


def test_what_rp_does_not_name_is_not_repeated() -> None:
    one = attempt("https://h/hook#rc=3&rp=4xx")
    begun(one)
    assert gave_up(one.failed(REFUSED, 100)) == REFUSED
    server = attempt("https://h/#rp=ct")
    begun(server)
    assert gave_up(server.answered(500, None, b"", 100)).status == 500


def test_rc_alone_repeats_what_is_repeated_anyway() -> None:
    one = attempt("https://h/hook#rc=2")
    begun(one)
    assert trying(one.failed(REFUSED, 100)).number == 2
    assert trying(one.answered(500, None, b"", 100)).number == 3
    assert gave_up(one.failed(REFUSED, 100)) == REFUSED


def test_rc_0_is_one_try() -> None:
    one = attempt("https://h/hook#rc=0")
    begun(one)
    assert gave_up(one.failed(REFUSED, 100)) == REFUSED


def test_all_is_time_outs_too() -> None:
    one = attempt("https://h/hook#rp=all")
    begun(one)
    assert trying(one.timed_out(105)).number == 2


def test_times_of_a_url() -> None:
    first = begun(attempt("https://h/hook#ct=500&rt=1500&tt=8000"))
    # With a time for reading a try may have all that is left: silence ends it sooner.
    assert (first.connect_s, first.read_s, first.timeout_s) == (0.5, 1.5, 8)


def test_six_tries_fit_into_a_short_time() -> None:
    one = attempt("https://h/hook#rc=5&rp=all&rt=200&tt=1200")
    now = 100.0
    output: Output = begun(one, now)
    numbers = []
    while isinstance(output, Try):
        numbers.append(output.number)
        now += 0.2
        output = one.timed_out(now)
    assert numbers == [1, 2, 3, 4, 5, 6]


def test_what_a_fragment_gets_wrong_is_said_and_changes_nothing() -> None:
    one = attempt("https://h/hook#rc=9&tt=1")
    assert begun(one).timeout_s == 5
    assert len(one.warnings) == 2
    assert one.policy == CONTROL


@given(
    st.lists(st.tuples(INPUTS, st.floats(min_value=0, max_value=6)), min_size=20, max_size=40),
    st.integers(min_value=0, max_value=5),
    st.sampled_from(["4xx", "5xx", "ct", "rt", "ct,rt", "all"]),
    st.one_of(st.none(), st.integers(min_value=100, max_value=15_000)),
    st.one_of(st.none(), st.integers(min_value=100, max_value=15_000)),
)
def test_whatever_a_url_asks_it_ends_within_its_time_and_its_tries(
    inputs: list[tuple[tuple[str, object], float]], retries: int, policy: str, read_ms: int | None, total_ms: int | None
) -> None:
    times = "".join(f"&{name}={value}" for name, value in (("rt", read_ms), ("tt", total_ms)) if value is not None)
    one = attempt(f"https://h/hook#rc={retries}&rp={policy}{times}", method=Method.GET)
    budget_s = CONTROL.budget_s if total_ms is None else total_ms / 1000
    now, tries = 0.0, 0
    output = one.begin(now)
    for (kind, value), spent in inputs:
        if not isinstance(output, Try):
            break
        tries = max(tries, output.number)
        assert output.timeout_s > 0
        assert now + output.timeout_s <= budget_s + 1e-9
        assert output.url.startswith("https://h/")
        assert "#" not in output.url
        now += min(spent, output.timeout_s)
        match kind, value:
            case "answered", int(status):
                output = one.answered(status, "/next", b"", now)
            case "failed", HookCause() as cause:
                output = one.failed(HookFailure(cause=cause, detail="x"), now)
            case _:
                output = one.timed_out(now)
    assert tries <= retries + 1
    assert isinstance(output, Done | GiveUp) or len(inputs) < 6 * (retries + 1)


# ── a file that is served for GET alone ──────────────────────────────────────────────────────────────────────────────


def test_a_post_that_is_not_allowed_is_asked_with_get_in_the_same_try() -> None:
    one = attempt("https://anna:secret@h/menu.xml?b=2", policy=FILES)
    begun(one)
    again = trying(one.answered(405, None, b"", 101))
    assert (again.number, again.hop, again.timeout_s) == (1, 1, 4)
    assert (again.method, again.url, again.body) == (Method.GET, "https://h/menu.xml?b=2&a=1", None)
    assert [name for name, _ in again.headers] == ["Authorization"]
    assert one.warnings == (GET_INSTEAD,)
    assert one.answered(200, None, b"<Response/>", 102) == Done(status=200, body=b"<Response/>", url=again.url)


def test_a_get_that_is_not_allowed_either_is_the_end() -> None:
    one = attempt(policy=FILES)
    begun(one)
    trying(one.answered(405, None, b"", 101))
    assert gave_up(one.answered(405, None, b"", 102)).status == 405
    other = attempt(method=Method.GET, policy=FILES)
    begun(other)
    assert gave_up(other.answered(405, None, b"", 101)).status == 405


def test_it_is_asked_with_get_where_a_redirect_has_led() -> None:
    one = attempt(policy=FILES)
    begun(one)
    trying(one.answered(307, "https://other/menu.xml", b"", 101))
    again = trying(one.answered(405, None, b"", 102))
    assert (again.method, again.url, again.hop) == (Method.GET, "https://other/menu.xml?a=1", 2)


def test_nothing_is_asked_with_get_when_its_try_is_over() -> None:
    one = attempt(policy=FILES)
    begun(one)
    assert gave_up(one.answered(405, None, b"", 105)).status == 405


def test_what_is_no_file_is_not_asked_for_with_get() -> None:
    """46elks: any status but 200 to 204 ends the call, and its webhooks are POST."""
    one = attempt(policy=CONTROL)
    begun(one)
    assert gave_up(one.answered(405, None, b"", 101)).status == 405
    assert one.warnings == ()


def test_the_fragment_of_a_url_leaves_the_rule_alone() -> None:
    one = attempt("https://h/menu.xml#rc=2", policy=FILES)
    begun(one)
    assert trying(one.answered(405, None, b"", 101)).method is Method.GET


def test_what_is_owed_is_never_a_get() -> None:
    request = WebhookRequest(id="h1", purpose=Purpose.OWED, call="c1", url="https://h/hook")
    owed = Attempt(request, replace(OWED, get_after_405=True))
    begun(owed)
    assert gave_up(owed.answered(405, None, b"", 101)).status == 405
