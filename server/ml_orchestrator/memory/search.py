"""Search in memory, the same on SQLite (FTS5) and Postgres (tsvector).

A query is data: it is taken apart into words by us, and no operator of either database
reaches it.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal_column, select, text

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.memory.ranking import recency, relevances, usefulness, weight
from ml_orchestrator.memory.requests import Filters
from ml_orchestrator.memory.search_models import FoundMemories, MemoryHit, Why
from ml_orchestrator.storage.schema import memory_records as records
from ml_orchestrator.text import cut
from ml_orchestrator.text.words import query_words

__all__ = ["TEXTS", "Ranked", "candidates", "search", "text_of"]

MAX_RANKED = 200
ENOUGH = 20  # records with every word, so that those with some are not looked for
MAX_TEXT_CHARACTERS = 600
_CURSOR = re.compile(r"(\d{1,6})/(\d{1,18})/([0-9T:.+-]{20,40})")
TEXTS = {"task": "task_description", "insight": "insight", "knowledge": "statement"}


@dataclass(frozen=True, slots=True)
class Ranked:
    """A row with its factors."""

    row: Row[Any]
    payload: dict[str, Any]
    why: Why

    @property
    def score(self) -> float:
        """The product of the factors."""
        return self.why.relevance * self.why.recency * self.why.weight * self.why.usefulness


def search(
    connection: Connection,
    query: str | None,
    filters: Filters,
    *,
    limit: int,
    cursor: str | None,
    now: str,
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
        found.sort(key=lambda hit: (-hit.score, -hit.row.seq))
    page = found[offset : offset + limit]
    end = offset + len(page)
    return FoundMemories(
        hits=[_hit(ranked) for ranked in page],
        n_ranked=len(found),
        words=words,
        next_cursor=f"{end}/{up_to}/{asked_at}" if end < len(found) else None,
    )


def candidates(
    connection: Connection, words: Sequence[str], filters: Filters, *, up_to: int, now: str
) -> list[Ranked]:
    """Return up to ``MAX_RANKED`` records with their factors, in no order.

    Those that hold every word, newest first; if they are few, the best of those that hold some.
    """
    wanted = [records.c.seq <= up_to, *_conditions(filters, now)]
    rows = connection.execute(_query(connection, words, " AND ", wanted)).all()
    if len(rows) < ENOUGH and len(words) > 1:
        known = {row.seq for row in rows}
        some = connection.execute(_query(connection, words, " OR ", wanted)).all()
        rows = [*rows, *(row for row in some if row.seq not in known)][:MAX_RANKED]
    held = [set((row.words or "").split()) for row in rows]
    shares = relevances(words, held)
    return [_ranked(*each, words=words, now=now) for each in zip(rows, held, shares, strict=True)]


def _ranked(
    row: Row[Any], held: set[str], relevance: float, *, words: Sequence[str], now: str
) -> Ranked:
    payload = json.loads(row.payload)
    why = Why(
        relevance=round(relevance, 4),
        recency=round(recency(row.created_at, now), 4),
        weight=round(weight(row.kind, payload), 4),
        usefulness=round(usefulness(row.n_helped, row.n_misled), 4),
        words=[word for word in words if word in held],
    )
    return Ranked(row, payload, why)


def _query(
    connection: Connection,
    words: Sequence[str],
    joined: str,
    wanted: Sequence[ColumnElement[bool]],
) -> Select[Any]:
    query = select(records).where(*wanted).limit(MAX_RANKED)
    if not words:
        return query.order_by(records.c.created_at.desc(), records.c.seq.desc())
    if connection.dialect.name == "sqlite":
        match = joined.join(f'"{word}"' for word in words)
        query = query.join(
            text("memory_search"), literal_column("memory_search.rowid") == records.c.seq
        )
        query = query.where(text("memory_search MATCH :match").bindparams(match=match))
        rank: ColumnElement[Any] = literal_column("memory_search.rank")
    else:
        sign = {" AND ": " & ", " OR ": " | "}[joined]
        match = sign.join(f"'{word}'" for word in words)
        query = query.where(text("lexemes @@ CAST(:match AS tsquery)").bindparams(match=match))
        rank = literal_column("-ts_rank(lexemes, CAST(:match AS tsquery))")
    newest = records.c.seq.desc()
    return query.order_by(newest) if joined == " AND " else query.order_by(rank, newest)


def _conditions(filters: Filters, now: str) -> list[ColumnElement[bool]]:
    row = records.c
    found: list[ColumnElement[bool]] = [row.expires_at.is_(None) | (row.expires_at > now)]
    for name in ("agent", "kind", "outcome", "area"):
        if (value := getattr(filters, name)) is not None:
            found.append(row[name] == value)
    if filters.since is not None:
        found.append(row.created_at >= filters.since)
    if filters.until is not None:
        found.append(row.created_at < filters.until)
    return found


def _place(connection: Connection, cursor: str | None, now: str) -> tuple[int, int, str]:
    if cursor is None:
        return 0, connection.scalar(select(func.max(records.c.seq))) or 0, now
    if (found := _CURSOR.fullmatch(cursor)) is None:
        raise InvalidInputError(
            f"{cursor[:60]!r} is no cursor of memory_search. Pass next_cursor of the page before "
            "as it is, or leave it out to start."
        )
    return int(found[1]), int(found[2]), found[3]


def text_of(ranked: Ranked, limit: int) -> str:
    """Return what a record says in at most ``limit`` characters; a cut text ends with …"""
    return cut(str(ranked.payload[TEXTS[ranked.row.kind]]), limit)


def _hit(ranked: Ranked) -> MemoryHit:
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
        score=round(ranked.score, 4),
        why=ranked.why,
    )
