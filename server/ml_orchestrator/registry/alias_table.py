"""MLflow's own table of aliases, where its database can be opened: compare-and-set and a log.

A trigger writes every change of an alias, by any client, into ``ml_orchestrator_alias_events`` in
the same transaction. MLflow's migrations rebuild tables and thereby drop triggers (alembic's batch
mode, MLflow 3.17), so they are made anew at each start where they are missing.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import IntegrityError

__all__ = ["AliasEvent", "AliasState", "AliasTable", "alias_table"]

ALIASES = "registered_model_aliases"
EVENTS = "ml_orchestrator_alias_events"
MARK = "ml_orchestrator_alias_mark"  # holds the id of our move while its transaction lasts
COLUMNS = {"workspace", "name", "alias", "version"}
BUSY_TIMEOUT_S = 20.0  # as MLflow's own

_CAN_BE_POINTED_TO = (
    "SELECT workspace, name, :alias, version FROM model_versions WHERE workspace = 'default' "
    "AND name = :model AND version = :to AND current_stage <> 'Deleted_Internal'"
)
_IS_HERE = "workspace = 'default' AND name = :model AND alias = :alias"
_SET = f"INSERT INTO {ALIASES} (workspace, name, alias, version) {_CAN_BE_POINTED_TO}"
_MOVE = (
    f"UPDATE {ALIASES} SET version = :to WHERE {_IS_HERE} AND version = :from "  # noqa: S608
    f"AND EXISTS ({_CAN_BE_POINTED_TO})"
)
_REMOVE = f"DELETE FROM {ALIASES} WHERE {_IS_HERE} AND version = :from"  # noqa: S608


@dataclass(frozen=True, slots=True)
class AliasEvent:
    """One change of an alias, as the database saw it; ``move_id`` if the move was ours."""

    seq: int
    from_version: int | None
    to_version: int | None
    at: datetime
    move_id: str | None


@dataclass(frozen=True, slots=True)
class AliasState:
    """Where an alias points, and how it came there since an earlier look, in one snapshot."""

    version: int | None
    events: tuple[AliasEvent, ...] = ()


class AliasTable:
    """Compare-and-set on an alias that holds against every client, and what they all did.

    Thread- and process-safe. Raises SQLAlchemy's errors.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def move(
        self, model: str, alias: str, *, from_version: int | None, to_version: int | None, mark: str
    ) -> bool:
        """Move an alias if it points to ``from_version`` (None: is unset); say whether it did.

        Args:
            model: Name of the registered model.
            alias: The alias.
            from_version: Where it must point.
            to_version: An existing version, or None to remove the alias.
            mark: Identifier that the event of this move will carry.
        """
        values = {"model": model, "alias": alias, "from": from_version, "to": to_version}
        statement = _SET if from_version is None else _REMOVE if to_version is None else _MOVE
        try:
            with self._engine.begin() as connection:
                connection.execute(text(f"INSERT INTO {MARK} VALUES (:mark)"), {"mark": mark})  # noqa: S608
                moved = connection.execute(text(statement), values).rowcount
                connection.execute(text(f"DELETE FROM {MARK}"))  # noqa: S608
        except IntegrityError:  # somebody else set it first
            return False
        return moved == 1

    def state(self, model: str, alias: str, *, after: int) -> AliasState:
        """Return where an alias points and its events later than event ``after``, in order."""
        values = {"model": model, "alias": alias, "after": after}
        query = (
            f"SELECT seq, from_version, to_version, at, move_id FROM {EVENTS} "  # noqa: S608
            f"WHERE {_IS_HERE} AND seq > :after ORDER BY seq"
        )
        with self._engine.connect().execution_options(ml_purpose="read") as connection:
            version = connection.scalar(
                text(f"SELECT version FROM {ALIASES} WHERE {_IS_HERE}"),  # noqa: S608
                values,
            )
            rows = connection.execute(text(query), values).all()
        return AliasState(version=version, events=tuple(_event(*row) for row in rows))

    def names(self) -> frozenset[tuple[str, str]]:
        """Return model and alias of everything that has an event."""
        query = f"SELECT DISTINCT name, alias FROM {EVENTS} WHERE workspace = 'default'"  # noqa: S608
        with self._engine.connect().execution_options(ml_purpose="read") as connection:
            return frozenset((model, alias) for model, alias in connection.execute(text(query)))

    def install(self) -> None:
        """Make the log and its triggers where they are missing; the caller holds a lock."""
        with self._engine.begin() as connection:
            _INSTALL[self._engine.dialect.name](connection)


def alias_table(url: str) -> AliasTable | None:
    """Open the table at ``url``; None where MLflow is a server, another kind of database, or
    not the MLflow that we know."""
    if not url.startswith(("sqlite:///", "postgresql")):
        return None
    engine = create_engine(url, **_options(url))
    if engine.dialect.name == "sqlite":
        _take_write_lock_at_begin(engine)
    else:
        _read_one_snapshot(engine)
    known = inspect(engine)
    if not known.has_table(ALIASES) or {c["name"] for c in known.get_columns(ALIASES)} != COLUMNS:
        engine.dispose()
        return None
    return AliasTable(engine)


def _options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}}
    return {"pool_pre_ping": True, "isolation_level": "READ COMMITTED"}


