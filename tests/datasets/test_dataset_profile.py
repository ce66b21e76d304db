"""The profile follows the data: numbers, faults and leaks."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from ml_orchestrator.datasets.models import DatasetProfile
from ml_orchestrator.datasets.plots import profile_plot
from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.datasets.sources import BUILTIN_DATASETS, Dataset, load_dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.table import prepare_table

PNG = b"\x89PNG\r\n\x1a\n"


def dataset_of(frame: pl.DataFrame) -> Dataset:
    return Dataset("t.csv", frame, "0" * 64, "A table.", None)


def profile_of(frame: pl.DataFrame, target: str | None = None) -> DatasetProfile:
    return profile_dataset(dataset_of(frame), target)


def test_numbers_of_a_column_are_those_of_numpy() -> None:
    values = np.random.default_rng(1).lognormal(size=500)

    (column,) = profile_of(pl.DataFrame({"x": values})).columns

    quartiles = np.quantile(values, [0.25, 0.75])
    fences = quartiles + np.array([-1.5, 1.5]) * np.diff(quartiles)
    centred = values - values.mean()
    assert (column.minimum, column.maximum) == (values.min(), values.max())
    assert column.mean == pytest.approx(values.mean())
    assert column.std == pytest.approx(values.std(ddof=1))
    assert column.quantiles["0.95"] == pytest.approx(np.quantile(values, 0.95))
    assert column.skew == pytest.approx(np.mean(centred**3) / np.mean(centred**2) ** 1.5)
    assert column.outlier_share == pytest.approx(
        np.mean((values < fences[0]) | (values > fences[1]))
    )


@pytest.mark.parametrize("values", [[0, 1], [0.0, 9.5], [3, 3]])
def test_two_values_have_no_outliers(values: list[float]) -> None:
    frame = pl.DataFrame({"x": [values[0]] * 94 + [values[1]] * 6, "y": range(100)})

    profile = profile_of(frame)

    assert profile.columns[0].outlier_share is None
    assert not any("outliers" in warning for warning in profile.warnings)


def test_a_target_that_is_missing_is_told_as_training_tells_it() -> None:
    frame = pl.DataFrame({"x": np.arange(60) % 7, "y": [None, float("inf"), *range(58)]})
    dataset = dataset_of(frame.with_columns(pl.col("y").cast(pl.Float64)))

    said = prepare_table(TrainingSpec(source="t.csv", target="y"), dataset).warnings

    assert said == (
        "2 rows without 'y' are left out of training.",
        "1 infinite value of 'y' counts as missing, in row 2.",
    )
    assert set(said) <= set(profile_dataset(dataset, "y").warnings)
    assert not any("left out" in warning for warning in profile_dataset(dataset, "x").warnings)


def test_kinds_missing_values_and_categories_are_told() -> None:
    frame = pl.DataFrame(
        {
            "n": [1.0, None, 3.0, 4.0],
            "b": [True, False, True, True],
            "t": [datetime(2024, 1, d) for d in (1, 2, 3, 4)],
            "c": ["x", "x", "y", None],
            "e": pl.Series([None] * 4, dtype=pl.String),
            "l": [[1], [2], [3], [4]],
        }
    )

    profile = profile_of(frame)
    by_name = {column.name: column for column in profile.columns}

    assert {n: c.kind for n, c in by_name.items()} == {
        "n": "numeric",
        "b": "boolean",
        "t": "temporal",
        "c": "categorical",
        "e": "empty",
        "l": "unsupported",
    }
    assert by_name["n"].missing_share == 0.25
    assert by_name["b"].mean == 0.75
    assert by_name["t"].maximum == "2024-01-04T00:00:00"
    assert [(t.value, t.count) for t in by_name["c"].top] == [("x", 2), ("y", 1)]
    assert profile.empty_columns == ("e",)


def test_duplicates_constants_and_ids_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(0)
    names = [f"customer-{i}" for i in range(100)]
    frame = pl.DataFrame(
        {
            "row": range(100),
            "order": np.sort(rng.choice(250, 100, replace=False)) + 1_000,
            "name": names,
            "same": ["x"] * 100,
            "value": rng.integers(0, 1_000_000, 100),
        }
    )

    profile = profile_of(pl.concat([frame, frame.head(3)]).with_columns(pl.col("value")))

    assert profile.duplicate_rows == 3
    assert profile.constant_columns == ("same",)
    assert profile_of(frame).id_like_columns == ("row", "order", "name")


def test_the_target_suggests_task_and_metric() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "two": rng.integers(0, 2, 400),
            "many": rng.choice(["a", "b", "c"], 400),
            "coded": rng.integers(1, 6, 400).astype(float),
            "real": rng.normal(size=400),
            "counts": rng.poisson(40, 400),
        }
    )

    found = {
        name: (profile.suggested_task, profile.suggested_metric)
        for name in frame.columns
        if (profile := profile_of(frame, name))
    }

    assert found == {
        "two": ("classification", "roc_auc"),
        "many": ("classification", "f1_macro"),
        "coded": ("classification", "f1_macro"),
        "real": ("regression", "r2"),
        "counts": ("regression", "r2"),
    }


def test_the_balance_of_the_target_is_told_and_a_rare_class_warned_of() -> None:
    frame = pl.DataFrame({"y": ["no"] * 97 + ["yes"] * 3, "x": range(100)})

    profile = profile_of(frame, "y")

    assert profile.target_balance == {"no": 0.97, "yes": 0.03}
    assert any("'yes' is rare" in warning for warning in profile.warnings)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_planted_leaks_are_named_with_evidence_and_innocent_columns_are_not(kind: str) -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=600)
    signal = x + rng.normal(0, 0.7, 600)
    target = (signal > 0).astype(int) if kind == "classes" else signal
    exposed = target == 1 if kind == "classes" else signal
    frame = pl.DataFrame(
        {
            "honest": x,
            "noise": rng.normal(size=600),
            "copy": 3.0 * np.asarray(exposed, dtype=float) + rng.normal(0, 0.01, 600),
            "y": target,
        }
    )

    profile = profile_of(frame, "y")
    suspects = profile.leakage_suspects

    how = 'If not, leave it out by column_types {"copy": "ignore"}.'
    assert [how in warning for warning in profile.warnings if "may leak" in warning] == [True]
    assert [suspect.column for suspect in suspects] == ["copy"]
    assert suspects[0].score > 0.98
    assert "'copy' alone reaches" in suspects[0].evidence


def test_a_column_that_is_missing_exactly_for_one_class_is_a_leak() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 300)
    closed_on = np.where(y == 1, rng.normal(size=300), np.nan)
    frame = pl.DataFrame({"closed_on": closed_on, "x": rng.normal(size=300), "y": y})

    suspects = profile_of(frame.with_columns(pl.col("closed_on").fill_nan(None)), "y")

    assert [suspect.column for suspect in suspects.leakage_suspects] == ["closed_on"]


def test_shuffling_the_target_takes_the_suspicion_away() -> None:
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, 300)
    frame = pl.DataFrame({"copy": y.astype(float), "y": rng.permutation(y)})

    assert profile_of(frame, "y").leakage_suspects == ()


def test_an_absent_target_is_refused_with_the_closest_name() -> None:
    frame = pl.DataFrame({"price": [1.0], "quantity": [2]})

    with pytest.raises(
        InvalidInputError, match=r"\(did you mean 'price'\?\)\. Columns: price, quantity"
    ):
        profile_of(frame, "prise")


@pytest.mark.parametrize("name", ["iris", "customer_churn", "macrodata", "daily_demand"])
def test_builtins_are_profiled_and_drawn(name: str) -> None:
    dataset = load_dataset(f"builtin:{name}", roots=[], max_bytes=1)

    profile = profile_dataset(dataset, None)

    assert profile.target == BUILTIN_DATASETS[name].default_target
    assert profile.suggested_task == BUILTIN_DATASETS[name].task
    assert profile_plot(dataset, profile).startswith(PNG)


def test_a_table_of_hostile_names_and_values_is_drawn() -> None:
    frame = pl.DataFrame(
        {
            "$\\frac{": ["$x$", "\x07", "a" * 500],
            "inf": [float("inf"), 1.0, 2.0],
            "none": pl.Series([None] * 3, dtype=pl.Float64),
        }
    )
    dataset = dataset_of(frame)

    profile = profile_dataset(dataset, None)

    assert profile_plot(dataset, profile).startswith(PNG)
    assert profile.model_dump_json()


def test_the_picture_follows_the_data() -> None:
    first = dataset_of(pl.DataFrame({"x": np.arange(50.0)}))
    second = dataset_of(pl.DataFrame({"x": np.arange(50.0) ** 3}))

    pictures = [profile_plot(d, profile_dataset(d, None)) for d in (first, first, second)]

    assert pictures[0] == pictures[1] != pictures[2]


def test_of_many_columns_some_are_described_and_all_are_judged() -> None:
    frame = pl.DataFrame({f"c{i}": [1.0, i + 2.0] for i in range(120)})
    frame = frame.with_columns(c119=pl.lit(1))
    dataset = dataset_of(frame)

    cut, named = profile_dataset(dataset, "c118"), profile_dataset(dataset, None, columns=["c119"])

    assert [c.name for c in cut.columns] == [*(f"c{i}" for i in range(99)), "c118"]
    assert (cut.n_columns, cut.n_columns_shown) == (120, 100)
    assert cut.constant_columns == ("c119",)
    assert cut.warnings[0].startswith("100 of 120 columns are described")
    assert [c.name for c in named.columns] == ["c119"]
    assert not any("are described" in warning for warning in named.warnings)


def test_a_described_column_that_is_absent_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="No column 'w' to use as a column to describe"):
        profile_dataset(dataset_of(pl.DataFrame({"x": [1.0]})), None, columns=["w"])
