"""Search in memory, the same on SQLite (FTS5) and Postgres (tsvector).

A query is data: it is taken apart into words by us, and no operator of either database
reaches it.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, bindparam, func, literal, select, text

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.memory.meaning import Meaning, fused
from ml_orchestrator.memory.ranking import recency, relevances, usefulness, weight
from ml_orchestrator.memory.requests import Filters
from ml_orchestrator.memory.search_models import Earlier, FoundMemories, MemoryHit, Why
from ml_orchestrator.storage.memory_rows import agent_word, cleaned, kind_word
from ml_orchestrator.storage.schema import memory_past as past
from ml_orchestrator.storage.schema import memory_records as records
from ml_orchestrator.storage.statements import Statement
from ml_orchestrator.text import cut
from ml_orchestrator.text.words import query_words

__all__ = ["TEXTS", "Ranked", "candidates", "last_of_all", "meant", "search", "text_of"]

MAX_RANKED = 200
ENOUGH = 20  # records with every word, so that those with some are not looked for
MAX_EACH = 50  # records that one word, or two, bring
MAX_TEXT_CHARACTERS = 600
MAX_MERGED_SHOWN = 3
_LAST = Statement(select(func.max(records.c.seq)))
_MERGED = Statement(
    select(past)
    .where(past.c.became == bindparam("became"), past.c.how == literal("merged"))
    .order_by(past.c.created_at.desc(), past.c.id)
    .limit(literal(MAX_MERGED_SHOWN))
)
_CURSOR = re.compile(r"(\d{1,6})/(\d{1,18})/([0-9T:.+-]{20,40})")
_EQUAL = ("agent", "kind", "outcome", "area")
_Wanted: TypeAlias = tuple[list[str], dict[str, Any]]
TEXTS = {"task": "task_description", "insight": "insight", "knowledge": "statement"}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A row with its factors and the words of the query it holds."""

    row: Row[Any]
    payload: dict[str, Any]
    relevance: float
    recency: float
    weight: float
    usefulness: float
    words: Sequence[str]
    similarity: float | None = None

    @property
    def score(self) -> float:
        """The product of the factors."""
        return self.relevance * self.recency * self.weight * self.usefulness


def search(
    connection: Connection,
    query: str | None,
    filters: Filters,
    *,
    limit: int,
    cursor: str | None,
    now: str,
    meaning: Meaning | None = None,
) -> FoundMemories:
    """Return one page of the records that fit, best first; without a query, the newest.

    All pages of one search rank the same records at the same time: later ones do not shift it.

    Raises:
        InvalidInputError: the cursor is not one of ours.
    """
    offset, up_to, asked_at = _place(connection, cursor, now)
    words = [] if query is None else query_words(query)
    found: list[Ranked] = []
    if query is None or words:
        found = candidates(connection, words, filters, up_to=up_to, now=asked_at)
        if meaning is not None and query is not None:
            near = meaning.nearest(connection, query, *_conditions(filters, up_to, asked_at))
            found = _with_near(connection, found, near, words=words, now=asked_at)
        found.sort(key=_best_first if words else _newest_first)
    page = found[offset : offset + limit]
    end = offset + len(page)
    merged = _merged_into(connection, [hit.row.id for hit in page if hit.row.n_merged > 1])
    return FoundMemories(
        hits=[_hit(ranked, merged.get(ranked.row.id, [])) for ranked in page],
        n_ranked=len(found),
        words=words,
        next_cursor=f"{end}/{up_to}/{asked_at}" if end < len(found) else None,
    )


def _best_first(hit: Ranked) -> tuple[float, int]:
    return -hit.score, -hit.row.seq


def _newest_first(hit: Ranked) -> int:
    return -int(hit.row.seq)


def candidates(
    connection: Connection, words: Sequence[str], filters: Filters, *, up_to: int, now: str
) -> list[Ranked]:
    """Return up to ``MAX_RANKED`` records with their factors, in no order.

    Those that hold every word. If they are few, also the newest that hold one, or two that
    stand beside each other, and of all these the most relevant: a rare word brings all its
    records, a common one cannot bring thousands.
    """
    wanted = _conditions(filters, up_to, now)
    also = [kind_word(filters.kind)] if filters.kind else []
    also += [agent_word(filters.agent)] if filters.agent else []
    found = set(_newest(connection, [*words, *also], wanted, MAX_RANKED))
    if len(found) < ENOUGH and len(words) > 1:
        for some in [*((word,) for word in words), *pairwise(words)]:
            found.update(_newest(connection, [*some, *also], wanted, MAX_EACH))
    held = _words_of(connection, found)
    shares = dict(zip(held, relevances(words, list(held.values())), strict=True))
    best = sorted(held, key=lambda seq: (-shares[seq], -seq))[:MAX_RANKED]
    rows = connection.execute(select(records).where(records.c.seq.in_(best)))
    return [_ranked(row, held[row.seq], shares[row.seq], words=words, now=now) for row in rows]


def _with_near(
    connection: Connection,
    found: Sequence[Ranked],
    near: Mapping[int, float],
    *,
    words: Sequence[str],
    now: str,
) -> list[Ranked]:
    """Return what holds the words and what means the same; relevance is both ranks, fused."""
    by_words = sorted(found, key=lambda hit: (-hit.relevance, -hit.row.seq))
    known = {hit.row.seq: hit for hit in by_words}
    together = fused(list(known), sorted(near, key=lambda seq: (-near[seq], -seq)))
    best = sorted(together, key=lambda seq: (-together[seq], -seq))[:MAX_RANKED]
    other = [seq for seq in best if seq not in known]
    held = _words_of(connection, other)
    for row in connection.execute(select(records).where(records.c.seq.in_(other))):
        known[row.seq] = _ranked(row, held[row.seq], 0.0, words=words, now=now)
    return [
        replace(
            known[seq],
            relevance=round(together[seq], 4),
            similarity=round(near[seq], 4) if seq in near else None,
        )
        for seq in best
    ]


