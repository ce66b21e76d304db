"""The tests of an experiment, held against other programs, closed forms and brute force."""

from itertools import combinations, pairwise

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.proportion import proportions_ztest

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.numerics.bayes_arms import best_of, difference_interval, rate_posterior
from ml_orchestrator.numerics.bootstrap import bca_interval
from ml_orchestrator.numerics.clusters import clustered_mean
from ml_orchestrator.numerics.cuped import adjust
from ml_orchestrator.numerics.mean_tests import (
    fieller_interval,
    sample_mean,
    student_t,
    welch_t,
)
from ml_orchestrator.numerics.permutation import max_t, permutation_test
from ml_orchestrator.numerics.power import detectable_effect, units_for_means, units_for_rates
from ml_orchestrator.numerics.proportions import (
    Successes,
    score_interval,
    score_p_value,
    score_statistic,
)
from ml_orchestrator.numerics.rank_tests import mann_whitney

REL, ABS = 1e-10, 1e-12


def two_samples(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return rng.gamma(2.0, 3.0, 41), rng.gamma(2.5, 4.0, 67)


@pytest.mark.parametrize("has_one_variance", [True, False])
def test_t_tests_equal_scipys(has_one_variance: bool) -> None:
    x, y = two_samples()
    ours = (student_t if has_one_variance else welch_t)(sample_mean(x), sample_mean(y))
    theirs = stats.ttest_ind(y, x, equal_var=has_one_variance)
    interval = theirs.confidence_interval(0.9)

    assert ours.p_value() == pytest.approx(theirs.pvalue, rel=REL, abs=ABS)
    assert ours.interval(0.1) == pytest.approx((interval.low, interval.high), rel=REL, abs=ABS)
    assert ours.p_below(0.0) == pytest.approx(
        stats.ttest_ind(y, x, equal_var=has_one_variance, alternative="greater").pvalue,
        rel=REL,
        abs=ABS,
    )


def test_a_p_value_and_the_edge_of_its_interval_agree() -> None:
    found = welch_t(*map(sample_mean, two_samples()))
    for edge in found.interval(0.03):
        assert found.p_value(edge) == pytest.approx(0.03, rel=1e-9)


def test_the_interval_of_a_ratio_holds_one_when_that_of_the_difference_holds_zero() -> None:
    x, y = map(sample_mean, two_samples())
    found = welch_t(x, y)
    critical = abs(found.estimate) / found.standard_error
    exactly = fieller_interval(x, y, critical)
    assert exactly is not None
    assert exactly[0] == pytest.approx(1.0, rel=1e-9)
    assert fieller_interval(x, y, 1e3) is None, "a mean that may be 0 bounds no ratio"


def test_the_score_test_equals_the_pooled_z_test_and_the_likelihood_elsewhere() -> None:
    theirs = proportions_ztest([55, 40], [120, 100])
    ours = score_statistic(Successes(40, 100), Successes(55, 120))
    assert (ours, score_p_value(Successes(40, 100), Successes(55, 120))) == pytest.approx(
        theirs, rel=REL, abs=ABS
    )

    rng = np.random.default_rng(1)
    for _ in range(50):
        n, m = (int(k) for k in rng.integers(5, 200, 2))
        x, y, null = int(rng.integers(1, n)), int(rng.integers(1, m)), rng.uniform(-0.5, 0.5)
        p = likeliest(x, n, y, m, null)
        error = np.sqrt(p * (1 - p) / n + (p + null) * (1 - p - null) / m)
        expected = (y / m - x / n - null) / error
        # The search for the maximum is good to the root of the machine's precision.
        assert score_statistic(Successes(x, n), Successes(y, m), null) == pytest.approx(
            expected, rel=1e-5, abs=1e-5
        )


def likeliest(x: int, n: int, y: int, m: int, null: float) -> float:
    def cost(p: float) -> float:
        rates = np.array([p, 1 - p, p + null, 1 - p - null])
        return -float(np.array([x, n - x, y, m - y]) @ np.log(rates))

    ends = (max(0, -null) + 1e-12, min(1, 1 - null) - 1e-12)
    return float(minimize_scalar(cost, bounds=ends, method="bounded", options={"xatol": 1e-12}).x)


@pytest.mark.parametrize("counts", [(40, 100, 55, 120), (0, 20, 5, 20), (3, 40, 9, 33)])
def test_the_interval_of_rates_holds_what_the_score_test_keeps(
    counts: tuple[int, int, int, int],
) -> None:
    first, second = Successes(*counts[:2]), Successes(*counts[2:])
    for edge in score_interval(first, second, alpha=0.1):
        assert score_p_value(first, second, edge) == pytest.approx(0.1, rel=1e-6)
    assert score_interval(Successes(0, 9), Successes(0, 9), alpha=0.1)[0] > -1


def test_the_p_value_and_the_interval_of_ranks_are_brunner_and_munzels() -> None:
    x, y = two_samples()
    ours = mann_whitney(x, y, alpha=0.05)
    assert ours.p_value == pytest.approx(stats.brunnermunzel(x, y).pvalue, rel=REL, abs=ABS)
    assert ours.probability == pytest.approx(np.mean(y[:, None] > x[None, :]), rel=REL, abs=ABS)
    # The edge of the interval is where Brunner and Munzel's p value is alpha.
    at = stats.brunnermunzel(x, y).pvalue
    edge = mann_whitney(x, y, alpha=at)
    assert edge.low == pytest.approx(0.5, abs=1e-9)
    assert mann_whitney([1.0, 1.0], [1.0, 1.0], alpha=0.05).p_value == 1.0


def test_ranks_of_few_values_are_permuted_and_no_overlap_has_the_least_p() -> None:
    apart = mann_whitney(range(1, 6), range(6, 11), alpha=0.05)
    near = mann_whitney([1, 2, 3, 4, 6], [5, 7, 8, 9, 10], alpha=0.05)
    assert apart.p_value == pytest.approx(2 / 252)
    assert near.p_value == pytest.approx(4 / 252)
    assert near.interval_p == pytest.approx(
        stats.brunnermunzel([1, 2, 3, 4, 6], [5, 7, 8, 9, 10]).pvalue
    )
    many = mann_whitney(range(1, 11), range(11, 21), alpha=0.05)
    swapped = mann_whitney([*range(1, 10), 11], [10, *range(12, 21)], alpha=0.05)
    assert many.p_value <= swapped.p_value <= 2.5e-4


@pytest.mark.parametrize("is_tied", [True, False])
def test_permuted_ranks_equal_scipys_statistic_in_each_arrangement(is_tied: bool) -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=5), rng.normal(0.8, 3, size=7)
    if is_tied:
        x, y = np.round(x), np.round(y)
    values = np.concatenate([x, y])
    found = []
    for chosen in combinations(range(12), 5):
        first, rest = values[[*chosen]], np.delete(values, chosen)
        with np.errstate(divide="ignore", invalid="ignore"):
            theirs = stats.brunnermunzel(first, rest, distribution="normal")
            found.append(abs(theirs.statistic))
    share = np.mean(np.nan_to_num(found, posinf=np.inf) >= found[0] - 1e-9)
    for first, second in ((x, y), (y, x), (-x[::-1], -y[::-1])):
        assert mann_whitney(first, second, alpha=0.05).p_value == pytest.approx(share)


