"""The audit log is a chain: what somebody changes past us shows, on SQLite and Postgres."""

import threading
from collections.abc import Iterator
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select, text, update

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.storage import audit as audit_module
from ml_orchestrator.storage.audit import (
    FIRST,
    Verified,
    audit,
    audit_entries,
    verify_audit,
)
from ml_orchestrator.storage.engine import Database, open_database
from ml_orchestrator.storage.schema import audit_log as table


@pytest.fixture
def database(state_url: str, tmp_path: Path) -> Iterator[Database]:
    database = open_database(state_url, tmp_path)
    yield database
    database.close()


def fill(database: Database, n: int = 5) -> None:
    for number in range(1, n + 1):
        enter = partial(audit, act="alias.applied", actor="ada", subject="alias:iris@stable")
        database.write(partial(enter, to_version=number))


def verified(database: Database, noted: str | None = None) -> Verified:
    return database.read(lambda c: verify_audit(c, noted=noted))


def past_us(database: Database, statement: object) -> None:
    """Write as somebody does who opens the database with another program."""

    def act(connection: Connection) -> None:
        for trigger in ("audit_log_no_delete", "audit_log_no_change"):
            of_table = "" if connection.dialect.name == "sqlite" else " ON audit_log"
            connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}{of_table}"))
        connection.execute(statement)  # type: ignore[call-overload]

    database.write(act)


def test_entries_follow_one_another_and_say_what_was_done(database: Database) -> None:
    assert verified(database) == Verified(0, FIRST, None, None)
    fill(database)
    entries = database.read(lambda c: audit_entries(c, limit=10))

    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry.previous for entry in entries] == [FIRST, *(e.digest for e in entries[:-1])]
    assert entries[2].details == {"to_version": 3}
    assert verified(database) == Verified(5, entries[-1].digest, None, None)
    assert [e.seq for e in database.read(lambda c: audit_entries(c, limit=2))] == [4, 5]
    assert not database.read(lambda c: audit_entries(c, limit=2, subject="alias:iris@other"))
    assert not database.read(lambda c: audit_entries(c, limit=2, actor="bob"))


def test_an_entry_is_there_if_its_change_is(database: Database) -> None:
    fill(database, 2)

    def fails(connection: Connection) -> None:
        audit(connection, "alias.applied", actor="ada", subject="s")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        database.write(fails)
    fill(database, 1)
    assert verified(database).n_entries == 3
    assert verified(database).fault is None


def test_the_database_refuses_to_change_or_delete_an_entry(database: Database) -> None:
    fill(database)
    for statement in (update(table).values(actor="bob"), delete(table)):
        with pytest.raises(UnavailableError, match="audit_log is a history"):
            database.write(methodcaller("execute", statement))
    assert verified(database).n_entries == 5


def of(seq: int) -> object:
    return table.c.seq == seq


@pytest.mark.parametrize("column", ["at", "actor", "act", "subject", "details"])
def test_a_changed_entry_is_named(database: Database, column: str) -> None:
    fill(database)
    past_us(database, update(table).where(of(3)).values({column: "{}"}))  # type: ignore[arg-type]
    assert verified(database).fault == (
        "Entry 3 was changed: its digest is not that of what it says."
    )


def test_a_missing_entry_and_an_exchanged_one_are_named(database: Database) -> None:
    fill(database)
    first = database.read(lambda c: audit_entries(c, limit=5))[1]
    past_us(database, delete(table).where(of(2)))  # type: ignore[arg-type]
    assert verified(database).fault == "Entry 2 is missing: entry 3 stands in its place."

    values = {
        "seq": 2, "at": first.at, "actor": "bob", "act": first.act, "subject": first.subject,
        "details": "{}", "previous": first.previous,
    }  # fmt: skip
    forged = {**values, "digest": audit_module._digest(values)}
    past_us(database, insert(table).values(**forged))
    assert verified(database).fault == (
        "Entry 3 does not follow the entry before it: one of them was exchanged."
    )


def test_what_was_noted_elsewhere_shows_a_log_that_was_cut_or_written_anew(
    database: Database,
) -> None:
    fill(database)
    noted = verified(database).head
    fill(database, 2)
    assert verified(database, noted.upper()) == Verified(7, verified(database).head, None, 5)

    past_us(database, delete(table).where(table.c.seq > 4))
    assert verified(database).fault is None  # nothing in it shows that
    assert f"No entry has the digest {noted}" in str(verified(database, noted).fault)


def test_entries_of_more_than_one_step_and_of_many_threads_are_one_chain(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "STEP", 7)
    threads = [threading.Thread(target=fill, args=(database, 7)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert verified(database).fault is None
    seqs = database.read(lambda c: c.execute(select(table.c.seq)).scalars().all())
    assert sorted(seqs) == list(range(1, 29))
