"""Where a model is worst: planted weaknesses are named, and chance is not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.training.tables import dataset_of

from ml_orchestrator.training.metrics import Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.preprocessing import FeatureKinds
from ml_orchestrator.training.slices import worst_slices
from ml_orchestrator.training.table import prepare_table

N = 600
KINDS = FeatureKinds(numeric=("n",), boolean=("b",), categorical=("c",), temporal=("t",))


def table(rng: np.random.Generator) -> pd.DataFrame:
    n = rng.normal(size=N)
    return pd.DataFrame(
        {
            "n": np.where(rng.random(N) < 0.1, np.nan, n),
            "b": rng.random(N) < 0.5,
            "c": rng.choice(["red", "green", "blue"], N),
            "t": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, N), "D"),
        }
    )


def wrong_where(is_hard: np.ndarray, rng: np.random.Generator) -> Predictions:
    truth = rng.integers(0, 2, N)
    is_wrong = rng.random(N) < np.where(is_hard, 0.5, 0.1)
    predicted = np.where(is_wrong, 1 - truth, truth)
    return Predictions(truth, predicted, np.eye(2)[predicted])


def test_a_planted_weakness_is_named_with_its_size() -> None:
    rng = np.random.default_rng(0)
    features = table(rng)
    given = wrong_where((features["c"] == "red").to_numpy(), rng)

    slices, n_slices = worst_slices(features, KINDS, given, np.arange(N))

    worst = slices[0]
    assert (worst.column, worst.value) == ("c", "red")
    assert worst.excess.low < 0.4 < worst.excess.high
    assert worst.excess.n == int((features["c"] == "red").sum())
    assert worst.p_adjusted < 0.001 < slices[1].p_adjusted
    # Four quarters and the missing of n, two values of b, three of c, four quarters of t.
    assert n_slices == 14


def test_a_weak_quarter_of_a_number_is_named_by_its_range() -> None:
    rng = np.random.default_rng(1)
    features = table(rng)
    top = float(features["n"].quantile(0.75))
    truth = rng.normal(size=N)
    error = rng.normal(0, np.where(features["n"] >= top, 3.0, 1.0))
    given = Predictions(truth, truth + error, np.empty((N, 0)))

    slices, _ = worst_slices(features, KINDS, given, np.arange(N))

    assert slices[0].column == "n"
    assert float(slices[0].value.split(" to ")[0]) == pytest.approx(top, rel=0.01)


def test_chance_is_named_about_as_often_as_promised() -> None:
    named = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        given = wrong_where(np.zeros(N, dtype=bool), rng)
        slices, _ = worst_slices(table(rng), KINDS, given, np.arange(N))
        named += any(part.p_adjusted < 0.05 for part in slices)

    assert named <= 6  # of 40; 2 are expected, more than 6 come up once in a hundred


def test_rows_of_one_group_count_as_one_look() -> None:
    """One group of bad luck makes its value look bad, though only five groups stand behind it."""
    rng = np.random.default_rng(0)
    features = table(rng)
    groups = np.arange(N) % 30
    features["c"] = np.where(groups < 6, "red", "blue")
    given = wrong_where(groups == 0, rng)

    (alone, _), (grouped, _) = (
        worst_slices(features, KINDS, given, clusters) for clusters in (np.arange(N), groups)
    )

    red_alone = next(part for part in alone if part.value == "red")
    red_grouped = next((part for part in grouped if part.value == "red"), None)
    assert red_grouped is not None
    width = [part.excess.high - part.excess.low for part in (red_alone, red_grouped)]
    assert width[1] > 1.2 * width[0]


def test_dates_are_named_as_they_are_in_the_table() -> None:
    """Times come in microseconds from a file, and a bare integer is read as nanoseconds."""
    n_rows = 400
    days = np.datetime64("2024-01-01", "us") + np.arange(n_rows) * np.timedelta64(1, "D")
    frame = pl.DataFrame({"t": days, "x": np.arange(n_rows) % 7, "y": np.arange(n_rows) % 2})
    table = prepare_table(TrainingSpec(source="t.csv"), dataset_of(frame))
    predicted = np.where(np.arange(n_rows) < 100, 1 - table.codes, table.codes)
    given = Predictions(table.codes, predicted, np.eye(2)[predicted])

    slices, _ = worst_slices(table.features, table.kinds, given, np.arange(n_rows))

    assert slices[0].value == "2024-01-01 00:00:00 to 2024-04-09 18:00:00"


def test_a_part_that_is_wrong_in_every_row_is_the_surest_of_all() -> None:
    features = pd.DataFrame({"c": np.where(np.arange(N) < 40, "red", "blue")})
    kinds = FeatureKinds(numeric=(), boolean=(), categorical=("c",), temporal=())
    truth = np.arange(N) % 2
    predicted = np.where(features["c"] == "red", 1 - truth, truth)
    given = Predictions(truth, predicted, np.eye(2)[predicted])

    slices, _ = worst_slices(features, kinds, given, np.arange(N))

    assert (slices[0].value, slices[0].excess.estimate) == ("red", 1.0)
    assert slices[0].p_adjusted < 1e-6
    assert slices[0].excess.low < 1.0
    right = Predictions(truth, truth, np.eye(2)[truth])
    assert worst_slices(features, kinds, right, np.arange(N))[0] == ()


def test_a_weakness_of_rows_that_hardly_count_is_none() -> None:
    rng = np.random.default_rng(0)
    features = table(rng)
    hard = (features["c"] == "red").to_numpy() & (rng.random(N) < 0.7)
    given = wrong_where(hard, rng)
    weights = np.where(hard, 1e-3, 1.0)

    alike, weighed = (
        worst_slices(features, KINDS, each, np.arange(N))[0]
        for each in (given, replace(given, weights=weights))
    )

    assert (alike[0].value, alike[0].p_adjusted < 0.001) == ("red", True)
    assert all(part.p_adjusted > 0.05 for part in weighed)


def test_equal_weights_are_as_none() -> None:
    rng = np.random.default_rng(0)
    features = table(rng)
    given = wrong_where((features["c"] == "red").to_numpy(), rng)

    alike, weighed = (
        worst_slices(features, KINDS, each, np.arange(N))
        for each in (given, replace(given, weights=np.full(N, 4.0)))
    )

    assert weighed == alike  # by a power of two, so to the last bit


def test_a_part_of_little_weight_is_not_looked_at() -> None:
    features = pd.DataFrame({"c": np.where(np.arange(N) < 40, "red", "blue")})
    kinds = FeatureKinds(numeric=(), boolean=(), categorical=("c",), temporal=())
    truth = np.zeros(N, dtype=int)
    weights = np.where(np.arange(N) < 10, 1.0, np.where(np.arange(N) < 40, 1e-3, 1.0))
    given = Predictions(truth, truth, np.eye(2)[truth])

    n_looks = [
        worst_slices(features, kinds, each, np.arange(N))[1]
        for each in (given, replace(given, weights=weights))
    ]

    assert n_looks == [2, 0]  # ten of the forty rows count


def test_parts_of_few_rows_are_not_looked_at() -> None:
    features = table(np.random.default_rng(0)).head(30)
    given = Predictions(np.zeros(30, int), np.zeros(30, int), np.eye(2)[np.zeros(30, int)])

    assert worst_slices(features, KINDS, given, np.arange(30)) == ((), 0)
