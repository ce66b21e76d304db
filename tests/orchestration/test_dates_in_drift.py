"""Dates go on from one file to the next: unchanged data do not drift by them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.orchestration.monitor_bench import Bench, open_bench

from ml_orchestrator.datasets.row_names import not_compared
from ml_orchestrator.health.options import DriftOptions
from ml_orchestrator.orchestration.baselines import BaselineKeeper
from ml_orchestrator.orchestration.drift_checks import DriftChecker
from ml_orchestrator.orchestration.steps import StepContext
from ml_orchestrator.orchestration.steps.drift import compare

LEFT_OUT = "Not compared: 'day', which holds dates or times, so that other rows differ in it"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A reference of January and unchanged rows of February, each with its dates."""
    with open_bench(tmp_path) as opened:
        for name, n_rows, month in (("before.csv", 1_500, 1), ("now.csv", 400, 2)):
            opened.write(name, _dated(opened.rows(n_rows), month))
        yield opened


def _dated(frame: pl.DataFrame, month: int) -> pl.DataFrame:
    days = np.arange(frame.height) * 28 // frame.height
    return frame.with_columns(
        day=pl.date(2026, month, 1) + pl.Series(days * 86_400_000).cast(pl.Duration("ms"))
    )


def _keep_baseline(bench: Bench) -> tuple[str, ...]:
    keeper = BaselineKeeper(bench.settings)
    return keeper.save("before", "before.csv", columns=None, column_types={}).notices


@pytest.mark.parametrize("reference", ["before.csv", "baseline:before"])
def test_a_check_of_unchanged_data_leaves_dates_out_unless_they_are_named(
    bench: Bench, reference: str
) -> None:
    assert _keep_baseline(bench)[0].startswith(LEFT_OUT)
    checker = DriftChecker(bench.settings)
    report, _ = checker.check(reference, "now.csv", DriftOptions())
    assert report.drifted_columns == ()
    assert report.notices[0].startswith(LEFT_OUT)
    named, _ = checker.check(reference, "now.csv", DriftOptions(columns=["day", "age"]))
    assert (named.drifted_columns, named.notices) == (("day",), ())
    timed, _ = checker.check(reference, "now.csv", DriftOptions(time_column="day"))
    assert (timed.drifted_columns, timed.notices[:1]) == ((), ())


@pytest.mark.parametrize("limits", ["calibrated", "fixed"])
@pytest.mark.parametrize("reference", ["before.csv", "baseline:before"])
def test_a_monitor_of_unchanged_data_leaves_dates_out_unless_they_are_named(
    bench: Bench, reference: str, limits: str
) -> None:
    _keep_baseline(bench)
    watch: dict[str, Any] = {"limits": limits, "share_threshold": 0.01}
    assert LEFT_OUT in "\n".join(bench.set(reference=reference, drift=watch))
    bench.put(reference=reference, drift=watch)
    look = bench.look()
    assert look.verdict == "good"
    assert LEFT_OUT in look.summary
    named = {**watch, "columns": ["day", "age"]}
    bench.put(reference=reference, drift=named)
    assert "'day' drifted" in "".join(bench.look().findings)
    assert "Not compared" not in "\n".join(bench.set(drift=named))


def test_the_comparison_before_a_retraining_leaves_dates_out_and_says_so(bench: Bench) -> None:
    def compared(**more: Any) -> dict[str, Any]:
        params = {"reference": "before.csv", "source": "now.csv", "alpha": 0.05}
        context = StepContext("run-1", "ann", bench.settings, lambda *_: None)
        drift: dict[str, Any] = compare(context, {**params, "share_threshold": 0.01, **more}, {})
        return drift["drift"]  # type: ignore[no-any-return]

    found = compared()
    assert (found["is_drifted"], found["drifted_columns"]) == (False, [])
    assert LEFT_OUT in found["summary"]
    as_labels = compared(column_types={"day": "categorical"})  # then it is no date any more
    assert as_labels["drifted_columns"] == ["day"]


def test_dates_that_are_gone_empty_or_of_another_type_count_as_drifted(bench: Bench) -> None:
    now = bench.rows(400)
    checker = DriftChecker(bench.settings)
    for change, frame in {
        "gone": now,
        "emptied": now.with_columns(day=pl.lit(None, pl.String)),
        "retyped": now.with_columns(day=pl.lit("soon")),
    }.items():
        bench.write("now.csv", frame)
        report, _ = checker.check("before.csv", "now.csv", DriftOptions())
        assert [(c.column, c.change) for c in report.schema_changes] == [("day", change)]


def test_data_of_dates_alone_are_compared_by_them(bench: Bench) -> None:
    for name, month in (("before.csv", 1), ("now.csv", 2)):
        bench.write(name, _dated(bench.rows(400), month).select("day"))
    report, _ = DriftChecker(bench.settings).check("before.csv", "now.csv", DriftOptions())
    assert (report.drifted_columns, report.notices) == (("day",), ())


def test_ids_and_dates_that_are_left_out_are_told_in_one_sentence() -> None:
    assert not_compared((), ("t",)) == ()
    assert not_compared(["t", "row", "id"], ("t", "u")) == (
        "Not compared: 'id', 'row', which only numbers or names rows, and 't', which holds dates "
        "or times, so that other rows differ in it though nothing changed. Named in columns, it "
        "is compared.",
    )
