"""That meetings are the seed's alone, come to an end by their plans, and leave today's kinds their share."""

from collections import Counter

from tests.chaos.meetings import didml_document, meeting, waiting_document
from tests.chaos.plans import Kind, Plan, Role, Span

from offhook.flow.dialects.didml import Didml

MANY = 2000


def drawn(seed: int, share: float, loud_share: float = 1.0) -> list[tuple[Plan, ...]]:
    """What begins in a run, as `Traffic.begin_next` asks for it; an empty one is a call of another kind."""
    found, index = [], 1
    while index < MANY:
        plans = meeting(seed, index, Span(), share, loud_share)
        found.append(plans)
        index += max(1, len(plans))
    return found


def test_a_seed_has_the_same_meetings_each_time() -> None:
    assert drawn(7, 0.1) == drawn(7, 0.1)
    assert drawn(7, 0.1) != drawn(8, 0.1)


def test_today_s_kinds_keep_their_share() -> None:
    begun = drawn(3, 0.1)
    theirs = sum(len(plans) for plans in begun)
    others = sum(1 for plans in begun if not plans)
    assert 0.1 < theirs / (theirs + others) < 0.3
    assert not any(drawn(3, 0.0))


def test_every_meeting_has_one_whose_leaving_ends_it() -> None:
    kinds: Counter[Kind] = Counter()
    for plans in drawn(5, 1.0):
        kinds[plans[0].kind] += 1
        assert [each.index for each in plans] == list(range(plans[0].index, plans[0].index + len(plans)))
        assert len({each.meeting for each in plans}) == len({each.kind for each in plans}) == 1
        if plans[0].role is Role.ALONE:
            continue
        (leader,) = [each for each in plans if each.leads]
        assert all(each.lasts_s < leader.lasts_s for each in plans if each.role is Role.LEAVER)
        roles = [each.role for each in plans]
        assert len(set(roles)) == len(roles)
        if Role.SECOND in roles:
            assert roles.index(Role.CALLER) < roles.index(Role.SECOND) < roles.index(Role.AGENT)
    assert set(kinds) == {Kind.CONFERENCE, Kind.QUEUE, Kind.DIDML}


def test_documents_are_didml_that_means_what_is_planned() -> None:
    for loud_share in (0.0, 1.0):
        for plans in drawn(11, 1.0, loud_share)[:200]:
            for each in plans:
                reading = Didml().read(didml_document(each, "http://a.example").encode(), "http://a.example/start")
                assert not reading.warnings
                assert reading.flow.steps
                reading = Didml().read(waiting_document(each, "http://a.example").encode(), "http://a.example/wait/1")
                assert reading.flow.steps
                assert not reading.warnings
