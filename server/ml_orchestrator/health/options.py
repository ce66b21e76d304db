"""What a drift check is asked for, and what is kept of a reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, TypeAlias

from pydantic import Field

from ml_orchestrator.datasets.models import ColumnType
from ml_orchestrator.health.models import Correction
from ml_orchestrator.records import Record

__all__ = [
    "BASELINE_PREFIX",
    "CHUNK_PATTERN",
    "CHUNK_WORDS",
    "NAME_PATTERN",
    "NAME_WORDS",
    "BaselineSaved",
    "DriftOptions",
    "InlineTable",
    "PerformanceOptions",
]

BASELINE_PREFIX = "baseline:"
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"  # of baselines and monitors
NAME_WORDS = "must be 1 to 64 letters, digits, _ . and -, the first a letter or digit"
CHUNK_PATTERN = r"[1-9][0-9]{0,8}(rows|h|d|w|mo)"
CHUNK_WORDS = "must be written like 500rows, 6h, 1d, 1w or 1mo, with any whole number"
InlineTable: TypeAlias = Mapping[str, Sequence[float | str | None]]


@dataclass(frozen=True, slots=True)
class DriftOptions:
    """How two samples are compared; `check_drift` and `check_together` say what each means."""

    columns: Sequence[str] | None = None
    test: str = "auto"
    alpha: float = 0.05
    correction: Correction = "benjamini_hochberg"
    share_threshold: float = 0.5
    together: str | None = None
    with_plot: bool = False
    time_column: str | None = None
    chunk: str | None = None
    model: str | None = None
    column_types: Mapping[str, ColumnType] = field(default_factory=dict)
    to_mlflow: bool = False


@dataclass(frozen=True, slots=True)
class PerformanceOptions:
    """Where predictions stand in a table; `read_predictions` and `cut` say what each means."""

    target: str
    prediction: str | None = None
    probabilities: Mapping[str, str] | None = None
    time_column: str | None = None
    chunk: str | None = None
    alpha: float = 0.05
    with_plot: bool = False


class BaselineSaved(Record):
    """A reference that was prepared and kept."""

    name: Annotated[str, Field(description="Its name.")]
    reference: Annotated[str, Field(description="Give this as reference to drift_check.")]
    n_rows: Annotated[int, Field(ge=1, description="Rows it was made from.")]
    n_columns: Annotated[int, Field(ge=1, description="Columns with a value.")]
    size_bytes: Annotated[int, Field(ge=1, description="Size of its file.")]
    notices: Annotated[tuple[str, ...], Field(description="What to know, one sentence each.")] = ()
