import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.sequential import lower_bound, running_log_wealth, upper_bound

ALPHA = 0.05


def gaps(rng: np.random.Generator, p_new: float, p_old: float, n: int) -> NDArray[np.float64]:
    """Return differences of two 0/1 losses, put into [0, 1]; 0.5 means no difference."""
    return (rng.binomial(1, p_new, n) - rng.binomial(1, p_old, n) + 1.0) / 2


def test_the_wealth_is_that_of_a_gambler_counted_bet_by_bet() -> None:
    x = np.random.default_rng(0).uniform(size=200)
    wealth, total, squares = 1.0, 0.0, 0.0
    variance = 0.25
    for n, value in enumerate(x, start=1):
        bet = math.sqrt(2 * math.log(1 / ALPHA) / (variance * n * math.log(n + 1)))
        wealth *= 1 + min(bet, 0.5 / 0.4) * (value - 0.4)
        total += value
        squares += (value - (0.5 + total) / (n + 1)) ** 2
        variance = (0.25 + squares) / (n + 1)

    assert running_log_wealth(x, 0.4, alpha=ALPHA)[-1] == pytest.approx(math.log(wealth), rel=1e-9)


def test_looking_after_every_value_raises_no_more_false_alarms_than_promised() -> None:
    rng, n_runs = np.random.default_rng(1), 1_000
    n_alarms = n_naive = 0
    for _ in range(n_runs):
        x = gaps(rng, 0.2, 0.2, 400)
        n_alarms += bool(running_log_wealth(x, 0.5, alpha=ALPHA).max() >= -math.log(ALPHA))
        n = np.arange(30, 401)
        z = (np.cumsum(x - 0.5)[29:]) / np.sqrt(n * np.var(x))
        n_naive += bool(z.max() > 1.645)  # a one-sided 5 % test, looked at each time

    # Binomial(1000, 0.05) exceeds 71 once in a thousand.
    assert n_alarms <= 71
    assert n_naive > 150, "the simulation would not notice a test that peeks"


def test_a_worse_version_is_found_and_sooner_the_worse_it_is() -> None:
    rng = np.random.default_rng(2)
    found = []
    for p_new in (0.2, 0.35):
        wealth = [running_log_wealth(gaps(rng, p_new, 0.1, 2_000), 0.5, alpha=ALPHA)
                  for _ in range(50)]  # fmt: skip
        hits = [int(np.argmax(w >= -math.log(ALPHA))) for w in wealth if w.max() > 3]
        assert len(hits) >= 48
        found.append(np.median(hits))
    assert found[1] < found[0] < 500


def test_the_bounds_hold_the_mean_at_every_moment_at_once() -> None:
    rng, n_missed = np.random.default_rng(3), 0
    for _ in range(100):
        x = rng.beta(2, 6, 160)
        looks = [x[:n] for n in (5, 30, 160)]
        low = max(lower_bound(part, alpha=ALPHA) for part in looks)
        high = min(upper_bound(part, alpha=ALPHA) for part in looks)
        n_missed += not low <= 0.25 <= high

    assert n_missed <= 0.1 * 100  # both sides, 5 % each
    assert lower_bound(x, alpha=ALPHA) < x.mean() < upper_bound(x, alpha=ALPHA)


def test_the_bound_is_where_the_wealth_reaches_its_limit() -> None:
    x = np.random.default_rng(4).beta(6, 2, 400)
    low = lower_bound(x, alpha=ALPHA)
    for mean, reaches in ((low - 1e-3, True), (low + 1e-3, False)):
        wealth = running_log_wealth(x, mean, alpha=ALPHA)
        assert bool(wealth.max() >= -math.log(ALPHA)) == reaches


@pytest.mark.parametrize("values", [[1.1], [-0.1], [math.nan], [[0.5]]])
def test_values_outside_the_range_are_refused(values: list[float]) -> None:
    with pytest.raises(InvalidInputError, match=r"within \[0, 1\]"):
        lower_bound(values, alpha=ALPHA)
