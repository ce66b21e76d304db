"""False alarms come at the promised rate, and planted drift is found and named."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from ml_orchestrator.health.models import Correction
from ml_orchestrator.health.report import check_drift

N_SEEDS = 200
ALPHA = 0.05
N_REFERENCE, N_CURRENT = 400, 399
N_COLUMNS = 12
NUMERIC = ("ks", "cramer_von_mises", "anderson_darling")
Table = dict[str, NDArray[Any]]


def _draw(test: str, n: int, rng: np.random.Generator) -> NDArray[Any]:
    if test in NUMERIC:
        return rng.normal(size=n)
    return rng.choice(np.array(["a", "b", "c", "d"], dtype=object), n, p=[0.4, 0.3, 0.2, 0.1])


def _n_false_alarms(test: str) -> int:
    n_alarms = 0
    for seed in range(N_SEEDS):
        rng = np.random.default_rng(seed)
        reference, current = _draw(test, N_REFERENCE, rng), _draw(test, N_CURRENT, rng)
        report = check_drift({"c": reference}, {"c": current}, tests=test, alpha=ALPHA)
        n_alarms += report.is_any_column_drifted
    return n_alarms


@pytest.mark.parametrize("test", [*NUMERIC, "chi_square", "g_test"])
def test_samples_of_one_distribution_drift_at_the_nominal_rate(test: str) -> None:
    # If the rate is alpha, the count over 200 seeds is binomial with mean 10. The interval holds
    # all but 0.2 % of its mass, so a sound test fails here for one choice of seeds in 500; these
    # seeds are fixed. The two sizes have no common divisor, so the p values of KS lie close
    # together and its true rate is alpha; with equal sizes it would be well below.
    low, high = binom.interval(0.998, N_SEEDS, ALPHA)
    assert low <= _n_false_alarms(test) <= high


def test_taking_a_reference_of_equal_size_as_known_raises_false_alarms() -> None:
    # Twice the variance that the test assumes: P(chi2_3 > 7.81 / 2) = 0.27, far above 0.05.
    low, high = binom.interval(0.998, N_SEEDS, 0.272)
    assert low <= _n_false_alarms("chi_square_known_reference") <= high


def _tables(rng: np.random.Generator, planted: set[str]) -> tuple[Table, Table]:
    reference: Table = {}
    current: Table = {}
    for i in range(N_COLUMNS):
        name = f"column_{i}"
        if i % 2:
            colours = np.array(["red", "green", "blue"], dtype=object)
            shares = [0.2, 0.3, 0.5] if name in planted else [0.5, 0.3, 0.2]
            reference[name] = rng.choice(colours, 500, p=[0.5, 0.3, 0.2])
            current[name] = rng.choice(colours, 450, p=shares)
        else:
            reference[name] = rng.normal(size=500)
            current[name] = rng.normal(0.6 if name in planted else 0.0, 1, 450)
    return reference, current


@pytest.mark.parametrize("n_planted", [0, 1, 5, 6, 12])
def test_exactly_the_planted_columns_are_found_and_named(n_planted: int) -> None:
    rng = np.random.default_rng(n_planted)
    planted = {f"column_{i}" for i in rng.choice(N_COLUMNS, n_planted, replace=False)}
    report = check_drift(*_tables(rng, planted), correction="holm", alpha=0.01)
    assert set(report.drifted_columns) == planted
    assert report.share_drifted == n_planted / N_COLUMNS
    assert report.is_drifted == (n_planted >= N_COLUMNS / 2)
    assert report.is_any_column_drifted == (n_planted > 0)


@pytest.mark.parametrize(("correction", "rate"), [("none", 1 - 0.95**N_COLUMNS), ("holm", 0.05)])
def test_correction_keeps_the_chance_of_any_false_alarm_at_alpha(
    correction: Correction, rate: float
) -> None:
    n_tables = 60
    n_alarms = sum(
        check_drift(
            *_tables(np.random.default_rng(1_000 + seed), set()), correction=correction
        ).is_any_column_drifted
        for seed in range(n_tables)
    )
    low, high = binom.interval(0.998, n_tables, rate)
    assert low <= n_alarms <= high
