"""Permutation tests of any statistic of a table's rows, divided in two."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ml_orchestrator.errors import InvalidInputError

__all__ = [
    "MANY_DRAWS",
    "DividedTest",
    "Statistic",
    "division_test",
    "share_divergence",
    "unseen_share",
]

FEW_DRAWS, MANY_DRAWS = 999, 9_999
WORTH_MORE = 0.02  # p value of the few draws, from which many are made
BLOCK_VALUES = 200_000  # held at once; these fit into the cache
CLOSE = 1e-12  # divergences that differ by rounding alone are equal
Values = NDArray[np.float64]
Weights: TypeAlias = "NDArray[np.float64] | csr_array"
Statistic: TypeAlias = Callable[[Values], Values]


@dataclass(frozen=True, slots=True)
class DividedTest:
    """What a statistic is, what it is by chance, and how often chance makes it as large.

    Attributes:
        statistic: of the division that was asked about.
        expected: mean over random divisions.
        p_value: one-sided, for large values; never below one over the divisions drawn, plus one.
    """

    statistic: float
    expected: float
    p_value: float


def division_test(
    statistic: Statistic,
    n_first: int,
    n_rows: int,
    *,
    rng: np.random.Generator,
    n_cells: int = 1,
    n_most: int = MANY_DRAWS,
) -> DividedTest:
    """Test whether the first rows differ from the others by more than rows do by chance.

    The null is that all rows come from one source, each for itself; then every division into
    groups of these sizes is as likely, whatever the source. The p value counts the divisions that
    are at least as extreme, the one observed among them: first of 1,000, and of 10,000 where that
    gave 0.02 or less, and of ``n_most`` where none of these was as extreme. Reporting the later
    number there keeps the level: to be at most alpha it needs the same of one of these valid p
    values in every case.

    Args:
        statistic: of divisions, shape ``(n_divisions, n_rows)``, 1 where a row is in the first
            group and else 0; returns shape ``(n_divisions,)``, larger for more different groups.
        n_first: rows of the first group, from 1 to ``n_rows - 1``; they come first.
        n_rows: all rows.
        rng: draws the divisions.
        n_cells: numbers that the statistic holds for each division; bounds the memory.
        n_most: divisions drawn at most, where more than 9,999.

    Raises:
        InvalidInputError: a group has no row.

    References:
        B. Phipson, G. K. Smyth, "Permutation p-values should never be zero", Statistical
        Applications in Genetics and Molecular Biology 9 (2010).

    >>> distances = share_divergence(np.array([[1.0, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]]))
    >>> found = division_test(distances, 3, 6, rng=np.random.default_rng(0))
    >>> round(found.statistic, 4), 0.08 < found.p_value < 0.12  # 2 of 20 divisions
    (0.6931, True)
    """
    if not 0 < n_first < n_rows:
        raise InvalidInputError(f"Both groups need a row; found {n_first} of {n_rows} in one.")
    observed = np.zeros((1, n_rows))
    observed[0, :n_first] = 1.0
    value = float(statistic(observed)[0])
    block = max(1, BLOCK_VALUES // max(n_rows, n_cells))
    n_extreme, n_drawn, total = 0, 0, 0.0
    for n_wanted in (FEW_DRAWS, MANY_DRAWS, n_most):
        while n_drawn < n_wanted:
            sides = _drawn(min(block, n_wanted - n_drawn), n_first, n_rows, rng)
            found = statistic(sides)
            n_extreme += int(np.count_nonzero(found >= value - CLOSE))
            n_drawn, total = n_drawn + len(sides), total + float(found.sum())
        p_value = (n_extreme + 1) / (n_drawn + 1)
        if p_value > WORTH_MORE or (n_extreme and n_wanted == MANY_DRAWS):
            break
    return DividedTest(value, total / n_drawn, p_value)


def share_divergence(weights: Weights) -> Statistic:
    """Return the Jensen-Shannon divergence between the groups' shares of cells, as a statistic.

    A group's share of a cell is what its rows have there over what they have in all; a group
    without anything has shares of 0. The divergence runs from 0 to ``log 2``, 0.6931; its root is
    the distance of `jensen_shannon`.

    Args:
        weights: shape ``(n_rows, n_cells)``, 0 or above.
    """
    total = _row_sums(np.ones((1, weights.shape[0])), weights)

    def statistic(sides: Values) -> Values:
        first = _row_sums(sides, weights)
        ours, theirs = _shares(first), _shares(np.maximum(total - first, 0.0))
        middle = _entropy((ours + theirs) / 2)
        return np.maximum(middle - (_entropy(ours) + _entropy(theirs)) / 2, 0.0)

    return statistic


def unseen_share(counts: csr_array) -> Statistic:
    """Return the share of what the second group has in cells that the first has nothing in.

    Args:
        counts: shape ``(n_rows, n_cells)``, whole numbers.
    """
    n_with = np.bincount(counts.indices, minlength=counts.shape[1])
    shared = csr_array(counts[:, n_with > 1])
    alone = np.asarray(counts[:, n_with == 1].sum(axis=1)).ravel()  # in one row: always unseen
    of_row = np.asarray(counts.sum(axis=1)).ravel()
    total = _row_sums(np.ones((1, counts.shape[0])), shared)

    def statistic(sides: Values) -> Values:
        first = _row_sums(sides, shared)
        unseen = np.where(first == 0, total, 0.0).sum(axis=1) + (1 - sides) @ alone
        all_of_it = (1 - sides) @ of_row
        share: Values = np.divide(unseen, all_of_it, out=np.zeros_like(unseen), where=all_of_it > 0)
        return share

    return statistic


def _drawn(n: int, n_first: int, n_rows: int, rng: np.random.Generator) -> Values:
    order = rng.permuted(np.broadcast_to(np.arange(n_rows), (n, n_rows)), axis=1)
    sides = np.zeros((n, n_rows))
    np.put_along_axis(sides, order[:, :n_first], 1.0, axis=1)
    return sides


def _row_sums(sides: Values, weights: Weights) -> Values:
    """Return the sums of each group, shape ``(n_divisions, n_cells)``."""
    if isinstance(weights, np.ndarray):
        return np.asarray(sides @ weights, dtype=np.float64)
    return np.asarray((weights.T @ sides.T).T, dtype=np.float64)


def _entropy(shares: Values) -> Values:
    """Return the entropy of each row, natural logarithm; numpy's is the fast one."""
    entropy: Values = -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(axis=1)
    return entropy


def _shares(sums: Values) -> Values:
    totals = sums.sum(axis=1, keepdims=True)
    shares: Values = np.divide(sums, totals, out=np.zeros_like(sums), where=totals > 0)
    return shares
