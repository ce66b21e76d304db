"""The population stability index."""

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.numerics.binning import without_zeros

__all__ = ["population_stability_index"]


def population_stability_index(
    reference_shares: NDArray[np.float64], current_shares: NDArray[np.float64]
) -> float:
    """Return ``sum((r - c) log(r / c))`` over the cells, natural logarithm.

    It is 0 for equal shares and unbounded above; 0.1 is commonly read as a moderate shift and
    0.25 as a large one. A cell empty on one side, such as an unseen category, takes the small
    share of `without_zeros`, so the value stays finite. Symmetric. Constants: one cell, value 0.

    Missing values and ties do not enter: the input are shares of what was present. Sizes of the
    samples may differ and do not enter, so small samples show larger values by chance.

    Args:
        reference_shares: shape ``(n_cells,)``, sum 1.
        current_shares: the same cells.

    References:
        B. Yurdakul, "Statistical properties of population stability index", dissertation,
        Western Michigan University (2018).

    >>> population_stability_index(np.array([0.5, 0.5]), np.array([0.5, 0.5]))
    0.0
    """
    before, after = without_zeros(reference_shares), without_zeros(current_shares)
    return float(np.sum((before - after) * np.log(before / after)))
