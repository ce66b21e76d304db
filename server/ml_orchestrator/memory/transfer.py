"""Memory as JSON: out of one store and into another, as often as wanted."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from ml_orchestrator.errors import ConflictError, InvalidInputError, NotFoundError
from ml_orchestrator.identity import canonical_agent, person
from ml_orchestrator.memory._files import FORMAT, VERSION, read_file
from ml_orchestrator.memory._given import (
    MALFORMED,
    Placed,
    check_object,
    origin_of,
    past_moment,
    said_of,
)
from ml_orchestrator.memory._recounting import count_removed, count_work_done
from ml_orchestrator.memory._restoring import Fate, restore
from ml_orchestrator.memory.context_origin import origin_of_context, read_origin
from ml_orchestrator.memory.limits import check_context
from ml_orchestrator.memory.origin_files import OriginFile
from ml_orchestrator.memory.requests import Origin
from ml_orchestrator.memory.times import moment
from ml_orchestrator.records import Record
from ml_orchestrator.storage.audit import audit
from ml_orchestrator.storage.engine import Database, timestamp
from ml_orchestrator.storage.memory_rows import cleaned
from ml_orchestrator.storage.schema import collaborations as pairs
from ml_orchestrator.storage.schema import memory_counts as counts
from ml_orchestrator.storage.schema import memory_past as past
from ml_orchestrator.storage.schema import memory_records as records
from ml_orchestrator.storage.schema import shared_context as context_table

__all__ = ["Imported", "export_memory", "import_memory"]

STEP = 200  # records in one transaction, so that other writers get their turn
_ORIGIN = ("session", "tool", "source")
_COUNTED = ("agent", "kind", "outcome", "n_removed", "latest")


class Imported(Record):
    """What an import did; what it could not read is named, the rest was stored.

    ``n_gone`` records were left out: they were forgotten here, have expired or were too much.
    """

    n_added: int
    n_known: int
    n_gone: int
    skipped: list[str]
    notes: list[str]


@dataclass(slots=True)
class _Tally:
    fates: Counter[Fate] = field(default_factory=Counter)
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
    one of these or an export of ours. Importing it again changes nothing, and brings nothing
    back that has expired here, was forgotten or was too much. Counts of collaborations, and of
    records that are gone, become the larger of both; a shared context is taken only if there is
    none.
    ``changed`` is told, in the transaction that did it, whose memory has changed.

    Raises:
        NotFoundError: there is no such path, or nothing in it.
        InvalidInputError: the file is none of memory. In a folder such a file is skipped.
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
            read, removed = read_file(file)
        except InvalidInputError as error:
            if file == path:
                raise InvalidInputError(f"{file.name}: {error} Nothing was imported.") from error
            tally.skipped.append(f"{file.name}: {error}")
        else:
            _import_file(database, file.name, read, removed, tally=tally, changed=changed)
    n_added, n_gone = tally.fates["added"], tally.fates["gone"]
    if n_added:
        told = {"n_added": n_added, "n_skipped": len(tally.skipped), "file": path.name}
        database.write(
            lambda c: audit(c, "memory.imported", actor=person(), subject="memory", **told)
        )
    if n_gone:
        tally.notes.append(_left_out(n_gone))
    return Imported(
        n_added=n_added,
        n_known=tally.fates["known"],
        n_gone=n_gone,
        skipped=tally.skipped,
        notes=tally.notes,
    )


def _left_out(n: int) -> str:
    were, them = ("1 record was", "it") if n == 1 else (f"{n:,} records were", "them")
    return (
        f"{were} left out: forgotten here, expired or too much. Save {them} anew to have {them} "
        "again."
    )


def _export(connection: Connection) -> dict[str, Any]:
    merged: dict[str, list[dict[str, Any]]] = {}
    ended = select(past).where(past.c.how == "merged").order_by(past.c.created_at, past.c.id)
    for row in connection.execute(ended):
        origin = {name: getattr(row, name) for name in _ORIGIN}
        merged.setdefault(row.became, []).append({"id": row.id, "at": row.created_at, **origin})
    rows = connection.execute(select(records).order_by(records.c.created_at, records.c.seq))
    context = connection.execute(select(context_table)).mappings().first()
    gone = select(counts).where(counts.c.n_removed > 0)
    gone = gone.order_by(counts.c.agent, counts.c.kind, counts.c.outcome)
    return {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": timestamp(),
        "records": [_exported(dict(row), merged) for row in rows.mappings()],
        "collaborations": [
            dict(row)
            for row in connection.execute(
                select(pairs).order_by(pairs.c.agent, pairs.c.collaborator, pairs.c.task_type)
            ).mappings()
        ],
        "removed": [
            {name: getattr(row, name) for name in _COUNTED} for row in connection.execute(gone)
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
    database: Database,
    name: str,
    read: OriginFile,
    removed: Sequence[Placed],
    *,
    tally: _Tally,
    changed: Callable[[Connection, str], None],
) -> None:
    """Store what was read of one file, in steps."""
    tally.notes += read.notes
    tally.skipped += [f"{name}: {said[:200]}" for said in read.skipped]
    origin = Origin(tool="import", source=f"import of {name}"[:200])
    ordered = sorted(read.items, key=_at)
    for first in range(0, len(ordered), STEP):
        step = ordered[first : first + STEP]
        done = database.write(
            partial(_restore_all, items=step, origin=origin, file=name, changed=changed)
        )
        tally.fates += done.fates
        tally.skipped += done.skipped
    for count, counted in ((count_work_done, read.cells), (count_removed, removed)):
        skipped = database.write(partial(count, cells=counted, changed=changed))
        tally.skipped += [f"{name}: {said}" for said in skipped]
    if read.context is not None:
        context = read.context
        tally.notes += database.write(lambda connection: _take_context(connection, context))


def _at(placed: Placed) -> str:
    item = placed[1]
    return moment(item.get("at")) or "" if isinstance(item, Mapping) else ""


def _restore_all(
    connection: Connection,
    items: Sequence[Placed],
    origin: Origin,
    file: str,
    changed: Callable[[Connection, str], None],
) -> _Tally:
    tally, agents = _Tally(), set()
    for place, item in items:
        try:
            check_object(item)
            check_object(item.get("payload", {}), "payload")
            fate = restore(connection, item, origin)
        except (InvalidInputError, ConflictError, *MALFORMED) as error:
            tally.skipped.append(f"{file}: {place}: {said_of(error)}")
            continue
        tally.fates[fate] += 1
        if fate == "added":
            agents.add(canonical_agent(str(item["agent"])))
    for agent in sorted(agents):
        changed(connection, agent)
    return tally


def _take_context(connection: Connection, context: Mapping[str, Any]) -> list[str]:
    if connection.execute(select(context_table.c.id)).first() is not None:
        return ["The shared context was left as it is: there is one already."]
    content = context.get("content") if isinstance(context, Mapping) else None
    if not isinstance(content, Mapping):
        return ["The shared context was left out. Its content is no JSON object."]
    try:
        check_context(content)
        origin = origin_of(context, Origin(tool="import"))
    except InvalidInputError as error:
        return [f"The shared context was left out. {error}"]
    now = timestamp()
    author = cleaned({"updated_by": str(context.get("updated_by") or "import")[:64]})[0]
    connection.execute(
        insert(context_table).values(
            id=1,
            revision=1,
            payload=json.dumps(cleaned(content)[0]),
            updated_at=past_moment(context.get("updated_at"), now) or now,
            updated_by=author["updated_by"][:64],
            origin=origin_of_context(1, origin),
        )
    )
    return []
