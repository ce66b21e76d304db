"""What a table has wrong is told with its column and row, and what a search left out with why."""

import sys

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.tree import DecisionTreeRegressor
from tests.training.tables import dataset_of

from ml_orchestrator.datasets.kinds import suggest_task
from ml_orchestrator.datasets.leakage import find_leakage
from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.training.families import full
from ml_orchestrator.training.job import prepare
from ml_orchestrator.training.models import Task, TrainingSpec
from ml_orchestrator.training.study import FinishedTrial, StudyResult
from ml_orchestrator.training.summary import _untried_warnings
from ml_orchestrator.training.text_features import topics_for

RNG = np.random.default_rng(0)
N = 120


@pytest.fixture(autouse=True)
def same_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ran before, each test draws the same."""
    monkeypatch.setattr(sys.modules[__name__], "RNG", np.random.default_rng(0))


def table(**columns: object) -> pl.DataFrame:
    return pl.DataFrame({"x": RNG.normal(size=N), "y": RNG.normal(size=N), **columns})


def spec(**given: object) -> TrainingSpec:
    return TrainingSpec.model_validate({"source": "t.csv", "target": "y", **given})


def with_stray(*odd: str) -> pl.DataFrame:
    cells = [f"{value:.4f}" for value in RNG.normal(size=N)]
    cells[17 : 17 + len(odd)] = odd
    return table(a=cells)


@pytest.mark.parametrize("odd", ["-", "?", "12,5x", "n.a."])
def test_a_cell_that_is_no_number_is_refused_with_its_row(odd: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        prepare(spec(), dataset_of(with_stray(odd)))

    assert f"values of 'a' are numbers, but row 18 holds '{odd}'" in str(refused.value)
    assert 'column_types {"a": "categorical"}' in str(refused.value)
    assert 'column_types {"a": "ignore"}' in str(refused.value)


def test_a_column_whose_type_is_named_and_a_mixture_are_read_as_they_stand() -> None:
    prepare(spec(column_types={"a": "categorical"}), dataset_of(with_stray("-")))

    said = " ".join(prepare(spec(), dataset_of(with_stray(*["none"] * 9))).warnings)
    assert "'a' is text, but 111 of its 120 values are numbers" in said
    assert "such as 'none' in row 18" in said


@pytest.mark.parametrize("n_repeated", [0, 1])
def test_numbers_that_hardly_repeat_are_not_called_names_of_rows(n_repeated: int) -> None:
    values = RNG.normal(size=N)
    values[:n_repeated] = values[N - 1]
    frame = table(a=[f"{value:.4f}".replace(".", ",") for value in values])

    trained = " ".join(prepare(spec(), dataset_of(frame)).warnings)
    profiled = " ".join(profile_dataset(dataset_of(frame), "y").warnings)

    for said in (trained, profiled):
        assert "looks like numbers" in said
        assert "names the rows" not in said
        assert "names each row" not in said


def test_infinite_values_are_named() -> None:
    frame = table(a=[1.0, 2.0, float("inf"), *np.arange(N - 4.0), float("-inf")])

    told = "2 infinite values of 'a' count as missing, first in row 3."
    assert told in prepare(spec(), dataset_of(frame)).warnings
    assert told in profile_dataset(dataset_of(frame), "y").warnings


def test_counts_with_a_tail_are_numbers_and_rare_classes_are_all_named() -> None:
    counts = pl.Series("y", RNG.poisson(3, 2_000))
    assert suggest_task(counts) == "regression"
    assert suggest_task(pl.Series("y", [1, 2, 3] * 100)) == "classification"
    assert suggest_task(pl.Series("y", [0] * 300 + [1] * 95 + [2] * 5)) == "classification"

    labels = [*[0] * 60, *[1] * 55, 2, 3, 3, 3, 3]
    with pytest.raises(InvalidInputError) as refused:
        prepare(spec(task="classification"), dataset_of(table().with_columns(y=pl.Series(labels))))
    assert "Class '2' has 1, '3' has 4 rows, too few" in str(refused.value)
    assert "task regression" in str(refused.value)
    assert "fewer folds" not in str(refused.value)

    many = pl.Series([*"abcdefgh", *"z" * (N - 8)])
    with pytest.raises(InvalidInputError, match=r"\(and 3 more classes\), too few"):
        prepare(spec(), dataset_of(table().with_columns(y=many)))


def test_ids_with_letters_are_no_numbers_with_stray_cells() -> None:
    ids = [f"A{i}" if i % 50 == 0 else str(1_000 + i) for i in range(N)]

    said = " ".join(prepare(spec(), dataset_of(table(order_id=ids))).warnings)

    assert "Column 'order_id' was left out" in said


def test_all_columns_with_stray_cells_are_named_at_once() -> None:
    frame = with_stray("-").with_columns(b=pl.Series(with_stray("?", "?")["a"]))

    with pytest.raises(InvalidInputError) as refused:
        prepare(spec(), dataset_of(frame))

    assert "row 18 holds '-'; " in str(refused.value)
    assert "row 18 holds '?', and 1 more rows hold no number" in str(refused.value)


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_a_leak_is_found_among_many_columns_that_tell_nothing(task: Task) -> None:
    y = RNG.normal(size=300)
    truth = pl.Series("y", y > 1) if task == "classification" else pl.Series("y", y)
    noise = {f"n{i}": RNG.normal(size=300) for i in range(40)}
    frame = pl.DataFrame({**noise, "leak": np.cbrt(y), "y": truth})

    assert [suspect.column for suspect in find_leakage(frame, "y", task)] == ["leak"]


@pytest.mark.parametrize("seed", range(8))
def test_giving_up_early_loses_no_leak_of_a_few_large_values(seed: int) -> None:
    """The score on all rows decides, as it does where all folds are asked."""
    rng = np.random.default_rng(seed)
    y = np.zeros(200)
    y[rng.choice(200, 6, replace=False)] = 100.0
    folds = KFold(3, shuffle=True, random_state=0)
    tree = DecisionTreeRegressor(max_leaf_nodes=64, min_samples_leaf=2, random_state=0)
    whole = r2_score(y, cross_val_predict(tree, 2 * y.reshape(-1, 1), y, cv=folds))

    found = find_leakage(pl.DataFrame({"leak": 2 * y, "y": y}), "y", "regression")

    assert bool(found) == (whole >= 0.98)
    assert not found or found[0].score == pytest.approx(whole)


def test_families_without_a_trial_are_named_where_time_was_up() -> None:
    trial = FinishedTrial(0, "complete", full("linear", {"penalty": 1.0}), (0.5,), 1.0, "")

    (said,) = _untried_warnings(("linear", "forest"), StudyResult((trial,), trial, "time"))

    assert "forest" in said
    assert "linear" not in said
    assert _untried_warnings(("linear", "forest"), StudyResult((trial,), trial, "trials")) == []


def test_families_whose_columns_are_scaled_are_given_more_topics() -> None:
    words = [f"w{i}" for i in range(150)]
    texts = [" ".join(RNG.choice(words, 12)) for _ in range(400)]
    frame = pl.DataFrame({"note": texts}).to_pandas()

    n_scaled = topics_for(scaled=True).fit(frame).transform(frame).shape[1]
    n_of_trees = topics_for(scaled=False).fit(frame).transform(frame).shape[1]

    assert (n_scaled, n_of_trees) == (2 + 149, 2 + 50)
