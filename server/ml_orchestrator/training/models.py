"""What a training is asked for and what it gives, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.records import Record

__all__ = [
    "SPEC_FILE",
    "SUMMARY_FILE",
    "FrontPoint",
    "Importance",
    "Interval",
    "Member",
    "Refinement",
    "Sampler",
    "Slice",
    "StoppedBy",
    "Task",
    "TrainingSpec",
    "TrainingSummary",
    "WarmStart",
    "made_of",
]

SUMMARY_FILE = "summary.json"  # of a training's MLflow run: its TrainingSummary
SPEC_FILE = "training.json"  # of the same: its TrainingSpec, from which held-out rows are rebuilt
Task = Literal["classification", "regression"]
StoppedBy = Literal["trials", "time", "request"]
Sampler = Literal["tpe", "gp", "cmaes", "nsga2", "random"]


class TrainingSpec(Record):
    """What to train on, what to search and how long."""

    source: Annotated[
        str, Field(min_length=1, description="builtin:NAME, or the path of a data file.")
    ]
    target: Annotated[
        str | None, Field(description="Column to predict; null takes a built-in's default.")
    ] = None
    task: Annotated[
        Literal["auto", "classification", "regression"],
        Field(description="Kind of problem; auto reads it from the target's values."),
    ] = "auto"
    column_types: Annotated[
        dict[str, ColumnType],
        Field(description="Columns read otherwise than their values tell, or ignored."),
    ] = {}
    trainers: Annotated[
        tuple[str, ...], Field(description="Model families to search; empty for all.")
    ] = ()
    n_trials: Annotated[int, Field(ge=1, le=1_000, description="Trials of the search.")] = 30
    timeout_s: Annotated[
        float,
        Field(
            ge=1,
            le=86_400,
            description="Time budget from the data being read to the model being judged, in s; "
            "one trial always ends. Start of a worker and registration come on top.",
        ),
    ] = 120.0
    n_folds: Annotated[int, Field(ge=2, le=20, description="Cross-validation folds.")] = 5
    seed: Annotated[
        int,
        Field(
            ge=0,
            le=2**31 - 1,
            description="Same seed, data and warm start, same trials in the same order; how "
            "many fit into timeout_s depends on the machine.",
        ),
    ] = 0
    test_fraction: Annotated[
        float, Field(ge=0.05, le=0.5, description="Share of rows that the search never sees.")
    ] = 0.2
    metric: Annotated[
        str | None, Field(description="What to optimise; null chooses by task and classes.")
    ] = None
    time_column: Annotated[
        str | None,
        Field(description="Order rows by this column and always predict later from earlier."),
    ] = None
    group_column: Annotated[
        str | None,
        Field(
            description="Keep rows of one value (a person) on one side; with time_column it names "
            "the series instead. Not a feature."
        ),
    ] = None
    horizon: Annotated[
        int,
        Field(
            ge=0,
            le=1_000,
            description="Of time series, how many steps ahead is predicted: what is older may be a "
            "feature. 0 uses nothing of the past.",
        ),
    ] = 1
    weight_column: Annotated[
        str | None,
        Field(
            description="How much each row counts in fits and scores, above 0; not a feature. "
            "nearest, which cannot weigh, only if named."
        ),
    ] = None
    quantile: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description="Predict this quantile of a number in place of its mean: 0.9 is what nine "
            "in ten stay below.",
        ),
    ] = None
    objectives: Annotated[
        tuple[str, ...],
        Field(
            max_length=3,
            description="Beside quality: latency (s a row) and size (bytes of the saved pipeline); "
            "latency<=1e-4 sets a limit, else the knee is taken.",
        ),
    ] = ()
    warm_start: Annotated[
        bool,
        Field(description="Also try what did best on similar data sets here."),
    ] = False
    sampler: Annotated[
        Sampler,
        Field(
            description="How a family's parameters are drawn: tpe, gp (needs torch), cmaes (needs "
            "cmaes), nsga2 (with objectives) or random."
        ),
    ] = "tpe"
    allocation: Annotated[
        Literal["bandit", "improvement", "halving", "uniform"],
        Field(description="How trials are spent on families: bandit spends them where it pays."),
    ] = "bandit"
    refine: Annotated[
        bool,
        Field(
            description="Average good models unless that is worse out of fold beyond noise; "
            "calibrate and move the threshold only where that is better."
        ),
    ] = True


class WarmStart(Record):
    """A configuration that was tried early because it did best on similar data."""

    run_id: Annotated[str, Field(description="The earlier run that found it.")]
    distance: Annotated[
        float, Field(ge=0, description="How unlike the data sets are; 0 is alike, 1 rather not.")
    ]
    trainer: Annotated[str, Field(description="Model family.")]
    params: Annotated[dict[str, int | float | str], Field(description="Its hyperparameters.")]


class Interval(Record):
    """An estimate and the range it plausibly lies in."""

    estimate: Annotated[float, Field(description="The value on all rows.")]
    low: Annotated[float, Field(description="Lower end of the interval.")]
    high: Annotated[float, Field(description="Upper end of the interval.")]
    level: Annotated[float, Field(gt=0, lt=1, description="Confidence level, 0 to 1.")]
    n: Annotated[int, Field(ge=1, description="Rows it is estimated from.")]


class Importance(Record):
    """How much one column matters to the model."""

    feature: Annotated[str, Field(description="Name of the raw column.")]
    loss: Annotated[
        float,
        Field(description="How much worse the metric is when the column is shuffled; 0 is none."),
    ]
    std: Annotated[float, Field(ge=0, description="Standard deviation over the shuffles.")]


class Member(Record):
    """One of the models whose answers are averaged."""

    trainer: Annotated[str, Field(description="Model family.")]
    params: Annotated[dict[str, int | float | str], Field(description="Its hyperparameters.")]
    weight: Annotated[float, Field(gt=0, le=1, description="Its share of the average.")]
    cv_score: Annotated[float, Field(description="Its own score in cross-validation.")]


class Refinement(Record):
    """A change to the best trial's answers, and what it gains out of fold."""

    step: Annotated[
        Literal["average", "calibration", "threshold"],
        Field(description="average of several models, calibration of probabilities, threshold."),
    ]
    is_used: Annotated[bool, Field(description="Whether the model has it.")]
    metric: Annotated[str, Field(description="What the gain is measured in.")]
    gain: Annotated[float, Field(description="How much better, cross-fitted; below 0 is worse.")]
    low: Annotated[float, Field(description="Lower end of its 90 % bootstrap interval.")]
    high: Annotated[float, Field(description="Upper end.")]


