"""Columns that must not become worse: non-inferiority of each arm to the control."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.arms import Experiment, mean_of
from ml_orchestrator.evaluation.experiments.first_look import (
    Seen,
    is_enough,
    mean_cube,
    usual_value,
)
from ml_orchestrator.evaluation.experiments.models import Guard
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.evaluation.experiments.table import (
    Table,
    is_binary,
    numbers,
    unit_codes,
)
from ml_orchestrator.numerics.mean_tests import welch_t
from ml_orchestrator.numerics.mixture_sprt import radius
from ml_orchestrator.numerics.paired_betting import difference_bounds, pair_up
from ml_orchestrator.numerics.proportions import Successes, score_interval

__all__ = ["judge_guards"]


def judge_guards(
    table: Table, experiment: Experiment, options: ExperimentOptions
) -> tuple[Guard, ...]:
    """Return whether each guard holds in each arm, from all rows that have a value there.

    Of 0/1 columns, one row a unit, the interval is that of the score test, or of bets where
    monitored; of others Welch's, or the mixture test's once there is enough to look at. Without
    any spread nothing is shown. Intervals hold at ``1 - alpha``, divided over the arms but not
    over the guards: all of them must hold.

    Raises:
        InvalidInputError: a column is not there or holds text, a margin is 0, or an arm has fewer
            than two values in it.
    """
    units = unit_codes(table, options.unit)
    alpha = options.alpha / (len(experiment.arms) - 1)
    found = []
    for name, margin in options.guards.items():
        if margin == 0 or not np.isfinite(margin):
            raise InvalidInputError(
                f"guards: {name!r} needs a margin other than 0: the loss that is acceptable, "
                "negative where smaller values are better."
            )
        values = numbers(table, name, "guard")
        sides = []
        for arm, rows in zip(experiment.arms, experiment.all_rows, strict=True):
            kept = rows[np.isfinite(values[rows])]
            side = _Side(arm.name, values[kept], None if units is None else units[kept])
            if side.n_independent < 2:
                raise InvalidInputError(
                    f"Guard {name!r} has {side.n_independent} independent value(s) in arm "
                    f"{arm.name!r}; at least 2 are needed. Leave it out of guards until then."
                )
            sides.append(side)
        found += [_guard(name, (sides[0], side), margin, options, alpha) for side in sides[1:]]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Side:
    arm: str
    values: NDArray[np.float64]
    units: NDArray[np.int64] | None

    @property
    def n_independent(self) -> int:
        return int(self.values.size if self.units is None else np.unique(self.units).size)

    def seen(self, usual: float) -> Seen:
        share = float(np.mean(self.values != usual))
        cube = mean_cube(self.values, self.units)
        return Seen(mean_of(self.values, self.units), share * self.n_independent, cube)


def _guard(
    name: str,
    sides: tuple[_Side, _Side],
    margin: float,
    options: ExperimentOptions,
    alpha: float,
) -> Guard:
    loss = abs(margin)
    low, high = _interval(*sides, options, alpha, tau=loss)
    # Turned so that larger is better.
    worst, best = (low, high) if margin > 0 else (-high, -low)
    return Guard(
        column=name,
        arm=sides[1].arm,
        status="holds" if worst > -loss else "harmed" if best < -loss else "not_shown",
        margin=loss,
        effect=float(sides[1].values.mean() - sides[0].values.mean()),
        low=low if np.isfinite(low) else None,
        high=high if np.isfinite(high) else None,
    )


def _interval(
    x: _Side, y: _Side, options: ExperimentOptions, alpha: float, *, tau: float
) -> tuple[float, float]:
    """Return the interval of the difference; the whole line where there is no spread yet."""
    is_rate = is_binary(np.concatenate([x.values, y.values]))
    if is_rate and all(side.n_independent == side.values.size for side in (x, y)):
        return _of_rates(x.values, y.values, options, alpha)
    usual = usual_value(x.values, y.values)
    seen = x.seen(usual), y.seen(usual)
    found = welch_t(seen[0].sample, seen[1].sample)
    if found.standard_error == 0:
        return -math.inf, math.inf
    if not options.is_sequential:
        return found.interval(alpha)
    if not is_enough(*seen, is_rate=is_rate):
        return -math.inf, math.inf
    half = radius(found.standard_error**2, tau=tau, alpha=alpha)
    return found.estimate - half, found.estimate + half


def _of_rates(
    x: NDArray[np.float64], y: NDArray[np.float64], options: ExperimentOptions, alpha: float
) -> tuple[float, float]:
    """Return an interval that holds for rare events too, at every look where monitored."""
    if options.is_sequential:
        return difference_bounds(pair_up(x, y, (0.0, 1.0)), alpha=alpha)
    counts = (Successes(int(part.sum()), part.size) for part in (x, y))
    return score_interval(*counts, alpha=alpha)
