"""What may be concluded from an experiment and what may not, in words."""

import math
from collections.abc import Mapping, Sequence

from ml_orchestrator.evaluation.experiments.arms import Experiment
from ml_orchestrator.evaluation.experiments.first_look import SKEWED_APART
from ml_orchestrator.evaluation.experiments.fixed import SKEWED
from ml_orchestrator.evaluation.experiments.found import Found
from ml_orchestrator.evaluation.experiments.models import (
    Check,
    Comparison,
    Decision,
    Guard,
    Level,
)
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions

__all__ = [
    "fading",
    "how_it_came",
    "may_conclude",
    "may_not_conclude",
    "next_steps",
    "since_then",
    "summary",
    "wide_intervals",
]

EVEN = 0.8  # smallest arm over the largest: skewness is then all but gone from differences
UNLIKE = 0.25  # skewness of a difference, by each arm's own, above which a notice says so
TWO_ERRORS = 5.0  # over n: twice the standard error of the skewness of a mean of n normal values
MOST_OF_FEW = 20  # units of an arm: with more in both, a permutation test can show anything
UNEVEN = 0.5  # even units that count, as a share of units

_OF_MEANS = ("welch", "student", "permutation", "bootstrap")
_OF_SPREAD = ("welch", "student", "bootstrap")  # methods that measure by the spread alone
_LEVELS: dict[Level, str] = {
    "L1": "That the answers themselves are better: the outcome is what was logged (L1).",
    "L2": "That it holds for tasks unlike those of the metric (L2).",
}


def summary(decision: Decision, best: Comparison, failed: Sequence[Check], *, alpha: float) -> str:
    """Return the finding in one or two sentences."""
    if failed:
        return f"Nothing may be concluded: {failed[0].detail}"
    said = {
        "a_better": f"{best.control!r} is better than {best.arm!r}",
        "b_better": f"{best.arm!r} is better than {best.control!r}",
        "equivalent": f"{best.arm!r} and {best.control!r} differ by less than the margin",
        "keep_going": "There is no decision yet",
        "no_difference_shown": "No difference is shown",
    }
    at_odds = _at_odds(best, alpha)
    return f"{said[decision]}: {_effect(best)}.{at_odds and f' {at_odds}'}"


def _at_odds(c: Comparison, alpha: float) -> str:
    """Return how test and interval of one look disagree, with no verdict then; else nothing."""
    if c.decision != "no_difference_shown" or c.e_value is not None:
        return ""
    if c.low is None or c.high is None or c.adjusted_p is None:
        return ""
    is_shown = c.adjusted_p <= alpha
    if is_shown == (not c.low <= _neutral(c) <= c.high):
        return ""
    finding = "finds a difference, the interval includes none"
    if not is_shown:
        finding = "finds no difference, the interval leaves that out"
    return f"The test {finding}: as they disagree, nothing is concluded."


def fading(c: Comparison, found: Found, *, has_faded: bool) -> str | None:
    """Return why the effect of a better arm may not last, or None.

    Args:
        c: of the arm.
        found: by the method, of that arm.
        has_faded: of that arm over time, `Trend.has_faded`.
    """
    if c.decision != "b_better":
        return None
    if has_faded:
        return "it shrinks over time, and at the end none is shown"
    return "the last look no longer shows it" if found.is_gone else None


def since_then(comparisons: Sequence[Comparison], found: Sequence[Found]) -> list[str]:
    """Return, of effects that an earlier look has shown and the last does not, the last."""
    return [
        f"The effect of {c.arm!r} is that of the look that showed it, at {one.shown.n:,} rows. "
        f"By the last it is {one.effect:.4g} ({one.low:.4g} to {one.high:.4g}), so it may have "
        "gone, or been chance."
        for c, one in zip(comparisons, found, strict=True)
        if c.decision in ("a_better", "b_better") and one.shown is not None and one.is_gone
    ]


def wide_intervals(comparisons: Sequence[Comparison]) -> list[str]:
    """Return which of many arms are shown better or worse by less than their interval asks."""
    wide = [
        c.arm
        for c in comparisons
        if c.decision in ("a_better", "b_better") and c.low is not None and c.high is not None
        if c.low <= _neutral(c) <= c.high
    ]
    if not wide:
        return []
    return [
        f"The interval of {', '.join(map(repr, wide))} includes no effect though one is shown: "
        "intervals hold for all arms at once, which asks more than the correction does."
    ]


