"""Categories that a model did not meet in training, told of the rows that have them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder

from ml_orchestrator.serving.signature import Column

__all__ = ["Categories", "categories_of", "unseen_notices"]

MOST_VALUES = 3  # of a column that are named
MOST_COLUMNS = 5
MOST_CHARACTERS = 40  # of a value
_MISSING = (None, np.nan)  # which is no category, and the very objects that rows hold for it


@dataclass(frozen=True, slots=True)
class Categories:
    """What a column of text held in training, and ``place``, where it stands among the columns."""

    column: str
    place: int
    known: frozenset[Any]

    def unseen(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Return the values that are not known, each once, in their order."""
        if self.known.issuperset(values):
            return ()
        return tuple(dict.fromkeys(value for value in values if value not in self.known))


def categories_of(estimator: Any, columns: Sequence[Column]) -> tuple[Categories, ...]:
    """Return the columns of text that a model reads as categories, with those that it knows.

    Looked at are scikit-learn's encoders that stand first in a branch of a ``ColumnTransformer``,
    or behind what fills gaps, in a pipeline or the members of a blend. What one member has met
    is known. A model of another make has none.
    """
    known: dict[str, set[Any]] = {}
    for names, encoder in _encoders(estimator):
        for name, values in zip(names, encoder.categories_, strict=True):
            texts = (value for value in np.asarray(values).tolist() if isinstance(value, str))
            known.setdefault(name, {*_MISSING}).update(texts)
    return tuple(
        Categories(column.name, place, frozenset(known[column.name]))
        for place, column in enumerate(columns)
        if column.kind == "string" and column.name in known
    )


def unseen_notices(
    categories: Sequence[Categories], values: Iterable[Sequence[Any]]
) -> tuple[str, ...]:
    """Return the sentence on values that the model did not meet in training; none without any.

    It is asked for every request that is served: half a microsecond a column where all are known.

    Args:
        categories: of the model.
        values: of each of these columns, as long as there are rows.
    """
    found = [
        (each.column, unseen)
        for each, of_column in zip(categories, values, strict=True)
        if (unseen := each.unseen(of_column))
    ]
    if not found:
        return ()
    named = [f"{column!r}: {_listed(unseen)}" for column, unseen in found[:MOST_COLUMNS]]
    more = f"; and {len(found) - MOST_COLUMNS:,} more columns" * (len(found) > MOST_COLUMNS)
    return (
        f"Not seen in training, in column {'; in column '.join(named)}{more}. The model cannot "
        "know what they mean, so answers for rows with them are worth less.",
    )


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(
        repr(text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…")
        for text in map(str, values[:MOST_VALUES])
    )
    n_more = len(values) - MOST_VALUES
    return f"{shown} and {n_more:,} more" if n_more > 0 else shown


def _encoders(estimator: Any) -> Iterable[tuple[Sequence[str], Any]]:
    """Give each encoder of raw columns with their names."""
    members = getattr(estimator, "members", None)
    for entry in members if isinstance(members, list | tuple) else ():
        if isinstance(entry, tuple) and len(entry) == 2:
            yield from _encoders(entry[1])
    if isinstance(estimator, Pipeline):
        yield from _encoders(estimator.steps[0][1])
    if isinstance(estimator, ColumnTransformer):
        for _, branch, names in estimator.transformers_:
            encoder = _encoder(branch)
            n_columns = len(getattr(encoder, "categories_", ()))
            if n_columns and isinstance(names, list) and n_columns == len(names):
                yield names, encoder


def _encoder(branch: Any) -> Any | None:
    """Return what encodes a branch's values as they come, but for gaps; None if nothing does."""
    steps = [step for _, step in branch.steps] if isinstance(branch, Pipeline) else [branch]
    first = next((step for step in steps if not isinstance(step, SimpleImputer)), None)
    is_encoder = isinstance(first, OneHotEncoder | OrdinalEncoder | TargetEncoder)
    return first if is_encoder else None
