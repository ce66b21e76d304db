"""Short statements on the state database that wait for no other writer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from ml_orchestrator.errors import UnavailableError

__all__ = ["Rows"]

CONNECT_S = 5
ANSWER_MS = 5_000  # what is sent and not acknowledged for so long counts as lost
MOST_CONNECTIONS = 4


class Rows:
    """Single statements, each committed by itself: a process that freezes holds no lock with them.

    The state database's own ``write`` would wait for the one writer that it lets in; what tells
    that a worker is alive must not.

    Args:
        url: Of the state database, on Postgres.
        is_kept: Keep connections between statements, until ``close``.
    """

    def __init__(self, url: str, *, is_kept: bool = False) -> None:
        pool: dict[str, Any] = (
            {"poolclass": QueuePool, "pool_size": 1, "max_overflow": MOST_CONNECTIONS - 1}
            if is_kept
            else {"poolclass": NullPool}
        )
        self._engine: Engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=is_kept,
            connect_args={"connect_timeout": CONNECT_S, "tcp_user_timeout": ANSWER_MS},
            **pool,
        )

    @contextmanager
    def __call__(self) -> Iterator[Connection]:
        """Lend a connection.

        Raises:
            UnavailableError: the database cannot be reached or refused.
        """
        try:
            with self._engine.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            said = (str(getattr(error, "orig", error)).splitlines() or [type(error).__name__])[0]
            raise UnavailableError(
                f"The state database refused: {said}. Check ML_ORCHESTRATOR_DATABASE_URL, or try "
                "again in a moment."
            ) from error

    def close(self) -> None:
        """Give connections back."""
        self._engine.dispose()
