"""Memory as JSON: out of one store and into another, as often as wanted."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, insert, select, update

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.faults import faults_of
from ml_orchestrator.identity import canonical_agent
from ml_orchestrator.memory._rows import MODELS, NewRecord, Predecessor, add, id_of, survivor
from ml_orchestrator.memory.context_origin import origin_of_context, read_origin
from ml_orchestrator.memory.limits import check_context, refuse_beyond_limits
from ml_orchestrator.memory.models import Remembered
from ml_orchestrator.memory.origin_files import OriginFile, read_agent_file, read_context_file
from ml_orchestrator.memory.requests import UNKNOWN, Origin
from ml_orchestrator.memory.times import moment
from ml_orchestrator.records import Record
from ml_orchestrator.storage.agents import note_agent
from ml_orchestrator.storage.collaborations import LONGEST_TASK_TYPE
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.memory_rows import cleaned, findable
from ml_orchestrator.storage.schema import collaborations as pairs
from ml_orchestrator.storage.schema import memory_past as past
from ml_orchestrator.storage.schema import memory_records as records
from ml_orchestrator.storage.schema import shared_context as context_table

__all__ = ["Imported", "export_memory", "import_memory", "restore"]

FORMAT = "ml-orchestrator-memory"
STEP = 200  # records in one transaction, so that other writers get their turn
_MALFORMED = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_ID = re.compile("[a-z]-[0-9a-f]{24}")
_ORIGIN = ("session", "tool", "source")
_LONGEST = {"tool": 32, "session": 80, "source": 200}  # characters
_MOST = 1_000_000_000  # that something was counted
_OWN_FIELDS = frozenset(Remembered.model_fields)


class Imported(Record):
    """What an import did; what it could not read is named, the rest was stored."""

    n_added: int
    n_known: int
    skipped: list[str]
    notes: list[str]


@dataclass(slots=True)
class _Tally:
    n_added: int = 0
    n_known: int = 0
    skipped: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def export_memory(database: Database) -> dict[str, Any]:
    """Return all that is remembered, with its provenance, as JSON content."""
    return database.read(_export)


def import_memory(
    database: Database, path: Path, *, changed: Callable[[Connection, str], None] = lambda *_: None
) -> Imported:
    """Store what a file or a folder holds and the store does not know.

    A folder is one of the origin's (``agents/*.json`` and ``shared_context.json``), a file is
    one of these or an export of ours. Importing it again changes nothing. Counts of
    collaborations become the larger of both; a shared context is taken only if there is none.
    ``changed`` is told, in the transaction that did it, whose memory has changed.

    Raises:
        NotFoundError: there is no such path, or nothing in it.
    """
    files = sorted([*path.glob("agents/*.json"), *path.glob("*.json")]) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise NotFoundError(
            f"No memory at {path}. Give a file that `memory export` wrote, or a folder with "
            "agents/*.json or shared_context.json in it."
        )
    tally = _Tally()
    for file in files:
        try:
            _import_file(database, file, tally, changed)
        except (OSError, *_MALFORMED) as error:
            tally.skipped.append(f"{file.name}: {type(error).__name__}: {str(error)[:200]}")
    return Imported(
        n_added=tally.n_added, n_known=tally.n_known, skipped=tally.skipped, notes=tally.notes
    )


def restore(connection: Connection, item: Mapping[str, Any], origin: Origin) -> bool:
    """Store one record as ``export_memory`` gives it; False if it is known.

    Raises:
        InvalidInputError: it is not such a record.
    """
    kind, agent, payload = _checked(item)
    payload = cleaned(payload)[0]
    refuse_beyond_limits(kind, payload)
    now = timestamp()
    at = moment(item.get("at")) or now
    id_ = id_of(kind, agent, payload, findable(kind, agent, payload).near_key)
    if survivor(connection, id_) is not None:
        return False
    new = NewRecord(
        kind,
        agent,
        payload,
        at,
        _origin(item, origin),
        is_pinned=bool(item.get("is_pinned", False)),
        expires_at=moment(item.get("expires_at")),
        n_merged=_number(item, "n_merged", least=1),
        first_at=moment(item.get("first_at")),
        n_helped=_number(item, "n_helped"),
        n_misled=_number(item, "n_misled"),
        flags=tuple(item.get("flags", ())),
        merged=_merged(item, at),
    )
    note_agent(connection, agent)
    added = add(connection, new, now=now)
    _note_merged(connection, new, added.id, now)
    return True


def _export(connection: Connection) -> dict[str, Any]:
    merged: dict[str, list[dict[str, Any]]] = {}
    ended = select(past).where(past.c.how == "merged").order_by(past.c.created_at, past.c.id)
    for row in connection.execute(ended):
        origin = {name: getattr(row, name) for name in _ORIGIN}
        merged.setdefault(row.became, []).append({"id": row.id, "at": row.created_at, **origin})
    rows = connection.execute(select(records).order_by(records.c.created_at, records.c.seq))
    context = connection.execute(select(context_table)).mappings().first()
    return {
        "format": FORMAT,
        "version": 1,
        "exported_at": timestamp(),
        "records": [_exported(dict(row), merged) for row in rows.mappings()],
        "collaborations": [
            dict(row)
            for row in connection.execute(
                select(pairs).order_by(pairs.c.agent, pairs.c.collaborator, pairs.c.task_type)
            ).mappings()
        ],
        "shared_context": context
        and {
            "content": json.loads(context["payload"]),
            "updated_at": context["updated_at"],
            "updated_by": context["updated_by"],
            **read_origin(context["origin"], context["revision"]),
        },
    }


def _exported(
    row: Mapping[str, Any], merged: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    names = (*_ORIGIN, "expires_at", "n_merged", "first_at")
    return {
        "id": row["id"],
        "kind": row["kind"],
        "agent": row["agent"],
        "at": row["created_at"],
        "payload": json.loads(row["payload"]),
        "flags": json.loads(row["flags"] or "[]"),
        **{name: row[name] for name in names},
        "is_pinned": bool(row["is_pinned"]),
        "n_helped": row["n_helped"],
        "n_misled": row["n_misled"],
        "merged": list(merged.get(row["id"], [])),
    }


def _import_file(
    database: Database, file: Path, tally: _Tally, changed: Callable[[Connection, str], None]
) -> None:
    content = json.loads(file.read_text(encoding="utf-8"))
    origin = Origin(tool="import", source=f"import of {file.name}"[:200])
    if content.get("format") == FORMAT:
        items, counted = content["records"], content.get("collaborations", [])
        context = content.get("shared_context")
    elif "inter_agent_messages" in content or "project_context" in content:
        items, counted, context = _read(read_context_file(content), file, tally)
    else:
        items, counted, context = _read(read_agent_file(content), file, tally)
    ordered = sorted(items, key=_at)
    for first in range(0, len(ordered), STEP):
        step = ordered[first : first + STEP]
        restored = partial(_restore_all, items=step, origin=origin, file=file.name, changed=changed)
        done = database.write(restored)
        tally.n_added += done.n_added
        tally.n_known += done.n_known
        tally.skipped += done.skipped
    counting = partial(_count_all, cells=counted, file=file.name, changed=changed)
    tally.skipped += database.write(counting)
    if context is not None:
        tally.notes += database.write(lambda connection: _take_context(connection, context))


def _read(
    found: OriginFile, file: Path, tally: _Tally
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any] | None]:
    """Note what could not be read of one of the origin's files, and return the rest."""
    tally.notes += found.notes
    tally.skipped += [f"{file.name}: {said[:200]}" for said in found.skipped]
    return found.items, found.cells, found.context


