"""Looking at data: profiles of data sets named by their source, and comparisons of them."""

from collections.abc import Mapping, Sequence

from ml_orchestrator.datasets.models import ColumnType, DatasetProfile
from ml_orchestrator.datasets.plots import profile_plot
from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.datasets.sources import BUILTIN_DATASETS
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.orchestration.baselines import BaselineKeeper
from ml_orchestrator.orchestration.drift_checks import DriftChecker
from ml_orchestrator.orchestration.samples import SampleReader
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.meta_features import meta_features_of

__all__ = ["DataInspector"]


class DataInspector:
    """Reads data sets inside the allowed roots and describes them.

    Attributes:
        baselines: keeps some as references.
        comparisons: compares them.
    """

    def __init__(self, settings: Settings) -> None:
        self._samples = SampleReader(settings)
        self.baselines = BaselineKeeper(settings)
        self.comparisons = DriftChecker(settings)

    def builtin_sources(self) -> list[str]:
        """Return the names of the built-in data sets, as sources."""
        return [f"builtin:{name}" for name in BUILTIN_DATASETS]

    def profile(
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
        """Return the profile of a data set and, if wanted, its picture (PNG).

        With ``baseline`` it says too whether the data are as that lets expect.

        Raises:
            InvalidInputError: ``max_age_hours`` without a baseline.
            OrchestratorError: the data or the baseline cannot be read; the message says which.
        """
        if max_age_hours is not None and baseline is None:
            raise InvalidInputError(
                "max_age_hours is part of the check against a baseline, and none is named. Give "
                "baseline too (baseline_save makes one), or leave max_age_hours out."
            )
        dataset = self._samples.dataset(source, column_types)
        profile = profile_dataset(dataset, target or dataset.default_target, columns=columns)
        more: dict[str, object] = {"meta_features": meta_features_of(dataset, profile.target)}
        if baseline is not None:
            more["quality"] = self.baselines.quality(dataset, baseline, max_age_hours=max_age_hours)
        profile = profile.model_copy(update=more)
        return profile, [profile_plot(dataset, profile)] if with_plot else []
