"""How the parts of this system are, as records that leave through a tool."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = [
    "ComponentHealth",
    "ComponentState",
    "HealthReport",
    "Kind",
    "ProcessHealth",
    "Status",
    "overall",
]

ComponentState = Literal["discovered", "started", "degraded", "stopped"]
Kind = Literal["service", "component", "store"]
Status = Literal["healthy", "degraded", "unknown"]


class ComponentHealth(Record):
    """One component, as found by its probe."""

    name: str
    kind: Annotated[Kind, Field(description="A service is as well as what it needs.")]
    tier: Annotated[int, Field(ge=1, le=6, description="1 core ML to 6 security.")]
    state: Annotated[
        ComponentState,
        Field(
            description="discovered: not used yet and not probed; started: its probe passed; "
            "degraded: its probe failed; stopped: a component it needs is degraded."
        ),
    ]
    detail: Annotated[str, Field(description="What the probe saw, or why it failed.")]
    requires: Annotated[list[str], Field(description="Components it needs.")]
    probe_ms: Annotated[float | None, Field(description="How long the probe took, in ms.")] = None


class ProcessHealth(Record):
    """One process: this server, a worker or a model server."""

    name: Annotated[str, Field(description="server, worker, or serving and its model.")]
    pid: int
    is_live: Annotated[bool, Field(description="It runs and shows signs of life.")]
    is_ready: Annotated[
        bool | None, Field(description="Work may be sent to it; null: not everything was probed.")
    ]
    reason: Annotated[str, Field(description="What was seen, or why it is not ready.")]
    probe_ms: Annotated[float | None, Field(description="How long it took to answer, in ms.")] = (
        None
    )


class HealthReport(Record):
    """The whole system. What was not probed is never called healthy."""

    status: Annotated[
        Status,
        Field(
            description="healthy only if every component was probed and passed, and each process "
            "that runs is ready."
        ),
    ]
    components: list[ComponentHealth]
    processes: Annotated[
        list[ProcessHealth],
        Field(description="This server, workers, model servers; none is started by asking."),
    ]
    mode: Annotated[str, Field(description="read-only or operator.")]
    data_directory: str
    version: str
    checked_at: Annotated[str, Field(description="ISO 8601 UTC.")]


def overall(
    components: Sequence[ComponentHealth], processes: Sequence[ProcessHealth] = ()
) -> Status:
    """Return the status of the whole: the worst of its parts, unknown above healthy."""
    states = {component.state for component in components}
    if states & {"degraded", "stopped"} or any(each.is_ready is False for each in processes):
        return "degraded"
    return "healthy" if states == {"started"} else "unknown"
