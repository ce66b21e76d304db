"""What a policy would have earned, estimated from what another one did and how likely it was to."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.wilson import Z_95

__all__ = [
    "FEWEST_EFFECTIVE",
    "Estimate",
    "Support",
    "direct_method",
    "doubly_robust",
    "gain_over",
    "importance_weights",
    "inverse_propensity",
    "self_normalised",
    "support_of",
]

SMALLEST_SHARE = 0.01  # of effective rows
FEWEST_EFFECTIVE = 30  # below, normal intervals miss the truth far more often than they say
LARGEST_IMBALANCE = 0.1  # of the mean weight, which is 1 on average where propensities are right
LARGEST_ERRORS = 3.0  # standard errors of the mean weight; chance alone exceeds them 3 in 1,000
LARGEST_REWARD = 1e100  # squares of larger ones, weighted, are no numbers any more
SMALLEST_CHANCE = 1e-100


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, 95 % unless said otherwise; NaN where there is no honest one.

    The interval is of the rows and of some at both ends of what rewards can be, so it has a width
    where all rows are alike; its middle lies nearer to the middle of rewards than the value.

    Attributes:
        middle: of the interval before it is cut at what rewards can be.
        standard_error: of the middle.
        terms: shape ``(n,)``, what each row gives; their mean is the value.
    """

    value: float
    middle: float
    standard_error: float
    low: float
    high: float
    terms: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Support:
    """How far logged rows can speak for the other policy."""

    n: int
    effective_n: float
    mean_weight: float
    largest_weight: float

    @property
    def weight_error(self) -> float:
        """The standard error of the mean weight."""
        spread = max(1 / self.effective_n - 1 / self.n, 0.0) if self.effective_n else 0.0
        return self.mean_weight * math.sqrt(spread)

    @property
    def refusal(self) -> str | None:
        """Why no estimate should be trusted; None where one may be."""
        if self.effective_n < SMALLEST_SHARE * self.n:
            return (
                f"The {self.n:,} rows count for {self.effective_n:.1f} only, less than 1 %: the "
                "policy does mostly what was hardly ever logged. Log more exploration, or ask "
                "about a policy closer to the one that was logged."
            )
        if self.effective_n < FEWEST_EFFECTIVE:
            return (
                f"The {self.n:,} rows count for {self.effective_n:.1f} only; at least "
                f"{FEWEST_EFFECTIVE} are needed for an interval that can be trusted. Log more "
                "decisions, or ask about a policy closer to the one that was logged."
            )
        allowed = max(LARGEST_IMBALANCE, LARGEST_ERRORS * self.weight_error)
        if abs(self.mean_weight - 1) > allowed:
            return (
                f"The mean of target / propensity is {self.mean_weight:.3f} and not near 1; chance "
                f"explains a distance of {allowed:.3f} at most. So the propensities are not those "
                "the log was drawn by, or actions of the policy were never logged. Check the "
                "propensity column, or log every action with some chance."
            )
        return None


def importance_weights(target: ArrayLike, propensities: ArrayLike) -> NDArray[np.float64]:
    """Return how much more likely each logged action is under the target policy.

    Args:
        target: shape ``(n,)``, the target policy's chance of the action taken, within 0..1.
        propensities: shape ``(n,)``, the logging policy's, at least 1e-100 and at most 1.

    Raises:
        InvalidInputError: shapes differ, no rows, or a chance is out of range.

    >>> importance_weights([1.0, 0.0], [0.5, 0.25]).tolist()
    [2.0, 0.0]
    """
    wanted, logged = (np.asarray(x, dtype=np.float64) for x in (target, propensities))
    if wanted.ndim != 1 or wanted.shape != logged.shape or not wanted.size:
        raise InvalidInputError(
            "Target and propensity must be lists of one length, at least 1; "
            f"found shapes {wanted.shape} and {logged.shape}."
        )
    if not np.all((wanted >= 0) & (wanted <= 1)):
        raise InvalidInputError("Chances of the target policy must lie in 0..1, none missing.")
    if not np.all((logged >= SMALLEST_CHANCE) & (logged <= 1)):
        raise InvalidInputError(
            f"Propensities must be above 0 and at most 1, none missing and none below "
            f"{SMALLEST_CHANCE:g}: an action that was taken had a chance. Leave out or mend the "
            "rows where they are not."
        )
    return np.asarray(wanted / logged)


