"""One store per kind of database for all tests of a module; each test has agents of its own."""

from collections.abc import Iterator
from itertools import count

import pytest
from tests.conftest import new_postgres_url

from ml_orchestrator.memory._sql import SqlMemoryStore
from ml_orchestrator.storage.engine import open_database

_NUMBERS = count(1)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def shared_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqlMemoryStore]:
    home = tmp_path_factory.mktemp("memory")
    if request.param == "sqlite":
        url = f"sqlite:///{home / 'state.db'}"
    else:
        url = new_postgres_url(request.getfixturevalue("postgres_server"))
    database = open_database(url, home)
    yield SqlMemoryStore(database, max_records=30)
    database.close()


@pytest.fixture
def agent() -> str:
    return f"agent-{next(_NUMBERS)}"
