"""How the parts of this system are, as records that leave through a tool."""

from typing import Annotated, Literal

from pydantic import Field

from ml_orchestrator.records import Record

__all__ = ["ComponentHealth", "ComponentState", "HealthReport", "overall"]

ComponentState = Literal["discovered", "started", "degraded", "stopped"]


class ComponentHealth(Record):
    """One component, as found by its probe."""

    name: str
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


class HealthReport(Record):
    """The whole system. What was not probed is never called healthy."""

    status: Annotated[
        Literal["healthy", "degraded", "unknown"],
        Field(description="healthy only if every component was probed and passed."),
    ]
    components: list[ComponentHealth]
    mode: Annotated[str, Field(description="read-only or operator.")]
    data_directory: str
    version: str
    checked_at: Annotated[str, Field(description="ISO 8601 UTC.")]


def overall(
    components: list[ComponentHealth],
) -> Literal["healthy", "degraded", "unknown"]:
    """Return the status of the whole: the worst of its parts, unknown above healthy."""
    states = {component.state for component in components}
    if states & {"degraded", "stopped"}:
        return "degraded"
    return "healthy" if states == {"started"} else "unknown"
