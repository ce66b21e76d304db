"""A shorter way through a scikit-learn pipeline, for small requests.

For one row nearly all the time goes into carrying names: a frame is built, taken apart by
``ColumnTransformer``, checked in each branch and put together again. Here each branch gets its
columns at once, as an array where they are all numbers or all text. Only steps that are known to
treat such a frame as its array are taken, and the way must agree with the pipeline's own on the
version's example to the last bit; otherwise there is no shortcut. A model that averages pipelines,
its ``members``, hands what it is given on to them: so it takes the shorter way if each has one.
"""

import copy
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from ml_orchestrator.serving.loader import LoadedModel, ShortWay
from ml_orchestrator.serving.signature import Column, make_frame
from ml_orchestrator.serving.table import Table, to_model_frame

__all__ = ["MAX_SHORT_ROWS", "find_shortcut"]

MAX_SHORT_ROWS = 1_000  # with more, what a frame costs does not matter
_NUMBERS = {"float", "double", "integer", "long"}
# Whose estimators make an array of a frame of numbers before anything else (scikit-learn 1.9).
_PLAIN_MODULES = tuple(
    f"sklearn.{name}."
    for name in (
        "preprocessing", "impute", "decomposition", "linear_model", "tree", "svm", "neighbors",
        "naive_bayes", "neural_network",
    )
)  # fmt: skip
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Branch:
    """Steps for some columns, by their places in the model's order."""

    steps: tuple[Any, ...]
    places: tuple[int, ...]
    takes_array: bool


@dataclass(frozen=True, slots=True)
class _Shortcut:
    """The same answers as the pipeline's, from the columns of a table."""

    columns: tuple[Column, ...]
    branches: tuple[_Branch, ...]
    steps: tuple[Any, ...]
    model: Any

    @property
    def classes_(self) -> Any:
        """Labels in the order of the columns of ``predict_proba``."""
        return self.model.classes_

    def predict(self, features: Table) -> Any:
        """Return what the pipeline would say."""
        return self.model.predict(self._values(features))

    def predict_proba(self, features: Table) -> Any:
        """Return the probabilities that the pipeline would give."""
        return self.model.predict_proba(self._values(features))

    def _values(self, table: Table) -> Any:
        parts = [self._branch(branch, table) for branch in self.branches]
        values = parts[0] if len(parts) == 1 else np.hstack(parts)
        for step in self.steps:
            values = step.transform(values)
        return values

    def _branch(self, branch: _Branch, table: Table) -> Any:
        values = _taken(branch, table, self.columns)
        for step in branch.steps:
            values = step.transform(values)
        if isinstance(values, pd.DataFrame):
            raise TypeError("a step that makes a frame")
        return values.toarray() if sparse.issparse(values) else values


def find_shortcut(model: LoadedModel, examples: Sequence[Table]) -> ShortWay | None:
    """Return a shortcut that agrees with ``model`` on all examples; None if there is none."""
    try:
        shortcut = _short(model.estimator, model.columns)
        if shortcut is None or not examples:
            return None
        agrees = all(_agrees(shortcut, model, table) for table in examples)
    except Exception as error:  # noqa: BLE001 whatever a step says to arrays, the pipeline remains
        _log.debug("No shortcut: %r", error)
        return None
    return shortcut if agrees else None


def _agrees(shortcut: ShortWay, model: LoadedModel, table: Table) -> bool:
    index = pd.Index([column.name for column in model.columns])
    frame = to_model_frame(table, model.columns, index)
    said = [(model.estimator.predict(frame), shortcut.predict(table))]
    if hasattr(model.estimator, "predict_proba"):
        said.append((model.estimator.predict_proba(frame), shortcut.predict_proba(table)))
    return all(_are_equal(np.asarray(own), np.asarray(short)) for own, short in said)


def _are_equal(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    return one.dtype == other.dtype and bool(np.array_equal(one, other))


def _short(estimator: Any, columns: tuple[Column, ...]) -> ShortWay | None:
    if hasattr(estimator, "members"):
        members = [(name, _short(member, columns)) for name, member in estimator.members]
        average: Any = copy.copy(estimator)
        average.members = members
        return None if any(member is None for _, member in members) else average
    steps = _flat(estimator)
    if len(steps) < 2 or any(hasattr(step, "_sklearn_output_config") for step in steps):
        return None
    everything = tuple(range(len(columns)))
    if type(steps[0]) is ColumnTransformer:
        branches = _branches(steps[0], columns)
        rest = steps[1:-1]
    elif _is_plain(steps[0]) and _are_alike(columns, everything):
        branches = (_Branch((_nameless(steps[0]),), everything, takes_array=True),)
        rest = steps[1:-1]
    else:
        return None
    return _Shortcut(columns, branches, rest, steps[-1])


def _branches(split: ColumnTransformer, columns: Sequence[Column]) -> tuple[_Branch, ...]:
    place = {column.name: number for number, column in enumerate(columns)}
    branches = []
    for _, transformer, names in split.transformers_:
        if isinstance(transformer, str) or len(names) == 0:
            if transformer == "drop" or len(names) == 0:
                continue
            raise TypeError(f"columns that are passed on as {transformer!r}")
        places = tuple(place[name] for name in names)
        steps = _flat(transformer)
        if any(isinstance(step, FunctionTransformer | ColumnTransformer) for step in steps):
            raise TypeError("a step that looks at names")
        takes_array = _is_plain(steps[0]) and _are_alike(columns, places)
        first = _nameless(steps[0]) if takes_array else steps[0]
        branches.append(_Branch((first, *steps[1:]), places, takes_array))
    if split.transformer_weights or split.sparse_output_ or not branches:
        raise TypeError("columns that are weighted, sparse, or none")
    return tuple(branches)


def _taken(branch: _Branch, table: Table, columns: Sequence[Column]) -> Any:
    block, places = table.block, branch.places
    if block is not None and branch.takes_array:
        whole = len(places) == block.shape[1] and places == tuple(range(len(places)))
        return block if whole else block[:, places]
    arrays = (
        [block[:, place] for place in places]
        if block is not None
        else [table.arrays[place] for place in places]
    )
    if branch.takes_array:
        return np.column_stack(arrays)
    return make_frame(arrays, [columns[place] for place in places])


def _flat(estimator: Any) -> tuple[Any, ...]:
    """Return the steps of nested pipelines, one after the other; a frozen one is what it holds."""
    if type(estimator) is FrozenEstimator:
        return _flat(estimator.estimator)
    if type(estimator) is not Pipeline:
        return (estimator,)
    return tuple(step for _, nested in estimator.steps for step in _flat(nested))


def _is_plain(step: Any) -> bool:
    """Whether a step makes one array of a frame; encoders look at each column by itself."""
    is_known = type(step).__module__.startswith(_PLAIN_MODULES)
    is_encoder = type(step).__name__.endswith("Encoder")
    return is_known and not is_encoder and not isinstance(step, FunctionTransformer)


def _are_alike(columns: Sequence[Column], places: Sequence[int]) -> bool:
    """Whether the columns are all numbers or all text: a frame of them is one array."""
    kinds = {columns[place].kind for place in places}
    return kinds <= _NUMBERS or kinds == {"string"}


def _nameless(step: Any) -> Any:
    """Return the step without the names of its columns, or it would warn about an array."""
    step = copy.copy(step)
    if hasattr(step, "feature_names_in_"):
        del step.feature_names_in_
    return step
