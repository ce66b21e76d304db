"""Moves by other MLflow clients, as MLflow's own database tells them: SQLite and Postgres."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError
from tests.conftest import new_postgres_url
from tests.registry.flowers import ask, make_desk, mlflow_uri

from ml_orchestrator.errors import ConflictError
from ml_orchestrator.registry.alias_table import AliasTable, alias_table
from ml_orchestrator.registry.desk import RegistryDesk
from ml_orchestrator.registry.journal import UNKNOWN_ACTOR


@pytest.fixture(scope="session")
def postgres_mlflow(postgres_server: str) -> str:
    """An MLflow database on Postgres, made once (it takes seconds)."""
    url = new_postgres_url(postgres_server)
    MlflowClient(url, url).search_registered_models(max_results=1)
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def other(request: pytest.FixtureRequest, tmp_path: Path, mlflow_template: Path) -> MlflowClient:
    """Another client of a fresh MLflow that has versions 1 to 3 of a model of its own."""
    if request.param == "sqlite":
        shutil.copyfile(mlflow_template, tmp_path / "mlflow.db")
        url = f"sqlite:///{tmp_path / 'mlflow.db'}"
    else:
        url = request.getfixturevalue("postgres_mlflow")
    return MlflowClient(url, url)


@pytest.fixture
def model(other: MlflowClient, request: pytest.FixtureRequest) -> str:
    name = f"m{abs(hash(request.node.nodeid))}"
    other.create_registered_model(name)
    for _ in range(3):
        other.create_model_version(name, source="/nowhere")
    return name


@pytest.fixture
def table(other: MlflowClient) -> Iterator[AliasTable]:
    opened = alias_table(other.tracking_uri)
    assert opened is not None
    opened.install()
    yield opened
    opened._engine.dispose()


def events(table: AliasTable, model: str, alias: str = "a") -> list[tuple[object, ...]]:
    found = table.state(model, alias, after=0).events
    assert [event.seq for event in found] == sorted(event.seq for event in found)
    return [(event.from_version, event.to_version, event.move_id) for event in found]


def test_every_change_by_anybody_is_an_event(
    other: MlflowClient, table: AliasTable, model: str
) -> None:
    began = datetime.now(UTC) - timedelta(seconds=1)
    for version in ("1", "1", "2"):
        other.set_registered_model_alias(model, "a", version)
    assert table.move(model, "a", from_version=2, to_version=3, mark="ours")
    other.delete_registered_model_alias(model, "a")
    other.set_registered_model_alias(model, "a", "2")
    other.delete_model_version(model, "2")

    state = table.state(model, "a", after=0)
    assert events(table, model) == [
        (None, 1, None), (1, 2, None), (2, 3, "ours"), (3, None, None), (None, 2, None),
        (2, None, None),
    ]  # fmt: skip
    assert state.version is None
    assert all(began < event.at < datetime.now(UTC) for event in state.events)
    assert table.state(model, "a", after=state.events[3].seq).events == state.events[4:]


def test_a_renamed_model_ends_one_history_and_begins_another(
    other: MlflowClient, table: AliasTable, model: str
) -> None:
    other.set_registered_model_alias(model, "a", "1")
    other.rename_registered_model(model, f"{model}-new")
    assert events(table, model) == [(None, 1, None), (1, None, None)]
    assert events(table, f"{model}-new") == [(None, 1, None)]


@pytest.mark.parametrize(
    ("expected", "to"), [(None, 2), (2, 3), (1, 9), (None, 9), (2, None), (3, 3)]
)
def test_a_move_that_does_not_fit_changes_nothing(
    other: MlflowClient, table: AliasTable, model: str, expected: int | None, to: int | None
) -> None:
    other.set_registered_model_alias(model, "a", "1")
    assert not table.move(model, "a", from_version=expected, to_version=to, mark="x")
    assert not table.move(model, "b", from_version=1, to_version=2, mark="x")
    assert events(table, model) == [(None, 1, None)]
    assert table.state(model, "a", after=0).version == 1


def test_of_many_who_set_an_alias_first_one_wins(table: AliasTable, model: str) -> None:
    won: list[int] = []

    def act(number: int) -> None:
        if table.move(model, "a", from_version=None, to_version=1 + number % 3, mark=str(number)):
            won.append(number)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(won) == 1
    assert events(table, model) == [(None, 1 + won[0] % 3, str(won[0]))]


@pytest.mark.parametrize("statement", ["UPDATE {} SET to_version = 3", "DELETE FROM {}"])
def test_the_log_is_append_only(
    other: MlflowClient, table: AliasTable, model: str, statement: str
) -> None:
    other.set_registered_model_alias(model, "a", "1")
    engine = create_engine(other.tracking_uri)
    with pytest.raises(DatabaseError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement.format("ml_orchestrator_alias_events")))
    engine.dispose()
    assert events(table, model) == [(None, 1, None)]


@pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "mysql://u@h/d"])
def test_a_server_or_an_unknown_database_has_no_table(url: str) -> None:
    assert alias_table(url) is None


def test_a_database_that_is_not_mlflows_has_no_table(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        connection.execute("CREATE TABLE registered_model_aliases (name TEXT, alias TEXT)")
    assert alias_table(f"sqlite:///{tmp_path / 'x.db'}") is None


def steps(desk: RegistryDesk) -> list[tuple[int | None, int | None, str]]:
    moves = desk.mover.history("iris", "stable", limit=100).moves[::-1]
    return [(move.from_version, move.to_version, move.state) for move in moves]


def foreign(home: Path) -> MlflowClient:
    return MlflowClient(mlflow_uri(home), mlflow_uri(home))


def test_foreign_moves_between_two_looks_are_all_in_the_history_in_order(
    desk: RegistryDesk, home: Path
) -> None:
    desk.mover.move(ask(1, None))
    other = foreign(home)
    began = datetime.now(UTC) - timedelta(seconds=1)
    other.set_registered_model_alias("iris", "stable", "2")
    other.delete_registered_model_alias("iris", "stable")
    other.set_registered_model_alias("iris", "stable", "1")

    report = desk.mover.reconcile()

    assert [move.actor for move in report.observed] == [UNKNOWN_ACTOR] * 3
    times = [move.at for move in report.observed]
    assert times == sorted(times)
    assert began < times[0]
    assert times[-1] < datetime.now(UTC)
    desk.mover.move(ask(2, 1))
    assert steps(desk) == [
        (None, 1, "applied"), (1, 2, "observed"), (2, None, "observed"), (None, 1, "observed"),
        (1, 2, "applied"),
    ]  # fmt: skip
    assert desk.mover.reconcile().observed == ()


def test_an_alias_that_was_set_and_removed_between_two_looks_is_in_the_history(
    desk: RegistryDesk, home: Path
) -> None:
    foreign(home).set_registered_model_alias("iris", "stable", "2")
    foreign(home).delete_registered_model_alias("iris", "stable")
    moves = desk.mover.moves_of("iris", limit=9)
    assert [(move.from_version, move.to_version) for move in moves] == [(2, None), (None, 2)]


def test_a_client_that_writes_between_look_and_move_wins_and_is_recorded(
    desk: RegistryDesk, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.mover.move(ask(1, None))
    move_alias = desk.store.move_alias

    def after_another_client(*args: object, **kwargs: object) -> bool:
        foreign(home).delete_registered_model_alias("iris", "stable")
        return move_alias(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(desk.store, "move_alias", after_another_client)
    with pytest.raises(ConflictError, match="Now it is at: unset"):
        desk.mover.move(ask(2, 1))
    assert steps(desk) == [(None, 1, "applied"), (1, 2, "abandoned"), (1, None, "observed")]


def test_triggers_that_a_migration_dropped_are_made_again_and_the_gap_is_closed(
    desk: RegistryDesk, home: Path
) -> None:
    desk.mover.move(ask(1, None))
    rebuild_as_alembic_does(home / "mlflow.db")
    foreign(home).set_registered_model_alias("iris", "stable", "2")  # while nobody keeps a log

    again = make_desk(home)
    foreign(home).set_registered_model_alias("iris", "stable", "1")
    assert steps(again) == [(None, 1, "applied"), (1, 2, "observed"), (2, 1, "observed")]


def rebuild_as_alembic_does(database: Path) -> None:
    program = (
        "import sys; from alembic.migration import MigrationContext; "
        "from alembic.operations import Operations; from sqlalchemy import create_engine, String\n"
        "with create_engine(sys.argv[1]).begin() as c:\n"
        "    with Operations(MigrationContext.configure(c)).batch_alter_table("
        "'registered_model_aliases', recreate='always') as batch:\n"
        "        batch.alter_column('alias', type_=String(255))\n"
    )
    subprocess.run([sys.executable, "-c", program, f"sqlite:///{database}"], check=True, timeout=60)
    with closing(sqlite3.connect(database)) as connection:
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
        assert connection.execute(query, ("registered_model_aliases",)).fetchone() == (0,)
