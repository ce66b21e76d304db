"""What a model answered, checked before anybody sees it: one answer a row, finite, of its kind."""

import json
import math
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from ml_orchestrator.errors import IntegrityViolationError, UnavailableError
from ml_orchestrator.serving.models import Prediction

__all__ = ["Kind", "answers_of", "check_chances", "check_count", "parse_kind", "single_answers"]

Kind = Literal["number", "boolean", "text"]
_KINDS: dict[str, Kind] = {
    "boolean": "boolean",
    "integer": "number",
    "long": "number",
    "float": "number",
    "double": "number",
    "string": "text",
}
_DTYPES: dict[str, Kind] = {
    "b": "boolean", "i": "number", "u": "number", "f": "number", "U": "text", "O": "text",
}  # fmt: skip


def parse_kind(signature_outputs: str | None) -> Kind | None:
    """Return what the answers of a model must be, by MLflow's signature of its outputs.

    None if it declares nothing, several kinds, or one that is not checked.

    Raises:
        IntegrityViolationError: it is not a list of outputs.
    """
    if signature_outputs is None:
        return None
    try:
        kinds = {_declared(field) for field in json.loads(signature_outputs)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise IntegrityViolationError("The model's signature declares no list of outputs.") from (
            error
        )
    return kinds.pop() if len(kinds) == 1 else None


def _declared(field: Any) -> Kind | None:
    if field["type"] == "tensor":
        return _DTYPES.get(np.dtype(str(field["tensor-spec"]["dtype"])).kind)
    return _KINDS.get(field["type"])


def check_count(said: Any, n_rows: int) -> "np.ndarray[Any, Any]":
    """Return what a model said as an array with one entry per row.

    Raises:
        UnavailableError: it is something else.
    """
    try:
        predictions = np.asarray(said)
    except ValueError:  # lists of different lengths
        raise UnavailableError("The model did not answer with one prediction per row.") from None
    if predictions.ndim == 0 or len(predictions) != n_rows:
        raise UnavailableError("The model did not answer with one prediction per row.")
    return predictions


def check_chances(said: Any, n_rows: int, n_classes: int) -> "np.ndarray[Any, Any]":
    """Return what a model said of its classes: float64, ``(n_rows, n_classes)``, 0 to 1.

    Raises:
        UnavailableError: it is something else.
    """
    try:
        values = np.asarray(said, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.shape != (n_rows, n_classes):
        raise UnavailableError("The model did not answer with one probability per row and class.")
    if not ((values >= -1e-9) & (values <= 1 + 1e-9)).all():  # NaN is neither
        raise UnavailableError("The model answered with a probability that is not from 0 to 1.")
    return values


def answers_of(predictions: "np.ndarray[Any, Any]", kind: Kind | None) -> list[Any]:
    """Return one answer per row, or a list of them for a model of several outputs.

    Args:
        predictions: ``(n_rows,)`` or ``(n_rows, n_outputs)``.
        kind: What the model's signature declares.

    Raises:
        UnavailableError: an answer is not finite, no number or text, or of another kind.
    """
    if np.issubdtype(predictions.dtype, np.floating) and not np.isfinite(predictions).all():
        raise UnavailableError("The model answered with a number that is not finite.")
    values: list[Any] = predictions.tolist()
    found = _DTYPES.get(predictions.dtype.kind) if predictions.dtype != object else None
    kinds = {found} if found else {_kind_of(value) for value in _flat(values)}
    if kind is not None and kinds - {kind}:
        other = " and ".join(sorted(str(x) for x in kinds - {kind}))
        raise UnavailableError(
            f"The model answered with {other}, and its signature declares {kind}."
        )
    return values


def single_answers(values: list[Any]) -> tuple[Prediction, ...]:
    """Return the answers of a model of one output; nothing for one of several."""
    return () if values and isinstance(values[0], list) else tuple(values)


def _flat(values: list[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _flat(value)
        else:
            yield value


def _kind_of(value: Any) -> Kind:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    if not isinstance(value, int | float):
        raise UnavailableError("The model answered with something that is not a number or text.")
    if not math.isfinite(value):
        raise UnavailableError("The model answered with a number that is not finite.")
    return "number"
