"""Drift reports as runs in MLflow, on request."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from mcp.client import Client
from mlflow import MlflowClient
from tests.registry.flowers import iris, log_flowers, make_desk, register_flowers
from tests.tools.asking import ask

from ml_orchestrator.app import build_server
from ml_orchestrator.health.numbers import numbers_of
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.settings import Settings

ME = "data-pipeline-specialist"


def read_json(path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return content


async def test_a_report_becomes_a_run_with_numbers_files_and_the_model_as_its_input(
    tmp_path: Path, home: Path
) -> None:
    settings = Settings.read({"ML_ORCHESTRATOR_HOME": str(home)}, project_dir=tmp_path)
    register_flowers(settings.home, make_desk(settings.home))
    flowers = pl.from_pandas(iris()[0])
    flowers.write_csv(tmp_path / "then.csv")
    first = flowers.columns[0]
    flowers.with_columns(pl.col(first) + 3).write_csv(tmp_path / "now.csv")
    asked: dict[str, Any] = {"reference": "then.csv", "current": "now.csv", "agent": ME}

    async with Client(build_server(settings)) as client:
        plain = await ask(client, "drift_report", **asked)
        page = await ask(
            client, "drift_report", **asked, chunk="50rows", model="iris/1", to_mlflow=True
        )

    mlflow = MlflowClient(settings.mlflow_tracking_uri)
    experiment = mlflow.get_experiment_by_name("monitoring")
    assert plain["mlflow_run"] is None
    assert experiment is not None
    (run,) = mlflow.search_runs([experiment.experiment_id])
    assert (run.info.run_id, run.info.status) == (page["mlflow_run"], "FINISHED")
    assert run.data.params["reference"] == "then.csv"
    assert (run.data.params["chunk"], run.data.params["alpha"]) == ("50rows", "0.05")
    drifted = {name for name, value in run.data.metrics.items() if name.endswith("is_drifted")}
    assert len(drifted) == 5
    name = f"column.{first.replace('(', '_').replace(')', '_')}"
    assert run.data.metrics[f"{name}.is_drifted"] == 1
    assert run.data.metrics[f"{name}.p_adjusted"] < 1e-9
    chunks = mlflow.get_metric_history(run.info.run_id, "share_drifted_by_chunk")
    assert [(each.step, each.value > 0) for each in chunks] == [(0, True), (1, True), (2, True)]
    files = {file.path for file in mlflow.list_artifacts(run.info.run_id)}
    assert files == {"drift.html", "drift.json", "pictures"}
    local = mlflow.download_artifacts(run.info.run_id, "drift.json", str(tmp_path))
    kept = read_json(local)
    assert kept["drifted_columns"] == [first]
    assert run.data.tags["ml_orchestrator.model_version"] == "iris/1"
    version = mlflow.get_model_version("iris", "1")
    inputs = mlflow.get_run(run.info.run_id).inputs
    assert inputs is not None
    (model,) = inputs.model_inputs
    assert version.run_id is not None
    training = mlflow.get_run(version.run_id)
    assert training.data.tags["ml_orchestrator.model_id"] == model.model_id


async def test_columns_that_a_training_ignored_are_not_compared_for_its_model(
    tmp_path: Path, home: Path
) -> None:
    settings = Settings.read({"ML_ORCHESTRATOR_HOME": str(home)}, project_dir=tmp_path)
    spec = {"spec": {"column_types": {"batch": "ignore", "gone": "ignore", "x": "numeric"}}}
    files = {"summary.json": b"{}", "training.json": json.dumps(spec).encode()}
    logged = log_flowers(settings.home, "iris-0", artifacts=files)
    make_desk(settings.home).vault.register(
        "iris", source_uri=logged.source_uri, run_id=logged.run_id, tags={}
    )
    x = np.random.default_rng(0).normal(size=90)
    pl.DataFrame({"x": x, "batch": [1.0, 2.0, 3.0] * 30}).write_csv(tmp_path / "then.csv")
    pl.DataFrame({"x": x, "batch": [7.0, 8.0, 9.0] * 30}).write_csv(tmp_path / "now.csv")
    asked: dict[str, Any] = {"reference": "then.csv", "current": "now.csv"}

    async with Client(build_server(settings)) as client:
        plain = await ask(client, "drift_check", **asked)
        of_model = await ask(client, "drift_check", **asked, model="iris/1")
        named = await ask(client, "drift_check", **asked, model="iris/1", columns=["batch"])
        read = await ask(
            client, "drift_check", **asked, model="iris/1", column_types={"batch": "categorical"}
        )

    said = "Not compared: 'batch', which the training of iris/1 ignored (column_types). Named in "
    assert plain["drifted_columns"] == ["batch"]
    assert [column["column"] for column in of_model["columns"]] == ["x"]
    assert [notice.startswith(said) for notice in of_model["notices"]] == [True]
    assert named["drifted_columns"] == read["drifted_columns"] == ["batch"]
    assert named["notices"] == read["notices"] == []


async def test_drift_of_the_target_or_of_predictions_matters_to_the_model(
    tmp_path: Path, home: Path
) -> None:
    settings = Settings.read({"ML_ORCHESTRATOR_HOME": str(home)}, project_dir=tmp_path)
    files = {
        "summary.json": json.dumps({"importances": [{"feature": "x", "loss": 0.4}]}).encode(),
        "training.json": json.dumps({"spec": {"target": "left", "column_types": {}}}).encode(),
    }
    logged = log_flowers(settings.home, "iris-0", artifacts=files)
    make_desk(settings.home).vault.register(
        "iris", source_uri=logged.source_uri, run_id=logged.run_id, tags={}
    )
    rng = np.random.default_rng(0)
    x, answers = rng.normal(size=200), ["no", "no", "no", "yes"] * 50
    table = {"x": x, "left": answers, "prediction": answers, "other": answers}
    pl.DataFrame(table).write_csv(tmp_path / "then.csv")

    async def found(client: Client, changed: str) -> dict[str, Any]:
        moved = pl.DataFrame({**table, changed: ["yes", "yes", "yes", "no"] * 50})
        moved.write_csv(tmp_path / "now.csv")
        asked = {"reference": "then.csv", "current": "now.csv", "model": "iris/1"}
        return await ask(client, "drift_check", **asked)

    async with Client(build_server(settings)) as client:
        for changed in ("left", "prediction"):
            report = await found(client, changed)
            assert (report["model"]["matters"], report["model"]["outcomes"]) == (True, [changed])
            assert report["next_steps"][-1].startswith("Measure the model (performance_check)")
        report = await found(client, "other")
        assert (report["model"]["matters"], report["model"]["outcomes"]) == (False, [])
        assert report["next_steps"][-1].startswith("Leave the model as it is")


def test_hostile_names_of_columns_have_names_mlflow_takes_and_stay_apart() -> None:
    rng = np.random.default_rng(0)
    names = ["a/b", "a\\b", "a_b", "ü" * 300, "x"]
    table = {name: rng.normal(size=100) for name in names}
    found = numbers_of(check_drift(table, table)).metrics
    kept = sorted(name for name in found if name.endswith(".statistic"))
    assert len(kept) == len(names)
    assert {"column.a_b.statistic", "column.a_b-2.statistic", "column.a_b-3.statistic"} <= {*kept}
