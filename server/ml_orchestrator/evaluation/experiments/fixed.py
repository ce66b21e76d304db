"""Methods that look at an experiment once: each compares an arm with the control."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ml_orchestrator.catalog import Catalog
from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.arms import Arm
from ml_orchestrator.evaluation.experiments.found import Found
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions
from ml_orchestrator.numerics.bayes_arms import (
    Posterior,
    best_of,
    difference_interval,
    mean_posterior,
    rate_posterior,
)
from ml_orchestrator.numerics.bootstrap import bca_interval
from ml_orchestrator.numerics.mean_tests import (
    Difference,
    fieller_interval,
    is_rounding,
    student_t,
    welch_t,
)
from ml_orchestrator.numerics.permutation import permutation_test
from ml_orchestrator.numerics.proportions import Successes, score_interval, score_statistic
from ml_orchestrator.numerics.rank_tests import mann_whitney

__all__ = ["FEW", "FIXED_METHODS", "PRIOR_SPREADS", "SKEWED", "posteriors_of", "relative_of"]

FEW = 15  # units an arm: below, t tests lean on normality
LEAST_RESAMPLED = 30  # units an arm: with fewer, BCa intervals of equal arms leave 0 out too often
SKEWED = 0.3  # skewness of a difference above which t tests err in 7 % to 15 %, not 5 %
PRIOR_SPREADS = 10.0  # standard deviations of the outcome: the prior of a mean says next to nothing
Compare = Callable[[Arm, Arm, ExperimentOptions, float], Found]
FIXED_METHODS: Catalog[Compare] = Catalog("method")


@FIXED_METHODS.register("welch")
def welch(a: Arm, b: Arm, options: ExperimentOptions, alpha: float) -> Found:
    """Compare means by Welch's t test."""
    return _by_t(a, b, options, alpha, welch_t(a.sample, b.sample))


@FIXED_METHODS.register("student")
def student(a: Arm, b: Arm, options: ExperimentOptions, alpha: float) -> Found:
    """Compare means by Student's t test."""
    return _by_t(a, b, options, alpha, student_t(a.sample, b.sample))


@FIXED_METHODS.register("z")
def score_z(a: Arm, b: Arm, options: ExperimentOptions, alpha: float) -> Found:
    """Compare rates by the score test."""
    x, y = counts_of(a, "z"), counts_of(b, "z")
    low, high = score_interval(x, y, alpha=alpha)
    critical = -Difference(0.0, 1.0, math.inf).interval(alpha)[0]
    return Found(
        y.rate - x.rate,
        low,
        high,
        p_value=_two_sided(score_statistic(x, y)),
        equivalence_p=_rates_equivalent(x, y, options.margin),
        relative=relative_of(a, b, critical),
    )


@FIXED_METHODS.register("mann_whitney")
def ranks(a: Arm, b: Arm, options: ExperimentOptions, alpha: float) -> Found:
    """Compare by ranks: how often b's value is larger."""
    if options.margin is not None:
        raise InvalidInputError(
            "mann_whitney measures how often a value is larger, and margin is in units of the "
            "outcome. Leave margin out, or choose welch."
        )
    found = mann_whitney(a.by_unit(), b.by_unit(), alpha=alpha)
    return Found(
        found.probability,
        found.low,
        found.high,
        p_value=found.p_value,
        interval_p=found.interval_p,
        measure="probability_of_superiority",
    )


@FIXED_METHODS.register("permutation")
def permuted(a: Arm, b: Arm, options: ExperimentOptions, alpha: float) -> Found:
    """Compare means by permutation; the interval is the score test's of 0/1 rows, else Welch's.

    Units that are all alike within both arms have no interval, and permutation alone decides.
    """
    x, y = a.by_unit(), b.by_unit()
    is_rate = all(arm.counts is not None and arm.units is None for arm in (a, b))
    usual = (score_z if is_rate else welch)(a, b, options, alpha)
    if is_rounding(usual.effect, max(abs(a.sample.mean), abs(b.sample.mean))):
        return replace(usual, p_value=1.0)
    found = permutation_test(x, y, rng=np.random.default_rng(options.seed))
    has_interval = math.isfinite(usual.low)
    return replace(usual, p_value=found.p_value, interval_p=usual.p_value if has_interval else None)


@FIXED_METHODS.register("bootstrap")
def bootstrapped(a: Arm, b: Arm, options: ExperimentOptions, alpha: float) -> Found:
    """Compare means by the BCa interval.

    Raises:
        InvalidInputError: an arm has fewer than 30 units.
    """
    x, y = a.by_unit(), b.by_unit()
    _check_resampled(a, b)
    if not a.sample.variance + b.sample.variance:
        return _undecided(b.sample.mean - a.sample.mean, options)
    low, high = bca_interval(x, y, alpha=alpha, rng=np.random.default_rng(options.seed))
    equivalence = None
    if options.margin is not None:
        inner = bca_interval(x, y, alpha=2 * alpha, rng=np.random.default_rng(options.seed))
        is_within = -options.margin < inner[0] and inner[1] < options.margin
        equivalence = 0.0 if is_within else 1.0
    effect = float(y.mean() - x.mean())
    return Found(effect, low, high, is_different=not low <= 0 <= high, equivalence_p=equivalence)


