"""How many units an experiment needs, before it begins."""

import math

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.models import ExperimentReport, Plan
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions, Planned
from ml_orchestrator.numerics.power import (
    detectable_effect,
    units_for_means,
    units_for_rates,
    units_when_monitored,
)

__all__ = ["plan_experiment"]

ROUNDS = 8
LEAST_SD = 1e-3


def plan_experiment(options: ExperimentOptions) -> ExperimentReport:
    """Return the sizes for the effect planned, looked at once and monitored.

    Without an effect it is the least one that ``n_per_arm`` units show.

    Raises:
        InvalidInputError: the plan lacks effect and size, or both baseline and spread.
    """
    planned, alpha, power = options.planned, options.alpha, options.planned.power
    effect = planned.effect
    if effect is None and planned.n_per_arm is not None:
        effect = _least_effect(planned, alpha=alpha)
    if effect is None or (planned.baseline is None and planned.sd is None):
        raise InvalidInputError(
            "Without data this plans an experiment: give plan with baseline (of 0/1 outcomes) or "
            "sd (of others), and with effect, n_per_arm or both; power if you like. To evaluate "
            "one, give source."
        )
    if planned.baseline is not None and planned.sd is None:
        second = planned.baseline + effect
        n_fixed = units_for_rates(planned.baseline, second, alpha=alpha, power=power)
        middle = (planned.baseline + second) / 2
        sd = math.sqrt(middle * (1 - middle))
    else:
        sd = planned.sd or 0.0
        n_fixed = units_for_means(effect, sd, alpha=alpha, power=power)
    monitored = units_when_monitored(
        effect, sd, alpha=alpha, power=power, tau=abs(effect), seed=options.seed
    )
    if planned.effect is None and planned.n_per_arm is not None and _is_reached(planned, effect):
        n_fixed = int(planned.n_per_arm)  # what the effect was sought for, not what rounding gives
    plan = Plan(
        effect=effect,
        power=power,
        alpha=alpha,
        n_fixed=n_fixed,
        n_monitored=monitored.n_most,
        n_median_stop=monitored.n_median,
        n_mean_stop=monitored.n_mean,
        detectable_effect=None
        if planned.n_per_arm is None
        else detectable_effect(int(planned.n_per_arm), sd, alpha=alpha, power=power),
    )
    return _report(plan, options)


def _least_effect(planned: Planned, *, alpha: float) -> float | None:
    """Return the least gain that is found with the size planned, or None if nothing says so.

    Rates spread as the mean of both arms' does, which the effect moves: a few rounds settle it.
    """
    size, baseline = int(planned.n_per_arm or 0), planned.baseline
    if planned.sd is not None:
        return detectable_effect(size, planned.sd, alpha=alpha, power=planned.power)
    if baseline is None:
        return None
    effect = 0.0
    for _ in range(ROUNDS):
        middle = min(1.0, baseline + effect / 2)
        sd = max(LEAST_SD, math.sqrt(middle * (1 - middle)))
        effect = min(1 - baseline, detectable_effect(size, sd, alpha=alpha, power=planned.power))
    return effect or None


def _is_reached(planned: Planned, effect: float) -> bool:
    """Whether the size planned shows the effect: none above what a rate can still gain is."""
    return planned.sd is not None or effect < 1 - (planned.baseline or 0.0)


def _report(plan: Plan, options: ExperimentOptions) -> ExperimentReport:
    n = plan.n_monitored if options.is_monitored else plan.n_fixed
    way = "monitored, is_monitored true" if options.is_monitored else "looked at once, at the end"
    return ExperimentReport(
        decision="planned",
        level=options.level,
        summary=f"To find {plan.effect:g} with a chance of {plan.power:.0%}: {plan.n_fixed:,} "
        f"units in each arm if looked at once, at most {plan.n_monitored:,} if monitored, where "
        f"half of experiments end by {plan.n_median_stop:,}.",
        method="msprt" if options.is_monitored else "welch or z",
        is_monitored=options.is_monitored,
        alpha=plan.alpha,
        plan=plan,
        next_steps=(
            f"Draw the arm of each unit at random and run until {n:,} units an arm.",
            f"Then call experiment_evaluate with the data ({way}) and plan: effect "
            f"{plan.effect:g}, n_per_arm {n}.",
        ),
        notices=("Sizes are for two arms of equal size; more arms need more, each.",),
    )
