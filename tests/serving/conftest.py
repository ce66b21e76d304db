"""A data directory with a registered model, made once."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.registry.flowers import ask, make_desk
from tests.serving.load import register_two

from ml_orchestrator.settings import Settings


@pytest.fixture(scope="session")
def settings(mlflow_template: Path) -> Iterator[Settings]:
    """A home with 'iris', versions 1 and 2; champion is version 1. Who moves it moves it back."""
    folder = Path(tempfile.mkdtemp(prefix="ml-serving-"))
    home = folder / "home"
    home.mkdir(mode=0o700)
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    register_two(home)
    make_desk(home).mover.move(ask(1, None, alias="champion"))
    yield Settings.read({}, home=home, project_dir=folder)
    shutil.rmtree(folder)
