"""Data quality: what a table may be expected to look like, and where another departs from it.

Chance is allowed for: of two samples of one distribution, the later one often holds a new largest
value or a new category, so a finding needs more of them than 999 such samples in 1,000 show.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl
from scipy.stats import betabinom, norm

from ml_orchestrator.datasets.kinds import column_kind
from ml_orchestrator.datasets.models import ColumnKind, QualityCheck, QualityFinding, QualityReport
from ml_orchestrator.datasets.profile import duplicate_rows
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.records import Record

__all__ = [
    "ColumnExpectation",
    "Expectations",
    "check_quality",
    "expect",
]

SURE = 0.999
LEAST_RISE = 0.01  # of a share, below which nobody cares
MOST_CATEGORIES = 1_000
VOLUME_FACTOR = 2.0


class ColumnExpectation(Record):
    """What a column was like."""

    name: str
    kind: ColumnKind
    missing_share: float
    minimum: float | None = None
    maximum: float | None = None
    newest: str | None = None
    categories: tuple[str, ...] | None = None
    n_once: int = 0


class Expectations(Record):
    """What a table was like."""

    n_rows: int
    duplicate_share: float
    columns: tuple[ColumnExpectation, ...]
    is_part: bool = False
    n_rows_of_all: int | None = None  # where the table was a sample of them


def expect(
    frame: pl.DataFrame, *, is_part: bool = False, n_rows: int | None = None
) -> Expectations:
    """Return what later tables are held against.

    Args:
        frame: a normalised table that is in order.
        is_part: whether its columns were chosen from more; others are not looked at then.
        n_rows: of all, if the table is a part of them; for the volume.
    """
    return Expectations(
        n_rows=frame.height,
        duplicate_share=duplicate_rows(frame) / frame.height,
        columns=tuple(_expected_column(column) for column in frame.get_columns()),
        is_part=is_part,
        n_rows_of_all=n_rows,
    )


def check_quality(
    frame: pl.DataFrame,
    expected: Expectations,
    *,
    now: datetime,
    max_age_hours: float | None = None,
    n_rows: int | None = None,
) -> QualityReport:
    """Hold a normalised frame against what was expected of it.

    Schema (columns gone, new or of another kind), missing values, ranges, categories, duplicate
    rows, volume (half or double), and freshness: the column of times that reaches nearest to the
    present must reach beyond its newest value in the baseline, and, with ``max_age_hours``, not lie
    further back than that.
    Where columns were chosen for the baseline, the others are no part of the check.

    Args:
        frame: shape ``(n_rows, n_columns)``; columns in any order.
        expected: what `expect` returned.
        now: the present, UTC and naive.
        max_age_hours: oldest that the newest row may be.
        n_rows: of all, if the frame is a part of them; for the volume.

    Raises:
        InvalidInputError: ``max_age_hours`` is not positive.
    """
    if max_age_hours is not None and not max_age_hours > 0:
        raise InvalidInputError(f"max_age_hours must be above 0; found {max_age_hours}.")
    known = {column.name: column for column in expected.columns}
    n_seen = frame.height
    if expected.is_part:
        frame = frame.select(name for name in frame.columns if name in known)
    found = [
        *_schema(frame, known),
        *_duplicates(frame, n_seen, expected),
        *_volume(n_seen if n_rows is None else n_rows, expected),
    ]
    for name in known.keys() & set(frame.columns):
        column, before = frame[name], known[name]
        if column_kind(column) in (before.kind, "empty"):
            found += _in_column(column, before, expected.n_rows)
    if (freshest := _freshest(frame, known, now)) is not None:
        found += _freshness(*freshest, known[freshest[0]], now, max_age_hours)
    found.sort(key=lambda f: (f.severity, f.check, f.column or ""))
    n_errors = sum(f.severity == "error" for f in found)
    return QualityReport(
        is_ok=n_errors == 0,
        findings=tuple(found),
        summary=f"{n_errors} errors and {len(found) - n_errors} warnings against the baseline of "
        f"{expected.n_rows:,} rows.",
    )


def _expected_column(column: pl.Series) -> ColumnExpectation:
    kind, values = column_kind(column), column.drop_nulls()
    more: dict[str, Any] = {}
    if kind == "numeric":
        more = {"minimum": float(values.min()), "maximum": float(values.max())}  # type: ignore[arg-type]
    elif kind == "temporal" and values.dtype in (pl.Date, pl.Datetime):
        more = {"newest": str(values.cast(pl.Datetime).max())}
    elif kind == "categorical" and values.n_unique() <= MOST_CATEGORIES:
        counts = values.value_counts()
        more = {
            "categories": tuple(sorted(values.unique().to_list())),
            "n_once": int((counts["count"] == 1).sum()),
        }
    missing = column.null_count() / len(column)
    return ColumnExpectation(name=column.name, kind=kind, missing_share=missing, **more)


def _schema(
    frame: pl.DataFrame, known: Mapping[str, ColumnExpectation]
) -> Iterator[QualityFinding]:
    for name, before in known.items():
        if name not in frame.columns:
            yield _finding("schema", name, "error", "The column is gone.")
            continue
        kind = column_kind(frame[name])
        if kind not in (before.kind, "empty"):
            yield _finding(
                "schema",
                name,
                "error",
                f"It was {before.kind} and is {kind} ({frame[name].dtype}).",
            )
    for name in frame.columns:
        if name not in known:
            yield _finding("schema", name, "warning", "The column is new.")


def _duplicates(
    frame: pl.DataFrame, n_rows: int, expected: Expectations
) -> Iterator[QualityFinding]:
    duplicates = duplicate_rows(frame)
    if _rose(duplicates, n_rows, expected.duplicate_share, expected.n_rows):
        share = duplicates / n_rows
        yield _finding(
            "duplicates",
            None,
            "error",
            f"Rows that repeat an earlier one: {expected.duplicate_share:.1%} to {share:.1%}.",
        )


def _volume(n_rows: int, expected: Expectations) -> Iterator[QualityFinding]:
    n_before = expected.n_rows if expected.n_rows_of_all is None else expected.n_rows_of_all
    if not 1 / VOLUME_FACTOR <= n_rows / n_before <= VOLUME_FACTOR:
        yield _finding("volume", None, "warning", f"{n_rows:,} rows; {n_before:,} were expected.")


def _in_column(
    column: pl.Series, before: ColumnExpectation, n_before: int
) -> Iterator[QualityFinding]:
    n_missing = column.null_count()
    if _rose(n_missing, len(column), before.missing_share, n_before):
        yield _finding(
            "nulls",
            column.name,
            "error",
            f"Missing values: {before.missing_share:.1%} to {n_missing / len(column):.1%}.",
        )
    values = column.drop_nulls()
    if before.minimum is not None and len(values):
        outside = int(((values < before.minimum) | (values > before.maximum)).sum())
        if outside > _by_chance(len(values), 2, n_before):
            yield _finding(
                "range",
                column.name,
                "warning",
                f"{outside:,} of {len(values):,} values outside {before.minimum:g} to "
                f"{before.maximum:g}; now from {_number(values.min())} to {_number(values.max())}.",
            )
    if before.categories is not None and len(values):
        new = values.filter(~values.is_in(list(before.categories)))
        if len(new) > _by_chance(len(values), before.n_once + 1, n_before):
            named = ", ".join(map(repr, new.value_counts(sort=True)[column.name].to_list()[:3]))
            yield _finding(
                "categories",
                column.name,
                "warning",
                f"{len(new):,} of {len(values):,} values in categories never seen: {named}.",
            )


def _freshest(
    frame: pl.DataFrame, known: Mapping[str, ColumnExpectation], now: datetime
) -> tuple[str, datetime] | None:
    """Return the column of times that tells how new the rows are, and its newest value.

    It is the one that reaches nearest to the present: a date of birth stays what it is. Times to
    come are passed over, unless there are no others.
    """
    newest: dict[str, datetime] = {}
    for name, before in known.items():
        if before.newest is None or name not in frame.columns:
            continue
        if column_kind(frame[name]) != "temporal":
            continue
        times = frame[name].cast(pl.Datetime("us")).drop_nulls()
        past = times.filter(times <= now)
        if isinstance(found := (past if len(past) else times).max(), datetime):
            newest[name] = found
    if not newest:
        return None
    name = max(newest, key=lambda name: (newest[name] <= now, newest[name]))
    return name, newest[name]


def _freshness(
    name: str,
    newest: datetime,
    before: ColumnExpectation,
    now: datetime,
    max_age_hours: float | None,
) -> Iterator[QualityFinding]:
    if newest <= datetime.fromisoformat(str(before.newest)):
        yield _finding(
            "freshness",
            name,
            "warning",
            f"Nothing is newer than the baseline: {newest} against {before.newest}.",
        )
    if max_age_hours is not None and now - newest > timedelta(hours=max_age_hours):
        age = (now - newest).total_seconds() / 3600
        yield _finding(
            "freshness",
            name,
            "error",
            f"The newest row is {age:,.1f} h old ({newest}); {max_age_hours:g} h are allowed.",
        )


def _rose(count: int, n: int, share_before: float, n_before: int) -> bool:
    """Whether a share rose by a hundredth and by more than chance (one-sided z test)."""
    share = count / n
    if share - share_before < LEAST_RISE:
        return False
    pooled = (count + share_before * n_before) / (n + n_before)
    spread = (pooled * (1 - pooled) * (1 / n + 1 / n_before)) ** 0.5
    return bool(spread == 0 or (share - share_before) / spread > norm.ppf(SURE))


def _by_chance(n: int, n_rare: int, n_before: int) -> int:
    """Return how many of ``n`` values may lie where only ``n_rare`` of ``n_before`` did.

    The share beyond the extremes of ``n_before`` values follows the Beta(2, n_before - 1)
    distribution, whatever theirs is, so the count is beta-binomial; the same is taken for
    categories, of which those seen once tell how many were not seen.
    """
    return int(betabinom.ppf(SURE, n, n_rare, max(1, n_before + 1 - n_rare)))


def _number(value: Any) -> str:
    return f"{float(value):g}"


def _finding(
    check: QualityCheck, column: str | None, severity: Literal["error", "warning"], summary: str
) -> QualityFinding:
    return QualityFinding(check=check, column=column, severity=severity, summary=summary)
