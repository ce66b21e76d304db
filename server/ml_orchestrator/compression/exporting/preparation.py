"""Steps that prepare columns, as graphs: the same numbers as scikit-learn's to the last bits.

Text comes with missing values written as one word, which is what the pipeline's own imputer puts
in their place; see ``modelfiles.onnx_file``.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from ml_orchestrator.compression.exporting.graph import ML, Value
from ml_orchestrator.compression.exporting.steps import STEPS, cannot, step

__all__ = ["prepared"]

UNSEEN = "\x00 a category that was never seen"


def prepared(columns: ColumnTransformer, inputs: dict[str, Value]) -> Value:
    """Return the prepared columns, shape ``(n_rows, n_columns)``, of a fitted transformer.

    Raises:
        InvalidInputError: a step has no form in ONNX here; the message names it.
    """
    parts = []
    for name, transformer, names in columns.transformers_:
        if name == "remainder" and transformer == "drop":
            continue
        if isinstance(transformer, str):
            raise cannot(columns, f"columns that are passed on as {transformer!r}")
        graph = next(iter(inputs.values())).graph
        parts.append(_converted(transformer, graph.concat([inputs[each] for each in names])))
    return parts[0].graph.concat(parts)


def _converted(part: Any, value: Value) -> Value:
    if isinstance(part, Pipeline):
        for _, inner in part.steps:
            value = _converted(inner, value)
        return value
    convert = STEPS.get(type(part).__name__)
    if convert is None:
        raise cannot(part)
    return convert(part, value)


@step("StandardScaler")
def _scaled(scaler: Any, value: Value) -> Value:
    if scaler.with_mean:
        value = value - value.graph.constant(np.asarray(scaler.mean_, np.float64))
    if scaler.with_std:
        value = value / value.graph.constant(np.asarray(scaler.scale_, np.float64))
    return value


@step("FrozenEstimator")
def _as_fitted(frozen: Any, value: Value) -> Value:
    return _converted(frozen.estimator, value)


@step("MinMaxScaler")
def _clipped(scaler: Any, value: Value) -> Value:
    """Write the move to another range, and the ends of it where it clips; NaN stays."""
    graph = value.graph
    if not (np.all(scaler.scale_ == 1) and np.all(scaler.min_ == 0)):
        value = value * graph.constant(scaler.scale_) + graph.constant(scaler.min_)
    if not scaler.clip:
        return value
    return _bounded(value, *map(float, scaler.feature_range))


def _bounded(value: Value, least: float, most: float) -> Value:
    graph = value.graph
    value = graph.where(graph.op("Less", value, graph.value(least)), least, value)
    return graph.where(graph.op("Less", graph.value(most), value), most, value)


@step("SimpleImputer")
def _filled(imputer: Any, value: Value) -> Value:
    """Write the filling of numbers, and its flags; text has no missing values left."""
    if imputer.strategy == "constant" and isinstance(imputer.fill_value, str):
        return value
    graph = value.graph
    is_missing = graph.op("IsNaN", value)
    filled = graph.where(is_missing, graph.constant(imputer.statistics_.astype(np.float64)), value)
    if imputer.indicator_ is None:
        return filled
    flags = graph.columns(is_missing.cast("double"), imputer.indicator_.features_.tolist())
    return graph.concat([filled, flags])


@step("PairFeatures")
def _with_pairs(pairs: Any, value: Value) -> Value:
    """Write the columns, and after them each product about the middles, or ratio."""
    value = _bounded(value, -pairs.largest, pairs.largest)
    graph, parts = value.graph, [value]
    for (first, second), is_ratio in zip(pairs.pairs_.tolist(), pairs.is_ratio_, strict=True):
        one, other = graph.columns(value, [first]), graph.columns(value, [second])
        if is_ratio:
            is_nothing = graph.op("Equal", other, graph.value(0.0))
            parts.append(graph.where(is_nothing, float("nan"), one / other))
        else:
            parts.append(
                (one - float(pairs.middle_[first])) * (other - float(pairs.middle_[second]))
            )
    return _bounded(graph.concat(parts), -pairs.largest, pairs.largest)


@step("ShadowScreening")
def _kept(screening: Any, value: Value) -> Value:
    return value.graph.columns(value, screening.kept_.tolist())


@step("OneHotEncoder", "OrdinalEncoder", "TargetEncoder")
def _encoded(encoder: Any, value: Value) -> Value:
    """Look each category up in a table of what the encoder itself says of it."""
    if not _is_text(encoder):
        return _truths(encoder, value)
    graph, width = value.graph, _widths(encoder)
    parts = []
    for place, categories in enumerate(encoder.categories_):
        known = [str(category) for category in categories]
        table = _table(encoder, place, known, width)
        column = graph.columns(value, [place])
        number = graph.op(
            "LabelEncoder",
            graph.op("Reshape", column, graph.constant(np.array([-1], np.int64))),
            domain=ML,
            keys_strings=known,
            values_int64s=list(range(len(known))),
            default_int64=len(known),
        )
        parts.append(graph.op("Gather", graph.constant(table), number, axis=0))
    return graph.concat(parts)


def _is_text(encoder: Any) -> bool:
    return all(np.asarray(c).dtype.kind in "UO" and _are_text(c) for c in encoder.categories_)


def _are_text(categories: Any) -> bool:
    return all(isinstance(category, str) for category in categories)


def _truths(encoder: Any, value: Value) -> Value:
    """Write the coding of true and false, which are 1 and 0; what is neither is missing."""
    if type(encoder).__name__ != "OrdinalEncoder" or any(
        list(categories) != [False, True] for categories in encoder.categories_
    ):
        raise cannot(encoder, "of categories that are not text")
    graph = value.graph
    is_true = graph.op("Equal", value, graph.value(1.0))
    is_false = graph.op("Equal", value, graph.value(0.0))
    return graph.where(graph.op("Or", is_true, is_false), value, float("nan"))


def _widths(encoder: Any) -> list[int]:
    """Return how many columns become of each."""
    kind = type(encoder).__name__
    if kind == "OneHotEncoder":
        return [int(n) for n in encoder._n_features_outs]  # scikit-learn 1.9
    is_multiclass = kind == "TargetEncoder" and encoder.target_type_ == "multiclass"
    return [len(encoder.classes_) if is_multiclass else 1] * len(encoder.categories_)


def _table(encoder: Any, place: int, known: list[str], widths: list[int]) -> Any:
    """Return a row for each known category of a column, and one for all others."""
    rows = np.empty((len(known) + 1, len(encoder.categories_)), dtype=object)
    for other, categories in enumerate(encoder.categories_):
        rows[:, other] = categories[0]
    rows[:, place] = [*known, UNSEEN]
    said = encoder.transform(_named(encoder, rows))
    start = sum(widths[:place])
    return np.asarray(said[:, start : start + widths[place]], dtype=np.float64)


def _named(encoder: Any, rows: Any) -> Any:
    names = getattr(encoder, "feature_names_in_", None)
    if names is None:
        return rows
    return pd.DataFrame(rows, columns=names)
