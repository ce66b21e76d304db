"""Drift as what a classifier can tell: which sample does a row come from?"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import train_test_split

from ml_orchestrator.health.multivariate.contract import TOGETHER_TESTS, Found, Rows

__all__ = ["domain_classifier"]

Matrix = NDArray[np.float64]


@TOGETHER_TESTS.register("domain_classifier")
def domain_classifier(rows: Rows, *, seed: int) -> Found:
    """Train on one half to tell the samples apart; test on the other, with importances by column.

    The statistic is the area under the ROC curve on the half that was not trained on: 0.5 where
    nothing can be told. Given the classifier, its scores on that half are two independent
    samples, so the one-sided Mann-Whitney p value keeps its level. The importance of a column is
    what the area loses when its values are shuffled, below 0 only by chance.

    References:
        D. Lopez-Paz, M. Oquab, "Revisiting classifier two-sample tests", ICLR (2017).
    """
    features = np.concatenate([rows.reference, rows.current])
    is_current = np.repeat([0, 1], [len(rows.reference), len(rows.current)])
    known, held, known_side, held_side = train_test_split(
        features, is_current, test_size=0.5, stratify=is_current, random_state=seed
    )
    classifier = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, class_weight="balanced", random_state=seed
    ).fit(known, known_side)

    def score(matrix: Matrix) -> tuple[float, float]:
        scores = classifier.predict_proba(matrix)[:, 1]
        here, there = scores[held_side == 1], scores[held_side == 0]
        test = mannwhitneyu(here, there, alternative="greater", method="asymptotic")
        return float(test.statistic) / (here.size * there.size), float(test.pvalue)

    area, p_value = score(held)
    rng = np.random.default_rng(seed)
    importances = {
        name: area - score(_shuffled(held, name, rows.columns, rng))[0]
        for name in dict.fromkeys(rows.columns)
    }
    return Found(area, p_value, importances)


def _shuffled(
    matrix: Matrix, name: str, columns: tuple[str, ...], rng: np.random.Generator
) -> Matrix:
    """Return a copy in which all features of one column are shuffled alike."""
    of_column = [i for i, column in enumerate(columns) if column == name]
    copy = matrix.copy()
    copy[:, of_column] = matrix[rng.permutation(len(matrix))][:, of_column]
    return copy
