"""Tests of columns together: what every one promises, and what each is there to see."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binom

from ml_orchestrator.errors import InvalidInputError, NotFoundError
from ml_orchestrator.health.models import TogetherDrift
from ml_orchestrator.health.multivariate import TOGETHER_TESTS
from ml_orchestrator.health.report import check_drift
from ml_orchestrator.health.together import check_together

Table = dict[str, NDArray[Any]]
EVERY = pytest.mark.parametrize("test", TOGETHER_TESTS)
COLUMNS = ("a", "b", "c", "shade")


def _table(seed: int, n: int, *, correlation: float = 0.8, reds: float = 0.5) -> Table:
    rng = np.random.default_rng(seed)
    a, noise, c = rng.normal(size=(3, n))
    shades = rng.choice(np.array(["red", "blue"], dtype=object), n, p=[reds, 1 - reds])
    holed = np.where(rng.uniform(size=n) < 0.1, np.nan, c)
    b = correlation * a + np.sqrt(1 - correlation**2) * noise
    return {"a": a, "b": b, "c": holed, "shade": shades}


def _check(test: str, reference: Table, current: Table, *, seed: int = 0) -> TogetherDrift:
    return check_together(reference, current, test=test, alpha=0.05, columns=COLUMNS, seed=seed)


@EVERY
def test_a_changed_correlation_is_seen_that_no_column_shows(test: str) -> None:
    before, after = _table(1, 900), _table(2, 800, correlation=-0.8)

    assert _check(test, before, after).is_drifted
    assert not check_drift(before, after, tests="auto").is_any_column_drifted


@EVERY
def test_samples_of_one_distribution_drift_at_the_nominal_rate(test: str) -> None:
    n_seeds = 30
    n_alarms = sum(
        _check(test, _table(seed, 120), _table(1_000 + seed, 90), seed=seed).is_drifted
        for seed in range(n_seeds)
    )
    # Binomial with mean 1.5; the bound holds all but 0.1 % of its mass.
    assert n_alarms <= binom.ppf(0.999, n_seeds, 0.05)


@EVERY
def test_the_same_seed_finds_the_same(test: str) -> None:
    before, after = _table(1, 200), _table(2, 150)
    assert _check(test, before, after, seed=4) == _check(test, before, after, seed=4)


@EVERY
def test_missing_values_that_begin_to_depend_on_nothing_else_are_seen(test: str) -> None:
    before, after = _table(1, 900), _table(2, 800)
    after["c"] = np.where(np.arange(800) % 2 == 0, np.nan, after["c"])
    assert _check(test, before, after).is_drifted


def test_the_classifier_names_the_column_that_changed() -> None:
    before, after = _table(1, 900), _table(2, 800, reds=0.9)
    found = _check("domain_classifier", before, after)
    assert next(iter(found.important_columns)) == "shade"
    assert "most of all by 'shade'" in found.summary
    assert 0.6 < (found.statistic or 0) < 0.8  # the best that can be told: 0.7


def test_columns_that_say_nothing_are_not_named_beside_one_that_does() -> None:
    n_seeds, n_wrong = 8, 0
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        before, after = ({f"x{i}": rng.normal(size=400) for i in range(6)} for _ in range(2))
        after["x0"] = after["x0"] + 0.8
        found = check_together(
            before, after, test="domain_classifier", alpha=0.05, columns=[*before], seed=seed
        )
        assert next(iter(found.important_columns)) == "x0"
        n_wrong += set(found.important_columns) != {"x0"}
    # Binomial with mean 0.4 at most; the bound holds all but 0.1 % of its mass.
    assert n_wrong <= binom.ppf(0.999, n_seeds, 0.05)


def test_an_undrifted_check_names_no_column() -> None:
    found = _check("domain_classifier", _table(1, 400), _table(2, 300))
    assert (found.is_drifted, found.important_columns) == (False, {})


@pytest.mark.parametrize(
    ("n", "message"), [(5, "reference sample has 5 rows"), (30, "No column varies")]
)
def test_too_little_to_compare_is_refused(n: int, message: str) -> None:
    table = {name: np.ones(n) for name in COLUMNS}
    with pytest.raises(InvalidInputError, match=message):
        _check("mmd", table, {name: np.ones(40) for name in COLUMNS})


def test_components_need_a_second_column() -> None:
    table = {name: np.ones(50) for name in COLUMNS} | {"a": np.arange(50.0)}
    with pytest.raises(InvalidInputError, match="needs two columns"):
        _check("pca", table, table)


def test_an_unknown_test_lists_the_known_ones() -> None:
    with pytest.raises(NotFoundError, match="known: domain_classifier, mmd, pca"):
        _check("umap", _table(1, 50), _table(2, 50))
