"""Whether arms have the sizes they were meant to have, looked at once or again and again."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc, gammaln

from ml_orchestrator.errors import InvalidInputError

__all__ = ["log_e_sizes", "sizes_p_value"]

CONCENTRATION = 100.0  # how near the planned shares the alternatives lie


def sizes_p_value(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Return the p value of Pearson's chi-square test of sizes against planned shares.

    Equal to scipy's ``chisquare``.

    Args:
        counts: units in each arm.
        shares: planned weights, above 0; they need not add up to 1.

    Raises:
        InvalidInputError: fewer than two arms, no unit, or a share that is not above 0.

    >>> round(sizes_p_value([5000, 5200], [1, 1]), 4)
    0.0477
    """
    n, p = _checked(counts, shares)
    expected = n.sum() * p
    return float(chdtrc(n.size - 1, np.sum((n - expected) ** 2 / expected)))


def log_e_sizes(counts: Sequence[int], shares: Sequence[float]) -> float:
    """Return the log of the e-value against the planned shares, valid however often one looks.

    It is a Bayes factor: a Dirichlet mixture around the plan against the plan. If the plan is
    kept, the chance that it ever reaches ``1 / alpha`` is at most alpha.

    Raises:
        InvalidInputError: as for `sizes_p_value`.

    References:
        M. Lindon, A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022.

    >>> log_e_sizes([5000, 5000], [1, 1]) < 0 < log_e_sizes([5000, 5600], [1, 1])
    True
    """
    n, p = _checked(counts, shares)
    a = CONCENTRATION * p
    mixed = gammaln(a.sum()) - gammaln(a.sum() + n.sum()) + np.sum(gammaln(a + n) - gammaln(a))
    return float(mixed - np.sum(n * np.log(p)))


def _checked(
    counts: Sequence[int], shares: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n, p = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    if n.shape != p.shape or n.size < 2 or n.sum() <= 0 or not (p > 0).all():
        raise InvalidInputError(
            "Sizes need at least two arms with a unit in one of them, and a planned share above 0 "
            f"for each; found sizes {list(counts)} and shares {list(shares)}."
        )
    return n, p / p.sum()