@FIXED_METHODS.register("bayes")
def bayesian(a: Arm, b: Arm, options: ExperimentOptions, alpha: float) -> Found:
    """Compare posteriors: flat priors of rates, next to flat ones of means."""
    first, second = posteriors_of((a, b))
    chance = float(best_of((first, second)).chance_best[1])
    low, high = difference_interval(first, second, alpha=alpha)
    within = None
    if options.margin is not None:
        inner = difference_interval(first, second, alpha=2 * alpha)
        is_within = -options.margin < inner[0] and inner[1] < options.margin
        within = 0.0 if is_within else 1.0
    return Found(
        float(second.mean() - first.mean()),
        low,
        high,
        is_different=not alpha / 2 < chance < 1 - alpha / 2,
        equivalence_p=within,
        relative=relative_of(a, b, None),
    )


def posteriors_of(arms: Sequence[Arm]) -> list[Posterior]:
    """Return what is believed of each arm: Beta(1, 1) for rates, a wide normal for means.

    The normal prior has the mean of all outcomes and ten of their standard deviations.
    """
    if all(arm.counts is not None for arm in arms):
        return [rate_posterior(counts_of(arm, "bayes")) for arm in arms]
    n = sum(arm.n for arm in arms)
    middle = sum(arm.sample.mean * arm.n for arm in arms) / n
    spread = PRIOR_SPREADS * math.sqrt(sum(arm.sd**2 * arm.n for arm in arms) / n)
    return [mean_posterior(arm.sample, prior_mean=middle, prior_sd=spread) for arm in arms]


def counts_of(arm: Arm, method: str) -> Successes:
    """Return successes and trials.

    Raises:
        InvalidInputError: the outcome is not 0/1, or rows are adjusted or not independent.
    """
    if arm.counts is None:
        raise InvalidInputError(
            f"{method} needs an outcome of 0 and 1, without covariate. Choose welch."
        )
    if arm.units is not None:
        raise InvalidInputError(
            f"{method} takes rows as independent, and units have several. Choose welch, which "
            "counts units."
        )
    return arm.counts


def relative_of(
    a: Arm, b: Arm, critical: float | None
) -> tuple[float, float | None, float | None] | None:
    """Return b's mean over a's, less 1, with Fieller's interval; None where a's mean is 0 or less.

    Args:
        a: the control.
        b: the other arm.
        critical: standard errors that the interval reaches; None for no interval.
    """
    if a.sample.mean <= 0:
        return None
    ratio = b.sample.mean / a.sample.mean - 1
    ends = None if critical is None else fieller_interval(a.sample, b.sample, critical)
    return (ratio, None, None) if ends is None else (ratio, ends[0] - 1, ends[1] - 1)


def _by_t(a: Arm, b: Arm, options: ExperimentOptions, alpha: float, found: Difference) -> Found:
    margin = options.margin
    scale = max(abs(a.sample.mean), abs(b.sample.mean))
    if found.standard_error == 0 or is_rounding(found.standard_error, scale):
        return _undecided(found.estimate, options)
    low, high = found.interval(alpha)
    return Found(
        found.estimate,
        low,
        high,
        p_value=found.p_value(),
        equivalence_p=None
        if margin is None
        else max(found.p_below(-margin), found.p_above(margin)),
        relative=relative_of(a, b, found.critical(alpha)),
    )


def _undecided(effect: float, options: ExperimentOptions) -> Found:
    """Return that nothing is shown: units that are all alike do not tell how unlike others are."""
    none = None if options.margin is None else 1.0
    return Found(effect, -math.inf, math.inf, p_value=1.0, equivalence_p=none)


def _check_resampled(a: Arm, b: Arm) -> None:
    for arm in (a, b):
        if arm.sample.n < LEAST_RESAMPLED:
            raise InvalidInputError(
                f"bootstrap needs at least {LEAST_RESAMPLED} units in each arm, since resampling "
                f"fewer finds differences too often; arm {arm.name!r} has {arm.sample.n}. Choose "
                "permutation, or wait for more."
            )


def _rates_equivalent(x: Successes, y: Successes, margin: float | None) -> float | None:
    if margin is None:
        return None
    if margin >= 1:
        raise InvalidInputError(f"Rates differ by 1 at most; margin {margin:g} says nothing.")
    normal = Difference(0.0, 1.0, math.inf)
    above, below = score_statistic(x, y, margin), score_statistic(x, y, -margin)
    return max(normal.p_above(-above), normal.p_above(below))


def _two_sided(z: float) -> float:
    return Difference(z, 1.0, math.inf).p_value()
