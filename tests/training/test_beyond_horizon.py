"""What a model of time series was not made for is told: rows too far ahead, groups nobody uses."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.training.tables import dataset_of

from ml_orchestrator.serving.engine import Request
from ml_orchestrator.serving.loader import LoadedModel
from ml_orchestrator.serving.predict import predict
from ml_orchestrator.serving.signature import Column
from ml_orchestrator.serving.threaded import Answering
from ml_orchestrator.training.holdout import fit
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.past import PastValues
from ml_orchestrator.training.preprocessing import FeatureOptions, build_pipeline
from ml_orchestrator.training.table import prepare_table
from ml_orchestrator.training.trainers import TRAINERS

FRAME = pl.DataFrame({"day": range(60), "y": np.sin(np.arange(60.0))})
COLUMNS = (Column("day", "double", False), Column("y", "double", False))


def model(past: str = "values") -> LoadedModel:
    table = prepare_table(TrainingSpec(source="t.csv", time_column="day"), dataset_of(FRAME))
    entry = TRAINERS["linear"]
    estimator = entry.build(table.problem, entry.first_params, seed=0, n_jobs=None)
    pipeline = build_pipeline(table.kinds, entry.needs, estimator, FeatureOptions(past=past))  # type: ignore[arg-type]
    return LoadedModel(fit(pipeline, table, np.arange(60)), COLUMNS)


@pytest.mark.parametrize(
    ("horizon", "rows", "n_far", "n_asked"),
    [
        (1, [(60, None)], 0, 1),
        (1, [(61, None)], 1, 1),
        (3, [(62, None), (63, None), (64, None)], 2, 3),
        (1, [(60, None), (61, None), (62, None)], 2, 3),
        (1, [(60, 1.0), (61, 2.0), (62, None)], 0, 1),
        (1, [(70, 1.0), (71, None)], 0, 1),  # the row that tells its target is not asked for
        (1, [(55, None), (-5, None), (None, None)], 2, 3),
    ],
)
def test_rows_further_ahead_than_the_horizon_are_counted(
    horizon: int, rows: list[tuple[float | None, float | None]], n_far: int, n_asked: int
) -> None:
    past = PastValues(time="day", target="y", horizon=horizon).fit(FRAME.to_pandas())

    said = past.notices(pd.DataFrame(rows, columns=["day", "y"], dtype=float))

    assert [text.split(" rows")[0] for text in said] == [f"{n_far} of {n_asked}"][: bool(n_far)]


def test_of_several_series_each_has_its_own_end() -> None:
    frame = pd.DataFrame({"shop": ["a"] * 20 + ["b"] * 15, "day": [*range(20), *range(15)]})
    past = PastValues(time="day", target="y", series="shop").fit(frame.assign(y=1.0))

    asked = pd.DataFrame({"shop": ["a", "b", "b", "new"], "day": [20, 20, 15, 20], "y": [None] * 4})
    (said,) = past.notices(asked)

    assert said.startswith("2 of 4 rows to predict lie further ahead than the horizon, 1 step")


def test_both_doors_of_serving_tell_it_and_say_nothing_of_the_next_step() -> None:
    loaded = model()
    answering = Answering(loaded)

    def body(day: int) -> dict[str, object]:
        content = {"dataframe_split": {"columns": ["day", "y"], "data": [[day, None]]}}
        request = Request("application/json", json.dumps(content).encode())
        (outcome,) = answering.answer([request])
        return dict(json.loads(outcome.body))

    near, far = (predict(loaded, [{"day": day, "y": None}]) for day in (60, 65))

    assert near.notices == ()
    assert len(far.notices) == 1
    assert body(60) == {"predictions": list(near.predictions)}
    assert body(65) == {"predictions": list(far.predictions), "notices": list(far.notices)}


def test_a_model_that_does_not_look_back_has_nothing_to_say() -> None:
    assert predict(model("none"), [{"day": 90, "y": None}]).notices == ()


@pytest.mark.parametrize("horizon", [0, 1])
def test_a_group_column_that_nothing_uses_is_told(horizon: int) -> None:
    """With horizon 0, or where the past cannot be used: here two rows of a shop have one time."""
    days = np.repeat(np.arange(40), 4)
    frame = pl.DataFrame(
        {"shop": ["a", "b", "a", "b"] * 40, "day": days, "x": days % 7, "y": np.cos(days)}
    )
    given = {"source": "t.csv", "time_column": "day", "horizon": horizon}

    told = prepare_table(TrainingSpec(**given, group_column="shop"), dataset_of(frame))
    alone = prepare_table(TrainingSpec(source="t.csv", group_column="shop"), dataset_of(frame[::4]))
    kept = prepare_table(TrainingSpec(**given), dataset_of(frame))

    (said,) = [text for text in told.warnings if "group_column 'shop'" in text]
    assert "the column is not used at all" in said
    assert said.startswith("With horizon 0") == (horizon == 0)
    assert "shop" not in told.kinds.names
    assert "shop" in kept.kinds.names
    assert [text for text in alone.warnings if "group_column" in text] == []
