"""Fitted pipelines of our own catalogue, for the tests of compression."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from tests.training.tables import dataset_of, mixed_table

from ml_orchestrator.training.holdout import fit, predict
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.scoring import pipeline_of
from ml_orchestrator.training.splits import Split, plan_split
from ml_orchestrator.training.table import TrainingTable, prepare_table
from ml_orchestrator.training.trainers import TRAINERS


@dataclass(frozen=True)
class World:
    """A table, its split and models fitted on the training rows."""

    spec: TrainingSpec
    table: TrainingTable
    split: Split

    def fitted(self, trainer: str, **params: Any) -> Any:
        given = {"trainer": trainer, **TRAINERS[trainer].first_params, **params}
        return fit(pipeline_of(self.spec, self.table, given), self.table, self.split.train)

    def unfitted(self, trainer: str, **params: Any) -> Any:
        given = {"trainer": trainer, **TRAINERS[trainer].first_params, **params}
        return pipeline_of(self.spec, self.table, given)

    @property
    def unseen(self) -> pd.DataFrame:
        return self.table.features.iloc[self.split.test]

    def score(self, model: Any) -> float:
        rows = self.split.test
        return self.table.metric.compute(predict(model, self.unseen, self.table, rows))


def world(frame: pl.DataFrame, **spec: Any) -> World:
    asked = TrainingSpec.model_validate({"source": "t.csv", "target": "y", "n_folds": 3, **spec})
    table = prepare_table(asked, dataset_of(frame))
    return World(asked, table, plan_split(asked, table))


def mixed_world(kind: str) -> World:
    """Return every kind of column with holes.

    ``kind``: two or three classes, number, or undated: a number, no dates.
    """
    frame = mixed_table(300, seed=3)
    rng = np.random.default_rng(4)
    many = pl.Series("m", [f"place {i}" for i in rng.integers(0, 60, frame.height)])
    frame = frame.with_columns(many)
    if kind == "three":
        third = pl.Series(rng.random(frame.height) < 0.3)
        frame = frame.with_columns(
            pl.when(third).then(pl.lit("maybe")).otherwise(pl.col("y")).alias("y")
        )
    if kind in ("number", "undated"):
        value = (pl.col("y") == "yes").cast(pl.Float64) * 40 + pl.col("i") + 1000
        frame = frame.with_columns(value.alias("y"))
    return world(frame.drop("t") if kind == "undated" else frame)


def planted_world(n_rows: int = 900) -> World:
    """Two classes by a rule of two columns, under noise, beside columns that mean nothing."""
    rng = np.random.default_rng(11)
    columns = rng.normal(size=(n_rows, 6))
    signal = columns[:, 0] + columns[:, 1] + 0.8 * columns[:, 0] * columns[:, 1]
    label = np.where(signal + rng.normal(0, 0.7, n_rows) > 0, "yes", "no")
    frame = pl.DataFrame({f"x{i}": columns[:, i] for i in range(6)} | {"y": label})
    return world(frame, metric="log_loss")
