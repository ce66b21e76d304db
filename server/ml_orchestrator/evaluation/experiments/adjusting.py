"""Outcomes less what a covariate of the time before explains."""

from dataclasses import replace

import numpy as np

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.arms import Experiment
from ml_orchestrator.evaluation.experiments.checks import check_balance
from ml_orchestrator.evaluation.experiments.models import Check
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.evaluation.experiments.table import Table, numbers
from ml_orchestrator.numerics.cuped import adjust

__all__ = ["adjusted_by_covariate"]


def adjusted_by_covariate(
    table: Table, experiment: Experiment, options: ExperimentOptions
) -> tuple[Experiment, Check, float, list[str]]:
    """Return the experiment with outcomes less what the covariate explains.

    Beside it: whether the covariate is alike in all arms, the share of variance it took, and
    notices.

    Raises:
        InvalidInputError: it is the outcome, is not there, or has no value.
    """
    name = str(options.covariate)
    if name == options.outcome:
        raise InvalidInputError(
            f"covariate {name!r} is the outcome; it must be of the time before."
        )
    values = numbers(table, name, "covariate")
    parts = [values[rows] for rows in experiment.rows]
    known = np.concatenate(parts)
    known = known[np.isfinite(known)]
    if known.size == 0:
        raise InvalidInputError(f"covariate {name!r} has no value in any row with an outcome.")
    n_missing = sum(part.size for part in parts) - known.size
    middle = float(known.mean())
    filled = [np.where(np.isfinite(part), part, middle) for part in parts]
    check = check_balance(name, filled, experiment.arms, options)
    found = adjust([arm.rows() for arm in experiment.arms], filled)
    arms = tuple(arm.with_values(y) for arm, y in zip(experiment.arms, found.arms, strict=True))
    notices = [
        f"{name} took {found.variance_removed:.0%} of the variance within arms; "
        "means are adjusted by it."
    ]
    if n_missing:
        notices.append(f"{n_missing:,} missing values of {name} were put at its mean.")
    return replace(experiment, arms=arms), check, found.variance_removed, notices
