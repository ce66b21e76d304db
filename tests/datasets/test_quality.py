"""Data quality against a baseline: what is planted is found, and nothing else."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from ml_orchestrator.datasets.models import QualityReport
from ml_orchestrator.datasets.quality import check_quality, expect
from ml_orchestrator.errors import InvalidInputError

NOW = datetime(2026, 3, 1)
N = 400


def _frame(seed: int, *, days_back: int = 30) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    start = NOW - timedelta(days=days_back)
    return pl.DataFrame(
        {
            "amount": rng.normal(50, 10, N),
            "city": rng.choice(["Rome", "Oslo", "Lima"], N),
            "holed": [None if u < 0.1 else float(u) for u in rng.uniform(size=N)],
            "at": [start + timedelta(minutes=30 * i) for i in range(N)],
        }
    )


def _check(frame: pl.DataFrame, **options: Any) -> QualityReport:
    return check_quality(frame, expect(_frame(0)), now=NOW, **options)


def _found(report: QualityReport) -> set[tuple[str, str | None, str]]:
    return {(f.check, f.column, f.severity) for f in report.findings}


def test_other_samples_of_the_same_source_raise_nothing() -> None:
    # Five checks of 1 in 1,000 on 60 samples: 0.3 findings are to be expected, 3 are not.
    n_found = sum(len(_check(_frame(seed, days_back=9)).findings) for seed in range(1, 61))
    assert n_found <= 2


LATER = _frame(1, days_back=9)
MORE = pl.concat([LATER, _frame(2, days_back=8), _frame(3, days_back=7)])
IS_NINTH = pl.int_range(N) % 9 == 0


@pytest.mark.parametrize(
    ("frame", "finding"),
    [
        (LATER.drop("city"), ("schema", "city", "error")),
        (LATER.with_columns(pl.col("amount").cast(pl.String)), ("schema", "amount", "error")),
        (LATER.with_columns(more=pl.lit(1.0)), ("schema", "more", "warning")),
        (
            LATER.with_columns(holed=pl.when(pl.int_range(N) % 4 > 0).then("holed")),
            ("nulls", "holed", "error"),
        ),
        (LATER.with_columns(holed=pl.lit(None)), ("nulls", "holed", "error")),
        (LATER.with_columns(pl.col("amount") * 2), ("range", "amount", "warning")),
        (
            LATER.with_columns(city=pl.when(IS_NINTH).then(pl.lit("Pune")).otherwise("city")),
            ("categories", "city", "warning"),
        ),
        (pl.concat([LATER[:300], LATER[:100]]), ("duplicates", None, "error")),
        (LATER[:100], ("volume", None, "warning")),
        (MORE, ("volume", None, "warning")),
        (_frame(1, days_back=40), ("freshness", "at", "warning")),
    ],
)  # fmt: skip
def test_one_planted_fault_is_the_one_that_is_found(
    frame: pl.DataFrame, finding: tuple[str, str | None, str]
) -> None:
    report = _check(frame)
    assert _found(report) == {finding}
    assert report.is_ok == (finding[2] == "warning")


def test_a_part_is_held_against_by_its_own_columns_and_all_rows() -> None:
    part = expect(_frame(0).select("city"), is_part=True)
    assert check_quality(LATER, part, now=NOW).findings == ()
    assert _found(check_quality(LATER[:100], part, now=NOW)) == {("volume", None, "warning")}
    gone = check_quality(LATER.drop("city"), part, now=NOW)
    assert _found(gone) == {("schema", "city", "error")}


def test_rows_older_than_allowed_are_an_error() -> None:
    late = _check(LATER, max_age_hours=12)  # its newest row is 16 h old
    assert _found(late) == {("freshness", "at", "error")}
    assert "16.5 h old" in late.findings[0].summary
    assert _check(LATER, max_age_hours=24).findings == ()
    with pytest.raises(InvalidInputError, match="above 0; found 0"):
        _check(LATER, max_age_hours=0)


def test_a_date_that_stays_says_nothing_of_how_new_the_rows_are() -> None:
    born = pl.datetime_range(datetime(1990, 1, 1), datetime(1990, 4, 9), "1d", eager=True)
    at = pl.datetime_range(datetime(2026, 1, 1), datetime(2026, 4, 10), "1d", eager=True)
    due = at + timedelta(days=400)
    before = pl.DataFrame({"born": born, "at": at[: len(born)], "due": due[: len(born)]})
    now = before.with_columns(pl.col("at", "due") + timedelta(days=30))
    expected, moment = expect(before), datetime(2026, 5, 9, 6)

    fresh = check_quality(now, expected, now=moment, max_age_hours=12)
    assert [f.column for f in fresh.findings if f.check == "freshness"] == []
    late = check_quality(now, expected, now=moment + timedelta(days=2), max_age_hours=12)
    assert [f.column for f in late.findings if f.check == "freshness"] == ["at"]


def test_the_volume_is_that_of_all_rows_where_a_part_is_looked_at() -> None:
    before = pl.DataFrame({"x": [float(i) for i in range(100)]})
    now = datetime(2026, 5, 1)

    def volumes(n_before: int | None, n_now: int | None) -> list[str]:
        report = check_quality(before, expect(before, n_rows=n_before), now=now, n_rows=n_now)
        return [finding.summary for finding in report.findings if finding.check == "volume"]

    assert volumes(60_000, 60_000) == volumes(None, None) == []
    assert volumes(3_000, 60_000) == ["60,000 rows; 3,000 were expected."]
