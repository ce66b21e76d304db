"""The catalogue of components: tiers, what needs what, and whether each one works."""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

import anyio
from anyio.to_thread import run_sync

from ml_orchestrator.breaker import Breaker
from ml_orchestrator.errors import NotFoundError, OrchestratorError
from ml_orchestrator.health.status import ComponentHealth, ComponentState, Kind
from ml_orchestrator.services._component_detail import about, breaker_health
from ml_orchestrator.telemetry.spans import traced

__all__ = ["Component", "ComponentManager"]

PROBE_LIMIT_S = 20.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the system that can be probed.

    ``probe`` returns one line about what it saw or raises; None: it is as well as what it
    requires. It may open what it needs, which can take seconds, and then ``breaker`` is told by
    whoever opens; if the component ``counts_itself``, by its probe in any case. ``is_open`` tells
    whether probing now is cheap. ``fault`` tells of what went wrong beside the probe, or why the
    component cannot be used at all. ``detail`` returns what else is known of it, as fields of its
    health.
    """

    name: str
    tier: int
    probe: Callable[[], str] | None
    is_open: Callable[[], bool] = field(default=lambda: True)
    requires: tuple[str, ...] = ()
    kind: Kind = "component"
    breaker: Breaker = field(default_factory=Breaker)
    counts_itself: bool = False
    fault: Callable[[], str | None] = field(default=lambda: None)
    detail: Callable[[], Mapping[str, Any]] = field(default=lambda: {})


@traced
class ComponentManager:
    """Knows every component and probes them in the order of what they need.

    A failing probe is isolated: it marks its component degraded and those that need it
    stopped. The next call tries again; after three failures in a row it is left alone for a
    while that grows, and then tried once.

    Args of the constructor:
        more: asked at each look for components that may come and go.
    """

    def __init__(
        self,
        components: Sequence[Component],
        *,
        more: Callable[[], Iterable[Component]] = lambda: (),
    ) -> None:
        self._components = components
        self._more = more
        _in_order(components)  # raises now rather than at the first look

    async def check(self, *, open_all: bool) -> list[ComponentHealth]:
        """Probe components and return how each one is, sorted by tier and name.

        Args:
            open_all: also open what nobody has used yet, which may take seconds, and tell all
                that is known of each.
        """
        found: dict[str, ComponentHealth] = {}
        for component in _in_order([*self._components, *await run_sync(self._listed)]):
            found[component.name] = await self._check(component, found, open_all=open_all)
        return sorted(found.values(), key=lambda c: (c.tier, c.name))

    async def show(self, name: str) -> ComponentHealth:
        """Load one component, after those that it needs, probe it and return all that is known.

        Raises:
            NotFoundError: there is no such component.
        """
        components = _in_order([*self._components, *await run_sync(self._listed)])
        by_name = {component.name: component for component in components}
        wanted = _with_needs(name, by_name)
        found: dict[str, ComponentHealth] = {}
        for component in components:
            if component.name in wanted:
                found[component.name] = await self._check(component, found, open_all=True)
        return found[name]

    def _listed(self) -> list[Component]:
        return list(self._more())

    async def _check(
        self, component: Component, found: dict[str, ComponentHealth], *, open_all: bool
    ) -> ComponentHealth:
        health = await self._state(component, found, open_all=open_all)
        health = breaker_health(health, component.breaker, always=open_all)
        return await run_sync(about, health, component.detail) if open_all else health

    async def _state(
        self, component: Component, found: dict[str, ComponentHealth], *, open_all: bool
    ) -> ComponentHealth:
        broken = [n for n in component.requires if found[n].state in ("degraded", "stopped")]
        if broken:
            return _health(component, "stopped", f"needs {', '.join(broken)}")
        if component.probe is None:
            return _as_its_parts(component, found)
        if fault := component.fault():
            return _health(component, "degraded", fault)
        if unprobed := _unprobed(component, open_all=open_all):
            return unprobed
        # Opening counts its own failures; here those of what is open count.
        was_open = component.is_open() and not component.counts_itself
        if was_open and not component.breaker.admits():
            return _health(component, "degraded", _left_alone(component.breaker))
        health = await _probe(component, component.probe)
        if health.state == "started":
            component.breaker.succeeded()
        elif was_open:
            component.breaker.failed(health.detail)
        return health


def _in_order(components: Sequence[Component]) -> list[Component]:
    """Return what is needed before what needs it.

    Raises:
        NotFoundError: a component needs one that does not exist.
    """
    by_name = {component.name: component for component in components}
    graph = {component.name: component.requires for component in components}
    for component in components:
        for name in component.requires:
            if name not in by_name:
                raise NotFoundError(
                    f"Component {component.name!r} requires {name!r}; "
                    f"known: {', '.join(sorted(by_name))}."
                )
    return [by_name[name] for name in TopologicalSorter(graph).static_order()]


def _with_needs(name: str, components: Mapping[str, Component]) -> set[str]:
    if name not in components:
        raise NotFoundError(f"No component named {name!r}; known: {', '.join(sorted(components))}.")
    needs = [_with_needs(each, components) for each in components[name].requires]
    return {name}.union(*needs)


def _unprobed(component: Component, *, open_all: bool) -> ComponentHealth | None:
    """Return how a component is that is not probed now, or None to probe it."""
    if open_all or (component.is_open() and component.kind != "extension"):
        return None
    if component.is_open():
        return _health(component, "loaded", "in use; detail=detailed probes it")
    if component.breaker.look().n_failures:
        return _health(component, "degraded", _not_opened(component.breaker))
    return _health(component, "discovered", "not used yet; detail=detailed probes it")


def _not_opened(breaker: Breaker) -> str:
    """Return why a component that was wanted is not there."""
    look = breaker.look()
    if look.state == "open":
        return _left_alone(breaker)
    times = "once" if look.n_failures == 1 else f"{look.n_failures} times in a row"
    return f"failed {times} when it was wanted; the last: {look.last_error}"


def _left_alone(breaker: Breaker) -> str:
    look = breaker.look()
    return (
        f"left alone after {look.n_failures} failures in a row, tried again in "
        f"{look.retry_in_s or 0:.0f} s; the last: {look.last_error}"
    )


def _as_its_parts(component: Component, found: dict[str, ComponentHealth]) -> ComponentHealth:
    unused = [name for name in component.requires if found[name].state == "discovered"]
    if unused:
        return _health(component, "discovered", f"not used yet: {', '.join(unused)}")
    took_ms = [found[name].probe_ms or 0.0 for name in component.requires]
    return _health(component, "started", f"works: {', '.join(component.requires)}", sum(took_ms))


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
