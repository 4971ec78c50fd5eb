"""A scripted web application: which page answers, and in which turn."""

from offhook.call.commands import FetchDocument, RequestId
from offhook.call.events import DocumentArrived, DocumentFailed
from offhook.flow.dialects.elks import Elks
from offhook.flow.view import Cause
from offhook.testing.application import Application
from offhook.testing.clock import Clock
from offhook.testing.scenario import Page

URL = "https://app.example/start"


def ask(
    *pages: Page, times: int = 1, url: str = URL, **params: str
) -> tuple[list[DocumentArrived | DocumentFailed], list[str]]:
    clock = Clock()
    answers: list[DocumentArrived | DocumentFailed] = []
    asked: list[str] = []
    app = Application(pages, clock, Elks(), answers.append, lambda method, url, _: asked.append(f"{method} {url}"))
    for number in range(times):
        app.ask(FetchDocument(request=RequestId(number), url=url, method="POST", params=tuple(params.items())))
        while clock.next is not None:
            clock.step()
    return answers, asked


def hangup(word: str) -> bytes:
    return b'{"hangup": "%s"}' % word.encode()


def hows(answers: list[DocumentArrived | DocumentFailed]) -> list[str]:
    return [str(each.flow.steps[0].wording["hangup"]) for each in answers if isinstance(each, DocumentArrived)]


def test_pages_of_one_url_take_turns_and_the_last_stays() -> None:
    pages = (Page(url=URL, body=hangup("busy")), Page(url=URL, body=hangup("404")))
    answers, _ = ask(*pages, times=3)
    assert hows(answers) == ["busy", "404", "404"]


def test_a_page_with_a_condition_goes_first_when_it_holds() -> None:
    pages = (Page(url=URL, body=hangup("busy")), Page(url=URL, body=hangup("404"), only_if=("result", "1")))
    assert hows(ask(*pages, result="1")[0]) == ["404"]
    assert hows(ask(*pages, result="2")[0]) == ["busy"]


def test_a_page_that_is_not_there() -> None:
    ((answer,), asked) = ask()
    assert isinstance(answer, DocumentFailed)
    assert (answer.cause, asked) == (Cause.HOOK_FAILED, [f"POST {URL}"])
    assert "404" in answer.detail


def test_a_document_that_cannot_be_read() -> None:
    (answer,), _ = ask(Page(url=URL, body=b"[]"))
    assert isinstance(answer, DocumentFailed)
    assert answer.cause is Cause.BAD_DOCUMENT


def test_a_url_that_cannot_be_asked() -> None:
    (answer,), asked = ask(url="ftp://app.example/")
    assert isinstance(answer, DocumentFailed)
    assert asked == []


def test_a_redirect_is_asked_where_it_leads() -> None:
    pages = (Page(url=URL, status=307, location="/new"), Page(url="https://app.example/new", body=hangup("busy")))
    answers, asked = ask(*pages)
    assert hows(answers) == ["busy"]
    assert asked == [f"POST {URL}", "POST https://app.example/new"]
