"""What is done when a monitor is due: the run that looks is queued, unless one still looks."""

import logging
from dataclasses import replace
from typing import Protocol, cast

from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.orchestration.models import RunStatus
from ml_orchestrator.orchestration.origins import LOOK
from ml_orchestrator.orchestration.schedules import Due
from ml_orchestrator.orchestration.schedules.sweeping import ScheduleContext

__all__ = ["start"]

MOST_BACK = 100  # times in a row that may be left out before one is queued all the same
_log = logging.getLogger(__name__)


class _Runs(Protocol):
    def status(self, run_id: str) -> RunStatus:
        """Return what is known of a run."""
        ...


def start(context: ScheduleContext, due: Due) -> None:
    """Queue one look; a time that comes while the look before it is unfinished is left out."""
    if (before := _run_before(context, due)) is not None and not before.is_over:
        _log.info("Monitor %s is not looked at: %s is %s", due.key, before.run_id, before.state)
        return
    context.start(due, LOOK, {"monitor": due.key})


def _run_before(context: ScheduleContext, due: Due) -> RunStatus | None:
    """Return the last look that was queued before this time; times left out have none."""
    runs = cast("_Runs", context.client())
    for number in range(due.number - 1, max(0, due.number - 1 - MOST_BACK), -1):
        try:
            return runs.status(replace(due, number=number).run_id)
        except NotFoundError:
            continue
    return None
