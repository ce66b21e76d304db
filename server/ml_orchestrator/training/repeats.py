"""Rows that are held out and learnt from at once, because the table repeats them."""

import numpy as np
import polars as pl

from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.splits import Split
from ml_orchestrator.training.table import TrainingTable

__all__ = ["repeat_notices"]


def repeat_notices(spec: TrainingSpec, table: TrainingTable, split: Split) -> list[str]:
    """Return a sentence if so many held-out rows are learnt from that the score may say more.

    Rows are compared in all that is learnt from, and the target. So many are more than the
    standard error of a share of the held-out rows may hide, twice (1 / sqrt of their number),
    beyond what rows of few values share by chance. Groups, and rows in time order, are not
    looked at: their column keeps what is alike on one side, or says when it came.
    """
    if spec.time_column is not None or spec.group_column is not None:
        return []
    marks = table.frame.hash_rows().to_numpy()
    n_test = len(split.test)
    n_twins = int(np.isin(marks[split.test], marks[split.train]).sum())
    hidden = 1 / np.sqrt(n_test)
    if n_twins / n_test <= hidden or n_twins / n_test <= hidden + _by_chance(table.frame, split):
        return []
    n_repeated = len(marks) - len(np.unique(marks))
    return [
        f"{n_repeated:,} of {len(marks):,} rows repeat earlier ones, and {n_twins:,} of the "
        f"{n_test:,} held-out rows are among those learnt from, too: the score may be better than "
        "on new rows. Take repeated rows out of the data, or name a group_column that keeps them "
        "together."
    ]


def _by_chance(frame: pl.DataFrame, split: Split) -> float:
    """Return the share of held-out rows with a twin if columns knew nothing of one another."""
    expected = float(len(split.train))
    for column in frame.get_columns():
        shares = column.value_counts()["count"].to_numpy() / len(column)
        expected *= float((shares**2).sum())
    return min(1.0, expected)
