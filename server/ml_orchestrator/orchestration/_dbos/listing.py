"""Runs in pages, newest first, of some workflow or state, with or without what the clock starts."""

import heapq
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from dbos import DBOSClient, WorkflowStatus

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration._dbos.database import PIPELINES, QUEUES, WORKFLOW
from ml_orchestrator.orchestration.models import MOST_COUNTED
from ml_orchestrator.orchestration.moments import time_of
from ml_orchestrator.orchestration.origins import LOOKS_QUEUE
from ml_orchestrator.orchestration.run_filter import RunFilter
from ml_orchestrator.orchestration.sharing.pools import without_pool
from ml_orchestrator.orchestration.statuses import STATES, plan_of
from ml_orchestrator.orchestration.workflows import WORKFLOWS

__all__ = ["Found", "find_runs"]

PAGE = 50
_SUCCESS = "SUCCESS"


@dataclass(frozen=True, slots=True)
class Found:
    """One page of rows, and how many as new as these were left out."""

    rows: Sequence[WorkflowStatus]
    next_cursor: str | None
    n_left_out: int


def find_runs(client: DBOSClient, wanted: RunFilter, *, limit: int, cursor: str | None) -> Found:
    """Return the next rows that are wanted.

    A cursor names a moment (epoch ms) and how many rows of it were looked at: DBOS keeps whole
    seconds on SQLite.

    Args:
        client: of the workflow database.
        wanted: which runs.
        limit: how many at most.
        cursor: ``next_cursor`` of an earlier page; None begins with the newest.

    Raises:
        InvalidInputError: ``cursor`` was not made here.
    """
    until, seen = _parse(cursor) if cursor else (None, 0)
    queues = _in_any_pool(client, _queues(wanted))
    look_queues = _in_any_pool(client, [LOOKS_QUEUE]) if wanted.hides else None

    def looks(since: int | None) -> int:
        return _looks(client, look_queues, since=since, until=until) if look_queues else 0

    found: list[WorkflowStatus] = []
    at, n_at, n_passed = until, seen, 0
    for row in islice(_newest_first(client, wanted, queues, until), seen, None):
        plan, state = plan_of(row), STATES[row.status]
        if wanted.fits(plan, state=state):
            if len(found) == limit:
                return _page(found, f"{at}-{n_at}", n_passed + looks(at))
            found.append(row)
        elif wanted.leaves_out(plan, state=state):
            n_passed += 1
        n_at = n_at + 1 if row.created_at == at else 1
        at = row.created_at
    return _page(found, None, n_passed + looks(None))


def _page(rows: Sequence[WorkflowStatus], cursor: str | None, n_left_out: int) -> Found:
    return Found(rows, cursor, min(n_left_out, MOST_COUNTED))


def _newest_first(
    client: DBOSClient, wanted: RunFilter, queues: list[str] | None, until: int | None
) -> Iterator[WorkflowStatus]:
    """Return rows that may be wanted: of the queues, and what is in none since it was cancelled."""
    statuses = _statuses(wanted)
    inside = _rows(client, statuses, queues, until)
    outside = [status for status in statuses if status != _SUCCESS]
    if queues is None or not outside:
        return inside
    others = (row for row in _rows(client, outside, None, until) if row.queue_name not in queues)
    return heapq.merge(inside, others, key=lambda row: -(row.created_at or 0))


def _rows(
    client: DBOSClient, statuses: list[str], queues: list[str] | None, until: int | None
) -> Iterator[WorkflowStatus]:
    passed = 0  # of those created at ``until``
    while True:
        rows = client.list_workflows(
            name=WORKFLOW,
            status=statuses,
            queue_name=queues,
            end_time=time_of(until) if until else None,
            sort_desc=True,
            limit=PAGE,
            offset=passed,
        )
        yield from rows
        if len(rows) < PAGE:
            return
        last = rows[-1].created_at
        passed = sum(row.created_at == last for row in rows) + (passed if last == until else 0)
        until = last


def _statuses(wanted: RunFilter) -> list[str]:
    return [status for status, state in STATES.items() if wanted.state in (None, state)]


def _queues(wanted: RunFilter) -> list[str] | None:
    """Return where wanted runs wait and have waited; None for any queue."""
    name = wanted.workflow
    if name is None:
        return [queue for queue in QUEUES if queue != LOOKS_QUEUE] if wanted.hides else None
    if name.startswith("pipeline:"):
        return [PIPELINES]
    return [WORKFLOWS[name].queue] if name in WORKFLOWS else None


def _in_any_pool(client: DBOSClient, queues: list[str] | None) -> list[str] | None:
    """Return the queues of these kinds of all pools of the database; None for any queue."""
    if queues is None:
        return None
    known = {queue.name for queue in client.list_queues()}
    return sorted({*queues, *(name for name in known if without_pool(name) in queues)})


def _looks(client: DBOSClient, queues: list[str], *, since: int | None, until: int | None) -> int:
    """Count the looks that succeeded, from one moment to another (epoch ms)."""
    rows = client.list_workflows(
        name=WORKFLOW,
        status=_SUCCESS,
        queue_name=queues,
        start_time=time_of(since) if since else None,
        end_time=time_of(until) if until else None,
        limit=MOST_COUNTED,
        load_input=False,
        load_output=False,
    )
    return len(rows)


def _parse(cursor: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,14})-(\d{1,9})", cursor)
    if found is None:
        raise InvalidInputError(
            f"{cursor[:80]!r} is not a cursor. Pass next_cursor of an earlier page, or none."
        )
    return int(found[1]), int(found[2])
