"""Columns that alone give the target away, found by trying each one."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ml_orchestrator.datasets.kinds import column_kind, ignoring
from ml_orchestrator.datasets.models import LeakageSuspect, Task

__all__ = ["find_leakage", "leakage_notice"]

THRESHOLD = 0.98
MAX_ROWS = 2_000
MIN_ROWS = 30
N_FOLDS = 3
SEED = 0
LARGEST_VALUE = 1e34  # a tree adds up values in single precision
LARGEST_TARGET = 1e100  # its square is still a number
LARGEST_WHOLE = 2**53  # beyond which floats skip whole numbers
_TREE = {"max_leaf_nodes": 64, "min_samples_leaf": 2, "random_state": SEED}


def find_leakage(frame: pl.DataFrame, target: str, task: Task) -> tuple[LeakageSuspect, ...]:
    """Return the columns from which alone a small tree predicts the target nearly perfectly.

    Each column is given to a decision tree of at most 64 leaves and scored on rows the tree
    did not see (three folds of at most 2,000 rows): balanced accuracy for classes, R2 for
    numbers. From 0.98 on a column is suspect. Missingness counts as a value, so a column that
    is empty exactly for one class is found too. Fewer than 30 usable rows give no suspects.
    """
    rows = _usable_rows(frame, target, task)
    if rows.height < MIN_ROWS or rows[target].n_unique() < 2:
        return ()
    truth = _classes(rows[target]) if task == "classification" else _amounts(rows[target])
    score_alone = _judge(truth, task)
    found = []
    for column in rows.get_columns():
        if column.name == target or column_kind(column) in ("empty", "unsupported"):
            continue
        score = score_alone(_codes(column))
        if score >= THRESHOLD:
            found.append(_suspect(column.name, score, task, rows.height))
    return tuple(sorted(found, key=lambda suspect: -suspect.score))


def leakage_notice(suspect: LeakageSuspect) -> str:
    """Return what to say of a suspect: the evidence, and how to leave the column out."""
    return (
        f"{suspect.column!r} may leak the target. {suspect.evidence} If not, leave it out by "
        f"{ignoring(suspect.column)}."
    )


def _usable_rows(frame: pl.DataFrame, target: str, task: Task) -> pl.DataFrame:
    values = frame[target]
    is_usable = values.is_not_null()
    if values.dtype.is_float():
        is_usable &= values.is_finite()
    rows = frame.filter(is_usable)
    if task == "classification":
        counts = rows[target].alias("value").to_frame().select(pl.len().over("value"))
        rows = rows.filter(counts.to_series() >= N_FOLDS)
    return rows if rows.height <= MAX_ROWS else rows.sample(MAX_ROWS, seed=SEED)


def _classes(target: pl.Series) -> NDArray[np.int64]:
    """Return classes as their ranks: as floats, whole numbers beyond 2**53 would be one class."""
    codes: NDArray[np.int64] = target.rank("dense").cast(pl.Int64).to_numpy()
    return codes


def _codes(column: pl.Series) -> NDArray[np.float64]:
    """Return the column as numbers with NaN for missing.

    Text is its place in the alphabet, and whole numbers that floats do not tell apart their rank.
    """
    if column.dtype == pl.String or _beyond_floats(column):
        column = column.rank("dense")
    if column.dtype.is_temporal():
        column = column.to_physical()
    values: NDArray[np.float64] = column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    within = np.clip(values, -LARGEST_VALUE, LARGEST_VALUE)
    return np.where(np.isinf(values), np.nan, within)


def _beyond_floats(column: pl.Series) -> bool:
    if not column.dtype.is_integer() or column.null_count() == len(column):
        return False
    return max(int(column.max()), -int(column.min())) > LARGEST_WHOLE  # type: ignore[arg-type]


def _amounts(target: pl.Series) -> NDArray[np.float64]:
    values: NDArray[np.float64] = target.cast(pl.Float64).to_numpy()
    return np.clip(values, -LARGEST_TARGET, LARGEST_TARGET)


def _judge(truth: NDArray[Any], task: Task) -> Callable[[NDArray[np.float64]], float]:
    """Return what scores a column alone, the rows divided once for all columns.

    A table may have thousands: a column is given up, with a score that it cannot reach, as soon as
    it would not be suspect even if the rows not yet asked about were all told right.
    """
    is_class = task == "classification"
    measure = balanced_accuracy_score if is_class else _r2
    splitter = StratifiedKFold if is_class else KFold
    divided = splitter(N_FOLDS, shuffle=True, random_state=SEED)
    folds: Sequence[tuple[Any, Any]] = list(divided.split(np.zeros(len(truth)), truth))

    def score(values: NDArray[np.float64]) -> float:
        column, predicted, reached = values.reshape(-1, 1), truth.copy(), 1.0
        for fit, rest in folds:
            tree = DecisionTreeClassifier(**_TREE) if is_class else DecisionTreeRegressor(**_TREE)
            predicted[rest] = tree.fit(column[fit], truth[fit]).predict(column[rest])
            reached = float(measure(truth, predicted))
            if reached < THRESHOLD:
                break
        return reached

    return score


def _r2(truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Return R2; scikit-learn's checks what is known here, which takes longer than the tree."""
    spread = float(((truth - truth.mean()) ** 2).sum())
    return 1 - float(((truth - predicted) ** 2).sum()) / spread if spread else 0.0


def _suspect(name: str, score: float, task: Task, n_rows: int) -> LeakageSuspect:
    measure = "balanced_accuracy" if task == "classification" else "r2"
    chance = "1 / number of classes" if task == "classification" else "0"
    evidence = (
        f"A small tree on {name!r} alone reaches {measure} {score:.3f} on unseen rows "
        f"({N_FOLDS} folds, {n_rows:,} rows; chance is {chance}). Is it known at prediction time?"
    )
    return LeakageSuspect(column=name, measure=measure, score=score, evidence=evidence)