@pytest.mark.parametrize(("n", "m"), [(5, 5), (4, 9), (12, 14)])
def test_p_of_ranks_does_not_rise_as_samples_part(n: int, m: int) -> None:
    for seed in range(5):
        rng = np.random.default_rng([n, seed])
        x, y = rng.normal(size=n), rng.normal(size=m)
        y += np.median(x) - np.median(y)
        found = [mann_whitney(x, y + by, alpha=0.05) for by in np.linspace(0, 6, 25)]
        p_values = [one.p_value for one in found if one.probability >= 0.5]
        assert all(later <= p + 1e-12 for p, later in pairwise(p_values))
        assert p_values[-1] == min(p_values)


def test_permutations_equal_fishers_where_exact_and_scipys_where_few() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=7), rng.normal(1, 1, size=6)
    theirs = stats.permutation_test(
        (x, y),
        lambda a, b: abs(stats.ttest_ind(a, b, equal_var=False).statistic),
        alternative="greater",
        n_resamples=1e6,
    )
    ours = permutation_test(x, y, rng=rng)
    assert (ours.is_exact, ours.n_arrangements) == (True, 1716)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=REL, abs=ABS)

    zeros, ones = [0.0] * 8 + [1.0] * 2, [0.0] * 3 + [1.0] * 7  # equal sizes: as Fisher orders
    fisher = stats.fisher_exact([[8, 2], [3, 7]]).pvalue
    assert permutation_test(zeros, ones, rng=rng).p_value == pytest.approx(fisher, rel=REL, abs=ABS)


