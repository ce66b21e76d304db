"""Baselines made of data sets, and data sets held against them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ml_orchestrator.datasets.columns import check_column
from ml_orchestrator.datasets.models import ColumnType, QualityReport
from ml_orchestrator.datasets.quality import Expectations, check_quality, expect
from ml_orchestrator.datasets.row_names import not_compared
from ml_orchestrator.datasets.sources import Dataset, columns_as_arrays
from ml_orchestrator.health.baseline import prepare_baseline
from ml_orchestrator.health.baseline_store import BaselineStore
from ml_orchestrator.health.options import BASELINE_PREFIX, BaselineSaved
from ml_orchestrator.orchestration.samples import SampleReader, side_of_baseline
from ml_orchestrator.settings import Settings

__all__ = ["BaselineKeeper"]


class BaselineKeeper:
    """Saves references and says what they let expect."""

    def __init__(self, settings: Settings) -> None:
        self._samples = SampleReader(settings)
        self._store = BaselineStore(settings.home)

    def save(
        self,
        name: str,
        source: str,
        *,
        columns: Sequence[str] | None,
        column_types: Mapping[str, ColumnType],
    ) -> BaselineSaved:
        """Prepare a data set as a reference and keep it.

        Raises:
            ConflictError: the name is taken by other data.
            OrchestratorError: the data cannot be read, or not be kept.
        """
        dataset = self._samples.dataset(source, column_types)
        frame = dataset.frame
        for column in columns or ():
            check_column(frame, column, "a column of the baseline")
        if columns is not None:
            frame = frame.select(list(dict.fromkeys(columns)))
        expected = expect(frame, is_part=columns is not None, n_rows=dataset.n_drawn_from)
        facts = {"expectations": expected.model_dump(mode="json"), "digest": dataset.digest}
        baseline = prepare_baseline(columns_as_arrays(frame), source=source, facts=facts)
        size_bytes = self._store.save(name, baseline)
        side = side_of_baseline(baseline)
        left_out = side.left_out(side.columns)
        return BaselineSaved(
            name=name,
            reference=f"{BASELINE_PREFIX}{name}",
            n_rows=baseline.n_rows,
            n_columns=len(baseline.samples),
            size_bytes=size_bytes,
            notices=(*dataset.notices, *not_compared(left_out, side.times)),
        )

    def quality(
        self, dataset: Dataset, baseline: str, *, max_age_hours: float | None
    ) -> QualityReport:
        """Hold a data set against what a baseline lets expect.

        Raises:
            NotFoundError: no such baseline.
            IntegrityViolationError: it is damaged.
        """
        return check_quality(
            dataset.frame,
            Expectations.model_validate(self._samples.baseline(baseline).facts["expectations"]),
            now=datetime.now(UTC).replace(tzinfo=None),
            max_age_hours=max_age_hours,
            n_rows=dataset.n_rows,
        )
