"""Experiments read from where they stand, judged, and drawn."""

from collections.abc import Mapping
from typing import Any

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


class Experimenter:
    """Reads experiments inside the allowed roots and says what they show."""

    def __init__(self, settings: Settings) -> None:
        self._samples = SampleReader(settings)

    def evaluate(
        self, source: str | Mapping[str, Any] | None, options: ExperimentOptions
    ) -> tuple[ExperimentReport, list[bytes]]:
        """Return what an experiment shows and, if wanted, its picture (PNG); or a plan.

        Args:
            source: a data file or a built-in data set; columns (name to list of values, one an
                observation); counts or moments (arm to n and successes, or n, mean and sd); None
                plans.
            options: how to judge.

        Raises:
            InvalidInputError: ``source`` is none of these, or an option does not fit.
            OrchestratorError: the data cannot be read; the message says why.
        """
        report = self._report(source, options)
        has_picture = options.with_plot and bool(report.comparisons)
        return report, [experiment_plot(report)] if has_picture else []

    def _report(
        self, source: str | Mapping[str, Any] | None, options: ExperimentOptions
    ) -> ExperimentReport:
        if source is None:
            return plan_experiment(options)
        if not isinstance(source, str):
            if source and all(_is_numbers(value) for value in source.values()):
                return evaluate_summary(source, options)
            _check_columns(source)
        return self._of_rows(source, options)

    def _of_rows(self, source: str | InlineTable, options: ExperimentOptions) -> ExperimentReport:
        side = self._samples.side(source)
        report = evaluate_table(side.rows, options, times=side.times)
        return report.model_copy(update={"notices": (*side.notices, *report.notices)})


def _is_numbers(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(number, int | float) for number in value.values()
    )


def _check_columns(source: Mapping[str, Any]) -> None:
    for name, values in source.items():
        if not isinstance(values, list) or not all(
            value is None or isinstance(value, str | int | float) for value in values
        ):
            raise InvalidInputError(
                f"source: {name!r:.80} holds {values!r:.80}. Give columns as lists of numbers, "
                "text or null; or for every arm an object of n and successes, or n, mean and sd."
            )
    sizes = {name: len(values) for name, values in source.items()}
    if len(set(sizes.values())) != 1:
        raise InvalidInputError(
            f"source: columns must be equally long, at least one; found {sizes!s:.200}."
        )
