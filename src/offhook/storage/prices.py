"""What a connected call costs: the longest matching prefix of a price list. Pure.

The list is CSV: prefix, set-up, per minute, both in 1/10000 of the currency. Every minute begun is paid in full; a leg
that was never answered costs nothing; a number that no prefix matches is free. A first line of words is taken as a
heading.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

__all__ = ["AMOUNT_MOST", "FREE", "Price", "PriceList", "PriceListError", "read_price_list"]

AMOUNT_MOST = 10**15
"""Of what an account may have, owe or spend, in 1/10000 of its currency: a sum of many of them fits 64 bits."""


class PriceListError(Exception):
    """The list cannot be used; the text names the line and what to write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """In 1/10000 of the currency."""

    set_up: int
    per_minute: int

    def cost(self, connected_s: float) -> int:
        """For a leg that was answered and connected for so many seconds."""
        return self.set_up + self.per_minute * ceil(max(connected_s, 0.0) / 60)


FREE = Price(set_up=0, per_minute=0)


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices by prefix."""

    prices: Mapping[str, Price]

    def price(self, number: str) -> Price:
        """By the longest prefix, with the `+`."""
        for length in range(len(number), -1, -1):
            found = self.prices.get(number[:length])
            if found is not None:
                return found
        return FREE


def read_price_list(lines: Iterable[str]) -> PriceList:
    """Reads CSV. Raises `PriceListError`."""
    prices: dict[str, Price] = {}
    for place, row in enumerate(csv.reader(lines, skipinitialspace=True), start=1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or cells[0].startswith("#") or (place == 1 and cells[0].isalpha()):
            continue
        if len(cells) != 3:
            raise PriceListError(f"line {place}: write prefix,set-up,per-minute, as in +46,0,5700")
        prefix = cells[0] if cells[0].startswith("+") or not cells[0] else "+" + cells[0]
        if not prefix[1:].isdecimal() and prefix not in ("", "+"):
            raise PriceListError(f"line {place}: '{cells[0]}' is no prefix; write digits, as in +46")
        if not (cells[1].isdecimal() and cells[2].isdecimal()):
            raise PriceListError(f"line {place}: prices are whole numbers of 1/10000 of the currency, as in 5700")
        if prefix in prices:
            raise PriceListError(f"line {place}: {prefix or 'the empty prefix'} stands twice; keep one of them")
        prices[prefix] = Price(set_up=int(cells[1]), per_minute=int(cells[2]))
    return PriceList(prices)
