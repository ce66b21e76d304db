"""Numbers of a raw column, as a frame at training or a caller's request has them."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["LARGEST", "as_numbers", "bounded"]

LARGEST = 3.4e38  # of a number that a model learns from: what 32 bits hold, which trees count in


def as_numbers(column: "pd.Series[Any]") -> NDArray[np.float64]:
    """Return finite numbers, shape ``(n_rows,)``; NaN for what is missing, infinite or no number.

    >>> as_numbers(pd.Series([1, None, "2", float("inf")], dtype=object)).tolist()
    [1.0, nan, 2.0, nan]
    """
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def bounded(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the numbers with the largest that models take for larger ones; NaN stays.

    >>> bounded(np.array([1.0, -1e300, np.inf, np.nan])).tolist()
    [1.0, -3.4e+38, 3.4e+38, nan]
    """
    return np.clip(numbers, -LARGEST, LARGEST)
