"""A registry with two versions of a model, and programs of several processes."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.registry.flowers import make_desk, register_flowers
from tests.registry.servers import mlflow_server

from ml_orchestrator.registry.desk import RegistryDesk

ROOT = Path(__file__).parents[2]


@pytest.fixture
def desk(home: Path) -> RegistryDesk:
    """A registry with versions 1 and 2 of 'iris'."""
    desk = make_desk(home)
    register_flowers(home, desk, n=2)
    return desk


@pytest.fixture
def run_forked() -> Callable[..., None]:
    """Run ``tests.registry.forked`` and fail unless it exits with 0."""

    def run(*args: str | Path) -> None:
        command = [sys.executable, "-m", "tests.registry.forked", *map(str, args)]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr

    return run


@pytest.fixture(scope="session")
def mlflow_address(
    tmp_path_factory: pytest.TempPathFactory, mlflow_template: Path
) -> Iterator[str]:
    """The address of a real MLflow server."""
    with mlflow_server(tmp_path_factory.mktemp("server"), mlflow_template) as address:
        yield address
