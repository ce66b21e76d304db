"""Numbered migrations of the state database, applied in order and once each.

Beside its number each one notes the oldest reader: the ``LATEST`` that a release must know to
open the database from then on. So a session goes on when a newer release migrates under it. A
process looks when it opens the database, not at each write: one that has it open is not cut off.
"""

from collections.abc import Callable

from sqlalchemy import Connection, Engine, Table, insert, inspect, select
from sqlalchemy.schema import CreateTable

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.storage import schema
from ml_orchestrator.storage.histories import keep_audit_log, keep_histories
from ml_orchestrator.storage.memory_rows import (
    complete_keys,
    complete_rows,
    create_search_index,
)
from ml_orchestrator.storage.message_rows import complete_readers, keep_unread_counts
from ml_orchestrator.storage.schema import metadata, schema_version

__all__ = ["LATEST", "add_missing_columns", "migrate", "version_of"]

Migration = Callable[[Connection], None]


def _first(connection: Connection) -> None:
    """Create memory, messages, the alias journal and run progress."""
    tables = [
        schema.agents,
        schema.memory_records,
        schema.collaborations,
        schema.shared_context,
        schema.messages,
        schema.message_recipients,
        schema.idempotency,
        schema.alias_moves,
        schema.run_progress,
    ]
    metadata.create_all(connection, tables=tables)


def _roll_outs(connection: Connection) -> None:
    """Create roll-outs, their events and what came of predictions."""
    tables = [schema.deployments, schema.deployment_events, schema.deployment_outcomes]
    metadata.create_all(connection, tables=tables)


def _messaging(connection: Connection) -> None:
    """Give every reader of a message a row that can be counted; delegations, leases, letters."""
    readers = schema.message_recipients
    tables = [schema.delegations, schema.dead_letters, schema.resource_leases]
    metadata.create_all(connection, tables=tables)
    for table in (schema.messages, readers):
        add_missing_columns(connection, table)
    connection.exec_driver_sql("DROP INDEX IF EXISTS ix_recipient_agent")
    for index in (*schema.messages.indexes, *readers.indexes):
        index.create(connection, checkfirst=True)
    complete_readers(connection)


def _experience(connection: Connection) -> None:
    """Create what searches found."""
    metadata.create_all(connection, tables=[schema.search_experience])


def _origins_of_merged(connection: Connection) -> None:
    """Let what is known of a merged record hold the tool and the source it came from."""
    add_missing_columns(connection, schema.memory_past)


def _unread_counts(connection: Connection) -> None:
    """Let the database keep how many messages are unread."""
    metadata.create_all(connection, tables=[schema.unread_counts])
    for index in schema.message_recipients.indexes:
        index.create(connection, checkfirst=True)
    keep_unread_counts(connection)


def _vectors(connection: Connection) -> None:
    """Give memory a place for what records mean; rows go with their record."""
    metadata.create_all(connection, tables=[schema.memory_vectors])


def _learning(connection: Connection) -> None:
    """Create the log of what was chosen and how it was judged."""
    tables = [schema.learning_decisions, schema.learning_feedback]
    metadata.create_all(connection, tables=tables)


def _second(connection: Connection) -> None:
    """Give memory its search, provenance, retention and counters; index what is stored."""
    records = schema.memory_records
    metadata.create_all(connection, tables=[schema.memory_counts, schema.memory_past])
    add_missing_columns(connection, records)
    connection.exec_driver_sql("DROP INDEX IF EXISTS ix_memory_agent_kind")
    for index in records.indexes:
        index.create(connection, checkfirst=True)
    create_search_index(connection)
    complete_rows(connection)


def _approvals(connection: Connection) -> None:
    """Create approvals; alias moves learn who approved them and which event they are."""
    metadata.create_all(connection, tables=[schema.approvals])
    add_missing_columns(connection, schema.alias_moves)


def _schedules(connection: Connection) -> None:
    """Create what is due at its time."""
    metadata.create_all(connection, tables=[schema.schedules])


def _events(connection: Connection) -> None:
    """Create the log of events, and how far each subscriber is with it."""
    tables = [
        schema.event_log,
        schema.event_consumers,
        schema.event_cursors,
        schema.event_deliveries,
    ]
    metadata.create_all(connection, tables=tables)


def _monitors(connection: Connection) -> None:
    """Create monitors, what they saw, and their alerts."""
    tables = [schema.monitors, schema.monitor_looks, schema.alerts]
    metadata.create_all(connection, tables=tables)


def _shared_workers(connection: Connection) -> None:
    """Create the leases of workers that share the database, and what they tell one another."""
    tables = [schema.worker_leases, schema.step_holds, schema.run_homes]
    metadata.create_all(connection, tables=tables)


def _homes_of_schedules(connection: Connection) -> None:
    """Let schedules note which data directory they belong to."""
    add_missing_columns(connection, schema.schedules)


def _pools_of_workers(connection: Connection) -> None:
    """Let leases note whose runs a worker takes, and of which plans."""
    add_missing_columns(connection, schema.worker_leases)


def _notes_of_workers(connection: Connection) -> None:
    """Create what workers note of themselves, and that one was asked to leave."""
    metadata.create_all(connection, tables=[schema.worker_notes])


