"""What a timeline says of webhooks: the usual ones in a few fields, the others with every try, hop and answer."""

from typing import Any

import pytest

from offhook.call.masking import BODY_MAX_CHARS
from offhook.hooks.delivery import Dead, Delivered, DeliveryEvent, Postponed
from offhook.hooks.errors import HookCause, HookFailure
from offhook.hooks.request import Method, Purpose, WebhookRequest
from offhook.runtime.hook_entries import EARLIER_BODY_MAX_CHARS, asked, owed
from offhook.runtime.webhooks import HookResult, TryMade

URL = "https://u:s3cret@app.example/start?key=s3cret"
POST = WebhookRequest(id="msg_1", purpose=Purpose.OWED, call="c" * 32, url=URL)
BUSY = HookFailure(cause=HookCause.STATUS, detail="503", status=503)
SILENT = HookFailure(cause=HookCause.TIMEOUT, detail="5 s")


def made(status: int | None = 200, body: bytes = b"", **more: Any) -> TryMade:
    about = {"number": 1, "hop": 0, "method": Method.POST, "url": URL, "began_s": 0.0, "took_s": 0.01, "failure": None}
    size = len(body) if status is not None else None
    return TryMade(status=status, body=body, **{"size": size, **about, **more})


def result(*tries: TryMade, failure: HookFailure | None = None, warnings: tuple[str, ...] = ()) -> HookResult:
    return HookResult(status=200, body=b"", headers={}, final_url=URL, tries=tries, failure=failure, warnings=warnings)


def test_the_usual_one_is_short() -> None:
    assert asked(1, "msg_1", result(made(body=b"{}", content_type="application/json"))) == {
        "request": 1,
        "webhook": "msg_1",
        "tries": [{"try": 1, "after_ms": 0.0, "took_ms": 10.0, "status": 200}],
        "bytes": 2,
        "type": "application/json",
        "body": "{}",
    }


def test_each_try_and_each_hop_can_be_told_apart_and_has_its_answer() -> None:
    there = "https://u:s3cret@app.example/there?key=s3cret"
    told = asked(
        1,
        "msg_1",
        result(
            made(307, b"moved"),
            made(503, b"<b>busy</b>" * 100, hop=1, url=there, began_s=0.01),
            made(405, number=2, began_s=0.02),
            made(None, number=2, hop=1, method=Method.GET, began_s=0.03, failure=SILENT),
            warnings=("of the fragment",),
        ),
    )
    first, second, third, last = told["tries"]
    assert first == {"try": 1, "after_ms": 0.0, "took_ms": 10.0, "status": 307, "bytes": 5, "body": "moved"}
    assert (second["try"], second["hop"], second["method"], second["url"]) == (
        1, 1, "POST", "https://…@app.example/there?key=…"
    )  # fmt: skip
    assert (second["bytes"], len(second["body"]), second["body"][-1]) == (1100, EARLIER_BODY_MAX_CHARS, "…")
    assert third == {"try": 2, "after_ms": 20.0, "took_ms": 10.0, "status": 405, "bytes": 0}
    assert (last["try"], last["hop"], last["method"], last["why"]) == (2, 1, "GET", SILENT.sentence)
    assert told["warnings"] == ["of the fragment"]
    assert "bytes" not in told, "the last one was not answered"
    assert "s3cret" not in str(told)


def test_a_body_that_was_not_read_to_its_end_says_so_and_no_secret_is_cut_in_two() -> None:
    """Also where the cut falls into a secret: what is left of it could not be told from other words."""
    for end in (b"https://user:s3cret", b'"apikey": "s3cret', b"Bearer s3cretabcdef", b"<secret>s3cret"):
        told = asked(1, "msg_1", result(made(500, b"the beginning " + end, size=None, cut=True)))
        assert told["cut"] is True
        assert "bytes" not in told
        assert told["body"].startswith("the beginning ")
        assert told["body"].endswith(("…", '…"'))
        assert "s3cret" not in told["body"]
    told = asked(1, "msg_1", result(made(500, b"x " * 1024, size=1_000_000, cut=True)))
    assert (told["bytes"], told["cut"], len(told["body"])) == (1_000_000, True, BODY_MAX_CHARS)


def test_nothing_was_asked() -> None:
    assert asked(1, "msg_1", result(failure=SILENT)) == {"request": 1, "webhook": "msg_1", "tries": []}


# ── what is owed ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_post_that_arrived_is_short() -> None:
    assert owed(Delivered(request=POST, tries=1, status=204), result(made(204))) == (
        "hook.delivered",
        {"webhook": "msg_1", "tries": 1, "status": 204, "took_ms": 10.0, "bytes": 0},
    )


POSTPONED = Postponed(request=POST, tries=2, failure=BUSY, next_wall=0.0)
DEAD = Dead(request=POST, tries=3, failure=BUSY)


@pytest.mark.parametrize(("event", "kind"), [(POSTPONED, "hook.postponed"), (DEAD, "hook.dead")])
def test_one_that_did_not_has_status_reason_and_what_was_answered(event: DeliveryEvent, kind: str) -> None:
    answer = made(503, b"no database", content_type="text/plain")
    found, told = owed(event, result(answer, failure=BUSY))
    assert found == kind
    assert told.pop("next", "1970-01-01T00:00:00+00:00") == "1970-01-01T00:00:00+00:00"
    assert told == {
        "webhook": "msg_1", "tries": event.tries, "status": 503, "why": BUSY.sentence, "took_ms": 10.0, "bytes": 11,
        "type": "text/plain", "body": "no database",
    }  # fmt: skip


def test_one_that_was_not_answered_and_one_that_was_not_tried() -> None:
    _, told = owed(Dead(request=POST, tries=1, failure=SILENT), result(made(None, failure=SILENT), failure=SILENT))
    assert told == {"webhook": "msg_1", "tries": 1, "why": SILENT.sentence, "took_ms": 10.0}
    _, told = owed(DEAD, None)
    assert told == {"webhook": "msg_1", "tries": 3, "status": 503, "why": BUSY.sentence}


def test_one_that_was_sent_on_says_where() -> None:
    _, told = owed(
        Delivered(request=POST, tries=1, status=200), result(made(307), made(hop=1, url="https://b.example/?k=s3cret"))
    )
    assert (told["hop"], told["method"], told["url"]) == (1, "POST", "https://b.example/?k=…")
