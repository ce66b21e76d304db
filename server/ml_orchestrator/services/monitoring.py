"""Health, drift and data quality."""

import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from anyio.to_thread import run_sync

from ml_orchestrator import __version__
from ml_orchestrator.datasets.models import ColumnType, DatasetProfile
from ml_orchestrator.errors import InvalidInputError, OrchestratorError
from ml_orchestrator.health.models import DriftPage, DriftReport
from ml_orchestrator.health.monitors.models import (
    Alert,
    Look,
    MonitorChanged,
    Monitors,
    MonitorSpec,
    MonitorStatus,
)
from ml_orchestrator.health.options import (
    BaselineSaved,
    DriftOptions,
    InlineTable,
    PerformanceOptions,
)
from ml_orchestrator.health.performance.models import PerformanceReport
from ml_orchestrator.health.status import (
    ComponentHealth,
    HealthReport,
    ProcessHealth,
    overall,
    tiers_of,
)
from ml_orchestrator.orchestration.connectors import TIERS
from ml_orchestrator.orchestration.events.kinds import DriftFound
from ml_orchestrator.orchestration.events.publishing import Publish, nobody
from ml_orchestrator.settings import Settings
from ml_orchestrator.telemetry.spans import traced

if TYPE_CHECKING:
    from ml_orchestrator.orchestration.inspection import DataInspector
    from ml_orchestrator.orchestration.monitors.desk import MonitorDesk

__all__ = ["Detail", "MonitoringCoordinator"]

Detail = Literal["concise", "detailed"]
MOST_TOLD = 20  # columns in an event
_log = logging.getLogger(__name__)


class Prober(Protocol):
    """Probes the components; ``ComponentManager.check`` is one."""

    def __call__(self, *, open_all: bool) -> Awaitable[list[ComponentHealth]]:
        """Return how each component is."""
        ...


class Looker(Protocol):
    """Looks at the processes beside this one; ``look_at_processes`` is one."""

    def __call__(self, settings: Settings) -> list[ProcessHealth]:
        """Return how each worker and model server is."""
        ...


