"""Drift as what the reference's principal components cannot reproduce."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from sklearn.decomposition import PCA

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.multivariate.contract import TOGETHER_TESTS, Found, Rows

__all__ = ["reconstruction"]

KEPT_VARIANCE = 0.65
Matrix = NDArray[np.float64]


@TOGETHER_TESTS.register("pca")
def reconstruction(rows: Rows, *, seed: int) -> Found:
    """Fit components on half of the reference; compare what they miss in the other and now.

    The components keep 65 % of the variance. The statistic is the mean error of the current rows
    over that of the reference's other half: 1 where the relations between columns are the same.
    Both error samples are independent of the fit, so the two-sided Mann-Whitney p value keeps its
    level. Sees changed correlations, and not a shift along a component that was kept.

    Raises:
        InvalidInputError: there is one feature only; it has no relation to another.
    """
    if rows.reference.shape[1] < 2:
        raise InvalidInputError(
            f"Only {rows.columns[0]!r} varies; test pca needs two columns that do. Test the column "
            "by itself instead."
        )
    order = np.random.default_rng(seed).permutation(len(rows.reference))
    fitted, held = np.array_split(rows.reference[order], 2)
    components = PCA(n_components=_n_kept(fitted), svd_solver="full").fit(fitted)
    before, after = _errors(components, held), _errors(components, rows.current)
    result = mannwhitneyu(after, before, alternative="two-sided", method="asymptotic")
    mean_before = float(before.mean())
    ratio = float(after.mean()) / mean_before if mean_before > 0 else float("inf")
    return Found(ratio, float(result.pvalue), {})


def _n_kept(rows: Matrix) -> int:
    """Return the fewest components that keep the variance, leaving one out where there are two."""
    shares = PCA(svd_solver="full").fit(rows).explained_variance_ratio_
    n_needed = int(np.searchsorted(np.cumsum(shares), KEPT_VARIANCE)) + 1
    return min(n_needed, int(rows.shape[1]) - 1)


def _errors(components: PCA, rows: Matrix) -> NDArray[np.float64]:
    again = components.inverse_transform(components.transform(rows))
    errors: NDArray[np.float64] = np.sqrt(np.sum((rows - again) ** 2, axis=1))
    return errors
