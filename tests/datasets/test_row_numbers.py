"""Which columns only number or name rows: gaps or not, and never a quantity."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ml_orchestrator.datasets.row_names import id_like_columns
from ml_orchestrator.datasets.row_numbers import numbers_or_names_rows

Draw = Callable[[np.random.Generator, int], NDArray[Any]]

QUANTITIES: dict[str, Draw] = {
    "age": lambda r, n: r.normal(45, 15, n).round(),
    "money": lambda r, n: r.lognormal(10, 1, n).round(),
    "even": lambda r, n: r.integers(0, 10**6, n) * 1.0,
    "waiting": lambda r, n: r.exponential(5_000, n).round(),
    "counts": lambda r, n: r.poisson(30_000, n) * 1.0,
    "hundreds": lambda r, n: 100 * r.normal(500, 100, n).round(),
    "small": lambda r, n: r.integers(0, 50, n) * 1.0,
}
SEEDS = st.integers(0, 2**32 - 1)


@given(seed=SEEDS, n=st.integers(2, 3_000), name=st.sampled_from(sorted(QUANTITIES)))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_quantity_is_never_taken_for_numbers_of_rows(seed: int, n: int, name: str) -> None:
    """Sorted or not, whole floats or integers; a chance of 1 in 13,000 each is allowed for."""
    values = QUANTITIES[name](np.random.default_rng(seed), n)
    for column in (values, np.sort(values), values.astype(np.int64)):
        assert not numbers_or_names_rows(pl.Series(column))


@given(
    seed=SEEDS,
    n=st.integers(120, 3_000),
    kept=st.floats(0.4, 1),
    start=st.integers(-(10**12), 10**12),
    step=st.sampled_from([1, 2]),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_numbers_with_gaps_are_known_in_any_order(
    seed: int, n: int, kept: float, start: int, step: int
) -> None:
    rng = np.random.default_rng(seed)
    numbers = start + step * np.sort(rng.choice(int(n / kept), n, replace=False))
    for column in (numbers, rng.permutation(numbers), numbers.astype(np.float64)):
        assert numbers_or_names_rows(pl.Series(column))
    twice = numbers.copy()
    twice[: n // 200] = twice[n // 200 : 2 * (n // 200)]  # a few rows stand twice
    assert numbers_or_names_rows(pl.Series(twice))


def test_a_sample_of_the_rows_of_a_large_table_is_known() -> None:
    rng = np.random.default_rng(0)
    column = pl.Series(rng.choice(1_000_000, 10_000, replace=False))
    assert numbers_or_names_rows(column)
    with_holes = pl.Series([None, *column.to_list(), None])
    assert numbers_or_names_rows(with_holes)


def test_wide_gaps_cannot_be_told_from_a_quantity() -> None:
    rng = np.random.default_rng(0)
    assert not numbers_or_names_rows(pl.Series(rng.choice(10**9, 1_000, replace=False)))


@pytest.mark.parametrize(
    ("values", "is_it"),
    [
        ([f"visit-{i}" for i in range(400)], True),
        ([f"visit-{i}" for i in range(399)] + ["visit-1"], True),
        ([f"city-{i % 300}" for i in range(400)], False),
        ([f"{i} words of a text here" for i in range(400)], False),
        ([f"visit-{i}" for i in range(19)], False),
        (list(range(20)), True),
        (list(range(19)), False),
        ([i + 0.5 for i in range(400)], False),
        ([1] * 400, False),
        ([True, False] * 200, False),
        ([], False),
    ],
)
def test_names_and_edges(values: list[object], is_it: bool) -> None:
    assert numbers_or_names_rows(pl.Series(values)) is is_it


def test_columns_of_a_table_are_told_apart() -> None:
    rng = np.random.default_rng(1)
    frame = pl.DataFrame(
        {
            "order": 3 + 2 * np.arange(500),
            "age": rng.normal(45, 15, 500).round().astype(np.int64),
            "price": rng.lognormal(3, 1, 500),
            "code": [f"{value:x}" for value in rng.choice(10**9, 500, replace=False)],
        }
    )
    assert id_like_columns(frame) == {"order", "code"}
