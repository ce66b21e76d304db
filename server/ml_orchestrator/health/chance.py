"""Whether chance explains a distance: how often samples of one distribution are as far apart."""

import math

import numpy as np

from ml_orchestrator.health.drift.choice import Pair, chance_test, measure
from ml_orchestrator.health.drift.contract import Sample

__all__ = ["chance_of"]

MOST_VALUES = 2_000  # of a side that are permuted
LEAST_DRAWS, MOST_DRAWS = 999, 9_999
ENOUGH_HITS = 10  # permutations as far apart, after which the p value is known well enough


def chance_of(pair: Pair, test: str, *, needed: float, seed: int = 0) -> float:
    """Return a p value for a distance between two samples.

    Twice the smaller one of two: of the rank or count test of all values (Kolmogorov-Smirnov, or
    chi-square where no expected count is small), and of the distance itself among permutations
    of at most 2,000 values a side. The second sees what the first is blind to, such as a few far
    values; it is drawn only where the first does not decide.

    Args:
        pair: both sides, of any kind that ``test`` takes.
        test: a test that gives a distance.
        needed: the p value below which nothing more is to be known.
        seed: of the values and permutations drawn.

    References:
        J. Besag and P. Clifford, "Sequential Monte Carlo p-values", Biometrika 78 (1991).
    """
    quick = _of_all_values(pair)
    if 2 * quick <= needed:
        return 2 * quick
    return min(1.0, 2 * min(quick, _by_permutation(pair, test, needed / 2, seed)))


def _of_all_values(pair: Pair) -> float:
    if pair.reference.kind == "vectors":
        return 1.0  # no such test takes them
    found = measure(pair, chance_test(pair))
    is_rough = found.note is not None
    return 1.0 if found.p_value is None or is_rough else found.p_value


def _by_permutation(pair: Pair, test: str, needed: float, seed: int) -> float:
    rng = np.random.default_rng(seed)
    sides = [_drawn(side, rng) for side in (pair.reference, pair.current)]
    pooled, n_reference = np.concatenate(sides), len(sides[0])
    found = _distance(pair, test, pooled, n_reference)
    n_draws = min(MOST_DRAWS, max(LEAST_DRAWS, math.ceil(1 / needed)))
    n_hits = 0
    for n in range(1, n_draws + 1):
        n_hits += _distance(pair, test, rng.permutation(pooled), n_reference) >= found
        if n_hits == ENOUGH_HITS:
            return n_hits / n
    return (n_hits + 1) / (n_draws + 1)


def _drawn(side: Sample, rng: np.random.Generator) -> np.ndarray:
    if len(side.given) <= MOST_VALUES:
        return side.given
    return rng.choice(side.given, MOST_VALUES, replace=False)


def _distance(pair: Pair, test: str, values: np.ndarray, n_reference: int) -> float:
    column = pair.reference.column
    before = Sample.read(column, "reference", values[:n_reference])
    after = Sample.read(column, "current", values[n_reference:])
    return measure(Pair(before, after), test).statistic
