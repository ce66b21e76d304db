"""Outcomes less what a covariate of the time before explains."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.arms import Arm, Experiment
from ml_orchestrator.evaluation.experiments.checks import check_balance
from ml_orchestrator.evaluation.experiments.fixed import FEW
from ml_orchestrator.evaluation.experiments.models import Check
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.evaluation.experiments.table import Table, numbers
from ml_orchestrator.numerics.cuped import Adjusted, adjust

__all__ = ["adjusted_by_covariate"]

ALL_OF_IT = 1e-12  # of the variance: what rounding leaves of an outcome that is its covariate


def adjusted_by_covariate(
    table: Table, experiment: Experiment, options: ExperimentOptions
) -> tuple[Experiment, Check, float | None, list[str]]:
    """Return the experiment with outcomes less what the covariate explains.

    Beside it: whether the covariate is alike in all arms, the share of variance it took, and
    notices. With fewer than 15 units in an arm it is left out, because its slope is too unsure,
    and so it is where it would leave nothing that varies.

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
    if min(arm.sample.n_effective for arm in experiment.arms) < FEW:
        said = f"{name} is left out: with fewer than {FEW} units in an arm its slope is too unsure."
        return experiment, check, None, [said]
    found = adjust([arm.rows() for arm in experiment.arms], filled)
    if not experiment.has_spread or found.variance_removed >= 1 - ALL_OF_IT:
        return experiment, check, None, [_nothing_left(name, experiment)]
    arms = _adjusted_arms(experiment.arms, found)
    notices = [
        f"{name} took {found.variance_removed:.0%} of the variance within arms; "
        "means are adjusted by it."
    ]
    if n_missing:
        notices.append(f"{n_missing:,} missing values of {name} were put at its mean.")
    return replace(experiment, arms=arms), check, found.variance_removed, notices


def _nothing_left(name: str, experiment: Experiment) -> str:
    if not experiment.has_spread:
        return f"{name} is left out: the outcome does not vary within arms."
    return (
        f"{name} is left out: it explains all variance of the outcome within arms, as the outcome "
        "itself would. A covariate must be of the time before; means are compared without one."
    )


def _adjusted_arms(arms: Sequence[Arm], found: Adjusted) -> tuple[Arm, ...]:
    """Return the arms with adjusted outcomes, as unsure as the slope makes them.

    As in an analysis of covariance, the slope takes one degree of freedom, and its error counts
    by how far the covariate's means lie apart. For two equal arms that is exact, for others it is
    no less: twice the squares of both gaps is at least the square of their difference.
    """
    degrees = sum(arm.sample.n for arm in arms) - len(arms) - 1
    slope_variance = found.slope_squares / degrees
    return tuple(
        arm.with_values(y, factor=(degrees + 1) / degrees, more=2 * gap**2 * slope_variance)
        for arm, y, gap in zip(arms, found.arms, found.gaps, strict=True)
    )
