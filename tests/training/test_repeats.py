"""Rows that a table repeats fall on both sides of a split; a training says so."""

import numpy as np
import polars as pl
import pytest
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.training.job import prepare
from ml_orchestrator.training.models import TrainingSpec

PLAIN = mixed_table(300)
TWICE = pl.concat([PLAIN, PLAIN.head(150)]).with_columns(visit=pl.int_range(450))


def notices(frame: pl.DataFrame, **given: object) -> list[str]:
    warnings = prepare(TrainingSpec(source="t.csv", **given), dataset_of(frame)).warnings
    return [text for text in warnings if "repeat" in text]


def test_rows_on_both_sides_are_counted_once_what_tells_them_apart_is_ignored() -> None:
    frame = TWICE.drop("visit")
    job = prepare(TrainingSpec(source="t.csv"), dataset_of(frame))
    learnt_from = set(frame[job.split.train].rows())
    n_twins = sum(row in learnt_from for row in frame[job.split.test].rows())

    assert n_twins > 30
    assert notices(frame) == [
        f"150 of 450 rows repeat earlier ones, and {n_twins} of the 90 held-out rows are among "
        "those learnt from, too: the score may be better than on new rows. Take repeated rows out "
        "of the data, or name a group_column that keeps them together."
    ]
    assert notices(TWICE) == []  # each has a number of its own, which may mean something


@pytest.mark.parametrize(
    ("frame", "given"),
    [
        (PLAIN, {}),
        (pl.concat([PLAIN, PLAIN.head(3)]), {}),  # a few, which move no score
        (TWICE, {"group_column": "visit"}),
        (TWICE, {"time_column": "visit"}),
    ],
)
def test_rows_that_are_few_or_kept_together_are_not_warned_of(
    frame: pl.DataFrame, given: dict[str, str]
) -> None:
    assert notices(frame, **given) == []


def test_rows_of_few_values_repeat_by_chance_and_are_not_warned_of() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({name: rng.integers(0, 3, 400) for name in ("a", "b", "y")})

    assert frame.n_unique() == 27
    assert notices(frame, target="y") == []
