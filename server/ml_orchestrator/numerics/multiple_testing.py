"""Adjustment of p values when many hypotheses are tested at once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["benjamini_hochberg", "benjamini_yekutieli", "holm"]


def benjamini_hochberg(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p values adjusted to control the false discovery rate.

    Rejecting where the result is at most alpha keeps the expected share of false rejections
    among all rejections at or below alpha, for independent or positively dependent tests. Equal
    to scipy's ``false_discovery_control``. Equal p values stay equal; none gives none.

    Args:
        p_values: shape ``(n_tests,)``, in 0..1, without NaN.

    Raises:
        InvalidInputError: a value is NaN or outside 0..1.

    References:
        Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", Journal of the Royal
        Statistical Society B 57 (1995).

    >>> benjamini_hochberg([0.01, 0.02, 0.5]).tolist()
    [0.03, 0.03, 0.5]
    """
    given = _checked(p_values)
    order = np.argsort(given, kind="stable")
    scaled = given[order] * given.size / np.arange(1, given.size + 1)
    return _in_place(np.minimum.accumulate(scaled[::-1])[::-1], order)


def benjamini_yekutieli(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p values adjusted to control the false discovery rate under any dependence.

    Larger than those of `benjamini_hochberg` by the sum of 1/k over the tests. Equal to scipy's
    ``false_discovery_control(method="by")``.

    Args:
        p_values: shape ``(n_tests,)``, in 0..1, without NaN.

    Raises:
        InvalidInputError: a value is NaN or outside 0..1.

    References:
        Y. Benjamini, D. Yekutieli, "The control of the false discovery rate in multiple testing
        under dependency", Annals of Statistics 29 (2001).

    >>> benjamini_yekutieli([0.01, 0.02, 0.5]).round(3).tolist()
    [0.055, 0.055, 0.917]
    """
    given = _checked(p_values)
    order = np.argsort(given, kind="stable")
    ranks = np.arange(1, given.size + 1)
    scaled = given[order] * given.size / ranks * (1 / ranks).sum()
    return _in_place(np.minimum.accumulate(scaled[::-1])[::-1], order)


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p values adjusted to control the chance of any false rejection.

    Rejecting where the result is at most alpha keeps that chance at or below alpha under any
    dependence. Equal to statsmodels' ``multipletests(method="holm")``. Equal p values stay equal;
    none gives none.

    Args:
        p_values: shape ``(n_tests,)``, in 0..1, without NaN.

    Raises:
        InvalidInputError: a value is NaN or outside 0..1.

    References:
        S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal
        of Statistics 6 (1979).

    >>> holm([0.01, 0.02, 0.5]).tolist()
    [0.03, 0.04, 0.5]
    """
    given = _checked(p_values)
    order = np.argsort(given, kind="stable")
    scaled = given[order] * np.arange(given.size, 0, -1)
    return _in_place(np.maximum.accumulate(scaled), order)


def _checked(p_values: ArrayLike) -> NDArray[np.float64]:
    given = np.asarray(p_values, dtype=np.float64)
    if given.ndim != 1 or not ((given >= 0) & (given <= 1)).all():
        raise InvalidInputError(
            f"P values must be one-dimensional and lie in 0..1; found {given.tolist()}."
        )
    return given


def _in_place(adjusted: NDArray[np.float64], order: NDArray[np.intp]) -> NDArray[np.float64]:
    result = np.empty_like(adjusted)
    result[order] = np.minimum(adjusted, 1.0)
    return result
