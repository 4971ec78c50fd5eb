"""Whom a dial calls, and which room it goes to; what lies between the conformance cases, one for every attribute."""

import pytest

from offhook.flow.dialects.didml_parties import MAX_RINGING, called, room
from offhook.flow.dialects.didml_tree import Element
from offhook.flow.dialects.didml_values import MAX_SENT_KEYS, Source
from offhook.flow.document import Document
from offhook.flow.targets import NumberTarget, PhoneTarget, Treatment, UnusableTarget
from offhook.flow.verbs import Conference, Enqueue, TakeFromQueue

ADDRESS = "https://app.example/voice/a.xml"


def noun(name: str, text: str = "", **attributes: str) -> Element:
    return Element(name=name, content=(text,), attributes=attributes)


def dial(*content: str | Element) -> tuple[object, tuple[str, ...]]:
    source = Source(address=ADDRESS)
    found = called(Element(name="dial", content=content), source, ring_s=20, talk_s=60)
    return found.room or found.targets, source.warnings.all()


def test_a_party_without_attributes_is_treated_like_anybody() -> None:
    assert dial(noun("number", "19499300360")) == ((NumberTarget(number="+19499300360"),), ())


def test_what_a_party_does_not_say_is_the_dials() -> None:
    targets, _ = dial(noun("client", "4600123", maxlength="5", senddigits="1"))
    assert targets == (PhoneTarget(user="4600123", treatment=Treatment(time_limit_s=5, send_digits="1")),)


def test_keys_are_sent_up_to_a_limit() -> None:
    targets, warnings = dial(noun("number", "19499300360", senddigits="W" * MAX_SENT_KEYS))
    assert isinstance(targets, tuple)
    assert targets[0].treatment.send_digits == "P" * MAX_SENT_KEYS
    assert len(warnings) == 1


@pytest.mark.parametrize("count", [MAX_RINGING, MAX_RINGING + 1])
def test_not_more_ring_than_may(count: int) -> None:
    targets, warnings = dial(*(noun("number", f"194993003{n:02}") for n in range(count)))
    assert isinstance(targets, tuple)
    assert len(targets) == MAX_RINGING
    assert bool(warnings) is (count > MAX_RINGING)


def test_a_room_without_a_name_is_none() -> None:
    assert dial(noun("queue", "")) == (
        (),
        ("Line 1: <queue> must have a name of 1 to 64 characters, and was skipped.",),
    )
    assert dial(noun("queue", "x" * 65))[0] == ()


def test_two_rooms_are_the_first_of_them() -> None:
    found, warnings = dial(noun("enqueue", "a"), noun("conference", "b"))
    assert found == Enqueue(queue="a")
    assert warnings == ("Line 1: <enqueue> stands alone in <dial>; what stands beside it was skipped.",)


def test_an_agent_waits_as_long_as_the_dial_rings() -> None:
    assert dial(noun("queue", "sales"))[0] == TakeFromQueue(queue="sales", timeout_s=20, time_limit_s=60)


def test_a_dial_of_nobody_has_somebody_to_fail_with() -> None:
    assert dial() == ((UnusableTarget(text=""),), ("Line 1: <dial> calls nobody.",))


def test_a_conference_may_have_a_document_to_wait_with() -> None:
    source = Source(address=ADDRESS)
    found = room(noun("conference", "a", waiturl="w.xml", maxparticipants="0"), source, ring_s=1, talk_s=1)
    assert found == Conference(room="a", wait=Document(url="https://app.example/voice/w.xml"), max_parties=250)
    assert len(source.warnings.all()) == 1
