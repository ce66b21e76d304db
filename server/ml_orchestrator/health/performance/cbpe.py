"""Performance of a classifier without labels, from its own probabilities, calibrated."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import KFold

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.performance.predictions import Predicted
from ml_orchestrator.numerics.class_scores import drawn_scores, expected_scores

__all__ = ["ConfidenceEstimator"]

LEAST_LABELS = 100
MOST_ROWS = 50_000  # that calibrations are fitted on
N_REFITS = 10
N_DRAWS = 200
LEAST_DRAWS = 20
MOST_DRAWN = 5_000_000  # draws times rows, which bounds the time
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Knots:
    """A monotone map of probabilities, linear between its knots."""

    x: Matrix
    y: Matrix


class ConfidenceEstimator:
    """Estimates what labels would show of a classifier (confidence-based estimation).

    It holds while a probability, once calibrated on the reference, means now what it meant then:
    inputs may shift, but the relation of inputs and classes may not change.

    Args:
        reference: with labels and probabilities.
        seed: of folds, refits and draws.

    Raises:
        InvalidInputError: fewer than 100 labels, or a class has none.

    References:
        J. Białek, J. Perrakis, "Estimating model performance under covariate shift without
        labels", arXiv:2401.08348 (2024). B. Zadrozny, C. Elkan, "Transforming classifier scores
        into accurate multiclass probability estimates", KDD (2002), for the calibration.
    """

    method: Literal["cbpe"] = "cbpe"
    assumption = (
        "Estimates without labels assume that calibrated probabilities mean now what they meant "
        "in the reference: inputs may have shifted, the answers to equal inputs may not have "
        "changed. Such a change (concept drift) stays unseen until labels arrive."
    )

    def __init__(self, reference: Predicted, *, seed: int) -> None:
        labelled = reference.take(reference.is_labelled)
        n_rows, n_classes = labelled.probabilities.shape
        if n_rows < LEAST_LABELS or len(np.unique(labelled.truth)) < n_classes:
            raise InvalidInputError(
                f"The reference has {n_rows} rows with a label and {len(np.unique(labelled.truth))}"
                f" of {n_classes} classes among them; an estimate without labels needs "
                f"{LEAST_LABELS} rows and all classes."
            )
        self._seed = seed
        rng = np.random.default_rng(seed)
        rows = rng.permutation(n_rows)[:MOST_ROWS]
        chances, truth = labelled.probabilities[rows], labelled.truth[rows]
        self.is_calibrated = _is_better_calibrated(chances, truth)
        self._maps = [_fit(chances, truth)] if self.is_calibrated else [[]]
        if self.is_calibrated:
            for _ in range(N_REFITS):
                again = rng.integers(0, len(rows), len(rows))
                self._maps.append(_fit(chances[again], truth[again]))

    def estimate(self, current: Predicted) -> Mapping[str, tuple[float, float, float]]:
        """Return each score with the 95 % interval of what labels would show.

        The interval has both sources of chance: labels are drawn from the probabilities, and
        these from calibrations fitted to resampled references.

        Args:
            current: its truth is not looked at.
        """
        chances = current.probabilities
        best = _apply(self._maps[0], chances)
        expected = expected_scores(best, current.predicted, chances)
        rng = np.random.default_rng(self._seed)
        draws = list(self._draws(current, rng))
        return {
            name: (value, *_central([draw[name] for draw in draws], value))
            for name, value in expected.items()
            if np.isfinite(value)
        }

    def _draws(self, current: Predicted, rng: np.random.Generator) -> Iterator[Mapping[str, float]]:
        maps = self._maps[1:] or self._maps
        n_rows = max(1, len(current.predicted))
        n_draws = int(np.clip(MOST_DRAWN // n_rows, LEAST_DRAWS, N_DRAWS)) // len(maps)
        for fitted in maps:
            chances = _apply(fitted, current.probabilities)
            yield from drawn_scores(
                chances, current.predicted, current.probabilities, n_draws=n_draws, rng=rng
            )


def _central(values: list[float], otherwise: float) -> tuple[float, float]:
    defined = [value for value in values if np.isfinite(value)] or [otherwise]
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def _is_better_calibrated(chances: Matrix, truth: NDArray[np.int64]) -> bool:
    """Whether calibration lowers the squared error of held-out rows by more than its noise.

    Where it does not, the probabilities are good as they are and a fit would only add noise.
    """
    gains = []
    for known, held in KFold(3).split(chances):
        wanted = np.eye(chances.shape[1])[truth[held]]
        again = _apply(_fit(chances[known], truth[known]), chances[held])
        errors = np.sum((chances[held] - wanted) ** 2 - (again - wanted) ** 2, axis=1)
        gains.append(errors)
    gain = np.concatenate(gains)
    return bool(gain.mean() > gain.std() / len(gain) ** 0.5)


def _fit(chances: Matrix, truth: NDArray[np.int64]) -> list[_Knots]:
    """Fit one isotonic regression for each class; for two classes the second decides."""
    codes = (1,) if chances.shape[1] == 2 else range(chances.shape[1])
    maps = []
    for code in codes:
        fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        fitted.fit(chances[:, code], truth == code)
        maps.append(_Knots(fitted.X_thresholds_, fitted.y_thresholds_))
    return maps


def _apply(maps: list[_Knots], chances: Matrix) -> Matrix:
    if not maps:
        return chances
    if len(maps) == 1:
        positive = np.interp(chances[:, 1], maps[0].x, maps[0].y)
        return np.column_stack([1 - positive, positive])
    columns = [np.interp(chances[:, c], knots.x, knots.y) for c, knots in enumerate(maps)]
    mapped = np.column_stack(columns)
    total = mapped.sum(axis=1, keepdims=True)
    return np.where(total > 0, mapped / np.where(total > 0, total, 1), chances)
