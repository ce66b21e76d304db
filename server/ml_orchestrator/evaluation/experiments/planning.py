"""How many units an experiment needs, before it begins."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.models import ExperimentReport, Plan
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions, Planned
from ml_orchestrator.evaluation.experiments.table import control_first
from ml_orchestrator.numerics.power import (
    detectable_effect,
    units_for_means,
    units_for_rates,
    units_when_monitored,
)

__all__ = ["plan_experiment"]

ROUNDS = 8
ROUNDING = 1e-9  # of a number of units, before it is rounded up
LEAST_SD = 1e-3


def plan_experiment(options: ExperimentOptions) -> ExperimentReport:
    """Return the sizes for the effect planned, looked at once and monitored.

    Without an effect it is the least one that ``n_per_arm`` units show.

    Raises:
        InvalidInputError: the plan lacks effect and size, or both baseline and spread.
    """
    planned, power, split = options.planned, options.planned.power, _split(options)
    alpha = options.alpha / split.n_others
    effect = planned.effect
    if effect is None and planned.n_per_arm is not None:
        effect = _least_effect(planned, split, alpha=alpha)
    if effect is None or (planned.baseline is None and planned.sd is None):
        raise InvalidInputError(
            "Without data this plans an experiment: give plan with baseline (of 0/1 outcomes) or "
            "sd (of others), and with effect, n_per_arm or both; power if you like. To evaluate "
            "one, give source."
        )
    if planned.baseline is not None and planned.sd is None:
        second = planned.baseline + effect
        n_fixed = _units_of_rates(planned.baseline, second, split, alpha=alpha, power=power)
        middle = (planned.baseline + second) / 2
        sd = math.sqrt(middle * (1 - middle))
    else:
        sd = planned.sd or 0.0
        n_fixed = split.least(units_for_means(effect, sd, alpha=alpha, power=power))
    monitored = units_when_monitored(
        effect, sd, alpha=alpha, power=power, tau=abs(effect), seed=options.seed
    )
    if planned.effect is None and planned.n_per_arm is not None and _is_reached(planned, effect):
        n_fixed = int(planned.n_per_arm)  # what the effect was sought for, not what rounding gives
    plan = Plan(
        effect=effect,
        power=power,
        alpha=options.alpha,
        n_fixed=n_fixed,
        n_monitored=split.least(monitored.n_most),
        n_median_stop=split.least(monitored.n_median),
        n_mean_stop=split.least(monitored.n_mean),
        detectable_effect=None
        if planned.n_per_arm is None
        else detectable_effect(split.even(planned.n_per_arm), sd, alpha=alpha, power=power),
    )
    return _report(plan, options, split)


@dataclass(frozen=True, slots=True)
class _Split:
    """How units are shared among arms; the control first, weights over that of the least arm."""

    weights: Mapping[str, float]

    @property
    def n_others(self) -> int:
        return max(1, len(self.weights) - 1)

    @property
    def factor(self) -> float:
        """Units of the least arm for each of two equal arms that tell as much."""
        if not self.weights:
            return 1.0
        control, *others = self.weights.values()
        return max(1 / control + 1 / other for other in others) / 2

    def least(self, n_even: int) -> int:
        return max(2, math.ceil(n_even * self.factor - ROUNDING))

    def even(self, n_least: float) -> int:
        """Return the units of each of two equal arms that tell as much as so many in the least."""
        return max(2, int(n_least / self.factor + ROUNDING))

    def sizes(self, n_least: int) -> str:
        if len(set(self.weights.values())) < 2:
            return ""
        sizes = {name: math.ceil(n_least * w - ROUNDING) for name, w in self.weights.items()}
        said = ", ".join(f"{name} {n:,}" for name, n in sizes.items())
        return f" ({said}: {sum(sizes.values()):,} in all)"


def _split(options: ExperimentOptions) -> _Split:
    """Return planned shares; without any, two equal arms.

    Raises:
        InvalidInputError: a share is not above 0, or the control or the number of arms is wrong.
    """
    shares = options.shares
    if not shares:
        return _Split({})
    if not all(math.isfinite(share) and share > 0 for share in shares.values()):
        raise InvalidInputError(
            f"shares must give each arm a weight above 0; found {dict(shares)}."
        )
    names, least = control_first(sorted(shares), options.control), min(shares.values())
    return _Split({name: shares[name] / least for name in names})


def _units_of_rates(
    first: float, second: float, split: _Split, *, alpha: float, power: float
) -> int:
    """Return the units of the least arm with which each arm's rate is told from the control's."""
    control, *others = split.weights.values() or (1.0, 1.0)
    needed = [
        units_for_rates(first, second, alpha=alpha, power=power, ratio=other / control)
        for other in others
    ]
    return max(2, math.ceil(max(needed) / control))


def _least_effect(planned: Planned, split: _Split, *, alpha: float) -> float | None:
    """Return the least gain that is found with the size planned, or None if nothing says so.

    Rates spread as the mean of both arms' does, which the effect moves: a few rounds settle it.
    """
    size, baseline = split.even(planned.n_per_arm or 0), planned.baseline
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


def _report(plan: Plan, options: ExperimentOptions, split: _Split) -> ExperimentReport:
    n = plan.n_monitored if options.is_monitored else plan.n_fixed
    way = "monitored, is_monitored true" if options.is_monitored else "looked at once, at the end"
    where = "the smallest arm" if split.sizes(n) else "each arm"
    return ExperimentReport(
        decision="planned",
        level=options.level,
        summary=f"To find {plan.effect:g} with a chance of {plan.power:.0%}: {plan.n_fixed:,} "
        f"units in {where} if looked at once{split.sizes(plan.n_fixed)}, at most "
        f"{plan.n_monitored:,} if monitored{split.sizes(plan.n_monitored)}, where half of "
        f"experiments end by {plan.n_median_stop:,}.",
        method="msprt" if options.is_monitored else "welch or z",
        is_monitored=options.is_monitored,
        alpha=plan.alpha,
        plan=plan,
        next_steps=(
            f"Draw the arm of each unit at random and run until {where} has {n:,} units"
            f"{split.sizes(n)}.",
            f"Then call experiment_evaluate with the data ({way}) and plan: effect "
            f"{plan.effect:g}, n_per_arm {n}{', and shares as here' if split.weights else ''}.",
        ),
        notices=(_of_arms(split, options.alpha),),
    )


def _of_arms(split: _Split, alpha: float) -> str:
    if not split.weights:
        return (
            "Sizes are for two arms of equal size. Of more arms, or unequal ones, name each with "
            'its weight in shares, such as {"a": 1, "b": 1, "c": 1}.'
        )
    control, *others = split.weights
    if len(others) == 1:
        return f"Sizes are for {others[0]!r} against the control {control!r}, by shares."
    return (
        f"Sizes are for each of {len(others)} arms against the control {control!r}, at alpha "
        f"{alpha:g} / {len(others)}, which any correction for many arms keeps to."
    )
