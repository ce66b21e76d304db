"""A distance counts as drift only where chance does not explain it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from ml_orchestrator.health.chance import chance_of
from ml_orchestrator.health.drift.choice import Pair
from ml_orchestrator.health.drift.contract import DRIFT_TESTS, Measurement, Sample, drift_test
from ml_orchestrator.health.report import check_drift

N_SEEDS = 40


def normal(seed: int, n: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=n)


@pytest.mark.parametrize("n_current", [30, 100, 300])
def test_small_samples_of_the_same_do_not_drift(n_current: int) -> None:
    reference = {f"c{i}": normal(i, 5_000) for i in range(5)}
    alarms = 0
    for seed in range(N_SEEDS):
        current = {f"c{i}": normal(1_000 + 10 * seed + i, n_current) for i in range(5)}
        alarms += check_drift(reference, current).is_any_column_drifted
    assert alarms <= 6  # of 40 at a rate of 5 %: so many or fewer in 99 % of all cases


def test_a_distance_beyond_its_threshold_says_that_chance_explains_it() -> None:
    for seed in range(N_SEEDS):
        report = check_drift({"x": normal(0, 5_000)}, {"x": normal(seed + 1, 50)})
        (found,) = report.columns
        if (found.statistic or 0) >= found.threshold and not found.is_drifted:
            assert (found.test, found.measure) == ("wasserstein", "distance")
            assert (found.p_value_adjusted or 0) > report.alpha
            assert "which chance explains: adjusted p" in found.summary
            return
    pytest.fail("no small sample was far from the reference")


def test_a_few_far_values_are_no_chance_though_ranks_hardly_see_them() -> None:
    before, now = normal(1, 5_000), normal(2, 5_000)
    now[:50] *= 100.0
    assert check_drift({"x": before}, {"x": now}, tests="ks").columns[0].is_drifted is False
    (found,) = check_drift({"x": before}, {"x": now}).columns
    assert (found.test, found.is_drifted) == ("wasserstein", True)


@pytest.mark.parametrize("test", ["wasserstein", "psi", "jensen_shannon", "hellinger"])
def test_its_p_value_keeps_its_level(test: str) -> None:
    p_values = []
    for seed in range(N_SEEDS):
        columns = {"x": normal(2 * seed, 300)}, {"x": normal(2 * seed + 1, 60)}
        p_values.append(chance_of(Pair.read("x", *columns), test, needed=0.05))
    assert sum(p <= 0.05 for p in p_values) <= 6
    assert sum(p <= 0.5 for p in p_values) > 2  # and it is no constant 1


def test_a_distance_of_vectors_is_judged_by_permutation_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def apart(reference: Sample, current: Sample) -> Measurement:
        return Measurement(float(np.abs(reference.values.mean(0) - current.values.mean(0)).max()))

    entry = drift_test(kinds=["vectors"], measure="distance", threshold=0.1, is_symmetric=True)
    monkeypatch.setitem(DRIFT_TESTS._entries, "apart", entry(apart))
    rng = np.random.default_rng(0)
    before, same = rng.normal(size=(400, 3)), rng.normal(size=(40, 3))
    for now, is_drifted in ((same, False), (same + 1.0, True)):
        (found,) = check_drift({"x": before}, {"x": now}, tests="apart").columns
        assert ((found.statistic or 0) >= 0.1, found.is_drifted) == (True, is_drifted)


def test_a_shift_is_no_chance() -> None:
    pair = Pair.read("x", {"x": normal(0, 3_000)}, {"x": normal(1, 200) + 1.0})
    assert chance_of(pair, "wasserstein", needed=0.001) < 1e-6
    rare = {"x": np.array(["a", "b"] * 1_000, dtype=object)}
    other = {"x": np.array(["a"] * 40, dtype=object)}
    assert chance_of(Pair.read("x", rare, other), "jensen_shannon", needed=0.01) < 0.01
