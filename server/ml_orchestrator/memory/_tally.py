"""What is counted about one agent: its records, and its work with each colleague."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from ml_orchestrator.storage.schema import collaborations, memory_counts
from ml_orchestrator.storage.statements import Statement

__all__ = ["Tally", "read_tally"]

_COUNTS = Statement(select(memory_counts).where(memory_counts.c.agent == bindparam("agent")))
_PAIRS = Statement(select(collaborations).where(collaborations.c.agent == bindparam("agent")))


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows of ``memory_counts`` and of ``collaborations`` of one agent."""

    counts: Sequence[Row[Any]]
    pairs: Sequence[Row[Any]]

    def n(self, kind: str) -> int:
        """Return how many records of a kind there are."""
        return sum(row.n for row in self.counts if row.kind == kind)


def read_tally(connection: Connection, agent: str) -> Tally:
    """Read what is counted about ``agent``."""
    asked = {"agent": agent}
    return Tally(_COUNTS.all(connection, asked), _PAIRS.all(connection, asked))
