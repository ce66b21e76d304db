"""Durable schedules: what is due at its time, kept in the state database, handed out by a worker.

A schedule says who (``owner``), what (``kind`` and ``key``) and when (``Cadence``: a cron
expression of five fields in a time zone, or every so many seconds). Its kind names a function,
which is filed here as ``module:function`` and imported by the worker alone:

    SCHEDULED.register("monitor")("ml_orchestrator.orchestration.monitors.starting:start")

    def start(context: ScheduleContext, due: Due) -> None:
        context.start(due, "name-of-a-workflow", {"param": due.key})

It must be quick: it starts a run and leaves. Each time a schedule comes due, one worker gets it, on
any database; if that worker dies before the function has returned, another one gets it again after
a minute, so its effects must be idempotent for ``due.run_id`` (as ``context.start`` is). Times that
passed while no worker ran are made up for by one. While a schedule is enabled the worker does not
leave, and a server sees to it that one runs.

    schedules = Schedules(database)
    cadence = Cadence(cron="0 3 * * *", zone="Europe/Berlin")
    schedules.put("pipeline", "nightly", cadence, owner="ann")
    schedules.list("pipeline"); schedules.remove("pipeline", "nightly")

Whoever puts one wakes a worker afterwards (``RunClient.wake`` or ``WorkerLauncher.ensure``).
"""

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.orchestration.schedules.cadence import Cadence
from ml_orchestrator.orchestration.schedules.models import Due, Schedule
from ml_orchestrator.orchestration.schedules.store import Schedules

__all__ = ["SCHEDULED", "Cadence", "Due", "Schedule", "Schedules"]

SCHEDULED: Catalog[str] = Catalog("kind of schedule")
SCHEDULED.register("monitor")("ml_orchestrator.orchestration.monitors.starting:start")
