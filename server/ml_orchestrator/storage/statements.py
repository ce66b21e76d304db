"""Statements that are compiled once, for transactions that many calls wait for.

On SQLite SQLAlchemy's own way to a row takes ten times as long as the statement itself, most of
all in a process that was just woken. There these go to the driver; elsewhere SQLAlchemy runs them.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["Statement"]

_NOTHING: Mapping[str, Any] = {}


class Statement:
    """One statement with named values, whose rows have their columns as attributes.

    It takes and gives what SQLite stores as it is: text, integers, floats, bytes and None. Every
    row is read before a method returns. Thread-safe.

    Args:
        clause: A select, or anything else with all its values named; no list of values to be
            expanded.
        columns: Which columns an ``insert`` without values fills.
    """

    __slots__ = ("_clause", "_columns", "_names", "_row", "_sql", "_usual")

    def __init__(self, clause: Executable, *, columns: Sequence[str] | None = None) -> None:
        self._clause = clause
        self._columns = columns
        self._sql = ""
        self._names: Sequence[str] = ()
        self._usual: Mapping[str, Any] = {}
        self._row: Callable[[Sequence[Any]], Any] | None = None

    def all(self, connection: Connection, values: Mapping[str, Any] = _NOTHING) -> Sequence[Any]:
        """Run it and return its rows."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._clause, values).all()
        cursor = self._run(connection, values)
        row = self._row or self._row_of(cursor)
        return [row(found) for found in cursor.fetchall()]

    def first(self, connection: Connection, values: Mapping[str, Any] = _NOTHING) -> Any:
        """Run it and return its first row, or None."""
        rows = self.all(connection, values)
        return rows[0] if rows else None

    def scalar(self, connection: Connection, values: Mapping[str, Any] = _NOTHING) -> Any:
        """Run it and return the first value of its first row, or None."""
        row = self.first(connection, values)
        return None if row is None else row[0]

    def change(self, connection: Connection, values: Mapping[str, Any] = _NOTHING) -> int:
        """Run it and return how many rows it changed."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self._clause, values).rowcount
        return self._run(connection, values).rowcount

    def change_each(self, connection: Connection, values: Sequence[Mapping[str, Any]]) -> None:
        """Run it once for each of ``values``."""
        if connection.dialect.name == "sqlite":
            for each in values:
                self._run(connection, each)
        elif values:
            connection.execute(self._clause, values)

    def _run(self, connection: Connection, values: Mapping[str, Any]) -> sqlite3.Cursor:
        if not self._sql:
            self._compile(connection)
        given = {**self._usual, **values} if self._usual else values
        driver = cast("sqlite3.Connection", connection.connection.driver_connection)
        asked = [given[name] for name in self._names]
        try:
            return driver.execute(self._sql, asked)
        except sqlite3.Error as error:  # as SQLAlchemy says it, so that callers know one kind
            raise DBAPIError.instance(
                self._sql, asked, error, sqlite3.Error, dialect=connection.dialect
            ) from error

    def _compile(self, connection: Connection) -> None:
        columns = None if self._columns is None else list(self._columns)
        compiled = cast(
            SQLCompiler,
            self._clause.compile(dialect=connection.dialect, column_keys=columns),  # type: ignore[attr-defined]
        )
        self._names = tuple(compiled.positiontup or ())
        self._usual = {
            name: bound.effective_value
            for name, bound in compiled.binds.items()
            if not bound.required
        }
        self._sql = compiled.string  # last: it says that the rest is there

    def _row_of(self, cursor: sqlite3.Cursor) -> Callable[[Sequence[Any]], Any]:
        names = [column[0] for column in cursor.description]
        self._row = getattr(namedtuple("Row", names, rename=True), "_make")  # noqa: B009
        return self._row
