"""Forgetting: a little by itself with every save, and on request by a plan."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, literal, select

from ml_orchestrator.errors import ConflictError, InvalidInputError
from ml_orchestrator.faults import each_near
from ml_orchestrator.memory._rows import find, remove
from ml_orchestrator.memory.forget_models import Forgetting, Forgotten, PlannedRecord
from ml_orchestrator.memory.ranking import usefulness, weight
from ml_orchestrator.memory.requests import Selection
from ml_orchestrator.memory.search import TEXTS
from ml_orchestrator.storage.agents import known_agents
from ml_orchestrator.storage.schema import memory_counts as counts
from ml_orchestrator.storage.schema import memory_records as records
from ml_orchestrator.storage.statements import Statement
from ml_orchestrator.text import cut

__all__ = ["carry_out", "plan", "tidy"]

STEP = 20  # records that one save removes at most
CHOICE = 8  # of so many of the oldest the least useful goes
MAX_FORGOTTEN = 200  # records that one plan holds
KEEPER = "retention"
_EXPIRED = Statement(
    select(records).where(records.c.expires_at <= bindparam("now")).limit(literal(STEP))
)
_TOTAL = Statement(
    select(func.sum(counts.c.n)).where(
        counts.c.agent == bindparam("agent"), counts.c.kind == bindparam("kind")
    )
)


def tidy(
    connection: Connection, agent: str, kinds: Iterable[str], *, max_records: int, now: str
) -> None:
    """Remove a few records that have expired, and a few of ``agent`` beyond the limit of a kind.

    Beyond the limit goes, of the oldest that are not pinned, the least useful. How often tasks
    succeeded stays known: removed records stay counted.
    """
    for row in _EXPIRED.all(connection, {"now": now}):
        remove(connection, row, how="expired", by=KEEPER, now=now)
    for kind in kinds:
        over = _total(connection, agent, kind) - max_records
        for row in _least(connection, agent, kind, min(over, STEP)):
            remove(connection, row, how="limit", by=KEEPER, now=now)


def plan(connection: Connection, selection: Selection) -> Forgetting:
    """Return what forgetting a selection would do.

    Raises:
        InvalidInputError: nothing was selected.
    """
    return _plan(connection, selection)[0]


def carry_out(
    connection: Connection,
    selection: Selection,
    *,
    digest: str,
    actor: str,
    reason: str,
    now: str,
) -> Forgotten:
    """Forget what was planned, if it is still the same.

    Where nothing fits nothing is done, and the effects of the plan say why.

    Raises:
        ConflictError: memory has changed, so that other records would go.
    """
    current, rows = _plan(connection, selection)
    if current.digest != digest:
        raise ConflictError(
            f"The plan {digest[:12]!r} is not what would be forgotten now. "
            "Call memory_forget again with dry_run, look at the plan, and pass its digest."
        )
    if not rows:
        return Forgotten(plan=current, is_done=False)
    for row in rows:
        remove(connection, row, how="forgotten", by=actor, now=now, reason=reason)
    return Forgotten(plan=current, is_done=True, forgotten_at=now)


def _total(connection: Connection, agent: str, kind: str) -> int:
    return int(_TOTAL.scalar(connection, {"agent": agent, "kind": kind}) or 0)


def _least(connection: Connection, agent: str, kind: str, n: int) -> list[Row[Any]]:
    if n <= 0:
        return []
    oldest = (
        select(records)
        .where(records.c.agent == agent, records.c.kind == kind, records.c.is_pinned == 0)
        .order_by(records.c.created_at, records.c.seq)
        .limit(n * CHOICE)
    )
    return sorted(connection.execute(oldest).all(), key=_worth)[:n]


def _worth(row: Row[Any]) -> tuple[float, int]:
    worth = weight(row.kind, json.loads(row.payload)) * usefulness(row.n_helped, row.n_misled)
    return worth, row.seq


def _plan(connection: Connection, selection: Selection) -> tuple[Forgetting, list[Row[Any]]]:
    rows, unknown = _selected(connection, selection)
    rows, beyond = rows[:MAX_FORGOTTEN], rows[MAX_FORGOTTEN:]
    has_more = any(selection.with_pinned or not row.is_pinned for row in beyond)
    pinned = [row for row in rows if row.is_pinned and not selection.with_pinned]
    going = [row for row in rows if row not in pinned]
    strangers = [] if rows else _strangers(connection, selection)
    plan = Forgetting(
        records=[_planned(row) for row in going],
        pinned=[row.id for row in pinned],
        unknown=unknown,
        effects=[*_effects(connection, going), *_notes(len(going), len(pinned)), *strangers],
        has_more=has_more,
        digest=_digest(going),
    )
    return plan, going


def _selected(connection: Connection, selection: Selection) -> tuple[list[Row[Any]], list[str]]:
    if selection.record_ids:
        found = {id_: find(connection, id_) for id_ in dict.fromkeys(selection.record_ids)}
        rows = [row for row in found.values() if row is not None]
        return rows, [id_ for id_, row in found.items() if row is None]
    row = records.c
    given = ((row.agent, selection.of_agent), (row.kind, selection.kind))
    wanted = [column == value for column, value in given if value is not None]
    if selection.before is not None:
        wanted.append(row.created_at < selection.before)
    if not wanted:
        raise InvalidInputError(
            "Nothing was selected. Give record_ids, or at least one of of_agent, kind and before."
        )
    stays = () if selection.with_pinned else (row.is_pinned,)  # what stays comes last
    query = select(records).where(*wanted).order_by(*stays, row.created_at, row.seq)
    return list(connection.execute(query.limit(MAX_FORGOTTEN + 1))), []


def _planned(row: Row[Any]) -> PlannedRecord:
    said = str(json.loads(row.payload)[TEXTS[row.kind]])
    return PlannedRecord(
        record_id=row.id,
        kind=row.kind,
        agent=row.agent,
        at=row.created_at,
        text=cut(said, 120),
        flags=json.loads(row.flags) if row.flags else [],
        n_merged=row.n_merged,
    )


def _effects(connection: Connection, going: Sequence[Row[Any]]) -> list[str]:
    """Say how many records of each agent and kind there are before and after."""
    said = []
    for (agent, kind), n in sorted(Counter((row.agent, row.kind) for row in going).items()):
        total = _total(connection, agent, kind)
        said.append(f"{agent}: {kind} records {total} -> {total - n}")
    return said


def _notes(n_going: int, n_pinned: int) -> list[str]:
    """Say that nothing goes, and what stays since it is pinned."""
    if not n_going and not n_pinned:
        return ["Nothing is forgotten: no record fits."]
    if not n_pinned:
        return []
    stay = "1 pinned record stays" if n_pinned == 1 else f"{n_pinned} pinned records stay"
    nothing = "" if n_going else "Nothing is forgotten: "
    return [f"{nothing}{stay}. Set with_pinned to forget pinned ones, too."]


def _strangers(connection: Connection, selection: Selection) -> list[str]:
    """Say so where records of an agent were meant that nobody here is called."""
    agent = selection.of_agent
    if agent is None or selection.record_ids or agent in (known := known_agents(connection)):
        return []
    return [f"No agent named {each_near([agent], known)} is known here."]


def _digest(rows: Sequence[Row[Any]]) -> str:
    """Return a digest of exactly these records as they are now."""
    state = sorted((row.id, row.near_key, row.n_merged, row.is_pinned) for row in rows)
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()
