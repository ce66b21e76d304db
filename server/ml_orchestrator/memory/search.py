"""Search in memory: pages of what ``candidates`` found, with why each record is there."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any

from sqlalchemy import Connection, Row, bindparam, literal, select

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.faults import near
from ml_orchestrator.memory.candidates import (
    Ranked,
    candidates,
    conditions,
    last_of_all,
    whole,
    with_near,
)
from ml_orchestrator.memory.meaning import Meaning
from ml_orchestrator.memory.requests import Filters
from ml_orchestrator.memory.search_models import Earlier, FoundMemories, MemoryHit, Why
from ml_orchestrator.storage.agents import known_agents
from ml_orchestrator.storage.page_marks import mark_of
from ml_orchestrator.storage.schema import memory_past as past
from ml_orchestrator.storage.statements import Statement
from ml_orchestrator.text import cut
from ml_orchestrator.text.words import query_words

__all__ = ["TEXTS", "meant", "search", "text_of", "wanted_query"]

MAX_TEXT_CHARACTERS = 600
MAX_MERGED_SHOWN = 3
MAX_NAMED = 20  # agents, in a notice
_MERGED = Statement(
    select(past)
    .where(past.c.became == bindparam("became"), past.c.how == literal("merged"))
    .order_by(past.c.created_at.desc(), past.c.id)
    .limit(literal(MAX_MERGED_SHOWN))
)
_CURSOR = re.compile(r"([0-9]{1,6})/([0-9]{1,18})/([0-9T:.+-]{20,40})/([0-9a-f]{8})")
TEXTS = {"task": "task_description", "insight": "insight", "knowledge": "statement"}


def wanted_query(query: str | None) -> str | None:
    """Return what to look for; None, which is everything, if that is blank.

    Raises:
        InvalidInputError: no word is in it.
    """
    if query is None or not query.strip():
        return None
    if not query_words(query):
        raise InvalidInputError(
            f"Nothing in the query {query[:80]!r} can be looked for: no letter, digit or emoji. "
            "Give words, or leave query out for the newest records."
        )
    return query


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

    Args:
        query: As ``wanted_query`` returns it.

    Raises:
        InvalidInputError: the cursor is not one of ours, or not of this search.
    """
    mark = mark_of(query, *astuple(filters))
    offset, up_to, asked_at = _place(connection, cursor, mark, now)
    words = [] if query is None else query_words(query)
    found = candidates(connection, words, filters, up_to=up_to, now=asked_at)
    if meaning is not None and query is not None:
        alike = meaning.nearest(connection, query, *conditions(filters, up_to, asked_at))
        found = with_near(connection, found, alike, now=asked_at)
    found.sort(key=_best_first if words else _newest_first)
    page = found[offset : offset + limit]
    end = offset + len(page)
    rows = whole(connection, page)
    merged = _merged_into(connection, [row.id for row in rows.values() if row.n_merged > 1])
    return FoundMemories(
        hits=[_hit(ranked, rows[ranked.row.seq], words, merged) for ranked in page],
        n_ranked=len(found),
        words=words,
        next_cursor=f"{end}/{up_to}/{asked_at}/{mark}" if end < len(found) else None,
        notices=[] if found else _notices(connection, filters.agent),
    )


def _notices(connection: Connection, agent: str | None) -> list[str]:
    """Say why nothing was found, if that is since nobody has the name that was asked for."""
    if agent is None or agent in (known := known_agents(connection)):
        return []
    return [
        f"No agent named {agent!r}{near(agent, known)} is known here; known: "
        f"{', '.join(sorted(known)[:MAX_NAMED])}."
    ]


def _best_first(hit: Ranked) -> tuple[float, int]:
    return -hit.score, -hit.row.seq


def _newest_first(hit: Ranked) -> int:
    return -int(hit.row.seq)


def _place(connection: Connection, cursor: str | None, mark: str, now: str) -> tuple[int, int, str]:
    if cursor is None:
        return 0, last_of_all(connection), now
    if (found := _CURSOR.fullmatch(cursor)) is None:
        raise InvalidInputError(
            f"{cursor[:60]!r} is no cursor of memory_search. Pass next_cursor of the page before "
            "as it is, or leave it out to start."
        )
    if found[4] != mark:
        raise InvalidInputError(
            f"Cursor {cursor!r} is of a search for something else. Pass it with the query and "
            "filters of the page before, or leave it out to start."
        )
    return int(found[1]), int(found[2]), found[3]


def text_of(kind: str, payload: Mapping[str, Any], limit: int) -> str:
    """Return what a record says in at most ``limit`` characters; a cut text ends with …"""
    return cut(str(payload[TEXTS[kind]]), limit)


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


def _hit(
    ranked: Ranked, row: Row[Any], words: Sequence[str], merged: Mapping[str, list[Earlier]]
) -> MemoryHit:
    payload, held = json.loads(row.payload), set(row.words.split())
    return MemoryHit(
        record_id=row.id,
        kind=row.kind,
        agent=row.agent,
        at=row.created_at,
        text=text_of(row.kind, payload, MAX_TEXT_CHARACTERS),
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
        merged=merged.get(row.id, []),
        score=round(ranked.score, 4),
        why=Why(
            relevance=ranked.relevance,
            recency=ranked.recency,
            weight=ranked.weight,
            usefulness=ranked.usefulness,
            words=[word for word in words if word in held],
            similarity=ranked.similarity,
        ),
    )
