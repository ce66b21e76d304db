"""Means over rows when several rows belong to one unit."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.mean_tests import SampleMean
from ml_orchestrator.numerics.samples import finite_sample

__all__ = ["clustered_mean"]


def clustered_mean(values: ArrayLike, units: ArrayLike) -> SampleMean:
    """Return the mean of all rows, with the variance that rows of one unit being alike gives it.

    The mean is a ratio, sum of values over number of rows, and both vary from unit to unit; the
    variance is that of the delta method, with ``n / (n - 1)`` units. Without that factor it
    equals the cluster-robust variance of a regression on a constant. One row a unit gives the
    usual variance. Where few units have most rows, the variance is as unsure as that of
    ``(sum n)**2 / sum n**2`` even units, which is `SampleMean.n_even`.

    Args:
        values: shape ``(n_rows,)``.
        units: shape ``(n_rows,)``, whole numbers or text: whose row it is.

    Raises:
        InvalidInputError: shapes differ, fewer than two units, or a value is not finite.

    References:
        A. Deng, U. Knoblich, J. Lu, "Applying the delta method in metric analytics", KDD 2018.

    >>> clustered_mean([1.0, 1.0, 3.0, 3.0], ["a", "a", "b", "b"])
    SampleMean(n=2, mean=2.0, variance=1.0)
    """
    x = finite_sample(values, "values", n_least=2)
    codes = np.unique(np.asarray(units), return_inverse=True)[1].ravel()
    if codes.shape != x.shape:
        raise InvalidInputError(
            f"Each value needs its unit; found {x.size} values and {codes.size} units."
        )
    sizes: NDArray[np.float64] = np.bincount(codes).astype(np.float64)
    if sizes.size < 2:
        raise InvalidInputError("An arm needs rows of at least 2 units; found 1.")
    mean = float(x.mean())
    rests = np.bincount(codes, weights=x) - mean * sizes
    factor = sizes.size / (sizes.size - 1)
    variance = float(factor * (rests @ rests) / x.size**2)
    n_even = float(x.size**2 / (sizes @ sizes))
    is_even = bool((sizes == sizes[0]).all())
    return SampleMean(int(sizes.size), mean, variance, None if is_even else n_even)
