"""Each family learns what there is to learn, of each task that it takes."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from tests.training.tables import dataset_of

from ml_orchestrator.datasets.sources import Dataset, load_dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.modelfiles.skops_file import load_skops
from ml_orchestrator.modelfiles.trees import check_trees
from ml_orchestrator.training.baselines import baseline_scores
from ml_orchestrator.training.families import unknown_trainer, usable
from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.metrics import METRICS
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.preprocessing import build_pipeline
from ml_orchestrator.training.splits import plan_split
from ml_orchestrator.training.table import TrainingTable, prepare_table
from ml_orchestrator.training.trainers import TRAINERS, Problem

# Trees with small leaves learn single rows by heart, whatever they weigh.
LEAVES = {name: {"min_leaf_rows": 20} for name in ("forest", "extra_trees")}
CLASSES, NUMBERS = Problem("classification", n_classes=2), Problem("regression")


def builtin(name: str) -> Dataset:
    return load_dataset(f"builtin:{name}", roots=[], max_bytes=1)


def friedman() -> Dataset:
    """Friedman's first function with noise of variance 1: the best R2 is 0.96."""
    rng = np.random.default_rng(0)
    x = rng.random((500, 6))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2
    y += 10 * x[:, 3] + 5 * x[:, 4] + rng.normal(size=500)
    return dataset_of(pl.DataFrame({**{f"x{i}": x[:, i] for i in range(6)}, "y": y}))


def uneven() -> Dataset:
    """Two overlapping clouds, one row in twelve of the second class."""
    rng = np.random.default_rng(0)
    is_rare = rng.random(900) < 1 / 12
    x = rng.normal(size=(900, 2)) + 1.3 * is_rare[:, None]
    return dataset_of(
        pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": np.where(is_rare, "rare", "usual")})
    )


def scores(dataset: Dataset, trainer: str, metric: str, **params: Any) -> tuple[float, float]:
    """Return the held-out score and that of the baseline."""
    spec = TrainingSpec(source=dataset.source)
    table = prepare_table(spec, dataset)
    split = plan_split(spec, table)
    model = fitted(table, trainer, split.train, **params)
    given = predict(model, table.features.iloc[split.test], table, split.test)
    base = baseline_scores([METRICS[metric]], table, split.train, split.test)
    return METRICS[metric].compute(given), base[metric]


def fitted(table: TrainingTable, trainer: str, rows: Any, **params: Any) -> Any:
    entry = TRAINERS[trainer]
    chosen = {**entry.first_params, **params}
    estimator = entry.build(table.problem, chosen, seed=0, n_jobs=None)
    return fit(build_pipeline(table.kinds, entry.needs, estimator), table, rows)


@pytest.mark.parametrize("trainer", [name for name in TRAINERS if TRAINERS[name].fits(CLASSES)])
@pytest.mark.parametrize("name", ["breast_cancer", "wine"])
def test_classes_are_told_apart(trainer: str, name: str) -> None:
    ranked, chance = scores(builtin(name), trainer, "roc_auc")
    right, most_frequent = scores(builtin(name), trainer, "accuracy")

    assert ranked > 0.95 > chance
    assert right > 0.9 > most_frequent


@pytest.mark.parametrize("trainer", [name for name in TRAINERS if TRAINERS[name].fits(NUMBERS)])
def test_numbers_are_foretold(trainer: str) -> None:
    assert scores(friedman(), trainer, "r2")[0] > 0.55
    assert scores(builtin("diabetes"), trainer, "r2")[0] > 0.15


