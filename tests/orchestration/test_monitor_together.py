"""Monitors that compare all columns at once, beside each by itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from scipy.stats import binom
from tests.orchestration.monitor_bench import Bench, open_bench

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.health.monitors.models import read_spec
from ml_orchestrator.health.multivariate import TOGETHER_TESTS

COLUMNS = ["age", "label"]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with open_bench(tmp_path) as opened:
        yield opened


def _drift(**given: Any) -> dict[str, Any]:
    return {"drift": {"columns": COLUMNS, **given}}


def _unrelated(frame: pl.DataFrame) -> pl.DataFrame:
    """The same columns, one of them in another order: each as it was, together not."""
    return frame.with_columns(frame["label"].shuffle(seed=1))


@pytest.mark.parametrize("limits", ["calibrated", "fixed"])
@pytest.mark.parametrize("test", TOGETHER_TESTS)
def test_a_relation_that_is_gone_is_found_and_no_column_shows_it(
    bench: Bench, test: str, limits: str
) -> None:
    bench.write("now.csv", _unrelated(bench.rows(1_000)))
    bench.put(**_drift(limits=limits))
    assert bench.look().verdict == "good"

    bench.put(**_drift(limits=limits, together=test))
    bench.write("now.csv", _unrelated(bench.rows(1_001)))
    look = bench.look()
    assert look.verdict == "bad"
    assert len(look.findings) == 1
    assert f"Together the columns drifted ({test}" in look.findings[0]


def test_unchanged_rows_are_bad_at_the_rate_and_what_was_drawn_is_told(bench: Bench) -> None:
    bench.put(**_drift(together="mmd"), false_alarm_rate=0.2)
    n_looks, n_bad = 12, 0
    for _ in range(n_looks):
        bench.write("now.csv", bench.rows(200))
        look = bench.look()
        n_bad += any("Together" in finding for finding in look.findings)
    assert n_bad <= binom.ppf(0.999, n_looks, 0.1)
    assert "Together 1,000 rows of a side at most were compared" in look.summary


def test_checks_with_a_rate_of_their_own_share_that_of_the_monitor() -> None:
    given = {"watch": "now.csv", "reference": "before.csv", "false_alarm_rate": 0.06}
    performance = {"target": "label", "prediction": "said"}
    for checks, rate in (
        ({"drift": {}}, 0.06),
        ({"drift": {"together": "pca"}}, 0.03),
        ({"drift": {"together": "pca", "limits": "fixed"}}, 0.06),
        ({"drift": {"together": "pca"}, "performance": performance}, 0.02),
    ):
        assert read_spec({**given, **checks}).rate == pytest.approx(rate)


def test_an_earlier_release_reads_a_monitor_that_asks_for_nothing_new() -> None:
    given = {"watch": "now.csv", "reference": "before.csv"}
    fields = {"limits", "test", "columns", "alpha", "correction", "share_threshold"}
    usual, new = (read_spec({**given, **_drift(**more)}) for more in ({}, {"together": "pca"}))
    for stored in (usual.model_dump(), json.loads(usual.model_dump_json())):
        assert set(stored["drift"]) == fields  # of 0.1.0 before ``together``
    assert type(new).model_validate_json(new.model_dump_json()) == new


def test_too_few_rows_are_no_data_to_a_look_and_refused_when_it_is_set(bench: Bench) -> None:
    bench.write("now.csv", bench.rows(12))
    bench.put(**_drift(together="pca"), least_rows=10)
    look = bench.look()
    assert look.verdict == "no_data"
    assert "together are compared from 20 rows on" in look.summary
    with pytest.raises(InvalidInputError, match="least_rows is 10"):
        bench.set(**_drift(together="pca"), least_rows=10)


def test_it_says_when_it_is_set_what_it_will_do_and_refuses_a_test_that_is_not_there(
    bench: Bench,
) -> None:
    bench.write("now.csv", bench.rows())
    said = " ".join(bench.set(**_drift(together="domain_classifier")))
    assert "All columns at once by domain_classifier; bad by chance in 0.50% of looks" in said
    with pytest.raises(NotFoundError, match=r"'psi'.*domain_classifier"):
        bench.set(**_drift(together="psi"))
