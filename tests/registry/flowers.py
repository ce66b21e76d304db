"""Small real models on the iris flowers, logged and registered."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ml_orchestrator.lifecycle._mlflow import MlflowTracker
from ml_orchestrator.lifecycle.models import LoggedModel
from ml_orchestrator.registry.desk import RegistryDesk, open_desk
from ml_orchestrator.registry.moves import MoveRequest
from ml_orchestrator.storage.engine import open_database


def iris() -> tuple[pd.DataFrame, "pd.Series[Any]"]:
    frame, target = load_iris(return_X_y=True, as_frame=True)
    return frame, target.map({0: "setosa", 1: "versicolor", 2: "virginica"})


def train(*, c: float = 1.0) -> Any:
    frame, target = iris()
    return make_pipeline(StandardScaler(), LogisticRegression(C=c)).fit(frame, target)


def log_flowers(
    home: Path, run_id: str, *, c: float = 1.0, uri: str | None = None, **given: Any
) -> LoggedModel:
    """Log an iris model; ``given`` replaces arguments of ``log_trained_model``."""
    frame, target = iris()
    estimator = train(c=c)
    content: dict[str, Any] = {
        "orchestrator_run_id": run_id,
        "experiment": "flowers",
        "model_name": "iris",
        "params": {"C": c},
        "metrics": {"accuracy": float((estimator.predict(frame) == target).mean())},
        "tags": {"purpose": "test"},
        "artifacts": {"plots/roc.png": b"\x89PNG", "summary.json": b"{}"},
        "model": estimator,
        "input_example": frame,
        "predictions": estimator.predict(frame),
        "pip_requirements": [f"{name}=={version(name)}" for name in ("scikit-learn", "skops")],
        "trusted_types": [],
    }
    return MlflowTracker(uri or mlflow_uri(home), home).log_trained_model(**{**content, **given})


def mlflow_uri(home: Path) -> str:
    return f"sqlite:///{home / 'mlflow.db'}"


def open_tracker(home: Path) -> MlflowTracker:
    return MlflowTracker(mlflow_uri(home), home)


def make_desk(home: Path, *, host: str = "here", uri: str | None = None) -> RegistryDesk:
    """Open the registry with a clock that advances one second at each look."""
    ticks = itertools.count()
    return open_desk(
        tracking_uri=uri or mlflow_uri(home),
        registry_uri=uri or mlflow_uri(home),
        home=home,
        database=open_database(f"sqlite:///{home / 'state.db'}", home),
        host=host,
        new_id=lambda: uuid.uuid4().hex,
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(ticks)),
    )


def register_flowers(
    home: Path, desk: RegistryDesk, *, n: int = 1, model: str = "iris", uri: str | None = None
) -> None:
    """Register versions 1 to ``n`` of ``model``, each from a run of its own."""
    for index in range(n):
        logged = log_flowers(home, f"{model}-{index}", c=1.0 + index, uri=uri)
        desk.vault.register(model, source_uri=logged.source_uri, run_id=logged.run_id, tags={})


def ask(
    version: Any, expected_version: int | None, *, alias: str = "stable", **given: Any
) -> MoveRequest:
    """Ask for a move of an alias of the iris model."""
    content: dict[str, Any] = {"actor": "ml-orchestrator", "reason": "a test", **given}
    return MoveRequest(
        model="iris", alias=alias, version=version, expected_version=expected_version, **content
    )