def test_a_drawn_p_value_is_never_zero_and_near_the_exact_one() -> None:
    rng = np.random.default_rng(3)
    far = permutation_test(rng.normal(size=40), rng.normal(9, 1, size=40), rng=rng, n_draws=199)
    assert (far.p_value, far.is_exact) == (1 / 200, False)
    x, y = two_samples()
    drawn = permutation_test(x, y, rng=rng).p_value
    # Labels of 108 values: the t distribution is close; the draw has an error of about 0.001.
    assert drawn == pytest.approx(stats.ttest_ind(x, y).pvalue, abs=0.006)


def test_many_arms_against_a_control_are_adjusted_as_by_dunnett() -> None:
    rng = np.random.default_rng(4)
    arms = [rng.normal(size=60) for _ in range(3)] + [rng.normal(0.45, 1, 60)]
    ours = max_t(arms, rng=rng, n_draws=4_000)
    theirs = stats.dunnett(*arms[1:], control=arms[0], rng=np.random.default_rng(0)).pvalue
    # Four standard errors of a share of 4,000 draws, and two other variances than one pooled.
    assert ours == pytest.approx(list(theirs), abs=0.04)


def test_under_no_difference_permutations_reject_as_often_as_they_say() -> None:
    rng, n_runs = np.random.default_rng(5), 300
    arms = [[rng.exponential(size=12) for _ in range(4)] for _ in range(n_runs)]
    family = sum(min(max_t(a, rng=rng, n_draws=199)) <= 0.1 for a in arms)
    # Binomial(300, 0.1) exceeds 47 once in a thousand.
    assert family <= 47


def test_equal_means_with_unequal_spreads_are_found_to_differ_as_seldom_as_promised() -> None:
    rng, n_found, n_plain = np.random.default_rng(6), 0, 0
    for _ in range(300):
        x, y = rng.normal(0, 4, 15), rng.normal(0, 1, 60)
        n_found += permutation_test(x, y, rng=rng, n_draws=199).p_value <= 0.05
        n_plain += stats.ttest_ind(x, y).pvalue <= 0.05  # as the plain difference, permuted
    # Binomial(300, 0.05) exceeds 27 once in a thousand.
    assert n_found <= 27
    assert n_plain > 60, "the simulation would not notice a statistic that is not studentized"
    alike = permutation_test([0.1] * 3, [0.3] * 3, rng=rng)
    assert alike.p_value == pytest.approx(2 / 20), "either order of the arms is as extreme"


def test_the_bootstrap_is_scipys_and_refuses_what_would_take_long() -> None:
    x, y = two_samples()
    low, high = bca_interval(x, y, alpha=0.05, rng=np.random.default_rng(0))
    theirs = stats.bootstrap(
        (x, y),
        lambda a, b, axis: np.mean(b, axis=axis) - np.mean(a, axis=axis),
        rng=np.random.default_rng(0),
        n_resamples=2_000,
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), rel=REL)  # the same draws
    with pytest.raises(InvalidInputError, match="at most 50,000"):
        bca_interval(np.zeros(50_001), y, alpha=0.05, rng=np.random.default_rng(0))