def may_conclude(
    comparisons: Sequence[Comparison],
    guards: Sequence[Guard],
    *,
    alpha: float,
    fading: Mapping[str, str],
) -> tuple[str, ...]:
    """Return what the data support, one sentence each; nothing of an invalid experiment.

    Args:
        comparisons: of each arm with the control.
        guards: as judged.
        alpha: of the experiment.
        fading: by arm, why its effect may not last; arms whose effect may are left out.
    """
    found = []
    for c in comparisons:
        if c.decision == "invalid":
            return ()
        if c.decision == "b_better":
            but = f"; but {fading[c.arm]}" if c.arm in fading else ""
            found.append(f"{c.arm!r} does better than {c.control!r}: {_effect(c)}{but}.")
        elif c.decision == "a_better":
            found.append(f"{c.arm!r} does worse than {c.control!r}: {_effect(c)}.")
        elif c.decision == "equivalent":
            found.append(f"{c.arm!r} is as good as {c.control!r} within the margin: {_effect(c)}.")
        elif c.low is not None and not _at_odds(c, alpha):
            found.append(
                f"An effect of {c.arm!r} below {c.low:.4g} or above {c.high:.4g} is unlikely."
            )
    found += [
        f"{g.column} of {g.arm!r} is not worse by {g.margin:g} or more."
        for g in guards
        if g.status == "holds"
    ]
    return tuple(found)


def may_not_conclude(
    decision: Decision,
    comparisons: Sequence[Comparison],
    guards: Sequence[Guard],
    options: ExperimentOptions,
    method: str,
    *,
    fading: Mapping[str, str],
) -> tuple[str, ...]:
    """Return what the data do not support, one sentence each; ``fading`` by arm."""
    if decision == "invalid":
        return ("Anything about which arm is better: the experiment itself is not sound.",)
    found = []
    if decision in ("no_difference_shown", "keep_going"):
        found.append(
            "That there is no difference: not shown is not absent"
            + ("." if options.margin else "; a margin would let equivalence be tested.")
        )
    found += [f"That the effect of {arm!r} lasts: {why}." for arm, why in fading.items()]
    if len(comparisons) > 1:
        found.append("Which of the other arms is best: each was held against the control alone.")
    for g in guards:
        if g.status == "harmed":
            found.append(f"That {g.arm!r} is safe: {g.column} is worse by more than {g.margin:g}.")
        elif g.status == "not_shown":
            found.append(
                f"That {g.arm!r} is safe: {g.column} may be worse by {g.margin:g} or more."
            )
    if not options.is_sequential:
        found.append(
            "Anything, if this was looked at before and would have ended then: the result holds "
            "for one look at a size fixed beforehand"
            + (", and so do Bayesian probabilities." if method == "bayes" else ".")
        )
    elif method == "msprt":
        found.append("Exact error rates in small samples: msprt takes means as nearly normal.")
    found.append("That users or prompts of another time behave alike.")
    found.append(_LEVELS[options.level])
    return tuple(found)


def next_steps(
    decision: Decision,
    best: Comparison,
    failed: Sequence[Check],
    guards: Sequence[Guard],
    options: ExperimentOptions,
    *,
    fading: str | None = None,
) -> tuple[str, ...]:
    """Return what to do, in this order; ``fading`` is why the best arm's effect may not last."""
    if failed:
        return (
            "Find out why, by time and by kind of unit; repair the assignment or the logging.",
            "Run the experiment anew. Leaving out the rows that seem wrong repairs nothing.",
        )
    unsafe = [g.column for g in guards if g.arm == best.arm and g.status != "holds"]
    if decision == "b_better" and unsafe:
        return (f"Do not adopt {best.arm!r} yet: {', '.join(unsafe)} did not stay within bounds.",)
    if decision == "b_better" and fading:
        return (
            f"Do not adopt {best.arm!r} yet, though an effect was shown: {fading}.",
            "Plan a later experiment of the effect that lasts, and evaluate its rows alone.",
        )
    steps = {
        "b_better": (f"Adopt {best.arm!r}, and watch the outcome after that.",),
        "a_better": (f"Keep {best.control!r}.",),
        "equivalent": ("Choose by cost, length or simplicity.",),
        "no_difference_shown": (
            "Keep the control, or plan a larger experiment (call this with plan and no data).",
        ),
    }
    return steps.get(decision) or (_more(options),)


def how_it_came(method: str, experiment: Experiment, options: ExperimentOptions) -> list[str]:
    """Return what to know of the method, one sentence each."""
    found = []
    if method == "bayes":
        prior = "Beta(1, 1) for each rate" if experiment.is_binary else "a normal with the mean "
        prior += "" if experiment.is_binary else "of all outcomes and ten standard deviations"
        found.append(f"The prior is {prior}.")
    if method == "msprt" and options.planned.effect is None:
        found.append(
            "The mixture's spread is a usual one (0.05 for rates; for others a tenth of the "
            "standard deviation planned, or else of the rows before the first look); plan an "
            "effect to look for what matters."
        )
    if method == "msprt" and not experiment.is_binary:
        found += _of_skewness(experiment)
    if method == "betting":
        found.append("The i-th row of one arm is put beside the i-th of the other; rest waits.")
    if experiment.is_clustered and method in ("mann_whitney", "permutation", "bootstrap"):
        found.append("Each unit counts once, by the mean of its rows.")
    if not experiment.has_spread and (method in _OF_SPREAD or not experiment.is_binary):
        found.append(
            "Outcomes do not vary within arms, which does not tell how unlike others would be: "
            "there is no interval, and equivalence is not shown."
        )
    found += _of_uneven_units(experiment)
    if method in _OF_MEANS:
        found += _of_skewed_means(experiment, method)
    if method in ("permutation", "mann_whitney"):
        found += _of_few(experiment, options)
    if options.covariate is not None and options.is_sequential:
        found.append("The covariate's slope is that of all rows so far.")
    return found


