"""Which rows are held out, and which rows score which fold."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    train_test_split,
)

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.table import TrainingTable

__all__ = ["Rows", "Split", "learnable", "plan_split"]

Rows = NDArray[np.int64]
MIN_ROWS_PER_FOLD = 3
MOST_NAMED, FEWEST_FOLDS = 5, 2  # classes that are too rare; folds that can be asked for
N_DRAWS = 50


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers of the training part, the held-out part and the folds of the former.

    Each fold is (rows to fit on, rows to score); ordered parts are in time order. Of rows to fit
    on, a time series some steps ahead learns from the ``learnable`` ones alone.
    """

    train: Rows
    test: Rows
    folds: tuple[tuple[Rows, Rows], ...]


def plan_split(spec: TrainingSpec, table: TrainingTable) -> Split:
    """Return the split that the spec asks for; the same spec and table give the same.

    Groups and equal times are kept whole, so the held-out share may differ from the one asked.

    Independent rows are shuffled and, for classes, stratified. Grouped rows keep each group on
    one side, of the holdout and of every fold. Ordered rows hold out the latest, and each fold
    fits on everything before the rows it scores; equal times are never divided.

    Raises:
        InvalidInputError: too few rows, members of a class, groups or distinct times; a horizon
            that leaves too few rows before the first fold that is scored.
    """
    _check_size(spec, len(table.codes))
    if table.times is not None:
        split = _ordered_split(spec, table.times)
        _check_horizon(spec, table, split)
    elif table.groups is not None:
        split = _grouped_split(spec, table, table.groups)
    else:
        split = _independent_split(spec, table)
    if table.task == "classification":
        _check_classes(split, table)
    return split


def learnable(table: TrainingTable, rows: Rows) -> Rows:
    """Return those of the rows to fit on whose target is known when the row after them is asked.

    All, but of time series predicted ``horizon`` steps ahead: without the last ``horizon - 1``
    steps. A model that had learnt from these would know what nobody does at that moment.
    """
    past = table.kinds.past
    if past is None or past.horizon <= 1 or table.times is None or len(rows) == 0:
        return rows
    times = table.times[rows]
    known: Rows = rows[times <= times.max() - (past.horizon - 1.5) * past.step]
    return known


def _check_size(spec: TrainingSpec, n_rows: int) -> None:
    needed = int(np.ceil(MIN_ROWS_PER_FOLD * spec.n_folds / (1 - spec.test_fraction)))
    if n_rows < needed:
        raise InvalidInputError(
            f"{n_rows} usable rows are too few for {spec.n_folds} folds and a held-out share of "
            f"{spec.test_fraction:g}; at least {needed} are needed, or fewer folds."
        )


def _independent_split(spec: TrainingSpec, table: TrainingTable) -> Split:
    is_class = table.task == "classification"
    if is_class:
        _check_rarest(spec, table)
    train, test = train_test_split(
        np.arange(len(table.codes)),
        test_size=spec.test_fraction,
        random_state=spec.seed,
        stratify=table.codes if is_class else None,
    )
    splitter = StratifiedKFold if is_class else KFold
    folds = splitter(spec.n_folds, shuffle=True, random_state=spec.seed)
    return Split(train, test, _folds(folds, train, table.codes))


def _check_rarest(spec: TrainingSpec, table: TrainingTable) -> None:
    counts = np.bincount(table.codes)
    needed = int(np.ceil(spec.n_folds / (1 - spec.test_fraction))) + 1
    if counts.min() >= needed:
        return
    rare = [code for code in np.argsort(counts, kind="stable") if counts[code] < needed]
    named = [f"{table.classes[code]!r} has {counts[code]}" for code in rare[:MOST_NAMED]]
    more = f" (and {len(rare) - MOST_NAMED} more classes)" if len(rare) > MOST_NAMED else ""
    mends = ["add rows", "put rare classes together"]
    if counts.min() > np.ceil(FEWEST_FOLDS / (1 - spec.test_fraction)):
        mends.append("use fewer folds (n_folds)")
    if np.issubdtype(table.labels.dtype, np.number):
        mends.append("use task regression, as the target is numbers")
    raise InvalidInputError(
        f"Class {', '.join(named)} rows{more}, too few for {spec.n_folds} folds and a holdout; "
        f"{needed} are needed. To mend it, {', or '.join(mends)}."
    )


def _grouped_split(spec: TrainingSpec, table: TrainingTable, groups: Rows) -> Split:
    n_groups = len(np.unique(groups))
    if n_groups < spec.n_folds + 2:
        raise InvalidInputError(
            f"{spec.group_column!r} has {n_groups} groups; {spec.n_folds} folds and a holdout "
            f"need at least {spec.n_folds + 2}."
        )
    is_held_out = _held_out_groups(spec, table, groups)
    train, test = np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
    splitter = StratifiedGroupKFold if table.task == "classification" else GroupKFold
    folds = splitter(spec.n_folds, shuffle=True, random_state=spec.seed)
    return Split(train, test, _folds(folds, train, table.codes, groups))


