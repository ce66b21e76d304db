"""The state database under bad conditions."""

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    insert,
    select,
    text,
)

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.storage import engine as engine_module
from ml_orchestrator.storage import migrations
from ml_orchestrator.storage.engine import open_database, open_empty
from ml_orchestrator.storage.migrations import LATEST, add_missing_columns
from ml_orchestrator.storage.schema import agents

LIMIT_S = 60.0


def url(home: Path) -> str:
    return f"sqlite:///{home / 'state.db'}"


def test_opening_twice_keeps_what_is_there(tmp_path: Path) -> None:
    first = open_database(url(tmp_path), tmp_path)
    first.write(lambda c: c.execute(text("insert into agents values ('a', 'now')")))
    first.close()

    second = open_database(url(tmp_path), tmp_path)

    assert second.read(lambda c: c.scalar(text("select name from agents"))) == "a"
    assert second.describe() == f"sqlite, schema {LATEST}"
    second.close()


def add_ranks(connection: Connection) -> None:
    connection.execute(text("create table ranks (name varchar(64) primary key)"))
    connection.execute(text("alter table agents add column score integer not null default 7"))


def open_as_the_next_release(
    state_url: str, home: Path, monkeypatch: pytest.MonkeyPatch, *, additive: frozenset[int]
) -> None:
    """Migrate as a release would that has one migration more."""
    with monkeypatch.context() as next_release:
        next_release.setitem(migrations.MIGRATIONS, LATEST + 1, add_ranks)
        next_release.setattr(migrations, "LATEST", LATEST + 1)
        next_release.setattr(migrations, "ADDITIVE", additive)
        open_database(state_url, home).close()


