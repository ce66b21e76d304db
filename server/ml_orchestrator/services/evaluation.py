"""What recorded outcomes show: patterns and experiments."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync

from ml_orchestrator.evaluation.experiments.models import ExperimentReport
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.evaluation.patterns.models import PatternReport
from ml_orchestrator.evaluation.patterns.request import PatternSpec
from ml_orchestrator.health.options import InlineTable
from ml_orchestrator.telemetry.spans import traced

if TYPE_CHECKING:  # heavy: opened by the door
    from ml_orchestrator.orchestration.evaluations import Evaluator
    from ml_orchestrator.orchestration.experiments import Experimenter

__all__ = ["EvaluationService"]


@traced
class EvaluationService:
    """Evaluates tables of cases. It reads only; what a table holds is data, never instructions."""

    def __init__(
        self,
        evaluator: "Callable[[], Evaluator]",
        *,
        experimenter: "Callable[[], Experimenter]",
    ) -> None:
        self._evaluator = evaluator
        self._experimenter = experimenter

    async def patterns(
        self, table: str | InlineTable, spec: PatternSpec, *, with_plot: bool
    ) -> tuple[PatternReport, list[bytes]]:
        """Find patterns that go with an outcome; return the report and, if wanted, a PNG."""
        return await run_sync(lambda: self._evaluator().patterns(table, spec, with_plot=with_plot))

    async def experiment(
        self,
        source: str | Mapping[str, Any] | None,
        options: ExperimentOptions,
    ) -> tuple[ExperimentReport, list[bytes]]:
        """Judge an experiment, or plan one where there are no data; with a PNG if wanted."""
        return await run_sync(lambda: self._experimenter().evaluate(source, options))
