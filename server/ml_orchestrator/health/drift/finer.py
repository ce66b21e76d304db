"""Permutation tests with p values as small as a correction for many comparisons asks for."""

import math

from ml_orchestrator.health.drift.choice import LEAST_P, Pair
from ml_orchestrator.health.drift.contract import Measurement
from ml_orchestrator.health.drift.mmd import compare_vectors
from ml_orchestrator.health.drift.texts import compare_texts
from ml_orchestrator.numerics.divisions import MANY_DRAWS
from ml_orchestrator.numerics.mmd import MANY_PERMUTATIONS

__all__ = ["MOST_DRAWS", "can_reach", "measure_finely"]

MOST_DRAWS = 50_000  # some seconds for a thousand vectors or texts
_USUAL_DRAWS = {"text": MANY_DRAWS, "mmd": MANY_PERMUTATIONS}


def can_reach(test: str, p_value: float) -> bool:
    """Return whether `measure_finely` can give so small a p value."""
    return _n_draws(test, p_value) <= MOST_DRAWS


def measure_finely(pair: Pair, test: str, p_value: float) -> Measurement:
    """Return what a test that permutes rows itself measures, with p values down to ``p_value``.

    More permutations are drawn only where none of the usual number is as extreme.

    Args:
        pair: texts or vectors.
        test: ``text`` or ``mmd``.
        p_value: that can be reached.
    """
    compare = compare_vectors if test == "mmd" else compare_texts
    return compare(pair.reference, pair.current, n_most=_n_draws(test, p_value))


def _n_draws(test: str, p_value: float) -> int:
    """Return how many draws give ``p_value`` where none is as extreme."""
    return math.ceil(LEAST_P[test] * (_USUAL_DRAWS[test] + 1) / p_value)
