"""Prices: the longest prefix, minutes begun, and lists that cannot be used."""

import pytest

from offhook.storage.prices import FREE, Price, PriceListError, read_price_list

LIST = """prefix,set-up,per minute
# Sweden
+46, 0, 5700
4670,100,9000

+,50,20000
""".splitlines()


@pytest.mark.parametrize(
    ("number", "price"),
    [
        ("+46101234567", Price(set_up=0, per_minute=5700)),
        ("+46701234567", Price(set_up=100, per_minute=9000)),
        ("+4412345678", Price(set_up=50, per_minute=20000)),
        ("sip:a@b", FREE),
    ],
)
def test_longest_prefix(number: str, price: Price) -> None:
    assert read_price_list(LIST).price(number) == price


@pytest.mark.parametrize(("seconds", "cost"), [(0, 7), (0.1, 107), (60, 107), (60.1, 207), (-1, 7)])
def test_minutes_begun(seconds: float, cost: int) -> None:
    assert Price(set_up=7, per_minute=100).cost(seconds) == cost


def test_an_empty_prefix_is_for_everything() -> None:
    assert read_price_list([",1,2"]).price("sip:a@b") == Price(set_up=1, per_minute=2)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("+46,1", "line 2: write prefix,set-up,per-minute"),
        ("46x,1,2", "line 2: '46x' is no prefix"),
        ("+46,0.57,2", "line 2: prices are whole numbers"),
        ("+47,1,2", "line 2: \\+47 stands twice"),
    ],
)
def test_errors_name_the_line(line: str, says: str) -> None:
    with pytest.raises(PriceListError, match=says):
        read_price_list(["+47,0,1", line])
