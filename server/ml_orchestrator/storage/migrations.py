"""Numbered migrations of the state database, applied in order and once each."""

from collections.abc import Callable

from sqlalchemy import Connection, Engine, Table, insert, inspect, select
from sqlalchemy.schema import CreateTable

from ml_orchestrator.errors import UnavailableError
from ml_orchestrator.storage import schema
from ml_orchestrator.storage.memory_rows import complete_rows, create_search_index
from ml_orchestrator.storage.message_rows import complete_readers
from ml_orchestrator.storage.schema import metadata, schema_version

__all__ = ["LATEST", "add_missing_columns", "migrate"]

Migration = Callable[[Connection], None]


def _first(connection: Connection) -> None:
    """Create memory, messages, the alias journal and run progress."""
    tables = [
        schema.schema_version,
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


MIGRATIONS: dict[int, Migration] = {
    1: _first,
    2: _second,
    3: _messaging,
    4: _approvals,
    6: _roll_outs,
    7: _experience,
}
LATEST = max(MIGRATIONS)


def migrate(engine: Engine) -> int:
    """Bring the database to ``LATEST`` and return the version it had before.

    The caller holds the creation lock of this host, and each migration the write lock, so two
    openers do not migrate at once. Each migration commits together with its number: a killed
    process leaves a whole version.

    Raises:
        UnavailableError: the database was written by a newer release.
    """
    with engine.begin() as connection:
        found = _version(connection)
    if found > LATEST:
        raise UnavailableError(
            f"The state database has schema {found}, this release knows up to {LATEST}. "
            "Upgrade ml-orchestrator, or point ML_ORCHESTRATOR_HOME at another directory."
        )
    for number in sorted(number for number in MIGRATIONS if number > found):
        with engine.begin() as connection:
            if _version(connection) >= number:  # another host got there first
                continue
            MIGRATIONS[number](connection)
            connection.execute(insert(schema_version).values(version=number))
    return found


def add_missing_columns(connection: Connection, table: Table) -> None:
    """Give ``table`` the columns of the schema that it does not have yet, each nullable or
    with a server default; a table that was just created has them all."""
    known = {column["name"] for column in inspect(connection).get_columns(table.name)}
    ddl = connection.dialect.ddl_compiler(connection.dialect, CreateTable(table))
    for column in table.columns:
        if column.name not in known:
            spelled = ddl.get_column_specification(column)
            connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN {spelled}")


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(schema_version.name):
        return 0
    numbers = connection.execute(select(schema_version.c.version)).scalars()
    return max(numbers, default=0)
