"""Which records a search ranks, and their factors; the same on FTS5 and on tsvector.

A query is data: it is taken apart into words by us, and no operator of either database reaches it.
What ranking needs of a record is little; the whole of it is read for those that are shown.
"""

import functools
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, bindparam, func, select, text

from ml_orchestrator.memory.meaning import fused
from ml_orchestrator.memory.ranking import recency, relevances, usefulness, weight
from ml_orchestrator.memory.requests import Filters
from ml_orchestrator.storage.memory_rows import agent_word, cleaned, kind_word
from ml_orchestrator.storage.schema import memory_records as records
from ml_orchestrator.storage.statements import Statement

__all__ = ["Ranked", "candidates", "conditions", "last_of_all", "whole", "with_near"]

MAX_RANKED = 200
ENOUGH = 20  # records with every word, so that those with some are not looked for
MAX_EACH = 50  # records that one word, or two, bring
_EQUAL = ("agent", "kind", "outcome", "area")
_Wanted: TypeAlias = tuple[Sequence[str], dict[str, Any]]
# A task's weight does not depend on what it says, so its payload is not read.
_NEEDED = (
    ", ".join(
        f"memory_records.{name}"
        for name in ("seq", "kind", "outcome", "created_at", "words", "n_helped", "n_misled")
    )
    + ", CASE WHEN memory_records.kind = 'task' THEN NULL ELSE memory_records.payload END AS stated"
)
_LAST = Statement(select(func.max(records.c.seq)))
_BY_SEQ = Statement(select(records).where(records.c.seq == bindparam("seq")))


@dataclass(frozen=True, slots=True)
class Ranked:
    """What ranking needs of a record, and its factors."""

    row: Row[Any]
    relevance: float
    recency: float
    weight: float
    usefulness: float
    similarity: float | None = None

    @property
    def score(self) -> float:
        """The product of the factors."""
        return self.relevance * self.recency * self.weight * self.usefulness


def candidates(
    connection: Connection, words: Sequence[str], filters: Filters, *, up_to: int, now: str
) -> list[Ranked]:
    """Return up to ``MAX_RANKED`` records with their factors, in no order.

    Those that hold every word. If they are few, also the newest that hold one, or two that
    stand beside each other, and of all these the most relevant: a rare word brings all its
    records, a common one cannot bring thousands.
    """
    wanted = conditions(filters, up_to, now)
    also = [kind_word(filters.kind)] if filters.kind else []
    also += [agent_word(filters.agent)] if filters.agent else []
    rows = _newest(connection, [*words, *also], wanted, MAX_RANKED)
    if len(rows) >= ENOUGH or len(words) < 2:  # each holds all of the words
        return [_ranked(row, 1.0, now=now) for row in rows]
    found = {row.seq: row for row in rows}
    for some in [*((word,) for word in words), *pairwise(words)]:
        found.update(
            (row.seq, row) for row in _newest(connection, [*some, *also], wanted, MAX_EACH)
        )
    held = [set(row.words.split()) for row in found.values()]
    shares = dict(zip(found, relevances(words, held), strict=True))
    best = sorted(found, key=lambda seq: (-shares[seq], -seq))[:MAX_RANKED]
    return [_ranked(found[seq], shares[seq], now=now) for seq in best]


def with_near(
    connection: Connection, found: Sequence[Ranked], near: Mapping[int, float], *, now: str
) -> list[Ranked]:
    """Return what holds the words and what means the same; relevance is both ranks, fused.

    Args:
        near: How near in meaning records are, by number.
    """
    by_words = sorted(found, key=lambda hit: (-hit.relevance, -hit.row.seq))
    known = {hit.row.seq: hit for hit in by_words}
    together = fused(list(known), sorted(near, key=lambda seq: (-near[seq], -seq)))
    best = sorted(together, key=lambda seq: (-together[seq], -seq))[:MAX_RANKED]
    for row in _needed(connection, [seq for seq in best if seq not in known]):
        known[row.seq] = _ranked(row, 0.0, now=now)
    return [
        replace(
            known[seq],
            relevance=round(together[seq], 4),
            similarity=round(near[seq], 4) if seq in near else None,
        )
        for seq in best
    ]


