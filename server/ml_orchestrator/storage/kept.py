"""Connections to SQLite that stay open between short transactions.

SQLAlchemy begins, commits and lends a connection in ten times as long as SQLite takes for an
empty transaction. So a few connections are kept at hand, and told by us when one begins and ends.
"""

import sqlite3
from collections import deque
from collections.abc import Callable
from typing import TypeVar, cast

from sqlalchemy import Connection, Engine

__all__ = ["KEPT", "KeptConnections"]

T = TypeVar("T")

KEPT = "kept"  # the purpose of a connection whose transactions are begun here
MOST_IDLE = 4


class KeptConnections:
    """Runs transactions on connections of an engine that ends no transaction by itself.

    Thread-safe; a connection is used by one thread at a time. The engine's pool must be able to
    grow, since idle connections are lent from it.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.execution_options(ml_purpose=KEPT)
        self._idle: deque[Connection] = deque()
        self._is_closed = False

    def run(self, work: Callable[[Connection], T], begin: str) -> T:
        """Run ``work`` between ``begin`` and a commit; after an error nothing of it stays.

        Raises:
            sqlite3.Error: the transaction could not begin or end.
        """
        connection = self._lend()
        try:
            driver = cast("sqlite3.Connection", connection.connection.driver_connection)
            driver.execute(begin)
            result = work(connection)
            driver.execute("COMMIT")
        except BaseException:
            connection.close()  # the pool rolls back
            raise
        self._take_back(connection)
        return result

    def close(self) -> None:
        """Close idle connections, and those in use as soon as their work is done."""
        self._is_closed = True
        while self._idle:
            connection = self._idle.pop()
            connection.invalidate()  # the pool may be gone already and would keep it open
            connection.close()

    def _lend(self) -> Connection:
        try:
            return self._idle.pop()
        except IndexError:
            connection = self._engine.connect()
            connection.begin()  # for SQLAlchemy, which would begin one by itself
            return connection

    def _take_back(self, connection: Connection) -> None:
        if len(self._idle) >= MOST_IDLE:
            connection.close()
            return
        self._idle.append(connection)
        if self._is_closed:  # looked at last, so that one given back during a close is closed, too
            self.close()
