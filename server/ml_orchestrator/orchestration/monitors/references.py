"""What a monitor compares with, read once in a look."""

from collections.abc import Callable
from functools import cache
from typing import Any

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
        identity: of a source that is read after it: what stays the same as long as it does, as
            values of JSON; None for a built-in. Errors are those of `SampleReader.stamp`.
    """

    def __init__(self, settings: Settings, spec: MonitorSpec) -> None:
        samples = SampleReader(settings)

        def identity(source: str) -> list[Any] | None:
            stamp = samples.stamp(source)
            if stamp is None:
                return None
            return [source, *stamp, sorted(map(list, spec.column_types.items()))]

        def dataset(source: str) -> Dataset:
            self.identity(source)  # first: if it changes meanwhile, the next look reads it again
            return samples.dataset(source, spec.column_types)

        def table(source: str) -> Side:
            return side_of(self.dataset(source))

        def baseline(source: str) -> Baseline:
            self.identity(source)
            return samples.baseline(source)

        self.identity: Callable[[str], list[Any] | None] = cache(identity)
        self.dataset: Callable[[str], Dataset] = cache(dataset)
        self.table: Callable[[str], Side] = cache(table)
        self.baseline: Callable[[str], Baseline] = cache(baseline)

    def side(self, source: str) -> Side:
        """Return any of them as one side of a comparison."""
        if source.startswith(BASELINE_PREFIX):
            return side_of_baseline(self.baseline(source))
        return self.table(source)
