"""The Wasserstein-1 distance between two samples."""

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.numerics.cell_kernels import area_between
from ml_orchestrator.numerics.cells import cells_of
from ml_orchestrator.numerics.samples import SampleLike, finite_sample, sorted_sample

__all__ = ["normalised_wasserstein", "wasserstein"]

SMALLEST_SCALE = 0.001


def wasserstein(x: SampleLike, y: SampleLike) -> float:
    """Return the area between the two distribution functions, in the unit of the data.

    It is the least mean distance over which values must move to turn one sample into the other.
    Equal to scipy's ``wasserstein_distance`` without weights.

    Missing values: refused; remove them first. Ties and constants need no care: two constants
    are as far apart as their values. Sizes may differ. Symmetric.

    Args:
        x: first sample, shape ``(n_x,)``.
        y: second sample, shape ``(n_y,)``.

    Raises:
        InvalidInputError: a sample is empty or not finite.

    References:
        A. Ramdas, N. García Trillos, M. Cuturi, "On Wasserstein two-sample testing and related
        families of nonparametric tests", Entropy 19 (2017).

    >>> wasserstein([0, 1], [5, 6])
    5.0
    """
    pair = cells_of(x, y)
    area = None if pair is None else area_between(pair)
    if area is not None:
        return area
    first, second = sorted_sample(x, "x"), sorted_sample(y, "y")
    if first.size == second.size:
        return float(np.mean(np.abs(first - second)))
    return _area_between_quantiles(first, second)


def _area_between_quantiles(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Add up ``|quantile of x - quantile of y|`` over the levels where either has a step.

    Levels are whole multiples of ``1 / (n_x n_y)``, so both grids merge by arithmetic alone.
    """
    n_x, n_y = x.size, y.size
    levels_x, levels_y = np.arange(1, n_x + 1) * n_y, np.arange(1, n_y + 1) * n_x
    levels = np.empty(n_x + n_y, dtype=np.int64)
    levels[np.arange(n_x) + (levels_x - 1) // n_x] = levels_x
    levels[np.arange(n_y) + levels_y // n_y] = levels_y
    gaps = np.abs(x[(levels - 1) // n_y] - y[(levels - 1) // n_x])
    return float(np.sum(gaps * np.diff(levels, prepend=0)) / (n_x * n_y))


def normalised_wasserstein(reference: SampleLike, current: SampleLike) -> float:
    """Return the Wasserstein-1 distance in standard deviations of the reference.

    The divisor is the population standard deviation (``ddof=0``) of the reference, at least
    0.001, so that a constant reference gives a finite number; this is Evidently's definition.
    Not symmetric. Everything else as in `wasserstein`.

    Raises:
        InvalidInputError: a sample is empty or not finite.

    >>> normalised_wasserstein([-1, 1], [1, 3])
    2.0
    """
    scale = float(np.std(finite_sample(reference, "reference")))
    return wasserstein(reference, current) / max(scale, SMALLEST_SCALE)
