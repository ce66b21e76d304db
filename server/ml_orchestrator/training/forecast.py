"""How long a trial will take, from those that were run."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.training.space import Params
from ml_orchestrator.training.study import FinishedTrial

__all__ = ["fold_seconds"]

N_FOR_A_MODEL = 5
PENALTY = 0.3
FURTHEST = 3.0  # a forecast lies at most so many times outside what was measured


def fold_seconds(params: Params, same_family: Sequence[FinishedTrial]) -> float | None:
    """Return the seconds that one fold of a trial is expected to take; None if nothing is known.

    With five or more trials of the family a ridge regression of the logarithm on the logarithms
    of the numeric parameters, plus one deviation of its residuals; before, the longest so far.
    """
    ran = [trial for trial in same_family if trial.scores and trial.seconds > 0]
    if not ran:
        return None
    took = np.log([trial.seconds / len(trial.scores) for trial in ran])
    if len(ran) < N_FOR_A_MODEL:
        return float(np.exp(took.max()))
    names = sorted(name for name, value in params.items() if _is_number(value))
    table = np.array([_logs(trial.params, names) for trial in ran])
    middle, spread = table.mean(axis=0), table.std(axis=0) + 1e-9
    known, asked = (table - middle) / spread, (_logs(params, names) - middle) / spread
    gram = known.T @ known + PENALTY * len(ran) * np.eye(len(names)) / 10
    slopes = np.linalg.solve(gram, known.T @ (took - took.mean()))
    residuals = took - took.mean() - known @ slopes
    guess = float(took.mean() + asked @ slopes + residuals.std())
    within = math.log(FURTHEST)
    return math.exp(min(max(guess, float(took.min()) - within), float(took.max()) + within))


def _logs(params: Params, names: Sequence[str]) -> NDArray[np.float64]:
    values = [params.get(name, 0.0) for name in names]
    return np.array([_log(float(v)) if _is_number(v) else 0.0 for v in values])


def _log(value: float) -> float:
    return math.copysign(math.log1p(abs(value)), value) if abs(value) >= 1 else value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