def _newest(
    connection: Connection, words: Sequence[str], wanted: _Wanted, limit: int
) -> Sequence[int]:
    """Return the numbers of the newest records that hold all of ``words``."""
    conditions, values = list(wanted[0]), {**wanted[1], "limit": limit}
    start, newest = "FROM memory_records", "memory_records.seq"
    if words and connection.dialect.name == "sqlite":
        # CROSS: go along the index, in the order it has anyway, and stop at the limit.
        start, newest = "FROM memory_search CROSS JOIN memory_records", "memory_search.rowid"
        conditions += ["memory_search MATCH :words", "memory_records.seq = memory_search.rowid"]
        values["words"] = " AND ".join(f'"{word}"' for word in words)
    elif words:
        conditions.append("lexemes @@ CAST(:words AS tsquery)")
        values["words"] = " & ".join(f"'{word}'" for word in words)
    query = (
        f"SELECT memory_records.seq {start} WHERE {' AND '.join(conditions)} "
        f"ORDER BY {newest} DESC LIMIT :limit"
    )
    return connection.scalars(text(query), values).all()


def _words_of(connection: Connection, seqs: Collection[int]) -> dict[int, set[str]]:
    query = select(records.c.seq, records.c.words).where(records.c.seq.in_(seqs))
    return {row.seq: set(row.words.split()) for row in connection.execute(query)}


def _ranked(
    row: Row[Any], held: set[str], relevance: float, *, words: Sequence[str], now: str
) -> Ranked:
    payload = json.loads(row.payload)
    return Ranked(
        row,
        payload,
        relevance=round(relevance, 4),
        recency=round(recency(row.created_at, now), 4),
        weight=round(weight(row.kind, payload), 4),
        usefulness=round(usefulness(row.n_helped, row.n_misled), 4),
        words=[word for word in words if word in held],
    )


def _conditions(filters: Filters, up_to: int, now: str) -> _Wanted:
    """Return conditions in SQL and the values they name."""
    conditions = ["memory_records.seq <= :up_to", "(expires_at IS NULL OR expires_at > :now)"]
    given = {
        **{f"{name} = :{name}": getattr(filters, name) for name in _EQUAL},
        "created_at >= :since": filters.since,
        "created_at < :until": filters.until,
    }
    conditions += [condition for condition, value in given.items() if value is not None]
    values = {name.partition(":")[2]: v for name, v in given.items() if v is not None}
    values = cleaned(values)[0]  # what is stored is, too
    return conditions, {**values, "up_to": up_to, "now": now}


def _place(connection: Connection, cursor: str | None, now: str) -> tuple[int, int, str]:
    if cursor is None:
        return 0, last_of_all(connection), now
    if (found := _CURSOR.fullmatch(cursor)) is None:
        raise InvalidInputError(
            f"{cursor[:60]!r} is no cursor of memory_search. Pass next_cursor of the page before "
            "as it is, or leave it out to start."
        )
    return int(found[1]), int(found[2]), found[3]


def text_of(ranked: Ranked, limit: int) -> str:
    """Return what a record says in at most ``limit`` characters; a cut text ends with …"""
    return cut(str(ranked.payload[TEXTS[ranked.row.kind]]), limit)


def meant(kind: str, payload: Mapping[str, Any]) -> str:
    """Return the text of a record that its meaning is taken from."""
    said = [payload.get("area") or payload.get("subject") or "", payload[TEXTS[kind]]]
    return " ".join(map(str, [*said, *payload.get("key_insights", [])])).strip()


def _merged_into(connection: Connection, ids: Sequence[str]) -> dict[str, list[Earlier]]:
    """Return the latest records that became each of ``ids``."""
    return {id_: _latest_merged(connection, id_) for id_ in ids}


def _latest_merged(connection: Connection, id_: str) -> list[Earlier]:
    rows = _MERGED.all(connection, {"became": id_})
    return [
        Earlier(
            record_id=row.id,
            at=row.created_at,
            session=row.session,
            tool=row.tool,
            source=row.source,
        )
        for row in rows
    ]


def _hit(ranked: Ranked, merged: list[Earlier]) -> MemoryHit:
    row, payload = ranked.row, ranked.payload
    return MemoryHit(
        record_id=row.id,
        kind=row.kind,
        agent=row.agent,
        at=row.created_at,
        text=text_of(ranked, MAX_TEXT_CHARACTERS),
        outcome=payload.get("outcome"),
        area=row.area,
        learnt=[cut(said, 200) for said in payload.get("key_insights", [])[:3]],
        impact=payload.get("impact"),
        confidence=payload.get("confidence"),
        source=payload.get("source"),
        flags=json.loads(row.flags) if row.flags else [],
        is_pinned=bool(row.is_pinned),
        n_merged=row.n_merged,
        first_at=row.first_at,
        merged=merged,
        score=round(ranked.score, 4),
        why=Why(
            relevance=ranked.relevance,
            recency=ranked.recency,
            weight=ranked.weight,
            usefulness=ranked.usefulness,
            words=list(ranked.words),
            similarity=ranked.similarity,
        ),
    )


def last_of_all(connection: Connection) -> int:
    """Return the number of the newest record there is; 0 without any."""
    return int(_LAST.scalar(connection) or 0)
