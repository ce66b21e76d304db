"""Estimators that hold a small net (``numerics.tabular_net``).

Learning needs PyTorch, answering does not.
"""

from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted, validate_data

from ml_orchestrator.doors import import_alone
from ml_orchestrator.errors import IntegrityViolationError, InvalidInputError
from ml_orchestrator.extras import pip_install
from ml_orchestrator.numerics.tabular_net import Arrays, Shape, answers, checked

__all__ = ["NetClassifier", "NetRegressor"]

LEARNING = "ml_orchestrator.training.trainers._torch"  # takes seconds to import


class _Net(BaseEstimator):  # type: ignore[misc]
    """What both tasks have in common; takes finite, scaled numbers ``(n_rows, n_columns)``.

    ``n_jobs``: None learns on one core, -1 on all; only a GPU, where PyTorch finds one, goes
    first. ``is_ordered``: the rows to fit on come in time order.
    """

    def __init__(
        self,
        *,
        n_pieces: int = 12,
        n_blocks: int = 1,
        width: int = 64,
        n_members: int = 4,
        dropout: float = 0.1,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-3,
        quantile: float | None = None,
        class_weight: str | None = None,
        is_ordered: bool = False,
        seed: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.n_pieces = n_pieces
        self.n_blocks = n_blocks
        self.width = width
        self.n_members = n_members
        self.dropout = dropout
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.quantile = quantile
        self.class_weight = class_weight
        self.is_ordered = is_ordered
        self.seed = seed
        self.n_jobs = n_jobs

    def _learn(self, values: Any, target: Any, weight: Any, balance: Any, n_outputs: int) -> None:
        torch_net = _learning()
        plan = torch_net.Plan(
            shape=Shape(
                int(self.n_pieces), int(self.n_blocks), int(self.width), int(self.n_members)
            ),
            dropout=float(self.dropout),
            learning_rate=float(self.learning_rate),
            weight_decay=float(self.weight_decay),
            quantile=self.quantile,
            is_ordered=bool(self.is_ordered),
            seed=int(self.seed),
            n_jobs=self.n_jobs,
        )
        even = np.ones(len(target))
        rows = even if weight is None else np.asarray(weight, dtype=np.float64)
        learnt = torch_net.learn(values, target, plan, n_outputs, weight=rows, balance=balance)
        self.arrays_ = learnt.arrays
        self.n_epochs_ = learnt.n_epochs

    def _said(self, X: Any) -> Any:  # noqa: N803 scikit-learn's
        """Give what the members say of some rows after others.

        Raises:
            IntegrityViolationError: the arrays are not those of one net.
        """
        check_is_fitted(self)
        return answers(self._exact(), validate_data(self, X, dtype=np.float64, reset=False))

    def _exact(self) -> Arrays:
        """Return the arrays, checked when they are first asked for.

        Raises:
            IntegrityViolationError: they are not those of one net.
        """
        known = _checked_arrays.get(self)
        if known is not None and known[0] is self.arrays_:
            return known[1]
        try:
            exact = checked(self.arrays_)
            self._check_ends(exact)
        except ValueError as error:
            raise IntegrityViolationError(
                f"{error} Nothing was predicted; use a version whose file is as it was written."
            ) from error
        _checked_arrays[self] = self.arrays_, exact
        return exact

    def _check_ends(self, exact: Arrays) -> None:
        """Look whether a net takes the columns of this model and answers for its classes.

        Raises:
            ValueError: it does not.
        """
        n_outputs = exact["heads"].shape[2]
        n_expected = len(self.classes_) if hasattr(self, "classes_") else 1
        if n_outputs != n_expected or exact["columns"].max() >= self.n_features_in_:
            raise ValueError(
                f"The arrays of a net do not belong together: {n_outputs} outputs for "
                f"{n_expected}, or a column beyond the {self.n_features_in_} that there are."
            )


# Not an attribute, which a file could bring along: the arrays of each net as they were checked, and
# as they are asked.
_checked_arrays: WeakKeyDictionary[_Net, tuple[Arrays, Arrays]] = WeakKeyDictionary()


class NetRegressor(RegressorMixin, _Net):  # type: ignore[misc]
    """Predicts a mean, or a quantile where one is given."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "NetRegressor":  # noqa: N803
        """Learn the arrays; the target is scaled inside.

        Raises:
            InvalidInputError: PyTorch is not installed.
            ArithmeticError: the loss is no number, or numpy reads the net in another way.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)  # noqa: N806
        self.middle_ = float(np.average(y, weights=sample_weight))
        spread = float(np.sqrt(np.average((y - self.middle_) ** 2, weights=sample_weight)))
        self.spread_ = spread if spread > 0 else 1.0
        scaled = (np.asarray(y, dtype=np.float64) - self.middle_) / self.spread_
        self._learn(X, scaled, sample_weight, np.ones(len(y)), 0)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return one value a row, shape ``(n_rows,)``: the mean of the members."""
        parts = [said.mean(axis=0)[:, 0] for said in self._said(X)]
        values: NDArray[np.float64] = np.concatenate(parts) * self.spread_ + self.middle_
        return values


class NetClassifier(ClassifierMixin, _Net):  # type: ignore[misc]
    """Predicts probabilities of two or more classes."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "NetClassifier":  # noqa: N803
        """Learn the arrays.

        Raises:
            InvalidInputError: PyTorch is not installed.
            ArithmeticError: the loss is no number, or numpy reads the net in another way.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)  # noqa: N806
        self.classes_, codes = np.unique(y, return_inverse=True)
        balance = (
            np.ones(len(codes))
            if self.class_weight is None
            else compute_sample_weight(self.class_weight, y)
        )
        self._learn(X, codes.astype(np.int64), sample_weight, balance, len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return probabilities, shape ``(n_rows, n_classes)``: the mean of the members'."""
        return np.concatenate([_shares(said).mean(axis=0) for said in self._said(X)])

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the most probable label a row, shape ``(n_rows,)``."""
        labels: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels


def _shares(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
    return shares


def _learning() -> ModuleType:
    try:
        return import_alone(LEARNING)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise InvalidInputError(
            "Fitting a torch_net needs PyTorch, which is not installed here; answering with a "
            f"fitted one does not. Install it: {pip_install('torch')}, or use another family."
        ) from error
