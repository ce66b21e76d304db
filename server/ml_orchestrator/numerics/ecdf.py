"""The two empirical distribution functions of a pair of samples, on one grid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.numerics.samples import SampleLike, sorted_sample

__all__ = ["JointEcdf", "joint_ecdf"]


@dataclass(frozen=True, slots=True)
class JointEcdf:
    """How many values of each sample are at or below each value of either.

    ``values`` is sorted and keeps repeats, shape ``(n_x + n_y,)``. Where a value repeats, only
    the counts at its last place are those of the distribution function; ``is_last`` marks them.
    """

    values: NDArray[np.float64]
    n_x_below: NDArray[np.int64]
    n_y_below: NDArray[np.int64]

    @property
    def n_x(self) -> int:
        """Size of the first sample."""
        return int(self.n_x_below[-1])

    @property
    def n_y(self) -> int:
        """Size of the second sample."""
        return int(self.n_y_below[-1])

    @property
    def is_last(self) -> NDArray[np.bool_]:
        """Whether a place is the last one of its value, shape ``(n_x + n_y,)``."""
        return np.append(self.values[1:] != self.values[:-1], True)


def joint_ecdf(x: SampleLike, y: SampleLike) -> JointEcdf:
    """Merge two samples into their joint distribution functions.

    Both are sorted once; the smaller is then placed into the larger, so the merge costs
    ``min(n_x, n_y)`` binary searches in sorted order and one pass.

    Args:
        x: first sample, shape ``(n_x,)``, finite.
        y: second sample, shape ``(n_y,)``, finite; sizes may differ.

    Raises:
        InvalidInputError: a sample is empty or not finite.

    >>> joint_ecdf([1.0, 2.0], [2.0]).n_x_below.tolist()
    [1, 2, 2]
    """
    first, second = sorted_sample(x, "x"), sorted_sample(y, "y")
    if first.size >= second.size:
        return JointEcdf(*_merge(first, second))
    values, n_y_below, n_x_below = _merge(second, first)
    return JointEcdf(values, n_x_below, n_y_below)


def _merge(
    large: NDArray[np.float64], small: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    places = np.searchsorted(large, small, side="right") + np.arange(small.size)
    from_large = np.ones(large.size + small.size, dtype=np.bool_)
    from_large[places] = False
    values = np.empty(from_large.size)
    values[places] = small
    values[from_large] = large
    n_large = np.cumsum(from_large, dtype=np.int64)
    return values, n_large, np.arange(1, values.size + 1) - n_large
