"""Effects of patterns that explain the outcome without a rest, where usual errors are 0."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from ml_orchestrator.evaluation.patterns.models import Effect
from ml_orchestrator.numerics.wilson import Z_95

__all__ = ["certain_effects", "leaves_no_rest"]

NO_REST = 1e-12  # of the outcome's sum of squares


def leaves_no_rest(outcome: NDArray[np.float64], residuals: NDArray[np.float64]) -> bool:
    """Return whether the outcome varies and a regression explains all of it."""
    total = float(((outcome - outcome.mean()) ** 2).sum())
    return total > 0 and float(residuals @ residuals) <= NO_REST * total


def certain_effects(
    columns: NDArray[np.float64],
    outcome: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    groups: NDArray[np.int64] | None,
) -> list[Effect]:
    """Return the effect of each column of a regression that leaves no rest.

    A p value is that of the robust score test, whose errors are those without the column. For an
    outcome of 0 and 1 the interval is as wide as Newcombe's for all of those that hold a pattern
    against none of the others, of cases or, with ``groups``, of groups; for other outcomes it
    has no width.

    Args:
        columns: shape ``(n_rows, n_columns)``, of 0 and 1, none made of the others.
        outcome: shape ``(n_rows,)``.
        coefficients: of the regression, shape ``(n_columns,)``.
        groups: number of each row's group.
    """
    is_share = bool(np.isin(outcome, (0.0, 1.0)).all())
    found = []
    for place, effect in enumerate(map(float, coefficients)):
        low = high = effect
        if is_share:
            width = _width(columns[:, place] > 0, groups)
            low, high = max(-1.0, effect - width), min(1.0, effect + width)
        p_value = _score_p_value(columns, outcome, place, groups)
        found.append(Effect(effect=effect, low=low, high=high, p_value=p_value))
    return found


def _width(holds: NDArray[np.bool_], groups: NDArray[np.int64] | None) -> float:
    units = np.arange(len(holds)) if groups is None else groups
    sizes = (len(np.unique(units[holds])), len(np.unique(units[~holds])))
    return math.hypot(*(Z_95**2 / (size + Z_95**2) for size in sizes))


def _score_p_value(
    columns: NDArray[np.float64],
    outcome: NDArray[np.float64],
    place: int,
    groups: NDArray[np.int64] | None,
) -> float:
    design = np.delete(columns, place, axis=1)
    design = np.column_stack([np.ones(len(outcome)), design])
    both = np.column_stack([columns[:, place], outcome])
    own, rest = (both - design @ np.linalg.lstsq(design, both, rcond=None)[0]).T
    if leaves_no_rest(outcome, rest):
        return 1.0
    scores = own * rest
    if groups is not None:
        scores = np.bincount(np.unique(groups, return_inverse=True)[1], scores)
    return float(stats.chi2.sf(scores.sum() ** 2 / (scores @ scores), 1))
