"""Experiments judged: what is concluded follows the data, and nothing is where it must not be."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.evaluate import evaluate_summary, evaluate_table
from ml_orchestrator.evaluation.experiments.models import ExperimentReport
from ml_orchestrator.evaluation.experiments.options import (
    ExperimentOptions,
    Planned,
    options_of,
)
from ml_orchestrator.evaluation.experiments.planning import plan_experiment

Table = dict[str, Any]


def trial(
    rates: dict[str, float], n: int = 2_000, seed: int = 0, *, is_numeric: bool = False
) -> Table:
    """Return rows in random order, each arm with its rate of success, or its mean."""
    rng = np.random.default_rng(seed)
    arms = rng.permutation(np.repeat(np.array(list(rates), dtype=object), n))
    means = np.array([rates[arm] for arm in arms])
    noise = rng.normal(size=arms.size)
    outcome = means + noise if is_numeric else (rng.random(arms.size) < means).astype(float)
    return {"arm": arms, "won": outcome}


def judge(table: Table, **options: Any) -> ExperimentReport:
    return evaluate_table(table, ExperimentOptions(arm="arm", outcome="won", **options))


def test_a_better_arm_is_found_with_its_effect_in_both_forms() -> None:
    report = judge(trial({"a": 0.30, "b": 0.40}))
    (found,) = report.comparisons
    assert (report.decision, report.best_arm, report.method) == ("b_better", "b", "z")
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.10 < found.high
    assert found.relative == pytest.approx(report.arms[1].mean / report.arms[0].mean - 1)
    assert report.level == "L1"
    assert "'b' does better than 'a'" in report.may_conclude[0]


def test_the_direction_follows_the_data_and_what_is_wanted() -> None:
    table = trial({"a": 0.40, "b": 0.30})
    assert judge(table).decision == "a_better"
    assert judge(table, lower_is_better=True).decision == "b_better"
    shuffled = {**table, "won": np.random.default_rng(9).permutation(table["won"])}
    assert judge(shuffled).decision == "no_difference_shown"


@pytest.mark.parametrize(
    "method", ["welch", "student", "mann_whitney", "permutation", "bootstrap", "bayes", "z"]
)
def test_every_method_that_looks_once_finds_a_difference_and_none(method: str) -> None:
    there = judge(trial({"a": 0.30, "b": 0.42}, n=600), method=method)
    none = judge(trial({"a": 0.30, "b": 0.30}, n=600, seed=1), method=method)
    assert (there.decision, there.method) == ("b_better", method)
    assert none.decision == "no_difference_shown"
    assert any("looked at before" in said for said in there.may_not_conclude)


@pytest.mark.parametrize("method", ["auto", "msprt", "betting"])
def test_every_monitored_method_finds_a_difference_and_else_goes_on(method: str) -> None:
    there = judge(trial({"a": 0.30, "b": 0.42}), method=method, is_monitored=True)
    none = judge(trial({"a": 0.30, "b": 0.30}, seed=1), method=method, is_monitored=True)
    (found,) = there.comparisons
    assert (there.decision, none.decision) == ("b_better", "keep_going")
    assert found.e_value is not None
    assert found.e_value >= 20
    assert found.shown_at is not None
    assert found.shown_at < 4_000
    assert found.p_value == pytest.approx(min(1.0, 1 / found.e_value))
    assert len(there.looks) == 20
    assert there.looks[-1].high - there.looks[-1].low < there.looks[0].high - there.looks[0].low


def test_a_monitored_experiment_ends_at_the_size_planned() -> None:
    table = trial({"a": 0.30, "b": 0.30}, seed=1)
    planned = Planned(n_per_arm=2_000)
    assert judge(table, is_monitored=True, planned=planned).decision == "no_difference_shown"


def test_a_test_that_looks_once_says_nothing_before_its_planned_size() -> None:
    table = trial({"a": 0.30, "b": 0.42})
    early = judge(table, planned=Planned(n_per_arm=5_000))
    assert early.decision == "keep_going"
    assert early.comparisons[0].adjusted_p is not None
    assert early.comparisons[0].adjusted_p < 0.001, "it would have been significant"


def test_peeking_with_a_test_that_looks_once_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="Bayesian probabilities too"):
        ExperimentOptions(method="bayes", is_monitored=True)


def test_sizes_that_are_not_as_planned_forbid_any_conclusion() -> None:
    table = trial({"a": 0.30, "b": 0.42})
    lost = (table["arm"] == "b") & (np.arange(4_000) % 5 == 0)
    rest = {name: values[~lost] for name, values in table.items()}
    report = judge(rest)
    assert (report.decision, report.best_arm, report.may_conclude) == ("invalid", None, ())
    assert [check.name for check in report.checks if not check.is_passed] == ["sample_ratio"]
    assert report.summary.startswith("Nothing may be concluded: Sizes are not as planned")
    as_planned = judge(rest, shares={"a": 1.0, "b": 0.8})
    assert as_planned.decision == "b_better"


def test_sizes_that_are_a_little_off_are_not_called_as_planned() -> None:
    counts = {"a": {"n": 1_000, "successes": 300}, "b": {"n": 1_130, "successes": 340}}
    (check,) = evaluate_summary(counts, ExperimentOptions()).checks
    assert check.is_passed
    assert "p = 0.0049), but by too little to be called a mismatch" in check.detail
    counts["b"]["n"] = 1_010
    (near,) = evaluate_summary(counts, ExperimentOptions()).checks
    assert near.detail == "Sizes are as planned (a 1,000, b 1,010)."


def test_outcomes_that_lack_unlike_in_the_arms_forbid_any_conclusion() -> None:
    table = trial({"a": 0.30, "b": 0.42})
    rng, alike, unlike = np.random.default_rng(2), dict(table), dict(table)
    alike["won"] = np.where(rng.random(4_000) < 0.1, np.nan, table["won"])
    unlike["won"] = np.where((table["arm"] == "b") & (alike["won"] == 0), np.nan, alike["won"])
    assert (judge(alike).decision, judge(unlike).decision) == ("b_better", "invalid")
    assert judge(alike).arms[0].n_missing > 150


def test_equivalence_is_shown_only_with_a_margin_and_enough_rows() -> None:
    table = trial({"a": 0.30, "b": 0.30}, n=20_000, seed=3)
    few = {name: values[:2_000] for name, values in table.items()}
    assert judge(table).decision == "no_difference_shown"
    assert judge(table, margin=0.02).decision == "equivalent"
    assert judge(few, margin=0.02).decision == "no_difference_shown"
    assert judge(table, margin=0.03, is_monitored=True).decision == "equivalent"
    welch = judge(table, margin=0.02, method="welch").comparisons[0].equivalence_p
    x, y = (table["won"][table["arm"] == arm] for arm in "ab")
    theirs = max(
        stats.ttest_ind(y, x - m, equal_var=False, alternative=side).pvalue
        for m, side in ((0.02, "greater"), (-0.02, "less"))
    )
    assert welch == pytest.approx(theirs, rel=1e-8)


@pytest.mark.parametrize("correction", ["holm", "benjamini_hochberg", "max_t"])
def test_many_arms_are_corrected_and_the_better_one_is_named(correction: str) -> None:
    table = trial({"control": 0.0, "x": 0.0, "y": 0.35, "z": 0.0}, n=300, is_numeric=True)
    report = judge(table, correction=correction)
    assert (report.decision, report.best_arm, len(report.comparisons)) == ("b_better", "y", 3)
    assert [arm.name for arm in report.arms] == ["control", "x", "y", "z"]
    for found in report.comparisons:
        assert found.p_value is not None
        assert found.adjusted_p is not None
        assert found.adjusted_p >= found.p_value - 0.002  # max_t draws
        assert found.confidence == pytest.approx(1 - 0.05 / 3)


def test_an_arm_shown_by_less_than_its_interval_asks_is_told() -> None:
    moments = {name: {"n": 200, "mean": mean, "sd": 1.0}
               for name, mean in (("a", 0.0), ("b", 0.5), ("c", 0.21))}  # fmt: skip
    report = evaluate_summary(moments, ExperimentOptions())
    assert [found.decision for found in report.comparisons] == ["b_better", "b_better"]
    assert any(notice.startswith("The interval of 'c' includes") for notice in report.notices)


def test_with_many_equal_arms_any_is_called_better_as_seldom_as_promised() -> None:
    rates = {name: 0.3 for name in "abcdef"}
    wrong = sum(judge(trial(rates, n=200, seed=seed)).decision == "b_better" for seed in range(120))
    # Each direction takes half of 5 %; Binomial(120, 0.025) exceeds 9 once in a thousand.
    assert wrong <= 9


def test_a_covariate_takes_variance_and_leaves_the_effect() -> None:
    rng = np.random.default_rng(4)
    table = trial({"a": 0.0, "b": 0.08}, n=1_500, is_numeric=True)
    before = rng.normal(size=3_000)
    table = {**table, "won": table["won"] + 2 * before, "before": before}
    plain, adjusted = judge(table), judge(table, covariate="before")
    assert (plain.decision, adjusted.decision) == ("no_difference_shown", "b_better")
    assert adjusted.variance_removed == pytest.approx(0.8, abs=0.03)
    found = adjusted.comparisons[0]
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0.08 < found.high
    leaked = {**table, "before": before + (table["arm"] == "b")}
    assert judge(leaked, covariate="before").decision == "invalid"
    with pytest.raises(InvalidInputError, match="is the outcome"):
        judge(table, covariate="won")


def test_rows_of_few_users_are_not_taken_for_many() -> None:
    n_false = n_naive = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        user = np.repeat(np.arange(40), 25)
        table = {
            "arm": np.where(user % 2 == 0, "a", "b").astype(object),
            "won": rng.normal(size=40)[user] + rng.normal(size=1_000),
            "user": user.astype(float),
        }
        n_naive += judge(table).decision in ("a_better", "b_better")
        report = judge(table, unit="user")
        n_false += report.decision in ("a_better", "b_better")
    assert (report.arms[0].n, report.arms[0].n_units) == (500, 20)
    # Binomial(60, 0.05) exceeds 9 once in a thousand.
    assert n_false <= 9
    assert n_naive > 25, "the simulation would not notice rows taken for users"


def test_users_with_rows_in_both_arms_forbid_any_conclusion() -> None:
    table = trial({"a": 0.3, "b": 0.4})
    report = judge({**table, "user": np.arange(4_000) // 2 * 1.0}, unit="user")
    assert report.decision == "invalid"
    assert "rows in several arms" in report.summary or any(
        "rows in several arms" in check.detail for check in report.checks
    )


def test_a_guard_that_may_have_become_worse_withholds_the_advice_to_adopt() -> None:
    rng = np.random.default_rng(5)
    table = trial({"a": 0.30, "b": 0.42})
    is_b = table["arm"] == "b"
    table["latency"] = rng.normal(2.0, 1.0, 4_000) + 0.5 * is_b
    table["kept"] = rng.normal(5.0, 1.0, 4_000)
    report = judge(table, guards={"latency": -0.1, "kept": 0.3})
    assert [(g.column, g.status) for g in report.guards] == [("latency", "harmed"),
                                                            ("kept", "holds")]  # fmt: skip
    assert report.decision == "b_better"
    assert report.next_steps == ("Do not adopt 'b' yet: latency did not stay within bounds.",)
    few = {name: values[60:160] for name, values in table.items()}
    assert judge(few, guards={"kept": 0.1}).guards[0].status == "not_shown"


def test_an_effect_that_wears_off_is_told_and_a_lasting_one_is_not() -> None:
    rng = np.random.default_rng(6)
    table = trial({"a": 0.0, "b": 0.5}, is_numeric=True)
    day = np.sort(rng.uniform(0, 30, 4_000))
    fading = {**table, "day": day}
    fading["won"] = table["won"] - (table["arm"] == "b") * day / 30 * 0.6
    told = judge(fading, time_column="day")
    assert any("shrinks over time" in notice for notice in told.notices)
    assert told.over_time[0].effect > told.over_time[-1].effect + 0.2
    lasting = judge({**table, "day": day}, time_column="day")
    assert lasting.trend_p is not None
    assert lasting.trend_p > 0.01
    assert not any("over time" in notice for notice in lasting.notices)


def test_an_arm_whose_effect_shrinks_to_nothing_is_not_advised() -> None:
    table = trial({"a": 0.0, "b": 0.0}, n=1_500, is_numeric=True, seed=3)
    is_new = (table["arm"] == "b") & (np.arange(3_000) < 700)
    table = {**table, "won": table["won"] + 0.7 * is_new, "day": np.arange(3_000.0)}
    report = judge(table, time_column="day")
    assert report.decision == "b_better"
    assert report.next_steps[0].startswith("Do not adopt 'b' yet")
    assert not any(step.startswith("Adopt") for step in report.next_steps)
    assert "at the end none is shown" in report.may_conclude[0]
    assert any("That the effect of 'b' lasts" in said for said in report.may_not_conclude)
    halved = {**table, "won": table["won"] + (table["arm"] == "b") * 1.0}
    lasting = judge(halved, time_column="day")
    assert any("shrinks over time" in notice for notice in lasting.notices)
    assert lasting.next_steps[0].startswith("Adopt 'b'"), "smaller, and still clear"


@pytest.mark.parametrize("is_monitored", [True, False])
def test_an_effect_that_fades_is_told_of_its_own_arm_alone(is_monitored: bool) -> None:
    table = trial({"a": 0.0, "b": 0.0, "c": 0.0}, n=1_500, is_numeric=True, seed=3)
    is_new = np.arange(4_500) < 1_500
    for fading, steady in (("b", "c"), ("c", "b")):
        gain = 1.5 * ((table["arm"] == fading) & is_new) + 0.4 * (table["arm"] == steady)
        won = table["won"] + gain
        report = judge({**table, "won": won, "day": np.arange(4_500.0)}, time_column="day",
                       is_monitored=is_monitored)  # fmt: skip
        said = {
            c.arm: text for c, text in zip(report.comparisons, report.may_conclude, strict=True)
        }
        assert {c.decision for c in report.comparisons} == {"b_better"}
        assert "at the end none is shown" in said[fading]
        assert "none is shown" not in said[steady]
        lasting = [text for text in report.may_not_conclude if "lasts" in text]
        assert [text.split("lasts")[0] for text in lasting] == [f"That the effect of {fading!r} "]


def test_rows_are_taken_in_order_of_time_and_not_as_they_stand() -> None:
    table = trial({"a": 0.30, "b": 0.42})
    day = np.arange(4_000.0)
    order = np.random.default_rng(7).permutation(4_000)
    shuffled = {name: values[order] for name, values in {**table, "day": day}.items()}
    first = judge({**table, "day": day}, time_column="day", is_monitored=True)
    second = judge(shuffled, time_column="day", is_monitored=True)
    assert first == second


def test_a_few_far_values_that_carry_an_effect_are_told() -> None:
    table = trial({"a": 0.0, "b": 0.0}, n=500, is_numeric=True, seed=8)
    table["won"][np.flatnonzero(table["arm"] == "b")[:3]] = 60.0
    assert any("carry the effect" in notice for notice in judge(table).notices)


def test_counts_and_moments_give_what_their_rows_give() -> None:
    table = trial({"a": 0.30, "b": 0.34})
    rows = {arm: table["won"][table["arm"] == arm] for arm in "ab"}
    counts = {arm: {"n": x.size, "successes": x.sum()} for arm, x in rows.items()}
    moments = {arm: {"n": x.size, "mean": x.mean(), "sd": x.std(ddof=1)}
               for arm, x in rows.items()}  # fmt: skip
    by_rows = judge(table, method="welch").comparisons[0]
    by_moments = evaluate_summary(moments, ExperimentOptions(method="welch")).comparisons[0]
    assert by_moments.p_value == pytest.approx(by_rows.p_value, rel=1e-9)
    by_counts = evaluate_summary(counts, ExperimentOptions()).comparisons[0]
    assert by_counts == judge(table).comparisons[0]
    with pytest.raises(InvalidInputError, match="take for every arm n and successes"):
        evaluate_summary({"a": {"n": 3}, "b": {"n": 4}}, ExperimentOptions())
    with pytest.raises(InvalidInputError, match="needs rows"):
        evaluate_summary(moments, ExperimentOptions(method="mann_whitney"))


def test_small_experiments_are_tested_exactly() -> None:
    table = {
        "arm": np.array(["a"] * 6 + ["b"] * 6, dtype=object),
        "won": np.array([1.0, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]),
    }
    report = judge(table)
    assert report.method == "permutation"
    assert report.comparisons[0].p_value == pytest.approx(2 / 924)


def test_bayesian_arms_carry_their_chances_and_losses() -> None:
    report = judge(trial({"a": 0.30, "b": 0.42}), method="bayes")
    chances = [arm.chance_best for arm in report.arms]
    assert sum(c for c in chances if c is not None) == pytest.approx(1.0)
    assert report.arms[1].expected_loss == pytest.approx(0.0, abs=1e-6)
    assert any("Beta(1, 1)" in notice for notice in report.notices)


def test_a_plan_says_how_many_units_both_ways() -> None:
    options = options_of({"baseline": 0.3, "effect": 0.05})
    plan = plan_experiment(options).plan
    assert plan is not None
    assert plan.n_fixed == 1_377  # Fleiss, section 3.2, for 0.30 and 0.35 at 5 % and 80 %
    assert plan.n_median_stop < plan.n_fixed * 1.1 < plan.n_monitored
    with pytest.raises(InvalidInputError, match="give plan with baseline"):
        plan_experiment(ExperimentOptions())
    with pytest.raises(InvalidInputError, match="plan has no 'efect'; known: effect"):
        options_of({"efect": 0.1})
    faults: list[tuple[dict[str, Any], str]] = [
        ({"alpha": 0.7}, "alpha must lie between 0 and 0.5; found 0.7"),
        ({"margin": True}, "plan: margin must be a finite number; found True"),
        ({"guards": {"x": 5}}, "plan: guards must be an object of columns"),
        ({"guards": {"x": {"may_rise": 0}}}, "may_rise.*number above 0"),
        ({"correction": "none"}, "plan: correction must be one of holm"),
        ({"baseline": 1.5}, "plan: baseline must lie between 0 and 1"),
        ({"low": 2.0, "high": 1.0}, "plan: low must be below high"),
    ]
    for given, said in faults:
        with pytest.raises(InvalidInputError, match=said):
            options_of(given)
    with pytest.raises(InvalidInputError, match="no role 'outcom'; known: arm, outcome"):
        options_of({}, {"outcom": "won"})


def test_a_plan_knows_shares_and_how_many_arms_they_name() -> None:
    def n_fixed(**plan: Any) -> int:
        found = plan_experiment(options_of({"effect": 0.05, **plan})).plan
        assert found is not None
        return found.n_fixed

    equal = {"a": 1, "b": 1}
    assert n_fixed(baseline=0.3) == n_fixed(baseline=0.3, shares=equal) == 1_377
    n = n_fixed(baseline=0.3, shares={"a": 1, "b": 4})
    rng = np.random.default_rng(9)
    x, y = rng.binomial(n, 0.3, 4_000), rng.binomial(4 * n, 0.35, 4_000)
    pooled = (x + y) / (5 * n)
    z = (y / (4 * n) - x / n) / np.sqrt(pooled * (1 - pooled) * 1.25 / n)
    # Four standard errors of a share of 4,000.
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.8, abs=0.026)
    # Of means the variance of the difference is 1 / n + 1 / (4 n), not 2 / n.
    assert n_fixed(sd=1.0, shares={"a": 1, "b": 4}) == pytest.approx(n_fixed(sd=1.0) * 5 / 8, abs=1)
    three = {**equal, "c": 1}
    assert n_fixed(sd=1.0, shares=three) == n_fixed(sd=1.0, alpha=0.025)
    said = plan_experiment(options_of({"effect": 0.05, "baseline": 0.3,
                                       "shares": {"a": 1, "b": 4}})).summary  # fmt: skip
    assert f"{n:,} units in the smallest arm if looked at once (a {n:,}, b {4 * n:,}" in said
    with pytest.raises(InvalidInputError, match="weight above 0"):
        n_fixed(sd=1.0, shares={"a": 1, "b": 0})
    with pytest.raises(InvalidInputError, match="No arm 'c'; the arms are a, b"):
        n_fixed(sd=1.0, shares=equal, control="c")


def test_what_cannot_be_read_is_refused_by_name() -> None:
    table = trial({"a": 0.3, "b": 0.4}, n=50)
    with pytest.raises(InvalidInputError, match="outcome 'lost' is no column; the table has arm"):
        evaluate_table(table, ExperimentOptions(arm="arm", outcome="lost"))
    with pytest.raises(InvalidInputError, match="No arm 'c'; the arms are a, b"):
        judge(table, control="c")
    with pytest.raises(InvalidInputError, match="2 to 20 arms; found 1"):
        judge({**table, "arm": np.array(["a"] * 100, dtype=object)})
    with pytest.raises(InvalidInputError, match="holds text such as 'yes'"):
        judge({**table, "won": np.array(["yes"] * 100, dtype=object)})
    with pytest.raises(InvalidInputError, match="betting needs the least and the largest"):
        judge(trial({"a": 0.0, "b": 1.0}, n=80, is_numeric=True), method="betting")


def test_rows_of_users_may_be_looked_at_while_they_come() -> None:
    def trial_of_users(gap: float) -> Table:
        rng = np.random.default_rng(1)
        user = rng.integers(0, 400, 3_000)
        arm = np.where(user % 2 == 0, "a", "b").astype(object)
        won = rng.normal(size=400)[user] + rng.normal(size=3_000) + gap * (user % 2)
        return {"arm": arm, "won": won, "user": user.astype(float)}

    options: dict[str, Any] = {
        "unit": "user", "is_monitored": True, "planned": Planned(effect=0.5)
    }  # fmt: skip
    assert judge(trial_of_users(0.6), **options).decision == "b_better"
    assert judge(trial_of_users(0.0), **options).decision == "keep_going"


def test_a_guard_of_a_plan_says_which_direction_is_bad() -> None:
    plan = {"guards": {"latency": {"may_rise": 0.1}, "kept": {"may_fall": 0.3}}}
    assert options_of(plan).guards == {"latency": -0.1, "kept": 0.3}


def test_a_guard_without_values_is_named() -> None:
    table = trial({"a": 0.3, "b": 0.4}, n=50)
    table["latency"] = np.where(table["arm"] == "b", np.nan, 1.0)
    with pytest.raises(InvalidInputError, match="Guard 'latency' has 0 independent"):
        judge(table, guards={"latency": -0.1})


def test_long_numbers_of_users_and_arms_are_told_apart() -> None:
    table = trial({"a": 0.0, "b": 0.5}, n=200, is_numeric=True)
    numbered = {
        "arm": np.where(table["arm"] == "b", 1_234_568.0, 1_234_567.0),
        "won": table["won"],
        "user": 20_260_100_000.0 + np.arange(400),
    }
    report = judge(numbered, unit="user")
    assert [arm.name for arm in report.arms] == ["1234567", "1234568"]
    assert [arm.n_units for arm in report.arms] == [200, 200]
    assert report.comparisons[0].p_value == pytest.approx(
        judge(table, method="welch").comparisons[0].p_value
    )


@pytest.mark.parametrize(
    ("known", "expected"), [({"baseline": 0.10}, 0.0195), ({"sd": 2.0}, 0.128)]
)
def test_a_size_without_an_effect_plans_for_the_least_that_it_shows(
    known: dict[str, float], expected: float
) -> None:
    planned = Planned(n_per_arm=3_841, **known)
    plan = plan_experiment(ExperimentOptions(planned=planned)).plan

    assert plan is not None
    assert plan.effect == pytest.approx(expected, rel=0.03)
    assert plan.n_fixed == pytest.approx(3_841, rel=0.02)


def test_a_size_alone_plans_nothing() -> None:
    with pytest.raises(InvalidInputError, match="n_per_arm or both"):
        plan_experiment(ExperimentOptions(planned=Planned(n_per_arm=100)))


def test_a_size_without_an_effect_is_told_as_it_was_given() -> None:
    for known in ({"baseline": 0.3}, {"sd": 1.0}):
        report = plan_experiment(ExperimentOptions(planned=Planned(n_per_arm=500, **known)))
        assert report.plan is not None
        assert report.plan.n_fixed == 500
        assert "500 units in each arm if looked at once" in report.summary
    rare = plan_experiment(ExperimentOptions(planned=Planned(n_per_arm=500, baseline=0.99)))
    assert rare.plan is not None
    assert rare.plan.n_fixed > 500, "no rate above 1 can be reached"


@pytest.mark.parametrize(
    ("arm", "said"),
    [
        ({"n": 10**400, "successes": 3}, "n must be a whole number from 2 to"),
        ({"n": float("nan"), "successes": 3}, "n must be a whole number from 2 to"),
        ({"n": 100, "successes": 10**400}, "from 0 to n, which is 100"),
        ({"n": 100, "successes": 2.5}, "from 0 to n, which is 100; found 2.5"),
        ({"n": 100, "mean": 10**400, "sd": 1.0}, "from 1e-60 to 1e\\+60 in size"),
        ({"n": 100, "mean": 0.0, "sd": 1e200}, "from 1e-60 to 1e\\+60 in size"),
        ({"n": 100, "mean": 0.0, "sd": -1.0}, "sd must be at least 0"),
    ],
)
def test_counts_and_moments_that_no_float_can_square_are_refused(
    arm: dict[str, float], said: str
) -> None:
    other = {name: 2.0 for name in arm}
    with pytest.raises(InvalidInputError, match=said):
        evaluate_summary({"a": arm, "b": other}, ExperimentOptions())


def test_numbers_of_a_plan_that_no_float_holds_are_refused() -> None:
    for name in ("sd", "alpha", "n_per_arm"):
        with pytest.raises(InvalidInputError, match=f"{name} must be a finite number"):
            options_of({name: 10**400})


@pytest.mark.parametrize("method", ["welch", "permutation", "bootstrap"])
def test_the_unit_of_an_outcome_does_not_change_what_is_found(method: str) -> None:
    table = trial({"a": 0.0, "b": 0.2}, n=60, is_numeric=True)
    plain = judge(table, method=method)
    for factor in (1e-58, 1e58):
        scaled = judge({**table, "won": table["won"] * factor}, method=method)
        assert scaled.decision == plain.decision
        found, expected = scaled.comparisons[0], plain.comparisons[0]
        assert found.p_value == pytest.approx(expected.p_value)
        assert found.low is not None
        assert found.low / factor == pytest.approx(expected.low)
    for factor in (1e-200, 1e200):
        with pytest.raises(InvalidInputError, match=r"outcome 'won'.*Give it in another unit"):
            judge({**table, "won": table["won"] * factor}, method=method)