class FrontPoint(Record):
    """A model that none of the search beats in quality and in all that it takes."""

    trainer: Annotated[str, Field(description="Model family.")]
    params: Annotated[dict[str, int | float | str], Field(description="Its hyperparameters.")]
    cv_score: Annotated[float, Field(description="Its score in cross-validation.")]
    latency_row_s: Annotated[
        float | None,
        Field(description="Seconds a row of a batch, median of repeats; null was not asked for."),
    ]
    size_bytes: Annotated[
        float | None, Field(description="Of its last fold's file; null was not asked for.")
    ]
    is_chosen: Annotated[bool, Field(description="Whether it is the one that is handed over.")]


class Slice(Record):
    """A part of the held-out rows on which the model does worse than on the rest."""

    column: Annotated[str, Field(description="Raw column.")]
    value: Annotated[str, Field(description="Its value, or the range of a quarter of the rows.")]
    loss: Annotated[float, Field(description="Share of wrong classes, or mean absolute error.")]
    excess: Annotated[
        Interval,
        Field(description="By how much more than on the rest; 95 % for all parts together."),
    ]
    p_adjusted: Annotated[
        float, Field(ge=0, le=1, description="Chance of such a part without cause (Holm).")
    ]


class TrainingSummary(Record):
    """What the search found and what the model is worth on rows it never saw."""

    task: Annotated[Task, Field(description="Kind of problem.")]
    target: Annotated[str, Field(description="Predicted column.")]
    metric: Annotated[str, Field(description="What was optimised.")]
    higher_is_better: Annotated[bool, Field(description="Direction of the metric.")]
    trainer: Annotated[str, Field(description="Family of the chosen model.")]
    params: Annotated[
        dict[str, int | float | str], Field(description="Its hyperparameters, as searched.")
    ]
    cv_score: Annotated[float, Field(description="Mean of its cross-validation scores.")]
    cv_fold_scores: Annotated[
        tuple[float, ...], Field(description="Its score in each fold, in order.")
    ]
    holdout: Annotated[
        dict[str, Interval],
        Field(description="Metrics on the held-out rows, with 95 % bootstrap intervals."),
    ]
    baseline: Annotated[
        dict[str, float],
        Field(description="The same metrics for the strongest of the baselines, by the metric."),
    ]
    baselines: Annotated[
        dict[str, dict[str, float]],
        Field(
            description="By name, what needs no model: class shares, mean or quantile; of time "
            "series also last value, and season where there is one."
        ),
    ] = {}
    strongest_baseline: Annotated[str, Field(description="Name of the strongest.")] = ""
    baseline_gain: Annotated[
        Interval | None,
        Field(
            description="By how much the model is better than it on the same held-out rows, in the "
            "metric's unit, 90 % interval; shown to be better where low is above 0."
        ),
    ] = None
    n_rows_train: Annotated[int, Field(ge=1, description="Rows the search and the model saw.")]
    n_rows_test: Annotated[int, Field(ge=1, description="Held-out rows.")]
    n_trials: Annotated[int, Field(ge=1, description="Finished trials.")]
    n_complete: Annotated[int, Field(ge=0, description="Trials scored on all folds.")]
    n_pruned: Annotated[int, Field(ge=0, description="Trials stopped early as hopeless.")]
    n_failed: Annotated[int, Field(ge=0, description="Trials whose model could not be fitted.")]
    stopped_by: Annotated[StoppedBy, Field(description="What ended the search.")]
    features: Annotated[tuple[str, ...], Field(description="Raw columns the model takes.")]
    importances: Annotated[
        tuple[Importance, ...],
        Field(description="Permutation importance on held-out rows; the top 15."),
    ]
    classes: Annotated[
        tuple[str, ...], Field(description="Class labels as text; empty for regression.")
    ]
    dataset_digest: Annotated[str, Field(description="SHA-256 of the data, hexadecimal.")]
    seed: Annotated[int, Field(description="Seed of splits, search and models.")]
    meta_features: Annotated[
        dict[str, float], Field(description="What kind of data set this is, measured.")
    ]
    warm_starts: Annotated[
        tuple[WarmStart, ...], Field(description="What was tried early, from similar data sets.")
    ] = ()
    members: Annotated[
        tuple[Member, ...], Field(description="What the model averages; one is the best trial.")
    ] = ()
    threshold: Annotated[
        float | None,
        Field(description="Probability from which the second class is predicted; null is 0.5."),
    ] = None
    refinements: Annotated[
        tuple[Refinement, ...],
        Field(description="What was tried on the best trial's answers, and whether it helped."),
    ] = ()
    feature_notes: Annotated[
        tuple[str, ...],
        Field(description="What the model does beyond reading its columns: past, pairs, choice."),
    ] = ()
    front: Annotated[
        tuple[FrontPoint, ...],
        Field(description="With several objectives: models that none beats in everything."),
    ] = ()
    choice: Annotated[str, Field(description="By which rule one of them was taken.")] = ""
    costs: Annotated[
        dict[str, float],
        Field(description="What the model handed over takes: latency in s a row, size in bytes."),
    ] = {}
    slices: Annotated[
        tuple[Slice, ...], Field(description="Held-out parts where the model is worst, at most 5.")
    ] = ()
    n_slices: Annotated[int, Field(ge=0, description="Parts that were looked at.")] = 0
    leakage_suspects: Annotated[
        tuple[str, ...], Field(description="Features that may give the target away.")
    ] = ()
    warnings: Annotated[
        tuple[str, ...], Field(description="What to keep in mind, one sentence each.")
    ]
    seconds: Annotated[float, Field(ge=0, description="Wall time of this process, in s.")]


def made_of(trainer: str, n_members: int) -> str:
    """Return what a model is made of, in words; ``trainer`` is that of the best member.

    >>> made_of("linear", 1), made_of("linear", 3)
    ('linear', 'an average of 3 (best: linear)')
    """
    return trainer if n_members < 2 else f"an average of {n_members} (best: {trainer})"
