"""What the web asks of the server: the switchboard of the tests keeps the same promise, so that neither drifts."""

import inspect

from tests.support.board import Board

from offhook.flow.program import Document
from offhook.web.port import CallOrder, ServerPort


def test_the_switchboard_of_the_tests_is_a_server() -> None:
    asked = {name: member for name, member in vars(ServerPort).items() if inspect.isfunction(member) and name[0] != "_"}
    assert asked
    for name, member in asked.items():
        assert inspect.signature(getattr(Board, name)) == inspect.signature(member), name
        assert inspect.iscoroutinefunction(getattr(Board, name)) == inspect.iscoroutinefunction(member), name


def test_an_order_rings_a_minute_unless_told() -> None:
    order = CallOrder(owner="u", from_="+1", to="+2", start=Document(url="https://a.example"), dialect="elks")
    assert (order.ring_timeout_s, order.hangup_url, order.record) == (60, None, False)
