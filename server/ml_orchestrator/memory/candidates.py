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
from ml_orchestrator.memory.ranking import (
    IMPACTS,
    KNOWLEDGE_IMPACT,
    LEAST_CONFIDENCE,
    TASK_WEIGHT,
    recency,
    relevances,
    usefulness,
    weight,
)
from ml_orchestrator.memory.requests import Filters
from ml_orchestrator.storage.memory_rows import agent_word, cleaned, kind_word, stored_area
from ml_orchestrator.storage.schema import memory_records as records
from ml_orchestrator.storage.statements import Statement

__all__ = [
    "Found",
    "Ranked",
    "candidates",
    "conditions",
    "last_of_all",
    "newest_candidates",
    "whole",
    "with_near",
]

MAX_RANKED = 200
MAX_BEST = 50  # of them that are there for what they are worth, however old
LOOK_BACK = 1_000  # older records among which these are looked for
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
# Weight times usefulness, as ``ranking`` has them, so that the database finds the best.
_STATED = {
    "sqlite": {
        "impact": "json_extract(stated, '$.impact')",
        "confidence": "json_extract(stated, '$.confidence')",
    },
    "postgresql": {  # whose JSON refuses some text; within text a quote is escaped
        "impact": """substring(stated from '"impact": "([a-z]+)"')""",
        "confidence": """CAST(substring(stated from '"confidence": ([-+.0-9eE]+)') AS float)""",
    },
}
_IMPACTS = " ".join(f"WHEN '{name}' THEN {impact}" for name, impact in IMPACTS.items())
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


@dataclass(frozen=True, slots=True)
class Found:
    """Records with their factors, in no order; ``is_all`` if no limit left out what matches."""

    ranked: list[Ranked]
    is_all: bool


def candidates(
    connection: Connection, words: Sequence[str], filters: Filters, *, up_to: int, now: str
) -> list[Ranked]:
    """Return up to ``MAX_RANKED`` records with their factors, in no order.

    Those of ``newest_candidates``. If too many hold every word, the last ``MAX_BEST`` of these
    make room for the best of all that are older, up to ``LOOK_BACK``: what is pinned, then what
    has the largest product of weight and usefulness.
    """
    found = newest_candidates(connection, words, filters, up_to=up_to, now=now).ranked
    if not words or len(found) < MAX_RANKED or found[-1].relevance < 1:
        return found
    newest = found[: MAX_RANKED - MAX_BEST]
    wanted = conditions(filters, newest[-1].row.seq - 1, now)
    best = _best(connection, [*words, *_words_of(filters)], wanted)
    return [*newest, *(_ranked(row, 1.0, now=now) for row in best)]


def newest_candidates(
    connection: Connection, words: Sequence[str], filters: Filters, *, up_to: int, now: str
) -> Found:
    """Return up to ``MAX_RANKED`` records with their factors, whatever they are worth.

    Those that hold every word. If they are few, also the newest that hold one, or two that
    stand beside each other, and of all these the most relevant: a rare word brings all its
    records, a common one cannot bring thousands.
    """
    wanted = conditions(filters, up_to, now)
    also = _words_of(filters)
    rows = _newest(connection, [*words, *also], wanted, MAX_RANKED)
    if len(rows) >= ENOUGH or len(words) < 2:  # each holds all of the words
        return Found([_ranked(row, 1.0, now=now) for row in rows], len(rows) < MAX_RANKED)
    found, is_all = {row.seq: row for row in rows}, True
    for some in [*((word,) for word in words), *pairwise(words)]:
        holding = _newest(connection, [*some, *also], wanted, MAX_EACH)
        found.update((row.seq, row) for row in holding)
        is_all &= len(holding) < MAX_EACH
    held = [set(row.words.split()) for row in found.values()]
    shares = dict(zip(found, relevances(words, held), strict=True))
    best = sorted(found, key=lambda seq: (-shares[seq], -seq))[:MAX_RANKED]
    ranked = [_ranked(found[seq], shares[seq], now=now) for seq in best]
    return Found(ranked, is_all and len(best) == len(found))


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
        "kind <> :not_kind": filters.not_kind,
    }
    asked = {condition: value for condition, value in given.items() if value is not None}
    values = {condition.partition(":")[2]: value for condition, value in asked.items()}
    values = cleaned(values)[0]  # what is stored is, too
    if "area" in values:
        values["area"] = stored_area(values["area"])
    return [*always, *asked], {**values, "up_to": up_to, "now": now}


