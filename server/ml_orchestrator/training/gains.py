"""Whether one set of predictions is better than another beyond noise, on the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.training.intervals import resampling
from ml_orchestrator.training.metrics import Metric
from ml_orchestrator.training.out_of_fold import Answers, mean_score

__all__ = ["N_RESAMPLES", "Gain", "gain"]

N_RESAMPLES = 200
LEVEL = 0.9  # two-sided: better beyond noise is wrong about one time in twenty, and so is worse


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better, in the metric's unit; positive is better in either direction.

    The ends are NaN where the metric is undefined on every resample, and so is the estimate where
    it is on the rows themselves.
    """

    estimate: float
    low: float
    high: float

    @property
    def is_known(self) -> bool:
        """Whether the metric is defined, on the rows and on resamples of them."""
        return isfinite(self.estimate) and isfinite(self.low) and isfinite(self.high)

    @property
    def is_real(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low > 0

    @property
    def is_loss(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.high < 0


def gain(
    before: Answers,
    after: Answers,
    *,
    metric: Metric,
    groups: Sequence[NDArray[Any]] | None,
    is_ordered: bool,
    seed: int,
) -> Gain:
    """Return the gain of the mean of the folds' scores with its 90 % bootstrap interval.

    Rows are resampled within folds, the same for both, so that what both find hard cancels out;
    rows of one group, or neighbours in time, are drawn together (``intervals``).
    """
    rng = np.random.default_rng(seed)
    resamples = [
        resampling(len(fold.truth), None if groups is None else groups[i], is_ordered=is_ordered)
        for i, fold in enumerate(before.folds)
    ]
    draws = []
    for _ in range(N_RESAMPLES):
        rows = [draw(rng) for draw in resamples]
        both = [mean_score(answers.take(rows), metric) for answers in (before, after)]
        draws.append(metric.sign * (both[1] - both[0]))
    estimate = metric.sign * (mean_score(after, metric) - mean_score(before, metric))
    defined = np.array([draw for draw in draws if np.isfinite(draw)] or [np.nan])
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Gain(estimate, float(low), float(high))
