"""Runs that are an engine's on record while nothing of it is at them.

A claim that was committed and whose answer was lost with the connection leaves one, and so does a
run whose end could not be recorded. DBOS 3.4 leaves them until their worker ends.
"""

import asyncio

from dbos import DBOS

from ml_orchestrator.orchestration._dbos.database import PLAN_VERSION, WORKFLOW, typed

__all__ = ["Strays"]

LOOP_S = 5.0  # for the engine's event loop to come round


class Strays:
    """Finds such runs of one engine and queues them again. Not thread-safe."""

    def __init__(self, engine: DBOS, executor_id: str) -> None:
        self._engine = engine
        self._executor_id = executor_id
        self._seen: set[str] = set()

    @typed
    def mend(self) -> list[str]:
        """Queue again the runs that were astray at the last call, too, and return them.

        Between two calls there should be some seconds: a run that was just claimed has not begun.
        What is queued again may be claimed by the next call, so it counts from there anew.

        Raises:
            UnavailableError: the database cannot be used.
        """
        astray = self._astray()
        again = astray & self._seen
        self._seen = astray - again
        return [run_id for run_id in sorted(again) if self._queued_again(run_id)]

    def _astray(self) -> set[str]:
        rows = DBOS.list_workflows(
            name=WORKFLOW,
            status="PENDING",
            executor_id=self._executor_id,
            app_version=PLAN_VERSION,
            load_input=False,
            load_output=False,
        )
        # What was claimed before the rows were read is among the active ones after this.
        if not rows or not self._has_come_round():
            return set()
        active = self._engine._active_workflows_set.activeList()
        return {row.workflow_id for row in rows}.difference(active)

    def _has_come_round(self) -> bool:
        """Whether the engine's event loop does what it was asked before now."""
        loop = self._engine._background_event_loop.target_loop()
        if loop is None:
            return False
        done = asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop)
        try:
            done.result(LOOP_S)
        except TimeoutError:
            done.cancel()
            return False
        return True

    def _queued_again(self, run_id: str) -> bool:
        # Only as long as it is on record as ours, so a run that went on meanwhile is left alone.
        # Those of ours always have a queue.
        return self._engine._sys_db.reenqueue_for_recovery(run_id, [self._executor_id], "")
