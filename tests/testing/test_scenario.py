"""Scenarios as values: the price of a number is that of its longest prefix."""

from offhook.call.events import Tariff
from offhook.testing.scenario import Prices


def test_the_longest_prefix_counts() -> None:
    prices = Prices(by_prefix={"+46": Tariff(set_up=1), "+467": Tariff(set_up=2)})
    assert prices.of("+46700000001").set_up == 2
    assert prices.of("+46101994214").set_up == 1
    assert prices.of("+4912345") == Tariff()
    assert Prices().of("+46") == Tariff()
