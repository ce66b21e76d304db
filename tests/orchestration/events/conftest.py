"""A state database of each kind, with what speaks to the log of events."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.orchestration.events.kettles import World

from ml_orchestrator.storage.engine import open_database


@pytest.fixture
def world(state_url: str, tmp_path: Path) -> Iterator[World]:
    """A log of events on SQLite and on Postgres; what it opened is closed at the end."""
    opened = World(open_database(state_url, tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def sqlite_world(tmp_path: Path) -> Iterator[World]:
    """The same on SQLite alone."""
    opened = World(open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def another(state_url: str, tmp_path: Path) -> Iterator[Callable[[], World]]:
    """Opens the same log as ``world`` once more, as another process would."""
    worlds: list[World] = []

    def open_again() -> World:
        worlds.append(World(open_database(state_url, tmp_path)))
        return worlds[-1]

    yield open_again
    for each in worlds:
        each.close()