def whole(connection: Connection, shown: Sequence[Ranked]) -> dict[int, Row[Any]]:
    """Return all of the records that are shown, by number."""
    seqs = [ranked.row.seq for ranked in shown]
    if connection.dialect.name == "sqlite":  # by number it finds one faster than it reads a list
        rows = [_BY_SEQ.first(connection, {"seq": seq}) for seq in seqs]
    else:
        rows = list(connection.execute(select(records).where(records.c.seq.in_(seqs))))
    return {row.seq: row for row in rows}


def conditions(filters: Filters, up_to: int, now: str) -> _Wanted:
    """Return conditions in SQL on ``memory_records``, and the values they name."""
    always = ["memory_records.seq <= :up_to", "(expires_at IS NULL OR expires_at > :now)"]
    given = {
        **{f"{name} = :{name}": getattr(filters, name) for name in _EQUAL},
        "created_at >= :since": filters.since,
        "created_at < :until": filters.until,
    }
    asked = {condition: value for condition, value in given.items() if value is not None}
    values = {condition.partition(":")[2]: value for condition, value in asked.items()}
    values = cleaned(values)[0]  # what is stored is, too
    return [*always, *asked], {**values, "up_to": up_to, "now": now}


def last_of_all(connection: Connection) -> int:
    """Return the number of the newest record there is; 0 without any."""
    return int(_LAST.scalar(connection) or 0)


def _newest(
    connection: Connection, words: Sequence[str], wanted: _Wanted, limit: int
) -> Sequence[Row[Any]]:
    """Return what ranking needs of the newest records that hold all of ``words``."""
    values, is_sqlite = {**wanted[1], "limit": limit}, connection.dialect.name == "sqlite"
    if words:
        values["words"] = (
            " AND ".join(f'"{word}"' for word in words)
            if is_sqlite
            else " & ".join(f"'{word}'" for word in words)
        )
    query = _newest_query(tuple(wanted[0]), has_words=bool(words), is_sqlite=is_sqlite)
    return query.all(connection, values)


@functools.lru_cache(maxsize=512)  # each set of filters has one
def _newest_query(conditions: tuple[str, ...], *, has_words: bool, is_sqlite: bool) -> Statement:
    start, newest = "FROM memory_records", "memory_records.seq"
    if has_words and is_sqlite:
        # CROSS: go along the index, in the order it has anyway, and stop at the limit.
        start, newest = "FROM memory_search CROSS JOIN memory_records", "memory_search.rowid"
        conditions += ("memory_search MATCH :words", "memory_records.seq = memory_search.rowid")
    elif has_words:
        conditions += ("lexemes @@ CAST(:words AS tsquery)",)
    query = (
        f"SELECT {_NEEDED} {start} WHERE {' AND '.join(conditions)} "
        f"ORDER BY {newest} DESC LIMIT :limit"
    )
    return Statement(text(query))


def _needed(connection: Connection, seqs: Collection[int]) -> Sequence[Row[Any]]:
    """Return what ranking needs of records by number."""
    if not seqs:
        return []
    query = text(f"SELECT {_NEEDED} FROM memory_records WHERE seq IN :seqs")  # noqa: S608 see above
    asked = query.bindparams(bindparam("seqs", expanding=True))
    return connection.execute(asked, {"seqs": list(seqs)}).all()


def _ranked(row: Row[Any], relevance: float, *, now: str) -> Ranked:
    stated = {} if row.stated is None else json.loads(row.stated)
    return Ranked(
        row,
        relevance=round(relevance, 4),
        recency=round(recency(row.created_at, now), 4),
        weight=round(weight(row.kind, stated), 4),
        usefulness=round(usefulness(row.n_helped, row.n_misled), 4),
    )
