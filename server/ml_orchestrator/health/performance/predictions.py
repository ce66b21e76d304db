"""Predictions as they stand in a table, beside the truth as far as it is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import each_near
from ml_orchestrator.health.drift.contract import is_missing

__all__ = ["Predicted", "read_predictions"]

MOST_CLASSES = 100
TOLERANCE = 0.01  # of the sum of a row's probabilities
Table = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Predicted:
    """Predictions of ``n`` rows.

    Attributes:
        truth: shape ``(n,)``; class codes, or values. What is not known is -1, or NaN.
        predicted: shape ``(n,)``; class codes, or values.
        probabilities: shape ``(n, n_classes)``; no rows where the model gives none, no columns
            for regression.
        features: the other columns.
        classes: their names, by code; empty for regression.
    """

    truth: NDArray[Any]
    predicted: NDArray[Any]
    probabilities: NDArray[np.float64]
    features: Table
    classes: tuple[str, ...]

    @property
    def task(self) -> Literal["classification", "regression"]:
        """What kind of model predicted."""
        return "classification" if self.classes else "regression"

    @property
    def is_labelled(self) -> NDArray[np.bool_]:
        """Whether the truth of a row is known, shape ``(n,)``."""
        known: NDArray[np.bool_] = self.truth >= 0 if self.classes else np.isfinite(self.truth)
        return known

    def take(self, rows: NDArray[Any]) -> "Predicted":
        """Return some rows, by place or by mask; repeats are allowed."""
        has_probabilities = len(self.probabilities) == len(self.predicted)
        return Predicted(
            self.truth[rows],
            self.predicted[rows],
            self.probabilities[rows] if has_probabilities else self.probabilities,
            {name: column[rows] for name, column in self.features.items()},
            self.classes,
        )


def read_predictions(
    table: Table,
    *,
    side: str,
    target: str,
    prediction: str | None,
    probabilities: Mapping[str, str] | None,
    classes: tuple[str, ...] | None = None,
    leave_out: tuple[str, ...] = (),
) -> Predicted:
    """Take predictions from the columns of a table.

    A table with probabilities, or a target of text, is one of classes; so is one whose target and
    predictions are all 0 or 1, or booleans. A class without a column gets what is left of 1, if it
    is the only one. Without a prediction the most likely class is taken.

    Args:
        table: column name to array of shape ``(n,)``.
        side: what to call the table in an error.
        target: column of the truth; it may be absent or have gaps unless ``classes`` is None.
        prediction: column of the predicted class or value.
        probabilities: class to column of its probability.
        classes: those of the reference; None reads them from this table, which is the reference.
        leave_out: columns that are no features, such as the time.

    Raises:
        InvalidInputError: a column is absent or does not hold what it should; the message says
            which and what it holds.
    """
    named = [*(probabilities or {}).values(), *([prediction] if prediction else [])]
    is_reference = classes is None
    if absent := [n for n in [*named, *([target] if is_reference else [])] if n not in table]:
        raise InvalidInputError(
            f"The {side} sample has no column {each_near(absent, table)}; it has "
            f"{', '.join(table)}."
        )
    used = {target, *named, *leave_out}
    features = {name: column for name, column in table.items() if name not in used}
    if is_reference:
        is_class = bool(probabilities) or table[target].dtype == object
        classes = _classes(table[target], probabilities or {}) if is_class else ()
        if prediction is not None and not is_class:
            classes = _two_classes(table[target], table[prediction])
    if classes:
        chances = _chances(table, side, probabilities or {}, classes)
        predicted = _predicted_classes(table, side, prediction, chances, classes)
        known = target in table
        truth = np.full(predicted.size, -1, np.int64)
        if known:
            truth = _truth(table[target], side, target, classes)
        return Predicted(truth, predicted, chances, features, classes)
    return _of_values(table, side, target, prediction, features)


def _of_values(
    table: Table, side: str, target: str, prediction: str | None, features: Table
) -> Predicted:
    if prediction is None:
        raise InvalidInputError("A target of numbers needs the column of the prediction.")
    columns = [_numbers(table, name, side) for name in (target, prediction) if name in table]
    predicted = columns[-1]
    truth = columns[0] if target in table else np.full(predicted.size, np.nan)
    if not np.isfinite(predicted).all():
        raise InvalidInputError(f"Column {prediction!r} of the {side} sample has gaps.")
    return Predicted(truth, predicted, np.empty((len(truth), 0)), features, ())


def _predicted_classes(
    table: Table,
    side: str,
    prediction: str | None,
    chances: NDArray[np.float64],
    classes: tuple[str, ...],
) -> NDArray[np.int64]:
    if prediction is None:
        if not len(chances):
            raise InvalidInputError("Name the column of the prediction, or of the probabilities.")
        likeliest: NDArray[np.int64] = np.argmax(chances, axis=1)
        return likeliest
    predicted = _codes(table[prediction], classes)
    if (predicted < 0).any():
        odd = _label(table[prediction][predicted < 0][0])
        raise InvalidInputError(
            f"Column {prediction!r} of the {side} sample holds {odd!r}, which is no class of the "
            f"reference: {', '.join(classes[:10])}."
        )
    return predicted


def _truth(
    column: NDArray[Any], side: str, name: str, classes: tuple[str, ...]
) -> NDArray[np.int64]:
    truth = _codes(column, classes)
    for value in column[truth < 0].tolist():
        if not is_missing(value):
            raise InvalidInputError(
                f"Column {name!r} of the {side} sample holds the label {_label(value)!r}, which is "
                f"no class of the reference: {', '.join(classes[:10])}. Give a reference that has "
                "it, or leave these rows out."
            )
    return truth


def _two_classes(target: NDArray[Any], prediction: NDArray[Any]) -> tuple[str, ...]:
    """Return the classes of labels and predictions that are all 0 or 1; of others none."""
    columns = (target, prediction)
    if all(column.dtype == bool for column in columns):
        return ("False", "True")
    if any(column.dtype.kind not in "iuf" for column in columns):
        return ()
    are_flags = all(np.isin(c, (0, 1))[~np.isnan(c.astype(float))].all() for c in columns)
    return ("0", "1") if are_flags else ()


def _classes(target: NDArray[Any], columns: Mapping[str, str]) -> tuple[str, ...]:
    seen = {_label(value) for value in target.tolist() if not is_missing(value)}
    classes = tuple(sorted(seen | set(columns)))
    if not 2 <= len(classes) <= MOST_CLASSES:
        raise InvalidInputError(
            f"The target has {len(classes)} classes; from 2 to {MOST_CLASSES} can be judged."
        )
    left = [name for name in classes if name not in columns]
    if columns and len(left) > 1:
        raise InvalidInputError(
            f"Probabilities are named for {', '.join(columns)}; the target also has "
            f"{', '.join(left[:10])}. At most one class may go without a column."
        )
    if len(classes) == 2 and len(columns) == 1:  # the one that is named is the positive one
        return (left[0], next(iter(columns)))
    return classes


def _chances(
    table: Table, side: str, columns: Mapping[str, str], classes: tuple[str, ...]
) -> NDArray[np.float64]:
    if not columns:
        return np.empty((0, len(classes)))
    given = {name: _numbers(table, column, side) for name, column in columns.items()}
    for name, values in given.items():
        if not ((values >= 0) & (values <= 1)).all():
            raise InvalidInputError(
                f"Column {columns[name]!r} of the {side} sample must hold probabilities from 0 to "
                "1 without gaps."
            )
    rest = 1 - np.sum(list(given.values()), axis=0)
    chances = np.column_stack([given.get(name, np.clip(rest, 0, 1)) for name in classes])
    if np.abs(chances.sum(axis=1) - 1).max() > TOLERANCE:
        raise InvalidInputError(
            f"The probabilities of the {side} sample do not add up to 1 in every row."
        )
    return chances


def _numbers(table: Table, name: str, side: str) -> NDArray[np.float64]:
    column = table[name]
    if column.dtype.kind not in "iufb":
        raise InvalidInputError(f"Column {name!r} of the {side} sample must hold numbers.")
    return column.astype(np.float64)


def _codes(column: NDArray[Any], classes: tuple[str, ...]) -> NDArray[np.int64]:
    """Return the code of each label; -1 for what is missing or no class."""
    place = {name: code for code, name in enumerate(classes)}
    labels = (None if is_missing(value) else _label(value) for value in column.tolist())
    return np.fromiter((place.get(label or "", -1) for label in labels), np.int64, column.size)


def _label(value: object) -> str:
    """Return a class as text: whole numbers without a point."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
