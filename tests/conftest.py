"""Fixtures every test may use."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

# MLflow 3.17 uses what SQLAlchemy 2.1 deprecates, and warns about itself when imported.
_MLFLOW_WARNINGS = (
    "ignore:The ``noload`` loader strategy is deprecated",
    "ignore:.*Any type hint is inferred as AnyType:UserWarning",
)


def pytest_configure(config: pytest.Config) -> None:
    for line in _MLFLOW_WARNINGS:
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(scope="session")
def mlflow_template(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """An MLflow database without runs, made once per test session (it takes seconds)."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    template = shared / "mlflow-template" / "mlflow.db"
    with FileLock(shared / "mlflow-template.lock"):
        if not template.exists():
            from ml_orchestrator.registry._mlflow import MlflowRegistry

            making = shared / "mlflow-making"
            uri = f"sqlite:///{making / 'mlflow.db'}"
            MlflowRegistry(uri, uri, making)
            template.parent.mkdir()
            shutil.copyfile(making / "mlflow.db", template)
    return template


@pytest.fixture
def home(tmp_path: Path, mlflow_template: Path) -> Path:
    """A data directory with an MLflow database in it."""
    directory = tmp_path / "home"
    directory.mkdir(mode=0o700)
    shutil.copyfile(mlflow_template, directory / "mlflow.db")
    return directory
