"""Tables of recorded cases, evaluated: the work behind the tools for patterns and experiments."""

from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ml_orchestrator.evaluation.patterns.discover import discover_patterns
from ml_orchestrator.evaluation.patterns.models import PatternReport
from ml_orchestrator.evaluation.patterns.plots import pattern_plot
from ml_orchestrator.evaluation.patterns.request import PatternSpec
from ml_orchestrator.health.options import InlineTable
from ml_orchestrator.orchestration.samples import SampleReader, side_of
from ml_orchestrator.settings import Settings

__all__ = ["Evaluator"]

Arrays: TypeAlias = dict[str, NDArray[Any]]


class Evaluator:
    """Reads tables inside the allowed roots and says what they show."""

    def __init__(self, settings: Settings) -> None:
        self._samples = SampleReader(settings)

    def patterns(
        self, table: str | InlineTable, spec: PatternSpec, *, with_plot: bool
    ) -> tuple[PatternReport, list[bytes]]:
        """Return the patterns of a table and, if wanted, a PNG.

        Args:
            table: a source, or columns; a column of lists is read as a sequence.
            spec: what is what.
            with_plot: whether to draw it.

        Raises:
            OrchestratorError: the table cannot be read or searched; the message says why.
        """
        arrays, times, notices = self._read(table)
        report = discover_patterns(arrays, spec, times=times)
        report = report.model_copy(update={"notices": (*notices, *report.notices)})
        return report, [pattern_plot(report)] if with_plot else []

    def _read(self, table: str | InlineTable) -> tuple[Arrays, frozenset[str], tuple[str, ...]]:
        if not isinstance(table, str):
            side = self._samples.inline(table)
            return dict(side.rows), side.times, side.notices
        dataset = self._samples.dataset(table)
        side = side_of(dataset)
        return dict(side.rows) | _lists(dataset.frame), side.times, dataset.notices


def _lists(frame: pl.DataFrame) -> Arrays:
    """Return columns of lists as events in order, with a sign between them."""
    found: Arrays = {}
    for column in frame.get_columns():
        if isinstance(column.dtype, pl.List):
            texts = column.list.eval(pl.element().cast(pl.String)).list.join(" > ")
            found[column.name] = np.array(texts.to_list(), dtype=object)
    return found