def _take_write_lock_at_begin(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        is_read = connection.get_execution_options().get("ml_purpose") == "read"
        connection.exec_driver_sql("BEGIN" if is_read else "BEGIN IMMEDIATE")


def _read_one_snapshot(engine: Engine) -> None:
    """The version and the events that led to it belong together."""

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get("ml_purpose") == "read":
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")


def _event(
    seq: int, from_version: int | None, to_version: int | None, at: str, move_id: str | None
) -> AliasEvent:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return AliasEvent(seq, from_version, to_version, moment, move_id)


# What a changed row means: old and new version; a renamed model is one end and one beginning.
_SQLITE_CASES = {
    "insert": ("AFTER INSERT", "1", [("new", "NULL", "new.version")]),
    "delete": ("AFTER DELETE", "1", [("old", "old.version", "NULL")]),
    "update": (
        "AFTER UPDATE",
        "new.version <> old.version AND new.name = old.name AND new.alias = old.alias",
        [("new", "old.version", "new.version")],
    ),
    "rename": (
        "AFTER UPDATE",
        "new.name <> old.name OR new.alias <> old.alias",
        [("old", "old.version", "NULL"), ("new", "NULL", "new.version")],
    ),
}


def _install_on_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(
        f"CREATE TABLE IF NOT EXISTS {EVENTS} (seq INTEGER PRIMARY KEY AUTOINCREMENT, "
        "workspace TEXT NOT NULL, name TEXT NOT NULL, alias TEXT NOT NULL, from_version INTEGER, "
        "to_version INTEGER, at TEXT NOT NULL, move_id TEXT)"
    )
    connection.exec_driver_sql(
        f"CREATE INDEX IF NOT EXISTS {EVENTS}_of ON {EVENTS} (workspace, name, alias, seq)"
    )
    connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {MARK} (move_id TEXT NOT NULL)")
    for name, (when, condition, entries) in _SQLITE_CASES.items():
        body = " ".join(
            f"INSERT INTO {EVENTS} (workspace, name, alias, from_version, to_version, at, move_id) "  # noqa: S608
            f"VALUES ({row}.workspace, {row}.name, {row}.alias, {old}, {new}, "
            f"strftime('%Y-%m-%dT%H:%M:%f', 'now'), (SELECT move_id FROM {MARK} LIMIT 1));"
            for row, old, new in entries
        )
        connection.exec_driver_sql(
            f"CREATE TRIGGER IF NOT EXISTS ml_orchestrator_alias_{name} {when} ON {ALIASES} "
            f"WHEN {condition} BEGIN {body} END"
        )
    for verb in ("UPDATE", "DELETE"):
        connection.exec_driver_sql(
            f"CREATE TRIGGER IF NOT EXISTS {EVENTS}_no_{verb.lower()} BEFORE {verb} ON {EVENTS} "
            f"BEGIN SELECT RAISE(ABORT, '{EVENTS} is append-only'); END"
        )


def _install_on_postgres(connection: Connection) -> None:
    connection.exec_driver_sql(
        f"CREATE TABLE IF NOT EXISTS {EVENTS} (seq BIGSERIAL PRIMARY KEY, workspace TEXT NOT NULL, "
        "name TEXT NOT NULL, alias TEXT NOT NULL, from_version INTEGER, to_version INTEGER, "
        "at TEXT NOT NULL, move_id TEXT)"
    )
    connection.exec_driver_sql(
        f"CREATE INDEX IF NOT EXISTS {EVENTS}_of ON {EVENTS} (workspace, name, alias, seq)"
    )
    connection.exec_driver_sql(f"CREATE TABLE IF NOT EXISTS {MARK} (move_id TEXT NOT NULL)")
    connection.exec_driver_sql(_POSTGRES_FUNCTION)
    connection.exec_driver_sql(
        f"CREATE OR REPLACE TRIGGER ml_orchestrator_alias_change AFTER INSERT OR UPDATE OR DELETE "
        f"ON {ALIASES} FOR EACH ROW EXECUTE FUNCTION ml_orchestrator_alias_change()"
    )
    connection.exec_driver_sql(
        f"CREATE OR REPLACE FUNCTION {EVENTS}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{EVENTS} is append-only'; END $$"
    )
    connection.exec_driver_sql(
        f"CREATE OR REPLACE TRIGGER {EVENTS}_append_only BEFORE UPDATE OR DELETE ON {EVENTS} "
        f"FOR EACH ROW EXECUTE FUNCTION {EVENTS}_refuse()"
    )


_POSTGRES_FUNCTION = f"""
CREATE OR REPLACE FUNCTION ml_orchestrator_alias_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moment TEXT := to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US');
    mark TEXT := (SELECT move_id FROM {MARK} LIMIT 1);
    is_same BOOLEAN := TG_OP = 'UPDATE';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        is_same := new.name = old.name AND new.alias = old.alias;
        IF is_same AND new.version = old.version THEN RETURN NULL; END IF;
    END IF;
    IF is_same THEN
        INSERT INTO {EVENTS} (workspace, name, alias, from_version, to_version, at, move_id)
        VALUES (new.workspace, new.name, new.alias, old.version, new.version, moment, mark);
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO {EVENTS} (workspace, name, alias, from_version, to_version, at, move_id)
        VALUES (old.workspace, old.name, old.alias, old.version, NULL, moment, mark);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO {EVENTS} (workspace, name, alias, from_version, to_version, at, move_id)
        VALUES (new.workspace, new.name, new.alias, NULL, new.version, moment, mark);
    END IF;
    RETURN NULL;
END $$
"""  # noqa: S608

_INSTALL: dict[str, Callable[[Connection], None]] = {
    "sqlite": _install_on_sqlite,
    "postgresql": _install_on_postgres,
}
