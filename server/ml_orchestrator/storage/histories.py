"""Histories that only grow: the database refuses to change or delete what stands in them."""

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import Connection

from ml_orchestrator.storage.schema import alias_moves

__all__ = ["keep_audit_log", "keep_histories"]

# What may change in an alias move is how its intent ended, once.
_ENDING = frozenset({"state", "settled_at", "event_seq"})
_SAME: Mapping[str, str] = MappingProxyType({"sqlite": "IS", "postgresql": "IS NOT DISTINCT FROM"})


def keep_histories(connection: Connection) -> None:
    """Let the database keep the history of aliases and of roll-outs as it was written."""
    same = _SAME[connection.dialect.name]
    kept = [column.name for column in alias_moves.columns if column.name not in _ENDING]
    settles = " AND ".join(
        ["OLD.state = 'intended'", *(f"NEW.{name} {same} OLD.{name}" for name in kept)]
    )
    _refuse(connection, "alias_moves", unless=settles)
    _refuse(connection, "deployment_events", unless="1 = 0")


def keep_audit_log(connection: Connection) -> None:
    """Let the database keep the audit log as it was written."""
    _refuse(connection, "audit_log", unless="1 = 0")


def _refuse(connection: Connection, table: str, *, unless: str) -> None:
    """Refuse to delete a row of ``table``, and to change it ``unless`` a condition holds."""
    said = f"{table} is a history; nothing in it is changed or deleted"
    if connection.dialect.name == "sqlite":
        act = f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
    else:
        connection.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{said}'; END $$"
        )
        act = f"EXECUTE FUNCTION {table}_refuse()"
    each = "" if connection.dialect.name == "sqlite" else "FOR EACH ROW "
    connection.exec_driver_sql(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {each}{act}"
    )
    connection.exec_driver_sql(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE ON {table} {each}"
        f"WHEN (NOT ({unless})) {act}"
    )
