"""What unfinished runs name in what they were asked for and in their outputs."""

import re
from bisect import bisect_left
from collections.abc import Collection, Iterable

from dbos._sys_db import SystemDatabase
from sqlalchemy import Connection, and_, func, select

from ml_orchestrator.orchestration._dbos.database import UNFINISHED, WORKFLOW, typed

__all__ = ["OPEN", "Names", "OpenRuns"]

OPEN = [*UNFINISHED, "DELAYED"]
AT_ONCE = 500  # runs whose texts are read in one statement
_NAME = re.compile(r"(?=(run-[\w-]+))")  # overlapping: one may hold another
_WHOLE = re.compile(r"run-[\w-]+")


class Names:
    """The names of runs in some texts, asked for by how they begin.

    >>> names = Names(["runs/run-1x/rows.csv", "run-2x-model"])
    >>> [names.has(run_id) for run_id in ("run-1x", "run-2x", "run-3x")]
    [True, True, False]
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._all = sorted({name for text in texts for name in _NAME.findall(text)})

    def has(self, run_id: str) -> bool:
        """Whether a text holds the id; one that goes on after it counts, too."""
        at = bisect_left(self._all, run_id)
        return at < len(self._all) and self._all[at].startswith(run_id)

    @staticmethod
    def knows(run_id: str) -> bool:
        """Whether an id is of the form that is looked for."""
        return _WHOLE.fullmatch(run_id) is not None


class OpenRuns:
    """Reads the texts of unfinished runs once, and later only what came since. Not thread-safe."""

    def __init__(self, system: SystemDatabase) -> None:
        self._system = system
        tables = system.tables
        self._status, self._inputs = tables.workflow_status, tables.workflow_input
        self._outputs = tables.operation_outputs
        self._is_open = and_(self._status.c.name == WORKFLOW, self._status.c.status.in_(OPEN))
        self._plans: dict[str, Names] = {}
        self._given: dict[str, tuple[int, Names]] = {}  # how many outputs were read, their names

    @typed
    def name(self, run_id: str) -> bool:
        """Whether one of them names a run, now.

        Raises:
            UnavailableError: the workflow database cannot be used.
        """
        with self._system.engine.begin() as connection:
            self._read(connection)
        named = [*self._plans.values(), *(names for _, names in self._given.values())]
        return any(names.has(run_id) for names in named)

    def _read(self, connection: Connection) -> None:
        status, outputs = self._status, self._outputs
        ids = set(connection.scalars(select(status.c.workflow_uuid).where(self._is_open)))
        counted = (
            select(outputs.c.workflow_uuid, func.count())
            .join(status, status.c.workflow_uuid == outputs.c.workflow_uuid)
            .where(self._is_open)
            .group_by(outputs.c.workflow_uuid)
        )
        counts = {str(row[0]): int(row[1]) for row in connection.execute(counted)}
        self._plans = {name: names for name, names in self._plans.items() if name in ids}
        self._given = {name: given for name, given in self._given.items() if name in ids}
        for part in _parts(ids - self._plans.keys()):
            self._read_plans(connection, part)
        grown = {name for name, n in counts.items() if self._given.get(name, (0,))[0] != n}
        for part in _parts(grown & ids):
            self._read_outputs(connection, part)

    def _read_plans(self, connection: Connection, ids: Collection[str]) -> None:
        status, inputs = self._status, self._inputs
        query = (
            select(status.c.workflow_uuid, func.coalesce(inputs.c.inputs, status.c.inputs))
            .select_from(status.outerjoin(inputs, inputs.c.workflow_uuid == status.c.workflow_uuid))
            .where(status.c.workflow_uuid.in_(ids))
        )
        for run_id, text in connection.execute(query):
            self._plans[run_id] = Names([text or ""])

    def _read_outputs(self, connection: Connection, ids: Collection[str]) -> None:
        outputs = self._outputs
        query = select(outputs.c.workflow_uuid, outputs.c.output).where(
            outputs.c.workflow_uuid.in_(ids)
        )
        texts: dict[str, list[str]] = {run_id: [] for run_id in ids}
        for run_id, text in connection.execute(query):
            texts[run_id].append(text or "")
        self._given |= {run_id: (len(found), Names(found)) for run_id, found in texts.items()}


def _parts(ids: Collection[str]) -> Iterable[list[str]]:
    ordered = sorted(ids)
    return (ordered[start : start + AT_ONCE] for start in range(0, len(ordered), AT_ONCE))
