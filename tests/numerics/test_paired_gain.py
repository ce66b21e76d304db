"""The mean gain of pairs."""

import numpy as np
import pytest

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.paired_gain import paired_gain


def test_equal_pairs_do_not_make_the_interval_vanish() -> None:
    for value in (0.0, 0.25, 1.0):
        found = paired_gain([value] * 6)
        assert found.low < found.mean == value <= found.high <= 1
        assert paired_gain([-value] * 6).low >= -1


def test_the_exact_test_counts_signs() -> None:
    assert paired_gain([1.0] * 10).p_value == 2**-10
    assert paired_gain([0.0] * 10).p_value == 1.0


def test_the_interval_covers_and_the_test_keeps_its_level() -> None:
    # 400 worlds of 12 pairs of coins: the share below the level has a standard error of 1.1%.
    rng = np.random.default_rng(1)
    worlds = rng.integers(0, 2, size=(400, 12)) - rng.integers(0, 2, size=(400, 12)).astype(float)
    found = [paired_gain(world) for world in worlds]
    assert np.mean([g.p_value <= 0.05 for g in found]) <= 0.05 + 2 * 0.011
    assert np.mean([g.low <= 0 <= g.high for g in found]) >= 0.95 - 2 * 0.011


def test_draws_agree_with_the_exact_test() -> None:
    rng = np.random.default_rng(5)
    pairs = rng.normal(0.3, 1.0, 12)
    exact = paired_gain(pairs).p_value
    drawn = paired_gain([*pairs, 0.0]).p_value  # one more pair that says nothing
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact / 9_999))


def test_one_pair_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least 2 values"):
        paired_gain([1.0])
