"""Which rule sets no other beats in everything, and how few of them to look at again."""

from collections.abc import Sequence
from dataclasses import dataclass

from ml_orchestrator.optimization.rule_order import FIRST
from ml_orchestrator.optimization.search.models import Means, RulePlan

__all__ = ["Tried", "front_of", "thinned", "values_of"]


@dataclass(frozen=True, slots=True)
class Tried:
    """A rule set with what the search saw of it; ``excess`` above 0: it breaks a limit."""

    plan: RulePlan
    means: Means
    excess: float


def values_of(means: Means) -> tuple[float, ...]:
    """Return what is compared, each the smaller the better; what is not known is left out.

    >>> values_of(Means(effect=0.2, tokens_added=3.0, risk=None))
    (-0.2, 3.0)
    """
    costs = (means.tokens_added, means.risk, means.latency_ms)
    return (-means.effect, *(cost for cost in costs if cost is not None))


def front_of(tried: Sequence[Tried]) -> list[Tried]:
    """Return those within the limits that no other beats, largest effect first.

    Of rule sets with equal values the one of fewer rules stands for all, and of these one in the
    declared order.
    """
    allowed = [t for t in tried if t.excess <= 0]
    allowed.sort(key=lambda t: (values_of(t.means), *_size(t.plan), t.plan.name))
    front: list[Tried] = []
    for each in allowed:  # in this order only an earlier one can beat a later one
        values = values_of(each.means)
        if not any(_covers(values_of(other.means), values) for other in front):
            front.append(each)
    return front


def thinned(front: Sequence[Tried], n: int) -> list[Tried]:
    """Return at most ``n`` of a front: its ends, and between them evenly."""
    if len(front) <= n:
        return list(front)
    step = (len(front) - 1) / max(n - 1, 1)
    return [front[round(place * step)] for place in range(n)]


def _size(plan: RulePlan) -> tuple[int, int]:
    return len(plan.rules), sum(name.startswith(FIRST) for name in plan.rules)


def _covers(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))
