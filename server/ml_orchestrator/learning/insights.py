"""Which rules help where: rewards with and without a rule, beside the same other rules."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.learning.log import LoggedDecision
from ml_orchestrator.learning.policy_models import RuleInsight, RuleVerdict
from ml_orchestrator.numerics.multiple_testing import benjamini_hochberg
from ml_orchestrator.numerics.wilson import newcombe_interval

__all__ = ["EVERYWHERE", "rule_insights"]

EVERYWHERE = "everywhere"
FEWEST = 10.0  # effective rows on each side
MOST_FALSE = 0.1  # share of false ones among the insights that help or harm, on average


@dataclass(frozen=True, slots=True)
class _Side:
    mean: float
    n: int
    effective_n: float

    @property
    def counted(self) -> tuple[float, float]:
        """Successes and trials that say as much."""
        return self.mean * self.effective_n, self.effective_n


@dataclass(frozen=True, slots=True)
class _Choice:
    """A judged decision: the chance of each set of rules, and the one it chose."""

    chances: Mapping[frozenset[str], float]
    chosen: frozenset[str]
    group: str
    reward: float

    def could_differ_by(self, rule: str) -> bool:
        """Whether the chosen set could have been chosen with and without a rule."""
        return min(self.chances[self.chosen], self.chances.get(self.chosen ^ {rule}, 0.0)) > 0


@dataclass(frozen=True, slots=True)
class _Cell:
    rule: str
    group: str
    used: _Side
    left_out: _Side
    p_value: float


def rule_insights(decisions: Sequence[LoggedDecision]) -> list[RuleInsight]:
    """Return what each rule does everywhere and in each group of contexts, surest first.

    Only decisions count whose chosen set could have been chosen with the rule and without it,
    beside the same other rules. Each is weighed by the inverse chance of the set it chose. So
    either side has the same contexts and the same other rules, and neither a policy that prefers
    a rule where prompts do well anyway nor what other rules do makes a rule look good. The effect
    is the mean over all sets of other rules that were offered both with it and without.

    The interval is Newcombe's with effective rows; for rewards between 0 and 1 it is wider than
    needed. Cells with fewer than ten effective rows on a side are left out. False discoveries are
    controlled over all cells together.

    Args:
        decisions: with or without rewards; those without are passed over.
    """
    judged = list(_choices(decisions))
    rules = sorted(frozenset().union(*(rules for choice in judged for rules in choice.chances)))
    cells = [cell for rule in rules for cell in _cells(rule, judged)]
    if not cells:
        return []
    q_values = benjamini_hochberg([cell.p_value for cell in cells])
    found = [_insight(cell, float(q)) for cell, q in zip(cells, q_values, strict=True)]
    return sorted(found, key=lambda i: (i.q_value, -abs(i.effect), i.rule, i.group))


def _cells(rule: str, judged: Sequence[_Choice]) -> Iterator[_Cell]:
    could = [choice for choice in judged if choice.could_differ_by(rule)]
    is_used = np.array([rule in choice.chosen for choice in could], dtype=bool)
    rewards = np.array([choice.reward for choice in could], dtype=np.float64)
    groups = np.array([choice.group for choice in could], dtype=np.str_)
    weights = 1 / np.array([choice.chances[choice.chosen] for choice in could], dtype=np.float64)
    for group in (EVERYWHERE, *sorted(set(groups.tolist()) - {""})):
        here = np.full(len(could), True) if group == EVERYWHERE else groups == group
        used, left_out = (
            _side(rewards[rows], weights[rows]) for rows in (here & is_used, here & ~is_used)
        )
        if min(used.effective_n, left_out.effective_n) >= FEWEST:
            yield _Cell(rule, group, used, left_out, _p_value(used, left_out))


def _choices(decisions: Sequence[LoggedDecision]) -> Iterator[_Choice]:
    """Yield the judged decisions; equal lists of candidates are taken apart once."""
    known: dict[tuple[str, ...], list[frozenset[str]]] = {}
    for decision in decisions:
        if decision.reward is None:
            continue
        keys = tuple(decision.keys)
        sets = known.setdefault(keys, [frozenset(_rules(key)) for key in keys])
        chances = dict(zip(sets, decision.propensities, strict=True))
        chosen = frozenset(_rules(decision.chosen))
        yield _Choice(chances, chosen, decision.group, decision.reward)


def _rules(key: str) -> list[str]:
    return key.split("+") if key else []


def _side(rewards: NDArray[np.float64], weights: NDArray[np.float64]) -> _Side:
    if not rewards.size:
        return _Side(math.nan, 0, 0.0)
    total = float(weights.sum())
    return _Side(
        float(weights @ rewards) / total, rewards.size, total**2 / float(weights @ weights)
    )


def _p_value(used: _Side, left_out: _Side) -> float:
    """Return the two-sided p value of equal means, by the pooled rate."""
    (a, n), (b, m) = used.counted, left_out.counted
    pooled = (a + b) / (n + m)
    error = math.sqrt(max(pooled * (1 - pooled), 0.0) * (1 / n + 1 / m))
    if error == 0:
        return 1.0
    return math.erfc(abs(used.mean - left_out.mean) / error / math.sqrt(2))


def _insight(cell: _Cell, q_value: float) -> RuleInsight:
    low, high = newcombe_interval(cell.left_out.counted, cell.used.counted)
    effect = cell.used.mean - cell.left_out.mean
    verdict: RuleVerdict = "unclear"
    if q_value <= MOST_FALSE:
        verdict = "helps" if effect > 0 else "harms"
    return RuleInsight(
        rule=cell.rule,
        group=cell.group,
        verdict=verdict,
        effect=effect,
        low=low,
        high=high,
        mean_with=cell.used.mean,
        mean_without=cell.left_out.mean,
        n_with=cell.used.n,
        n_without=cell.left_out.n,
        effective_n=min(cell.used.effective_n, cell.left_out.effective_n),
        p_value=cell.p_value,
        q_value=q_value,
    )
