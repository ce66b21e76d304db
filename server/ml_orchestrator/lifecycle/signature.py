"""The columns a model takes, as MLflow's signature writes them."""

from collections.abc import Collection
from typing import Any

import pandas as pd
from pandas.api import types

from ml_orchestrator.errors import InvalidInputError

__all__ = ["mlflow_type", "signature_columns"]


def signature_columns(
    frame: pd.DataFrame, *, may_miss: Collection[str] = ()
) -> list[tuple[str, str, bool]]:
    """Return name, MLflow type and whether a value is required, for each column.

    A column without a missing value in ``frame`` is required unless ``may_miss`` names it.

    Raises:
        InvalidInputError: a column has a type that no request can carry, or names repeat.
    """
    names = [str(name) for name in frame.columns]
    if len(set(names)) != len(names):
        raise InvalidInputError("The model's input has two columns of the same name.")
    return [
        (
            name,
            _column_type(frame.iloc[:, index], name),
            name not in may_miss and not _has_missing(frame, index),
        )
        for index, name in enumerate(names)
    ]


def mlflow_type(dtype: Any, name: str) -> str:
    """Return MLflow's name for a pandas type.

    Raises:
        InvalidInputError: there is none.
    """
    if types.is_bool_dtype(dtype):
        return "boolean"
    if types.is_integer_dtype(dtype):
        return "long"
    if types.is_float_dtype(dtype):
        return "double"
    if types.is_datetime64_any_dtype(dtype):
        return "datetime"
    is_text = types.is_string_dtype(dtype) or types.is_object_dtype(dtype)
    if is_text or isinstance(dtype, pd.CategoricalDtype):
        return "string"
    raise InvalidInputError(
        f"Column {name!r} has type {dtype}, which a model's signature cannot hold; "
        "use numbers, text, true/false or times."
    )


def _column_type(column: "pd.Series[Any]", name: str) -> str:
    # pandas keeps true and false beside a missing value as objects, which text is too
    if types.is_object_dtype(column.dtype) and types.infer_dtype(column) == "boolean":
        return "boolean"
    return mlflow_type(column.dtype, name)


def _has_missing(frame: pd.DataFrame, index: int) -> bool:
    return bool(frame.iloc[:, index].isna().any())
