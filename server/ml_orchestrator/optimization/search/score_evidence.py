"""L2: recorded scores of a task's metric, prompt by prompt and rule set by rule set."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.paired_gain import paired_gain
from ml_orchestrator.optimization.rule_order import names_in_order
from ml_orchestrator.optimization.search.applying import RuleApplier
from ml_orchestrator.optimization.search.evidence import (
    LEAST_HELD_OUT,
    LEAST_SEARCH,
    Gain,
    parted,
)
from ml_orchestrator.optimization.search.models import Means, RulePlan, RuleScore
from ml_orchestrator.optimization.search.rubric_evidence import Costs

__all__ = ["ScoreEvidence"]

Table: TypeAlias = dict[tuple[str, ...], dict[str, float]]


class ScoreEvidence:
    """A table of scores; it speaks for the rule sets in it and for no others.

    A gain is a mean over the prompts that have a score under both the rule set and the baseline.
    Several scores of one prompt under one rule set count as their mean. Rule sets of the same rules
    in another order (``>a+b``) are others. Latencies count where every score has one.

    Args:
        scores: At least 12 prompts with a score under the baseline.
        prompts: Texts to count tokens and marks on; without any these are not known.
        baseline: What gains are over.
        seed: Of the split.

    Raises:
        InvalidInputError: the baseline has too few scores, or nothing else has any.
        NotFoundError: a name is no rule.
    """

    def __init__(
        self, scores: Sequence[RuleScore], prompts: Sequence[str], baseline: RulePlan, *, seed: int
    ) -> None:
        self._table = _means(scores, lambda score: score.score)
        self._base = self._table.pop(_key(baseline.rules), {})
        self._latencies = _latencies(scores)
        self._base_latencies = self._latencies.get(_key(baseline.rules), {})
        self._seed = seed
        ids = sorted(self._base)
        search, held_out = parted(len(ids), seed=seed, what="prompts scored under the baseline")
        self._search = [ids[place] for place in search]
        self._held_out = [ids[place] for place in held_out]
        self.n_search, self.n_held_out = len(search), len(held_out)
        self._costs = Costs(prompts, RuleApplier()) if prompts else None
        self.refused: Mapping[str, str] = {
            "+".join(key): "Too few prompts have a score under it and under the baseline."
            for key in self._table
            if not self._has_enough(key)
        }
        if len(self.refused) == len(self._table):
            raise InvalidInputError(
                f"No rule set has scores on {LEAST_SEARCH} search and {LEAST_HELD_OUT} held-out "
                "prompts that the baseline has, too. Score the same prompts under each rule set."
            )

    @property
    def plans(self) -> Sequence[RulePlan]:
        """The rule sets that have enough scores."""
        return [RulePlan(rules=list(key)) for key in self._table if self._has_enough(key)]

    def look(self, plan: RulePlan) -> Means:
        """Return the mean gain on the prompts of the search."""
        costs = self._costs
        return Means(
            effect=float(np.mean(self._gains(_key(plan.rules), self._search))),
            tokens_added=costs and costs.tokens_added(plan),
            risk=costs and costs.risk(plan),
            latency_ms=self._latency_added(plan, self._search)
            if self._latencies
            else costs and costs.latency_ms(plan),
        )

    def confirm(self, plan: RulePlan, *, alpha: float) -> Gain:
        """Return the mean gain on the held-out prompts."""
        gains = self._gains(_key(plan.rules), self._held_out)
        found = paired_gain(gains, alpha=alpha, seed=self._seed)
        return Gain(found.n, found.mean, found.low, found.high, found.p_value)

    def milliseconds(self, plan: RulePlan) -> float | None:
        """Return the recorded latency added to held-out prompts, in the mean."""
        return self._latency_added(plan, self._held_out) if self._latencies else None

    def _latency_added(self, plan: RulePlan, ids: Sequence[str]) -> float:
        found, base = self._latencies[_key(plan.rules)], self._base_latencies
        return float(np.mean([found[id_] - base[id_] for id_ in ids if id_ in found]))

    def _gains(self, key: tuple[str, ...], ids: Sequence[str]) -> list[float]:
        scores = self._table[key]
        return [scores[id_] - self._base[id_] for id_ in ids if id_ in scores]

    def _has_enough(self, key: tuple[str, ...]) -> bool:
        n_search, n_held_out = (
            len(self._gains(key, ids)) for ids in (self._search, self._held_out)
        )
        return n_search >= LEAST_SEARCH and n_held_out >= LEAST_HELD_OUT


def _key(rules: Sequence[str]) -> tuple[str, ...]:
    return tuple(names_in_order(rules))


def _latencies(scores: Sequence[RuleScore]) -> Table:
    """Return recorded latencies, or nothing where a score has none."""
    if any(score.latency_ms is None for score in scores):
        return {}
    return _means(scores, lambda score: score.latency_ms or 0.0)


def _means(scores: Sequence[RuleScore], value: Callable[[RuleScore], float]) -> Table:
    found: dict[tuple[str, ...], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        found[_key(score.rules)][score.prompt].append(value(score))
    return {
        key: {prompt: float(np.mean(values)) for prompt, values in by_prompt.items()}
        for key, by_prompt in sorted(found.items())
    }
