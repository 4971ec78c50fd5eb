"""How often and how long a delivery that is owed is tried: three shapes, plain data, chance from the caller.

46elks: every 300 s for 24 hours (its Swagger file, "hooks"). DIDforSale says nothing; three tries are ours. The growing
kind is for accounts that choose it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, assert_never

DAY_S = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """A try every `every_s` for `for_s` after the first."""

    kind: ClassVar[str] = "steady"
    every_s: float = 300.0
    for_s: float = DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One try more than there are pauses, the pauses between them in seconds."""

    kind: ClassVar[str] = "listed"
    pauses_s: tuple[float, ...] = (5.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growing:
    """Pauses from `first_s`, each `factor` times the one before, up to `longest_s`, for `for_s` in all.

    A pause is shortened by chance by up to `jitter` of itself, so that a thousand deliveries to one receiver that came
    back do not all arrive in the same second.
    """

    kind: ClassVar[str] = "growing"
    first_s: float = 10.0
    factor: float = 2.0
    longest_s: float = 6 * 3600.0
    for_s: float = 3 * DAY_S
    jitter: float = 0.25


DeliveryPolicy = Steady | Listed | Growing

ELKS = Steady()
DIDFORSALE = Listed()
GROWING = Growing()


def policy_of_api(account: str, dialect: str) -> DeliveryPolicy:
    """What holds for accounts that have chosen nothing, by the dialect that the call speaks."""
    del account
    return DIDFORSALE if dialect == "didml" else ELKS


def pause_s(policy: DeliveryPolicy, *, tries: int, age_s: float, chance: float) -> float | None:
    """Seconds until the next try after `tries` failed ones (1 or more), or None: it is dead.

    `age_s` is the time since the first try; `chance` is in [0, 1).
    """
    match policy:
        case Steady():
            return policy.every_s if age_s + policy.every_s <= policy.for_s else None
        case Listed():
            return policy.pauses_s[tries - 1] if tries <= len(policy.pauses_s) else None
        case Growing():
            # The exponent is cut so that no number of tries overflows a float; the pause is at its longest by then.
            pause = min(policy.first_s * policy.factor ** min(tries - 1, 64), policy.longest_s)
            pause *= 1 - policy.jitter * chance
            return pause if age_s + pause <= policy.for_s else None
        case _:
            assert_never(policy)


def longest_pause_s(policy: DeliveryPolicy) -> float:
    """No try is further away than this, whatever a clock that was set wrong has written down."""
    match policy:
        case Steady():
            return policy.every_s
        case Listed():
            return max(policy.pauses_s, default=0.0)
        case Growing():
            return policy.longest_s
        case _:
            assert_never(policy)


def plain_policy(policy: DeliveryPolicy) -> dict[str, Any]:
    data = asdict(policy)
    if isinstance(policy, Listed):
        data["pauses_s"] = list(policy.pauses_s)
    return {"kind": policy.kind, **data}


def policy_from(data: Mapping[str, Any]) -> DeliveryPolicy:
    """The reverse of `plain_policy`. Raises `ValueError` for a kind that is not known."""
    values = {name: value for name, value in data.items() if name != "kind"}
    match data["kind"]:
        case Steady.kind:
            return Steady(**values)
        case Listed.kind:
            return Listed(pauses_s=tuple(values["pauses_s"]))
        case Growing.kind:
            return Growing(**values)
        case other:
            raise ValueError(f"delivery policy {other!r} is not known here")
