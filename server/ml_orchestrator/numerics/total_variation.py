"""The total variation distance."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["total_variation"]


def total_variation(
    reference_shares: NDArray[np.float64], current_shares: NDArray[np.float64]
) -> float:
    """Return half the sum of ``|r - c|`` over the cells.

    It is the share of rows that would have to change cell, from 0 (equal shares) to 1 (no cell in
    common), and a metric. Empty cells, such as an unseen category, need no filling. Symmetric.
    Constants: one cell, distance 0.

    Missing values and ties do not enter: the input are shares of what was present. Sizes of the
    samples may differ and do not enter, so small samples show larger values by chance.

    Args:
        reference_shares: shape ``(n_cells,)``, sum 1.
        current_shares: the same cells.

    References:
        D. A. Levin, Y. Peres, "Markov Chains and Mixing Times", 2nd edition (2017), section 4.1.

    >>> total_variation(np.array([0.5, 0.5]), np.array([0.75, 0.25]))
    0.25
    """
    return float(np.sum(np.abs(reference_shares - current_shares)) / 2)
