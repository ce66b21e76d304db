"""Experiments read from where they stand, judged, and drawn."""

from collections.abc import Mapping

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.evaluate import evaluate_summary, evaluate_table
from ml_orchestrator.evaluation.experiments.models import ExperimentReport
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.evaluation.experiments.planning import plan_experiment
from ml_orchestrator.evaluation.experiments.plots import experiment_plot
from ml_orchestrator.health.options import InlineTable
from ml_orchestrator.orchestration.samples import SampleReader
from ml_orchestrator.settings import Settings

__all__ = ["Experimenter"]

Summary = Mapping[str, Mapping[str, float]]


class Experimenter:
    """Reads experiments inside the allowed roots and says what they show."""

    def __init__(self, settings: Settings) -> None:
        self._samples = SampleReader(settings)

    def evaluate(
        self,
        source: str | InlineTable | None,
        summary: Summary | None,
        options: ExperimentOptions,
    ) -> tuple[ExperimentReport, list[bytes]]:
        """Return what an experiment shows and, if wanted, its picture (PNG); or a plan.

        Args:
            source: a data file, a built-in data set, or columns; one row an observation.
            summary: instead of it, counts or moments by arm.
            options: how to judge.

        Raises:
            InvalidInputError: both are given, columns differ in length, or an option does not fit.
            OrchestratorError: the data cannot be read; the message says why.
        """
        report = self._report(source, summary, options)
        has_picture = options.with_plot and bool(report.comparisons)
        return report, [experiment_plot(report)] if has_picture else []

    def _report(
        self,
        source: str | InlineTable | None,
        summary: Summary | None,
        options: ExperimentOptions,
    ) -> ExperimentReport:
        if source is not None and summary is not None:
            raise InvalidInputError("Give source (rows) or summary (counts by arm), not both.")
        if summary is not None:
            return evaluate_summary(summary, options)
        if source is None:
            return plan_experiment(options)
        side = self._samples.side(source)
        sizes = {name: len(values) for name, values in side.rows.items()}
        if len(set(sizes.values())) > 1:
            raise InvalidInputError(f"Columns must be equally long; found {sizes}.")
        report = evaluate_table(side.rows, options, times=side.times)
        return report.model_copy(update={"notices": (*side.notices, *report.notices)})
