"""Sums over the cases of many candidates: exact, and never all of them as numbers at once."""

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtr

from ml_orchestrator.evaluation.patterns.candidates import Candidates, gather
from ml_orchestrator.evaluation.patterns.features import Features
from ml_orchestrator.evaluation.patterns.selection import prices, threshold
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


def test_prices_let_as_many_in_by_chance_as_the_budget_says() -> None:
    values = RNG.random((4_000, 12)) < np.linspace(0.1, 0.5, 12)
    features = Features(tuple(f"f{i}" for i in range(12)), values, ())
    found = gather(features, (), (), rows=np.arange(4_000), least=40, max_size=3)
    for budget in (0.3, 2.1):
        price = prices(found, n_independent=4_000.0, budget=budget)
        assert 2 * ndtr(-np.sqrt(price)).sum() == pytest.approx(budget, rel=1e-6)


def test_a_pattern_that_could_be_found_is_cheaper_than_one_that_could_hardly() -> None:
    values = RNG.random((4_000, 12)) < np.linspace(0.1, 0.5, 12)
    features = Features(tuple(f"f{i}" for i in range(12)), values, ())
    found = gather(features, (), (), rows=np.arange(4_000), least=40, max_size=2)
    price = prices(found, n_independent=4_000.0, budget=0.3)
    pairs = found.families == 2
    order = np.argsort(found.counts[pairs])
    rare, common = price[pairs][order[0]], price[pairs][order[len(order) // 2]]
    assert common < rare
    # A rare pair keeps half of its even share: it is dearer by a little and never shut out.
    families = len(np.unique(found.families))
    assert rare < threshold(int(pairs.sum()), families, 0.15) ** 2 + 1e-6
