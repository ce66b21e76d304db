"""Small, uneven and rare experiments are not found to differ more often than promised."""

from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.evaluate import evaluate_summary, evaluate_table
from ml_orchestrator.evaluation.experiments.models import ExperimentReport
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.numerics.rank_tests import mann_whitney

Table = dict[str, Any]
FOUND = ("a_better", "b_better")


def judge(table: Table, **options: Any) -> ExperimentReport:
    return evaluate_table(table, ExperimentOptions(arm="arm", outcome="won", **options))


def arms(*sizes: int) -> Any:
    return np.repeat(np.array(list("abc")[: len(sizes)], dtype=object), sizes)


def test_two_units_an_arm_that_are_all_alike_decide_nothing() -> None:
    table = {"arm": arms(20, 20), "won": np.repeat([0.0, 1.0], 20), "user": np.arange(40) // 10.0}
    report = judge(table, unit="user")
    assert (report.method, report.decision) == ("permutation", "no_difference_shown")
    named = judge(table, unit="user", method="welch").comparisons[0]
    assert (named.p_value, named.low, named.high) == (1.0, None, None)
    alike = {arm: {"n": 5, "mean": mean, "sd": 0.0} for arm, mean in (("a", 0.0), ("b", 1.0))}
    summed = evaluate_summary(alike, ExperimentOptions(margin=0.5))
    assert summed.decision == "no_difference_shown"


@pytest.mark.parametrize("method", ["auto", "welch", "student", "permutation", "bootstrap"])
@pytest.mark.parametrize("n", [30, 200])
def test_units_that_are_all_alike_show_no_equivalence_at_any_size(method: str, n: int) -> None:
    alike = {"arm": arms(n, n + 10), "won": np.full(2 * n + 10, 0.1)}
    report = judge(alike, margin=0.01, method=method)
    (found,) = report.comparisons
    assert (report.decision, found.effect) == ("no_difference_shown", 0.0)
    assert (found.low, found.high, found.equivalence_p) == (None, None, 1.0)
    assert any("do not vary within arms" in notice for notice in report.notices)


def test_means_of_alike_units_that_differ_by_rounding_do_not_differ() -> None:
    for sizes in ((3, 3), (20, 30), (20, 30, 30)):
        alike = {"arm": arms(*sizes), "won": np.full(sum(sizes), 0.1)}
        for method in ("auto", "permutation", "welch"):
            (*found,) = judge(alike, method=method).comparisons
            assert {(one.effect, one.adjusted_p) for one in found} == {(0.0, 1.0)}
    users = {"arm": arms(30, 45), "won": np.full(75, 0.1), "user": np.arange(75) // 3 * 1.0}
    assert judge(users, unit="user").comparisons[0].p_value == 1.0


def test_alike_units_of_unlike_arms_are_told_apart_by_permutation_alone() -> None:
    few = judge({"arm": arms(3, 3), "won": np.repeat([0.1, 0.3], 3)}, method="welch")
    assert (few.decision, few.comparisons[0].p_value) == ("no_difference_shown", 1.0)
    many = {"arm": arms(20, 20), "won": np.repeat([2.0, 3.0], 20)}
    assert judge(many, method="welch").decision == "no_difference_shown"
    report = judge(many)
    assert (report.method, report.decision) == ("permutation", "b_better")
    assert report.comparisons[0].low is None


def test_permuted_rates_have_the_interval_of_the_score_test() -> None:
    table = {"arm": arms(20, 20), "won": np.ones(40)}
    permuted, scored = (judge(table, margin=0.05, method=m) for m in ("auto", "z"))
    assert (permuted.method, permuted.decision) == ("permutation", "no_difference_shown")
    found, theirs = permuted.comparisons[0], scored.comparisons[0]
    # All of 20: the score test bears a difference of z**2 / (20 + z**2).
    edge = stats.norm.isf(0.025) ** 2 / (20 + stats.norm.isf(0.025) ** 2)
    assert [found.low, found.high] == pytest.approx([-edge, edge], abs=1e-9)
    assert (found.low, found.high, found.equivalence_p) == (
        theirs.low, theirs.high, theirs.equivalence_p
    )  # fmt: skip


def test_a_covariate_that_is_the_outcome_is_left_out() -> None:
    won = np.random.default_rng(0).normal(size=60)
    table = {"arm": arms(30, 30), "won": won, "before": 3 * won + 1}
    report = judge(table, covariate="before")
    assert report.variance_removed is None
    assert any("explains all variance" in notice for notice in report.notices)
    assert report.comparisons == judge(table).comparisons
    alike = {"arm": arms(20, 30), "won": np.full(50, 0.1), "before": won[:50]}
    report = judge(alike, covariate="before")
    assert (report.comparisons[0].effect, report.comparisons[0].p_value) == (0.0, 1.0)
    assert any("does not vary" in notice for notice in report.notices)


def test_the_bootstrap_of_few_units_is_refused() -> None:
    won = np.random.default_rng(0).normal(size=120)
    with pytest.raises(InvalidInputError, match=r"at least 30 units.*arm 'b' has 29"):
        judge({"arm": arms(31, 29), "won": won[:60]}, method="bootstrap")
    users = np.arange(120) // 3 * 1.0
    with pytest.raises(InvalidInputError, match=r"arm 'a' has 20\. Choose permutation"):
        judge({"arm": arms(60, 60), "won": won, "user": users}, unit="user", method="bootstrap")
    found = [
        judge({"arm": arms(30, 30), "won": np.random.default_rng(seed).normal(size=60)},
              method="bootstrap").decision in FOUND
        for seed in range(200)
    ]  # fmt: skip
    # Binomial(200, 0.056), the rate of 3,000 such, exceeds 22 once in a thousand.
    assert sum(found) <= 22


def test_few_users_are_permuted_and_many_take_welch() -> None:
    rng = np.random.default_rng(0)
    for n_users, method in ((14, "permutation"), (30, "welch")):
        user = np.repeat(np.arange(2 * n_users), 5)
        table = {"arm": arms(5 * n_users, 5 * n_users), "won": rng.normal(size=user.size),
                 "user": user.astype(float)}  # fmt: skip
        assert judge(table, unit="user").method == method


def test_users_of_very_uneven_sizes_count_as_the_few_they_are() -> None:
    n_found = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        sizes = np.tile([60] * 6 + [1] * 34, 2)
        user = np.repeat(np.arange(80), sizes)
        won = rng.normal(size=80)[user] + 0.1 * rng.normal(size=user.size)
        table = {"arm": arms(394, 394), "won": won, "user": user.astype(float)}
        report = judge(table, unit="user", method="welch")
        n_found += report.decision in FOUND
    # 6.4 % of 1,500 such (8.9 % with 39 degrees of freedom an arm): the variance is a little
    # small too, so `auto` permutes. Binomial(150, 0.064) exceeds 19 once in a thousand.
    assert n_found <= 19
    assert any("'a' counts as 7 even units of 40" in notice for notice in report.notices)
    assert judge(table, unit="user").method == "permutation"


def test_a_covariate_of_few_rows_is_left_out_and_else_counted_as_by_regression() -> None:
    rng = np.random.default_rng(1)
    few = {"arm": arms(8, 8), "won": rng.normal(size=16), "before": rng.normal(size=16)}
    report = judge(few, covariate="before")
    assert report.variance_removed is None
    assert any("before is left out" in notice for notice in report.notices)
    assert report.comparisons[0].p_value == judge(few).comparisons[0].p_value

    before = rng.normal(size=40)
    table = {"arm": arms(20, 20), "won": before + rng.normal(size=40), "before": before}
    found = judge(table, covariate="before", method="student").comparisons[0]
    design = np.column_stack([np.ones(40), table["arm"] == "b", before]).astype(float)
    fit = sm.OLS(table["won"], design).fit()
    assert found.low is not None
    assert found.high is not None
    half = (found.high - found.low) / 2
    assert found.effect == pytest.approx(fit.params[1], rel=1e-9)
    # One degree of freedom of 38 aside, the interval is that of the regression.
    assert half / stats.t.isf(0.025, 38) == pytest.approx(fit.bse[1], rel=1e-9)


def test_rare_successes_in_three_large_arms_are_tested_exactly() -> None:
    won = np.zeros(60_000)
    won[[0, 1, 20_000, 20_001, 40_000, 40_001]] = 1.0
    report = judge({"arm": arms(20_000, 20_000, 20_000), "won": won})
    assert (report.method, report.decision) == ("permutation", "no_difference_shown")
    won[20_000:20_030] = 1.0
    rare = judge({"arm": arms(20_000, 20_000, 20_000), "won": won}, method="permutation")
    fisher = stats.fisher_exact([[2, 19_998], [30, 19_970]]).pvalue
    assert (rare.decision, rare.best_arm) == ("b_better", "b")
    assert rare.comparisons[0].adjusted_p == pytest.approx(2 * fisher, rel=1e-6)


def test_samples_that_do_not_overlap_leave_room_for_some_that_would() -> None:
    found = mann_whitney([1.0, 2.0, 3.0], [4.0, 5.0, 6.0], alpha=0.05)
    assert found.low < 0.5 < found.probability == found.high == 1.0
    turned = mann_whitney([4.0, 5.0, 6.0], [1.0, 2.0, 3.0], alpha=0.05)
    assert [turned.low, turned.high] == pytest.approx([0.0, 1 - found.low])
    assert found.p_value == turned.p_value == pytest.approx(0.1)
    # Each of three values is the largest of k draws: none of the other three is above any.
    odds = found.low / (1 - found.low)
    assert np.prod([j * odds / (j * odds + 3) for j in (1, 2, 3)]) == pytest.approx(0.025)
    for n, m in ((3, 3), (4, 4), (3, 9), (5, 5), (2, 12)):
        apart = mann_whitney(np.arange(n), np.arange(n, n + m), alpha=0.05)
        assert (apart.p_value <= 0.05) == (apart.low > 0.5)
    many = mann_whitney(np.arange(30), np.arange(30, 70), alpha=0.05)
    assert many.low == pytest.approx(stats.binomtest(30, 30).proportion_ci(0.95).low)
    tied = mann_whitney([1.0, 1.0], [1.0, 1.0], alpha=0.05)
    assert (tied.low, tied.high, tied.p_value) == (0.0, 1.0, 1.0)


@pytest.mark.parametrize(("n", "n_tries"), [(5, 1_000), (8, 500), (15, 300)])
def test_ranks_of_few_alike_values_are_seldom_found_to_differ(n: int, n_tries: int) -> None:
    p_values = np.array([
        mann_whitney(*np.random.default_rng([8, seed]).normal(size=(2, n)), alpha=0.05).p_value
        for seed in range(n_tries)
    ])  # fmt: skip
    # More come once in a thousand; the t distribution found 0.8 % at 0.001 with n = 5.
    for alpha in (0.05, 0.01, 0.001):
        assert np.count_nonzero(p_values <= alpha) <= stats.binom.isf(0.001, n_tries, alpha)


def test_unequal_spreads_are_no_tendency_of_ranks() -> None:
    n_found = 0
    for seed in range(300):
        rng = np.random.default_rng([5, seed])
        x, y = rng.normal(0, 4, 30), rng.normal(0, 1, 90)
        found = mann_whitney(x, y, alpha=0.05)
        assert (found.p_value < 0.05) == (not found.low <= 0.5 <= found.high)
        n_found += found.p_value < 0.05
    # Binomial(300, 0.05) exceeds 27 once in a thousand; Wilcoxon's test finds 14 %, or 42.
    assert n_found <= 27


@pytest.mark.parametrize("method", ["auto", "permutation", "mann_whitney"])
def test_no_arm_is_better_whose_own_interval_includes_no_effect(method: str) -> None:
    n_found = 0
    for seed in range(100):
        rng = np.random.default_rng([5, seed])
        won = np.concatenate([rng.normal(0, 5, 8), rng.normal(0, 0.5, 24)])
        report = judge({"arm": arms(8, 24), "won": won}, shares={"a": 1, "b": 3}, method=method)
        (found,) = report.comparisons
        none = 0.5 if method == "mann_whitney" else 0.0
        assert found.low is not None
        assert found.high is not None
        if report.decision in FOUND:
            n_found += 1
            assert not found.low <= none <= found.high
    # Binomial(100, 0.08) exceeds 17 once in a thousand: of 1,500 such, ranks found 8.1 %, 20.8 %
    # by Wilcoxon's test; the plain difference of means, permuted, finds one in four.
    assert n_found <= 17


def test_few_ranks_are_found_by_test_and_interval_or_not_at_all() -> None:
    n_odd = 0
    for seed in range(80):
        won = np.random.default_rng([9, seed]).normal(size=10) + np.repeat([0.0, 1.2], 5)
        report = judge({"arm": arms(5, 5), "won": won}, method="mann_whitney")
        (found,) = report.comparisons
        assert found.low is not None
        assert found.high is not None
        assert found.p_value is not None
        leaves_out = not found.low <= 0.5 <= found.high
        is_found = report.decision in FOUND
        assert is_found == (leaves_out and found.p_value <= 0.05)
        n_odd += leaves_out != (found.p_value <= 0.05)
        assert ("as they disagree" in report.summary) == (leaves_out != (found.p_value <= 0.05))
    assert n_odd > 0, "the simulation would not notice"


def test_where_test_and_interval_disagree_nothing_is_shown_and_that_is_said() -> None:
    n_odd = 0
    for seed in range(60):
        rng = np.random.default_rng([6, seed])
        won = np.concatenate([rng.normal(0, 5, 5), rng.normal(0, 0.5, 15)])
        report = judge({"arm": arms(5, 15), "won": won}, shares={"a": 1, "b": 3})
        (found,) = report.comparisons
        welch = judge(
            {"arm": arms(5, 15), "won": won}, shares={"a": 1, "b": 3}, method="welch"
        ).comparisons[0]
        assert found.p_value is not None
        assert welch.p_value is not None
        is_odd = found.p_value <= 0.05 < welch.p_value
        n_odd += is_odd
        assert ("includes none" in report.summary) == is_odd
        assert not is_odd or report.decision == "no_difference_shown"
    assert n_odd > 0, "the simulation would not notice"


@pytest.mark.parametrize("method", ["welch", "permutation", "bootstrap"])
def test_a_skewed_arm_beside_an_even_one_of_its_size_is_told(method: str) -> None:
    rng = np.random.default_rng(1)
    won = np.concatenate([rng.exponential(size=60) ** 2 / 2, rng.normal(1.0, 0.3, 60)])
    report = judge({"arm": arms(60, 60), "won": won}, method=method)
    assert any("Outcomes are skewed" in notice for notice in report.notices)
    even = {"arm": arms(60, 60), "won": rng.normal(1.0, 0.3, 120)}
    assert not any("skewed" in notice for notice in judge(even, method=method).notices)


def test_arms_too_small_for_any_finding_are_told_so() -> None:
    few = judge({"arm": arms(3, 3), "won": np.array([1.0, 2, 3, 10, 11, 12])})
    assert few.decision == "no_difference_shown"
    assert "the interval leaves that out" in few.summary
    assert any("3 and 3 units the least p value of a permutation test is 0.1" in notice
               for notice in few.notices)  # fmt: skip
    assert not any("is unlikely" in said for said in few.may_conclude)
    enough = judge({"arm": arms(4, 4), "won": np.array([1.0, 2, 3, 4, 10, 11, 12, 13])})
    assert enough.decision == "b_better"
    assert not any("least p value" in notice for notice in enough.notices)


def test_skewed_outcomes_in_uneven_arms_are_permuted() -> None:
    n_found = n_welch = 0
    for seed in range(25):
        won = np.random.default_rng([3, seed]).lognormal(0, 1.5, 200)
        report = judge({"arm": arms(180, 20), "won": won}, shares={"a": 9.0, "b": 1.0})
        assert report.method in ("permutation", "welch")
        n_found += report.decision in FOUND
        n_welch += report.method == "welch"
    # Binomial(25, 0.05) exceeds 5 once in a thousand.
    assert n_found <= 5
    assert n_welch <= 3, "few of such samples hide their skewness"
    shares = {"a": 9.0, "b": 1.0}
    named = judge({"arm": arms(180, 20), "won": won}, shares=shares, method="welch")
    assert any("Outcomes are skewed" in notice for notice in named.notices)
    even = judge({"arm": arms(100, 100), "won": won})
    assert (even.method, any("uneven" in notice for notice in even.notices)) == ("welch", False)
