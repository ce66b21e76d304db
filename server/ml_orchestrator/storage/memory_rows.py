"""Rows of memory: what is found by search, counted and recognised, derived from a payload."""

import functools
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, text, update

from ml_orchestrator.storage.schema import memory_records as records
from ml_orchestrator.storage.statements import Statement
from ml_orchestrator.text import FLAGS, clean, flags_of_stored
from ml_orchestrator.text.words import near_key, words_of

__all__ = [
    "Findable",
    "add_to_search",
    "agent_word",
    "cleaned",
    "complete_keys",
    "complete_rows",
    "count",
    "create_search_index",
    "findable",
    "flags_within",
    "kind_word",
    "record_id",
    "remove_from_search",
    "stored_area",
]

MAX_NAME_CHARACTERS = 64
LONGEST_AREA = 160

# The words of a record are made by us, so both databases find the same. SQLite's index refers
# to the table: its words are not stored twice.
_SEARCH_INDEX = {
    "sqlite": (
        "CREATE VIRTUAL TABLE memory_search USING fts5("
        "words, content='memory_records', content_rowid='seq')",
    ),
    "postgresql": (
        "ALTER TABLE memory_records ADD COLUMN lexemes tsvector GENERATED ALWAYS AS "
        "(array_to_tsvector(string_to_array(words, ' '))) STORED",
        "CREATE INDEX ix_memory_lexemes ON memory_records USING gin (lexemes)",
    ),
}
_ADD = Statement(text("INSERT INTO memory_search (rowid, words) VALUES (:seq, :words)"))
_REMOVE = Statement(
    text("INSERT INTO memory_search (memory_search, rowid, words) VALUES ('delete', :seq, :words)")
)
_COUNT = Statement(
    text(
        "INSERT INTO memory_counts (agent, kind, outcome, n, latest) "
        "VALUES (:agent, :kind, :outcome, 1, :at) ON CONFLICT (agent, kind, outcome) DO UPDATE "
        "SET n = memory_counts.n + 1, latest = CASE WHEN excluded.latest > memory_counts.latest "
        "THEN excluded.latest ELSE memory_counts.latest END"
    )
)


@dataclass(frozen=True, slots=True)
class Findable:
    """What the columns of a record say about its payload."""

    outcome: str
    area: str | None
    words: str
    near_key: str | None  # None for tasks: what was done twice was done twice


def findable(kind: str, agent: str, payload: Mapping[str, Any]) -> Findable:
    """Return the columns of a payload of ``kind``: task, insight or knowledge."""
    if kind == "task":
        outcome, area = payload["outcome"], None
        said = [payload["task_description"], *payload["key_insights"]]
    elif kind == "insight":
        outcome, area = "", payload["area"]
        said = [area, payload["insight"]]
    else:
        outcome, area = "", payload["subject"]
        said = [area, payload["statement"]]
    words = " ".join(dict.fromkeys([*words_of(*said), kind_word(kind), agent_word(agent)]))
    key = None if kind == "task" else near_key([outcome, *said])
    return Findable(outcome, area and stored_area(area), words, key)


def stored_area(area: str) -> str:
    """Return a cleaned area or subject as its column holds it: no longer than that."""
    return area[:LONGEST_AREA]


def kind_word(kind: str) -> str:
    """Return the word every record of a kind has, so that the index knows kinds too."""
    return f"kind0{kind}"


def agent_word(agent: str) -> str:
    """Return the word every record of an agent has, so that the index knows agents too."""
    return f"agent0{hashlib.blake2b(agent.encode(), digest_size=6).hexdigest()}"


def record_id(kind: str, agent: str, identity: str) -> str:
    """Return the id of a record, the same for the same ``identity`` wherever it is stored."""
    digest = hashlib.blake2b("\0".join((kind, agent, identity)).encode(), digest_size=12)
    return f"{kind[0]}-{digest.hexdigest()}"


