"""Runs that were given up since they were taken over too often: nobody is left to tell of them.

DBOS 3.4 does so as a worker takes such a run, before anything of ours begins.
"""

import time
from collections.abc import Mapping
from typing import Any

from dbos import DBOS

from ml_orchestrator.orchestration._dbos.database import WORKFLOW, typed
from ml_orchestrator.orchestration.statuses import plan_of

__all__ = ["GivenUp"]

LATELY_S = 86_400.0  # what is older was told by the worker of then


class GivenUp:
    """Finds such runs, each once. Not thread-safe."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    @typed
    def new(self) -> list[tuple[str, Mapping[str, Any]]]:
        """Return the runs that were given up since the last call, each with its plan.

        Raises:
            UnavailableError: the database cannot be used.
        """
        rows = DBOS.list_workflows(
            name=WORKFLOW, status="MAX_RECOVERY_ATTEMPTS_EXCEEDED", load_output=False
        )
        since_ms = (time.time() - LATELY_S) * 1000
        lately = {row.workflow_id: row for row in rows if (row.updated_at or 0) >= since_ms}
        new = [name for name in lately if name not in self._seen]
        self._seen = set(lately)
        return [(name, plan_of(lately[name])) for name in new]
