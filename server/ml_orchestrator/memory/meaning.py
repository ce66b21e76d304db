"""What a search needs of vectors, and how two orders of rank become one.

Optional: without a ``Meaning`` a search is by words alone. ``_vectors`` keeps the vectors.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Connection

__all__ = ["Meaning", "fused"]

RANK_OFFSET = 60  # the value of the paper


class Meaning(Protocol):
    """Knows which records mean much the same as a query; thread-safe."""

    def prepare(self) -> None:
        """Get ready for a search: bring vectors up to date, within bounds."""
        ...

    def nearest(
        self,
        connection: Connection,
        query: str,
        conditions: Sequence[str],
        values: Mapping[str, Any],
    ) -> dict[int, float]:
        """Return the cosine of the records nearest to ``query``, by number.

        Args:
            conditions: What a record must be, in SQL on ``memory_records``.
            values: What the conditions name.
        """
        ...


def fused(*rankings: Sequence[int]) -> dict[int, float]:
    """Return what several orders of rank say together, 1 for what is first in all of them.

    Reciprocal rank fusion: each gives 1 / (60 + rank) to what it holds and nothing to the rest.
    Reference: Cormack, Clarke and Büttcher, Reciprocal rank fusion outperforms Condorcet and
    individual rank learning methods, SIGIR 2009.

    >>> fused([7, 8], [8])
    {7: 0.5, 8: 0.991...}
    """
    most = len(rankings) / (RANK_OFFSET + 1)
    found: dict[int, float] = {}
    for ranking in rankings:
        for rank, seq in enumerate(ranking, start=1):
            found[seq] = found.get(seq, 0.0) + 1 / (RANK_OFFSET + rank) / most
    return found
