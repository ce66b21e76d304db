"""Whether a compressed model is still good enough, on rows that neither model has seen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.compression.models import Difference, Verdict
from ml_orchestrator.errors import InvalidInputError

__all__ = ["Bar", "Scored", "difference", "verdict_of"]

WRONGLY_KEPT = 0.05  # chance aimed at over all methods tried, shared among them (Bonferroni)
CAUTION = 0.5  # part of the tolerance that choosing may use up; the rest is for chance
Rows = NDArray[np.int64]
Scored = Callable[[Rows], float]
"""Returns the metric on the held-out rows of these places, repeats allowed."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What a compressed model is held against.

    Attributes:
        metric: name of the metric.
        sign: 1 where higher is better, else -1.
        baseline: what no model at all reaches on the held-out rows.
        tolerance: share of the gain over the baseline that may be lost, above 0 and below 1.
    """

    metric: str
    sign: float
    baseline: float
    tolerance: float

    def gain(self, score: float) -> float:
        """Return by how much a score is better than the baseline."""
        return self.sign * (score - self.baseline)

    def margin(self, score: float) -> float:
        """Return how much of the metric may be lost from ``score``.

        Raises:
            InvalidInputError: the score is no better than the baseline, so nothing can be kept.
        """
        gain = self.gain(score)
        if not gain > 0:
            raise InvalidInputError(
                f"The version has {self.metric} {score:.4g} on the held-out rows, no better than "
                f"{self.baseline:.4g} without a model; there is nothing to keep. Train a better "
                "one first."
            )
        return self.tolerance * gain

    def is_close(self, score: float, wanted: float) -> bool:
        """Return whether choosing may go down from ``wanted`` to ``score``: half the tolerance.

        Raises:
            InvalidInputError: ``wanted`` is no better than the baseline.
        """
        return self.sign * (score - wanted) >= -CAUTION * self.margin(wanted)


def difference(
    before: Scored,
    after: Scored,
    draws: Callable[[np.random.Generator], Rows],
    bar: Bar,
    *,
    n_rows: int,
    n_resamples: int,
    n_tried: int,
    seed: int,
) -> Difference:
    """Return how quality changed, with the bootstrap interval of the change.

    Both models are scored on the same resamples (B. Efron, R. Tibshirani, An introduction to
    the bootstrap, 1993), so that easy and hard rows cancel out. Beyond each end lie 5 % of the
    resamples, divided by ``n_tried``, the number of models that are judged on these rows: a 90 %
    interval for one, 97.5 % for four. So with many rows few more than 5 % of the runs keep any
    that loses more than is allowed; with few, where such intervals are too narrow, more do.
    """
    rng = np.random.default_rng(seed)
    whole = np.arange(n_rows)
    old, new = before(whole), after(whole)
    changes = []
    for _ in range(n_resamples):
        rows = draws(rng)
        changes.append(bar.sign * (after(rows) - before(rows)))
    defined = np.array([change for change in changes if np.isfinite(change)])
    change = bar.sign * (new - old)
    tail = WRONGLY_KEPT / n_tried
    low, high = np.quantile(defined, [tail, 1 - tail]) if len(defined) else (change, change)
    return Difference(
        metric=bar.metric,
        before=old,
        after=new,
        change=change,
        low=float(min(low, change)),
        high=float(max(high, change)),
        level=1 - 2 * tail,
        margin=bar.margin(old),
        kept=bar.gain(new) / bar.gain(old),
        n=n_rows,
    )


def verdict_of(found: Difference, *, is_smaller_or_faster: bool) -> Verdict:
    """Return what is to be thought of a compressed model."""
    if found.change < -found.margin:
        return "worse"
    if not is_smaller_or_faster:
        return "no gain"
    return "kept" if found.low >= -found.margin else "unclear"
