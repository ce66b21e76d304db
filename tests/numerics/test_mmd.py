"""The kernel two-sample test against its definition, and at its level."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import binom

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.mmd import maximum_mean_discrepancy


def test_the_statistic_is_the_unbiased_one_of_the_definition() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(30, 3)), rng.normal(0.5, 2, (21, 3))
    both = np.concatenate([x, y])
    squared = cdist(both, both, "sqeuclidean")
    width = np.median(squared[np.triu_indices(51, k=1)])

    def mean_kernel(a: np.ndarray, b: np.ndarray, *, within: bool) -> float:
        kernel = np.exp(-cdist(a, b, "sqeuclidean") / width)
        return float((kernel.sum() - len(a)) / (len(a) * (len(a) - 1)) if within else kernel.mean())

    expected = (
        mean_kernel(x, x, within=True)
        + mean_kernel(y, y, within=True)
        - 2 * mean_kernel(x, y, within=False)
    )
    found = maximum_mean_discrepancy(x, y, n_permutations=1, rng=rng)
    assert found.statistic == pytest.approx(expected, abs=1e-12)


def test_the_level_holds_where_nothing_changed() -> None:
    n_seeds = 200
    n_alarms = 0
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        x, y = rng.standard_cauchy((25, 2)), rng.standard_cauchy((20, 2))
        n_alarms += maximum_mean_discrepancy(x, y, n_permutations=99, rng=rng).p_value <= 0.05
    low, high = binom.interval(0.998, n_seeds, 0.05)
    assert low <= n_alarms <= high


def test_equal_rows_do_not_differ() -> None:
    rng = np.random.default_rng(2)
    same = np.ones((12, 2))
    assert maximum_mean_discrepancy(same, same[:5], rng=rng).p_value == 1.0


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.ones((1, 2)), np.ones((5, 2)), "'x' must have at least 2 rows"),
        (np.ones((5, 2)), np.ones((5, 3)), "'y' must have at least 2 rows and as many columns"),
        (np.full((5, 2), np.nan), np.ones((5, 2)), "'x' holds NaN"),
    ],
)
def test_rows_that_cannot_be_compared_are_refused(
    x: np.ndarray, y: np.ndarray, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        maximum_mean_discrepancy(x, y, rng=np.random.default_rng(0))
