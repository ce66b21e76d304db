"""What a model takes beside what it is worth: the time of a prediction, the bytes of its file."""

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import skops.io

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.space import Params

__all__ = ["Cost", "CostBook", "costs_asked", "measured"]

N_REPEATS = 7  # of a prediction; the median counts
MOST_ROWS = 200  # of one prediction
FORM = re.compile(r"(quality|latency|size)(?:\s*<=\s*([0-9.]+(?:[eE][+-]?[0-9]+)?))?")
UNITS = {"latency": "s a row", "size": "bytes"}


@dataclass(frozen=True, slots=True)
class Cost:
    """An objective beside quality: ``latency`` in seconds a row, or ``size`` in bytes.

    ``limit`` is what a model may take at most; None sets none.
    """

    name: str
    limit: float | None = None

    @property
    def unit(self) -> str:
        """The unit of its values."""
        return UNITS[self.name]


def costs_asked(objectives: Sequence[str]) -> tuple[Cost, ...]:
    """Return what is asked for beside quality, each once.

    Raises:
        InvalidInputError: one cannot be read.
    """
    found: dict[str, Cost] = {}
    for text in objectives:
        read = FORM.fullmatch(text.strip())
        limit = None if read is None or read[2] is None else _number(read[2])
        if read is None or (read[1] == "quality" and limit is not None) or limit == 0:
            raise InvalidInputError(
                f"Cannot read objective {text[:40]!r}. Known are quality (always one), latency in "
                "seconds a row and size in bytes, the latter with a limit if need be: "
                "latency<=1e-4, size<=200000."
            )
        if read[1] in found:
            raise InvalidInputError(f"Objective {read[1]!r} is given twice.")
        if read[1] != "quality":
            found[read[1]] = Cost(read[1], limit)
    return tuple(found.values())


def measured(pipeline: Any, rows: Any, costs: Sequence[Cost]) -> tuple[float, ...]:
    """Return what a fitted pipeline takes, in the order of ``costs``.

    The latency is that of the first 200 rows together, one prediction to warm up and the median
    of seven, divided by their number: what a row of a batch takes, not what a request takes.
    """
    takers: dict[str, Callable[[Any, Any], float]] = {"latency": _latency_row_s, "size": _size}
    return tuple(takers[cost.name](pipeline, rows) for cost in costs)


class CostBook:
    """What the trials of this process took, by their parameters."""

    def __init__(self, costs: Sequence[Cost]) -> None:
        self.costs = tuple(costs)
        self._known: dict[str, tuple[float, ...]] = {}

    def add(self, params: Params, pipeline: Any, rows: Any) -> None:
        """Measure a fitted pipeline on rows as they would be sent."""
        self._known[_key(params)] = measured(pipeline, rows, self.costs)

    def of(self, params: Params) -> tuple[float, ...]:
        """Return what the trial with these parameters took."""
        return self._known[_key(params)] if self.costs else ()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0  # such as 1.2.3, refused like 0


def _latency_row_s(pipeline: Any, rows: Any) -> float:
    some = rows.head(MOST_ROWS)
    pipeline.predict(some)
    seconds = []
    for _ in range(N_REPEATS):
        began_at = time.perf_counter()
        pipeline.predict(some)
        seconds.append(time.perf_counter() - began_at)
    return float(np.median(seconds)) / len(some)


def _size(pipeline: Any, rows: Any) -> float:
    return float(len(skops.io.dumps(pipeline)))


def _key(params: Params) -> str:
    return json.dumps(params, sort_keys=True)
