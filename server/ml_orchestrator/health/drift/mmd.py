"""The kernel two-sample test as a drift test of vectors."""

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.health.drift.contract import DRIFT_TESTS, Measurement, Sample, drift_test
from ml_orchestrator.numerics.mmd import LARGEST_SAMPLE, MANY_PERMUTATIONS, discrepancy_in_steps

__all__ = ["compare_vectors", "mmd"]


@DRIFT_TESTS.register("mmd")
@drift_test(kinds=["vectors"], measure="p_value", threshold=0.05, is_symmetric=False)
def mmd(reference: Sample, current: Sample) -> Measurement:
    """Compare all distances between vectors such as embeddings, with a permutation null.

    The statistic is the root of the squared discrepancy, 0 where it is below what chance gives.
    Of more than 1,000 vectors a side, 1,000 are drawn.
    """
    return compare_vectors(reference, current)


def compare_vectors(
    reference: Sample, current: Sample, *, n_most: int = MANY_PERMUTATIONS
) -> Measurement:
    """Return what `mmd` measures, with ``n_most`` permutations at most."""
    before, after = _in_order(reference.values), _in_order(current.values)
    if min(len(before), len(after)) < 2:
        return Measurement(0.0, 1.0, "One vector alone cannot be compared.")
    found = discrepancy_in_steps(before, after, n_most=n_most)
    note = None
    if max(len(before), len(after)) > LARGEST_SAMPLE:
        note = f"Of each side {LARGEST_SAMPLE:,} vectors, drawn at random, were compared."
    return Measurement(max(0.0, found.statistic) ** 0.5, found.p_value, note)


def _in_order(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows sorted, so that their order does not matter to what is drawn."""
    return vectors[np.lexsort(vectors.T[::-1])]
