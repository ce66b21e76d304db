"""The catalogue of what can be exported, by the name of its class."""

from collections.abc import Callable
from typing import Any

from ml_orchestrator.compression.exporting.graph import Value
from ml_orchestrator.errors import InvalidInputError

__all__ = ["HEADS", "STEPS", "cannot", "head", "step"]


Converter = Callable[[Any, Value], Value]
"""Takes a fitted part and what goes into it; returns what comes out."""

STEPS: dict[str, Converter] = {}
HEADS: dict[str, Converter] = {}

_CARRIES_ROWS = "It carries all its rows with it; distil it first and export the student"
_INSTEAD = {
    "TextTopics": "Leave its text columns out (column_types: ignore), train again, export that",
    "KNeighborsClassifier": _CARRIES_ROWS,
    "KNeighborsRegressor": _CARRIES_ROWS,
}


def step(*names: str) -> Callable[[Converter], Converter]:
    """Return a decorator that files how a step of these classes is written."""

    def file(convert: Converter) -> Converter:
        STEPS.update(dict.fromkeys(names, convert))
        return convert

    return file


def head(*names: str) -> Callable[[Converter], Converter]:
    """Return a decorator that files how a model of these classes is written."""

    def file(convert: Converter) -> Converter:
        HEADS.update(dict.fromkeys(names, convert))
        return convert

    return file


def cannot(part: Any, why: str = "") -> InvalidInputError:
    """Return the refusal of a step or model that has no form in ONNX here."""
    name = type(part).__name__
    because = f" ({why})" if why else ""
    instead = _INSTEAD.get(name, "Distil it first (methods: distil) and export the student")
    return InvalidInputError(
        f"The step {name} cannot be written as ONNX{because}. {instead}. Can be written: "
        f"{', '.join(sorted({*STEPS, *HEADS}))}."
    )