@traced
class MonitoringCoordinator:
    """Answers how the system is and whether data have changed."""

    def __init__(
        self,
        settings: Settings,
        *,
        probe: Prober,
        inspector: Callable[[], "DataInspector"],
        look: Callable[[], Looker],
        monitors: "Callable[[], MonitorDesk]",
        authorise: Callable[[str, str], None],
        publish: Publish = nobody,
    ) -> None:
        self._settings = settings
        self._probe = probe
        self._inspector = inspector
        self._look = look
        self._publish = publish
        self._monitors = monitors
        self._authorise = authorise

    async def health(self, detail: Detail) -> HealthReport:
        """Probe what is in use, or with ``detailed`` everything."""
        began_at = time.perf_counter()
        components = await self._probe(open_all=detail == "detailed")
        this = _this_server(components, began_at)
        processes = [this, *await run_sync(lambda: self._look()(self._settings))]
        monitors = await self.monitors() if detail == "detailed" else None
        return HealthReport(
            status=overall(components, processes, monitors),
            tiers=tiers_of(components, TIERS),
            components=components,
            processes=processes,
            monitors=monitors,
            mode=self._settings.mode,
            data_directory=str(self._settings.home),
            version=__version__,
            checked_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    async def builtin_sources(self) -> list[str]:
        """Return the names of the built-in data sets, as sources."""
        return await run_sync(lambda: self._inspector().builtin_sources())

    async def profile(
        self,
        source: str,
        target: str | None,
        *,
        columns: Sequence[str] | None,
        column_types: Mapping[str, ColumnType],
        baseline: str | None,
        max_age_hours: float | None,
        with_plot: bool,
    ) -> tuple[DatasetProfile, list[bytes]]:
        """Return what a data set holds, held against a baseline or not, and, if wanted, a PNG."""
        return await run_sync(
            lambda: self._inspector().profile(
                source,
                target,
                columns=columns,
                column_types=column_types,
                baseline=baseline,
                max_age_hours=max_age_hours,
                with_plot=with_plot,
            )
        )

    async def drift(
        self, reference: str | InlineTable, current: str | InlineTable, options: DriftOptions
    ) -> tuple[DriftReport, list[bytes]]:
        """Compare two samples by column, and together; return the report and, if wanted, a PNG."""

        def act() -> tuple[DriftReport, list[bytes]]:
            report, pictures = self._inspector().comparisons.check(reference, current, options)
            if report.is_drifted:
                self._tell(reference, current, report, options.model)
            return report, pictures

        return await run_sync(act)

    async def write_drift_report(
        self, reference: str, current: str, options: DriftOptions
    ) -> DriftPage:
        """Compare two samples and write what was found as a page."""
        return await run_sync(
            lambda: self._inspector().comparisons.write_report(reference, current, options)
        )

    async def performance(
        self, reference: str, current: str, options: PerformanceOptions
    ) -> tuple[PerformanceReport, list[bytes]]:
        """Judge a model over time; return the report and, if wanted, a PNG."""
        return await run_sync(
            lambda: self._inspector().comparisons.performance(reference, current, options)
        )

    async def save_baseline(
        self,
        name: str,
        source: str,
        *,
        columns: Sequence[str] | None,
        column_types: Mapping[str, ColumnType],
    ) -> BaselineSaved:
        """Keep a data set as a reference."""
        return await run_sync(
            lambda: self._inspector().baselines.save(
                name, source, columns=columns, column_types=column_types
            )
        )

    async def set_monitor(
        self,
        name: str,
        act: Literal["set", "pause", "resume", "delete"],
        spec: Mapping[str, Any],
        *,
        actor: str,
        dry_run: bool,
    ) -> MonitorChanged:
        """Make, change, pause, resume or remove a monitor, or say what that would do.

        Whoever sets or resumes one that trains, rolls out or rolls back must have the right to do
        so by hand; the monitor then acts in their name.

        Raises:
            PermissionDeniedError: they have not.
            InvalidInputError: the specification cannot be used, or goes with another act.
            NotFoundError: no such monitor or reference.
        """
        if (act == "set") != bool(spec):
            raise InvalidInputError(
                "act set takes a spec and the other acts none; the spec of a monitor that exists "
                "is replaced as a whole."
            )

        def change() -> MonitorChanged:
            desk = self._monitors()
            rights = desk.rights_asked(spec) if act == "set" else ()
            rights = desk.rights(name) if act == "resume" else rights
            for right in rights:
                self._authorise(actor, right)
            match act:
                case "set":
                    return desk.set(name, spec, actor=actor, dry_run=dry_run)
                case "pause":
                    return desk.pause(name, actor=actor, dry_run=dry_run)
                case "resume":
                    return desk.resume(name, actor=actor, dry_run=dry_run)
                case "delete":
                    return desk.delete(name, actor=actor, dry_run=dry_run)

        return await run_sync(change)

    async def run_monitor(self, name: str) -> MonitorStatus:
        """Let a monitor look now; a worker does so in a moment."""
        return await run_sync(lambda: self._monitors().run(name))

    async def monitors(self) -> Monitors:
        """Return every monitor and the alerts that are open."""
        return await run_sync(lambda: self._monitors().all())

    async def monitor(
        self, name: str, *, limit: int = 20
    ) -> tuple[MonitorStatus, MonitorSpec, list[Look], list[Alert]]:
        """Return how a monitor is, what it does, and its last looks and alerts, newest first."""

        def look() -> tuple[MonitorStatus, MonitorSpec, list[Look], list[Alert]]:
            desk = self._monitors()
            return desk.status(name), *desk.history(name, limit=limit)

        return await run_sync(look)

    def _tell(
        self,
        reference: str | InlineTable,
        current: str | InlineTable,
        report: DriftReport,
        model: str | None,
    ) -> None:
        """Publish that drift was found; the report does not depend on it."""
        found = DriftFound(
            reference=_named(reference),
            current=_named(current),
            share_drifted=report.share_drifted,
            columns=report.drifted_columns[:MOST_TOLD],
            model=model,
        )
        try:
            self._publish(found)
        except OrchestratorError as error:
            _log.warning("That drift was found is not published: %s", error)


def _named(sample: str | InlineTable) -> str:
    return sample[:200] if isinstance(sample, str) else "values in the call"


def _this_server(components: Sequence[ComponentHealth], began_at: float) -> ProcessHealth:
    """Return how this server is; what other packages add is not needed for its own work."""
    own = [c for c in components if c.kind != "extension"]
    status = overall(own)
    unwell = [f"{c.name}: {c.detail}" for c in own if c.state == "degraded"]
    reason = "it answers" if status == "healthy" else "not everything was probed"
    return ProcessHealth(
        name="server",
        pid=os.getpid(),
        is_live=True,
        is_ready={"healthy": True, "degraded": False, "unknown": None}[status],
        reason="; ".join(unwell) or reason,
        probe_ms=round((time.perf_counter() - began_at) * 1e3, 2),
    )