def test_the_best_arm_is_found_by_integrals_that_drawing_confirms() -> None:
    posteriors = [rate_posterior(Successes(k, 1_000)) for k in (40, 55, 50)]
    ours = best_of(posteriors)
    drawn = np.random.default_rng(6).beta([41, 56, 51], [961, 946, 951], size=(400_000, 3))
    shares = np.bincount(drawn.argmax(axis=1)) / len(drawn)
    # Standard errors of the draw: 0.0008 and 0.00002.
    assert ours.chance_best == pytest.approx(shares, abs=0.004)
    losses = (drawn.max(axis=1)[:, None] - drawn).mean(axis=0)
    assert ours.expected_loss == pytest.approx(losses, abs=1e-4)

    exact, _ = quad(lambda p: posteriors[1].pdf(p) * posteriors[0].cdf(p), 0, 1, points=[0.04])
    assert best_of(posteriors[:2]).chance_best[1] == pytest.approx(exact, rel=1e-8)
    low, high = difference_interval(posteriors[0], posteriors[1], alpha=0.05)
    gaps = drawn[:, 1] - drawn[:, 0]
    assert np.mean((gaps < low) | (gaps > high)) == pytest.approx(0.05, abs=0.002)


def test_rows_of_one_unit_count_as_a_cluster_robust_regression_counts_them() -> None:
    rng = np.random.default_rng(7)
    units = rng.integers(0, 30, 400)
    values = rng.normal(size=30)[units] + rng.normal(size=400)
    n_units = np.unique(units).size
    fit = sm.OLS(values, np.ones(400)).fit(
        cov_type="cluster", cov_kwds={"groups": units, "use_correction": False}
    )
    ours = clustered_mean(values, units)
    expected = fit.bse[0] ** 2 * n_units / (n_units - 1)
    assert ours.n == n_units
    assert ours.mean == pytest.approx(values.mean())
    assert ours.variance == pytest.approx(expected, rel=REL, abs=ABS)
    alone = clustered_mean(values, np.arange(400))
    assert alone.variance == pytest.approx(sample_mean(values).variance, rel=REL, abs=ABS)


def test_what_was_known_before_is_taken_out_with_the_slope_of_a_regression() -> None:
    rng = np.random.default_rng(8)
    before = [rng.normal(size=500), rng.normal(size=480)]
    after = [2 * b + rng.normal(arm, 1, b.size) for arm, b in enumerate(before)]
    found = adjust(after, before)
    arm = np.repeat([0.0, 1.0], [500, 480])
    design = np.column_stack([1 - arm, arm, np.concatenate(before)])
    fit = sm.OLS(np.concatenate(after), design).fit()

    assert found.slope == pytest.approx(fit.params[2], rel=REL, abs=ABS)
    gap = found.arms[1].mean() - found.arms[0].mean()
    assert gap == pytest.approx(fit.params[1] - fit.params[0], rel=REL, abs=ABS)
    assert found.variance_removed == pytest.approx(0.8, abs=0.05)  # 4 of 5 parts
    unrelated = adjust(after, [rng.permutation(b) for b in before])
    assert unrelated.variance_removed < 0.02


@pytest.mark.parametrize("effect", [0.1, 0.5, 1.5])
def test_units_of_a_t_test_are_statsmodels_and_give_the_effect_back(effect: float) -> None:
    theirs = TTestIndPower().solve_power(effect, power=0.9, alpha=0.05)
    n = units_for_means(3 * effect, 3.0, alpha=0.05, power=0.9)
    assert n == int(np.ceil(theirs))
    with_n = detectable_effect(n, 1.0, alpha=0.05, power=0.9)
    with_less = detectable_effect(n - 1, 1.0, alpha=0.05, power=0.9)
    assert with_n <= effect <= with_less


def test_units_of_a_test_of_rates_have_the_power_they_promise() -> None:
    n = units_for_rates(0.3, 0.36, alpha=0.05, power=0.8)
    rng = np.random.default_rng(9)
    x, y = rng.binomial(n, 0.3, 4_000), rng.binomial(n, 0.36, 4_000)
    pooled = (x + y) / (2 * n)
    z = (y - x) / n / np.sqrt(2 * pooled * (1 - pooled) / n)
    # Four standard errors of a share of 4,000.
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.8, abs=0.026)
    sizes = [units_for_rates(0.3, 0.3 + d, alpha=0.05, power=0.8) for d in (0.02, 0.05, 0.2)]
    assert all(a > b for a, b in pairwise(sizes))