def last_of_all(connection: Connection) -> int:
    """Return the number of the newest record there is; 0 without any."""
    return int(_LAST.scalar(connection) or 0)


def _newest(
    connection: Connection, words: Sequence[str], wanted: _Wanted, limit: int
) -> Sequence[Row[Any]]:
    """Return what ranking needs of the newest records that hold all of ``words``."""
    dialect = connection.dialect.name
    values = {**wanted[1], "limit": limit, **_asked(words, dialect)}
    query = _newest_query(tuple(wanted[0]), bool(words), dialect)
    return query.all(connection, values)


def _best(connection: Connection, words: Sequence[str], wanted: _Wanted) -> Sequence[Row[Any]]:
    """Return the best of the newest ``LOOK_BACK`` records that hold all of ``words``."""
    dialect = connection.dialect.name
    limits = {"limit": LOOK_BACK, "n_best": MAX_BEST}
    query = _best_query(tuple(wanted[0]), dialect)
    return query.all(connection, {**wanted[1], **limits, **_asked(words, dialect)})


def _words_of(filters: Filters) -> list[str]:
    """Return the words by which the index knows what fits the filters; "-" is before one that
    a record must not have."""
    also = [kind_word(filters.kind)] if filters.kind else []
    also += [agent_word(filters.agent)] if filters.agent else []
    return also + ([f"-{kind_word(filters.not_kind)}"] if filters.not_kind else [])


def _asked(words: Sequence[str], dialect: str) -> dict[str, str]:
    """Return the value that asks the index for all of ``words``."""
    if not words:
        return {}
    held = [word for word in words if not word.startswith("-")]
    barred = [word[1:] for word in words if word.startswith("-")]
    if dialect == "sqlite":
        asked = " AND ".join(f'"{word}"' for word in held)
        return {"words": " NOT ".join([asked, *(f'"{word}"' for word in barred)])}
    return {"words": " & ".join([*(f"'{word}'" for word in held), *(f"!'{w}'" for w in barred)])}


@functools.lru_cache(maxsize=512)  # each set of filters has one
def _newest_query(conditions: tuple[str, ...], has_words: bool, dialect: str) -> Statement:
    return Statement(text(_newest_text(_NEEDED, conditions, has_words, dialect)))


@functools.lru_cache(maxsize=512)
def _best_query(conditions: tuple[str, ...], dialect: str) -> Statement:
    newest = _newest_text(f"{_NEEDED}, is_pinned", conditions, True, dialect)
    stated = _STATED[dialect]
    impact = f"CASE {stated['impact']} {_IMPACTS} ELSE {KNOWLEDGE_IMPACT} END"
    confidence = f"coalesce({stated['confidence']}, 0)"
    weight = (
        f"CASE WHEN kind = 'task' THEN {TASK_WEIGHT} WHEN {confidence} < {LEAST_CONFIDENCE} "
        f"THEN {impact} * {LEAST_CONFIDENCE} ELSE {impact} * {confidence} END"
    )
    usefulness = "(1.0 + n_helped) / (2 + n_helped + n_misled)"
    query = (
        f"SELECT * FROM ({newest}) AS newest "  # noqa: S608 nothing of the query
        f"ORDER BY is_pinned DESC, ({weight}) * {usefulness} DESC, seq DESC LIMIT :n_best"
    )
    return Statement(text(query))


def _newest_text(columns: str, conditions: tuple[str, ...], has_words: bool, dialect: str) -> str:
    is_sqlite = dialect == "sqlite"
    start, newest = "FROM memory_records", "memory_records.seq"
    if has_words and is_sqlite:
        # CROSS: go along the index, in the order it has anyway, and stop at the limit.
        start, newest = "FROM memory_search CROSS JOIN memory_records", "memory_search.rowid"
        conditions += ("memory_search MATCH :words", "memory_records.seq = memory_search.rowid")
    elif has_words:
        conditions += ("lexemes @@ CAST(:words AS tsquery)",)
    return (
        f"SELECT {columns} {start} WHERE {' AND '.join(conditions)} "
        f"ORDER BY {newest} DESC LIMIT :limit"
    )


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
