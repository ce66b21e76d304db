"""The Jensen-Shannon distance."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr

__all__ = ["jensen_shannon"]


def jensen_shannon(
    reference_shares: NDArray[np.float64], current_shares: NDArray[np.float64]
) -> float:
    """Return the square root of the Jensen-Shannon divergence, natural logarithm.

    It runs from 0 (equal shares) to ``sqrt(log 2)``, 0.8326 (no cell in common), and is a metric.
    Equal to scipy's ``distance.jensenshannon`` without a base. Empty cells, such as an unseen
    category, need no filling. Symmetric. Constants: one cell, distance 0.

    Missing values and ties do not enter: the input are shares of what was present. Sizes of the
    samples may differ and do not enter. Rounding limits the distance of nearly equal shares to
    about 1e-8.

    Args:
        reference_shares: shape ``(n_cells,)``, sum 1.
        current_shares: the same cells.

    References:
        D. M. Endres, J. E. Schindelin, "A new metric for probability distributions", IEEE
        Transactions on Information Theory 49 (2003).

    >>> round(jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])), 4)
    0.8326
    """
    middle = (reference_shares + current_shares) / 2
    divergence = np.sum(rel_entr(reference_shares, middle)) + np.sum(
        rel_entr(current_shares, middle)
    )
    return float(np.sqrt(max(divergence, 0.0) / 2))
