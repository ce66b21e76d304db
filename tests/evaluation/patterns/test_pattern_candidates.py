"""Sums over the cases of many candidates: exact, and never all of them as numbers at once."""

import tracemalloc

import numpy as np
from numpy.typing import NDArray

from ml_orchestrator.evaluation.patterns.candidates import Candidates, gather
from ml_orchestrator.evaluation.patterns.features import Features
from ml_orchestrator.evaluation.patterns.sequences import SequencePattern

N_CASES, N_ORDERS = 20_000, 501
RNG = np.random.default_rng(0)
HOLDS = RNG.random((N_CASES, N_ORDERS)) < 0.3


def candidates() -> Candidates:
    orders = [SequencePattern((f"a{i}", "b"), column) for i, column in enumerate(HOLDS.T)]
    feature = Features(("x",), RNG.random((N_CASES, 1)) < 0.5, ())
    return gather(feature, orders, (), rows=np.arange(N_CASES), least=1, max_size=1)


def test_sums_over_orders_are_those_over_their_cases() -> None:
    found, outcome = candidates(), RNG.normal(size=N_CASES)

    def by_hand(values: NDArray[np.float64]) -> list[float]:
        return [float(values[column].sum()) for column in HOLDS.T]

    assert np.allclose(found.sums(outcome)[1:], by_hand(outcome))
    assert found.sums(HOLDS[:, 3])[1:].tolist() == by_hand(HOLDS[:, 3].astype(float))


def test_sums_over_many_orders_take_little_memory() -> None:
    found, outcome = candidates(), RNG.normal(size=N_CASES)

    tracemalloc.start()
    found.sums(outcome)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 20_000_000  # all orders as numbers at once are 80 MB
