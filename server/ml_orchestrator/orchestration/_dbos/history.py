"""The runs of the past in the workflow database: read newest first, by attempts, and removed.

DBOS 3.4 has no retention of its own, and what it offers to delete workflows deletes them whatever
they do meanwhile; so what is removed here, and what is looked for in texts, are statements on its
tables, by its own engine.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dbos import WorkflowStatus
from sqlalchemy import ColumnElement, Connection, and_, delete, func, literal, or_, select

from ml_orchestrator.orchestration._dbos.database import WORKFLOW, connect, typed
from ml_orchestrator.orchestration._dbos.open_runs import OPEN, OpenRuns
from ml_orchestrator.orchestration.attempts import first_of, next_of
from ml_orchestrator.orchestration.moments import time_of
from ml_orchestrator.orchestration.origins import is_by_itself
from ml_orchestrator.orchestration.statuses import plan_of
from ml_orchestrator.settings import Settings

__all__ = ["History", "PastRun"]

_RUN_ID = re.compile(r"run-[\w-]+")
_CACHED = '"cached_from"'
AT_ONCE = 500  # rows of a text


@dataclass(frozen=True, slots=True)
class PastRun:
    """One attempt of a run, as far as it matters for how long it is kept.

    Times are in ms since 1970; ``ended_ms`` is when its row last changed.
    """

    run_id: str
    workflow: str
    is_over: bool
    has_succeeded: bool
    created_ms: int
    ended_ms: int
    is_by_itself: bool
    plan: Mapping[str, Any]


class _ChangedMeanwhileError(Exception):
    """A run that is to be removed is not as it was seen."""


class History:
    """Reads and removes runs. Not thread-safe; close it."""

    @typed
    def __init__(self, settings: Settings) -> None:
        self._client = connect(settings)
        self._system = self._client._sys_db
        self.open_runs = OpenRuns(self._system)
        self._status = self._system.tables.workflow_status
        self._inputs = self._system.tables.workflow_input
        self._outputs = self._system.tables.operation_outputs

    def close(self) -> None:
        """Give connections back."""
        self._client.destroy()

    @typed
    def page(self, *, until_ms: int, passed: int, size: int) -> list[PastRun]:
        """Return runs created until then, newest first, after those passed already."""
        rows = self._client.list_workflows(
            name=WORKFLOW,
            end_time=time_of(until_ms),
            sort_desc=True,
            offset=passed,
            limit=size,
            load_output=False,
        )
        return list(map(_past, rows))

    @typed
    def attempts(self, run_ids: Collection[str]) -> dict[str, list[PastRun]]:
        """Return all attempts of runs, by the id of the first; none for what is not on record."""
        found: dict[str, list[PastRun]] = {}
        wanted = sorted(set(run_ids))
        while wanted:
            rows = self._client.list_workflows(
                workflow_ids=wanted, name=WORKFLOW, load_output=False
            )
            for run in map(_past, rows):
                found.setdefault(first_of(run.run_id), []).append(run)
            wanted = [next_of(row.workflow_id) for row in rows]
        return found

    @typed
    def recorded(self, run: PastRun) -> list[tuple[str, bool]]:
        """Return the units that ended in this attempt, and whether each did so without an error."""
        steps = self._client.list_workflow_steps(run.run_id)
        return [(info["function_name"], _is_done(info)) for info in steps]

    @typed
    def is_wanted(self, run_id: str) -> bool:
        """Whether the texts of an unfinished run hold this: what it was asked for, or its outputs.

        Every text is searched; of names like those of runs ``open_runs`` knows sooner.
        """
        status, inputs, outputs = self._status, self._inputs, self._outputs
        is_open = and_(status.c.name == WORKFLOW, status.c.status.in_(OPEN))
        plan = func.coalesce(inputs.c.inputs, status.c.inputs)
        same = inputs.c.workflow_uuid == status.c.workflow_uuid
        asked = select(literal(1)).select_from(status.outerjoin(inputs, same))
        gave = (
            select(literal(1))
            .select_from(status)
            .join(outputs, outputs.c.workflow_uuid == status.c.workflow_uuid)
        )
        with self._begin() as connection:
            return any(
                connection.execute(query.limit(1)).first()
                for query in (
                    asked.where(is_open, plan.contains(run_id, autoescape=True)),
                    gave.where(is_open, outputs.c.output.contains(run_id, autoescape=True)),
                )
            )

    @typed
    def takers(self) -> dict[str, set[str]]:
        """Return for each run whose cached outputs others took who they are, by first attempts."""
        outputs, found = self._outputs, defaultdict[str, set[str]](set)
        query = select(outputs.c.workflow_uuid, outputs.c.output).where(
            outputs.c.output.contains(_CACHED)
        )
        with self._begin() as connection:
            for taker, text in connection.execution_options(yield_per=AT_ONCE).execute(query):
                for run_id in set(_RUN_ID.findall(text)) - {first_of(taker)}:
                    found[run_id].add(first_of(taker))
        return dict(found)

    @typed
    def remove(self, attempts: Sequence[PastRun]) -> bool:
        """Remove all attempts of a run with all that is recorded of them, in one transaction.

        False, and nothing is changed, if one goes on, has changed or has been followed by a next
        attempt since it was read.
        """
        try:
            with self._begin() as connection:
                self._remove_all(connection, attempts)
        except _ChangedMeanwhileError:
            return False
        return True

    def _remove_all(self, connection: Connection, attempts: Sequence[PastRun]) -> None:
        status, ids = self._status, [run.run_id for run in attempts]
        removed = connection.execute(
            delete(status).where(
                status.c.status.not_in(OPEN), or_(*(self._is_as_seen(run) for run in attempts))
            )
        )
        after = select(literal(1)).where(status.c.workflow_uuid.in_(map(next_of, ids)))
        if removed.rowcount != len(ids) or connection.execute(after.limit(1)).first():
            raise _ChangedMeanwhileError
        tables = self._system.tables
        for table in (tables.workflow_input, tables.workflow_output, tables.operation_outputs):
            connection.execute(delete(table).where(table.c.workflow_uuid.in_(ids)))

    def _is_as_seen(self, run: PastRun) -> ColumnElement[bool]:
        status = self._status
        return and_(status.c.workflow_uuid == run.run_id, status.c.updated_at <= run.ended_ms)

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self._system.engine.begin() as connection:
            yield connection


def _past(row: WorkflowStatus) -> PastRun:
    plan = plan_of(row)
    return PastRun(
        run_id=row.workflow_id,
        workflow=plan["workflow"],
        is_over=row.status not in OPEN,
        has_succeeded=row.status == "SUCCESS",
        created_ms=row.created_at or 0,
        ended_ms=max(row.updated_at or 0, row.created_at or 0),
        is_by_itself=is_by_itself(plan),
        plan=plan,
    )


def _is_done(info: Mapping[str, Any]) -> bool:
    output = info["output"]
    return not info["error"] and not (isinstance(output, Mapping) and "error" in output)
