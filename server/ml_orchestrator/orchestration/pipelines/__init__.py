"""User pipelines: graphs of catalogued steps, read, checked, planned, carried out and drawn.

Nothing here is imported when a server starts; its doors open it on first use.
"""

from ml_orchestrator.orchestration.schedules import SCHEDULED

SCHEDULED.register("pipeline")(f"{__name__}.scheduling:start_due")
