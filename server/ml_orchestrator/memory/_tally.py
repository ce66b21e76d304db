"""What is counted about one agent: its records, and its work with each colleague."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, literal, select, text

from ml_orchestrator.storage.schema import collaborations, memory_counts
from ml_orchestrator.storage.statements import Statement
from ml_orchestrator.text import clean, flags_of_stored

__all__ = ["OTHER", "Pair", "Tally", "read_tally", "together"]

_COUNTS = Statement(select(memory_counts).where(memory_counts.c.agent == bindparam("agent")))
MAX_KINDS = 20  # of work with one colleague; the others are one row
OTHER = "other"
_ALL_PAIRS = select(collaborations).where(collaborations.c.agent == bindparam("agent"))
_PAIRS = Statement(_ALL_PAIRS)
_MOST_FREQUENT = Statement(  # sorted no further than the limit, so fast among thousands
    _ALL_PAIRS.where(collaborations.c.collaborator == bindparam("collaborator"))
    .order_by(
        (collaborations.c.successes + collaborations.c.failures).desc(), collaborations.c.task_type
    )
    .limit(literal(MAX_KINDS))
)
_TOTALS = Statement(
    text(
        "SELECT collaborator, sum(successes) AS successes, sum(failures) AS failures, "
        "max(last_at) AS last_at, count(*) AS n_kinds "
        "FROM collaborations WHERE agent = :agent GROUP BY collaborator"
    )
)


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
    """Rows of ``memory_counts``, and of ``collaborations``, of one agent.

    ``pairs`` are the ``MAX_KINDS`` most frequent kinds of work with each colleague; ``others``
    are all its other kinds in one, as the kind ``OTHER``.
    """

    counts: Sequence[Row[Any]]
    pairs: Sequence[Pair]
    others: Sequence[Pair]

    def n(self, kind: str) -> int:
        """Return how many records of a kind there are."""
        return sum(row.n for row in self.counts if row.kind == kind)


def read_tally(connection: Connection, agent: str) -> Tally:
    """Read what is counted about ``agent``."""
    asked = {"agent": agent}
    totals = _TOTALS.all(connection, asked)
    pairs: list[Row[Any]] = []
    others: list[Pair] = []
    if all(total.n_kinds <= MAX_KINDS for total in totals):
        pairs += _PAIRS.all(connection, asked)
    else:
        for total in totals:
            here = {**asked, "collaborator": total.collaborator}
            frequent = _MOST_FREQUENT.all(connection, here)
            pairs += frequent
            if total.n_kinds > MAX_KINDS:
                others.append(_rest(total, frequent))
    return Tally(_COUNTS.all(connection, asked), _pairs(pairs), others)


def _rest(total: Row[Any], frequent: Sequence[Row[Any]]) -> Pair:
    """Return all kinds of work with a colleague but the frequent ones, as one."""
    successes = total.successes - sum(row.successes for row in frequent)
    failures = total.failures - sum(row.failures for row in frequent)
    return Pair(total.collaborator, OTHER, (), successes, failures, total.last_at)


def _pairs(rows: Sequence[Row[Any]]) -> list[Pair]:
    """Return rows with their kinds cleaned: earlier releases stored them as they came."""
    found: dict[tuple[str, str], Pair] = {}
    for row in rows:
        task_type, flags = _shown(row.task_type)
        counted = (row.successes, row.failures, row.last_at)
        pair = Pair(row.collaborator, task_type, flags, *counted)
        key = (pair.collaborator, task_type)
        found[key] = together(found[key], pair) if key in found else pair
    return list(found.values())


def together(one: Pair, other: Pair) -> Pair:
    """Return the work of both as one kind, that of the first."""
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
