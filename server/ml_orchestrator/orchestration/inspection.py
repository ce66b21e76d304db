"""Looking at data: profiles of data sets named by their source, and comparisons of them."""

from collections.abc import Mapping, Sequence

from ml_orchestrator.datasets.models import ColumnType, DatasetProfile
from ml_orchestrator.datasets.plots import profile_plot
from ml_orchestrator.datasets.profile import profile_dataset
from ml_orchestrator.datasets.sources import BUILTIN_DATASETS, load_dataset
from ml_orchestrator.orchestration.drift_checks import DriftChecker
from ml_orchestrator.settings import Settings
from ml_orchestrator.training.meta_features import meta_features_of

__all__ = ["DataInspector"]


class DataInspector:
    """Reads data sets inside the allowed roots and describes them.

    Attributes:
        comparisons: compares them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
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
        with_plot: bool,
    ) -> tuple[DatasetProfile, list[bytes]]:
        """Return the profile of a data set and, if wanted, its picture (PNG)."""
        dataset = load_dataset(
            source,
            roots=self._settings.roots,
            max_bytes=self._settings.max_data_bytes,
            column_types=column_types,
        )
        profile = profile_dataset(dataset, target or dataset.default_target, columns=columns)
        profile = profile.model_copy(
            update={"meta_features": meta_features_of(dataset, profile.target)}
        )
        return profile, [profile_plot(dataset, profile)] if with_plot else []
