"""Let a monitor look once, and do what its alerts owe."""

from collections.abc import Mapping
from typing import Any

from ml_orchestrator.doors import Door
from ml_orchestrator.errors import NotFoundError
from ml_orchestrator.orchestration._dbos.client import RunClient
from ml_orchestrator.orchestration.monitors.acting import AlertActions
from ml_orchestrator.orchestration.monitors.looking import look_once
from ml_orchestrator.orchestration.monitors.opening import open_monitors
from ml_orchestrator.orchestration.steps._base import StepContext
from ml_orchestrator.storage.engine import open_database

__all__ = ["look"]


def look(
    context: StepContext, params: Mapping[str, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the look found; everything else is in the monitor's own record."""
    settings, name = context.settings, params["monitor"]
    database = open_database(settings.state_url, settings.home)
    client = Door(lambda: RunClient(settings), is_light=True)
    try:
        store = open_monitors(database)
        try:
            monitor = look_once(settings, store, name, run_id=context.run_id)
        except NotFoundError as error:  # removed since it was due
            return {"monitor": name, "state": "removed", "summary": str(error), "done": []}
        done = AlertActions(settings, database, store, client=client).settle(monitor)
        last = store.looks(name, limit=1)
    finally:
        if client.is_open:
            client().close()
        database.close()
    summary = last[0].summary if last else ""
    return {"monitor": name, "state": monitor.condition.state, "summary": summary, "done": done}
