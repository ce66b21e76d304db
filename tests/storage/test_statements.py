"""Statements that are compiled once, and connections that stay open between transactions."""

import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, bindparam, insert, literal, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.kept import MOST_IDLE
from ml_orchestrator.storage.schema import agents
from ml_orchestrator.storage.statements import Statement

ADD = Statement(insert(agents), columns=("name", "first_seen_at"))
RENAME = Statement(
    update(agents).where(agents.c.name == bindparam("old")).values(name=bindparam("new"))
)
EARLY = Statement(
    select(agents.c.name, agents.c.first_seen_at.label("at"))
    .where(agents.c.first_seen_at < bindparam("before"), agents.c.name != literal("c"))
    .order_by(agents.c.name)
    .limit(bindparam("limit"))
)
SEEN = [{"name": name, "first_seen_at": at} for name, at in (("a", "1"), ("b", "2"), ("c", "3"))]


def seen(database: Database) -> list[str]:
    return [row.name for row in database.read(lambda c: Statement(select(agents)).all(c))]


def test_a_statement_gives_rows_with_names_and_says_how_many_it_changed(database: Database) -> None:
    database.write(lambda c: ADD.change_each(c, SEEN))
    values = [{"old": "a", "new": "z"}, {"old": "nobody", "new": "y"}]
    changed = database.write(lambda c: [RENAME.change(c, each) for each in values])

    def look(connection: Connection) -> tuple[object, ...]:
        asked = {"before": "3", "limit": 2}
        told = [(row.name, row.at) for row in EARLY.all(connection, asked)]
        nothing = EARLY.first(connection, {"before": "0", "limit": 1})
        return told, EARLY.scalar(connection, asked), nothing

    assert database.read(look) == ([("b", "2"), ("z", "1")], "b", None)
    assert changed == [1, 0]


def test_a_statement_that_is_refused_is_told_as_sqlalchemy_tells_it(database: Database) -> None:
    def refused(connection: Connection) -> None:
        with pytest.raises(IntegrityError):
            ADD.change_each(connection, [SEEN[0], SEEN[0]])
        raise InterruptedError

    with pytest.raises(InterruptedError):
        database.write(refused)
    with pytest.raises(UnavailableError, match=r"(?s)refused: .*agents.*Nothing was written"):
        database.write(lambda c: ADD.change_each(c, [SEEN[1], SEEN[1]]))
    with pytest.raises((KeyError, StatementError), match="limit"):
        database.read(lambda c: EARLY.all(c, {"before": "9"}))
    assert seen(database) == []


def test_what_stopped_half_way_is_not_there_for_the_next_on_the_same_connection(
    database: Database,
) -> None:
    def stop(connection: Connection) -> None:
        ADD.change(connection, SEEN[0])
        raise InterruptedError

    for _ in range(3):
        with pytest.raises(InterruptedError):
            database.write(stop)
        database.write(lambda c: ADD.change_each(c, SEEN[1:]))
        assert seen(database) == ["b", "c"]
        database.write(lambda c: c.execute(text("delete from agents")))


def test_more_readers_than_are_kept_at_hand_read_at_once_and_see_what_was_written(
    database: Database,
) -> None:
    n = 3 * MOST_IDLE
    together = threading.Barrier(n, timeout=60)
    found: list[list[str]] = []

    def read() -> None:
        def work(connection: Connection) -> list[str]:
            together.wait()
            return [row.name for row in Statement(select(agents)).all(connection)]

        found.append(database.read(work))

    for written in ([], ["a"]):
        threads = [threading.Thread(target=read) for _ in range(n)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [written] * n
        found.clear()
        database.write(lambda c: ADD.change(c, SEEN[0]) if not seen(database) else 0)


def test_a_database_that_was_closed_holds_no_file(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    database.write(lambda c: ADD.change(c, SEEN[0]))
    assert (tmp_path / "state.db-wal").exists()

    database.close()

    assert not (tmp_path / "state.db-wal").exists()  # the last connection took it away


def test_a_database_closed_during_a_read_holds_no_file_once_that_is_done(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    database.write(lambda c: ADD.change(c, SEEN[0]))
    kept = []

    def read(connection: Connection) -> list[str]:
        database.close()
        kept.append(connection)
        return [row.name for row in Statement(select(agents)).all(connection)]

    found = database.read(read)

    assert found == ["a"]
    assert not (tmp_path / "state.db-wal").exists()
    assert kept[0].closed
