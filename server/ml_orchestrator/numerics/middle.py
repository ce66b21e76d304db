"""The median of a large sample, with few of the values sorted."""

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.numerics.samples import SampleLike, SortedSample, finite_sample

__all__ = ["median"]

LEAST_VALUES = 10_000  # below which numpy's is as fast
N_LOOKED_AT = 2_000
N_DEVIATIONS = 3  # on each side; half of that in ranks for each root of what is looked at


def median(values: SampleLike) -> float:
    """Return the median; of an even number of values the mean of both in the middle.

    About 2,000 of the values say between which two the middle must lie; if it does, which is
    counted, only the values between these are partitioned. The answer is exact either way.

    Args:
        values: shape ``(n,)``, in any order.

    Raises:
        InvalidInputError: the sample is empty or not finite.

    >>> median([3.0, 1.0, 2.0, 10.0])
    2.5
    """
    sample = finite_sample(values, "values")
    if isinstance(values, SortedSample):
        return _mean_of_two(sample, (sample.size - 1) // 2, sample.size // 2)
    if sample.size < LEAST_VALUES:
        return float(np.median(sample))
    some = np.sort(sample[:: sample.size // N_LOOKED_AT])
    reach = round(N_DEVIATIONS * some.size**0.5 / 2)
    low, high = some[some.size // 2 - reach], some[some.size // 2 + reach]
    n_below = int(np.count_nonzero(sample < low))
    near = sample[(sample >= low) & (sample <= high)]
    first, second = (sample.size - 1) // 2 - n_below, sample.size // 2 - n_below
    if not 0 <= first <= second < near.size:
        return float(np.median(sample))
    return _mean_of_two(np.partition(near, [first, second]), first, second)


def _mean_of_two(values: NDArray[np.float64], first: int, second: int) -> float:
    return (float(values[first]) + float(values[second])) / 2
