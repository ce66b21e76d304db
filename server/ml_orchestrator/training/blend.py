"""Fitted pipelines that answer as one: averaged, calibrated, with a threshold of their own.

Made of pipelines that are fitted already, so there is no ``fit``: how much each counts, how
probabilities are bent and where the threshold lies was found on rows that the members had not
seen, which a second fit could not repeat.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import _BaseComposition

__all__ = ["BlendedClassifier", "BlendedRegressor", "bend"]

TINY = 1e-15


def bend(probabilities: NDArray[np.float64], scale: float, shift: float) -> NDArray[np.float64]:
    """Return probabilities of shape ``(n_rows, n_classes)`` with their logarithms scaled.

    Each row is ``softmax(scale * log p)``, for two classes with ``shift`` added to the
    logarithm of the second: Platt's scaling of the log odds. Above two classes ``shift`` must
    be 0; the order of the classes stays.

    References: J. Platt, Probabilistic outputs for support vector machines, 1999; C. Guo et
    al., On calibration of modern neural networks, 2017.

    >>> bend(np.array([[0.2, 0.8]]), 1.0, 0.0).round(12).tolist()
    [[0.2, 0.8]]
    """
    logs = scale * np.log(np.clip(probabilities, TINY, 1.0))
    logs[:, -1] += shift
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(axis=1, keepdims=True)
    return shares


class _Blend(_BaseComposition):  # type: ignore[misc]
    """Named members and their weights, which add up to 1."""

    def __init__(self, members: Sequence[tuple[str, Any]], weights: Sequence[float]) -> None:
        self.members = members
        self.weights = weights

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return its parts, and with ``deep`` theirs, under the names of the members."""
        params: dict[str, Any] = self._get_params("members", deep=deep)
        return params

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def _average(self, answers: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        average: NDArray[np.float64] = sum(
            weight * answer for weight, answer in zip(self.weights, answers, strict=True)
        )  # type: ignore[assignment]
        return average


class BlendedRegressor(RegressorMixin, _Blend):  # type: ignore[misc]
    """Predicts the weighted mean of its members' predictions."""

    def predict(self, features: Any) -> NDArray[np.float64]:
        """Return one value a row, shape ``(n_rows,)``, for raw rows as the members take them."""
        return self._average([member.predict(features) for _, member in self.members])


class BlendedClassifier(ClassifierMixin, _Blend):  # type: ignore[misc]
    """Averages its members' probabilities, bends them and decides.

    ``scale`` and ``shift`` are those of ``bend``; 1 and 0 leave probabilities alone.
    ``threshold`` is the probability from which the second of two classes is predicted; None
    predicts the most probable class.
    """

    def __init__(
        self,
        members: Sequence[tuple[str, Any]],
        weights: Sequence[float],
        scale: float = 1.0,
        shift: float = 0.0,
        threshold: float | None = None,
    ) -> None:
        super().__init__(members, weights)
        self.scale = scale
        self.shift = shift
        self.threshold = threshold

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels in the order of the columns of ``predict_proba``."""
        classes: NDArray[Any] = self.members[0][1].classes_
        return classes

    def predict_proba(self, features: Any) -> NDArray[np.float64]:
        """Return probabilities, shape ``(n_rows, n_classes)``."""
        average = self._average([member.predict_proba(features) for _, member in self.members])
        if (self.scale, self.shift) == (1.0, 0.0):
            return average
        return bend(average, self.scale, self.shift)

    def predict(self, features: Any) -> NDArray[Any]:
        """Return one label a row, shape ``(n_rows,)``."""
        return self.decide(self.predict_proba(features))

    def decide(self, probabilities: NDArray[np.float64]) -> NDArray[Any]:
        """Return the labels that probabilities, as ``predict_proba`` gives them, stand for."""
        if self.threshold is None:
            codes = probabilities.argmax(axis=1)
        else:
            codes = (probabilities[:, 1] >= self.threshold).astype(int)
        labels: NDArray[Any] = self.classes_[codes]
        return labels
