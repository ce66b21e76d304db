"""Which method fits an experiment, and every arm held against the control by it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ml_orchestrator.errors import InvalidInputError
from ml_orchestrator.evaluation.experiments.arms import Arm, Experiment
from ml_orchestrator.evaluation.experiments.decide import decide
from ml_orchestrator.evaluation.experiments.fixed import FEW, FIXED_METHODS, SKEWED
from ml_orchestrator.evaluation.experiments.found import Found
from ml_orchestrator.evaluation.experiments.models import Comparison
from ml_orchestrator.evaluation.experiments.monitored import MONITORED_METHODS
from ml_orchestrator.evaluation.experiments.options import ExperimentOptions, Method
from ml_orchestrator.numerics.multiple_testing import benjamini_hochberg, holm
from ml_orchestrator.numerics.permutation import MOST_VALUES, max_t

__all__ = ["choose_method", "compare_arms", "judge_comparisons"]

LEAST_EXPECTED = 5.0  # count in a cell, for the score test


def choose_method(experiment: Experiment, options: ExperimentOptions) -> Method:
    """Return the method asked for, or the one that fits the outcome."""
    if options.method != "auto":
        return options.method
    if options.is_monitored:
        return "msprt"
    if experiment.is_clustered or options.covariate is not None:
        is_small = min(arm.sample.n_effective for arm in experiment.arms) < FEW
        return "permutation" if is_small else "welch"
    sizes = [arm.n for arm in experiment.arms]
    if experiment.is_binary:
        hits = sum(arm.counts.successes for arm in experiment.arms if arm.counts is not None)
        least = min(hits, sum(sizes) - hits) * min(sizes) / sum(sizes)
        return "z" if least >= LEAST_EXPECTED or not experiment.has_rows else "permutation"
    is_odd = not experiment.has_spread or experiment.skewness > SKEWED
    is_odd = min(sizes) < FEW or (is_odd and sum(sizes) <= MOST_VALUES)
    return "permutation" if is_odd and experiment.has_rows else "welch"


def compare_arms(experiment: Experiment, options: ExperimentOptions) -> list[Found]:
    """Return what the method finds of each arm but the control."""
    control, *others = experiment.arms
    alpha = options.alpha / len(others)
    methods = MONITORED_METHODS if options.is_sequential else FIXED_METHODS
    compare = methods[options.method]
    return [compare(control, other, options, alpha) for other in others]


def judge_comparisons(
    arms: Sequence[Arm], found: Sequence[Found], options: ExperimentOptions, *, is_sound: bool
) -> list[Comparison]:
    """Return each comparison with its decision, corrected for many arms."""
    adjusted, interval_ps = _corrected(arms, found, options), _of_intervals(found, options)
    alpha = options.alpha / len(found)
    control, *others = arms
    made = []
    for arm, last, p, interval_p in zip(others, found, adjusted, interval_ps, strict=True):
        n_smallest = min(control.sample.n, arm.sample.n)
        decision = decide(
            last,
            options,
            adjusted_p=p,
            interval_p=interval_p,
            alpha=alpha,
            n_smallest=n_smallest,
        )
        one = _as_shown(last) if decision in ("a_better", "b_better") else last
        ratio, low, high = one.relative or (None, None, None)
        made.append(
            Comparison(
                arm=arm.name,
                control=control.name,
                decision=decision if is_sound else "invalid",
                measure=one.measure,
                effect=one.effect,
                low=one.low if math.isfinite(one.low) else None,
                high=one.high if math.isfinite(one.high) else None,
                confidence=1 - alpha,
                relative=ratio,
                relative_low=low,
                relative_high=high,
                p_value=one.p_value,
                adjusted_p=p,
                equivalence_p=one.equivalence_p,
                e_value=one.e_value,
                shown_at=one.shown_at,
            )
        )
    return made


def _as_shown(found: Found) -> Found:
    """Return what is said of a winner: that of the look that made it one, if the last does not."""
    look = found.shown
    if look is None or not found.is_gone:
        return found
    return replace(found, effect=look.effect, low=look.low, high=look.high, relative=None)


def _corrected(
    arms: Sequence[Arm], found: Sequence[Found], options: ExperimentOptions
) -> list[float | None]:
    """Return p values corrected for many arms."""
    is_exact = all(arm.counts is not None and arm.units is None for arm in arms)
    is_permuted = options.method == "permutation" and len(found) > 1 and not is_exact
    if options.correction == "max_t" or is_permuted:
        if options.method not in ("welch", "student", "permutation"):
            raise InvalidInputError(
                f"max_t corrects tests of means by drawing labels anew; {options.method} is none. "
                "Choose correction holm, or method permutation."
            )
        rng = np.random.default_rng(options.seed)
        return [*max_t([arm.by_unit() for arm in arms], rng=rng)]
    p_values = [one.p_value for one in found]
    known = [p for p in p_values if p is not None]
    if len(known) < len(p_values):
        return [None] * len(p_values)
    return [*_adjusted(known, options)]


def _of_intervals(found: Sequence[Found], options: ExperimentOptions) -> list[float]:
    """Return corrected p values of the tests that intervals invert; 0 where the test says it."""
    return _adjusted([one.interval_p or 0.0 for one in found], options)


def _adjusted(p_values: Sequence[float], options: ExperimentOptions) -> list[float]:
    correct = benjamini_hochberg if options.correction == "benjamini_hochberg" else holm
    return [float(p) for p in correct(p_values)]