def _at(item: object) -> str:
    return moment(item.get("at")) or "" if isinstance(item, Mapping) else ""


def _restore_all(
    connection: Connection,
    items: Sequence[Mapping[str, Any]],
    origin: Origin,
    file: str,
    changed: Callable[[Connection, str], None],
) -> _Tally:
    tally, agents = _Tally(), set()
    for item in items:
        try:
            is_new = restore(connection, item, origin)
        except (InvalidInputError, *_MALFORMED) as error:
            tally.skipped.append(f"{file}: {str(error)[:200]}")
            continue
        tally.n_added += is_new
        tally.n_known += not is_new
        if is_new:
            agents.add(canonical_agent(str(item["agent"])))
    for agent in sorted(agents):
        changed(connection, agent)
    return tally


def _checked(item: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """Return kind, agent and payload of a record, the payload without anything unknown."""
    kind = str(item.get("kind"))
    if kind not in MODELS:
        raise InvalidInputError(f"A record has the kind {kind!r}; known: {', '.join(MODELS)}.")
    saved_by = {"agent": "", "session": None, "tool": None, "source": None, "at": ""}
    try:
        agent = canonical_agent(str(item.get("agent")))
        found = MODELS[kind].model_validate(
            {**item["payload"], "record_id": "", "saved_by": saved_by}
        )
    except ValidationError as error:
        faults = faults_of(error.errors())
        raise InvalidInputError(f"A {kind} cannot be stored: {faults}.") from error
    return kind, agent, found.model_dump(exclude=set(_OWN_FIELDS))


def _origin(item: Mapping[str, Any], origin: Origin) -> Origin:
    """Return where a record comes from; what names it is text of others, and short."""
    named = {name: item.get(name, getattr(origin, name)) for name in _LONGEST}
    for name, value in named.items():
        if value is not None and not (isinstance(value, str) and len(value) <= _LONGEST[name]):
            raise InvalidInputError(
                f"A record has the {name} {str(value)[:80]!r}; text of at most {_LONGEST[name]} "
                "characters is taken."
            )
    return Origin(**cleaned(named)[0])


def _number(item: Mapping[str, Any], name: str, *, least: int = 0) -> int:
    return min(max(least, int(item.get(name, least))), _MOST)


def _merged(item: Mapping[str, Any], at: str) -> dict[str, Predecessor]:
    """Return by their ids the records that one took the place of.

    Exports of earlier releases have ``merged_ids`` alone: then the time is not known, only that
    it is not after ``at``.
    """
    found = {}
    for entry in item.get("merged", item.get("merged_ids", ())):
        known = {"id": entry} if isinstance(entry, str) else entry
        if _ID.fullmatch(id_ := known["id"]):
            when = moment(known.get("at")) or at
            found[id_] = Predecessor(id_, when, _origin(known, UNKNOWN))
    return found


def _note_merged(connection: Connection, new: NewRecord, became: str, now: str) -> None:
    known = set(connection.scalars(select(past.c.id).where(past.c.id.in_(new.merged))))
    for id_ in sorted(new.merged.keys() - known - {became}):
        before = new.merged[id_]
        connection.execute(
            insert(past).values(
                id=id_,
                became=became,
                how="merged",
                created_at=before.at,
                session=before.origin.session,
                tool=before.origin.tool,
                source=before.origin.source,
                removed_at=now,
                removed_by=new.agent,
            )
        )


def _count_all(
    connection: Connection, cells: object, file: str, changed: Callable[[Connection, str], None]
) -> list[str]:
    """Count what agents did together; return what was skipped, each with its place."""
    if not isinstance(cells, list):
        return [f"{file}: The collaborations are no list."]
    skipped, agents = [], set()
    for place, cell in enumerate(cells):
        try:
            counted = _cell(cell)
        except (InvalidInputError, *_MALFORMED) as error:
            said = str(error) if isinstance(error, InvalidInputError) else repr(error)
            skipped.append(f"{file}: collaborations[{place}]: {said[:200]}")
            continue
        if counted["successes"] + counted["failures"] and _count(connection, counted):
            agents.add(counted["agent"])
    for agent in sorted(agents):
        changed(connection, agent)
    return skipped


def _cell(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "agent": canonical_agent(cell["agent"]),
        "collaborator": canonical_agent(cell["collaborator"]),
        "task_type": cleaned(str(cell["task_type"]))[0][:LONGEST_TASK_TYPE],
        "successes": _number(cell, "successes"),
        "failures": _number(cell, "failures"),
        "last_at": moment(cell.get("last_at")) or timestamp(),
    }


def _count(connection: Connection, cell: Mapping[str, Any]) -> bool:
    """Make the counts of a pair the larger of both; False if they were."""
    here = [pairs.c[name] == cell[name] for name in ("agent", "collaborator", "task_type")]
    known = connection.execute(select(pairs).where(*here)).first()
    if known is None:
        connection.execute(insert(pairs).values(cell))
        return True
    larger = {
        "successes": max(cell["successes"], known.successes),
        "failures": max(cell["failures"], known.failures),
        "last_at": max(cell["last_at"], known.last_at),
    }
    if all(getattr(known, name) == value for name, value in larger.items()):
        return False
    connection.execute(update(pairs).where(*here).values(larger))
    return True


def _take_context(connection: Connection, context: Mapping[str, Any]) -> list[str]:
    if connection.execute(select(context_table.c.id)).first() is not None:
        return ["The shared context was left as it is: there is one already."]
    content = context["content"]
    if not isinstance(content, Mapping):
        return ["The shared context was left out. Its content is no JSON object."]
    try:
        check_context(content)
        origin = _origin(context, Origin(tool="import"))
    except InvalidInputError as error:
        return [f"The shared context was left out. {error}"]
    author = cleaned({"updated_by": str(context.get("updated_by") or "import")[:64]})[0]
    connection.execute(
        insert(context_table).values(
            id=1,
            revision=1,
            payload=json.dumps(cleaned(content)[0]),
            updated_at=moment(context.get("updated_at")) or timestamp(),
            updated_by=author["updated_by"][:64],
            origin=origin_of_context(1, origin),
        )
    )
    return []
