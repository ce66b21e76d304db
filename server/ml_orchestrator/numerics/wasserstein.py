"""The Wasserstein-1 distance between two samples."""

import numpy as np
from numpy.typing import ArrayLike

from ml_orchestrator.numerics.ecdf import finite_sample, joint_ecdf

__all__ = ["normalised_wasserstein", "wasserstein"]

SMALLEST_SCALE = 0.001


def wasserstein(x: ArrayLike, y: ArrayLike) -> float:
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
    joint = joint_ecdf(x, y)
    gaps = np.abs(joint.n_x_below / joint.n_x - joint.n_y_below / joint.n_y)[:-1]
    return float(np.sum(gaps * np.diff(joint.values)))


def normalised_wasserstein(reference: ArrayLike, current: ArrayLike) -> float:
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
