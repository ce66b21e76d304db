"""What a training hands over when the best trial alone is not the best answer."""

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from numpy.testing import assert_allclose, assert_array_equal
from tests.training.tables import dataset_of

from ml_orchestrator.modelfiles.trees import check_trees
from ml_orchestrator.training.blend import BlendedClassifier, BlendedRegressor
from ml_orchestrator.training.metrics import METRICS, Predictions
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import TrainedModel, train
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

N = 500


def trained(folder: Path, frame: pl.DataFrame, **given: object) -> TrainedModel:
    spec = TrainingSpec(source="t.csv", n_folds=3, **given)
    return train(spec, dataset_of(frame), study_dir=folder, report=lambda *_: None)


def two_natures(rng: np.random.Generator) -> pl.DataFrame:
    """Return a target half of which a linear model finds, and half of which trees do."""
    x = rng.uniform(-1, 1, (N, 4))
    steps = np.where(x[:, 0] * x[:, 1] > 0, 1.0, -1.0)
    frame = pl.DataFrame(x, schema=[f"x{i}" for i in range(4)])
    when = np.datetime64("2024-01-01", "us") + np.arange(N).astype("timedelta64[h]")
    text = rng.choice(np.array(["a", "b", None], dtype=object), N)
    y = steps + x @ [1.2, -0.8, 2.0, 1.0] + rng.normal(0, 0.7, N)
    return frame.with_columns(when=pl.Series(when), text=pl.Series(text.tolist()), y=pl.Series(y))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainedModel, TrainedModel]:
    """Trained with refinement and without, on the same rows."""
    folder = tmp_path_factory.mktemp("mixed")
    frame = two_natures(np.random.default_rng(0))
    given = {"target": "y", "trainers": ("linear", "extra_trees"), "n_trials": 2, "metric": "rmse"}
    return (
        trained(folder / "a", frame, **given),
        trained(folder / "b", frame, **given, refine=False),
    )


def test_models_that_complete_one_another_are_averaged(
    mixed: tuple[TrainedModel, TrainedModel],
) -> None:
    blend, alone = mixed
    (note,) = blend.summary.refinements

    assert isinstance(blend.pipeline, BlendedRegressor)
    assert (note.step, note.is_used, note.metric) == ("average", True, "rmse")
    assert 0 < note.low < note.gain < note.high
    assert {member.trainer for member in blend.summary.members} == {"linear", "extra_trees"}
    assert sum(member.weight for member in blend.summary.members) == pytest.approx(1)
    assert alone.summary.refinements == ()
    assert len(alone.summary.members) == 1
    before, after = (model.summary.holdout["rmse"].estimate for model in (alone, blend))
    assert after < before


def test_a_blend_is_saved_and_answers_raw_rows_alike(
    mixed: tuple[TrainedModel, TrainedModel],
) -> None:
    model = mixed[0]
    rows = pd.DataFrame([{"x0": 0.1, "x1": None, "x2": 3, "x3": -1, "when": None, "text": "new"}])

    saved = skops.io.dumps(model.pipeline)
    loaded = skops.io.loads(saved, trusted=list(EXTRA_TRUSTED_TYPES))

    assert set(skops.io.get_untrusted_types(data=saved)) <= set(EXTRA_TRUSTED_TYPES)
    assert check_trees(loaded) == check_trees(model.pipeline) > 50
    for frame in (rows, model.input_example):
        assert_array_equal(loaded.predict(frame), model.pipeline.predict(frame))
    assert any(name.startswith("ml-orchestrator-mcp==") for name in model.pip_requirements)


def test_the_card_says_what_was_measured(mixed: tuple[TrainedModel, TrainedModel]) -> None:
    model = mixed[0]
    summary = model.summary

    for section in ("What it is", "Data", "How good it is", "Limits", "How it was made"):
        assert f"\n## {section}\n" in model.card
    found = summary.holdout["rmse"]
    row = f"| rmse | {found.estimate:.4g} | {found.low:.4g} to {found.high:.4g} | "
    assert f"{row}{summary.baseline['rmse']:.4g} |" in model.card
    assert (
        f"| Average of several models | yes | {summary.refinements[0].gain:.3g} rmse" in model.card
    )
    assert summary.dataset_digest in model.card
    assert f"Of {summary.n_slices} parts" in model.card


def test_a_rare_class_gets_a_threshold_and_the_estimate_goes_by_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 2))
    chance = 1 / (1 + np.exp(2.6 - 1.2 * x[:, 0] - x[:, 1]))
    frame = pl.DataFrame(x, schema=["a", "b"]).with_columns(
        when=pl.Series(range(900)),
        y=pl.Series(np.where(rng.random(900) < chance, "sick", "well")),
    )

    model = trained(
        tmp_path,
        frame,
        target="y",
        trainers=("forest",),
        n_trials=1,
        metric="balanced_accuracy",
        time_column="when",
    )

    summary = model.summary
    assert isinstance(model.pipeline, BlendedClassifier)
    assert summary.threshold is not None
    assert [note.step for note in summary.refinements if note.is_used][-1] == "threshold"
    held_out = frame.tail(summary.n_rows_test)
    truth = (held_out["y"] == "well").to_numpy().astype(int)
    rows = held_out.select(summary.features).to_pandas()
    given = Predictions(
        truth,
        (model.pipeline.predict(rows) == "well").astype(int),
        model.pipeline.predict_proba(rows),
    )
    found = METRICS["balanced_accuracy"].compute(given)
    assert summary.holdout["balanced_accuracy"].estimate == pytest.approx(found)
    at_half = model.pipeline.predict_proba(rows)[:, 1] >= 0.5
    assert_allclose(given.predicted, given.probabilities[:, 1] >= summary.threshold)
    assert (given.predicted != at_half).any()


def test_answers_about_noise_are_averaged_at_most(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({"x": rng.normal(size=300), "y": rng.choice(["a", "b"], 300)})

    model = trained(tmp_path, frame, target="y", trainers=("linear", "naive_bayes"), n_trials=2)

    average, *others = model.summary.refinements
    assert average.low < 0 < average.high
    assert not any(note.is_used for note in others)
    assert model.summary.threshold is None
    assert not any(part.p_adjusted < 0.05 for part in model.summary.slices)


def test_neighbours_are_no_more_than_the_first_rows_of_a_short_series(tmp_path: Path) -> None:
    """Its first fold has 8 rows to fit on; the family's default asks for 15 neighbours."""
    t = np.arange(60)
    frame = pl.DataFrame({"t": t, "x": np.sin(t), "y": np.sin(t) + t / 60})
    spec = TrainingSpec(
        source="t.csv", time_column="t", horizon=0, trainers=("nearest",), n_trials=8
    )

    found = train(spec, dataset_of(frame), study_dir=tmp_path, report=lambda *_: None)

    assert found.summary.n_failed == 0
    assert found.summary.n_complete + found.summary.n_pruned == 8
