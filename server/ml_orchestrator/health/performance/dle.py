"""Performance of a regression without labels, from a model of its errors."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import KFold, cross_val_predict
from threadpoolctl import threadpool_limits

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.drift.contract import is_missing
from ml_orchestrator.health.performance.predictions import Predicted

__all__ = ["LossEstimator"]

LEAST_LABELS = 100
MOST_ROWS = 50_000  # that the loss is learnt from
N_DRAWS = 200
MOST_DRAWN = 5_000_000  # draws times rows, which bounds time and memory
Matrix = NDArray[np.float64]


class LossEstimator:
    """Estimates what labels would show of a regression (direct loss estimation).

    Two models learn, from the features and the prediction, how large absolute and squared errors
    are. They hold while equal inputs have equal errors: inputs may shift, the relation of inputs
    and target may not change, nor may inputs leave the range of the reference.

    Args:
        reference: with labels.
        seed: of folds, models and draws.

    Raises:
        InvalidInputError: fewer than 100 labels.

    References:
        NannyML documentation, "Direct loss estimation (DLE)", for the idea; the intervals are
        ours.
    """

    method: Literal["dle"] = "dle"
    assumption = (
        "Estimates without labels assume that equal inputs have errors as large as in the "
        "reference: inputs may have shifted within its range, the target's relation to them may "
        "not have changed. Such a change (concept drift) stays unseen until labels arrive."
    )

    def __init__(self, reference: Predicted, *, seed: int) -> None:
        labelled = reference.take(reference.is_labelled)
        if len(labelled.truth) < LEAST_LABELS:
            raise InvalidInputError(
                f"The reference has {len(labelled.truth)} rows with a label; an estimate without "
                f"labels needs {LEAST_LABELS}."
            )
        rows = np.random.default_rng(seed).permutation(len(labelled.truth))[:MOST_ROWS]
        labelled = labelled.take(rows)
        self._seed = seed
        self._categories = {
            name: _categories(column)
            for name, column in labelled.features.items()
            if column.dtype == object
        }
        features = self._matrix(labelled)
        errors = np.abs(labelled.truth - labelled.predicted)
        self._models = {
            "mae": _LossModel(features, errors, seed),
            "rmse": _LossModel(features, errors**2, seed),
        }

    def estimate(self, current: Predicted) -> Mapping[str, tuple[float, float, float]]:
        """Return mae and rmse with the 95 % interval of what labels would show.

        The interval is of means of losses drawn for these rows: each the expected one, times how
        much a row of the reference, held out, departed from its own.

        Args:
            current: its truth is not looked at.
        """
        features = self._matrix(current)
        rng = np.random.default_rng(self._seed)
        found = {name: model.estimate(features, rng) for name, model in self._models.items()}
        low, middle, high = found["rmse"][1], found["rmse"][0], found["rmse"][2]
        return {"mae": found["mae"], "rmse": (middle**0.5, low**0.5, high**0.5)}

    def _matrix(self, rows: Predicted) -> Matrix:
        columns = [rows.predicted.astype(np.float64)]
        for name, column in rows.features.items():
            if name in self._categories:
                place = self._categories[name]
                values = [place.get(str(v), np.nan) for v in column.tolist()]
                columns.append(np.array(values, dtype=np.float64))
            elif column.dtype.kind in "iuf":
                numbers = column.astype(np.float64)
                columns.append(np.where(np.isfinite(numbers), numbers, np.nan))
        return np.column_stack(columns)


class _LossModel:
    """A model of one loss, and how far held-out losses departed from it, as factors."""

    def __init__(self, features: Matrix, losses: Matrix, seed: int) -> None:
        self._is_zero = not losses.any()
        if self._is_zero:
            return
        model = HistGradientBoostingRegressor(
            loss="poisson",
            max_iter=60,
            max_leaf_nodes=15,
            min_samples_leaf=30,
            early_stopping=False,
            random_state=seed,
        )
        folds = KFold(3, shuffle=True, random_state=seed)
        with threadpool_limits(1):  # on a busy machine threads wait for each other most of the time
            held_out = np.maximum(cross_val_predict(model, features, losses, cv=folds), 1e-300)
            self._model = model.fit(features, losses)
        self._scale = float(losses.sum() / held_out.sum())
        self._factors = losses / (held_out * self._scale)
        self._weights = held_out / held_out.sum()

    def estimate(self, features: Matrix, rng: np.random.Generator) -> tuple[float, float, float]:
        if self._is_zero:
            return 0.0, 0.0, 0.0
        with threadpool_limits(1):  # as above
            expected = self._model.predict(features) * self._scale
        value = float(expected.mean())
        n_draws = int(np.clip(MOST_DRAWN // len(expected), 20, N_DRAWS))
        means = [
            float(np.mean(expected * rng.choice(self._factors, expected.size, p=self._weights)))
            for _ in range(n_draws)
        ]
        low, high = np.quantile(means, [0.025, 0.975])
        return value, float(low), float(high)


def _categories(column: NDArray[Any]) -> dict[str, float]:
    """Return a number for each category, rarest first; missing ones have none."""
    names, counts = np.unique(
        [str(v) for v in column.tolist() if not is_missing(v)], return_counts=True
    )
    return {str(names[i]): float(rank) for rank, i in enumerate(np.argsort(counts))}
