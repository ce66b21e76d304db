"""What a training tells of itself, put together."""

from collections.abc import Mapping, Sequence
from textwrap import shorten

from ml_orchestrator.datasets.leakage import leakage_notice
from ml_orchestrator.training.baselines import Baseline, baselines, scores_of, strongest
from ml_orchestrator.training.costs import measured
from ml_orchestrator.training.families import local
from ml_orchestrator.training.feature_notes import feature_notes
from ml_orchestrator.training.front import front_of
from ml_orchestrator.training.gains import LEVEL, gain
from ml_orchestrator.training.holdout import columns_of
from ml_orchestrator.training.intervals import holdout_intervals
from ml_orchestrator.training.judging import Judged
from ml_orchestrator.training.metrics import Metric, standard_metrics
from ml_orchestrator.training.models import (
    FrontPoint,
    Interval,
    Member,
    TrainingSpec,
    TrainingSummary,
    made_of,
)
from ml_orchestrator.training.out_of_fold import Answers
from ml_orchestrator.training.refining import Recipe
from ml_orchestrator.training.splits import Split
from ml_orchestrator.training.study import FinishedTrial, StudyResult
from ml_orchestrator.training.table import TrainingTable
from ml_orchestrator.training.trials import Search

__all__ = ["last_words", "summarise"]

LEAST_FOR_A_GAP = 30  # held-out rows; fewer differ from any cross-validation
NOTABLE_SHARE_CHANGE = 0.05
MOST_LETTERS = 200  # of an error
SURE = 0.05  # adjusted p value of a part that is worse


def summarise(
    search: Search, result: StudyResult, recipe: Recipe, judged: Judged, choice: str = ""
) -> TrainingSummary:
    """Return the summary; its ``seconds`` are 0, for whoever knows them to fill in.

    ``choice`` says by which rule the best was taken of several objectives' front.
    """
    job = search.job
    spec, table, split = job.spec, job.table, job.split
    metrics = standard_metrics(table.metric)
    groups = None if table.groups is None else table.groups[split.test]
    best = _member(result.best, 1.0)
    states = [trial.state for trial in result.trials]
    known = baselines(table, split.train, split.test)
    strong = strongest(known, table.metric)
    takes = measured(judged.model, table.features.iloc[split.test], table.costs)
    costs = {cost.name: value for cost, value in zip(table.costs, takes, strict=True)}
    holdout = holdout_intervals(
        metrics,
        judged.predictions,
        groups=groups,
        is_ordered=table.times is not None,
        seed=spec.seed,
    )
    over = _gain_over(strong, judged, table, split, seed=spec.seed)
    return TrainingSummary(
        task=table.task,
        target=table.target,
        metric=table.metric.name,
        higher_is_better=table.metric.higher_is_better,
        trainer=best.trainer,
        params=best.params,
        cv_score=result.best.mean_score,
        cv_fold_scores=result.best.scores,
        holdout=holdout,
        baseline=scores_of(strong, metrics),
        baselines={baseline.name: scores_of(baseline, metrics) for baseline in known},
        strongest_baseline=strong.name,
        baseline_gain=over,
        n_rows_train=len(split.train),
        n_rows_test=len(split.test),
        n_trials=len(states),
        n_complete=states.count("complete"),
        n_pruned=states.count("pruned"),
        n_failed=states.count("failed"),
        stopped_by=result.stopped_by,
        features=columns_of(judged.model, table),
        importances=judged.importances,
        classes=table.classes,
        dataset_digest=job.dataset.digest,
        seed=spec.seed,
        meta_features=dict(search.meta),
        warm_starts=search.starts_tried(result.trials),
        members=tuple(_member(trial, weight) for trial, weight in recipe.members),
        threshold=recipe.threshold,
        refinements=recipe.refinements,
        feature_notes=feature_notes(judged.model),
        front=_front(result, table),
        choice=choice,
        costs=costs,
        slices=judged.slices,
        n_slices=judged.n_slices,
        leakage_suspects=tuple(suspect.column for suspect in search.leaks),
        warnings=(
            *job.warnings,
            *_share_warnings(spec, split),
            *map(leakage_notice, search.leaks),
            *_warm_start_warnings(search, result),
            *_at_once_warnings(result),
            *_failure_warnings(result.trials),
            *_untried_warnings(job.trainers, result),
            *recipe.warnings,
            *_limit_warnings(costs, table),
            *_baseline_warnings(strong, over, table.metric),
            *_slice_warnings(judged),
            *_gap_warnings(holdout.get(table.metric.name), result.best.mean_score, table.metric),
        ),
        seconds=0.0,
    )


def _warm_start_warnings(search: Search, result: StudyResult) -> list[str]:
    beginning = search.beginning
    if beginning.why_none:
        return [f"warm_start had nothing to begin with: {beginning.why_none}."]
    if beginning.starts and not search.starts_tried(result.trials):
        return [
            f"The search ended before it came to any of the {len(beginning.starts)} starts that "
            "warm_start found: give it more trials (n_trials) or time (timeout_s)."
        ]
    return []


def _untried_warnings(trainers: Sequence[str], result: StudyResult) -> list[str]:
    """Say which families a search had no time for."""
    tried = {local(trial.params)["trainer"] for trial in result.trials}
    untried = [name for name in trainers if name not in tried]
    if not untried or result.stopped_by != "time":
        return []
    return [
        f"Time was up before {', '.join(untried)} had a trial: give the search more (timeout_s), "
        "or fewer families (trainers)."
    ]


