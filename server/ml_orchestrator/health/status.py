"""How the parts of this system are, as records that leave through a tool."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from ml_orchestrator.breaker import BreakerState
from ml_orchestrator.health.monitors.models import Monitors
from ml_orchestrator.records import Record

__all__ = [
    "BreakerHealth",
    "ComponentHealth",
    "ComponentState",
    "HealthReport",
    "Kind",
    "ProcessHealth",
    "Status",
    "TierHealth",
    "overall",
    "tiers_of",
]

ComponentState = Literal["discovered", "loaded", "started", "degraded", "stopped"]
Kind = Literal["service", "component", "store", "extension"]
Status = Literal["healthy", "degraded", "unknown"]


class BreakerHealth(Record):
    """What keeps a component that fails again and again from being tried all the time."""

    state: Annotated[
        BreakerState,
        Field(
            description="closed: it is used; open: it is left alone until retry_at; half_open: "
            "the next use decides."
        ),
    ]
    n_failures: Annotated[int, Field(ge=0, description="In a row.")]
    last_error: Annotated[str | None, Field(description="Of the last of them.")] = None
    retry_at: Annotated[str | None, Field(description="ISO 8601 UTC, if it is not closed.")] = None


class ComponentHealth(Record):
    """One component, as found by its probe; what stands after ``probe_ms`` only in detail."""

    name: str
    kind: Annotated[
        Kind,
        Field(description="A service is as well as what it needs; extension: another package's."),
    ]
    tier: Annotated[int, Field(ge=1, le=6, description="1 core ML to 6 security.")]
    state: Annotated[
        ComponentState,
        Field(
            description="discovered: not used yet; loaded: built and not probed; started: its "
            "probe passed; degraded: it failed; stopped: a component it needs is degraded."
        ),
    ]
    detail: Annotated[str, Field(description="What the probe saw, or why it failed.")]
    requires: Annotated[list[str], Field(description="Components it needs.")]
    probe_ms: Annotated[
        float | None,
        Field(description="How long the probe took, in ms; of a service those of its parts."),
    ] = None
    breaker: Annotated[
        BreakerHealth | None, Field(description="Only in detail, or after a failure.")
    ] = None
    version: Annotated[str | None, Field(description="Release of the package it is from.")] = None
    capabilities: Annotated[
        list[str] | None, Field(description="What it can do; null until it is loaded.")
    ] = None
    load_ms: Annotated[
        float | None, Field(description="Until it was there, imports included, as measured here.")
    ] = None
    memory_mb: Annotated[
        float | None, Field(description="What this process grew by meanwhile.")
    ] = None
    configuration: Annotated[
        dict[str, Any] | None, Field(description="The settings it takes, with their values now.")
    ] = None
    generation: Annotated[
        int | None, Field(description="How often it was configured or reloaded.")
    ] = None


class TierHealth(Record):
    """One of the six tiers."""

    tier: Annotated[int, Field(ge=1, le=6)]
    name: str
    state: Annotated[
        ComponentState,
        Field(
            description="degraded: a component of its own failed; stopped: one waits for another "
            "tier; started: all passed; else the least that one of them is."
        ),
    ]
    n_components: Annotated[int, Field(ge=0)]
    unwell: Annotated[list[str], Field(description="Its components that are not well.")]


class ProcessHealth(Record):
    """One process: this server, a worker or a model server."""

    name: Annotated[str, Field(description="server, worker, or serving and its model.")]
    pid: int
    is_live: Annotated[bool, Field(description="It runs and shows signs of life.")]
    is_ready: Annotated[
        bool | None, Field(description="Work may be sent to it; null: not everything was probed.")
    ]
    reason: Annotated[str, Field(description="What was seen, or why it is not ready.")]
    probe_ms: Annotated[
        float | None,
        Field(
            description="How long it took to answer, in ms; workers are not asked: how long it "
            "took to read all their leases."
        ),
    ] = None


class HealthReport(Record):
    """The whole system. What was not probed is never called healthy."""

    status: Annotated[
        Status,
        Field(
            description="healthy only if every component was probed and passed, each process that "
            "runs is ready, and in detail no monitor alerts or lacks data."
        ),
    ]
    tiers: Annotated[list[TierHealth], Field(description="The six tiers.")]
    components: list[ComponentHealth]
    processes: Annotated[
        list[ProcessHealth],
        Field(description="This server, workers, model servers; none is started by asking."),
    ]
    monitors: Annotated[
        Monitors | None, Field(description="Monitors and open alerts; only in detail.")
    ] = None
    mode: Annotated[str, Field(description="read-only or operator.")]
    data_directory: str
    version: str
    checked_at: Annotated[str, Field(description="ISO 8601 UTC.")]


def overall(
    components: Sequence[ComponentHealth],
    processes: Sequence[ProcessHealth] = (),
    monitors: Monitors | None = None,
) -> Status:
    """Return the status of the whole: the worst of its parts, unknown above healthy.

    An open alert degrades it, and a monitor without data leaves it unknown.
    """
    states = {component.state for component in components}
    if states & {"degraded", "stopped"} or any(each.is_ready is False for each in processes):
        return "degraded"
    if monitors is not None and monitors.open_alerts:
        return "degraded"
    lacks_data = monitors is not None and any(m.state == "no_data" for m in monitors.monitors)
    return "healthy" if states == {"started"} and not lacks_data else "unknown"


def tiers_of(components: Sequence[ComponentHealth], names: Mapping[int, str]) -> list[TierHealth]:
    """Return how each tier is, from its components; ``names`` is what the tiers are called.

    A component that fails degrades its own tier. One that waits for it in another tier leaves
    that one stopped, never degraded.
    """
    return [_tier(n, name, [c for c in components if c.tier == n]) for n, name in names.items()]


def _tier(number: int, name: str, components: Sequence[ComponentHealth]) -> TierHealth:
    states = {component.state for component in components}
    worst: tuple[ComponentState, ...] = ("degraded", "stopped", "discovered", "loaded", "started")
    return TierHealth(
        tier=number,
        name=name,
        state=next((state for state in worst if state in states), "discovered"),
        n_components=len(components),
        unwell=[c.name for c in components if c.state in ("degraded", "stopped")],
    )
