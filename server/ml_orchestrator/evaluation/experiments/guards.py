"""Columns that must not become worse: non-inferiority of each arm to the control."""

import numpy as np

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.arms import Experiment, mean_of
from ml_orchestrator.evaluation.experiments.models import Guard
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.evaluation.experiments.table import Table, numbers, unit_codes
from ml_orchestrator.numerics.mean_tests import SampleMean, welch_t
from ml_orchestrator.numerics.mixture_sprt import radius

__all__ = ["judge_guards"]


def judge_guards(
    table: Table, experiment: Experiment, options: ExperimentOptions
) -> tuple[Guard, ...]:
    """Return whether each guard holds in each arm, from all rows that have a value there.

    Intervals hold at ``1 - alpha``, divided over the arms but not over the guards: all of them
    must hold.

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
        samples = []
        for arm, rows in zip(experiment.arms, experiment.all_rows, strict=True):
            kept = rows[np.isfinite(values[rows])]
            n_known = kept.size if units is None else np.unique(units[kept]).size
            if n_known < 2:
                raise InvalidInputError(
                    f"Guard {name!r} has {n_known} independent value(s) in arm {arm.name!r}; at "
                    "least 2 are needed. Leave it out of guards until then."
                )
            samples.append(mean_of(values[kept], None if units is None else units[kept]))
        found += [
            _guard((name, arm.name), (samples[0], sample), margin, options, alpha=alpha)
            for arm, sample in zip(experiment.arms[1:], samples[1:], strict=True)
        ]
    return tuple(found)


def _guard(
    names: tuple[str, str],
    samples: tuple[SampleMean, SampleMean],
    margin: float,
    options: ExperimentOptions,
    *,
    alpha: float,
) -> Guard:
    found = welch_t(*samples)
    low, high = found.interval(alpha)
    if options.is_sequential and found.standard_error > 0:
        half = radius(found.standard_error**2, tau=abs(margin), alpha=alpha)
        low, high = found.estimate - half, found.estimate + half
    # Turned so that larger is better.
    worst, best = (low, high) if margin > 0 else (-high, -low)
    loss = abs(margin)
    status = "holds" if worst > -loss else "harmed" if best < -loss else "not_shown"
    return Guard(
        column=names[0],
        arm=names[1],
        status=status,
        margin=loss,
        effect=found.estimate,
        low=low,
        high=high,
    )
