"""Health, drift and data quality."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Protocol

from anyio.to_thread import run_sync

from ml_orchestrator import __version__
from ml_orchestrator.datasets.models import DatasetProfile
from ml_orchestrator.health.models import Correction, DriftReport
from ml_orchestrator.health.status import ComponentHealth, HealthReport, overall
from ml_orchestrator.settings import Settings
from ml_orchestrator.telemetry.spans import traced

if TYPE_CHECKING:
    from ml_orchestrator.orchestration.inspection import DataInspector

__all__ = ["Detail", "MonitoringCoordinator"]

Detail = Literal["concise", "detailed"]
Sample = str | Mapping[str, Sequence[float | str | None]]


class Prober(Protocol):
    """Probes the components; ``ComponentManager.check`` is one."""

    def __call__(self, *, open_all: bool) -> Awaitable[list[ComponentHealth]]:
        """Return how each component is."""
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
    ) -> None:
        self._settings = settings
        self._probe = probe
        self._inspector = inspector

    async def health(self, detail: Detail) -> HealthReport:
        """Probe what is in use, or with ``detailed`` everything."""
        components = await self._probe(open_all=detail == "detailed")
        return HealthReport(
            status=overall(components),
            components=components,
            mode=self._settings.mode,
            data_directory=str(self._settings.home),
            version=__version__,
            checked_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    async def builtin_sources(self) -> list[str]:
        """Return the names of the built-in data sets, as sources."""
        return await run_sync(lambda: self._inspector().builtin_sources())

    async def profile(
        self, source: str, target: str | None, *, columns: Sequence[str] | None, with_plot: bool
    ) -> tuple[DatasetProfile, list[bytes]]:
        """Return what a data set holds and, if wanted, a PNG picture of it."""
        return await run_sync(
            lambda: self._inspector().profile(source, target, columns=columns, with_plot=with_plot)
        )

    async def drift(
        self,
        reference: Sample,
        current: Sample,
        *,
        columns: Sequence[str] | None,
        test: str,
        alpha: float,
        correction: Correction,
        share_threshold: float,
        together: str | None,
        with_plot: bool,
    ) -> tuple[DriftReport, list[bytes]]:
        """Compare two samples by column, and together; return the report and, if wanted, a PNG."""
        return await run_sync(
            lambda: self._inspector().drift(
                reference,
                current,
                columns=columns,
                test=test,
                alpha=alpha,
                correction=correction,
                share_threshold=share_threshold,
                together=together,
                with_plot=with_plot,
            )
        )
