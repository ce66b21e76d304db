"""The kernel two-sample test (maximum mean discrepancy)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError

__all__ = [
    "LARGEST_SAMPLE",
    "LEAST_P",
    "MaximumMeanDiscrepancy",
    "discrepancy_in_steps",
    "maximum_mean_discrepancy",
]

LARGEST_SAMPLE = 1_000
FEW_PERMUTATIONS, MANY_PERMUTATIONS = 499, 4_999
BLOCK = 1_000  # permutations at once
WORTH_MORE = 0.02  # p value of the few, from which many are made
LEAST_P = 1 / (MANY_PERMUTATIONS + 1)
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MaximumMeanDiscrepancy:
    """Result of the test: the unbiased squared discrepancy (may be below 0) and its p value."""

    statistic: float
    p_value: float


def maximum_mean_discrepancy(
    x: Matrix, y: Matrix, *, n_permutations: int = 500, rng: np.random.Generator
) -> MaximumMeanDiscrepancy:
    """Test whether two multivariate samples come from one distribution.

    The kernel is Gaussian; its width is the median distance between rows of both samples. The p
    value counts, among ``n_permutations`` random divisions of the pooled rows and the observed
    one, those with at least the observed discrepancy, so it keeps its level in samples of any
    size and is at least ``1 / (n_permutations + 1)``. Above 1,000 rows a side, 1,000 are drawn
    without replacement: the matrix of all pairs is kept in memory.

    Missing values: refused; fill or remove them first. Ties and constants need no care: where all
    rows are equal the p value is 1. Scale the columns: the kernel sees distances. Sizes may
    differ. Symmetric but for the draws of ``rng``.

    Args:
        x: first sample, shape ``(n_x, n_features)``, at least 2 rows.
        y: second sample, shape ``(n_y, n_features)``, at least 2 rows.
        n_permutations: at least 1.
        rng: draws rows and permutations.

    Raises:
        InvalidInputError: a shape does not fit, or a value is not finite.

    References:
        A. Gretton, K. M. Borgwardt, M. J. Rasch, B. Schölkopf, A. Smola, "A kernel two-sample
        test", Journal of Machine Learning Research 13 (2012), equation 3. B. Phipson, G. K.
        Smyth, "Permutation p-values should never be zero", Statistical Applications in Genetics
        and Molecular Biology 9 (2010).

    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(50, 2)), rng.normal(2, 1, (50, 2))
    >>> maximum_mean_discrepancy(x, y, n_permutations=199, rng=rng).p_value
    0.005
    """
    _check(x, y)
    first, second = _drawn(x, rng), _drawn(y, rng)
    kernel = _gaussian_kernel(np.concatenate([first, second]))
    n_x, n = first.shape[0], kernel.shape[0]
    observed = np.zeros((1, n))
    observed[0, :n_x] = 1.0
    parts = [_discrepancies(kernel, observed, n_x)]
    for start in range(0, n_permutations, BLOCK):
        sides = np.zeros((min(BLOCK, n_permutations - start), n))
        for row in sides:
            row[rng.permutation(n)[:n_x]] = 1.0
        parts.append(_discrepancies(kernel, sides, n_x))
    found = np.concatenate(parts)
    # Sums in another order differ by rounding; equal divisions must count as equal.
    is_as_large = found >= found[0] - 1e-12 * abs(found[0]) - 1e-15
    return MaximumMeanDiscrepancy(float(found[0]), float(np.mean(is_as_large)))


def discrepancy_in_steps(
    x: Matrix, y: Matrix, *, seed: int = 0, n_most: int = MANY_PERMUTATIONS
) -> MaximumMeanDiscrepancy:
    """Return `maximum_mean_discrepancy` by 499 permutations, by 4,999 where the p value is small.

    Small is 0.02 or less; by ``n_most`` where none of 4,999 was as extreme. `division_test` says
    why that keeps the level. The p value is at least 1 / 5,000, or ``1 / (n_most + 1)``.

    Args:
        x: first sample, shape ``(n_x, n_features)``, at least 2 rows.
        y: second sample, shape ``(n_y, n_features)``, at least 2 rows.
        seed: of the draws, the same in all steps.
        n_most: permutations at most, where more than 4,999.

    Raises:
        InvalidInputError: a shape does not fit, or a value is not finite.
    """
    steps = (FEW_PERMUTATIONS, MANY_PERMUTATIONS, n_most)
    for n_permutations in steps if n_most > MANY_PERMUTATIONS else steps[:2]:
        found = maximum_mean_discrepancy(
            x, y, n_permutations=n_permutations, rng=np.random.default_rng(seed)
        )
        is_least = found.p_value <= 1 / (n_permutations + 1)
        if found.p_value > WORTH_MORE or (n_permutations == MANY_PERMUTATIONS and not is_least):
            break
    return found


def _discrepancies(kernel: Matrix, sides: Matrix, n_x: int) -> NDArray[np.float64]:
    """Return the squared discrepancy of each division; ``sides`` is 1 where a row is in x.

    ``kernel`` has no diagonal, so within-sample sums leave out a row with itself.
    """
    n_y = kernel.shape[0] - n_x
    to_x = sides @ kernel
    total, from_all = kernel.sum(), sides @ kernel.sum(axis=1)
    within_x = np.einsum("ij,ij->i", to_x, sides)
    across = from_all - within_x
    within_y = total - within_x - 2 * across
    discrepancies: NDArray[np.float64] = (
        within_x / (n_x * (n_x - 1)) + within_y / (n_y * (n_y - 1)) - 2 * across / (n_x * n_y)
    )
    return discrepancies


def _gaussian_kernel(rows: Matrix) -> Matrix:
    norms = np.einsum("ij,ij->i", rows, rows)
    squared = np.maximum(norms[:, None] + norms[None, :] - 2 * rows @ rows.T, 0.0)
    pairs = squared[np.triu_indices_from(squared, k=1)]
    positive = pairs[pairs > 1e-12 * max(float(norms.max()), 1e-300)]
    width = float(np.median(positive)) if positive.size else 1.0
    kernel: Matrix = np.exp(-squared / width)
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _drawn(rows: Matrix, rng: np.random.Generator) -> Matrix:
    if rows.shape[0] <= LARGEST_SAMPLE:
        return rows
    return rows[rng.choice(rows.shape[0], LARGEST_SAMPLE, replace=False)]


def _check(x: Matrix, y: Matrix) -> None:
    for name, rows in (("x", x), ("y", y)):
        if rows.ndim != 2 or rows.shape[0] < 2 or rows.shape[1] != x.shape[1]:
            raise InvalidInputError(
                f"Sample {name!r} must have at least 2 rows and as many columns as the other; "
                f"found shapes {x.shape} and {y.shape}."
            )
        if not np.isfinite(rows).all():
            raise InvalidInputError(f"Sample {name!r} holds NaN or infinities; fill them first.")