def _held_out_groups(spec: TrainingSpec, table: TrainingTable, groups: Rows) -> NDArray[np.bool_]:
    """Return which rows to hold out: of 50 draws of groups, the one nearest to the wanted share.

    For classes the share is wanted of each class.
    """
    _, places, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    codes = table.codes if table.task == "classification" else np.zeros(len(groups), np.int64)
    wanted = spec.test_fraction * np.bincount(codes)
    rng = np.random.default_rng(spec.seed)

    def draw() -> NDArray[np.bool_]:
        order = rng.permutation(len(sizes))
        n_rows = np.cumsum(sizes[order])[: len(sizes) - spec.n_folds]
        n_chosen = int(np.argmin(np.abs(n_rows - wanted.sum()))) + 1
        chosen: NDArray[np.bool_] = np.isin(np.arange(len(sizes)), order[:n_chosen])[places]
        return chosen

    def distance(rows: NDArray[np.bool_]) -> float:
        found = np.bincount(codes[rows], minlength=len(wanted))
        return float(np.abs(found - wanted).sum())

    return min((draw() for _ in range(N_DRAWS)), key=distance)


def _folds(
    splitter: Any, train: Rows, codes: NDArray[Any], groups: Rows | None = None
) -> tuple[tuple[Rows, Rows], ...]:
    inner_groups = None if groups is None else groups[train]
    parts = splitter.split(train, codes[train], inner_groups)
    return tuple((train[fit], train[score]) for fit, score in parts)


def _ordered_split(spec: TrainingSpec, times: NDArray[np.float64]) -> Split:
    order = np.argsort(times, kind="stable")
    start = _time_boundary(times[order], round(len(order) * (1 - spec.test_fraction)))
    train = order[:start]
    ends = [round(len(train) * (i + 1) / (spec.n_folds + 1)) for i in range(spec.n_folds)]
    cuts = [*(_time_boundary(times[train], end) for end in ends), len(train)]
    if start in (0, len(order)) or len(set(cuts)) < len(cuts) or cuts[0] == 0:
        raise InvalidInputError(
            f"{spec.time_column!r} has too few distinct times for {spec.n_folds} folds and a "
            "holdout. Use fewer folds, or another time column."
        )
    folds = tuple((train[:a], train[a:b]) for a, b in pairwise(cuts))
    return Split(train, order[start:], folds)


def _time_boundary(ordered: NDArray[np.float64], place: int) -> int:
    """Return the first place whose time equals that at ``place``, so that equals stay together."""
    return int(np.searchsorted(ordered, ordered[min(place, len(ordered) - 1)], side="left"))


def _check_horizon(spec: TrainingSpec, table: TrainingTable, split: Split) -> None:
    n_rows = len(learnable(table, split.folds[0][0]))
    if n_rows < MIN_ROWS_PER_FOLD:
        raise InvalidInputError(
            f"With horizon {spec.horizon:,} fold 1 would learn from {n_rows} rows, since the "
            f"{spec.horizon - 1:,} steps before what is predicted are not known yet; at least "
            f"{MIN_ROWS_PER_FOLD} are needed. Use a shorter horizon, fewer folds or more rows."
        )


def _check_classes(split: Split, table: TrainingTable) -> None:
    train = learnable(table, split.train)
    parts = [("the held-out rows", split.test), ("the training rows", train)]
    parts += [(f"fold {i}", learnable(table, a)) for i, (a, _) in enumerate(split.folds, start=1)]
    for name, rows in parts:
        if len(np.unique(table.codes[rows])) < 2:
            raise InvalidInputError(
                f"Only one class in {name}. Use fewer folds, a larger held-out share, or more rows "
                "of the other classes."
            )
    for i, (_, score) in enumerate(split.folds, start=1):
        _check_scores(table, score, f"the rows that score fold {i}")
    unseen = np.setdiff1d(table.codes[split.test], table.codes[train])
    if len(unseen):
        raise InvalidInputError(
            f"Class {table.classes[unseen[0]]!r} occurs in the held-out rows only; no model can "
            "learn it. Choose another split or more data."
        )


def _check_scores(table: TrainingTable, rows: Rows, name: str) -> None:
    """Refuse rows on which the metric is not even defined for perfect predictions."""
    truth = table.codes[rows]
    perfect = Predictions(truth, truth, np.eye(len(table.classes))[truth])
    if not np.isfinite(table.metric.compute(perfect)):
        raise InvalidInputError(
            f"{table.metric.name} is not defined on {name}: they hold "
            f"{len(np.unique(truth))} of {len(table.classes)} classes. Use fewer folds, a metric "
            "that takes one class (accuracy, f1_macro), or more rows of the other classes."
        )
