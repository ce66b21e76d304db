"""Guards say that they hold only where the data show it."""

from typing import Any

import numpy as np
import pytest

from ml_orchestrator.evaluation.experiments.evaluate import evaluate_table
from ml_orchestrator.evaluation.experiments.models import Guard
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions


def guard(values: Any, margin: float, **options: Any) -> Guard:
    """Return the guard over rows of two arms in turn."""
    n = len(values)
    table = {
        "arm": np.resize(np.array(["a", "b"], dtype=object), n),
        "won": np.random.default_rng(0).normal(size=n),
        "unit": np.arange(n) // 4 * 2.0 + np.arange(n) % 2,
        "column": np.asarray(values, dtype=float),
    }
    made = ExperimentOptions(arm="arm", outcome="won", guards={"column": margin}, **options)
    return evaluate_table(table, made).guards[0]


@pytest.mark.parametrize("is_monitored", [False, True])
def test_few_rows_without_a_crash_do_not_show_that_none_will_come(is_monitored: bool) -> None:
    few = guard(np.zeros(60), -0.001, is_monitored=is_monitored)
    many = guard(np.zeros(60_000), -0.001, is_monitored=is_monitored)
    assert (few.status, many.status) == ("not_shown", "holds")
    assert few.high is not None
    assert few.high > 0.05


def test_a_column_without_spread_shows_nothing() -> None:
    for options in ({}, {"is_monitored": True}, {"unit": "unit"}):
        found = guard(np.full(60, 7.0), 0.1, **options)
        assert (found.status, found.low, found.high) == ("not_shown", None, None)


def test_a_monitored_guard_is_not_judged_before_it_can_be() -> None:
    values = np.resize([5.0, 1.0], 60) + np.random.default_rng(1).normal(size=60) / 100
    assert guard(values, 0.5).status == "harmed"
    assert guard(values, 0.5, is_monitored=True).status == "not_shown"
    later = np.resize([5.0, 1.0], 400) + np.random.default_rng(1).normal(size=400) / 100
    assert guard(later, 0.5, is_monitored=True).status == "harmed"
