"""Least squares with standard errors that hold for unequal variances and for groups of rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = ["RobustFit", "robust_fit"]

SMALLEST_PIVOT = 1e-8  # of a column's own sum of squares; below, it is made of the others
LARGEST_LEVERAGE = 1 - 1e-6


@dataclass(frozen=True, slots=True)
class RobustFit:
    """Coefficients without the constant, their covariance, and what is left over.

    Attributes:
        effects: shape ``(n_columns,)``.
        covariance: shape ``(n_columns, n_columns)``.
        residuals: shape ``(n_rows,)``.
        freedom: degrees of freedom of the t distribution that the effects are held against.
    """

    effects: NDArray[np.float64]
    covariance: NDArray[np.float64]
    residuals: NDArray[np.float64]
    freedom: int

    @property
    def errors(self) -> NDArray[np.float64]:
        """Standard errors, shape ``(n_columns,)``."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))


def robust_fit(
    columns: NDArray[np.float64],
    outcome: NDArray[np.float64],
    groups: NDArray[np.int64] | None = None,
) -> RobustFit:
    """Fit ``outcome`` by ``columns`` and a constant.

    Standard errors are HC3, or, with ``groups``, those of clustered rows (CR1, held against t
    with as many degrees of freedom as there are groups more than coefficients).

    Args:
        columns: shape ``(n_rows, n_columns)``, finite.
        outcome: shape ``(n_rows,)``, finite.
        groups: number of each row's group.

    Raises:
        InvalidInputError: too few rows or groups, or a column is constant or made of the others.

    References:
        J. G. MacKinnon, H. White, "Some heteroskedasticity-consistent covariance matrix
        estimators with improved finite sample properties", Journal of Econometrics 29 (1985).
        K.-Y. Liang, S. L. Zeger, "Longitudinal data analysis using generalized linear models",
        Biometrika 73 (1986).

    >>> fit = robust_fit(np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([1.0, 3.0, 4.0, 6.0]))
    >>> fit.effects.round(3).tolist(), fit.errors.round(3).tolist(), fit.freedom
    ([3.0], [2.0], 2)
    """
    n_rows, n_columns = columns.shape
    if n_rows < n_columns + 2:
        raise InvalidInputError(
            f"{n_rows} rows are too few to fit {n_columns} columns; at least {n_columns + 2}."
        )
    design = np.column_stack([np.ones(n_rows), columns])
    _check_rank(columns - columns.mean(axis=0))
    inverse = np.linalg.inv(design.T @ design)
    coefficients = inverse @ (design.T @ outcome)
    residuals = outcome - design @ coefficients
    if groups is None:
        leverage = np.minimum(((design @ inverse) * design).sum(axis=1), LARGEST_LEVERAGE)
        scores = design * (residuals / (1 - leverage))[:, None]
        factor, freedom = 1.0, n_rows - n_columns - 1
    else:
        scores, n_groups = _by_group(design * residuals[:, None], groups)
        factor = n_groups / (n_groups - 1) * (n_rows - 1) / (n_rows - n_columns - 1)
        freedom = max(1, n_groups - 1 - n_columns)
    covariance = factor * inverse @ (scores.T @ scores) @ inverse
    return RobustFit(coefficients[1:], covariance[1:, 1:], residuals, freedom)


def _check_rank(centred: NDArray[np.float64]) -> None:
    pivots = np.abs(np.diag(np.linalg.qr(centred, mode="r"))) ** 2
    size = (centred**2).sum(axis=0)
    if (pivots <= SMALLEST_PIVOT * np.maximum(size, 1e-12)).any():
        raise InvalidInputError(
            "A column is constant, or made of the others, so that its effect cannot be told from "
            "theirs; leave it out."
        )


def _by_group(
    scores: NDArray[np.float64], groups: NDArray[np.int64]
) -> tuple[NDArray[np.float64], int]:
    names, places = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise InvalidInputError("Standard errors by group need at least two groups; found one.")
    summed = np.zeros((len(names), scores.shape[1]))
    np.add.at(summed, places, scores)
    return summed, len(names)
