"""What a policy would have earned, estimated from what another one did and how likely it was to."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.wilson import Z_95

__all__ = [
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
LARGEST_IMBALANCE = 0.1  # of the mean weight, which is 1 where propensities are right


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its standard error and 95 % interval; NaN where there is no honest one.

    Attributes:
        terms: shape ``(n,)``, what each row gives; their mean is the value.
    """

    value: float
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
        if abs(self.mean_weight - 1) > LARGEST_IMBALANCE:
            return (
                f"The mean of target / propensity is {self.mean_weight:.3f} and not near 1: "
                "propensities are wrong, or actions of the policy were never logged. Check the "
                "propensity column, or log every action with some chance."
            )
        return None


def importance_weights(target: ArrayLike, propensities: ArrayLike) -> NDArray[np.float64]:
    """Return how much more likely each logged action is under the target policy.

    Args:
        target: shape ``(n,)``, the target policy's chance of the action taken, within 0..1.
        propensities: shape ``(n,)``, the logging policy's, above 0 and at most 1.

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
    if not np.all((logged > 0) & (logged <= 1)):
        raise InvalidInputError(
            "Propensities must be above 0 and at most 1, none missing: an action that was taken "
            "had a chance."
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
    terms = weights * _checked(rewards, weights)
    return _estimate(terms)


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
        return _estimate(np.full(given.size, math.nan))
    value = float(weights @ given) / total
    return _estimate(value + weights * (given - value) / float(weights.mean()))


def direct_method(expected: NDArray[np.float64], target: NDArray[np.float64]) -> Estimate:
    """Return the mean reward a model expects of the target policy (DM).

    There is no interval: nothing in the rows says how wrong the model is.

    Args:
        expected: shape ``(n, n_actions)``, a model's reward of each action.
        target: shape ``(n, n_actions)``, the target policy's chances.

    >>> direct_method(np.array([[0.0, 1.0]]), np.array([[0.5, 0.5]])).value
    0.5
    """
    terms = (expected * target).sum(axis=1)
    return Estimate(float(terms.mean()), math.nan, math.nan, math.nan, terms)


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
    return _estimate(terms)


def gain_over(rewards: ArrayLike, estimate: Estimate) -> Estimate:
    """Return how much more than the logged policy the other one earns, from the same rows.

    >>> gain_over([0.0, 1.0], inverse_propensity([0.0, 1.0], np.array([1.0, 1.0]))).value
    0.0
    """
    return _estimate(estimate.terms - _checked(rewards, estimate.terms))


def _estimate(terms: NDArray[np.float64]) -> Estimate:
    """Return a mean with the normal interval of its terms."""
    value = float(terms.mean())
    if terms.size < 2:
        return Estimate(value, math.nan, math.nan, math.nan, terms)
    error = float(terms.std(ddof=1)) / math.sqrt(terms.size)
    return Estimate(value, error, value - Z_95 * error, value + Z_95 * error, terms)


def _checked(rewards: ArrayLike, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    given = np.asarray(rewards, dtype=np.float64)
    if given.shape != weights.shape or not np.all(np.isfinite(given)):
        raise InvalidInputError(
            f"Rewards must be {weights.size} finite numbers, one for each row; "
            f"found shape {given.shape}."
        )
    return given