def _contents_of_schedules(connection: Connection) -> None:
    """Let schedules hold what they start, for other data directories to see what it needs."""
    add_missing_columns(connection, schema.schedules)


def _studies(connection: Connection) -> None:
    """Create what searches keep of their trials; runs note whether their files may be left."""
    metadata.create_all(connection, tables=[schema.study_lines, schema.study_files])
    add_missing_columns(connection, schema.run_homes)


def _near_keys_without_tasks(connection: Connection) -> None:
    """Let the index of what says the same leave tasks out; those of before stay in it."""
    connection.exec_driver_sql("DROP INDEX IF EXISTS ix_memory_near")
    for index in schema.memory_records.indexes:
        index.create(connection, checkfirst=True)


def _origin_of_the_context(connection: Connection) -> None:
    """Let the shared context hold in which session and by which tool it was written."""
    add_missing_columns(connection, schema.shared_context)


def _ends_of_messages(connection: Connection) -> None:
    """Let messages say when to look whether they can go; those of before are looked at first."""
    add_missing_columns(connection, schema.messages)
    for index in schema.messages.indexes:
        index.create(connection, checkfirst=True)


def _audit_log(connection: Connection) -> None:
    """Create the audit log, which begins here: what happened before stands in its own tables."""
    metadata.create_all(connection, tables=[schema.audit_log])
    keep_audit_log(connection)


def _leaders_of_searches(connection: Connection) -> None:
    """Let what a search found hold the best of each family, not of all alone."""
    add_missing_columns(connection, schema.search_experience)


def _keys_with_signs(connection: Connection) -> None:
    """Let what differs by a sign say something else: ``a != b`` and ``a == b`` had one key."""
    complete_keys(connection)


MIGRATIONS: dict[int, Migration] = {
    1: _first,
    2: _second,
    3: _messaging,
    4: _approvals,
    6: _roll_outs,
    7: _experience,
    8: _origins_of_merged,
    9: _unread_counts,
    10: _vectors,
    11: _learning,
    12: keep_histories,
    13: _schedules,
    14: _events,
    15: _monitors,
    16: _shared_workers,
    17: _homes_of_schedules,
    18: _pools_of_workers,
    19: _notes_of_workers,
    20: _contents_of_schedules,
    21: _studies,
    22: _near_keys_without_tasks,
    23: _origin_of_the_context,
    24: _ends_of_messages,
    25: _audit_log,
    26: _leaders_of_searches,
    27: _keys_with_signs,
}
LATEST = max(MIGRATIONS)
# Those that a release need not know to read and write rightly: what they add is new tables,
# indexes, and columns that are nullable or have a server default, and no rule hangs on them.
# What 9 counts is kept by triggers, so by the writes of older releases, too. What 12 refuses no
# release does.
ADDITIVE: frozenset[int] = frozenset(range(7, 28))


def migrate(engine: Engine) -> int:
    """Bring the database to ``LATEST`` and return the version it had before.

    The caller holds the creation lock of this host, and each migration the write lock, so two
    openers do not migrate at once. Each migration commits together with its number: a killed
    process leaves a whole version.

    A database that is ahead is left as it is.

    Raises:
        UnavailableError: the database is ahead and needs a newer release.
    """
    with engine.begin() as connection:
        found, oldest_reader = version_of(connection)
    if oldest_reader > LATEST:
        raise UnavailableError(
            f"The state database has schema {found}, which needs a release that knows schema "
            f"{oldest_reader}; this one knows up to {LATEST}. "
            "Upgrade ml-orchestrator, or point ML_ORCHESTRATOR_HOME at another directory."
        )
    for number in sorted(number for number in MIGRATIONS if number > found):
        with engine.begin() as connection:
            _apply(connection, number)
    return found


def _apply(connection: Connection, number: int) -> None:
    metadata.create_all(connection, tables=[schema_version])
    add_missing_columns(connection, schema_version)
    before, oldest_reader = version_of(connection)
    if before >= number:  # another host got there first
        return
    MIGRATIONS[number](connection)
    row = {"version": number, "oldest_reader": oldest_reader if number in ADDITIVE else number}
    connection.execute(insert(schema_version).values(row))


def add_missing_columns(connection: Connection, table: Table) -> None:
    """Give ``table`` the columns of the schema that it does not have yet, each nullable or
    with a server default; a table that was just created has them all."""
    known = {column["name"] for column in inspect(connection).get_columns(table.name)}
    ddl = connection.dialect.ddl_compiler(connection.dialect, CreateTable(table))
    for column in table.columns:
        if column.name not in known:
            spelled = ddl.get_column_specification(column)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {spelled}")


def version_of(connection: Connection) -> tuple[int, int]:
    """Return the database's version and its oldest reader."""
    if not inspect(connection).has_table(schema_version.name):
        return 0, 0
    columns = {column["name"] for column in inspect(connection).get_columns(schema_version.name)}
    if "oldest_reader" not in columns:
        versions = connection.execute(select(schema_version.c.version)).scalars()
        return (version := max(versions, default=0)), version
    row = connection.execute(
        select(schema_version).order_by(schema_version.c.version.desc())
    ).first()
    return (row.version, row.oldest_reader or row.version) if row else (0, 0)
