import contextlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow.sklearn
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.ensemble import RandomForestClassifier
from tests.registry.flowers import iris, log_flowers, mlflow_uri, open_tracker, train

from ml_orchestrator.errors import InvalidInputError, UnavailableError
from ml_orchestrator.lifecycle.signature import signature_columns

TREE = "sklearn.tree._tree.Tree"


def test_a_run_holds_params_metrics_tags_files_and_the_model(home: Path) -> None:
    logged = log_flowers(home, "run-1", c=2.0, params={f"p{i}": i for i in range(120)})

    client = MlflowClient(mlflow_uri(home))
    run = client.get_run(logged.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {f"p{i}": str(i) for i in range(120)}
    assert run.data.metrics["accuracy"] > 0.9
    assert run.data.tags["purpose"] == "test"
    assert {f.path for f in client.list_artifacts(logged.run_id)} == {"plots", "summary.json"}
    model = client.get_logged_model(logged.model_id)
    assert (str(model.status), model.source_run_id) == ("READY", logged.run_id)
    assert [m.key for m in model.metrics or []] == ["accuracy"]
    assert logged.source_uri == f"models:/{logged.model_id}"
    assert logged.directory is not None
    assert logged.directory.is_relative_to(home / "mlartifacts")
    required = (logged.directory / "requirements.txt").read_text().splitlines()
    assert required[1:] == [  # MLflow puts itself before them
        f"scikit-learn=={version('scikit-learn')}",
        f"skops=={version('skops')}",
        f"# platform: {platform.system()} {platform.machine()}",
    ]


def test_a_retry_returns_the_finished_run(home: Path) -> None:
    first = log_flowers(home, "run-1")
    assert log_flowers(home, "run-1") == first
    assert log_flowers(home, "run-2") != first


def test_a_run_that_a_crash_left_open_is_failed_and_logged_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_model_artifacts", _die)
        with contextlib.suppress(KeyboardInterrupt):
            log_flowers(home, "run-1")

    logged = log_flowers(home, "run-1")

    client = MlflowClient(mlflow_uri(home))
    found = client.search_runs(["1"], "tags.`ml_orchestrator.run_id` = 'run-1'")
    assert sorted(run.info.status for run in found) == ["FAILED", "FINISHED"]
    assert client.get_run(logged.run_id).info.status == "FINISHED"


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_plain_mlflow_loads_the_model_with_the_trust_list(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame, target = iris()
    forest = RandomForestClassifier(5, random_state=0).fit(frame, target)
    logged = log_flowers(
        home, "run-1", model=forest, predictions=forest.predict(frame), trusted_types=[TREE]
    )

    loaded = mlflow.sklearn.load_model(str(logged.directory))

    assert list(loaded.predict(frame)) == list(forest.predict(frame))


def test_a_model_with_untrusted_types_is_not_logged_as_finished(home: Path) -> None:
    frame, target = iris()
    forest = RandomForestClassifier(2, random_state=0).fit(frame, target)
    with pytest.raises(UnavailableError, match="MLflow could not log the run"):
        log_flowers(home, "run-1", model=forest)
    runs = MlflowClient(mlflow_uri(home)).search_runs(["1"])
    assert [run.info.status for run in runs] == ["FAILED"]


@pytest.mark.parametrize(
    "given",
    [
        {"orchestrator_run_id": "a'; drop"},
        {"experiment": "../x"},
        {"model_name": "a:b"},
        {"metrics": {"loss": float("nan")}},
        {"artifacts": {"../x": b""}},
        {"artifacts": {"/x": b""}},
    ],
)
def test_bad_input_leaves_no_run(home: Path, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        open_tracker(home).log_trained_model(**{**_content(), **given})
    client = MlflowClient(mlflow_uri(home))
    assert client.search_runs([e.experiment_id for e in client.search_experiments()]) == []


def _content() -> dict[str, Any]:
    frame, _ = iris()
    return {
        "orchestrator_run_id": "run-1",
        "experiment": "flowers",
        "model_name": "iris",
        "params": {},
        "metrics": {},
        "tags": {},
        "artifacts": {},
        "model": train(),
        "input_example": frame,
        "predictions": train().predict(frame),
        "pip_requirements": [],
        "trusted_types": [],
    }


def test_a_signature_names_types_and_what_may_be_missing() -> None:
    frame = pd.DataFrame(
        {
            "n": [1, 2],
            "x": [1.5, None],
            "flag": [True, False],
            "member": [None, True],
            "text": ["a", None],
            "when": pd.to_datetime(["2026-01-01", "2026-01-02"]),
            "kind": pd.Categorical(["a", "b"]),
        }
    )
    assert signature_columns(frame) == [
        ("n", "long", True),
        ("x", "double", False),
        ("flag", "boolean", True),
        ("member", "boolean", False),
        ("text", "string", False),
        ("when", "datetime", True),
        ("kind", "string", True),
    ]


def test_columns_no_request_can_carry_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="'t' has type timedelta"):
        signature_columns(pd.DataFrame({"t": pd.to_timedelta([1, 2], unit="s")}))
    with pytest.raises(InvalidInputError, match="same name"):
        signature_columns(pd.DataFrame([[1, 2]], columns=["a", "a"]))