def support_of(weights: NDArray[np.float64]) -> Support:
    """Return how many rows the weighted ones count for (Kish), and how balanced they are.

    >>> support_of(np.array([2.0, 0.0])).effective_n
    1.0
    """
    squares = float(weights @ weights)
    effective = float(weights.sum()) ** 2 / squares if squares else 0.0
    return Support(weights.size, effective, float(weights.mean()), float(weights.max()))


def inverse_propensity(rewards: ArrayLike, weights: NDArray[np.float64]) -> Estimate:
    """Return the mean weighted reward (IPS): unbiased, and wide where weights are large.

    References:
        D. Horvitz, D. Thompson, "A generalization of sampling without replacement", 1952.

    >>> inverse_propensity([1.0, 1.0, 0.0, 0.0], np.array([2.0, 0.0, 2.0, 0.0])).value
    0.5
    """
    given = _checked(rewards, weights)
    return _estimate(weights * given, given, weights)


def self_normalised(rewards: ArrayLike, weights: NDArray[np.float64]) -> Estimate:
    """Return the weighted mean reward (SNIPS), with a standard error by linearisation.

    References:
        A. Swaminathan, T. Joachims, "The self-normalized estimator for counterfactual
        learning", NIPS 2015.

    >>> self_normalised([1.0, 1.0, 0.0, 0.0], np.array([3.0, 0.0, 1.0, 0.0])).value
    0.75
    """
    given = _checked(rewards, weights)
    total = float(weights.sum())
    if total == 0:
        return _without_interval(np.full(given.size, math.nan))
    value = float(weights @ given) / total
    terms = value + weights * (given - value) / float(weights.mean())
    return _estimate(terms, given, weights)


def direct_method(expected: NDArray[np.float64], target: NDArray[np.float64]) -> Estimate:
    """Return the mean reward a model expects of the target policy (DM).

    There is no interval: nothing in the rows says how wrong the model is.

    Args:
        expected: shape ``(n, n_actions)``, a model's reward of each action.
        target: shape ``(n, n_actions)``, the target policy's chances.

    >>> direct_method(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])).value
    0.5
    """
    return _without_interval((expected * target).sum(axis=1))


def doubly_robust(
    rewards: ArrayLike,
    weights: NDArray[np.float64],
    actions: NDArray[np.intp],
    expected: NDArray[np.float64],
    target: NDArray[np.float64],
) -> Estimate:
    """Return what a model expects, corrected by the weighted errors it made on logged rows (DR).

    Right where either the propensities or the model are. The model must not have seen the row it
    is asked about: see `reward_models.cross_fitted`.

    Args:
        rewards: shape ``(n,)``.
        weights: shape ``(n,)``, of `importance_weights`.
        actions: shape ``(n,)``, indices of the actions taken.
        expected: shape ``(n, n_actions)``, a model's reward of each action.
        target: shape ``(n, n_actions)``, the target policy's chances.

    References:
        M. Dudík, J. Langford, L. Li, "Doubly robust policy evaluation and learning", ICML 2011;
        V. Chernozhukov et al., "Double/debiased machine learning", 2018.
    """
    given = _checked(rewards, weights)
    errors = given - expected[np.arange(given.size), actions]
    terms = (expected * target).sum(axis=1) + weights * errors
    return _estimate(terms, given, weights)


