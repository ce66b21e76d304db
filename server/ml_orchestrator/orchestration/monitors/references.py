"""What a monitor compares with, read once in a look."""

from collections.abc import Callable
from functools import cache

from ml_orchestrator.datasets.sources import Dataset
from ml_orchestrator.health.baseline import Baseline
from ml_orchestrator.health.monitors.models import MonitorSpec
from ml_orchestrator.health.options import BASELINE_PREFIX
from ml_orchestrator.orchestration.samples import SampleReader, Side, side_of, side_of_baseline
from ml_orchestrator.settings import Settings

__all__ = ["References"]


class References:
    """References by their source, each read once however many checks ask; for one look.

    Nobody may change what they hold.

    Attributes:
        dataset: a built-in data set or a file; errors are those of `SampleReader.dataset`.
        table: likewise, as arrays.
        baseline: a kept baseline; errors are those of `SampleReader.baseline`.
    """

    def __init__(self, settings: Settings, spec: MonitorSpec) -> None:
        samples = SampleReader(settings)

        def dataset(source: str) -> Dataset:
            return samples.dataset(source, spec.column_types)

        def table(source: str) -> Side:
            return side_of(self.dataset(source))

        self.dataset: Callable[[str], Dataset] = cache(dataset)
        self.table: Callable[[str], Side] = cache(table)
        self.baseline: Callable[[str], Baseline] = cache(samples.baseline)

    def side(self, source: str) -> Side:
        """Return any of them as one side of a comparison."""
        if source.startswith(BASELINE_PREFIX):
            return side_of_baseline(self.baseline(source))
        return self.table(source)
