"""The mean gain of pairs."""

import numpy as np
import pytest
from scipy.stats import beta, binom

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics import paired_gain as subject
from ml_orchestrator.numerics.paired_gain import least_pairs, paired_gain, pairs_needed


def test_equal_pairs_do_not_make_the_interval_vanish() -> None:
    for value in (0.0, 0.25, 1.0):
        found = paired_gain([value] * 6)
        assert found.low < found.mean == value <= found.high <= 1
        assert paired_gain([-value] * 6).low >= -1


def test_wins_and_losses_are_tested_by_the_binomial_test_with_clopper_and_pearson() -> None:
    found = paired_gain([1.0] * 9 + [-1.0] * 3)
    assert found.p_value == pytest.approx(binom.sf(8, 12, 0.5))
    assert found.low == pytest.approx(2 * beta.ppf(0.025, 9, 4) - 1, abs=1e-8)
    assert found.high == pytest.approx(2 * beta.ppf(0.975, 10, 3) - 1, abs=1e-8)
    assert paired_gain([1.0] * 10).p_value == 2**-10
    assert paired_gain([0.0] * 10).p_value == 1.0


def test_small_gains_in_every_pair_say_little_of_a_rare_large_loss() -> None:
    # The weight of the one unseen loss must exceed 1/11, which has the chance (10/11)^n.
    assert paired_gain([0.1] * 6).p_value == pytest.approx((10 / 11) ** 6)
    assert paired_gain([1e-9] * 6).p_value > 0.9
    assert paired_gain([1e-9] * 6).low < -0.3


@pytest.mark.parametrize("n", [5, 10, 20, 40])
def test_a_gain_in_nine_of_ten_that_is_lost_in_the_tenth_is_seldom_confirmed(n: int) -> None:
    # 400 worlds in which the true mean is 0; 5% have a standard error of 1.1%.
    rng = np.random.default_rng(n)
    worlds = np.where(rng.random((400, n)) < 0.9, 0.1, -0.9)
    found = [paired_gain(world) for world in worlds]
    assert np.mean([g.low > 0 for g in found]) <= 0.025 + 2 * 0.008
    assert np.mean([g.p_value <= 0.05 for g in found]) <= 0.05 + 2 * 0.011


def test_the_interval_covers_and_the_test_keeps_its_level() -> None:
    # 400 worlds of 12 pairs of coins: the share below the level has a standard error of 1.1%.
    rng = np.random.default_rng(1)
    worlds = rng.integers(0, 2, size=(400, 12)) - rng.integers(0, 2, size=(400, 12)).astype(float)
    found = [paired_gain(world) for world in worlds]
    assert np.mean([g.p_value <= 0.05 for g in found]) <= 0.05 + 2 * 0.011
    assert np.mean([g.low <= 0 <= g.high for g in found]) >= 0.95 - 2 * 0.011


def test_draws_agree_with_exact_chances(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = np.random.default_rng(5).uniform(-0.5, 1.0, 12)
    exact = paired_gain(pairs)
    monkeypatch.setattr(subject, "N_EXACT", 0)
    drawn = paired_gain(pairs)
    error = np.sqrt(exact.p_value / 9_999)
    assert drawn.p_value == pytest.approx(exact.p_value, abs=4 * error)
    assert (drawn.low, drawn.high) == pytest.approx((exact.low, exact.high), abs=0.02)


def test_how_many_pairs_it_takes_is_how_many_confirm() -> None:
    assert least_pairs(0.05) == 6
    assert paired_gain([1.0] * 5).low < 0 < paired_gain([1.0] * 6).low
    needed = pairs_needed([0.3] * 4)
    assert needed is not None
    assert paired_gain([0.3] * (needed - 1)).low < 0 < paired_gain([0.3] * needed).low
    assert pairs_needed([0.001] * 4) is None
    assert pairs_needed([0.5, -0.5]) is None


def test_one_pair_and_differences_beyond_the_scale_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least 2 values"):
        paired_gain([1.0])
    with pytest.raises(InvalidInputError, match=r"between -1 and 1; one is 3 in size"):
        paired_gain([0.1, -3.0])