def gain_over(
    rewards: ArrayLike, estimate: Estimate, weights: NDArray[np.float64], *, z: float = Z_95
) -> Estimate:
    """Return how much more than the logged policy the other one earns, from the same rows.

    As in a single value, rows are added at both ends of what rewards can be: as many to those
    that the policy would have chosen as to the others. Without others there is nothing to tell.

    Args:
        rewards: shape ``(n,)``.
        estimate: of the same rows.
        weights: shape ``(n,)``, those of the estimate.
        z: half the width of the interval, in standard errors.

    References:
        A. Agresti, B. Caffo, "Simple and effective confidence intervals for proportions and
        differences of proportions result from adding two successes and two failures", 2000.

    >>> gain_over([0.0, 1.0], inverse_propensity([0.0, 1.0], np.ones(2)), np.ones(2)).value
    0.0
    """
    given = _checked(rewards, estimate.terms)
    terms, n = estimate.terms - given, given.size
    if n < 2 or not np.any(weights):
        return _without_interval(terms)
    ends, each, size = _ends(given), z * z / 4, _usual_weight(weights)
    n_others = each * min(1.0, size - 1)
    wanted = _padded(estimate.terms, ends, each * size)
    logged = _padded(given, ends, each + n_others)
    of_rows = (estimate.terms - estimate.value) / wanted.total
    of_rows = of_rows - (given - given.mean()) / logged.total
    of_others = (ends - logged.middle) / logged.total
    of_ends = size * (ends - wanted.middle) / wanted.total - of_others
    variance = float(of_rows @ of_rows) * n / (n - 1)
    variance += each * float(of_ends @ of_ends) + n_others * float(of_others @ of_others)
    limits = (ends[0] - ends[1], ends[1] - ends[0]) if _is_unit(given) else None
    return _with_interval(terms, wanted.middle - logged.middle, variance, z=z, limits=limits)


@dataclass(frozen=True, slots=True)
class _Padded:
    """The mean of terms and of rows at both ends, and how many all of them count for."""

    middle: float
    total: float


def _padded(terms: NDArray[np.float64], ends: NDArray[np.float64], n_each: float) -> _Padded:
    total = terms.size + 2 * n_each
    return _Padded(float(terms.sum() + n_each * ends.sum()) / total, total)


def _estimate(
    terms: NDArray[np.float64], rewards: NDArray[np.float64], weights: NDArray[np.float64]
) -> Estimate:
    """Return a mean with the normal interval of its terms and of a row, or so, at either end.

    With equal weights and rewards of 0 and 1 it is the interval of Agresti and Caffo for one
    proportion, which is near Wilson's.
    """
    if terms.size < 2 or not np.any(weights):
        return _without_interval(terms)
    ends, each, size = _ends(rewards), Z_95 * Z_95 / 4, _usual_weight(weights)
    padded = _padded(terms, ends, each * size)
    of_ends = size * (ends - padded.middle)
    squares = float(terms.var(ddof=1)) * terms.size + each * float(of_ends @ of_ends)
    limits = (0.0, 1.0) if _is_unit(rewards) else None
    return _with_interval(terms, padded.middle, squares / padded.total**2, z=Z_95, limits=limits)


def _with_interval(
    terms: NDArray[np.float64],
    middle: float,
    variance: float,
    *,
    z: float,
    limits: tuple[float, float] | None,
) -> Estimate:
    """Return an estimate whose interval is cut at limits, but never short of its value."""
    value, error = float(terms.mean()), math.sqrt(variance)
    low, high = min(middle - z * error, value), max(middle + z * error, value)
    if limits is not None:
        low, high = max(low, min(limits[0], value)), min(high, max(limits[1], value))
    return Estimate(value, middle, error, low, high, terms)


def _without_interval(terms: NDArray[np.float64]) -> Estimate:
    return Estimate(float(terms.mean()), math.nan, math.nan, math.nan, math.nan, terms)


def _is_unit(rewards: NDArray[np.float64]) -> bool:
    return bool(rewards.min() >= 0 and rewards.max() <= 1)


def _ends(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ends of what rewards can be: 0 and 1, or where they exceed these, as seen."""
    if _is_unit(rewards):
        return np.array([0.0, 1.0])
    return np.array([rewards.min(), rewards.max()])


def _usual_weight(weights: NDArray[np.float64]) -> float:
    """Return how many logged rows stand behind a row that counts; at least 1."""
    return max(weights.size / support_of(weights).effective_n, 1.0)


def _checked(rewards: ArrayLike, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    given = np.asarray(rewards, dtype=np.float64)
    if given.shape != weights.shape or not np.all(np.isfinite(given)):
        raise InvalidInputError(
            f"Rewards must be {weights.size} finite numbers, one for each row; "
            f"found shape {given.shape}."
        )
    if np.any(np.abs(given) > LARGEST_REWARD):
        raise InvalidInputError(
            f"Rewards must lie within -{LARGEST_REWARD:g} to {LARGEST_REWARD:g}; found "
            f"{given[np.argmax(np.abs(given))]:g}. Give them in another unit."
        )
    return given
