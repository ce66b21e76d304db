"""Arms of an experiment with their outcomes, the control first."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.clusters import clustered_mean
from ml_orchestrator.numerics.mean_tests import SampleMean, sample_mean, without_rounding
from ml_orchestrator.numerics.proportions import Successes
from ml_orchestrator.numerics.skewness import (
    Moments,
    moments,
    skewness_if_alike,
    skewness_if_unlike,
    skewness_of_means,
)

__all__ = ["Arm", "Experiment", "mean_of"]

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm. Arrays have shape ``(n,)``, rows with an outcome, in order of arrival.

    Attributes:
        name: its name.
        n_units: independent units, those without an outcome too.
        n_missing: rows without an outcome.
        sample: mean, and its variance by independent units.
        sd: standard deviation of the outcome.
        counts: successes, where the outcome is 0/1.
        values: outcomes; None where only a summary was given.
        units: whole numbers, where a unit has several rows; else None.
        places: place of each row in the order of arrival of the whole experiment.
    """

    name: str
    n_units: int
    n_missing: int
    sample: SampleMean
    sd: float
    counts: Successes | None
    n: int
    values: Numbers | None = None
    units: NDArray[np.int64] | None = None
    places: NDArray[np.int64] | None = None

    def with_values(self, values: Numbers, *, factor: float = 1.0, more: float = 0.0) -> "Arm":
        """Return the arm with other outcomes for the same rows.

        The variance of their mean is multiplied by ``factor``, and ``more`` is added.
        """
        sample = mean_of(values, self.units)
        sample = replace(sample, variance=sample.variance * factor + more)
        return replace(self, values=values, counts=None, sample=sample)

    def by_unit(self) -> Numbers:
        """Return one value a unit: the mean of its rows.

        Raises:
            InvalidInputError: only a summary was given.
        """
        values = self.rows()
        if self.units is None:
            return values
        codes = np.unique(self.units, return_inverse=True)[1]
        if self.sample.variance == 0:  # sums of what is alike differ by rounding
            return np.full(self.sample.n, self.sample.mean)
        means: Numbers = np.bincount(codes, weights=values) / np.bincount(codes)
        return means

    def rows(self) -> Numbers:
        """Return the outcomes.

        Raises:
            InvalidInputError: only a summary was given.
        """
        if self.values is None:
            raise InvalidInputError(
                "This method needs rows, and counts or means by arm were given. Give the table, "
                "or choose welch, student, z or bayes."
            )
        return self.values


@dataclass(frozen=True, slots=True)
class Experiment:
    """Arms, the control first.

    Attributes:
        arms: at least two.
        rows: places in the table of each arm's rows with an outcome, in order of arrival.
        all_rows: likewise, those without one too.
        n_shared_units: units with rows in several arms.
        notices: what to know of how the table was read.
    """

    arms: tuple[Arm, ...]
    rows: tuple[NDArray[np.intp], ...] = ()
    all_rows: tuple[NDArray[np.intp], ...] = ()
    n_shared_units: int = 0
    notices: tuple[str, ...] = ()

    @property
    def is_binary(self) -> bool:
        """Whether every outcome is 0 or 1."""
        return all(arm.counts is not None for arm in self.arms)

    @property
    def has_rows(self) -> bool:
        """Whether single outcomes are known."""
        return all(arm.values is not None for arm in self.arms)

    @property
    def skewness(self) -> float:
        """The largest skewness of a difference from the control, by units; 0 without rows.

        Outcomes are taken as alike in shape in all arms.
        """
        return self._largest(skewness_if_alike)

    @property
    def skewness_apart(self) -> float:
        """Likewise, by each arm's own skewness."""
        return self._largest(skewness_of_means)

    @property
    def skewness_unlike(self) -> float:
        """Likewise, what unlike shapes of arms add to `skewness`."""
        return self._largest(skewness_if_unlike)

    def _largest(self, skewness: Callable[[Moments, Moments], float]) -> float:
        if not self.has_rows:
            return 0.0
        control, *others = [moments(arm.by_unit()) for arm in self.arms]
        return max(abs(skewness(control, other)) for other in others)

    @property
    def has_spread(self) -> bool:
        """Whether outcomes vary within any arm, by more than rounding."""
        return any(arm.sample.variance > 0 for arm in self.arms)

    @property
    def is_clustered(self) -> bool:
        """Whether units have several rows."""
        return any(arm.units is not None for arm in self.arms)


def mean_of(values: Numbers, units: NDArray[np.int64] | None) -> SampleMean:
    """Return the mean of rows, by units where they have several; variance 0 if all are alike."""
    if units is None:
        return sample_mean(values)
    return without_rounding(clustered_mean(values, units), values)
