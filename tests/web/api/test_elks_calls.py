"""What the switchboard is asked to do for a POST of `/a1/calls`; the answers are in tests/conformance/elks/rest."""

from tests.support.asgi import ask, basic
from tests.support.rest_cases import MAIN, SECRET, World

from offhook.flow.dialects.dialect import Reading
from offhook.flow.program import Document
from offhook.flow.verbs import Dial, NumberTarget
from offhook.web.port import CallOrder

FORM = {"from": "+46100000001", "to": "+46700000002"}


async def order(world: World, **form: str) -> CallOrder:
    world.give("dev")
    reply = await ask(world.app(), "POST", "/a1/calls", FORM | form, basic(MAIN, SECRET))
    assert reply.status == 200, reply.text
    return world.board.orders[-1]


async def test_everything_is_passed_on(world: World) -> None:
    assert await order(
        world, voice_start="https://a.example/s?k=1", whenhangup="https://a.example/h", timeout="45", record="yes"
    ) == CallOrder(
        owner=MAIN,
        from_="+46100000001",
        to="+46700000002",
        start=Document(url="https://a.example/s?k=1"),
        dialect="elks",
        hangup_url="https://a.example/h",
        ring_timeout_s=45,
        record=True,
    )


async def test_a_document_is_read_with_its_lost_pluses(world: World) -> None:
    start = (await order(world, voice_start='{"connect":" 461890510"}')).start
    assert isinstance(start, Reading)
    (step,) = start.flow.steps
    assert isinstance(step.verb, Dial)
    assert step.verb.targets == (NumberTarget(number="+461890510"),)


async def test_nothing_is_asked_for_a_dry_run_or_an_error(world: World) -> None:
    world.give("dev")
    app = world.app()
    for extra in ({"dryrun": "yes", "voice_start": "https://a.example"}, {"voice_start": "no"}):
        await ask(app, "POST", "/a1/calls", FORM | extra, basic(MAIN, SECRET))
    assert world.board.orders == []


async def test_a_fallback_is_passed_on(world: World) -> None:
    ordered = await order(world, voice_start="https://a.example/", fallback="https://b.example/")
    assert ordered.fallback == Document(url="https://b.example/")
    inline = (await order(world, voice_start="https://a.example/", fallback='{"hangup":"busy"}')).fallback
    assert isinstance(inline, Reading)
    assert (await order(world, voice_start="https://a.example/", fallback=" ")).fallback is None


async def test_a_fallback_that_is_none_is_an_error_that_names_it(world: World) -> None:
    form = FORM | {"voice_start": "https://a.example/", "fallback": "no"}
    world.give("dev")
    reply = await ask(world.app(), "POST", "/a1/calls", form, basic(MAIN, SECRET))
    assert reply.status == 403
    assert "fallback" in reply.text