def test_a_release_goes_on_with_a_database_that_is_one_additive_migration_ahead(
    state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = open_database(state_url, tmp_path)
    open_as_the_next_release(
        state_url, tmp_path, monkeypatch, additive=migrations.ADDITIVE | {LATEST + 1}
    )
    running.write(lambda c: c.execute(insert(agents).values(name="running", first_seen_at="t")))
    started = open_database(state_url, tmp_path)
    started.write(lambda c: c.execute(insert(agents).values(name="started", first_seen_at="t")))

    for database in (running, started):
        names = database.read(lambda c: c.scalars(select(agents.c.name)).all())
        assert sorted(names) == ["running", "started"]
        assert database.describe().endswith(f"schema {LATEST + 1}")
        database.close()


def test_a_database_that_is_a_breaking_migration_ahead_is_refused_with_what_to_do(
    state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_database(state_url, tmp_path).close()
    open_as_the_next_release(state_url, tmp_path, monkeypatch, additive=migrations.ADDITIVE)

    said = rf"has schema {LATEST + 1}.*knows up to {LATEST}\. Upgrade ml-orchestrator"
    with pytest.raises(UnavailableError, match=said):
        open_database(state_url, tmp_path)


def test_a_running_process_goes_on_under_a_breaking_migration_and_is_refused_at_its_next_start(
    state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = open_database(state_url, tmp_path)
    open_as_the_next_release(state_url, tmp_path, monkeypatch, additive=migrations.ADDITIVE)

    running.write(lambda c: c.execute(insert(agents).values(name="running", first_seen_at="t")))

    assert running.read(lambda c: c.scalars(select(agents.c.name)).all()) == ["running"]
    running.close()
    with pytest.raises(UnavailableError, match=f"knows up to {LATEST}"):
        open_database(state_url, tmp_path)


@pytest.mark.parametrize(
    "document", ["CHANGELOG.md", "docs/decisions/0023-migrations-note-their-oldest-reader.md"]
)
def test_what_is_said_of_newer_releases_says_when_older_ones_are_refused(document: str) -> None:
    said = (Path(__file__).parents[2] / document).read_text(encoding="utf-8")

    assert "refused at its next start" in " ".join(said.split())


def test_a_database_from_before_oldest_readers_were_noted_is_migrated_and_refused_alike(
    state_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(state_url, tmp_path)
    database.write(
        lambda c: c.execute(text("alter table schema_version drop column oldest_reader"))
    )
    database.close()
    open_database(state_url, tmp_path).close()
    open_as_the_next_release(state_url, tmp_path, monkeypatch, additive=migrations.ADDITIVE)

    with pytest.raises(UnavailableError, match=f"knows up to {LATEST}"):
        open_database(state_url, tmp_path)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    database = open_database(url(tmp_path), tmp_path)

    def work(connection: object) -> None:
        connection.execute(text("insert into agents values ('half', 'now')"))  # type: ignore[attr-defined]
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        database.write(work)

    assert database.read(lambda c: c.scalar(text("select count(*) from agents"))) == 0
    database.close()


def test_a_locked_database_says_so_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_S", 0.01)
    database = open_database(url(tmp_path), tmp_path)
    holder = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(UnavailableError, match=r"locked.*Nothing was written.*try again"):
        database.write(lambda c: c.execute(text("insert into agents values ('a', 'now')")))

    holder.execute("ROLLBACK")
    holder.close()
    database.close()


def test_an_unusable_directory_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory", encoding="utf-8")

    with pytest.raises(UnavailableError, match="ML_ORCHESTRATOR_HOME"):
        open_database(url(blocked), blocked)


def test_an_empty_database_is_the_same_in_every_thread_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database, other = open_empty(), open_empty()
    database.write(lambda c: c.execute(text("insert into agents values ('a', 'now')")))
    all_read, found = threading.Barrier(8, timeout=LIMIT_S), []

    def look(connection: Connection) -> int:
        all_read.wait()
        return int(connection.scalar(text("select count(*) from agents")) or 0)

    readers = [threading.Thread(target=lambda: found.append(database.read(look))) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(LIMIT_S)

    assert found == [1] * 8
    assert other.read(lambda c: c.scalar(text("select count(*) from agents"))) == 0
    assert list(tmp_path.iterdir()) == []
    database.close()
    other.close()


def test_the_data_directory_is_private_and_ignored_by_git(tmp_path: Path) -> None:
    home = tmp_path / "data"
    open_database(url(home), home).close()

    assert home.stat().st_mode & 0o777 == 0o700
    assert (home / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_writers_take_turns_and_readers_keep_their_snapshot(state_url: str, tmp_path: Path) -> None:
    database = open_database(state_url, tmp_path)
    order: list[str] = []
    is_writing, may_end = threading.Event(), threading.Event()

    def first(connection: Connection) -> None:
        connection.execute(text("insert into agents values ('first', 'now')"))
        is_writing.set()
        assert may_end.wait(LIMIT_S)
        order.append("first")

    def second(connection: Connection) -> None:
        order.append("second")
        assert connection.scalar(text("select count(*) from agents")) == 1

    writers = [threading.Thread(target=database.write, args=[work]) for work in (first, second)]
    writers[0].start()
    assert is_writing.wait(LIMIT_S)
    writers[1].start()

    seen_meanwhile = database.read(lambda c: c.scalar(text("select count(*) from agents")))
    may_end.set()
    for writer in writers:
        writer.join(LIMIT_S)

    assert (seen_meanwhile, order) == (0, ["first", "second"])
    database.close()


def test_a_database_of_an_earlier_release_gets_the_columns_it_lacks(
    state_url: str, tmp_path: Path
) -> None:
    engine = open_database(state_url, tmp_path).engine
    later = Table(
        "agents",
        MetaData(),
        Column("name", String(64), primary_key=True),
        Column("score", Integer, nullable=False, server_default="7"),
    )

    with engine.begin() as connection:
        connection.execute(text("insert into agents (name, first_seen_at) values ('a', 'now')"))
        add_missing_columns(connection, later)
        add_missing_columns(connection, later)
        assert connection.scalar(text("select score from agents")) == 7
    engine.dispose()
