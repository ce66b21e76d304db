"""The energy distance between two samples."""

import numpy as np

from ml_orchestrator.numerics.ecdf import joint_ecdf
from ml_orchestrator.numerics.samples import SampleLike, finite_sample

__all__ = ["energy_distance", "normalised_energy_distance"]

SMALLEST_SCALE = 0.001


def energy_distance(x: SampleLike, y: SampleLike) -> float:
    """Return the root of twice the area between the squared distribution functions' gap.

    That is ``sqrt(2 E|X - Y| - E|X - X'| - E|Y - Y'|)``, in the root of the data's unit. Equal to
    scipy's ``energy_distance`` without weights.

    Missing values: refused; remove them first. Ties and constants need no care: two constants
    are as far apart as the root of twice their gap. Sizes may differ. Symmetric.

    Args:
        x: first sample, shape ``(n_x,)``.
        y: second sample, shape ``(n_y,)``.

    Raises:
        InvalidInputError: a sample is empty or not finite.

    References:
        G. J. Székely, M. L. Rizzo, "Energy statistics: a class of statistics based on distances",
        Journal of Statistical Planning and Inference 143 (2013).

    >>> energy_distance([0, 0], [2, 2])
    2.0
    """
    joint = joint_ecdf(x, y)
    gaps = (joint.n_x_below / joint.n_x - joint.n_y_below / joint.n_y)[:-1]
    return float(np.sqrt(2 * np.sum(gaps**2 * np.diff(joint.values))))


def normalised_energy_distance(reference: SampleLike, current: SampleLike) -> float:
    """Return the energy distance of the samples in standard deviations of the reference.

    Both samples are divided by the population standard deviation (``ddof=0``) of the reference,
    at least 0.001, so the unit of a column does not matter. Not symmetric. Everything else as in
    `energy_distance`.

    Raises:
        InvalidInputError: a sample is empty or not finite.

    >>> normalised_energy_distance([-1, 1], [1, 3]) == energy_distance([-1, 1], [1, 3])
    True
    """
    scale = float(np.std(finite_sample(reference, "reference")))
    return energy_distance(reference, current) / float(np.sqrt(max(scale, SMALLEST_SCALE)))
