"""Looking at data: profiles and drift of data sets named by their source."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.datasets.models import DatasetProfile
from ml_orchestrator.datasets.plots import profile_plot
from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.datasets.sources import BUILTIN_DATASETS, columns_as_arrays, load_dataset
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.health.counting import count_report
from ml_orchestrator.health.models import Correction, DriftReport
from ml_orchestrator.health.plots import drift_plot
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.together import check_together
from ml_orchestrator.settings import Settings

__all__ = ["Columns", "DataInspector"]

Columns = Mapping[str, Sequence[float | str | None]]
Arrays = dict[str, NDArray[Any]]


class DataInspector:
    """Reads data sets inside the allowed roots and describes or compares them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def builtin_sources(self) -> list[str]:
        """Return the names of the built-in data sets, as sources."""
        return [f"builtin:{name}" for name in BUILTIN_DATASETS]

    def profile(
        self, source: str, target: str | None, *, columns: Sequence[str] | None, with_plot: bool
    ) -> tuple[DatasetProfile, list[bytes]]:
        """Return the profile of a data set and, if wanted, its picture (PNG)."""
        dataset = load_dataset(
            source, roots=self._settings.roots, max_bytes=self._settings.max_data_bytes
        )
        profile = profile_dataset(dataset, target or dataset.default_target, columns=columns)
        return profile, [profile_plot(dataset, profile)] if with_plot else []

    def drift(
        self,
        reference: str | Columns,
        current: str | Columns,
        *,
        columns: Sequence[str] | None,
        test: str,
        alpha: float,
        correction: Correction,
        share_threshold: float,
        together: str | None,
        with_plot: bool,
    ) -> tuple[DriftReport, list[bytes]]:
        """Compare two samples column by column, and together if a test for that is named.

        Returns the report and, if wanted, a PNG.
        """
        before, after = self._arrays(reference), self._arrays(current)
        report = check_drift(
            before,
            after,
            tests=test,
            alpha=alpha,
            correction=correction,
            share_threshold=share_threshold,
            columns=columns,
        )
        if together is not None:
            compared = sorted(column.column for column in report.columns)
            joint = check_together(before, after, test=together, alpha=alpha, columns=compared)
            report = report.model_copy(update={"together": joint})
        count_report(report)
        return report, [drift_plot(report, before, after)] if with_plot else []

    def _arrays(self, sample: str | Columns) -> Arrays:
        if isinstance(sample, str):
            dataset = load_dataset(
                sample, roots=self._settings.roots, max_bytes=self._settings.max_data_bytes
            )
            return columns_as_arrays(dataset.frame)
        return {name: _array(name, values) for name, values in sample.items()}


def _array(name: str, values: Sequence[float | str | None]) -> NDArray[Any]:
    """Return numbers as float64 with NaN for missing, text as objects with None for missing."""
    if any(isinstance(value, str) for value in values):
        if any(isinstance(value, int | float) for value in values):
            raise InvalidInputError(
                f"Column {name!r} mixes text and numbers. Give all numbers, or all text."
            )
        return np.array(values, dtype=object)
    return np.array([np.nan if value is None else float(value) for value in values])
