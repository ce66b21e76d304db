"""Orders of events against trying every one."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.subsequences import frequent_subsequences, holds_subsequence


def holds(events: list[int], wanted: tuple[int, ...]) -> bool:
    return any(
        tuple(events[i] for i in places) == wanted
        for places in combinations(range(len(events)), len(wanted))
    )


@settings(derandomize=True, max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.integers(-1, 2), max_size=6), min_size=1, max_size=12), st.integers(1, 5)
)
def test_every_order_that_enough_sequences_hold_is_found_and_no_other(
    sequences: list[list[int]], min_count: int
) -> None:
    table = np.full((len(sequences), 6), -1)
    for row, events in enumerate(sequences):
        table[row, : len(events)] = events
    expected = {}
    for length in (1, 2, 3):
        for wanted in product(range(3), repeat=length):
            held = [holds(events, wanted) for events in sequences]
            np.testing.assert_array_equal(holds_subsequence(table, wanted), held)
            if sum(held) >= min_count:
                expected[wanted] = sum(held)

    found = frequent_subsequences(table, n_kinds=3, min_count=min_count)

    assert {one.events: one.count for one in found} == expected


def test_too_many_orders_are_refused() -> None:
    events = np.tile(np.arange(20), (5, 1))
    with pytest.raises(InvalidInputError, match="fewer kinds of event"):
        frequent_subsequences(events, n_kinds=20, min_count=1, max_found=100)
    with pytest.raises(InvalidInputError, match="max_length 1 to 3"):
        frequent_subsequences(events, n_kinds=20, min_count=1, max_length=4)
