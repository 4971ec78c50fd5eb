"""Facts are sorted, numbers never used twice, and a fact that nobody can read costs only itself."""

from tests.support.indoors import exchange

from offhook.runtime.restoring import first_id, remembered, resume, take_up
from offhook.storage.facts import Fact
from offhook.storage.store import Storage


def fact(kind: str, key: str, version: int = 1, **data: object) -> Fact:
    return Fact(kind=kind, key=key, version=version, data=data)


def test_facts_are_sorted_and_those_of_another_version_left_alone() -> None:
    found = remembered(
        [
            fact("call", "c1", legs=[{"sip": {"s": 1}}, {"sip": None}]),
            fact("call", "c2", version=99),
            fact("leaving", "c3", sip=[{"s": 2}]),
            fact("phone", "p", s=3),
            fact("server", "", starts=7),
            fact("unheard of", "x"),
        ]
    )
    assert [each.key for each in found.calls] == ["c1"]
    assert found.starts == 7
    assert found.sip_parts() == [{"s": 1}, {"s": 2}, {"s": 3}]


async def test_each_server_begins_with_numbers_of_its_own(storage: Storage) -> None:
    begun = []
    for _ in range(3):
        found = remembered(storage.read_blocking(storage.facts.load))
        begun.append(first_id(found, storage.facts))
        await storage.writer.flush()
    assert begun == [0x1_0001, 0x2_0001, 0x3_0001]


async def test_a_call_that_cannot_be_read_costs_only_itself(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial('{"play":"http://127.0.0.1:9/none.wav"}')
        await x.far_answers()
        good = x.services.fact_of(x.board.live[view.id])
        bad = [fact("call", "c1"), fact("call", "c2", call={"version": -1}, dialect="elks", queue=[], legs=[])]
        storage.facts.save(bad[0])
        found = remembered([*bad, good])
        x.board.live.clear()
        x.services.legs._by_session.clear()
        x.services.media._sessions.clear()
        restored = take_up(found, x.services, x.board, None, {view.id: 5})
        assert [live.id for live in restored] == [view.id]
        resume(restored, sound=False)
        await x.over()
        assert (await x.row(view.id)).cause == "server_restart"
        await storage.writer.flush()
        assert not [each for each in await storage.read(storage.facts.load) if each.key in ("c1", "c2")]