def test_a_line_with_trees_on_what_it_leaves_beats_either_where_both_are_needed() -> None:
    """A trend that goes on beyond the rows learnt from, and a step that no line can follow."""
    rng = np.random.default_rng(0)
    rising, other = np.arange(900) / 100, rng.uniform(-1, 1, 900)
    y = 3 * rising + np.where(np.abs(other) > 0.5, 4.0, 0.0) + rng.normal(0, 0.5, 900)
    frame = pl.DataFrame({"rising": rising, "other": other, "y": y})
    spec = TrainingSpec(source="t.csv", time_column="rising")

    table = prepare_table(spec, dataset_of(frame))
    rows, later = np.arange(700), np.arange(700, 900)
    errors = {
        name: float(
            np.sqrt(
                np.mean(
                    (fitted(table, name, rows).predict(table.features.iloc[later]) - y[later]) ** 2
                )
            )
        )
        for name in ("linear", "histogram_boosting", "forest", "linear_boosting")
    }

    best = min(errors, key=errors.__getitem__)
    assert best == "linear_boosting"
    assert errors.pop(best) < 0.75  # the noise alone is 0.5
    assert min(errors.values()) > 1.5


@pytest.mark.parametrize(
    "trainer", [name for name, entry in TRAINERS.items() if "class_weight" in entry.first_params]
)
def test_rare_classes_are_found_more_often_when_classes_count_alike(trainer: str) -> None:
    found = [
        scores(
            uneven(), trainer, "balanced_accuracy", class_weight=weight, **LEAVES.get(trainer, {})
        )[0]
        for weight in ("none", "balanced")
    ]

    assert found[1] > found[0] + 0.05
    assert found[1] > 0.65


def test_the_weight_of_classes_is_asked_only_where_they_are_uneven() -> None:
    even, odd = (
        prepare_table(TrainingSpec(source="t.csv"), data).problem
        for data in (builtin("wine"), uneven())
    )
    assert (even.is_imbalanced, odd.is_imbalanced) == (False, True)
    assert (even.n_classes, odd.n_classes) == (3, 2)


def test_a_family_that_cannot_do_a_task_is_passed_over_or_refused() -> None:
    assert "naive_bayes" not in usable(list(TRAINERS), NUMBERS)
    assert usable(["linear", "naive_bayes"], CLASSES) == ["linear", "naive_bayes"]
    with pytest.raises(InvalidInputError, match=r"naive_bayes can do regression; these can: elas"):
        usable(["naive_bayes"], NUMBERS)


def test_a_family_whose_extra_is_missing_is_named_with_it() -> None:
    said = str(unknown_trainer("lightgbm"))
    assert "pip install 'ml-orchestrator-mcp[lightgbm]==" in said
    assert "pip" not in str(unknown_trainer("oracle"))


@pytest.mark.parametrize(
    ("dataset", "n_trees"), [(builtin("breast_cancer"), 80), (builtin("wine"), 240)]
)
def test_lightgbms_trees_are_saved_as_scikit_learns_and_say_the_same(
    dataset: Dataset, n_trees: int, tmp_path: Path
) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    table = prepare_table(TrainingSpec(source=dataset.source), dataset)
    features = table.features.to_numpy(copy=True)
    features[::7, 3] = np.nan
    path = tmp_path / "model.skops"

    entry = TRAINERS["lightgbm"]
    estimator = entry.build(table.problem, entry.first_params, seed=0, n_jobs=None)
    skops.io.dump(estimator.fit(features, table.labels).as_saved(), path)
    loaded = load_skops(path)  # by the list for models of any hand

    assert check_trees(loaded) == n_trees
    is_binary = len(table.classes) == 2
    own = lightgbm.train(
        {
            "objective": "binary" if is_binary else "multiclass",
            **({} if is_binary else {"num_class": 3}),
            "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 20,
            "feature_fraction": 0.8, "lambda_l2": 1e-2, "seed": 0, "num_threads": 1,
            "deterministic": True, "force_row_wise": True, "verbosity": -1,
        },
        lightgbm.Dataset(features, table.codes),
        num_boost_round=80,
    )  # fmt: skip
    probabilities = loaded.predict_proba(features)
    expected = own.predict(features)
    np.testing.assert_allclose(
        probabilities[:, 1] if is_binary else probabilities, expected, rtol=1e-12, atol=1e-14
    )
