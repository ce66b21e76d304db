"""The audit log: who decided or changed what others rely on, as a chain of hashes.

An entry is written in the transaction that makes the change: both are there or neither. Each
holds the SHA-256 digest of the one before, so whoever changes, adds or takes away an entry in the
middle has to make every later one anew. Whoever can write the database can do even that; a digest
that was noted elsewhere shows it (``verify`` with ``noted``).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from ml_orchestrator.storage.engine import timestamp
from ml_orchestrator.storage.schema import audit_log as table

__all__ = ["FIRST", "AuditEntry", "Verified", "audit", "audit_entries", "verify_audit"]

FIRST = "0" * 64  # what the first entry follows
STEP = 1_000  # entries read at once
LONGEST_ACTOR, LONGEST_SUBJECT = 64, 300


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry; ``details`` is an object whose keys depend on ``act``."""

    seq: int
    at: str
    actor: str
    act: str
    subject: str
    details: Mapping[str, Any]
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at the whole chain found.

    Attributes:
        n_entries: How many there are.
        head: Digest of the last; sixty-four zeros without any.
        fault: What is wrong at the first place where something is; None if the chain holds.
        noted_at: Number of the entry whose digest was noted elsewhere; None if none was given or
            none has it.
    """

    n_entries: int
    head: str
    fault: str | None
    noted_at: int | None


def audit(connection: Connection, act: str, *, actor: str, subject: str, **details: Any) -> None:
    """Write an entry in the caller's write transaction, where one writes at a time.

    Args:
        connection: Of ``Database.write``.
        act: What was done, such as ``alias.applied``.
        actor: The agent or person who did it.
        subject: To what, such as ``alias:churn@production``.
        details: What else matters; JSON. No secrets.
    """
    last = connection.execute(
        select(table.c.seq, table.c.digest).order_by(table.c.seq.desc()).limit(1)
    ).first()
    told = {name: value for name, value in details.items() if value is not None}
    values: dict[str, Any] = {
        "seq": 1 if last is None else last.seq + 1,
        "at": timestamp(),
        "actor": actor[:LONGEST_ACTOR],
        "act": act,
        "subject": subject[:LONGEST_SUBJECT],
        "details": json.dumps(told, sort_keys=True),
        "previous": FIRST if last is None else last.digest,
    }
    connection.execute(insert(table).values(**values, digest=_digest(values)))


def audit_entries(
    connection: Connection, *, limit: int, subject: str | None = None, actor: str | None = None
) -> list[AuditEntry]:
    """Return the last ``limit`` entries, oldest first; of one subject or actor where named."""
    asked = [
        column == wanted
        for column, wanted in ((table.c.subject, subject), (table.c.actor, actor))
        if wanted is not None
    ]
    query = select(table).where(*asked).order_by(table.c.seq.desc()).limit(limit)
    return [_entry(row) for row in reversed(connection.execute(query).all())]


def verify_audit(connection: Connection, *, noted: str | None = None) -> Verified:
    """Walk the whole chain, in the caller's snapshot, and return whether it holds.

    Args:
        connection: Of ``Database.read``.
        noted: A digest that was noted elsewhere; the chain must still contain it.
    """
    head, n_entries, noted_at = FIRST, 0, None
    for row in _all(connection):
        if (fault := _fault(row, number=n_entries + 1, previous=head)) is not None:
            return Verified(n_entries, head, fault, noted_at)
        head, n_entries = row.digest, n_entries + 1
        if noted is not None and head == noted.lower():
            noted_at = n_entries
    fault = None
    if noted is not None and noted_at is None:
        fault = (
            f"No entry has the digest {noted[:64]}: the log was cut or written anew since that "
            "was noted, or it is of another data directory."
        )
    return Verified(n_entries, head, fault, noted_at)


def _all(connection: Connection) -> Iterator[Row[Any]]:
    seq: int | None = None
    while True:
        query = select(table).order_by(table.c.seq).limit(STEP)
        rows = connection.execute(query if seq is None else query.where(table.c.seq > seq)).all()
        yield from rows
        if len(rows) < STEP:
            return
        seq = rows[-1].seq


def _fault(row: Row[Any], *, number: int, previous: str) -> str | None:
    if row.seq != number:
        return f"Entry {number} is missing: entry {row.seq} stands in its place."
    if row.previous != previous:
        return f"Entry {number} does not follow the entry before it: one of them was exchanged."
    if row.digest != _digest(row._mapping):
        return f"Entry {number} was changed: its digest is not that of what it says."
    return None


def _digest(values: Mapping[Any, Any]) -> str:
    names = ("seq", "at", "actor", "act", "subject", "details", "previous")
    content = json.dumps([values[name] for name in names])
    return hashlib.sha256(content.encode()).hexdigest()


def _entry(row: Row[Any]) -> AuditEntry:
    return AuditEntry(**{**row._mapping, "details": json.loads(row.details)})
