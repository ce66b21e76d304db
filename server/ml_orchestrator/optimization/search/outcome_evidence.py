"""L1: what logged decisions say of always choosing one rule set, by their propensities."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.off_policy import (
    FEWEST_EFFECTIVE,
    gain_over,
    importance_weights,
    self_normalised,
    support_of,
)
from ml_orchestrator.optimization.search.applying import RuleApplier
from ml_orchestrator.optimization.search.evidence import Gain, Rows, parted
from ml_orchestrator.optimization.search.models import Means, RulePlan
from ml_orchestrator.optimization.search.rubric_evidence import Costs

__all__ = ["LEAST_ROWS", "OutcomeEvidence"]

LEAST_ROWS = 50  # judged decisions that offered a rule set, in either part


class OutcomeEvidence:
    """Judged decisions, some to search on and some held out.

    The gain of a rule set is the self-normalised value of always choosing it, where it was
    offered, minus the mean reward of what was chosen there. It is refused where the log cannot
    speak for it: too few rows, also of those held out alone, or weights out of balance.

    Args:
        rows: Judged decisions.
        prompts: Texts to count tokens and marks on; without any these are not known.
        seed: Of the split.

    Raises:
        InvalidInputError: the log can speak for no rule set; the message says why.
    """

    def __init__(self, rows: Rows, prompts: Sequence[str], *, seed: int) -> None:
        n = len(rows.chosen)
        search, held_out = parted(n, seed=seed, what="judged decisions")
        self._chosen = np.array(rows.chosen, dtype=object)
        self._propensity = np.asarray(rows.propensity, dtype=np.float64)
        self._reward = np.asarray(rows.reward, dtype=np.float64)
        self._offered = rows.offered
        self._parts = (search, held_out)
        self.n_search, self.n_held_out = len(search), len(held_out)
        self._costs = Costs(prompts, RuleApplier()) if prompts else None
        names = sorted(frozenset().union(*rows.offered))
        self.refused: Mapping[str, str] = {
            name or "as it is": why for name in names if (why := self._refusal(name))
        }
        self._names = [name for name in names if (name or "as it is") not in self.refused]
        if not self._names:
            why = "; ".join(f"{name}: {reason}" for name, reason in list(self.refused.items())[:5])
            raise InvalidInputError(f"The log can speak for no rule set. {why}")

    @property
    def plans(self) -> Sequence[RulePlan]:
        """The rule sets that the log can speak for."""
        return [RulePlan(rules=[r for r in name.split("+") if r]) for name in self._names]

    def look(self, plan: RulePlan) -> Means:
        """Return the gain in the decisions of the search."""
        costs = self._costs
        return Means(
            effect=self._gain(plan, self._parts[0], alpha=0.05).mean,
            tokens_added=costs and costs.tokens_added(plan),
            risk=costs and costs.risk(plan),
            latency_ms=costs and costs.latency_ms(plan),
        )

    def confirm(self, plan: RulePlan, *, alpha: float) -> Gain:
        """Return the gain in the held-out decisions, with the interval of `gain_over`."""
        return self._gain(plan, self._parts[1], alpha=alpha)

    def _gain(self, plan: RulePlan, part: NDArray[np.intp], *, alpha: float) -> Gain:
        rows, weights = self._weighed("+".join(sorted(plan.rules)), part)
        reward = self._reward[rows]
        gain = gain_over(
            reward, self_normalised(reward, weights), weights, z=float(-ndtri(alpha / 2))
        )
        error = gain.standard_error
        p_value = float(ndtr(-gain.middle / error)) if error > 0 else float(gain.value <= 0)
        return Gain(reward.size, gain.value, gain.low, gain.high, p_value)

    def _weighed(
        self, name: str, part: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the rows of a part that offered a rule set, and their weights for it."""
        rows = np.array([row for row in part if name in self._offered[row]], dtype=np.intp)
        if not rows.size:
            return rows, np.empty(0)
        target = (self._chosen[rows] == name).astype(np.float64)
        return rows, importance_weights(target, self._propensity[rows])

    def _refusal(self, name: str) -> str | None:
        for part in self._parts:
            n = sum(name in self._offered[row] for row in part)
            if n < LEAST_ROWS:
                return f"{n} decisions of a part offered it; {LEAST_ROWS} are needed."
        if not self._weighed(name, self._parts[0])[1].any():
            return "It was never chosen in the part that is searched."
        counted = support_of(self._weighed(name, self._parts[1])[1]).effective_n
        if counted < FEWEST_EFFECTIVE:
            return (
                f"Held-out decisions count for {counted:.1f} of it only; {FEWEST_EFFECTIVE} are "
                "needed to confirm a gain. Log more decisions."
            )
        # Whether propensities are right is a question to the whole log; a part is uneven by chance.
        _, weights = self._weighed(name, np.concatenate(self._parts))
        return support_of(weights).refusal
