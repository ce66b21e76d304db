"""The tool that sets monitors; health_get shows them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from ml_orchestrator.health.monitors.models import MonitorChanged
from ml_orchestrator.tools._arguments import Agent
from ml_orchestrator.tools._services import Monitoring
from ml_orchestrator.tools._tool import tool

__all__ = ["monitor_set"]


@tool(title="Set a monitor", destroys=True)
async def monitor_set(
    agent: Agent,
    name: Annotated[str, Field(description="Name.")],
    monitoring: Monitoring,
    act: Annotated[Literal["set", "pause", "resume", "delete"], Field(description="Act.")] = "set",
    spec: Annotated[
        dict[str, Any],
        Field(
            description="watch (file, pattern, serving:MODEL), reference, drift, quality, "
            "performance, every_s or cron, retrain {params}, roll_back, tell."
        ),
    ] = {},  # noqa: B006 never changed; pydantic copies it
    dry_run: Annotated[bool, Field(description="Only plan.")] = False,
) -> MonitorChanged:
    """Watch data or a served model; alerts may retrain."""
    return await monitoring.set_monitor(name, act, spec, actor=agent, dry_run=dry_run)
