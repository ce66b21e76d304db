"""What is counted about one agent: its records, and its work with each colleague."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from ml_orchestrator.storage.schema import collaborations, memory_counts
from ml_orchestrator.storage.statements import Statement
from ml_orchestrator.text import clean, flags_of_stored

__all__ = ["Pair", "Tally", "read_tally"]

_COUNTS = Statement(select(memory_counts).where(memory_counts.c.agent == bindparam("agent")))
_PAIRS = Statement(select(collaborations).where(collaborations.c.agent == bindparam("agent")))


@dataclass(frozen=True, slots=True)
class Pair:
    """How work of one kind went with one colleague; the kind is text of others, and cleaned."""

    collaborator: str
    task_type: str
    flags: tuple[str, ...]
    successes: int
    failures: int
    last_at: str

    @property
    def n(self) -> int:
        """Pieces of work."""
        return self.successes + self.failures


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows of ``memory_counts``, and of ``collaborations``, of one agent."""

    counts: Sequence[Row[Any]]
    pairs: Sequence[Pair]

    def n(self, kind: str) -> int:
        """Return how many records of a kind there are."""
        return sum(row.n for row in self.counts if row.kind == kind)


def read_tally(connection: Connection, agent: str) -> Tally:
    """Read what is counted about ``agent``."""
    asked = {"agent": agent}
    return Tally(_COUNTS.all(connection, asked), _pairs(_PAIRS.all(connection, asked)))


def _pairs(rows: Sequence[Row[Any]]) -> list[Pair]:
    """Return rows with their kinds cleaned: earlier releases stored them as they came."""
    found: dict[tuple[str, str], Pair] = {}
    for row in rows:
        task_type, flags = _shown(row.task_type)
        counted = (row.successes, row.failures, row.last_at)
        pair = Pair(row.collaborator, task_type, flags, *counted)
        key = (pair.collaborator, task_type)
        found[key] = _together(found[key], pair) if key in found else pair
    return list(found.values())


def _together(one: Pair, other: Pair) -> Pair:
    return replace(
        one,
        successes=one.successes + other.successes,
        failures=one.failures + other.failures,
        last_at=max(one.last_at, other.last_at),
    )


@functools.lru_cache(maxsize=1_024)  # each load has the same ones
def _shown(task_type: str) -> tuple[str, tuple[str, ...]]:
    shown = clean(task_type).text
    return shown, flags_of_stored(shown)
