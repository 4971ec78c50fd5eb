"""The arithmetic of the harness: percentiles, verdicts on a run, the search for the highest rate, the table. Pure: it
starts, measures and times nothing."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

__all__ = ["Row", "Spread", "highest", "render", "spread"]

COLUMNS = ("figure", "floor", "here", "how")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    figure: str
    floor: str
    """As the plan has it; empty where it has none."""
    here: str
    """What this machine did."""
    how: str = ""
    """What stands beside the figure: load, loss, processor time, lateness of a bare timer."""

    def plain(self) -> dict[str, str]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How values lie; in the values' own unit."""

    count: int
    median: float
    p99: float
    p999: float
    most: float


def rank(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the sorted values do not exceed (nearest rank)."""
    if not values:
        raise ValueError("no values: nothing was measured")
    # Of 1000 values the 99th percentile is the 990th; a float's 990.0000000001 must not make it the 991st.
    place = -int(-round(share * len(values), 6) // 1)
    return values[max(place, 1) - 1]


def spread(values: Iterable[float]) -> Spread:
    """Median and upper percentiles. Raises ValueError where nothing was measured."""
    ordered = sorted(values)
    return Spread(
        count=len(ordered),
        median=median(ordered) if ordered else rank(ordered, 0.5),
        p99=rank(ordered, 0.99),
        p999=rank(ordered, 0.999),
        most=ordered[-1],
    )


def highest(
    passes: Callable[[int], bool], *, first: int, growth: float = 1.25, most: int, tries: int = 2, within: float = 0.06
) -> int:
    """The highest load that passes; 0 if not even the least tried does.

    Grows from `first` until a load fails (each is given `tries` chances: the machine may be shared), then halves the
    gap until it is within `within` of the answer. Where `first` fails, looks below it.
    """

    def good(load: int) -> bool:
        return any(passes(load) for _ in range(tries))

    low, high, load = 0, most + 1, first
    while load <= most:
        if not good(load):
            high = load
            break
        low = load
        if load == most:
            return most
        load = min(most, max(load + 1, round(load * growth)))
    while high - low > max(1, within * high):
        load = (low + high) // 2
        if good(load):
            low = load
        else:
            high = load
    return low


def render(rows: Sequence[Row]) -> str:
    """A table in Markdown, aligned for a terminal too."""
    lines = [COLUMNS] + [(row.figure, row.floor, row.here, row.how) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    text = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    text.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(text)
