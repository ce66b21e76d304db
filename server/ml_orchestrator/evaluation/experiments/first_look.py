"""When a monitored comparison may first be looked at, and how wide its mixture is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.arms import Arm
from ml_orchestrator.evaluation.experiments.fixed import SKEWED
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.numerics.mean_tests import SampleMean
from ml_orchestrator.numerics.skewness import Moments, skewness_if_alike, skewness_if_unlike

__all__ = [
    "LEAST_UNITS",
    "MEAN_TAU_SDS",
    "RATE_TAU",
    "SKEWED_APART",
    "Seen",
    "is_enough",
    "mean_cube",
    "tau_of",
    "usual_value",
]

LEAST_UNITS = 50  # an arm needs so many before the first look: means are then nearly normal
LEAST_COUNTS = 10  # of the rarer value, expected in the smaller arm
SKEWED_APART = 0.1  # what unlike shapes may add: least told while few far values have come
RATE_TAU = 0.05
MEAN_TAU_SDS = 0.1
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one arm until a moment.

    Attributes:
        sample: its mean so far.
        n_other: units whose value is not the usual one, such as successes.
        cube: mean third power of units' distances from the mean; 0 where it is not known.
    """

    sample: SampleMean
    n_other: float
    cube: float = 0.0


def is_enough(x: Seen, y: Seen, *, is_rate: bool) -> bool:
    """Return whether means are nearly normal: 50 units an arm, and spread seen in either.

    Of values unlike the usual one (of 0/1 outcomes: of the rarer), the smaller arm must expect 10.
    Counting both arms together would not do: a small arm without a success has no variance. Of
    other outcomes the difference must not be skewed, as it is where few values are far out, and
    a small arm is held against a large one or a skewed arm against an even one.
    """
    n, smaller = x.sample.n + y.sample.n, min(x.sample.n, y.sample.n)
    n_other = x.n_other + y.n_other
    rarer = min(n_other, n - n_other) if is_rate else n_other
    if smaller < LEAST_UNITS or rarer * smaller < LEAST_COUNTS * n:
        return False
    return is_rate or not _is_skewed(_moments(x), _moments(y))


def _is_skewed(x: Moments, y: Moments) -> bool:
    is_unlike = abs(skewness_if_unlike(x, y)) > SKEWED_APART
    return is_unlike or abs(skewness_if_alike(x, y)) > SKEWED


def mean_cube(values: Numbers, units: NDArray[np.int64] | None) -> float:
    """Return the mean third power of rows' distances from their mean; by units, of their sums.

    Sums are over the mean number of rows a unit, so that they vary as the mean's variance says.
    """
    rests = values - values.mean()
    if units is not None:
        codes = np.unique(units, return_inverse=True)[1]
        sums = np.bincount(codes, weights=rests)
        rests = sums * (sums.size / values.size)
    return float(np.mean(rests**3))


def _moments(seen: Seen) -> Moments:
    n = seen.sample.n
    return Moments(n, seen.sample.variance * (n - 1), seen.cube)


def usual_value(*parts: Numbers) -> float:
    """Return the commonest value of the first rows of all parts; any one if none is repeated."""
    values, counts = np.unique(
        np.concatenate([part[:LEAST_UNITS] for part in parts]), return_counts=True
    )
    return float(values[np.argmax(counts)])


def tau_of(a: Arm, b: Arm, options: ExperimentOptions) -> float | None:
    """Return the spread of the mixture: the effect planned, else a usual one.

    A usual one is 0.05 for rates and for others a tenth of the standard deviation planned, or of
    the rows before the first possible look: later rows do not change it. None where those rows
    have no spread yet.

    Raises:
        InvalidInputError: means by arm without an effect or a spread planned.
    """
    planned = options.planned
    if planned.effect is not None:
        return abs(planned.effect)
    if a.counts is not None and b.counts is not None:
        return RATE_TAU
    if planned.sd is not None:
        return MEAN_TAU_SDS * planned.sd
    if a.values is None or b.values is None or a.places is None or b.places is None:
        raise InvalidInputError(
            "Means by arm that are monitored need the width of the mixture before the data: give "
            "plan with effect (the smallest that matters) or sd (of the outcome)."
        )
    first = _before_first_look(a.values, b.values, np.concatenate([a.places, b.places]))
    return None if first is None else MEAN_TAU_SDS * float(first.std())


def _before_first_look(x: Numbers, y: Numbers, places: NDArray[np.int64]) -> Numbers | None:
    """Return the rows until either arm has its least units and values differ often enough."""
    order = np.argsort(places)
    values = np.concatenate([x, y])[order]
    is_second = np.repeat([False, True], [x.size, y.size])[order]
    counted = (values != usual_value(x, y), ~is_second, is_second)
    least = (LEAST_COUNTS, LEAST_UNITS, LEAST_UNITS)
    met = [np.cumsum(part) >= n for part, n in zip(counted, least, strict=True)]
    is_met = np.logical_and.reduce(met)
    return values[: int(np.argmax(is_met)) + 1] if is_met.any() else None
