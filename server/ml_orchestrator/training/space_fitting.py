"""Configurations from elsewhere, made to fit today's search space."""

import math
from collections.abc import Mapping, Sequence

from ml_orchestrator.training.space import Params, ParamSpace, ParamValue
from ml_orchestrator.training.trainer import Problem
from ml_orchestrator.training.trainers import TRAINERS

__all__ = ["in_space"]


def in_space(trainer: str, params: Mapping[str, ParamValue], problem: Problem) -> Params:
    """Return ``params`` inside today's search space of ``trainer`` for ``problem``.

    What lies outside is moved to the nearest end; what is missing or no number takes the
    trainer's first value.
    """
    entry = TRAINERS[trainer]
    return entry.suggest(_Fitting(params, entry.first_params), problem)


class _Fitting(ParamSpace):
    """A search space that answers with given values, made to fit."""

    def __init__(self, params: Mapping[str, ParamValue], first: Mapping[str, ParamValue]) -> None:
        self._params = params
        self._first = first

    def real(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return min(max(self._number(name), low), high)

    def integer(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return round(self.real(name, low, high, log=log))

    def choice(self, name: str, options: Sequence[str]) -> str:
        wanted = self._params.get(name)
        return str(wanted) if wanted in options else str(self._first[name])

    def _number(self, name: str) -> float:
        value = self._params.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value if is_number and math.isfinite(value) else self._first[name])  # type: ignore[arg-type]
