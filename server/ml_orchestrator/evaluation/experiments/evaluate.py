"""An experiment judged as a whole: checks, method, comparisons, guards, decision."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments import words
from ml_orchestrator.evaluation.experiments.adjusting import adjusted_by_covariate
from ml_orchestrator.evaluation.experiments.arms import Arm, Experiment
from ml_orchestrator.evaluation.experiments.checks import (
    check_experiment,
    outlier_notices,
)
from ml_orchestrator.evaluation.experiments.comparing import (
    choose_method,
    compare_arms,
    judge_comparisons,
)
from ml_orchestrator.evaluation.experiments.decide import best_arm, decide_all
from ml_orchestrator.evaluation.experiments.fixed import posteriors_of
from ml_orchestrator.evaluation.experiments.found import Found
from ml_orchestrator.evaluation.experiments.guards import judge_guards
from ml_orchestrator.evaluation.experiments.models import (
    ArmSummary,
    Check,
    Comparison,
    ExperimentReport,
    Guard,
)
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.evaluation.experiments.over_time import Trend, effect_over_time
from ml_orchestrator.evaluation.experiments.table import (
    Table,
    numbers,
    read_experiment,
    read_summary,
    unit_codes,
)
from ml_orchestrator.numerics.bayes_arms import best_of

__all__ = ["evaluate_summary", "evaluate_table"]


@dataclass(frozen=True, slots=True)
class _Case:
    """An experiment with what was found beside its outcome."""

    experiment: Experiment
    checks: list[Check]
    notices: list[str]
    variance_removed: float | None = None
    guards: tuple[Guard, ...] = ()
    label: Callable[[int], str] | None = field(default=None)


def evaluate_table(
    table: Table, options: ExperimentOptions, *, times: Collection[str] = ()
) -> ExperimentReport:
    """Return what rows show, one row an observation.

    Args:
        table: column to array of shape ``(n_rows,)``: float64 with NaN for missing, or text.
        options: which columns are what, and how to judge.
        times: columns that hold seconds since 1970.

    Raises:
        InvalidInputError: a column, an arm or an option cannot be used; the message says which.
    """
    experiment = read_experiment(table, options)
    checks = check_experiment(experiment, options, unit_codes(table, options.unit))
    notices = [*experiment.notices, *outlier_notices(experiment.arms)]
    removed = None
    if options.covariate is not None:
        experiment, check, removed, more = adjusted_by_covariate(table, experiment, options)
        checks.append(check)
        notices += more
    guards = judge_guards(table, experiment, options)
    label = None if options.time_column is None else _labels(table, options.time_column, times)
    return _judged(_Case(experiment, checks, notices, removed, guards, label), options)


def evaluate_summary(
    summary: Mapping[str, Mapping[str, float]], options: ExperimentOptions
) -> ExperimentReport:
    """Return what counts (n, successes) or moments (n, mean, sd) by arm show.

    Raises:
        InvalidInputError: an arm has other numbers, or an option needs rows.
    """
    needs_rows = [
        name for name in ("covariate", "unit", "time_column", "guards") if getattr(options, name)
    ]
    if needs_rows:
        raise InvalidInputError(
            f"{', '.join(needs_rows)} need rows; found counts by arm. Give a file or columns."
        )
    experiment = read_summary(summary, options)
    return _judged(_Case(experiment, check_experiment(experiment, options), []), options)


def _judged(case: _Case, options: ExperimentOptions) -> ExperimentReport:
    experiment = case.experiment
    method = choose_method(experiment, options)
    options = replace(options, method=method)
    found = compare_arms(experiment, options)
    failed = [check for check in case.checks if not check.is_passed]
    comparisons = judge_comparisons(experiment.arms, found, options, is_sound=not failed)
    decision = decide_all(comparisons)
    best = best_arm(comparisons, options)
    at = comparisons.index(best)
    trends = [_trend(case, arm, options) for arm in experiment.arms[1:]]
    trend, fading = trends[at], _fading(comparisons, found, trends)
    notices = [*case.notices, *words.how_it_came(method, experiment, options)]
    notices += [*words.since_then(comparisons, found), *words.wide_intervals(comparisons)]
    if trend is not None and trend.notice:
        notices.append(trend.notice)
    return ExperimentReport(
        decision=decision,
        level=options.level,
        summary=words.summary(decision, best, failed, alpha=options.alpha),
        may_conclude=words.may_conclude(
            comparisons, () if failed else case.guards, alpha=options.alpha, fading=fading
        ),
        may_not_conclude=words.may_not_conclude(
            decision, comparisons, case.guards, options, method, fading=fading
        ),
        method=method,
        is_monitored=options.is_sequential,
        alpha=options.alpha,
        best_arm=best.arm if best.decision == "b_better" else None,
        arms=_summaries(experiment, method),
        comparisons=tuple(comparisons),
        checks=tuple(case.checks),
        guards=case.guards,
        variance_removed=case.variance_removed,
        looks=found[at].looks,
        over_time=() if trend is None else trend.stretches,
        trend_p=None if trend is None else trend.p_value,
        next_steps=words.next_steps(
            decision, best, failed, case.guards, options, fading=fading.get(best.arm)
        ),
        notices=tuple(notices),
    )


def _summaries(experiment: Experiment, method: str) -> tuple[ArmSummary, ...]:
    arms = experiment.arms
    belief = best_of(posteriors_of(arms)) if method == "bayes" else None
    return tuple(
        ArmSummary(
            name=arm.name,
            is_control=i == 0,
            n=arm.n,
            n_units=arm.n_units,
            n_missing=arm.n_missing,
            mean=arm.sample.mean,
            sd=arm.sd,
            chance_best=None if belief is None else float(belief.chance_best[i]),
            expected_loss=None if belief is None else float(belief.expected_loss[i]),
        )
        for i, arm in enumerate(arms)
    )


def _fading(
    comparisons: Sequence[Comparison], found: Sequence[Found], trends: Sequence[Trend | None]
) -> dict[str, str]:
    """Return, by arm that is shown better, why its effect may not last, if it may not."""
    fading = {}
    for c, one, trend in zip(comparisons, found, trends, strict=True):
        why = words.fading(c, one, has_faded=trend is not None and trend.has_faded)
        if why is not None:
            fading[c.arm] = why
    return fading


def _trend(case: _Case, arm: Arm, options: ExperimentOptions) -> Trend | None:
    if case.label is None:
        return None
    return effect_over_time(case.experiment.arms[0], arm, alpha=options.alpha, label=case.label)


def _labels(table: Table, name: str, times: Collection[str]) -> Callable[[int], str]:
    """Return a function that names the moment at a place in the order of arrival."""
    moments = np.sort(numbers(table, name, "time"), kind="stable")

    def label(place: int) -> str:
        value = float(moments[place])
        if name not in times:
            return f"{value:.12g}"
        return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")

    return label
