"""Monitored experiments keep their promise where arms are uneven, rare or alike at first."""

from typing import Any

import numpy as np
import pytest

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.evaluate import evaluate_summary, evaluate_table
from ml_orchestrator.evaluation.experiments.models import ExperimentReport
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions, Planned

Table = dict[str, Any]


def judge(table: Table, **options: Any) -> ExperimentReport:
    return evaluate_table(
        table, ExperimentOptions(arm="arm", outcome="won", is_monitored=True, **options)
    )


def uneven(seed: int, n: int = 4_000) -> Table:
    """Return rows of equal, rare rates, a tenth of them in the second arm."""
    rng = np.random.default_rng(seed)
    arm = rng.permutation(np.repeat(np.array(["a", "b"], dtype=object), [9 * n // 10, n // 10]))
    return {"arm": arm, "won": (rng.random(n) < 0.02).astype(float)}


def test_rare_rates_in_uneven_arms_are_found_to_differ_as_seldom_as_promised() -> None:
    shares = {"a": 9.0, "b": 1.0}
    shown = [judge(uneven(seed), shares=shares).comparisons[0].shown_at for seed in range(150)]
    # Binomial(150, 0.05) exceeds 16 once in a thousand; ten successes in both arms gave 25 %.
    assert sum(at is not None for at in shown) <= 16
    never = uneven(0)
    never["won"] = never["won"] * (never["arm"] == "a")
    early = {name: values[:900] for name, values in never.items()}
    assert judge(early, shares=shares).looks == (), "the smaller arm expects two successes"


def test_rows_that_are_all_alike_at_first_are_waited_out() -> None:
    rng = np.random.default_rng(0)
    table = {
        "arm": np.array(["a", "b"] * 1_000, dtype=object),
        "won": np.where(np.arange(2_000) < 400, 0.0, rng.normal(size=2_000)),
    }
    early = judge({name: values[:300] for name, values in table.items()})
    assert (early.decision, early.looks) == ("keep_going", ())
    late = judge(table)
    assert late.decision == "keep_going"
    assert late.looks[0].n > 400


def test_later_rows_do_not_change_the_width_of_the_mixture() -> None:
    rng = np.random.default_rng(1)
    arm = np.array(["a", "b"] * 1_000, dtype=object)
    won = rng.normal(size=2_000)
    table, wider = {"arm": arm, "won": won}, {"arm": arm, "won": won.copy()}
    wider["won"][1_000:] *= 50
    first, second = judge(table).looks[0], judge(wider).looks[0]
    # Sums are taken around the mean of all rows, so they differ by rounding.
    assert first.e_value == pytest.approx(second.e_value, rel=1e-6)


def test_monitored_means_by_arm_need_a_width_that_was_planned() -> None:
    moments = {arm: {"n": 400, "mean": mean, "sd": 1.0} for arm, mean in (("a", 0.0), ("b", 0.6))}
    with pytest.raises(InvalidInputError, match="give plan with effect"):
        evaluate_summary(moments, ExperimentOptions(is_monitored=True))
    for planned in (Planned(sd=1.0), Planned(effect=0.3)):
        options = ExperimentOptions(is_monitored=True, planned=planned)
        assert evaluate_summary(moments, options).decision == "b_better"
