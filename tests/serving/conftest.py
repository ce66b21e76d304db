"""A data directory with a registered model, made once."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.registry.flowers import ask, make_desk, register_flowers


@pytest.fixture(scope="session")
def flowers_home(mlflow_template: Path) -> Iterator[Path]:
    """A home with 'iris', versions 1 to 3; champion is version 1. Who moves it moves it back."""
    folder = Path(tempfile.mkdtemp(prefix="ml-serving-"))
    home = folder / "home"
    home.mkdir(mode=0o700)
    shutil.copyfile(mlflow_template, home / "mlflow.db")
    desk = make_desk(home)
    register_flowers(home, desk, n=3)
    desk.mover.move(ask(1, None, alias="champion"))
    yield home
    shutil.rmtree(folder)
