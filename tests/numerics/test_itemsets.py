"""Sets of features against mlxtend's Apriori, recorded, and against counting one by one."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.itemsets import FeatureSets, frequent_sets

RECORDED = Path(__file__).parent / "mlxtend_sets.json"  # by benchmarks/patterns.py --record


def as_counts(found: FeatureSets) -> dict[tuple[int, ...], int]:
    return {found.items(i): int(count) for i, count in enumerate(found.counts)}


def test_the_sets_and_their_counts_are_those_of_mlxtends_apriori() -> None:
    kept = json.loads(RECORDED.read_text(encoding="utf-8"))
    table = np.array([[int(c) for c in row] for row in kept["rows"]])
    expected = {tuple(map(int, items.split())): n for items, n in kept["sets"].items()}

    found = frequent_sets(table, min_count=kept["min_count"])

    assert as_counts(found) == expected
    assert len(expected) > 150
    assert {len(items) for items in expected} == {1, 2, 3}


@settings(derandomize=True, max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n_rows=st.integers(1, 40),
    n_features=st.integers(1, 7),
    min_count=st.integers(1, 8),
    max_size=st.integers(1, 3),
)
def test_every_set_that_enough_rows_hold_is_counted_and_no_other(
    seed: int, n_rows: int, n_features: int, min_count: int, max_size: int
) -> None:
    rng = np.random.default_rng(seed)
    table = rng.random((n_rows, n_features)) < 0.6
    expected = {}
    for size in range(1, max_size + 1):
        for items in combinations(range(n_features), size):
            count = int(table[:, items].all(axis=1).sum())
            if count >= min_count:
                expected[items] = count

    found = frequent_sets(table, min_count=min_count, max_size=max_size)

    assert as_counts(found) == expected
    assert list(expected) == [found.items(i) for i in range(len(found.counts))]


def test_sums_over_the_rows_of_sets_are_those_of_adding_up() -> None:
    rng = np.random.default_rng(3)
    table = rng.random((200, 8)) < 0.5
    found = frequent_sets(table, min_count=5)
    for values in (rng.normal(size=200), table[:, 2]):
        expected = [values[table[:, found.items(i)].all(1)].sum() for i in range(len(found.counts))]
        np.testing.assert_allclose(found.sums(values), expected, rtol=0, atol=1e-9)
    kept = found.keep(found.sizes == 3)
    np.testing.assert_allclose(kept.sums(table[:, 0]), found.sums(table[:, 0])[found.sizes == 3])


def test_what_is_no_table_of_0_and_1_and_what_is_too_much_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="table of 0 and 1"):
        frequent_sets([[0.5, 1.0]], min_count=1)
    with pytest.raises(InvalidInputError, match="min_count must be at least 1"):
        frequent_sets([[1, 0]], min_count=0)
    with pytest.raises(InvalidInputError, match="Raise the support"):
        frequent_sets(np.ones((4, 30)), min_count=1, max_sets=1_000)
