"""Models of a table with a date, whose first row misses a number: served, and rolled out."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from tests.registry.flowers import open_tracker
from tests.training.tables import dataset_of

from ml_orchestrator.lifecycle import _mlflow
from ml_orchestrator.messaging._sql import SqlMailbox
from ml_orchestrator.orchestration.desk import open_registry
from ml_orchestrator.orchestration.rollouts.aliases import RegistryAliases
from ml_orchestrator.orchestration.rollouts.approving import RolloutApprovals
from ml_orchestrator.orchestration.rollouts.desk import RolloutDesk
from ml_orchestrator.orchestration.rollouts.opening import open_journal, open_outcomes
from ml_orchestrator.orchestration.rollouts.runner import RolloutRunner
from ml_orchestrator.orchestration.rollouts.telling import CONCERNED, MailTeller
from ml_orchestrator.orchestration.rollouts.watching import Watch
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.moves import MoveRequest
from ml_orchestrator.serving.engine import Request
from ml_orchestrator.serving.opening import in_process
from ml_orchestrator.serving.slots import ModelSlots
from ml_orchestrator.settings import Settings
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.training.models import TrainingSpec
from ml_orchestrator.training.search import TrainedModel, train
from ml_orchestrator.training.trusted_types import EXTRA_TRUSTED_TYPES

MODEL, ME = "shop", "ml-orchestrator"
EXAMPLE = "serving_input_example.json"
AT_ONCE = {"strategy": "all_at_once", "bake_s": 0, "gates": []}
N = 60


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    x = np.random.default_rng(0).normal(size=N)
    hours = np.arange(N).astype("timedelta64[h]")
    missing = [None, *x[1:].tolist()]
    table = pl.DataFrame(
        {
            "n": pl.Series(missing, dtype=pl.Float64),
            "when": pl.Series(np.datetime64("2024-01-01", "us") + hours),
            "member": pl.Series([None, *(x[1:] > 0).tolist()], dtype=pl.Boolean),
            "y": x,
        }
    )
    spec = TrainingSpec(
        source="t.csv", target="y", trainers=("linear",), n_trials=1, n_folds=2, metric="rmse"
    )
    folder = tmp_path_factory.mktemp("study")
    return train(spec, dataset_of(table), study_dir=folder / "s", report=lambda *_: None)


def register(home: Path, desk: RegistryDesk, model: TrainedModel, run_id: str) -> Path:
    logged = open_tracker(home).log_trained_model(
        orchestrator_run_id=run_id, experiment=MODEL, model_name=MODEL, params={}, metrics={},
        tags={}, artifacts={}, model=model.pipeline, input_example=model.input_example,
        predictions=model.pipeline.predict(model.input_example), pip_requirements=[],
        trusted_types=EXTRA_TRUSTED_TYPES, may_miss=list(model.input_example.columns),
    )  # fmt: skip
    desk.vault.register(MODEL, source_uri=logged.source_uri, run_id=logged.run_id, tags={})
    assert logged.directory is not None
    return logged.directory / EXAMPLE


def as_mlflow_wrote_it(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.head(5).set_axis(frame.columns.astype(object), axis="columns")


def test_versions_logged_before_and_now_are_served_and_rolled_out(
    home: Path, trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.read({}, home=home, project_dir=home)
    database = open_database(settings.state_url, home)
    desk = open_registry(settings, database)
    with monkeypatch.context() as before:
        before.setattr(_mlflow, "example_rows", as_mlflow_wrote_it)
        old = register(home, desk, trained, "run-1").read_text()
    new = register(home, desk, trained, "run-2").read_text()
    assert "NaN" in old
    assert json.loads(old, parse_constant=lambda _: None) == json.loads(new, parse_constant=_odd)
    desk.mover.move(
        MoveRequest(model=MODEL, alias="stable", version=1, expected_version=None, actor=ME,
                    reason="the first")
    )  # fmt: skip
    slots = ModelSlots(
        MODEL,
        in_process(lambda v: desk.vault.checkout(MODEL, v), extra_trusted=EXTRA_TRUSTED_TYPES),
    )

    slots.start(1)
    first = slots.answer(Request("application/json", slots.example()))
    ended = roll_out(database, desk, slots)

    assert first.status == 200
    assert list(first.predictions) == pytest.approx(trained.pipeline.predict(trained.input_example))
    assert json.loads(slots.example()) == json.loads(new)
    assert (ended, slots.state().blue) == ("promoted", 2)
    row = {"n": 1.0, "when": "2024-01-02", "member": True}
    said = [ask(slots, **row), ask(slots, **row | {"when": None}), ask(slots, **row | {"when": ""})]
    assert [status for status, _ in said] == [200, 200, 400]
    assert "Column 'when': '' is not a date; send ISO 8601" in said[2][1]["message"]
    slots.close()
    database.close()


def _odd(name: str) -> None:
    pytest.fail(f"{name} is not JSON")


def ask(slots: ModelSlots, **row: Any) -> tuple[int, Any]:
    body = json.dumps({"dataframe_records": [row]}).encode()
    outcome = slots.answer(Request("application/json", body))
    return outcome.status, json.loads(outcome.body)


def roll_out(database: Database, desk: RegistryDesk, slots: ModelSlots) -> str:
    rollouts = RolloutDesk(database, lambda: desk)
    plan = rollouts.plan(MODEL, 2, alias="stable", expected_version=1, spec=AT_ONCE, actor=ME)
    rollout_id = rollouts.start(plan, actor=ME, reason="newer", key=None)
    runner = RolloutRunner(
        open_journal(database),
        Watch(open_outcomes(database), now=time.time),
        open_serving=lambda _: slots,
        aliases=RegistryAliases(desk),
        teller=MailTeller(SqlMailbox(database, shipped=CONCERNED)),
        approvals=RolloutApprovals(desk),
        now=time.time,
        wait=time.sleep,
    )
    return runner.run(rollout_id).state