def last_words(summary: TrainingSummary) -> str:
    """Return one sentence on what came out."""
    what = made_of(summary.trainer, len(summary.members))
    held_out = summary.holdout.get(summary.metric)
    if held_out is None:
        return f"Done: {what}."
    return (
        f"Done: {what} reaches {summary.metric} {held_out.estimate:.4f} "
        f"({held_out.low:.4f} to {held_out.high:.4f}) on {held_out.n:,} held-out rows."
    )


def _front(result: StudyResult, table: TrainingTable) -> tuple[FrontPoint, ...]:
    if not table.costs:
        return ()
    front = front_of(result.trials, higher_is_better=table.metric.higher_is_better)
    return tuple(_front_point(trial, table, trial is result.best) for trial in front)


def _front_point(trial: FinishedTrial, table: TrainingTable, is_chosen: bool) -> FrontPoint:
    params = local(trial.params)
    takes = {cost.name: value for cost, value in zip(table.costs, trial.costs, strict=True)}
    return FrontPoint(
        trainer=str(params.pop("trainer")),
        params=params,
        cv_score=trial.mean_score,
        latency_row_s=takes.get("latency"),
        size_bytes=takes.get("size"),
        is_chosen=is_chosen,
    )


def _at_once_warnings(result: StudyResult) -> list[str]:
    """Say what the seed does not fix."""
    if not result.at_once:
        return []
    return [
        f"Trials ran {result.at_once}: which came next depended on which ended first, so the same "
        "seed gives the same splits and models, but not the same trials."
    ]


def _failure_warnings(trials: Sequence[FinishedTrial]) -> list[str]:
    """Name each family of which no trial could be scored, and what its first one said."""
    by_family: dict[str, list[FinishedTrial]] = {}
    for trial in trials:
        by_family.setdefault(str(trial.params["trainer"]), []).append(trial)
    return [
        f"{family} took no part: {_all_of(len(own))} failed: "
        f"{shorten(own[0].error, MOST_LETTERS, placeholder=' ...')}"
        for family, own in by_family.items()
        if all(trial.state == "failed" for trial in own)
    ]


def _all_of(n_trials: int) -> str:
    return "its one trial" if n_trials == 1 else f"all {n_trials} of its trials"


def _limit_warnings(costs: Mapping[str, float], table: TrainingTable) -> list[str]:
    """Say where the model handed over takes more than it may."""
    return [
        f"The model takes {costs[cost.name]:.3g} {cost.unit} ({cost.name}), more than the "
        f"{cost.limit:g} asked for."
        for cost in table.costs
        if cost.limit is not None and costs[cost.name] > cost.limit
    ]


def _member(trial: FinishedTrial, weight: float) -> Member:
    params = local(trial.params)
    return Member(
        trainer=str(params.pop("trainer")),
        params=params,
        weight=weight,
        cv_score=trial.mean_score,
    )


def _share_warnings(spec: TrainingSpec, split: Split) -> list[str]:
    share = len(split.test) / (len(split.train) + len(split.test))
    if abs(share - spec.test_fraction) <= NOTABLE_SHARE_CHANGE:
        return []
    return [
        f"{share:.1%} of the rows are held out, not the {spec.test_fraction:.1%} asked for: "
        "groups and equal times are not divided."
    ]


def _gain_over(
    strong: Baseline, judged: Judged, table: TrainingTable, split: Split, *, seed: int
) -> Interval | None:
    """Return by how much the model beats a baseline on the same rows; None if that is undefined."""
    n_rows = len(split.test)
    found = gain(
        Answers((strong.given,)),
        Answers((judged.predictions,)),
        metric=table.metric,
        groups=None if table.groups is None else [table.groups[split.test]],
        is_ordered=table.times is not None,
        seed=seed,
    )
    if not found.is_known:
        return None
    return Interval(estimate=found.estimate, low=found.low, high=found.high, level=LEVEL, n=n_rows)


def _baseline_warnings(strong: Baseline, over: Interval | None, metric: Metric) -> list[str]:
    """Say where the model is not better than what needs no model."""
    if over is None or over.low > 0:
        return []
    return [
        f"Not shown to be better than the {strong.name} alone: {metric.name} differs by "
        f"{over.estimate:+.3g} ({over.low:+.3g} to {over.high:+.3g}) on {over.n:,} held-out rows, "
        "where above 0 is better."
    ]


def _slice_warnings(judged: Judged) -> list[str]:
    return [
        f"Worse where {part.column!r} is {part.value}: loss {part.loss:.3g}, "
        f"{part.excess.estimate:.3g} above the rest ({part.excess.low:.3g} to "
        f"{part.excess.high:.3g}, {part.excess.n} held-out rows)."
        for part in judged.slices
        if part.p_adjusted < SURE
    ]


def _gap_warnings(held_out: Interval | None, cv_score: float, metric: Metric) -> list[str]:
    """Say where cross-validation promised more than the held-out rows can confirm."""
    if held_out is None or held_out.n < LEAST_FOR_A_GAP:
        return []
    best_end = held_out.high if metric.higher_is_better else held_out.low
    if metric.sign * (cv_score - best_end) <= 0:
        return []
    return [
        f"Cross-validation gave {cv_score:.4g}, better than the held-out rows bear out "
        f"({held_out.low:.4g} to {held_out.high:.4g}): rows that hang together (group_column), "
        "change over time (time_column) or a search that fits its folds do that. Trust the "
        "held-out score."
    ]
