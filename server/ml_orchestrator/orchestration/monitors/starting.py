"""What is done when a monitor is due: the run that looks is queued."""

from ml_orchestrator.orchestration.schedules import Due
from ml_orchestrator.orchestration.schedules.sweeping import ScheduleContext

__all__ = ["start"]


def start(context: ScheduleContext, due: Due) -> None:
    """Queue one look."""
    context.start(due, "monitor-look", {"monitor": due.key})
