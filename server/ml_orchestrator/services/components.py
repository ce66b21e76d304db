"""The catalogue of components: tiers, what needs what, and whether each one works."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

import anyio
from anyio.to_thread import run_sync

from ml_orchestrator.errors import NotFoundError, OrchestratorError
from ml_orchestrator.health.status import ComponentHealth, ComponentState, Kind
from ml_orchestrator.telemetry.spans import traced

__all__ = ["Component", "ComponentManager"]

PROBE_LIMIT_S = 20.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the system that can be probed.

    ``probe`` returns one line about what it saw or raises; it may open what it needs, which
    can take seconds. None: it is as well as what it requires. ``is_open`` tells whether probing
    now is cheap.
    """

    name: str
    tier: int
    probe: Callable[[], str] | None
    is_open: Callable[[], bool] = field(default=lambda: True)
    requires: tuple[str, ...] = ()
    kind: Kind = "component"


@traced
class ComponentManager:
    """Knows every component and probes them in the order of what they need.

    A failing probe is isolated: it marks its component degraded and those that need it
    stopped, and the next call tries again.
    """

    def __init__(self, components: Sequence[Component]) -> None:
        by_name = {component.name: component for component in components}
        graph = {component.name: component.requires for component in components}
        for component in components:
            for name in component.requires:
                if name not in by_name:
                    raise NotFoundError(
                        f"Component {component.name!r} requires {name!r}; "
                        f"known: {', '.join(sorted(by_name))}."
                    )
        self._ordered = [by_name[name] for name in TopologicalSorter(graph).static_order()]

    async def check(self, *, open_all: bool) -> list[ComponentHealth]:
        """Probe components and return how each one is, sorted by tier and name.

        Args:
            open_all: also open what nobody has used yet, which may take seconds.
        """
        found: dict[str, ComponentHealth] = {}
        for component in self._ordered:
            found[component.name] = await self._check(component, found, open_all=open_all)
        return sorted(found.values(), key=lambda c: (c.tier, c.name))

    async def _check(
        self, component: Component, found: dict[str, ComponentHealth], *, open_all: bool
    ) -> ComponentHealth:
        broken = [n for n in component.requires if found[n].state in ("degraded", "stopped")]
        if broken:
            return _health(component, "stopped", f"needs {', '.join(broken)}")
        if component.probe is None:
            return _as_its_parts(component, found)
        if not (open_all or component.is_open()):
            return _health(component, "discovered", "not used yet; detail=detailed probes it")
        return await _probe(component, component.probe)


def _as_its_parts(component: Component, found: dict[str, ComponentHealth]) -> ComponentHealth:
    unused = [name for name in component.requires if found[name].state == "discovered"]
    if unused:
        return _health(component, "discovered", f"not used yet: {', '.join(unused)}")
    return _health(component, "started", f"works: {', '.join(component.requires)}")


async def _probe(component: Component, probe: Callable[[], str]) -> ComponentHealth:
    started = time.perf_counter()
    state: ComponentState = "degraded"
    try:
        with anyio.fail_after(PROBE_LIMIT_S):
            detail = await run_sync(probe, abandon_on_cancel=True)
        state = "started"
    except TimeoutError:
        detail = (
            f"no answer within {PROBE_LIMIT_S:.0f} s; ask again if it is the first start or busy"
        )
    except OrchestratorError as error:
        detail = str(error)
    except Exception:  # noqa: BLE001 a probe's defect must not take the report down
        _log.exception("Probe of component %r failed", component.name)
        detail = "its probe failed; the server's log has the traceback"
    return _health(component, state, detail, (time.perf_counter() - started) * 1e3)


def _health(
    component: Component, state: ComponentState, detail: str, probe_ms: float | None = None
) -> ComponentHealth:
    return ComponentHealth(
        name=component.name,
        kind=component.kind,
        tier=component.tier,
        state=state,
        detail=detail,
        requires=list(component.requires),
        probe_ms=probe_ms and round(probe_ms, 2),
    )
