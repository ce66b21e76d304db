"""How a column is read, and what predicting it would be."""

import json
from collections.abc import Collection, Iterator
from typing import Literal

import polars as pl

from ml_orchestrator.datasets.large_integers import are_labels, beyond_64_bits
from ml_orchestrator.datasets.models import ColumnKind, ColumnType, Task

__all__ = [
    "column_kind",
    "id_like_notice",
    "ignoring",
    "infinite_notice",
    "large_integer_notices",
    "names_each_row",
    "normalise",
    "reading_as",
    "reads_as_text",
    "suggest_metric",
    "suggest_task",
]

MAX_CLASSES = 20
MAX_CLASS_SHARE = 0.05  # distinct values per row, above which whole numbers are quantities
LEAST_OF_A_CLASS = 8  # rows: what five folds and a holdout need
LEAST_COUNTS = 8  # different values of counts; labels are seldom so many with rare ones among them
MIN_ROWS_FOR_ID = 20
TEXT_SHARE = 0.5  # distinct values per row, above which text is free text
MIN_TEXT_VALUES = 50
FEW_WORDS = 3  # on average, below which text is names or codes
N_LOOKED_AT = 1_000


def normalise(frame: pl.DataFrame, *, as_text: Collection[str] = ()) -> pl.DataFrame:
    """Return the frame in the few types the rest of the package knows.

    Decimals, durations (seconds) and times of day (seconds) become floats, NaN becomes null,
    categories become text and zoned times become naive UTC. Whole numbers that 64 bits do not
    hold become text where they are labels or in ``as_text``, else floats.
    """
    return frame.select([_plain(column, as_text) for column in frame.get_columns()])


def large_integer_notices(raw: pl.DataFrame, read: pl.DataFrame) -> Iterator[str]:
    """Yield a sentence for each column whose whole numbers are beyond 64 bits.

    Args:
        raw: the table as the file has it.
        read: the same, normalised.
    """
    for column in raw.get_columns():
        if not beyond_64_bits(column):
            continue
        largest = int(column.max())  # type: ignore[arg-type]
        told = f"{column.name!r} holds whole numbers beyond 64 bits, such as {largest}"
        if read[column.name].dtype == pl.String:
            mend = f"{reading_as(column.name, 'numeric')} reads amounts, to 16 digits."
            yield f"{told}: they are read as labels. {mend}"
        else:
            mend = f"If they are codes, {reading_as(column.name, 'categorical')} reads labels."
            yield f"{told}: they are read as amounts, to 16 digits. {mend}"


def _plain(column: pl.Series, as_text: Collection[str]) -> pl.Series:
    dtype = column.dtype
    if dtype.is_integer():
        return _within_64_bits(column, as_text)
    if dtype.is_float():
        column = column.fill_nan(None)
    elif dtype.is_decimal():
        column = column.cast(pl.Float64)
    elif dtype == pl.Duration:
        column = column.dt.total_microseconds().cast(pl.Float64) / 1e6
    elif dtype == pl.Time:
        column = column.cast(pl.Int64).cast(pl.Float64) / 1e9
    elif dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    elif isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column


def _within_64_bits(column: pl.Series, as_text: Collection[str]) -> pl.Series:
    if beyond_64_bits(column):
        is_label = column.name in as_text or are_labels(column)
        return column.cast(pl.String if is_label else pl.Float64)
    return column.cast(pl.Int64) if column.dtype in (pl.Int128, pl.UInt128) else column


def column_kind(column: pl.Series) -> ColumnKind:
    """Return how training reads a normalised column."""
    dtype = column.dtype
    if column.null_count() == len(column):
        return "empty"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_numeric():
        return "numeric"
    if dtype.is_temporal():
        return "temporal"
    return _text_kind(column) if dtype == pl.String else "unsupported"


def _text_kind(column: pl.Series) -> Literal["categorical", "text"]:
    values = column.drop_nulls()
    n_unique = values.n_unique()
    is_free = n_unique > MIN_TEXT_VALUES and n_unique > TEXT_SHARE * len(values)
    return "text" if is_free else "categorical"


def names_each_row(column: pl.Series) -> bool:
    """Return whether a column is text that never repeats and is not of several words."""
    values = column.drop_nulls()
    if values.dtype != pl.String or len(values) < MIN_ROWS_FOR_ID:
        return False
    return values.n_unique() == len(values) and not reads_as_text(values)


def id_like_notice(name: str) -> str:
    """Return what to say of a column that only numbers or names its rows."""
    return f"{name!r} only numbers or names the rows; leave it out by {ignoring(name)}."


def infinite_notice(column: pl.Series) -> str:
    """Return what to say of a column's infinite values; nothing without any.

    >>> infinite_notice(pl.Series("age", [31.0, float("inf")]))
    "1 infinite value of 'age' counts as missing, in row 2."
    """
    if not column.dtype.is_float() or not (is_off := column.is_infinite()).any():
        return ""
    n, row = int(is_off.sum()), int(is_off.arg_max() or 0) + 1
    if n == 1:
        return f"1 infinite value of {column.name!r} counts as missing, in row {row:,}."
    return f"{n:,} infinite values of {column.name!r} count as missing, first in row {row:,}."


def ignoring(name: str) -> str:
    """Return the argument that leaves a column out, with its value in JSON.

    >>> ignoring("visit_id")
    'column_types {"visit_id": "ignore"}'
    """
    return reading_as(name, "ignore")


def reading_as(name: str, wanted: ColumnType) -> str:
    """Return the argument that reads a column as another type, with its value in JSON."""
    quoted = json.dumps(name, ensure_ascii=not name.isprintable())
    return f'column_types {{{quoted}: "{wanted}"}}'


def reads_as_text(column: pl.Series) -> bool:
    """Return whether the text in a column has three words or more on average."""
    words = column.drop_nulls().head(N_LOOKED_AT).str.count_matches(r"\w+")
    return len(words) > 0 and float(words.mean()) >= FEW_WORDS  # type: ignore[arg-type]


def suggest_task(target: pl.Series) -> Task:
    """Return what predicting a normalised column is.

    Text and booleans are classes. Numbers are classes when they are whole and few: two, or at
    most 20 that make up at most a twentieth of the rows. Many of which some are so rare that folds
    would lack them are counts, which have such a tail.
    """
    values = target.drop_nulls()
    if not values.dtype.is_numeric():
        return "classification"
    if not values.dtype.is_integer() and not bool((values == values.round()).all()):
        return "regression"
    n_unique = values.n_unique()
    if n_unique <= 2:
        return "classification"
    are_few = n_unique <= MAX_CLASSES and n_unique <= MAX_CLASS_SHARE * len(values)
    rarest = int(values.value_counts()["count"].min())  # type: ignore[arg-type]
    are_counts = n_unique >= LEAST_COUNTS and rarest < LEAST_OF_A_CLASS
    return "classification" if are_few and not are_counts else "regression"


def suggest_metric(task: Task, n_classes: int) -> str:
    """Return a metric name: ranking for two classes, balanced for more, explained variance."""
    if task == "regression":
        return "r2"
    return "roc_auc" if n_classes <= 2 else "f1_macro"