def _of_uneven_units(experiment: Experiment) -> list[str]:
    """Return in which arms few units have most rows."""
    uneven = [a for a in experiment.arms if a.sample.n_effective < UNEVEN * a.sample.n]
    if not uneven:
        return []
    said = ", ".join(
        f"{a.name!r} counts as {a.sample.n_effective:.0f} even units of {a.sample.n:,}"
        for a in uneven
    )
    return [
        f"Few units have most rows: arm {said}. Effect and interval lean on those few, and "
        "mann_whitney, permutation and bootstrap count each unit once."
    ]


def _of_skewness(experiment: Experiment) -> list[str]:
    """Return what skewed outcomes in uneven arms do to a monitored test of means."""
    way = "betting (rows, with low and high in plan) has nothing to wait for."
    if not experiment.has_rows:
        sizes = [arm.sample.n for arm in experiment.arms]
        if min(sizes) > EVEN * max(sizes):
            return []
        return [f"Means by arm do not tell skewness, and arms are uneven: msprt may err; {way}"]
    if experiment.skewness > SKEWED:
        return [
            f"Outcomes are skewed and arms uneven in size (skewness of the difference "
            f"{experiment.skewness:.2g}): msprt does not look before it is {SKEWED:g} or less; "
            f"{way}"
        ]
    if experiment.skewness_unlike > SKEWED_APART:
        return [
            f"Outcomes are skewed, and not alike in the arms (skewness of the difference by that "
            f"{experiment.skewness_unlike:.2g}): msprt does not look before it is "
            f"{SKEWED_APART:g} or less; {way}"
        ]
    return []


def _of_skewed_means(experiment: Experiment, method: str) -> list[str]:
    """Return what skewed outcomes do to tests of means, in uneven arms or in one above all."""
    if method in ("welch", "student") and experiment.skewness > SKEWED:
        return [
            "Outcomes are skewed and arms uneven in size, so t tests find differences too often "
            "(up to 15 % at alpha 0.05 was seen). Hold the result against permutation."
        ]
    skewness = experiment.skewness_apart
    chance = TWO_ERRORS / min(arm.sample.n for arm in experiment.arms)
    if experiment.is_binary or skewness <= max(UNLIKE, chance):
        return []
    return [
        f"Outcomes are skewed (skewness of the difference {skewness:.2g}). Unless they are so in "
        "both arms alike, tests of means find differences too often, permutation too (up to 25 % "
        "at alpha 0.05 was seen): take more units. mann_whitney compares ranks, not means."
    ]


def _of_few(experiment: Experiment, options: ExperimentOptions) -> list[str]:
    """Return that two arms are too small for permutation to show anything, if they are."""
    if len(experiment.arms) > 2:
        return []
    first, second = (arm.sample.n for arm in experiment.arms)
    if min(first, second) > MOST_OF_FEW:
        return []
    least = (2 if first == second else 1) / math.comb(first + second, first)
    if least <= options.alpha:
        return []
    return [
        f"With {first} and {second} units the least p value of a permutation test is "
        f"{least:.2g}: no difference, however large, can be shown at alpha {options.alpha:g}. "
        "Take more units."
    ]


def _more(options: ExperimentOptions) -> str:
    if options.planned.n_per_arm is not None:
        return f"Go on to {options.planned.n_per_arm:,.0f} units an arm, then look again."
    return "Go on collecting, and look again whenever you like; plan n_per_arm to end it at last."


def _neutral(c: Comparison) -> float:
    return 0.5 if c.measure == "probability_of_superiority" else 0.0


def _effect(c: Comparison) -> str:
    what = "chance to be larger" if c.measure == "probability_of_superiority" else "effect"
    text = f"{what} {c.effect:.4g}"
    if c.low is not None and c.high is not None:
        text += f" ({c.confidence:.4g} interval {c.low:.4g} to {c.high:.4g})"
    if c.relative is not None and c.relative_low is not None:  # else the control's mean may be 0
        text += f", {c.relative:+.1%} relative"
    if c.adjusted_p is not None:
        text += f", p = {c.adjusted_p:.2g}"
    return text