def cleaned(payload: Any) -> tuple[Any, list[str]]:
    """Return JSON content with its text cleaned, and the flags of all of it."""
    flags: dict[str, None] = {}

    def walk(part: Any) -> Any:
        if isinstance(part, str):
            found = clean(part)
            flags.update(dict.fromkeys(found.flags))
            return found.text
        if isinstance(part, Mapping):
            return {_name(key, flags): walk(value) for key, value in part.items()}
        if isinstance(part, Sequence):
            return [walk(value) for value in part]
        return part

    return walk(payload), list(flags)


def flags_within(content: Any) -> list[str]:
    """Return the flags of JSON content whose text was cleaned when it was stored."""
    if isinstance(content, str):
        return list(flags_of_stored(content))
    if isinstance(content, Mapping):
        parts: Iterable[Any] = (*content, *content.values())
    else:
        parts = content if isinstance(content, list) else ()
    found = {flag for part in parts for flag in flags_within(part)}
    return [flag for flag in FLAGS if flag in found]


def _name(key: Any, flags: dict[str, None]) -> Any:
    if not isinstance(key, str):
        return key
    found = _clean_name(key) if len(key) <= MAX_NAME_CHARACTERS else clean(key)
    flags.update(dict.fromkeys(found.flags))
    return found.text


_clean_name = functools.lru_cache(maxsize=1_024)(clean)  # most names are those of our fields


def create_search_index(connection: Connection) -> None:
    """Create the full-text index of memory."""
    for statement in _SEARCH_INDEX[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def add_to_search(connection: Connection, seq: int, words: str) -> None:
    """Let a stored record be found; Postgres does it by itself."""
    if connection.dialect.name == "sqlite":
        _ADD.change(connection, {"seq": seq, "words": words})


def remove_from_search(connection: Connection, seq: int, words: str) -> None:
    """Let a record that is being removed no longer be found."""
    if connection.dialect.name == "sqlite":
        _REMOVE.change(connection, {"seq": seq, "words": words})


def count(connection: Connection, agent: str, kind: str, outcome: str, at: str) -> None:
    """Count one record more."""
    row = {"agent": agent, "kind": kind, "outcome": outcome, "at": at}
    _COUNT.change(connection, row)


def complete_rows(connection: Connection) -> None:
    """Derive the columns of records that an earlier release stored with a payload alone."""
    ids: set[str] = set()
    for row in connection.execute(select(records).where(records.c.words.is_(None))).all():
        values = _completed(row)
        if values["id"] in ids:
            values["id"] = record_id(row.kind, row.agent, row.id)
        ids.add(values["id"])
        connection.execute(update(records).where(records.c.seq == row.seq).values(values))
        add_to_search(connection, row.seq, values["words"])
        count(connection, row.agent, row.kind, values["outcome"], row.created_at)


def complete_keys(connection: Connection) -> None:
    """Derive the keys of what says the same anew; ids stay."""
    columns = (records.c.seq, records.c.kind, records.c.agent, records.c.payload)
    keyed = select(*columns, records.c.near_key).where(records.c.near_key.is_not(None))
    changed = [
        {"at_seq": row.seq, "new_key": key}
        for row in connection.execute(keyed).all()
        if (key := findable(row.kind, row.agent, json.loads(row.payload)).near_key) != row.near_key
    ]
    if changed:
        change = update(records).where(records.c.seq == bindparam("at_seq"))
        connection.execute(change.values(near_key=bindparam("new_key")), changed)


def _completed(row: Row[Any]) -> dict[str, Any]:
    payload, flags = cleaned(json.loads(row.payload))
    found = findable(row.kind, row.agent, payload)
    identity = payload.get("task_id") or f"{found.near_key}@{payload.get('discovered_at')}"
    return {
        "id": record_id(row.kind, row.agent, identity),
        "payload": json.dumps(payload),
        "outcome": found.outcome,
        "area": found.area,
        "words": found.words,
        "near_key": found.near_key,
        "flags": json.dumps(flags) if flags else None,
        "tool": "memory_save",
        "first_at": row.created_at,
    }
