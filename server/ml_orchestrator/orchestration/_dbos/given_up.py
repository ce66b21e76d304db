"""Runs that were given up since they were taken over too often: nobody is left to tell of them.

DBOS 3.4 does so as a worker takes such a run, before anything of ours begins.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from dbos import DBOS

from ml_orchestrator.orchestration._dbos.database import WORKFLOW, typed
from ml_orchestrator.orchestration.statuses import plan_of

__all__ = ["GivenUp", "Tell"]

LATELY_S = 86_400.0  # what is older was told by the worker of then
_log = logging.getLogger(__name__)


class Tell(Protocol):
    """Tells of a run that was given up, and when that was; done twice, it is told once."""

    def __call__(self, run_id: str, plan: Mapping[str, Any], *, at_ms: int) -> None:
        """Raise ``UnavailableError`` if it is to be done later."""
        ...


class GivenUp:
    """Finds such runs, each time that one is given up. Not thread-safe."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._seen: set[tuple[str, int]] = set()
        self._clock = clock

    def tell(self, tell: Tell) -> None:
        """Tell of the runs that were given up and not told of; one that cannot be read is left.

        Raises:
            UnavailableError: a database cannot be used; the rest is told by the next call.
        """
        lately = self._lately()
        self._seen &= lately
        for run_id, at_ms in sorted(lately - self._seen):
            try:
                if (plan := _plan(run_id)) is not None:
                    tell(run_id, plan, at_ms=at_ms)
            except (LookupError, TypeError, ValueError):
                _log.exception("Nobody is told that run %s is given up: no plan is read", run_id)
            self._seen.add((run_id, at_ms))

    @typed
    def _lately(self) -> set[tuple[str, int]]:
        since = datetime.fromtimestamp(self._clock() - LATELY_S, UTC).isoformat()
        rows = DBOS.list_workflows(
            name=WORKFLOW,
            status="MAX_RECOVERY_ATTEMPTS_EXCEEDED",
            completed_after=since,
            load_input=False,
            load_output=False,
        )
        return {(row.workflow_id, row.completed_at or 0) for row in rows}


@typed
def _plan(run_id: str) -> dict[str, Any] | None:
    """Return the plan of a run; None if it was removed meanwhile."""
    rows = DBOS.list_workflows(workflow_ids=[run_id], load_output=False)
    return plan_of(rows[0]) if rows else None
