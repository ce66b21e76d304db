"""The Hellinger distance."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["hellinger"]


def hellinger(reference_shares: NDArray[np.float64], current_shares: NDArray[np.float64]) -> float:
    """Return the Euclidean distance of the roots of the shares over the root of two.

    It runs from 0 (equal shares) to 1 (no cell in common), and is a metric. Empty cells, such as
    an unseen category, need no filling. Symmetric. Constants: one cell, distance 0.

    Missing values and ties do not enter: the input are shares of what was present. Sizes of the
    samples may differ and do not enter, so small samples show larger values by chance.

    Args:
        reference_shares: shape ``(n_cells,)``, sum 1.
        current_shares: the same cells.

    References:
        E. Hellinger, "Neue Begründung der Theorie quadratischer Formen von unendlichvielen
        Veränderlichen", Journal für die reine und angewandte Mathematik 136 (1909).

    >>> hellinger(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    1.0
    """
    gaps = np.sqrt(reference_shares) - np.sqrt(current_shares)
    return float(np.sqrt(np.sum(gaps**2) / 2))
