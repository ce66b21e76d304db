"""Drift as what a classifier can tell: which sample does a row come from?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, norm, rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from ml_orchestrator.health.multivariate.contract import TOGETHER_TESTS, Found, Rows

__all__ = ["domain_classifier"]

NAMED_BY_CHANCE = 0.05  # chance that a column is named though none matters
Matrix = NDArray[np.float64]


@TOGETHER_TESTS.register("domain_classifier")
def domain_classifier(rows: Rows, *, seed: int) -> Found:
    """Train on one half to tell the samples apart; test on the other, with importances by column.

    The statistic is the area under the ROC curve on the half that was not trained on: 0.5 where
    nothing can be told. Given the classifier, its scores on that half are two independent
    samples, so the one-sided Mann-Whitney p value keeps its level. The importance of a column is
    what the area loses when its values are shuffled; only columns are named for which that is
    more than chance explains in the rows of that half (5 %, shared by all columns). Of columns
    that say the same, none may be.

    References:
        D. Lopez-Paz, M. Oquab, "Revisiting classifier two-sample tests", ICLR (2017). E. R.
        DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the areas under two or more
        correlated receiver operating characteristic curves", Biometrics 44 (1988), for chance.
    """
    features = np.concatenate([rows.reference, rows.current])
    is_current = np.repeat([0, 1], [len(rows.reference), len(rows.current)])
    known, held, known_side, held_side = train_test_split(
        features, is_current, test_size=0.5, stratify=is_current, random_state=seed
    )
    classifier = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, class_weight="balanced", random_state=seed
    )

    def scored(matrix: Matrix) -> tuple[Matrix, Matrix]:
        scores = classifier.predict_proba(matrix)[:, 1]
        return scores[held_side == 1], scores[held_side == 0]

    rng, names = np.random.default_rng(seed), dict.fromkeys(rows.columns)
    with threadpool_limits(1):  # on a busy machine threads wait for each other most of the time
        classifier.fit(known, known_side)
        here, there = scored(held)
        shuffled = {name: scored(_shuffled(held, name, rows.columns, rng)) for name in names}
    test = mannwhitneyu(here, there, alternative="greater", method="asymptotic")
    whole = _Placements.of(here, there)
    z = float(norm.isf(NAMED_BY_CHANCE / len(names)))
    lost = {name: whole.lost(_Placements.of(*scores)) for name, scores in shuffled.items()}
    importances = {name: loss for name, (loss, error) in lost.items() if loss > z * error}
    return Found(whole.area, float(test.pvalue), importances)


@dataclass(frozen=True, slots=True)
class _Placements:
    """Of each current score the share of reference scores below it, and the other way round."""

    here: Matrix
    there: Matrix

    @classmethod
    def of(cls, here: Matrix, there: Matrix) -> "_Placements":
        ranks = rankdata(np.concatenate([here, there]))
        below_here = (ranks[: here.size] - rankdata(here)) / there.size
        below_there = (ranks[here.size :] - rankdata(there)) / here.size
        return cls(below_here, 1 - below_there)

    @property
    def area(self) -> float:
        """Area under the ROC curve; ties count half."""
        return float(self.here.mean())

    def lost(self, other: "_Placements") -> tuple[float, float]:
        """Return how much larger this area is than the other of the same rows, and its error."""
        gaps = self.here - other.here, self.there - other.there
        variance = sum(float(gap.var(ddof=1)) / gap.size for gap in gaps)
        return float(gaps[0].mean()), variance**0.5


def _shuffled(
    matrix: Matrix, name: str, columns: tuple[str, ...], rng: np.random.Generator
) -> Matrix:
    """Return a copy in which all features of one column are shuffled alike."""
    of_column = [i for i, column in enumerate(columns) if column == name]
    copy = matrix.copy()
    copy[:, of_column] = matrix[rng.permutation(len(matrix))][:, of_column]
    return copy
